//! Subcommands against the gearmand of this workspace, with its queue on disk.

use crate::script::OURS;
use crate::support::{LIMIT, Ran, start, wait_until};
use geartrain_client::{Connection, ConnectionLimits, ServerAddress};
use geartrain_proto::{Function, GrabKind, Handle, Priority, Request, Response, Submit, SubmitMode, Unique};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use tempfile::TempDir;

/// The daemon under test: the workspace's own, built unless whoever runs all tests has built it.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if std::env::var_os("GEARTRAIN_BUILT").is_none() {
            let mut cargo = Command::new(env!("CARGO"));
            let status = cargo.args(["build", "--quiet", "--package", "gearmand"]).status();
            assert!(status.unwrap().success(), "the daemon can be built");
        }
        Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("debug").join("gearmand")
    })
}

struct Daemon {
    process: Child,
    folder: TempDir,
    address: String,
}

impl Daemon {
    fn start() -> Self {
        Self::start_in(TempDir::new().unwrap())
    }

    fn start_in(folder: TempDir) -> Self {
        Self::start_with(folder, &[])
    }

    fn start_with(folder: TempDir, more: &[&str]) -> Self {
        let mut process = Command::new(program())
            .args([
                "-p",
                "0",
                "-L",
                "127.0.0.1",
                "--http-listen",
                "none",
                "-l",
                "stderr",
                "--libsqlite3-db",
                "queue.db",
            ])
            .args(more)
            .env("STATE_DIRECTORY", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("the daemon says where it listens").unwrap();
            if let Some((_, address)) = line.split_once("listening on ") {
                break address.to_owned();
            }
        };
        // Read to the end, so that the daemon never waits for its log.
        thread::spawn(move || lines.map_while(Result::ok).count());
        Self { process, folder, address }
    }

    /// Ends it as a crash would, and starts it again on what is on disk.
    fn crash(mut self) -> Self {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, TempDir::new().unwrap());
        Self::start_in(folder)
    }

    fn admin(&self, arguments: &[&str]) -> Ran {
        start(OURS, &[arguments, &["-h", &self.address]].concat(), &[("TZ", "UTC")], b"").end()
    }

    /// What a command prints that has to succeed.
    fn done(&self, arguments: &[&str]) -> String {
        let ran = self.admin(arguments);
        let (stdout, stderr) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8_lossy(&ran.stderr));
        assert_eq!((ran.exit, &*stderr), (Some(0), ""), "{arguments:?}: {stdout}");
        stdout
    }

    /// The rows of a command that has to succeed.
    fn rows(&self, arguments: &[&str]) -> Vec<Value> {
        let rows = self.done(&[arguments, &["--json"]].concat());
        rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect()
    }

    /// What the server refuses.
    fn refused(&self, arguments: &[&str]) -> String {
        let ran = self.admin(arguments);
        assert_eq!((ran.exit, ran.stdout.len()), (Some(2), 0), "{arguments:?}");
        String::from_utf8(ran.stderr).unwrap()
    }

    fn connect(&self) -> Connection {
        let address = ServerAddress::parse(&self.address, 1).unwrap();
        Connection::open(&address, &ConnectionLimits::default()).unwrap()
    }

    fn submit(&self, function: &str, jobs: std::ops::Range<u32>, workload: &[u8]) {
        let mut connection = self.connect();
        for number in jobs.clone() {
            let unique = format!("u{number}");
            let submit = Request::Submit(Submit {
                function: Function::from(function),
                unique: Unique::from(unique.as_str()),
                priority: Priority::Normal,
                mode: SubmitMode::Background,
                reducer: None,
                workload,
            });
            connection.send(&submit, "testing").unwrap();
        }
        for _ in jobs {
            let created = connection.receive(Some(LIMIT), "testing").unwrap();
            assert!(matches!(created, Response::JobCreated { .. }), "{created:?}");
        }
    }

    /// Grabs until there is nothing more, and reports the same about each job; hands out workloads.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the panic names what is expected")]
    fn work(&self, function: &str, report: impl Fn(Handle<'_>, &mut Connection)) -> Vec<Vec<u8>> {
        let mut connection = self.connect();
        let mut workloads = Vec::new();
        connection.send(&Request::CanDo { function: Function::from(function) }, "testing").unwrap();
        loop {
            connection.send(&Request::Grab(GrabKind::Plain), "testing").unwrap();
            let handle = match connection.receive(Some(LIMIT), "testing").unwrap() {
                Response::JobAssign { handle, workload, .. } => {
                    workloads.push(workload.to_vec());
                    handle.as_bytes().to_vec()
                }
                Response::NoJob => break,
                other => panic!("no answer to a grab: {other:?}"),
            };
            report(Handle::new(&handle), &mut connection);
        }
        workloads
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn complete(handle: Handle<'_>, connection: &mut Connection) {
    connection.send(&Request::WorkComplete { handle, result: b"" }, "testing").unwrap();
}

fn throw(handle: Handle<'_>, connection: &mut Connection) {
    connection.send(&Request::WorkException { handle, exception: b"cannot open 7.jpg" }, "testing").unwrap();
    connection.send(&Request::WorkFail { handle }, "testing").unwrap();
}

#[test]
fn policies_outlive_a_crash_and_wrong_ones_change_nothing() {
    let daemon = Daemon::start();
    daemon.done(&["policy", "set", "image.*", "attempts=3", "backoff-first=5s"]);
    let rules = daemon.done(&["policy", "show"]);
    for wrong in ["attempts=many", "colour=red", "backoff-first=-5s", "retry-on=monday"] {
        let key = wrong.split('=').next().unwrap();
        let said = daemon.refused(&["policy", "set", "image.*", "max-running=9", wrong]);
        assert!(said.contains(key) && said.lines().count() == 1, "{wrong}: {said}");
    }
    let daemon = daemon.crash();
    assert_eq!(daemon.done(&["policy", "show"]), rules);
    let shown = daemon.done(&["policy", "show", "image.resize"]);
    let attempts = shown.lines().find(|line| line.contains(" attempts ")).unwrap();
    assert!(attempts.contains(" 3 ") && attempts.ends_with("set:image.*"), "{shown}");
    daemon.done(&["policy", "unset", "image.*"]);
    assert!(daemon.rows(&["policy", "show"]).is_empty());
}

#[test]
fn a_paused_function_gives_no_jobs_and_a_draining_one_takes_none() {
    let daemon = Daemon::start();
    daemon.submit("resize", 0..2, b"w");
    daemon.done(&["pause", "resize"]);
    assert!(daemon.work("resize", complete).is_empty());
    assert!(daemon.done(&["explain", "resize"]).contains("paused"));
    daemon.done(&["resume", "resize"]);
    daemon.done(&["drain", "resize"]);
    let mut connection = daemon.connect();
    let submit = Request::Submit(Submit {
        function: Function::from("resize"),
        unique: Unique::from("late"),
        priority: Priority::Normal,
        mode: SubmitMode::Background,
        reducer: None,
        workload: b"w",
    });
    connection.send(&submit, "testing").unwrap();
    let answer = connection.receive(Some(LIMIT), "testing").unwrap();
    assert!(matches!(answer, Response::Error { .. }), "{answer:?}");
    assert_eq!(daemon.work("resize", complete).len(), 2);
    daemon.done(&["resume", "resize"]);
    assert!(daemon.rows(&["policy", "show"]).is_empty());
}

#[test]
fn what_holds_all_functions_is_resumed_with_the_same_pattern() {
    let daemon = Daemon::start();
    daemon.submit("resize", 0..1, b"w");
    daemon.done(&["pause", "*"]);
    daemon.done(&["drain", "*"]);
    assert!(daemon.work("resize", complete).is_empty());
    assert_eq!(daemon.done(&["resume", "*"]), "* is resumed\n");
    assert_eq!(daemon.work("resize", complete).len(), 1);
    // Where there is nothing to take back, that is no mistake either.
    assert_eq!(daemon.done(&["resume", "*"]), "* was neither paused nor draining\n");
}

#[test]
fn jobs_over_many_pages_are_listed_moved_and_cancelled_to_the_last() {
    let daemon = Daemon::start();
    daemon.submit("a", 0..2500, b"w");
    let rows = daemon.rows(&["jobs", "list"]);
    let handles: BTreeSet<&str> = rows.iter().map(|row| row["handle"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), handles.len()), (2500, 2500));
    assert_eq!(daemon.done(&["jobs", "count", "--unique", "u1*"]), "1111\n");
    assert_eq!(
        daemon.done(&["jobs", "move", "--unique", "u1*", "--to", "b", "-y"]),
        "moved 1,111 jobs to b\n"
    );
    assert_eq!(daemon.done(&["jobs", "cancel", "--function", "a", "-y"]), "cancelled 1,389 jobs\n");
    let handle = rows.iter().find(|row| row["unique"] == "u1").unwrap()["handle"].as_str().unwrap();
    assert_eq!(daemon.done(&["jobs", "priority", handle, "--to", "high"]), "gave 1 job high priority\n");
    assert_eq!(daemon.done(&["jobs", "show", handle, "--workload"]), "w");
    let daemon = daemon.crash();
    assert_eq!(daemon.done(&["jobs", "count", "--priority", "high"]), "1\n");
    assert_eq!(daemon.work("a", complete).len(), 0);
    assert_eq!(daemon.work("b", complete).len(), 1111);
}

#[test]
fn dead_letters_come_back_behind_a_canary() {
    let daemon = Daemon::start();
    daemon.done(&["policy", "set", "resize", "attempts=2", "retry-on=exception,fail"]);
    daemon.submit("resize", 0..5, b"\xffpicture");
    assert_eq!(daemon.work("resize", throw).len(), 10);
    wait_until("all are dead letters", || daemon.rows(&["dead", "list"]).len() == 5);
    let groups = daemon.rows(&["dead", "groups"]);
    assert_eq!((groups.len(), &groups[0]["count"]), (1, &Value::from(5)));
    let group = groups[0]["group"].as_str().unwrap();
    let shown = daemon.done(&["dead", "list", "--group", group, "--text", "7.jpg"]);
    assert!(shown.contains("cannot open 7.jpg"), "{shown}");
    // The canary dies again: the others stay.
    let requeue: &[&str] =
        &["dead", "requeue", "--group", group, "--canary", "1", "--rate", "100/s", "--yes"];
    let follower = start(OURS, &[requeue, &["-h", &daemon.address]].concat(), &[], b"");
    wait_until("the canary is in the queue", || daemon.done(&["jobs", "count"]) == "1\n");
    assert_eq!(daemon.work("resize", throw).len(), 2);
    let ran = follower.end();
    let stderr = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.exit, Some(2), "{stderr}");
    assert!(
        stderr.contains("stopped: 1 of 1 released died again")
            && stderr.contains("4 dead letters not released"),
        "{stderr}"
    );
    assert_eq!(daemon.rows(&["dead", "list"]).len(), 5);
    // With a worker that is mended all come back, with another workload.
    let follower =
        start(OURS, &[requeue, &["--workload", "mended", "-h", &daemon.address]].concat(), &[], b"");
    let mut worked = Vec::new();
    wait_until("all were worked on", || {
        worked.extend(daemon.work("resize", complete));
        worked.len() == 5
    });
    let ran = follower.end();
    assert_eq!(ran.exit, Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(ran.stdout, b"requeued 5 dead letters: 5 completed, 0 died again\n");
    assert!(worked.iter().all(|workload| workload == b"mended"));
    assert!(daemon.rows(&["dead", "list"]).is_empty());
}

#[test]
fn a_queue_moves_house_without_a_job_lost_or_doubled() {
    let old = Daemon::start();
    old.done(&["policy", "set", "resize", "attempts=1", "retry-on=exception,fail"]);
    old.done(&["schedule", "add", "nightly", "0 3 * * *", "report", "--zone", "Europe/Berlin"]);
    old.submit("resize", 0..3, b"dead");
    old.work("resize", throw);
    wait_until("all are dead letters", || old.rows(&["dead", "list"]).len() == 3);
    old.submit("resize", 10..1210, b"small");
    let large: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    old.submit("large", 0..2, &large);
    let file = old.folder.path().join("queue.jsonl");
    let name = file.to_str().unwrap();
    let exported = old.done(&["export", name]);
    assert_eq!(
        exported,
        format!("exported 1,207 items to {name}: 3 dead letters, 1,202 jobs, 1 policy, 1 schedule\n")
    );
    let new = Daemon::start();
    assert_eq!(new.done(&["import", name]), format!("imported 1,207 items from {name}\n"));
    let again = new.done(&["import", name]);
    assert!(
        again.starts_with("imported 0 items") && again.ends_with("; 1,207 were known already\n"),
        "{again}"
    );
    let new = new.crash();
    assert!(new.done(&["import", name]).starts_with("imported 0 items"));
    assert_eq!(new.rows(&["dead", "list"]).len(), 3);
    assert_eq!(new.rows(&["schedule", "list"])[0]["name"], "nightly");
    assert!(new.done(&["policy", "show", "resize"]).contains("set:resize"));
    assert_eq!(new.work("resize", complete).len(), 1200);
    let moved = new.work("large", complete);
    assert_eq!(moved.len(), 2);
    assert!(moved.iter().all(|workload| *workload == large));
}

#[test]
fn a_file_over_the_servers_limits_is_refused_with_its_line() {
    let daemon = Daemon::start();
    let item = |unique: &str| {
        format!(
            r#"{{"kind":"job","origin":"o","number":1,"function":"f","unique":"{unique}","priority":"low","workload":"w","submitted":5}}"#
        )
    };
    let file = daemon.folder.path().join("queue.jsonl");
    let content = format!(
        "{{\"geartrain-export\":1,\"origin\":\"o\",\"made\":\"m\",\"sections\":[\"jobs\"]}}\n{}\n{{\"geartrain-export-end\":1,\"counts\":{{\"jobs\":1}}}}\n",
        item(&"u".repeat(65))
    );
    std::fs::write(&file, content).unwrap();
    let said = daemon.refused(&["import", file.to_str().unwrap()]);
    assert!(said.contains("queue.jsonl: line 2: ") && said.contains("64"), "{said}");
    assert!(daemon.rows(&["jobs", "list"]).is_empty());
}

#[test]
fn a_workload_over_the_servers_limit_is_refused_before_anything_is_taken_in() {
    let daemon = Daemon::start_with(TempDir::new().unwrap(), &["--body-bytes-max=1000"]);
    let job = |number: u64, bytes: usize| {
        let workload = "w".repeat(bytes);
        format!(
            r#"{{"kind":"job","origin":"o","number":{number},"function":"f","unique":"","priority":"low","workload":"{workload}","submitted":5}}"#
        )
    };
    let file = daemon.folder.path().join("queue.jsonl");
    for (bytes, limit) in
        [(5_000, "over the limit of 1000 bytes"), (3_000_000, "over the limit of 66872 bytes")]
    {
        let jobs: Vec<String> =
            (1..=500).map(|number| job(number, if number == 400 { bytes } else { 9 })).collect();
        let content = format!(
            "{{\"geartrain-export\":1,\"origin\":\"o\",\"made\":\"m\",\"sections\":[\"jobs\"]}}\n{}\n{{\"geartrain-export-end\":500,\"counts\":{{\"jobs\":500}}}}\n",
            jobs.join("\n")
        );
        std::fs::write(&file, content).unwrap();
        let said = daemon.refused(&["import", file.to_str().unwrap()]);
        assert!(said.contains("queue.jsonl: line 401: ") && said.contains(limit), "{said}");
        assert!(said.ends_with("; nothing is taken in\n"), "{said}");
        assert_eq!(daemon.done(&["jobs", "count"]), "0\n");
    }
}

#[test]
fn a_schedule_runs_now_and_wrong_ones_are_refused() {
    let daemon = Daemon::start();
    daemon.done(&["schedule", "add", "nightly", "0 3 * * *", "report", "--workload", "all"]);
    daemon.done(&["schedule", "run", "nightly"]);
    assert_eq!(daemon.work("report", complete), [b"all"]);
    assert_eq!(daemon.rows(&["schedule", "show", "nightly"])[0]["runs"], 1);
    daemon.done(&["schedule", "pause", "nightly"]);
    let daemon = daemon.crash();
    assert_eq!(daemon.rows(&["schedule", "list"])[0]["paused"], true);
    daemon.done(&["schedule", "remove", "nightly"]);
    assert!(daemon.rows(&["schedule", "list"]).is_empty());
    for (when, zone, expected) in [
        ("0 0 31 2 *", "UTC", "never comes"),
        ("every tuesday", "UTC", "tuesday"),
        ("@hourly", "Mars/Olympus", "Mars/Olympus"),
    ] {
        let said = daemon.refused(&["schedule", "add", "x", when, "f", "--zone", zone]);
        assert!(said.contains(expected) && said.lines().count() == 1, "{said}");
    }
    assert!(daemon.refused(&["schedule", "run", "nightly"]).contains("nightly"));
}

#[test]
fn explain_says_why_a_job_waits() {
    let daemon = Daemon::start();
    daemon.submit("resize", 0..2, b"w");
    let handle = daemon.rows(&["jobs", "list"])[1]["handle"].as_str().unwrap().to_owned();
    let said = daemon.done(&["explain", &handle]);
    assert!(said.contains("no-worker") && said.contains("1 job before it"), "{said}");
    daemon.done(&["policy", "set", "resize", "max-running=1"]);
    let mut worker = daemon.connect();
    worker.send(&Request::CanDo { function: Function::from("resize") }, "testing").unwrap();
    worker.send(&Request::Grab(GrabKind::Plain), "testing").unwrap();
    let assigned = worker.receive(Some(LIMIT), "testing").unwrap();
    assert!(matches!(assigned, Response::JobAssign { .. }));
    let said = daemon.done(&["explain", "resize"]);
    assert!(said.contains("max-running"), "{said}");
    let workers = daemon.rows(&["workers"]);
    assert_eq!(workers[0]["running"].as_array().unwrap().len(), 1, "{workers:?}");
}
