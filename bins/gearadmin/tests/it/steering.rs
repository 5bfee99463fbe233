//! Subcommands against a scripted server: what is asked, what is printed, and the exit status.

use crate::script::{OURS, alone, minutes_ago, scripted, tell, tell_with, without_moments};
use crate::support::{FakeServer, LIMIT, Peer, start};
use insta::assert_snapshot;
use std::io::Write;

fn job(handle: &str) -> String {
    format!(
        r#"{{"handle":"{handle}","function":"resize","unique":"u\u001b[2J","priority":"high","state":"running","background":true,"submitted":{},"attempts":1200,"worker":"10.0.0.1 w","running-ms":180500,"clients":0}}"#,
        minutes_ago(180)
    )
}

#[test]
fn jobs_are_listed_in_aligned_columns_over_all_pages() {
    let first = format!("{}\n{{\"next\":5}}\n", job("H:a:1"));
    let second = format!(
        "{}\n{{}}\n",
        job("H:a:12345")
            .replace("running\",", "delayed\",")
            .replace("\"clients\"", &format!("\"not-before\":{},\"clients\"", minutes_ago(0) + 300_000))
    );
    let told = tell(
        &["jobs", "list", "--function", "re*", "--state", "waiting", "--older-than", "1h30m"],
        &[&first, &second],
    );
    assert_snapshot!(without_moments(&told.shown()), @r#"
    exit Some(0)
    --- stdout
    HANDLE     FUNCTION  STATE                                         PRIORITY  ATTEMPTS  SUBMITTED                           UNIQUE      WORKER\n
    H:HOST:1      resize    running for 3m                                high         1,200  TIME (3h ago)  u\u{1b}[2J  10.0.0.1 w\n
    H:HOST:12345  resize    delayed to TIME (in 4m)  high         1,200  TIME (3h ago)  u\u{1b}[2J  10.0.0.1 w\n
    --- stderr
    > jobs list {"pick":{"filter":{"function":"re*","state":"waiting","older-than":5400},"after":0},"limit":1000}
    > jobs list {"pick":{"filter":{"function":"re*","state":"waiting","older-than":5400},"after":5},"limit":1000}
    "#);
}

#[test]
fn rows_of_json_come_as_they_are() {
    let row = job("H:a:1");
    let told = tell(&["--json", "jobs", "list"], &[&format!("{row}\n{{\"next\":1}}\n"), &format!("{row}\n")]);
    assert_eq!(String::from_utf8(told.ran.stdout).unwrap(), format!("{row}\n{row}\n"));
}

#[test]
fn a_listing_for_people_ends_at_its_limit() {
    let page = format!("{}\n{}\n{}\n{{\"next\":5}}\n", job("H:a:1"), job("H:a:2"), job("H:a:3"));
    let told = tell(&["jobs", "list", "--limit", "2"], &[&page]);
    let stderr = String::from_utf8(told.ran.stderr).unwrap();
    assert_eq!(stderr, "there are more than 2 rows (hint: --limit 0 shows all)\n");
    assert_eq!(told.ran.stdout.split(|byte| *byte == b'\n').count(), 4);
    assert!(told.asked[0].ends_with(r#""limit":3}"#), "{:?}", told.asked);
}

#[test]
fn a_job_is_shown_with_its_workload_and_its_attempts() {
    let row = job("H:a:1").replace(
        "\"clients\":0",
        &format!(
            r#""clients":2,"workload":"line 1\nline \u001b[1m2","log":[{{"attempt":1,"started":{},"ended":{},"client-id":"w","address":"10.0.0.1","how":"exception","text":"oops\nat 3"}}]"#,
            minutes_ago(6),
            minutes_ago(4)
        ),
    );
    let told = tell(&["jobs", "show", "H:a:1"], &[&format!("{row}\n{{}}\n")]);
    assert_snapshot!(without_moments(&told.shown()), @r#"
    exit Some(0)
    --- stdout
    handle      H:HOST:1\n
    function    resize\n
    unique      u\u{1b}[2J\n
    priority    high, background\n
    state       running for 3m\n
    worker      10.0.0.1 w\n
    submitted   TIME (3h ago)\n
    clients     2\n
    attempts    1,200\n
      1. exception after 2m, TIME (4m ago), by 10.0.0.1 (w)\n
         oops\n
         at 3\n
    workload    17 B\n
         line 1\n
         line \u{1b}[1m2\n
    --- stderr
    > jobs show {"handle":"H:a:1"}
    "#);
    let told = tell(&["jobs", "show", "--workload", "H:a:1"], &[&format!("{row}\n{{}}\n")]);
    assert_eq!(told.ran.stdout, b"line 1\nline \x1b[1m2");
}

#[test]
fn what_the_server_refuses_is_said_and_exits_2() {
    let told = tell(&["jobs", "show", "H:a:9"], &["{\"error\":\"no job has the handle H:a:9\"}\n"]);
    assert_snapshot!(told.shown(), @r#"
    exit Some(2)
    --- stdout
    --- stderr
    Error: no job has the handle H:HOST:9\n
    > jobs show {"handle":"H:a:9"}
    "#);
}

#[test]
fn jobs_are_counted_over_all_pages() {
    let told = tell(
        &["jobs", "count", "--priority", "low"],
        &["{\"matched\":1000,\"changed\":0}\n{\"next\":9}\n", "{\"matched\":5,\"changed\":0}\n{}\n"],
    );
    assert_snapshot!(told.shown(), @r#"
    exit Some(0)
    --- stdout
    1005\n
    --- stderr
    > jobs count {"pick":{"filter":{"priority":"low"},"after":0}}
    > jobs count {"pick":{"filter":{"priority":"low"},"after":9}}
    "#);
}

#[test]
fn a_change_over_a_filter_is_counted_and_not_done_without_consent() {
    let counted = "{\"matched\":1234,\"changed\":0}\n{}\n";
    let told = tell(&["jobs", "cancel", "--function", "resize"], &[counted]);
    assert_snapshot!(told.shown(), @r#"
    exit Some(1)
    --- stdout
    --- stderr
    Error: would cancel 1,234 jobs, and nobody is there to ask: standard input is no terminal (hint: --yes)\n
    > jobs count {"pick":{"filter":{"function":"resize"},"after":0}}
    "#);
}

/// What the tool says and does when a person at a terminal answers its question.
fn answered(answer: &str, replies: &[&str]) -> (Option<i32>, String, Vec<String>) {
    let server = scripted(replies.iter().map(|reply| (*reply).to_owned()).collect());
    let terminal = nix::pty::openpty(None, None).unwrap();
    let host = format!("127.0.0.1:{}", server.port);
    let child = std::process::Command::new(OURS)
        .args(["jobs", "cancel", "--function", "resize", "-h", &host])
        .stdin(terminal.slave)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = std::fs::File::from(terminal.master);
    keyboard.write_all(answer.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8([output.stderr, b"|".to_vec(), output.stdout].concat()).unwrap();
    (output.status.code(), said, server.join())
}

#[test]
fn a_person_at_a_terminal_is_asked() {
    let counted = "{\"matched\":1234,\"changed\":0}\n{}\n";
    let done = "{\"matched\":1234,\"changed\":1234}\n{}\n";
    let (exit, said, asked) = answered("y\n", &[counted, done]);
    assert_eq!((exit, asked.len()), (Some(0), 2));
    assert_eq!(said, "cancel 1,234 jobs? [y/N] |cancelled 1,234 jobs\n");
    for answer in ["\n", "n\n", "yesterday\n"] {
        let (exit, said, asked) = answered(answer, &[counted]);
        assert_eq!((exit, asked.len()), (Some(0), 1));
        assert_eq!(said, "cancel 1,234 jobs? [y/N] |nothing is changed\n");
    }
}

#[test]
fn a_change_that_is_agreed_to_goes_through_all_pages() {
    let told = tell(
        &["jobs", "move", "--function", "resize", "--to", "other", "--yes"],
        &[
            "{\"matched\":1500,\"changed\":0}\n{}\n",
            "{\"matched\":1000,\"changed\":999}\n{\"next\":7}\n",
            "{\"matched\":500,\"changed\":500}\n{}\n",
        ],
    );
    assert_snapshot!(told.shown(), @r#"
    exit Some(0)
    --- stdout
    moved 1,499 jobs to other; 1 job unchanged\n
    --- stderr
    > jobs count {"pick":{"filter":{"function":"resize"},"after":0}}
    > jobs move {"pick":{"filter":{"function":"resize"},"after":0},"to":"other"}
    > jobs move {"pick":{"filter":{"function":"resize"},"after":7},"to":"other"}
    "#);
    let told = tell(&["jobs", "cancel", "--text", "x", "--yes"], &["{\"matched\":0,\"changed\":0}\n{}\n"]);
    assert_eq!(String::from_utf8(told.ran.stdout).unwrap(), "no job matches\n");
}

#[test]
fn handles_are_changed_without_a_question_and_purge_leaves_what_runs() {
    let told = tell(&["jobs", "cancel", "H:a:1", "H:a:2"], &["{\"matched\":2,\"changed\":2}\n{}\n"]);
    assert_snapshot!(told.shown(), @r#"
    exit Some(0)
    --- stdout
    cancelled 2 jobs\n
    --- stderr
    > jobs cancel {"pick":{"handles":["H:a:1","H:a:2"],"filter":{},"after":0}}
    "#);
    let told = tell(&["jobs", "cancel", "H:a:1", "H:a:2", "H:a:2"], &["{\"matched\":1,\"changed\":1}\n{}\n"]);
    assert_eq!(String::from_utf8(told.ran.stdout).unwrap(), "cancelled 1 job\n");
    let told = tell(
        &["jobs", "purge", "--function", "f", "-y", "--json"],
        &["{\"matched\":3,\"changed\":0}\n{}\n", "{\"matched\":3,\"changed\":3}\n{}\n"],
    );
    assert_snapshot!(told.shown(), @r#"
    exit Some(0)
    --- stdout
    {"matched":3,"changed":3}\n
    --- stderr
    > jobs count {"pick":{"filter":{"function":"f","state":"waiting"},"after":0}}
    > jobs cancel {"pick":{"filter":{"function":"f","state":"waiting"},"after":0}}
    "#);
}

#[test]
fn a_handle_that_is_not_known_is_said_and_exits_2() {
    let none = "{\"matched\":0,\"changed\":0}\n{}\n";
    assert_snapshot!(tell(&["jobs", "cancel", "H:a:9"], &[none]).shown(), @r#"
    exit Some(2)
    --- stdout
    --- stderr
    Error: no job with the handle H:HOST:9 waits or runs (hint: explain says what became of it)\n
    > jobs cancel {"pick":{"handles":["H:a:9"],"filter":{},"after":0}}
    "#);
    let one = "{\"matched\":1,\"changed\":1}\n{}\n";
    assert_snapshot!(tell(&["jobs", "cancel", "H:a:1", "H:a:9", "H:a:1"], &[one]).shown(), @r#"
    exit Some(2)
    --- stdout
    cancelled 1 job\n
    --- stderr
    Error: for 1 of 2 handles no job waits or runs (hint: explain says what became of it)\n
    > jobs cancel {"pick":{"handles":["H:a:1","H:a:9","H:a:1"],"filter":{},"after":0}}
    "#);
    assert_snapshot!(tell(&["dead", "drop", "H:a:9"], &["{\"matched\":0}\n{}\n"]).shown(), @r#"
    exit Some(2)
    --- stdout
    --- stderr
    Error: no job with the handle H:HOST:9 is a dead letter (hint: dead list)\n
    > dead drop {"shelf":"dead","filter":{"handles":["H:a:9"]},"after":0,"dry":false}
    "#);
}

#[test]
fn what_is_short_shows_no_bar_at_a_terminal_either() {
    let server = scripted(vec!["{\"matched\":1}\n{}\n".to_owned()]);
    let terminal = nix::pty::openpty(None, None).unwrap();
    let host = format!("127.0.0.1:{}", server.port);
    let kept_open = terminal.slave.try_clone().unwrap();
    let status = std::process::Command::new(OURS)
        .args(["dead", "drop", "H:a:1", "-h", &host])
        .env("TERM", "xterm")
        .stdout(std::process::Stdio::null())
        .stderr(terminal.slave)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    server.join();
    // A word of ours ends what there is to read.
    std::fs::File::from(kept_open).write_all(b"|").unwrap();
    let mut said = [0; 64];
    let len = std::io::Read::read(&mut std::fs::File::from(terminal.master), &mut said).unwrap();
    assert_eq!(said[..len].escape_ascii().to_string(), "|");
}

#[test]
fn many_handles_become_several_commands() {
    let handles: Vec<String> = (0..150).map(|number| format!("H:a:{number}")).collect();
    let mut arguments = vec!["jobs", "priority", "--to", "low"];
    arguments.extend(handles.iter().map(String::as_str));
    let told = tell(
        &arguments,
        &["{\"matched\":100,\"changed\":90}\n{}\n", "{\"matched\":50,\"changed\":50}\n{}\n"],
    );
    let stdout = String::from_utf8(told.ran.stdout).unwrap();
    assert_eq!(stdout, "gave 140 jobs low priority; 10 jobs unchanged\n");
}

#[test]
fn wrong_usage_exits_1_and_asks_nothing() {
    for (arguments, expected) in [
        (&["jobs"][..], "Usage: gearadmin jobs"),
        (
            &["jobs", "cancel"],
            "nothing says which jobs are meant (hint: HANDLE, --function, or --all for all of them)",
        ),
        (&["jobs", "purge"], "nothing says which jobs are meant"),
        (&["jobs", "purge", "--state", "running"], "jobs purge ends jobs that wait"),
        (
            &["jobs", "list", "--older-than", "soon"],
            "\"soon\" is no time (right: 90s, 5m, 1h30m, 7d or 250ms)",
        ),
        (&["jobs", "list", "H:a:1", "--function", "f"], "cannot be used with"),
        (&["jobs", "move", "H:a:1"], "--to <FUNCTION>"),
        (&["jobs", "priority", "H:a:1", "--to", "urgent"], "[possible values: high, normal, low]"),
        (&["policy", "set", "f"], "KEY=VALUE"),
        (&["policy", "set", "f", "attempts"], "\"attempts\" sets nothing (right: KEY=VALUE, as attempts=3)"),
        (&["policy", "set", "f", "a=1", "a=2"], "the key \"a\" is set twice"),
        (&["dead", "drop"], "nothing says which are meant"),
        (&["dead", "requeue"], "nothing says which are meant"),
        (
            &["dead", "requeue", "--all", "--workload-file", "/nonexistent"],
            "cannot read /nonexistent: No such file",
        ),
        (&["explain"], "HANDLE|FUNCTION"),
        (
            &["pause", "f", "-h", "a,b"],
            "this changes what is on a server, and 2 are given (hint: name one with --host)",
        ),
        (&["jobs", "list", "--status"], "unexpected argument '--status'"),
        (&["--status", "jobs", "list"], "an action and a command are given (hint: give one of them)"),
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
    ] {
        let ran = alone(arguments);
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert_eq!((ran.exit, ran.stdout.len()), (Some(1), 0), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_server_without_typed_commands_is_named() {
    let told = tell(&["workers"], &["ERR UNKNOWN_COMMAND Unknown+server+command\r\n"]);
    assert_snapshot!(told.shown(), @r#"
    exit Some(2)
    --- stdout
    --- stderr
    Error: 127.0.0.1:PORT0 does not know this command: UNKNOWN_COMMAND Unknown+server+command (hint: is it gearmand of Geartrain?)\n
    > workers list {"after":0}
    "#);
}

#[test]
fn workers_are_listed() {
    let told = tell(
        &["workers"],
        &[concat!(
            r#"{"descriptor":34,"address":"10.0.0.1","client-id":"w 1","sleep":"sleeping","functions":["resize","mail"],"running":[],"failures":0}"#,
            "\n",
            r#"{"descriptor":7,"address":"::1","client-id":"","sleep":"awake","functions":["mail"],"running":["H:a:1"],"failures":20,"suspended-ms":45000}"#,
            "\n{}\n"
        )],
    );
    assert_snapshot!(told.shown(), @r#"
    exit Some(0)
    --- stdout
    CONNECTION  ADDRESS   CLIENT ID  STATE                 FAILURES  RUNS   FUNCTIONS\n
            34  10.0.0.1  w 1        sleeping                     0         resize, mail\n
             7  ::1                  gets no jobs for 45s        20  H:HOST:1  mail\n
    --- stderr
    > workers list {"after":0}
    "#);
}

#[test]
fn policies_are_set_and_shown_with_where_they_come_from() {
    let row = r#"{"function":"image.*","values":{"attempts":["3","set:image.*"],"retry-on":["fail,timeout","set:image.*"]}}"#;
    let told = tell(
        &["policy", "set", "image.*", "attempts=3", "retry-on=fail,timeout"],
        &[&format!("{row}\n{{}}\n")],
    );
    assert_snapshot!(told.shown(), @r#"
    exit Some(0)
    --- stdout
    FUNCTION  KEY       VALUE         FROM\n
    image.*   attempts  3             set:image.*\n
    image.*   retry-on  fail,timeout  set:image.*\n
    --- stderr
    > policy set {"function":"image.*","values":{"attempts":"3","retry-on":"fail,timeout"}}
    "#);
    let refused = "{\"error\":\"policy set: `attempts`: \\\"many\\\" is no number (allowed: 1 to 1000)\"}\n";
    let told = tell(&["policy", "set", "f", "attempts=many"], &[refused]);
    assert_snapshot!(told.shown(), @r#"
    exit Some(2)
    --- stdout
    --- stderr
    Error: policy set: `attempts`: "many" is no number (allowed: 1 to 1000)\n
    > policy set {"function":"f","values":{"attempts":"many"}}
    "#);
    let told = tell(&["policy", "unset", "f"], &["{\"function\":\"f\",\"values\":{}}\n{}\n"]);
    assert_snapshot!(told.shown(), @r#"
    exit Some(0)
    --- stdout
    nothing is set for f any more (hint: policy show has what holds for it now)\n
    --- stderr
    > policy unset {"function":"f","keys":[]}
    "#);
}

#[test]
fn pause_and_drain_set_what_resume_takes_back() {
    let rule =
        |key: &str| format!("{{\"function\":\"f\",\"values\":{{\"{key}\":[\"true\",\"set:f\"]}}}}\n{{}}\n");
    assert_snapshot!(tell(&["pause", "f"], &[&rule("paused")]).shown(), @r#"
    exit Some(0)
    --- stdout
    f is paused: submits are taken, no job starts\n
    --- stderr
    > policy set {"function":"f","values":{"paused":"true"}}
    "#);
    assert_snapshot!(tell(&["drain", "f"], &[&rule("draining")]).shown(), @r#"
    exit Some(0)
    --- stdout
    f is draining: submits are refused, what waits runs dry\n
    --- stderr
    > policy set {"function":"f","values":{"draining":"true"}}
    "#);
    let values = |paused: &str, draining: &str| {
        format!(
            "{{\"function\":\"f\",\"values\":{{\"attempts\":[\"3\",\"set:f\"],\"draining\":[{draining}],\"paused\":[{paused}]}}}}\n{{}}\n"
        )
    };
    let both = values("\"true\",\"set:f\"", "\"true\",\"set:f\"");
    let none = values("\"false\",\"default\"", "\"false\",\"default\"");
    assert_snapshot!(tell(&["resume", "f"], &[&both, "{}\n", &none]).shown(), @r#"
    exit Some(0)
    --- stdout
    f is resumed\n
    --- stderr
    > policy show {"function":"f"}
    > policy unset {"function":"f","keys":["draining","paused"]}
    > policy show {"function":"f"}
    "#);
    let told = tell(&["resume", "f"], &[&none, &none]);
    assert_eq!(String::from_utf8(told.ran.stdout).unwrap(), "f was neither paused nor draining\n");
    let by_file = values("\"true\",\"file:*\"", "\"false\",\"default\"");
    assert_snapshot!(tell(&["resume", "f"], &[&by_file, &by_file, "{}\n"]).shown(), @r#"
    exit Some(0)
    --- stdout
    f is resumed; paused of file:* is overruled\n
    --- stderr
    > policy show {"function":"f"}
    > policy show {"function":"f"}
    > policy set {"function":"f","values":{"paused":"false"}}
    "#);
}

#[test]
fn dead_letters_are_grouped_listed_and_shown() {
    let group = format!(
        r#"{{"group":"00112233aabbccdd","how":"exception","error":"cannot open <n>.jpg","count":1234,"first":{},"last":{},"functions":["resize","mail"]}}"#,
        minutes_ago(60 * 24 * 3),
        minutes_ago(5)
    );
    assert_snapshot!(without_moments(&tell(&["dead", "groups"], &[&format!("{group}\n{{}}\n")]).shown()), @r#"
    exit Some(0)
    --- stdout
    GROUP             COUNT  HOW        FIRST                               LAST                                FUNCTIONS     ERROR\n
    00112233aabbccdd  1,234  exception  TIME (3d ago)  TIME (5m ago)  resize, mail  cannot open <n>.jpg\n
    --- stderr
    > dead groups {"after":0}
    "#);
    let letter = format!(
        r#"{{"handle":"H:a:1","function":"resize","unique":"","priority":"normal","group":"00112233aabbccdd","how":"exception","error":"cannot open 7.jpg","submitted":{},"ended":{},"attempts":3,"workload":"w"}}"#,
        minutes_ago(9),
        minutes_ago(5)
    );
    let told = tell(
        &["dead", "list", "--group", "00112233aabbccdd", "--younger-than", "1d", "--json"],
        &[&format!("{letter}\n{{}}\n")],
    );
    assert_eq!(String::from_utf8(told.ran.stdout.clone()).unwrap(), format!("{letter}\n"));
    assert_eq!(
        told.asked,
        [
            r#"dead list {"shelf":"dead","filter":{"group":"00112233aabbccdd","younger-than":86400},"after":0,"limit":0}"#
        ]
    );
    assert_snapshot!(without_moments(&tell(&["finished", "show", "H:a:1"], &[&format!("{letter}\n{{}}\n")]).shown()), @r#"
    exit Some(0)
    --- stdout
    handle      H:HOST:1\n
    function    resize\n
    priority    normal\n
    ended       exception, TIME (5m ago)\n
    submitted   TIME (9m ago)\n
    group       00112233aabbccdd\n
    error       cannot open 7.jpg\n
    attempts    3\n
    workload    1 B\n
         w\n
    --- stderr
    > dead show {"shelf":"finished","handle":"H:a:1"}
    "#);
}

#[test]
fn letters_are_counted_with_those_that_were_removed() {
    let told =
        tell(&["dead", "counts"], &["{\"dead\":1200,\"groups\":3,\"finished\":0,\"removed\":7}\n{}\n"]);
    assert_eq!(told.asked, ["dead counts {}"]);
    assert_eq!(told.ran.stdout, b" DEAD  GROUPS  FINISHED  REMOVED\n1,200       3         0        7\n");
}

#[test]
fn letters_are_dropped_after_a_count() {
    let told = tell(
        &["dead", "drop", "--function", "resize", "--yes"],
        &["{\"matched\":2}\n{\"next\":3}\n", "{\"matched\":1}\n{}\n", "{\"matched\":3}\n{}\n"],
    );
    assert_snapshot!(told.shown(), @r#"
    exit Some(0)
    --- stdout
    forgot 3 dead letters\n
    --- stderr
    > dead drop {"shelf":"dead","filter":{"function":"resize"},"after":0,"dry":true}
    > dead drop {"shelf":"dead","filter":{"function":"resize"},"after":3,"dry":true}
    > dead drop {"shelf":"dead","filter":{"function":"resize"},"after":0,"dry":false}
    "#);
    let told = tell(&["finished", "drop", "--all"], &["{\"matched\":2}\n{}\n"]);
    assert_snapshot!(told.shown(), @r#"
    exit Some(1)
    --- stdout
    --- stderr
    Error: would forget 2 finished jobs, and nobody is there to ask: standard input is no terminal (hint: --yes)\n
    > dead drop {"shelf":"finished","filter":{},"after":0,"dry":true}
    "#);
}

fn campaign(state: &str, released: u64, completed: u64, died: u64) -> String {
    format!(
        "{{\"campaign\":7,\"state\":\"{state}\",\"matched\":5,\"released\":{released},\"completed\":{completed},\"died\":{died}}}\n{{}}\n"
    )
}

#[test]
fn a_requeue_is_followed_to_its_end() {
    let told = tell_with(
        &[
            "dead",
            "requeue",
            "--group",
            "00112233aabbccdd",
            "--rate",
            "10/s",
            "--canary",
            "1",
            "--to",
            "new",
            "--workload-file",
            "-",
            "--yes",
        ],
        &[&campaign("canary", 1, 0, 0), &campaign("releasing", 2, 1, 0), &campaign("done", 5, 5, 0)],
        b"\xffnew\0",
    );
    assert_snapshot!(told.shown(), @r#"
    exit Some(0)
    --- stdout
    requeued 5 dead letters: 5 completed, 0 died again\n
    --- stderr
    > dead requeue {"filter":{"group":"00112233aabbccdd"},"rate":"10/s","canary":1,"function":"new","workload":{"base64":"/25ldwA="}}
    > dead progress {"campaign":7}
    > dead progress {"campaign":7}
    "#);
    let told = tell(
        &["dead", "requeue", "--all", "--yes", "--json"],
        &[&campaign("canary", 1, 0, 0), &campaign("canary", 1, 0, 0), &campaign("stopped", 1, 0, 1)],
    );
    assert_snapshot!(told.shown(), @r#"
    exit Some(2)
    --- stdout
    {"campaign":7,"state":"canary","matched":5,"released":1,"completed":0,"died":0}\n
    {"campaign":7,"state":"stopped","matched":5,"released":1,"completed":0,"died":1}\n
    --- stderr
    Error: requeue 7 stopped: 1 of 1 released died again, 0 completed; 4 dead letters not released (hint: gearadmin dead groups says why)\n
    > dead requeue {"filter":{},"canary":0}
    > dead progress {"campaign":7}
    > dead progress {"campaign":7}
    "#);
}

#[test]
fn a_requeue_of_several_says_how_many_and_is_agreed_to() {
    let told = tell(&["dead", "requeue", "--function", "f"], &["{\"matched\":2}\n{}\n"]);
    assert_snapshot!(told.shown(), @r#"
    exit Some(1)
    --- stdout
    --- stderr
    Error: would requeue 2 dead letters, and nobody is there to ask: standard input is no terminal (hint: --yes)\n
    > dead drop {"shelf":"dead","filter":{"function":"f"},"after":0,"dry":true}
    "#);
    let told = tell(&["dead", "requeue", "--function", "f"], &["{\"matched\":0}\n{}\n"]);
    assert_snapshot!(told.shown(), @r#"
    exit Some(0)
    --- stdout
    no dead letter matches\n
    --- stderr
    > dead drop {"shelf":"dead","filter":{"function":"f"},"after":0,"dry":true}
    "#);
}

#[test]
fn a_requeue_of_a_handle_that_is_no_letter_fails() {
    let none = r#"{"campaign":7,"state":"done","matched":0,"released":0,"completed":0,"died":0}"#.to_owned()
        + "\n{}\n";
    let told = tell(&["dead", "requeue", "H:a:1"], &[&none]);
    assert_snapshot!(told.shown(), @r#"
    exit Some(2)
    --- stdout
    --- stderr
    Error: no job with the handle H:HOST:1 is a dead letter (hint: dead list)\n
    > dead requeue {"filter":{"handles":["H:a:1"]},"canary":0}
    "#);
}

#[test]
fn a_listing_without_rows_says_so_beside_the_table() {
    for (arguments, text) in [
        (["dead", "groups"], "no dead letters\\n"),
        (["dead", "list"], "no dead letters\\n"),
        (["finished", "list"], "no finished jobs\\n"),
        (["jobs", "list"], "no jobs\\n"),
        (["schedule", "list"], "no schedules\\n"),
        (["policy", "show"], "no policies\\n"),
    ] {
        let shown = tell(&arguments, &["{}\n"]).shown();
        assert!(shown.starts_with(&format!("exit Some(0)\n--- stdout\n--- stderr\n{text}\n")), "{shown}");
        let [noun, verb] = arguments;
        let shown = tell(&[noun, verb, "--json"], &["{}\n"]).shown();
        assert!(shown.starts_with("exit Some(0)\n--- stdout\n--- stderr\n> "), "{shown}");
    }
}

#[test]
fn a_requeue_goes_on_without_its_follower() {
    let told = tell(&["dead", "requeue", "H:a:1", "--detach"], &[&campaign("releasing", 0, 0, 0)]);
    assert_snapshot!(told.shown(), @r#"
    exit Some(0)
    --- stdout
    requeue 7 of 5 dead letters goes on in the server (hint: gearadmin dead progress 7)\n
    --- stderr
    > dead requeue {"filter":{"handles":["H:a:1"]},"canary":0}
    "#);
    let told = tell(&["dead", "progress", "7"], &[&campaign("done", 5, 4, 1)]);
    assert_snapshot!(told.shown(), @r#"
    exit Some(0)
    --- stdout
    requeued 5 dead letters: 4 completed, 1 died again\n
    --- stderr
    > dead progress {"campaign":7}
    "#);
}

#[test]
fn ctrl_c_leaves_a_requeue_running_and_says_so() {
    let (asked, was_asked) = std::sync::mpsc::channel();
    let server = FakeServer::start(move |listener| {
        let mut peer = Peer::accept(&listener);
        while peer.next(|_| ()).is_some() {
            let reply = campaign("canary", 1, 0, 0) + ".\n";
            // The tool may have left, and with it whoever listens to this.
            let _told = peer.stream.write_all(reply.as_bytes()).is_ok() && asked.send(()).is_ok();
        }
    });
    let host = format!("127.0.0.1:{}", server.port);
    let tool = start(OURS, &["dead", "requeue", "--all", "--yes", "-h", &host], &[], b"");
    for _look in 0..2 {
        was_asked.recv_timeout(LIMIT).unwrap();
    }
    tool.signal(nix::sys::signal::Signal::SIGINT);
    assert_snapshot!(tool.end().shown(&[]), @r"
    exit Some(1)
    --- stdout
    --- stderr
    requeue 7 goes on in the server, waiting for the canary, 1 released, 0 completed (hint: gearadmin dead progress 7)\n
    ");
    server.join();
}

#[test]
fn what_only_looks_asks_every_server_and_names_it() {
    let ask = |arguments: &[&str]| {
        let rows = [
            "{\"matched\":1,\"changed\":0}\n{}\n",
            "{\"error\":\"no\"}\n",
            "{\"matched\":2,\"changed\":0}\n",
        ];
        let servers = rows.map(|row| scripted(vec![row.to_owned()]));
        let ports = servers.each_ref().map(|server| server.port);
        let hosts = ports.map(|port| format!("127.0.0.1:{port}")).join(",");
        let ran = start(OURS, &[arguments, &["-h", &hosts]].concat(), &[], b"").end();
        let _asked = servers.map(FakeServer::join);
        ran.shown(&ports)
    };
    assert_snapshot!(ask(&["jobs", "count"]), @r"
    exit Some(2)
    --- stdout
    127.0.0.1:PORT0 1\n
    127.0.0.1:PORT2 2\n
    --- stderr
    Error: 127.0.0.1:PORT1: no\n
    ");
    assert_snapshot!(ask(&["--json", "schedule", "list"]), @r#"
    exit Some(2)
    --- stdout
    {"server":"127.0.0.1:PORT0","matched":1,"changed":0}\n
    {"server":"127.0.0.1:PORT2","matched":2,"changed":0}\n
    --- stderr
    Error: 127.0.0.1:PORT1: no\n
    "#);
}

#[test]
fn schedules_are_added_listed_and_removed() {
    let row = format!(
        r#"{{"name":"nightly","when":"0 3 * * *","zone":"Europe/Berlin","function":"report","workload":"all","missed":"one","overlap":"skip","replace":false,"source":"set","paused":false,"next":{},"last":{},"last-handle":"H:a:9","last-outcome":"completed","last-took-ms":61000,"runs":1200,"skipped":2,"missed-runs":1,"failed":3}}"#,
        minutes_ago(0) + 90 * 60_000,
        minutes_ago(60 * 23)
    );
    let told = tell(
        &[
            "schedule",
            "add",
            "nightly",
            "0 3 * * *",
            "report",
            "--zone",
            "Europe/Berlin",
            "--workload",
            "all",
            "--overlap",
            "skip",
        ],
        &[&format!("{row}\n{{}}\n")],
    );
    assert_snapshot!(without_moments(&told.shown()), @r#"
    exit Some(0)
    --- stdout
    name        nightly\n
    when        0 3 * * * in Europe/Berlin\n
    function    report\n
    missed      made up for by one run\n
    overlapping left out\n
    from        set\n
    next        TIME (in 89m)\n
    last        TIME (23h ago)\n
    outcome     completed after 61s (H:a:9)\n
    runs        1,200, 3 failed; 2 left out, 1 missed\n
    --- stderr
    > schedule add {"name":"nightly","when":"0 3 * * *","zone":"Europe/Berlin","function":"report","workload":"all","missed":"one","overlap":"skip","replace":false}
    "#);
    assert_snapshot!(without_moments(&tell(&["schedule", "list"], &[&format!("{row}\n{{}}\n")]).shown()), @r#"
    exit Some(0)
    --- stdout
    NAME     WHEN       ZONE           FUNCTION  STATE  NEXT                                LAST                                 OUTCOME     RUNS  FAILED  LEFT OUT\n
    nightly  0 3 * * *  Europe/Berlin  report    on     TIME (in 89m)  TIME (23h ago)  completed  1,200       3         3\n
    --- stderr
    > schedule list {"after":0}
    "#);
    assert_snapshot!(tell(&["schedule", "remove", "nightly"], &["{}\n"]).shown(), @r#"
    exit Some(0)
    --- stdout
    schedule nightly is removed\n
    --- stderr
    > schedule remove {"name":"nightly"}
    "#);
    let refused = "{\"error\":\"schedule add: `when`: the 31st of February never comes\"}\n";
    assert_snapshot!(tell(&["schedule", "add", "x", "0 0 31 2 *", "f"], &[refused]).shown(), @r#"
    exit Some(2)
    --- stdout
    --- stderr
    Error: schedule add: `when`: the 31st of February never comes\n
    > schedule add {"name":"x","when":"0 0 31 2 *","function":"f","missed":"one","overlap":"queue","replace":false}
    "#);
}

#[test]
fn explain_tells_a_handle_from_a_function() {
    let row = r#"{"handle":"H:a:1","function":"resize","findings":[{"reason":"all-busy","text":"all 3 workers are busy, the first since 5m"},{"reason":"other-functions","text":"its one able worker takes others"},{"reason":"rate","text":"10 jobs a second are allowed"}],"ahead":1234,"starts-in-ms":200000,"served-per-minute":40}"#;
    assert_snapshot!(tell(&["explain", "H:a:1"], &[&format!("{row}\n{{}}\n")]).shown(), @r#"
    exit Some(0)
    --- stdout
    H:HOST:1 of resize\n
      all-busy         all 3 workers are busy, the first since 5m\n
      other-functions  its one able worker takes others\n
      rate             10 jobs a second are allowed\n
      1,234 jobs before it; starts in about 3m; 40 jobs ended in the last minute\n
    --- stderr
    > explain {"handle":"H:a:1"}
    "#);
    let unknown = r#"{"handle":"H:a:9","function":"","findings":[{"reason":"unknown","text":"it was never there"}],"served-per-minute":0}"#;
    let told = tell(&["explain", "H:a:9"], &[&format!("{unknown}\n{{}}\n")]);
    assert_eq!(told.ran.exit, Some(2));
    assert_eq!(told.ran.stdout, b"H:a:9\n  unknown          it was never there\n");
    for (what, asked) in [
        ("resize", r#"explain {"function":"resize"}"#),
        ("a:1", r#"explain {"function":"a:1"}"#),
        ("ns:f:x", r#"explain {"function":"ns:f:x"}"#),
        ("ns:h:12", r#"explain {"handle":"ns:h:12"}"#),
    ] {
        assert_eq!(tell(&["explain", what], &["{}\n"]).asked, [asked]);
    }
    assert_eq!(
        tell(&["explain", "--function", "H:a:1"], &["{}\n"]).asked,
        [r#"explain {"function":"H:a:1"}"#]
    );
}
