//! Jobs, which no stop, restart or silence may cost: each test with the reference's server and with ours.

use crate::manager::{Manager, is_alive, wait_until};
use crate::servers::{ours, servers, submit, with_both_servers, worker};
use crate::support::{REFERENCE, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::process::Child;

with_both_servers!(
    of_several_workers_that_start_together_the_one_with_the_job_is_spared,
    a_process_with_a_connection_for_each_function_is_ready_and_spared,
    a_job_is_spared_while_its_server_is_silent,
    a_job_in_the_rest_of_a_group_is_spared,
    a_worker_that_would_die_of_its_signal_gets_it_after_its_job,
    a_worker_whose_handler_ends_it_at_once_gets_its_signal_after_its_job,
    a_worker_behind_a_proxy_is_not_given_up,
    a_job_of_a_program_that_is_gone_is_spared,
    a_job_at_a_server_that_is_gone_from_the_file_is_spared,
    a_job_at_a_server_that_is_gone_from_the_file_is_spared_by_the_next_managers,
    a_patience_that_got_an_end_spares_those_that_were_spawned_before,
    who_waits_for_its_signal_is_not_adopted_and_its_successor_is,
);

/// A command of a job that runs until its test lets it end, and notes that it began.
fn long_job(folder: &str) -> String {
    format!("sh -c \"echo run >> {folder}/runs; while [ ! -e {folder}/go ]; do sleep 0.05; done; echo done\"")
}

/// Lets the job end, and says what its client got; it was begun once.
fn finish(manager: &Manager, mut client: Child) -> String {
    fs::write(manager.path("go"), "").unwrap();
    let mut has_ended = false;
    wait_until("the job ends", || {
        has_ended = client.try_wait().unwrap().is_some();
        has_ended
    });
    assert_eq!(fs::read_to_string(manager.path("runs")).unwrap(), "run\n", "the job began again");
    String::from_utf8(client.wait_with_output().unwrap().stdout).unwrap()
}

fn wait_for_job(server: &Server, function: &str) {
    let row = format!("{function}\t1\t1\t");
    wait_until("the job runs", || server.ask("status", ".\n").contains(&row));
}

fn state(manager: &Manager, place: &str) -> String {
    manager.process(place)["state"].as_str().unwrap().to_owned()
}

/// A manager whose program `w` has these keys, its command in a shell, with `JOB` for the long job.
fn start(server: &Server, command: &str, keys: &str) -> Manager {
    let folder = tempfile::tempdir().unwrap();
    let job = long_job(folder.path().to_str().unwrap());
    let command = command.replace("JOB", &job);
    let program = format!("[program.w]\ncommand = '''{command}'''\nshell = true\n{keys}");
    Manager::start_in_folder(folder, &servers(server), &program)
}

fn of_several_workers_that_start_together_the_one_with_the_job_is_spared(server: Server) {
    let wait = "while [ ! -e connect-${GEARMAN_MANAGER_PROCESS#w:} ]; do sleep 0.01; done";
    let command = format!("trap \"\" TERM; {wait}; exec {}", worker(&server, "slow", "JOB"));
    let keys = "functions = ['slow']\nprocesses = 4\nstop-patience = '300ms'\n";
    let mut manager = start(&server, &command, keys);
    manager.wait_for("w:3 starting");
    // They connect in another order than they were started, all between two questions to the server.
    manager.signal(Signal::SIGSTOP);
    for (count, number) in (0..4).rev().enumerate() {
        fs::write(manager.path(&format!("connect-{number}")), "").unwrap();
        let row = format!("slow\t0\t0\t{}", count + 1);
        wait_until("it is connected", || server.ask("status", ".\n").contains(&row));
    }
    manager.signal(Signal::SIGCONT);
    for _ in 0..4 {
        manager.wait_for("starting -> running");
    }
    let client = submit(&server, "slow", &[]);
    wait_for_job(&server, "slow");
    assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
    if server.tells_jobs() {
        // Ours tells which one it is: the others need not wait for it.
        for _ in 0..3 {
            manager.wait_for("stopping -> exited");
        }
    } else {
        wait_until("patience is over", || {
            manager.process("w:0")["since-seconds"].as_f64().is_some_and(|seconds| seconds > 1.0)
        });
    }
    assert_eq!(finish(&manager, client), "done\n");
    manager.wait_for("stopping -> exited");
}

fn a_process_with_a_connection_for_each_function_is_ready_and_spared(server: Server) {
    let (f, g) = (worker(&server, "f", "cat"), worker(&server, "g", "JOB"));
    let command = format!("trap \"\" TERM; {f} & {g} & wait");
    let mut manager = start(&server, &command, "functions = ['f', 'g']\nstop-patience = '300ms'\n");
    manager.wait_for("w:0 starting -> running: a job server lists it with its functions");
    let client = submit(&server, "g", &[]);
    wait_for_job(&server, "g");
    if server.tells_jobs() {
        wait_until("its job is seen", || manager.process("w:0")["jobs"] == 1);
    }
    assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
    wait_until("patience is over", || {
        manager.process("w:0")["since-seconds"].as_f64().is_some_and(|seconds| seconds > 1.0)
    });
    assert_eq!(finish(&manager, client), "done\n");
    manager.wait_for("stopping -> exited");
}

fn a_job_is_spared_while_its_server_is_silent(server: Server) {
    let command = format!("trap \"\" TERM; exec {}", worker(&server, "slow", "JOB"));
    let mut manager = start(&server, &command, "functions = ['slow']\nstop-patience = '300ms'\n");
    manager.wait_for("starting -> running");
    let client = submit(&server, "slow", &[]);
    wait_for_job(&server, "slow");
    let pid = manager.pids("w")[0];
    assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
    let server_pid = Pid::from_raw(server.pid());
    kill(server_pid, Signal::SIGSTOP).unwrap();
    wait_until("the silence is seen", || manager.ctl(&["status"]).out.contains("does not answer"));
    // Longer than what a job that ended is followed by.
    let now = || manager.process("w:0")["since-seconds"].as_f64().unwrap_or_default();
    let silent = now();
    wait_until("it has been silent for a while", || now() > silent + 4.0);
    assert!(is_alive(pid), "killed in the silence");
    kill(server_pid, Signal::SIGCONT).unwrap();
    assert_eq!(finish(&manager, client), "done\n");
    manager.wait_for("stopping -> exited");
}

fn a_job_in_the_rest_of_a_group_is_spared(server: Server) {
    // The shell dies of the signal; the worker, its child, does not.
    let command = format!("(trap \"\" TERM; echo deaf; exec {}); true", worker(&server, "slow", "JOB"));
    let mut manager = start(&server, &command, "functions = ['slow']\nstop-patience = '300ms'\n");
    manager.wait_for("w:0 deaf");
    manager.wait_for("starting -> running");
    let leader = manager.pids("w")[0];
    let client = submit(&server, "slow", &[]);
    wait_for_job(&server, "slow");
    kill(Pid::from_raw(leader), Signal::SIGKILL).unwrap();
    manager.wait_for("the last one ended: SIGKILL");
    manager.wait_for("w:0 deaf");
    assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
    manager.wait_for("stopping -> exited");
    let now = std::time::Instant::now();
    wait_until("patience is over", || now.elapsed().as_secs_f64() > 1.5);
    assert_eq!(finish(&manager, client), "done\n");
    // Without a job, it is killed as well as the rest of the second one.
    manager.wait_for("w: a process is killed, its patience is over");
    manager.wait_for("w: a process is killed, its patience is over");
}

fn a_worker_that_would_die_of_its_signal_gets_it_after_its_job(server: Server) {
    let command = format!("exec {}", worker(&server, "slow", "JOB"));
    let mut manager = start(&server, &command, "functions = ['slow']\n");
    manager.wait_for("starting -> running");
    let client = submit(&server, "slow", &[]);
    wait_for_job(&server, "slow");
    assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
    manager.wait_for("w: a process may die of its stop signal: it gets it after its job");
    assert_eq!(state(&manager, "w:0"), "stopping");
    assert_eq!(finish(&manager, client), "done\n");
    manager.wait_for("stopping -> exited: stopped by hand: SIGTERM");
    // Without a job nothing holds the signal back.
    assert_eq!(manager.ctl(&["start", "w"]).code, 0);
    manager.wait_for("starting -> running");
    assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
    manager.wait_for("stopping -> exited: stopped by hand: SIGTERM");
}

fn a_worker_whose_handler_ends_it_at_once_gets_its_signal_after_its_job(server: Server) {
    let slow = worker(&server, "slow", "JOB");
    let command = format!("trap \"kill \\$child; exit 0\" TERM; {slow} & child=$!; wait");
    let mut manager = start(&server, &command, "functions = ['slow']\n");
    // It leaves by itself, as one does that would end its job first.
    for _ in 0..2 {
        manager.wait_for("starting -> running");
        assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
        manager.wait_for("stopping -> exited: stopped by hand: exit code 0");
        assert_eq!(manager.ctl(&["start", "w"]).code, 0);
    }
    manager.wait_for("starting -> running");
    let client = submit(&server, "slow", &[]);
    wait_for_job(&server, "slow");
    assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
    manager.wait_for("w: a process may die of its stop signal: it gets it after its job");
    assert_eq!(finish(&manager, client), "done\n");
    manager.wait_for("stopping -> exited: stopped by hand: exit code 0");
}

#[test]
fn where_workers_were_seen_to_end_their_job_first_the_next_ones_are_told_at_once() {
    // The reference never says who has the job, so that the first one gets its signal in the middle of it.
    let server = Server::start_of(REFERENCE);
    let slow = worker(&server, "slow", "JOB");
    let command = format!(
        "(trap \"\" TERM; exec {slow}) & child=$!; trap \"touch told\" TERM; wait; \
                           while [ ! -e leave ]; do sleep 0.05; done; kill -KILL $child; exit 0"
    );
    let mut manager = start(&server, &command, "functions = ['slow']\nstop-patience = '500ms'\n");
    for is_first in [true, false] {
        manager.wait_for("starting -> running");
        let client = submit(&server, "slow", &[]);
        wait_for_job(&server, "slow");
        assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
        if is_first {
            manager.wait_for("w: a process may die of its stop signal: it gets it after its job");
        }
        wait_until("it has its signal", || manager.path("told").exists());
        let told = || manager.process("w:0")["since-seconds"].as_f64().unwrap_or_default();
        wait_until("it goes on with its job", || told() > 2.0);
        assert_eq!(finish(&manager, client), "done\n");
        fs::write(manager.path("leave"), "").unwrap();
        manager.wait_for("stopping -> exited: stopped by hand: exit code 0");
        assert_eq!(manager.times_said("it gets it after its job"), 1, "held");
        ["told", "go", "runs", "leave"].iter().for_each(|name| fs::remove_file(manager.path(name)).unwrap());
        assert_eq!(manager.ctl(&["start", "w"]).code, 0);
    }
}

fn a_worker_behind_a_proxy_is_not_given_up(server: Server) {
    let proxy = crate::proxy::start(server.port.number);
    let command = format!("exec gearman -w -h 127.0.0.1 -p {proxy} -f f -- cat");
    let mut manager = start(&server, &command, "functions = ['f']\nready-within = '2s'\n");
    let said = manager.wait_for("w:0 starting -> running: no job server lists it for certain, but ");
    assert!(said.contains("lists a worker of f from 127.0.0."), "{said}");
    // Asked through the proxy itself, as where a container's port is published.
    let keys = format!("servers = ['127.0.0.1:{proxy}']");
    let program =
        format!("[program.w]\ncommand = '{command}'\nshell = true\nfunctions = ['f']\nready-within = '2s'\n");
    let mut manager = Manager::start_with(&keys, &program, |_| {});
    manager.wait_for("w:0 starting -> running: ");
}

fn a_job_of_a_program_that_is_gone_is_spared(server: Server) {
    let command = format!("exec {}", worker(&server, "slow", "JOB"));
    let mut manager = start(&server, &command, "functions = ['slow']\n");
    manager.wait_for("starting -> running");
    let client = submit(&server, "slow", &[]);
    wait_for_job(&server, "slow");
    // With it goes the last program that has to do with job servers; and then the manager is killed as well.
    manager.configure(&servers(&server), "[program.other]\ncommand = 'sleep 1000'\n");
    assert_eq!(manager.ctl(&["update"]).code, 0);
    manager.wait_for("w: a process may die of its stop signal: it gets it after its job");
    manager.kill();
    manager.start_again();
    manager.wait_for("w:0 pid ");
    manager.wait_for("w: a process may die of its stop signal: it gets it after its job");
    assert_eq!(finish(&manager, client), "done\n");
    wait_until("the worker is gone", || server.ask("status", ".\n").contains("slow\t0\t0\t0"));
}

fn a_job_at_a_server_that_is_gone_from_the_file_is_spared(old: Server) {
    let new = Server::start_of(if old.tells_jobs() { ours() } else { REFERENCE.into() });
    let folder = tempfile::tempdir().unwrap();
    let job = long_job(folder.path().to_str().unwrap());
    let at = |server: &Server| {
        // One ignores its signal and would be killed after its patience, one would die of its signal.
        let slow = worker(server, "slow", &job);
        format!(
            "[program.deaf]\ncommand = '''trap \"\" TERM; exec {slow}'''\nshell = true\nfunctions = ['slow']\n\
             stop-patience = '300ms'\n[program.frail]\ncommand = '''exec {slow}'''\nshell = true\n\
             functions = ['slow']\n"
        )
    };
    let mut manager = Manager::start_in_folder(folder, &servers(&old), &at(&old));
    manager.wait_for("starting -> running");
    manager.wait_for("starting -> running");
    let clients = [submit(&old, "slow", &[]), submit(&old, "slow", &[])];
    wait_until("the jobs run", || old.ask("status", ".\n").contains("slow\t2\t2\t"));
    let busy = [manager.pids("deaf")[0], manager.pids("frail")[0]];
    manager.configure(&servers(&new), &at(&new));
    assert_eq!(manager.ctl(&["update"]).code, 0);
    // Ready at the new server, and the old ones are told to leave.
    manager.wait_for("its predecessor is told to leave");
    manager.wait_for("its predecessor is told to leave");
    let now = std::time::Instant::now();
    wait_until("patience is over", || now.elapsed().as_secs_f64() > 1.5);
    assert!(busy.iter().all(|pid| is_alive(*pid)), "ended in the middle of a job");
    let status = manager.ctl(&["status"]).out;
    assert!(!status.contains(&old.address()), "{status}");
    fs::write(manager.path("go"), "").unwrap();
    for client in clients {
        assert_eq!(String::from_utf8(client.wait_with_output().unwrap().stdout).unwrap(), "done\n");
    }
    assert_eq!(fs::read_to_string(manager.path("runs")).unwrap(), "run\nrun\n", "a job began again");
    wait_until("the old ones are gone", || !busy.iter().any(|pid| is_alive(*pid)));
    // Nobody is left who has to do with it.
    wait_until("the old server is left", || !is_connected(manager.pid(), old.port.number));
    wait_until("the new server is seen", || is_connected(manager.pid(), new.port.number));
}

fn a_job_at_a_server_that_is_gone_from_the_file_is_spared_by_the_next_managers(old: Server) {
    let new = Server::start_of(if old.tells_jobs() { ours() } else { REFERENCE.into() });
    let at = |server: &Server, job: &str| {
        let slow = worker(server, "slow", job);
        format!(
            "[program.w]\ncommand = '''trap \"\" TERM; exec {slow}'''\nshell = true\nfunctions = ['slow']\n\
             stop-patience = '300ms'\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let job = long_job(folder.path().to_str().unwrap());
    let mut manager = Manager::start_in_folder(folder, &servers(&old), &at(&old, &job));
    manager.wait_for("starting -> running");
    let client = submit(&old, "slow", &[]);
    wait_for_job(&old, "slow");
    let busy = manager.pids("w")[0];
    // The first one learns of the new server while it is there, the second one finds it in the file.
    manager.kill();
    manager.configure(&servers(&new), &at(&new, &job));
    for _ in 0..2 {
        manager.start_again();
        manager.wait_for(&format!("w:0 pid {busy}, left by the last manager, is told to leave"));
        let now = std::time::Instant::now();
        wait_until("patience is over", || now.elapsed().as_secs_f64() > 1.5);
        assert!(is_alive(busy), "ended in the middle of a job");
        manager.kill();
    }
    manager.start_again();
    manager.wait_for(&format!("w:0 pid {busy}, left by the last manager, is told to leave"));
    assert_eq!(finish(&manager, client), "done\n");
    wait_until("the old one is gone", || !is_alive(busy));
    wait_until("the old server is left", || !is_connected(manager.pid(), old.port.number));
}

fn a_patience_that_got_an_end_spares_those_that_were_spawned_before(server: Server) {
    let folder = tempfile::tempdir().unwrap();
    let slow = worker(&server, "slow", &long_job(folder.path().to_str().unwrap()));
    let program = |patience: &str| {
        format!(
            "[program.w]\ncommand = '''{slow} & child=$!; trap \"kill $child; exit 0\" TERM; wait'''\nshell = true\n\
             functions = ['slow']\nstop-patience = '{patience}'\n"
        )
    };
    let mut manager = Manager::start_in_folder(folder, &servers(&server), &program("none"));
    manager.wait_for("starting -> running");
    let client = submit(&server, "slow", &[]);
    wait_for_job(&server, "slow");
    manager.configure(&servers(&server), &program("10m"));
    assert_eq!(manager.ctl(&["update"]).code, 0);
    assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
    manager.wait_for("w: a process may die of its stop signal: it gets it after its job");
    assert_eq!(finish(&manager, client), "done\n");
    manager.wait_for("stopping -> exited: stopped by hand: exit code 0");
}

fn who_waits_for_its_signal_is_not_adopted_and_its_successor_is(server: Server) {
    let folder = tempfile::tempdir().unwrap();
    let slow = worker(&server, "slow", &long_job(folder.path().to_str().unwrap()));
    let program = format!("[program.w]\ncommand = '''exec {slow}'''\nshell = true\nfunctions = ['slow']\n");
    let keys = format!("{}\norphans = 'adopt'", servers(&server));
    let mut manager = Manager::start_in_folder(folder, &keys, &program);
    manager.wait_for("starting -> running");
    let old = manager.pids("w")[0];
    let client = submit(&server, "slow", &[]);
    wait_for_job(&server, "slow");
    // As for files that a deploy has changed: the command is what it was.
    assert_eq!(manager.ctl(&["restart", "w"]).code, 0);
    manager.wait_for("w: a process may die of its stop signal: it gets it after its job");
    let new = manager.pids("w")[0];
    assert_ne!(old, new);
    manager.kill();
    manager.start_again();
    manager.wait_for_any(&format!("w:0 pid {new}, left by the last manager, goes on"));
    manager.wait_for_any(&format!("w:0 pid {old}, left by the last manager, is told to leave"));
    manager.wait_for("w: a process may die of its stop signal: it gets it after its job");
    assert_eq!(finish(&manager, client), "done\n");
    wait_until("the old one is gone", || !is_alive(old));
    assert_eq!(manager.pids("w"), [new]);
}

/// Whether a process has a connection to this port.
fn is_connected(pid: i32, port: u16) -> bool {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let sockets: Vec<String> = links
        .filter_map(|link| Some(fs::read_link(link.path()).ok()?.to_str()?.to_owned()))
        .filter(|target| target.starts_with("socket:"))
        .collect();
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let (to, established) = (format!(":{port:04X}"), "01");
    table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let socket = format!("socket:[{}]", fields[9]);
        fields[2].ends_with(&to) && fields[3] == established && sockets.contains(&socket)
    })
}

#[test]
fn a_process_gets_the_signal_it_was_spawned_with() {
    let on = |signal: &str| {
        format!(
            "[program.w]\ncommand = 'trap \"echo left by {signal}; exit 0\" {signal}; echo ready; \
             while :; do sleep 0.05; done'\nshell = true\nstop-signal = '{signal}'\nready-after = '0s'\n"
        )
    };
    let mut manager = Manager::start(&on("USR1"));
    manager.wait_for("w:0 ready");
    manager.configure("", &on("USR2"));
    assert_eq!(manager.ctl(&["update"]).code, 0);
    manager.wait_for("w:0 left by USR1");
    manager.wait_for("w:0 ready");
    assert_eq!(manager.ctl(&["stop", "w"]).code, 0);
    manager.wait_for("w:0 left by USR2");
}

#[test]
fn a_process_of_another_user_may_open_its_output_again() {
    let is_root = nix::unistd::Uid::effective().is_root();
    let user = if is_root { "user = 'nobody'\n" } else { "" };
    let mut manager = Manager::start(&format!(
        "[program.w]\ncommand = 'echo out > /dev/stdout; echo err > /dev/stderr; exec sleep 1000'\n\
         shell = true\ndirectory = '/'\nstderr = 'manager'\n{user}"
    ));
    manager.wait_for("w:0 out");
    wait_until("both are there", || manager.has_said("w:0 err"));
}

#[test]
fn a_signal_that_the_manager_ignores_is_no_concern_of_its_processes() {
    let program = "[program.w]\ncommand = 'cat /proc/self/status > status; echo written; exec sleep 1000'\nshell = true\n";
    // Started as by nohup.
    let mut manager = Manager::start_after("trap '' HUP", program);
    manager.wait_for("w:0 written");
    let status = fs::read_to_string(manager.path("status")).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    let ignored = u64::from_str_radix(ignored, 16).unwrap();
    // Those from 32 on are the C library's own.
    assert_eq!(ignored & 0x7fff_ffff, 0, "{ignored:x}");
}
