//! A folder of functions for GearmanManager, imported, with PHP and its extension.

use crate::manager::{Manager, PROGRAM, wait_until};
use crate::servers::submit;
use crate::support::Server;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The functions, with a prefix before their names: a plain one, a class, one that throws, and one that takes a while.
const FILES: [(&str, &str); 4] = [
    ("upper", "function My_upper($job, &$log) { $log[] = 'one more'; return strtoupper($job->workload()); }"),
    (
        "count",
        "class My_count { private $seen = 0; public function run($job, &$log) { return ++$this->seen . ' of ' . getmypid(); } }",
    ),
    ("broken", "function My_broken($job) { throw new RuntimeException('no such photo'); }"),
    (
        "slow",
        "function My_slow($job) { touch($job->workload()); $end = microtime(true) + 1.5; while (microtime(true) < $end) { usleep(1000); } return 'done'; }",
    ),
];

fn imported(folder: &Path, server: &Server) -> String {
    fs::create_dir(folder.join("workers")).unwrap();
    for (name, code) in FILES {
        fs::write(folder.join(format!("workers/{name}.php")), format!("<?php\n{code}\n")).unwrap();
    }
    let ini = format!(
        "[GearmanManager]\nworker_dir = ./workers\ncount = 1\nprefix = My_\nhost = {}\nauto_update = 1\n",
        server.address()
    );
    fs::write(folder.join("workers.ini"), ini).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/worker.php");
    let mut import = Command::new(PROGRAM);
    import.current_dir(folder).args(["import", "workers.ini", "--worker", &format!("php {script}")]);
    let done = import.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn result(server: &Server, function: &str, flags: &[&str]) -> (String, bool) {
    let done = submit(server, function, flags).wait_with_output().unwrap();
    (String::from_utf8(done.stdout).unwrap(), done.status.success())
}

#[test]
fn a_folder_of_gearman_manager_goes_on_as_it_was() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let mut manager = Manager::start(&imported(folder.path(), &server));
    manager.wait_for("shared:0 starting -> running: a job server lists it");
    let pid = manager.pids("shared")[0];
    assert_eq!(result(&server, "upper", &["-t", "20000"]), ("WORKLOAD".to_owned(), true));
    let said = manager.wait_for("one more");
    assert!(said.starts_with("shared:0 H:"), "{said}");
    assert_eq!(result(&server, "count", &["-t", "20000"]), (format!("1 of {pid}"), true));
    // An object lives as long as its worker, and so does the worker when a job throws.
    assert!(!result(&server, "broken", &["-t", "20000"]).1);
    manager.wait_for("broken failed: RuntimeException: no such photo");
    assert_eq!(result(&server, "count", &["-t", "20000"]), (format!("2 of {pid}"), true));
}

#[test]
fn a_changed_file_reaches_the_worker_and_costs_no_job() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let mut manager = Manager::start(&imported(folder.path(), &server));
    manager.wait_for("shared:0 starting -> running: a job server lists it");
    let begun = folder.path().join("begun");
    let slow = crate::servers::submit_with(&server, "slow", &[], begun.to_str().unwrap());
    wait_until("the job runs", || begun.exists());
    let file = folder.path().join("workers/upper.php");
    fs::write(file, "<?php\nfunction My_upper($job) { return strrev($job->workload()); }\n").unwrap();
    manager.wait_for("upper.php changed");
    manager.wait_for("has lost the process that was to leave: exit code 0");
    manager.wait_for("shared restart: done");
    assert_eq!(String::from_utf8(slow.wait_with_output().unwrap().stdout).unwrap(), "done");
    assert_eq!(result(&server, "upper", &["-t", "20000"]), ("daolkrow".to_owned(), true));
}

#[test]
fn what_is_missing_is_said_before_anything_is_registered() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("f.php"), "<?php\nfunction f($job) {}\n").unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/worker.php");
    let run = |functions: &[&str], timeouts: &str| {
        let mut worker = Command::new("php");
        worker.arg(script).args(functions).env("WORKER_DIR", folder.path()).env("WORKER_TIMEOUTS", timeouts);
        let done = worker.output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    for (functions, timeouts, error) in [
        (&[][..], "", "no function is named (hint: php worker.php FUNCTION...)"),
        (&["f", "g"], "", "there is no g.php in WORKER_DIR"),
        (&["../f"], "", "../f cannot be the name of a file"),
        (&["f"], "f", "WORKER_TIMEOUTS: f is no FUNCTION=SECONDS"),
    ] {
        assert_eq!(run(functions, timeouts), (Some(1), format!("worker.php: {error}\n")));
    }
}
