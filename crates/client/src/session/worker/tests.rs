use super::*;
use geartrain_proto::{Message, Step as Found, Unique, decode_message};

/// What the session wants written, packet by packet; it counts as written.
fn sent(session: &mut WorkerSession) -> Vec<String> {
    let mut shown = Vec::new();
    let mut rest = session.pending().to_vec();
    session.written(rest.len());
    assert!(session.pending().is_empty());
    while !rest.is_empty() {
        let Found::Complete { consumed, message } = decode_message(&rest, u32::MAX) else {
            panic!("a part of a packet: {rest:?}");
        };
        shown.push(match message.expect("a packet of the protocol") {
            Message::Request(Request::CanDo { function }) => format!("CAN_DO {function}"),
            Message::Request(Request::CanDoTimeout { function, timeout_ms }) => {
                format!("CAN_DO_TIMEOUT {function} {timeout_ms}")
            }
            Message::Request(Request::CantDo { function }) => format!("CANT_DO {function}"),
            Message::Request(Request::WorkComplete { handle, result }) => {
                format!("WORK_COMPLETE {handle} {}", result.escape_ascii())
            }
            Message::Request(request) => request.kind().name().to_owned(),
            Message::Admin(line) => panic!("a line of text: {line:?}"),
        });
        rest.drain(..consumed);
    }
    shown
}

/// What the session makes of one packet.
fn told(
    session: &mut WorkerSession,
    response: &Response<'_>,
) -> Option<Result<WorkerEvent, WorkerSessionError>> {
    let mut bytes = Vec::new();
    response.encode(&mut bytes);
    session.feed(&bytes);
    let event = session.poll();
    assert!(!matches!(event, Some(Ok(_))) || session.poll().is_none(), "one packet, one event");
    event
}

fn assign(session: &mut WorkerSession, handle: &str, function: &str) -> AssignedJob {
    let (handle, function, unique) = (Handle::from(handle), Function::from(function), Unique::from("u"));
    match told(session, &Response::JobAssignUniq { handle, function, unique, workload: b"work" }) {
        Some(Ok(WorkerEvent::Assigned(job))) => job,
        other => panic!("not assigned: {other:?}"),
    }
}

fn no_job(session: &mut WorkerSession) {
    let event = told(session, &Response::NoJob);
    assert!(matches!(event, Some(Ok(WorkerEvent::NoJob))), "{event:?}");
}

fn noop(session: &mut WorkerSession) {
    let event = told(session, &Response::Noop);
    assert!(event.is_none(), "{event:?}");
}

fn echo(session: &mut WorkerSession) {
    let event = told(session, &Response::Echo { data: SIGN });
    assert!(event.is_none(), "{event:?}");
}

/// Grabs all that the session wants.
fn grab(session: &mut WorkerSession) -> usize {
    let wanted = session.grabs_wanted();
    session.grab(wanted);
    wanted
}

/// A session that does `f` and has slept since its first grab.
fn asleep() -> WorkerSession {
    let mut session = WorkerSession::new(1 << 20);
    session.register("f", None);
    grab(&mut session);
    no_job(&mut session);
    assert_eq!(sent(&mut session), ["CAN_DO f", "GRAB_JOB_ALL", "PRE_SLEEP"]);
    session
}

#[test]
fn it_grabs_then_sleeps_then_wakes_then_grabs_again() {
    let mut session = asleep();
    assert_eq!(session.grabs_wanted(), 0);
    session.grab(1);
    assert!(sent(&mut session).is_empty(), "a sleeping session grabs nothing");
    noop(&mut session);
    assert_eq!(grab(&mut session), 1);
    assert_eq!(sent(&mut session), ["GRAB_JOB_ALL"]);
    let job = assign(&mut session, "H:h:1", "f");
    assert_eq!((job.key.handle(), &*job.function, &job.unique[..]), (Handle::from("H:h:1"), "f", &b"u"[..]));
    assert_eq!(job.workload, "work");
    assert!(session.complete(&job.key, b"done"));
    grab(&mut session);
    assert_eq!(sent(&mut session), ["WORK_COMPLETE H:h:1 done", "GRAB_JOB_ALL"]);
}

#[test]
fn a_noop_that_crosses_a_grab_is_no_second_wake_up() {
    let mut session = asleep();
    session.nudge();
    grab(&mut session);
    noop(&mut session);
    assert_eq!(session.grabs_wanted(), 0, "the grab on its way covers it");
    no_job(&mut session);
    assert_eq!(sent(&mut session), ["GRAB_JOB_ALL", "PRE_SLEEP"]);
    noop(&mut session);
    assert_eq!(session.grabs_wanted(), 1);
}

#[test]
fn a_noop_without_a_free_slot_is_remembered() {
    let mut session = asleep();
    noop(&mut session);
    // No slot is free, so nothing is grabbed. It wants to for as long as that takes.
    noop(&mut session);
    assert_eq!(session.grabs_wanted(), 1);
    assert!(sent(&mut session).is_empty());
}

#[test]
fn it_sleeps_while_jobs_run_and_wakes_for_more() {
    let mut session = asleep();
    noop(&mut session);
    grab(&mut session);
    let first = assign(&mut session, "H:h:1", "f");
    grab(&mut session);
    no_job(&mut session);
    assert_eq!(sent(&mut session), ["GRAB_JOB_ALL", "GRAB_JOB_ALL", "PRE_SLEEP"]);
    noop(&mut session);
    grab(&mut session);
    let second = assign(&mut session, "H:h:2", "f");
    assert_eq!(session.jobs_in_hand(), 2);
    assert!(session.complete(&second.key, b"2"));
    assert!(session.complete(&first.key, b"1"));
    assert_eq!(sent(&mut session), ["GRAB_JOB_ALL", "WORK_COMPLETE H:h:2 2", "WORK_COMPLETE H:h:1 1"]);
}

#[test]
fn grabs_grow_while_jobs_come_and_all_are_answered_before_it_sleeps() {
    let mut session = WorkerSession::new(1 << 20);
    session.register("f", None);
    let mut number = 0;
    let mut at_once = Vec::new();
    for _ in 0..6 {
        let grabs = grab(&mut session);
        at_once.push(grabs);
        for _ in 0..grabs {
            number += 1;
            let job = assign(&mut session, &format!("H:h:{number}"), "f");
            assert!(session.complete(&job.key, b""));
        }
    }
    assert_eq!(at_once, [1, 1, 2, 4, 8, 16]);
    sent(&mut session);
    assert_eq!(grab(&mut session), 32);
    no_job(&mut session);
    assert_eq!(session.grabs_wanted(), 0, "31 are on their way");
    for _ in 0..31 {
        assert!(!sent(&mut session).contains(&"PRE_SLEEP".to_owned()));
        no_job(&mut session);
    }
    assert_eq!(sent(&mut session), ["PRE_SLEEP"]);
    noop(&mut session);
    assert_eq!(grab(&mut session), 1, "it begins anew");
}

#[test]
fn where_jobs_come_one_by_one_it_sleeps_with_the_end_of_each_and_asks_now_and_then() {
    let mut session = asleep();
    let mut single = |handle: &str| {
        noop(&mut session);
        assert_eq!(grab(&mut session), 1);
        assert_eq!(sent(&mut session), ["GRAB_JOB_ALL"]);
        let job = assign(&mut session, handle, "f");
        assert!(session.complete(&job.key, b""));
        grab(&mut session);
        let said = sent(&mut session);
        if !session.is_asleep() {
            no_job(&mut session);
            assert_eq!(sent(&mut session), ["PRE_SLEEP"]);
        }
        said
    };
    let asks = |handle: &str| vec![format!("WORK_COMPLETE {handle} "), "GRAB_JOB_ALL".to_owned()];
    let sleeps = |handle: &str| vec![format!("WORK_COMPLETE {handle} "), "PRE_SLEEP".to_owned()];
    for handle in ["a", "b", "c"] {
        assert_eq!(single(handle), asks(handle), "it is not known yet that there is no other job");
    }
    for handle in ["d", "e", "f", "g"] {
        assert_eq!(single(handle), sleeps(handle));
    }
    assert_eq!(single("h"), asks("h"), "there may be more by now");
    assert_eq!(single("i"), sleeps("i"));
}

/// At a `PRE_SLEEP` that comes before a grab gearmand may lose a job of another function.
#[test]
fn with_several_functions_it_asks_after_each_job() {
    let mut session = asleep();
    session.register("g", None);
    assert_eq!(sent(&mut session), ["CAN_DO g"]);
    for handle in ["a", "b", "c", "d", "e"] {
        noop(&mut session);
        assert_eq!(grab(&mut session), 1);
        sent(&mut session);
        let job = assign(&mut session, handle, "f");
        assert!(session.complete(&job.key, b""));
        assert_eq!(grab(&mut session), 1, "{handle}");
        no_job(&mut session);
        assert!(session.is_asleep());
        sent(&mut session);
    }
}

#[test]
fn where_a_second_job_comes_it_goes_on_asking() {
    let mut session = asleep();
    session.singles = SINGLES_ASK - 1;
    noop(&mut session);
    for handle in ["a", "b", "c"] {
        assert!(grab(&mut session) > 0, "{handle}");
        let job = assign(&mut session, handle, "f");
        assert!(session.complete(&job.key, b""));
    }
    assert!(!session.is_asleep());
    assert_eq!(session.singles, 0);
}

#[test]
fn a_session_without_functions_asks_for_nothing() {
    let session = WorkerSession::new(1 << 20);
    assert_eq!(session.grabs_wanted(), 0);
    assert!(session.pending().is_empty());
}

#[test]
fn nothing_is_grabbed_before_a_probed_server_has_answered() {
    let mut session = WorkerSession::new(1 << 20);
    session.register("f", None);
    session.probe();
    assert_eq!((session.grabs_wanted(), session.is_owed(), session.is_asleep()), (0, true, false));
    echo(&mut session);
    assert_eq!((grab(&mut session), session.is_answered(), session.has_grabbed()), (1, true, false));
    no_job(&mut session);
    // A nudge goes the same way, and a wake-up that crosses it changes nothing.
    session.probe();
    session.probe();
    noop(&mut session);
    assert_eq!(session.grabs_wanted(), 0);
    echo(&mut session);
    assert_eq!(grab(&mut session), 1);
    let expected = ["CAN_DO f", "ECHO_REQ", "GRAB_JOB_ALL", "PRE_SLEEP", "ECHO_REQ", "GRAB_JOB_ALL"];
    assert_eq!(sent(&mut session), expected);
}

#[test]
fn an_answer_from_before_the_stop_confirms_no_result() {
    let mut session = asleep();
    noop(&mut session);
    grab(&mut session);
    let job = assign(&mut session, "H:h:1", "f");
    session.probe();
    session.stop();
    assert!(session.complete(&job.key, b""));
    assert_eq!(sent(&mut session), ["GRAB_JOB_ALL", "ECHO_REQ", "WORK_COMPLETE H:h:1 ", "ECHO_REQ"]);
    echo(&mut session);
    assert!(!session.is_finished());
    echo(&mut session);
    assert!(session.is_finished());
}

#[test]
fn a_grab_that_is_refused_brings_no_job() {
    let mut session = asleep();
    noop(&mut session);
    grab(&mut session);
    sent(&mut session);
    let refusal = Response::Error { code: b"QUEUE_ERROR", text: b"not now" };
    let event = told(&mut session, &refusal);
    assert!(matches!(event, Some(Ok(WorkerEvent::GrabRefused { .. }))), "{event:?}");
    assert_eq!((session.grabs_unanswered(), sent(&mut session)), (0, vec!["PRE_SLEEP".to_owned()]));
    noop(&mut session);
    grab(&mut session);
    let job = assign(&mut session, "H:h:1", "f");
    grab(&mut session);
    assert!(session.status(&job.key, 1, 2));
    let event = told(&mut session, &refusal);
    assert!(matches!(event, Some(Ok(WorkerEvent::Refused { .. }))), "it may be about the report: {event:?}");
    assert_eq!(session.grabs_unanswered(), 1);
}

/// As gearmand gives them with a prefix of its own choice.
#[test]
fn a_handle_need_not_be_text() {
    let mut session = asleep();
    noop(&mut session);
    grab(&mut session);
    let (handle, function) = (Handle::new(b"\xff:1"), Function::from("f"));
    let event = told(&mut session, &Response::JobAssign { handle, function, workload: b"" });
    let Some(Ok(WorkerEvent::Assigned(job))) = event else { panic!("not assigned: {event:?}") };
    assert_eq!(job.key.handle().as_bytes(), b"\xff:1");
    assert!(session.complete(&job.key, b""));
}

#[test]
fn a_function_registered_while_asleep_is_looked_for_at_once() {
    let mut session = asleep();
    session.register("g", Some(Duration::from_millis(2500)));
    grab(&mut session);
    assert_eq!(sent(&mut session), ["CAN_DO_TIMEOUT g 2500", "GRAB_JOB_ALL"]);
    session.register("g", None);
    assert!(sent(&mut session).is_empty(), "a second CAN_DO would count as a second worker");
    session.register("h", Some(Duration::MAX));
    assert_eq!(sent(&mut session), ["CAN_DO_TIMEOUT h 2147483647"]);
}

#[test]
fn a_function_is_taken_back_while_asleep() {
    let mut session = asleep();
    session.register("g", None);
    grab(&mut session);
    no_job(&mut session);
    sent(&mut session);
    session.unregister("f");
    assert_eq!(sent(&mut session), ["CANT_DO f"]);
    noop(&mut session);
    assert_eq!(session.grabs_wanted(), 1, "the other function goes on");
}

#[test]
fn a_function_is_taken_back_only_when_no_job_of_it_can_be_lost() {
    let mut session = asleep();
    noop(&mut session);
    grab(&mut session);
    let first = assign(&mut session, "H:h:1", "f");
    grab(&mut session);
    sent(&mut session);
    session.unregister("f");
    assert!(sent(&mut session).is_empty(), "one runs and one may be on its way");
    assert_eq!(session.grabs_wanted(), 0);
    let second = assign(&mut session, "H:h:2", "f");
    assert!(session.complete(&first.key, b""));
    assert_eq!(sent(&mut session), ["WORK_COMPLETE H:h:1 "]);
    assert!(session.complete(&second.key, b""));
    assert_eq!(sent(&mut session), ["WORK_COMPLETE H:h:2 ", "CANT_DO f"]);
}

#[test]
fn a_function_is_taken_back_only_when_no_job_of_it_is_on_its_way() {
    let mut session = asleep();
    noop(&mut session);
    grab(&mut session);
    session.unregister("f");
    assert_eq!(sent(&mut session), ["GRAB_JOB_ALL"], "the server would give the job away that it assigns");
    no_job(&mut session);
    assert_eq!(sent(&mut session), ["CANT_DO f", "PRE_SLEEP"]);
    session.nudge();
    assert_eq!(session.grabs_wanted(), 0, "there is nothing left to grab");
}

#[test]
fn a_job_assigned_after_the_stop_is_done_before_the_session_is_finished() {
    let mut session = asleep();
    noop(&mut session);
    grab(&mut session);
    session.stop();
    assert_eq!(sent(&mut session), ["GRAB_JOB_ALL"]);
    assert!(!session.is_finished(), "the grab is not answered");
    let job = assign(&mut session, "H:h:1", "f");
    assert!(!session.is_finished());
    assert_eq!(session.grabs_wanted(), 0);
    assert!(session.complete(&job.key, b"late"));
    assert!(!session.is_finished(), "the result is not written");
    assert_eq!(sent(&mut session), ["WORK_COMPLETE H:h:1 late", "ECHO_REQ"]);
    assert!(!session.is_finished(), "the result may be on its way");
    echo(&mut session);
    assert!(session.is_finished());
}

#[test]
fn a_stopped_session_takes_back_what_it_does_not_run() {
    let mut session = asleep();
    session.register("g", None);
    grab(&mut session);
    let job = assign(&mut session, "H:h:1", "g");
    sent(&mut session);
    session.stop();
    assert_eq!(sent(&mut session), ["CANT_DO f"], "others are woken in its place");
    assert!(session.complete(&job.key, b""));
    assert_eq!(sent(&mut session), ["WORK_COMPLETE H:h:1 ", "ECHO_REQ"]);
    echo(&mut session);
    assert!(session.is_finished());
}

#[test]
fn a_stopped_session_does_not_go_to_sleep() {
    let mut session = asleep();
    noop(&mut session);
    grab(&mut session);
    session.stop();
    no_job(&mut session);
    assert_eq!(sent(&mut session), ["GRAB_JOB_ALL"]);
    assert!(session.is_finished());
}

#[test]
fn reports_of_a_job_that_ended_are_not_sent() {
    let mut session = asleep();
    noop(&mut session);
    grab(&mut session);
    let job = assign(&mut session, "H:h:1", "f");
    assert!(
        session.status(&job.key, 1, 2) && session.data(&job.key, b"d") && session.warning(&job.key, b"w")
    );
    assert!(session.exception(&job.key, b"no"));
    assert_eq!(
        sent(&mut session),
        ["GRAB_JOB_ALL", "WORK_STATUS", "WORK_DATA", "WORK_WARNING", "WORK_EXCEPTION"]
    );
    assert!(!session.fail(&job.key) && !session.complete(&job.key, b"") && !session.status(&job.key, 1, 1));
    assert!(sent(&mut session).is_empty());
}

#[test]
fn a_job_assigned_anew_is_not_ended_by_its_former_run() {
    let mut session = asleep();
    noop(&mut session);
    grab(&mut session);
    let former = assign(&mut session, "H:h:1", "f");
    grab(&mut session);
    let anew = assign(&mut session, "H:h:1", "f");
    sent(&mut session);
    assert!(!session.complete(&former.key, b"former"));
    assert!(session.complete(&anew.key, b"anew"));
    assert_eq!(sent(&mut session), ["WORK_COMPLETE H:h:1 anew"]);
    session.unregister("f");
    assert_eq!(sent(&mut session), ["CANT_DO f"], "neither run counts any more");
}

#[test]
fn the_timer_of_a_job_that_ended_is_stopped_where_no_grab_does_it() {
    let mut session = WorkerSession::new(1 << 20);
    session.register("f", Some(Duration::from_secs(2)));
    grab(&mut session);
    let job = assign(&mut session, "H:h:1", "f");
    assert!(session.complete(&job.key, b""));
    session.rest();
    session.rest();
    assert_eq!(sent(&mut session)[2..], ["WORK_COMPLETE H:h:1 ", "PRE_SLEEP"]);
    assert_eq!(session.grabs_wanted(), 1, "it is awake still");
    grab(&mut session);
    let job = assign(&mut session, "H:h:2", "f");
    assert!(session.complete(&job.key, b""));
    grab(&mut session);
    session.rest();
    let sent = sent(&mut session);
    assert!(!sent.contains(&"PRE_SLEEP".to_owned()), "the grab stops the timer: {sent:?}");
}

#[test]
fn a_server_that_wakes_for_nothing_is_followed_ever_more_slowly() {
    let mut session = asleep();
    let mut holds = Vec::new();
    for _ in 0..900 {
        noop(&mut session);
        if let Some(hold) = session.hold() {
            assert_eq!(session.grabs_wanted(), 0);
            holds.push(hold.as_millis());
            session.nudge();
        }
        grab(&mut session);
        no_job(&mut session);
    }
    assert_eq!(holds, [5, 10, 20, 40, 80, 160, 320, 320, 320]);
    noop(&mut session);
    grab(&mut session);
    assign(&mut session, "H:h:1", "f");
    grab(&mut session);
    no_job(&mut session);
    noop(&mut session);
    assert_eq!(session.hold(), None, "a job makes it trust the server again");
}

#[test]
fn an_older_kind_of_grab_is_tried_where_the_newest_is_refused() {
    let mut session = WorkerSession::new(1 << 20);
    session.register("f", None);
    grab(&mut session);
    let refusal = Response::Error { code: b"INVALID_COMMAND", text: b"Command not expected" };
    assert!(told(&mut session, &refusal).is_none());
    assert!(told(&mut session, &refusal).is_none());
    assert_eq!(sent(&mut session), ["CAN_DO f", "GRAB_JOB_ALL", "GRAB_JOB_UNIQ", "GRAB_JOB"]);
    let (handle, function) = (Handle::from("H:h:1"), Function::from("f"));
    let event = told(&mut session, &Response::JobAssign { handle, function, workload: b"w" });
    let Some(Ok(WorkerEvent::Assigned(job))) = event else { panic!("not assigned: {event:?}") };
    assert!(job.unique.is_empty() && job.reducer.is_empty());
    grab(&mut session);
    assert_eq!(sent(&mut session), ["GRAB_JOB"]);
    let event = told(&mut session, &Response::Error { code: b"JOB_NOT_FOUND", text: b"gone" });
    assert!(matches!(event, Some(Ok(WorkerEvent::Refused { .. }))), "{event:?}");
    assert_eq!(session.grabs_unanswered(), 1);
}

#[test]
fn a_server_that_refuses_every_grab_is_an_error() {
    let mut session = WorkerSession::new(1 << 20);
    session.register("f", None);
    grab(&mut session);
    let refusal = Response::Error { code: b"NO", text: b"never" };
    told(&mut session, &refusal);
    told(&mut session, &refusal);
    let error = WorkerSessionError::GrabRefused { code: "NO".to_owned(), text: "never".to_owned() };
    assert_eq!(told(&mut session, &refusal).map(Result::unwrap_err), Some(error));
}

#[test]
fn a_reducer_and_large_workloads_arrive_whole_however_they_are_split() {
    let workload = vec![7; 100_000];
    let mut bytes = Vec::new();
    Response::JobAssignAll {
        handle: Handle::from("H:h:1"),
        function: Function::from("f"),
        unique: Unique::from("u"),
        reducer: b"sum",
        workload: &workload,
    }
    .encode(&mut bytes);
    Response::Noop.encode(&mut bytes);
    for size in [1, 12, 4096, 1 << 20] {
        let mut session = WorkerSession::new(1 << 20);
        session.register("f", None);
        session.grab(1);
        let mut jobs = Vec::new();
        for piece in bytes.chunks(size) {
            session.feed(piece);
            while let Some(event) = session.poll() {
                let Ok(WorkerEvent::Assigned(job)) = event else { panic!("{event:?}") };
                jobs.push(job);
            }
        }
        assert_eq!(jobs.len(), 1);
        assert_eq!((&jobs[0].reducer[..], &jobs[0].workload[..]), (&b"sum"[..], &workload[..]));
    }
}

#[test]
fn what_a_server_announces_takes_no_memory_before_it_comes() {
    let mut session = WorkerSession::new(u32::MAX);
    session.feed(b"\0RES\0\0\0\x1f\xff\xff\xff\xf0");
    assert!(session.poll().is_none());
    assert!(session.read_buffer().capacity() < 4 << 20);
}

#[test]
fn what_breaks_the_protocol_is_an_error() {
    let shown = |asked: bool, bytes: &[u8]| {
        let mut session = WorkerSession::new(100);
        session.register("f", None);
        session.grab(usize::from(asked));
        session.feed(bytes);
        let polled = session.poll();
        assert_eq!(session.grabs_unanswered(), usize::from(asked), "an error answers no grab");
        match polled {
            Some(Err(error)) => error.to_string(),
            other => panic!("{bytes:?} was taken: {other:?}"),
        }
    };
    let packet = |response: &Response<'_>| {
        let mut bytes = Vec::new();
        response.encode(&mut bytes);
        bytes
    };
    let job = |handle: &'static [u8], function: &'static str| {
        let (handle, function) = (Handle::new(handle), Function::from(function));
        packet(&Response::JobAssign { handle, function, workload: b"" })
    };
    assert_eq!(shown(false, &packet(&Response::NoJob)), "packet NO_JOB came without being asked for");
    assert_eq!(shown(false, &job(b"H:1", "f")), "packet JOB_ASSIGN came without being asked for");
    assert_eq!(
        shown(true, &job(b"H:1", "other")),
        "a job of function \"other\" came, which is not registered"
    );
    assert_eq!(shown(true, &job(b"", "f")), "a job came without a handle");
    assert_eq!(
        shown(true, &packet(&Response::Echo { data: b"" })),
        "packet ECHO_RES came without being asked for"
    );
    assert!(shown(true, b"HTTP/1.1 400 Bad Request\r\n").starts_with("packet magic"));
    assert!(shown(true, b"\0RES\0\0\0\x1f\0\0\0\x65").contains("over the limit of 100 bytes"));
    assert!(shown(true, b"\0RES\0\0\0\x1f\0\0\0\x01x").contains("JOB_ASSIGN_UNIQ"));
}
