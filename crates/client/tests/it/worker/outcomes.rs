//! How jobs end, and what their clients, their workers and their hooks see of it.

use super::support::{Runtime, Server, Side, TestWorker, on_both_servers, wait_until, worker_of};
use bytes::Bytes;
use geartrain_client::worker::{Ability, Job, JobFailed, Outcome, ReportError};
use geartrain_client::{Json, MsgPack};
use geartrain_proto::SubmitMode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thiserror::Error;

on_both_servers!(
    a_client_sees_how_its_job_ends,
    a_client_sees_progress_in_order,
    bytes_of_all_kinds_and_sizes_pass,
    a_panic_fails_its_job_and_not_the_worker,
    arguments_and_results_can_be_typed,
    hooks_see_each_job,
    a_job_knows_what_it_is,
    a_job_over_its_time_limit_goes_to_another_worker,
    reports_of_a_job_that_is_over_are_refused,
);

#[derive(Debug, Error)]
#[error("no thumbnail of {name}")]
struct NoThumbnail {
    name: String,
    #[source]
    cause: std::num::ParseIntError,
}

async fn thumbnail(name: String) -> Result<Bytes, NoThumbnail> {
    match name.parse::<u8>() {
        Ok(number) => Ok(vec![number].into()),
        Err(cause) => Err(NoThumbnail { name, cause }),
    }
}

async fn fail(_: Bytes) -> Result<(), JobFailed> {
    Err(JobFailed)
}

fn a_client_sees_how_its_job_ends(side: Side) {
    for runtime in [Runtime::OneThread, Runtime::TwoThreads] {
        let server = Server::start(side);
        let builder = worker_of(&[&server]).register("thumbnail", thumbnail).register("fail", fail);
        let worker = TestWorker::start_on(runtime, builder);
        let mut client = server.observer().with_exceptions();
        assert_eq!(client.run("thumbnail", b"65"), ["complete A"]);
        let text = "exception no thumbnail of x: invalid digit found in string";
        assert_eq!(client.run("thumbnail", b"x"), [text]);
        assert_eq!(client.run("thumbnail", b"\xff")[0][..43], *"exception the workload is no text in UTF-8:");
        assert_eq!(client.run("fail", b""), ["fail"]);
        let mut plain = server.observer();
        assert_eq!(plain.run("thumbnail", b"x"), ["fail"], "it did not ask for exceptions");
        assert_eq!(plain.run("thumbnail", b"66"), ["complete B"]);
        assert_eq!(worker.stop().jobs, 6);
    }
}

async fn tell(job: Job) -> Result<&'static str, ReportError> {
    job.status(1, 3).await?;
    job.data("part\0ial").await?;
    tokio::time::sleep(Duration::from_millis(1)).await;
    job.warning(b"careful").await?;
    job.status(3, 3).await?;
    Ok("done")
}

fn tell_blocking(job: Job) -> Result<&'static str, ReportError> {
    job.blocking_status(1, 3)?;
    job.blocking_data("part\0ial")?;
    job.blocking_warning(b"careful")?;
    job.blocking_status(3, 3)?;
    Ok("done")
}

fn a_client_sees_progress_in_order(side: Side) {
    let server = Server::start(side);
    let builder = worker_of(&[&server]).register("tell", tell).register_blocking("blocking", tell_blocking);
    let worker = TestWorker::start(builder);
    let mut client = server.observer();
    let story = ["status 1/3", "data part\\x00ial", "warning careful", "status 3/3", "complete done"];
    assert_eq!(client.run("tell", b""), story);
    assert_eq!(client.run("blocking", b""), story);
    worker.stop();
}

fn bytes_of_all_kinds_and_sizes_pass(side: Side) {
    let server = Server::start(side);
    let echo = |workload: Bytes| async move { workload };
    let worker = TestWorker::start(worker_of(&[&server]).register("echo", echo));
    let mut client = server.observer();
    for size in [0, 1, 8191, 8192, 20_000, 5_000_000] {
        let workload: Vec<u8> = (0..size).map(|at: u32| at.to_le_bytes()[0]).collect();
        let story = client.run("echo", &workload);
        assert!(story == [format!("complete {}", workload.escape_ascii())], "{size} bytes");
    }
    worker.stop();
}

async fn panic_at(workload: String) -> String {
    match workload.as_str() {
        "first" => panic!("at once"),
        "later" => {
            tokio::time::sleep(Duration::from_millis(1)).await;
            panic!("{}", "after a while");
        }
        _ => workload,
    }
}

fn a_panic_fails_its_job_and_not_the_worker(side: Side) {
    let server = Server::start(side);
    let builder = worker_of(&[&server])
        .register("panic", panic_at)
        .register("begin", |_: Bytes| {
            assert!(std::hint::black_box(false), "before it had a future");
            async {}
        })
        .register_blocking("blocking", |_: Bytes| -> Bytes { panic!("on a thread") });
    let worker = TestWorker::start(builder);
    let mut client = server.observer().with_exceptions();
    assert_eq!(client.run("panic", b"first"), ["exception the handler panicked: at once"]);
    assert_eq!(client.run("panic", b"later"), ["exception the handler panicked: after a while"]);
    assert_eq!(client.run("begin", b""), ["exception the handler panicked: before it had a future"]);
    assert_eq!(client.run("blocking", b""), ["exception the handler panicked: on a thread"]);
    assert_eq!(client.run("panic", b"no"), ["complete no"]);
    worker.stop();
}

#[derive(Debug, Serialize, Deserialize)]
struct Resize {
    width: u32,
}

fn arguments_and_results_can_be_typed(side: Side) {
    let server = Server::start(side);
    let builder = worker_of(&[&server])
        .register(
            "json",
            |Json(resize): Json<Resize>| async move { Json(Resize { width: resize.width * 2 }) },
        )
        .register("msgpack", |job: Job, MsgPack(resize): MsgPack<Resize>| async move {
            Ok::<_, String>(MsgPack(BTreeMap::from([(job.function().to_owned(), resize.width)])))
        });
    let worker = TestWorker::start(builder);
    let mut client = server.observer().with_exceptions();
    assert_eq!(client.run("json", br#"{"width":21}"#), [r#"complete {\"width\":42}"#]);
    let refused = "exception the workload is not the JSON expected: missing field `width` at line 1 column 2";
    assert_eq!(client.run("json", b"{}"), [refused]);
    assert_eq!(client.run("msgpack", b"\x81\xa5width\x07"), ["complete \\x81\\xa7msgpack\\x07"]);
    assert!(client.run("msgpack", b"\xc1")[0].starts_with("exception the workload is not the MessagePack"));
    worker.stop();
}

fn hooks_see_each_job(side: Side) {
    let server = Server::start(side);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (before, after) = (Arc::clone(&seen), Arc::clone(&seen));
    let builder = worker_of(&[&server])
        .register("slow", |workload: String| async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if workload.is_empty() { Err("no workload") } else { Ok("1234") }
        })
        .before_job(move |job| {
            before.lock().unwrap().push(format!("before {} {}", job.function(), job.handle()));
        })
        .after_job(move |report| {
            let (function, handle, outcome) = (report.function, report.handle, report.outcome);
            let sizes = (report.workload_bytes, report.result_bytes);
            assert!(report.run >= Duration::from_millis(20));
            let wait = report.wait.is_some();
            after.lock().unwrap().push(format!("after {function} {handle} {sizes:?} {outcome:?} {wait}"));
            panic!("a hook that panics harms nobody");
        });
    let worker = TestWorker::start(builder);
    let mut client = server.observer();
    let first = client.submit_with("slow", "", None, b"abc", SubmitMode::Foreground);
    client.story();
    let unique = "019aa000-0000-7abc-8def-0123456789ab";
    let second = client.submit_with("slow", unique, None, b"", SubmitMode::Foreground);
    client.story();
    worker.stop();
    let outcome = Outcome::Exception("no workload".to_owned());
    let expected = [
        format!("before slow {first}"),
        format!("after slow {first} (3, 4) Completed false"),
        format!("before slow {second}"),
        format!("after slow {second} (0, 0) {outcome:?} true"),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

fn a_job_knows_what_it_is(side: Side) {
    let server = Server::start(side);
    let builder = worker_of(&[&server]).register("what", |job: Job| async move {
        let shown = |part: Option<&[u8]>| part.map(|part| part.escape_ascii().to_string());
        format!("{} {:?} {:?} {}", job.function(), shown(job.unique()), shown(job.reducer()), job.server())
    });
    let worker = TestWorker::start(builder);
    let mut client = server.observer();
    client.submit_with("what", "u1", Some("sum"), b"", SubmitMode::Foreground);
    let address = server.address();
    let known = format!("complete what Some(\\\"u1\\\") Some(\\\"sum\\\") {address}");
    assert_eq!(client.story(), [known]);
    client.submit_with("what", "", None, b"", SubmitMode::Foreground);
    assert_eq!(client.story(), [format!("complete what None None {address}")]);
    worker.stop();
}

fn a_job_over_its_time_limit_goes_to_another_worker(side: Side) {
    let server = Server::start(side);
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let of_stuck = Arc::clone(&outcomes);
    let ability = Ability::new("slow").timeout(Duration::from_secs(1));
    let builder = worker_of(&[&server])
        .register(ability.clone(), |_: Bytes| async {
            tokio::time::sleep(Duration::from_secs(600)).await;
        })
        .after_job(move |report| of_stuck.lock().unwrap().push(report.outcome.clone()));
    let stuck = TestWorker::start(builder.jobs_max(1));
    server.await_workers("slow", 1);
    let mut client = server.observer();
    client.submit("slow", b"", SubmitMode::Foreground);
    wait_until("the stuck one has it", || server.status("slow").1 == 1);
    let quick = TestWorker::start(worker_of(&[&server]).register(ability, |_: Bytes| async { "quick" }));
    assert_eq!(client.story(), ["complete quick"]);
    assert_eq!(stuck.await_departure().jobs, 1);
    assert_eq!(*outcomes.lock().unwrap(), [Outcome::TimedOut]);
    // gearmand 1.1.20 keeps a timer for the job that is done; were it to run out, it would give a job away that
    // is no more.
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(server.status("slow"), (0, 0, 1));
    assert_eq!(quick.stop().jobs, 1);
}

fn reports_of_a_job_that_is_over_are_refused(side: Side) {
    let server = Server::start(side);
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let builder = worker_of(&[&server]).register("keep", move |job: Job| {
        *keep.lock().unwrap() = Some(job);
        async {}
    });
    let worker = TestWorker::start(builder);
    server.observer().run("keep", b"");
    let job = kept.lock().unwrap().take().unwrap();
    assert_eq!(job.blocking_status(1, 2), Err(ReportError::Over { handle: job.handle().to_string() }));
    assert!(!job.is_lost());
    worker.stop();
    let lost = job.blocking_data("late").unwrap_err();
    assert!(matches!(lost, ReportError::Lost { .. }), "{lost}");
    assert!(job.is_lost());
}
