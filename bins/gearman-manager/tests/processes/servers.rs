//! Programs of workers, and the job server that knows them: each test with the reference's and with ours.

use crate::manager::{Manager, wait_until};
use crate::support::{REFERENCE, Server};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Runs these against both servers.
macro_rules! with_both_servers {
    ($($name:ident),* $(,)?) => {
        mod reference {
            $(#[test] fn $name() { super::$name(super::Server::start_of(super::REFERENCE)); })*
        }
        mod ours {
            $(#[test] fn $name() { super::$name(super::Server::start_of(super::ours())); })*
        }
    };
}
pub(crate) use with_both_servers;

with_both_servers!(
    a_worker_is_ready_when_the_server_lists_it_with_all_its_functions,
    nothing_is_given_up_while_the_server_is_away,
    a_worker_in_the_middle_of_a_job_is_not_killed,
    a_broken_worker_leaves_the_good_ones_at_work,
    the_number_of_workers_follows_the_work,
);

/// Our server, built unless whoever runs all tests has built it.
pub(crate) fn ours() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        if std::env::var_os("GEARTRAIN_BUILT").is_none() {
            let mut cargo = Command::new(env!("CARGO"));
            let status =
                cargo.args(["build", "--quiet", "--package", "gearmand", "--bin", "gearmand"]).status();
            assert!(status.unwrap().success(), "our server can be built");
        }
        Path::new(env!("CARGO_BIN_EXE_gearman-manager")).with_file_name("gearmand")
    };
    BUILT.get_or_init(build).clone()
}

pub(crate) fn worker(server: &Server, functions: &str, command: &str) -> String {
    let port = server.port.number;
    let flags: String = functions.split(' ').map(|function| format!(" -f {function}")).collect();
    format!("gearman -w -h 127.0.0.1 -p {port}{flags} -- {command}")
}

pub(crate) fn servers(server: &Server) -> String {
    format!("servers = ['{}']", server.address())
}

/// A client that submits a job and waits for its result.
pub(crate) fn submit(server: &Server, function: &str, flags: &[&str]) -> Child {
    submit_with(server, function, flags, "workload")
}

/// The same with a workload of its own.
pub(crate) fn submit_with(server: &Server, function: &str, flags: &[&str], workload: &str) -> Child {
    let mut client = Command::new("gearman")
        .args(["-h", "127.0.0.1", "-p", &server.port.number.to_string(), "-f", function])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(workload.as_bytes()).unwrap();
    client
}

fn a_worker_is_ready_when_the_server_lists_it_with_all_its_functions(server: Server) {
    let able = worker(&server, "f g", "cat");
    let programs = format!(
        "[program.able]\ncommand = '{able}'\nfunctions = ['f', 'g']\nprocesses = 3\n\
         [program.half]\ncommand = '{}'\nfunctions = ['h', 'i']\nready-within = '1s'\n",
        worker(&server, "h", "cat")
    );
    let mut manager = Manager::start_with(&servers(&server), &programs, |_| {});
    for _ in 0..3 {
        manager.wait_for("starting -> running: a job server lists it with its functions");
    }
    for process in ["able:0", "able:1", "able:2"] {
        let process = manager.process(process);
        assert_eq!(process["functions"], serde_json::json!(["f", "g"]), "{process}");
    }
    manager.wait_for("half:0 starting -> stopping: no job server listed it with its functions in time");
    assert!(!manager.has_said("half:0 starting -> running"));
}

fn nothing_is_given_up_while_the_server_is_away(mut server: Server) {
    server.stop();
    // A worker that tries again until its server is there.
    let command = worker(&server, "f", "cat");
    let programs = format!(
        "[program.w]\ncommand = 'until {command} 2>/dev/null; do sleep 0.1; done'\nshell = true\n\
         functions = ['f']\nready-within = '3s'\n"
    );
    let mut manager = Manager::start_with(&servers(&server), &programs, |_| {});
    manager.wait_for("w:0 starting");
    let pid = manager.pids("w");
    wait_until("the time to become ready is over", || {
        manager.process("w:0")["since-seconds"].as_f64().is_some_and(|seconds| seconds > 3.5)
    });
    let table = manager.ctl(&["status"]).out;
    assert!(table.contains("does not answer"), "{table}");
    server.start_again();
    manager.wait_for("w:0 starting -> running");
    assert_eq!(manager.pids("w"), pid);
}

fn a_worker_in_the_middle_of_a_job_is_not_killed(server: Server) {
    let command = worker(&server, "slow", "sh -c \"sleep 2; echo done\"");
    let programs = format!(
        "[program.w]\ncommand = '''trap \"\" TERM; {command}'''\nshell = true\nfunctions = ['slow']\n\
         stop-patience = '300ms'\n"
    );
    let mut manager = Manager::start_with(&servers(&server), &programs, |_| {});
    manager.wait_for("w:0 starting -> running");
    let client = submit(&server, "slow", &[]);
    wait_until("the job runs", || server.ask("status", ".\n").contains("slow\t1\t1\t1"));
    assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
    let done = client.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), "done\n");
    // It ignores the signal also without a job, and then patience has an end.
    manager.wait_for("w: a process is killed, its patience is over");
    manager.wait_for("stopping -> exited");
}

fn a_broken_worker_leaves_the_good_ones_at_work(server: Server) {
    let good = worker(&server, "f", "cat");
    let programs = |command: &str| {
        format!("[program.w]\ncommand = '{command}'\nfunctions = ['f']\nprocesses = 2\nready-within = '5s'\n")
    };
    let mut manager = Manager::start_with(&servers(&server), &programs(&good), |_| {});
    manager.wait_for("starting -> running");
    manager.wait_for("starting -> running");
    let old = manager.pids("w");
    manager.configure(&servers(&server), &programs("sleep 1000"));
    assert_eq!(manager.ctl(&["update"]).code, 0);
    manager.wait_for("w restart: held: the new process of w:0 was not ready in time");
    assert_eq!(manager.pids("w"), old);
    let done = submit(&server, "f", &[]).wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), "workload");
    manager.configure(&servers(&server), &programs(&worker(&server, "f", "tr a-z A-Z")));
    assert_eq!(manager.ctl(&["update"]).code, 0);
    manager.wait_for("w restart: done");
    let done = submit(&server, "f", &[]).wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), "WORKLOAD");
}

fn the_number_of_workers_follows_the_work(server: Server) {
    let command = worker(&server, "f", "sleep 0.2");
    let programs = format!(
        "[program.w]\ncommand = '{command}'\nfunctions = ['f']\nprocesses = '1..3'\n\
         [program.w.autoscale]\ntarget-wait = '200ms'\nup-per-minute = 1000\ndown-per-minute = 1000\n\
         idle = '1s'\nload-max = 'none'\nmemory-max = 'none'\n"
    );
    let mut manager = Manager::start_with(&servers(&server), &programs, |_| {});
    manager.wait_for("w:0 starting -> running");
    for _ in 0..40 {
        assert!(submit(&server, "f", &["-b"]).wait().unwrap().success());
    }
    let grown = manager.wait_for("w scaled 1 -> ");
    assert!(grown.contains(" waiting, ") && grown.contains("target wait 200 ms"), "{grown}");
    manager.wait_for("-> 1: 0 waiting");
    wait_until("one is left", || manager.pids("w").len() == 1);
}
