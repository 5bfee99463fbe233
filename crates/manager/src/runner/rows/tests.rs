use super::*;
use crate::runner::proc::TcpSocket;
use crate::runner::sockets::Sockets;
use std::net::SocketAddr;
use std::time::Duration;

const PORT: u16 = 4730;

fn at(seconds: u64) -> Moment {
    Moment::after_boot(Duration::from_secs(seconds))
}

fn functions(names: &str) -> Vec<String> {
    names.split_ascii_whitespace().map(str::to_owned).collect()
}

/// A row as `7 127.0.0.1 f g`, with a port and handles of jobs where there are any.
fn row(text: &str, port: Option<u16>, jobs: Option<&str>) -> WorkerSeen {
    let mut words = text.split(' ');
    let descriptor = words.next().unwrap().parse().unwrap();
    let address = words.next().unwrap().to_owned();
    WorkerSeen {
        descriptor,
        address,
        port,
        client_id: "-".to_owned(),
        functions: words.map(str::to_owned).collect(),
        running: jobs.map(functions),
    }
}

fn seen(workers: &[WorkerSeen]) -> Seen {
    let tells_jobs = workers.iter().any(|worker| worker.running.is_some());
    Seen { tells_jobs, workers: workers.to_vec(), ..Seen::default() }
}

fn claimant(process: u64, functions: &[String]) -> Claimant<'_> {
    Claimant {
        process: ProcessId(process),
        group: i32::try_from(process).unwrap(),
        functions,
        spawned: at(100),
        is_unready: true,
        is_rest: false,
    }
}

/// Connections as `1 127.0.0.1:5000`, the number of a group first, all to the server's port.
fn sockets(lines: &[&str]) -> Sockets {
    let mut sockets = Sockets::default();
    for line in lines {
        let (group, local) = line.split_once(' ').unwrap();
        let remote = SocketAddr::from(([127, 0, 0, 1], PORT));
        sockets.add(group.parse().unwrap(), TcpSocket { local: local.parse().unwrap(), remote });
    }
    sockets
}

/// Rows of a server that answered before, and then lists these.
fn rows(workers: &[WorkerSeen], claimants: &[Claimant<'_>], sockets: &Sockets) -> Rows {
    let mut rows = Rows::new("s".to_owned(), Some(PORT));
    rows.take(at(90), at(90), &seen(&[]), true);
    rows.take(at(101), at(102), &seen(workers), false);
    assert!(rows.is_look_due(at(102), claimants));
    rows.look(at(102), claimants, sockets);
    rows
}

fn listed(rows: &Rows, claimants: &[Claimant<'_>]) -> Vec<u64> {
    rows.listed(claimants).into_iter().map(|process| process.0).collect()
}

#[test]
fn a_port_says_whose_a_row_is_whatever_the_order() {
    let f = functions("f");
    let claimants = [claimant(1, &f), claimant(2, &f)];
    let workers = [
        row("7 127.0.0.1 f", Some(5002), Some("H:1")),
        row("8 127.0.0.1 f", Some(5001), Some("")),
        row("9 10.0.0.9 f", Some(5001), Some("H:2")),
    ];
    let rows = rows(&workers, &claimants, &sockets(&["1 127.0.0.1:5001", "2 127.0.0.1:5002"]));
    assert_eq!(listed(&rows, &claimants), [1, 2]);
    assert_eq!(rows.job(ProcessId(1), &f), Some(Job::None), "that of another machine is not its");
    assert_eq!(rows.job(ProcessId(2), &f), Some(Job::Sure { since: at(90) }));
    assert_eq!((rows.jobs(ProcessId(1)), rows.jobs(ProcessId(2))), (Some(0), Some(1)));
}

#[test]
fn all_connections_of_a_process_count_together() {
    let both = functions("f g");
    let claimants = [claimant(1, &both)];
    let workers =
        [row("7 127.0.0.1 f", Some(5001), Some("H:1")), row("8 127.0.0.1 g", Some(5002), Some("H:2 H:3"))];
    let rows = rows(&workers, &claimants, &sockets(&["1 127.0.0.1:5001", "1 127.0.0.1:5002"]));
    assert_eq!(listed(&rows, &claimants), [1]);
    assert_eq!(rows.jobs(ProcessId(1)), Some(3));
}

#[test]
fn without_ports_rows_that_together_have_all_functions_are_dealt_out() {
    let (both, f) = (functions("f g"), functions("f"));
    let claimants = [claimant(1, &f), claimant(2, &both), claimant(3, &both), claimant(4, &f)];
    let workers = [
        row("7 127.0.0.1 f g", None, None),
        row("8 127.0.0.1 f", None, None),
        row("9 127.0.0.1 f", None, None),
        row("10 127.0.0.1 g", None, None),
    ];
    let lines =
        ["1 127.0.0.1:5001", "2 127.0.0.1:5002", "3 127.0.0.1:5003", "3 127.0.0.1:5004", "4 127.0.0.1:5005"];
    let rows = rows(&workers, &claimants, &sockets(&lines));
    // The first does not take the one that fits the second better, and nobody takes two of the same.
    assert_eq!(listed(&rows, &claimants), [1, 2, 3]);
    assert_eq!(rows.job(ProcessId(1), &f), None, "only the counts of functions can tell");
}

#[test]
fn a_row_is_not_that_of_a_process_that_was_spawned_after_it_or_has_no_connection() {
    let f = functions("f");
    let late = Claimant { spawned: at(103), ..claimant(1, &f) };
    let elsewhere = claimant(2, &f);
    let claimants = [late, elsewhere];
    let workers = [row("7 127.0.0.1 f", None, None)];
    let rows = rows(&workers, &claimants, &sockets(&["1 127.0.0.1:5001", "2 10.0.0.1:5002"]));
    assert_eq!(rows.functions(ProcessId(1)).len() + rows.functions(ProcessId(2)).len(), 0);
}

#[test]
fn on_a_unix_socket_any_job_of_its_functions_may_be_that_of_a_process() {
    let (f, g) = (functions("f"), functions("g"));
    let claimants = [claimant(1, &f), claimant(2, &f), claimant(3, &g)];
    let workers = [
        row("7 unix f", None, Some("H:1")),
        row("8 unix f", None, Some("")),
        row("9 unix g", None, Some("")),
    ];
    let mut rows = Rows::new("s".to_owned(), None);
    rows.take(at(101), at(102), &seen(&workers), true);
    rows.look(at(102), &claimants, &Sockets::default());
    assert_eq!(listed(&rows, &claimants), [1, 2, 3]);
    let jobs: Vec<Option<Job>> = claimants.iter().map(|it| rows.job(it.process, it.functions)).collect();
    assert_eq!(jobs, [Some(Job::Maybe), Some(Job::Maybe), Some(Job::None)]);
}

#[test]
fn a_row_from_another_address_is_counted_where_addresses_are_not_what_they_seem() {
    let f = functions("f");
    let claimants = [claimant(1, &f), claimant(2, &f)];
    let workers = [row("7 172.17.0.1 f", Some(5001), Some("H:1"))];
    let connected = sockets(&["1 127.0.0.1:5001", "2 127.0.0.1:5002"]);
    let rows = rows(&workers, &claimants, &connected);
    assert_eq!(listed(&rows, &claimants), [1], "one row is one worker");
    assert_eq!(rows.job(ProcessId(1), &f), Some(Job::Maybe));
    let unseen = "it is connected to s, which lists no such worker of f";
    assert_eq!(rows.sight(ProcessId(2)), Some(&Sight::Unseen(unseen.to_owned())));
}

#[test]
fn where_addresses_are_what_they_seem_a_row_from_elsewhere_only_may_be_its() {
    let f = functions("f");
    let claimants = [claimant(1, &f), claimant(2, &f)];
    let workers = [row("7 127.0.0.1 f", Some(5001), Some("")), row("8 10.0.0.9 f", Some(6000), Some(""))];
    let rows = rows(&workers, &claimants, &sockets(&["1 127.0.0.1:5001"]));
    assert_eq!(listed(&rows, &claimants), [1]);
    let likely = "s lists a worker of f from 10.0.0.9 that may be it (hint: servers, ready-within)";
    assert_eq!(rows.sight(ProcessId(2)), Some(&Sight::Likely(likely.to_owned())));
}

#[test]
fn a_job_is_as_old_as_the_answer_before_it_was_seen() {
    let f = functions("f");
    let claimants = [claimant(1, &f)];
    let connection = sockets(&["1 127.0.0.1:5001"]);
    let mut rows = rows(&[row("7 127.0.0.1 f", Some(5001), Some(""))], &claimants, &connection);
    let since = |rows: &Rows| rows.job(ProcessId(1), &f);
    rows.take(at(110), at(111), &seen(&[row("7 127.0.0.1 f", Some(5001), Some("H:1"))]), false);
    assert_eq!(since(&rows), Some(Job::Sure { since: at(101) }));
    rows.take(at(120), at(121), &seen(&[row("7 127.0.0.1 f", Some(5001), Some("H:1"))]), false);
    assert_eq!(since(&rows), Some(Job::Sure { since: at(101) }));
    rows.take(at(130), at(131), &seen(&[row("7 127.0.0.1 f", Some(5001), Some("H:2"))]), false);
    assert_eq!(since(&rows), Some(Job::Sure { since: at(120) }));
}

#[test]
fn what_is_left_of_a_group_keeps_its_rows_until_nothing_is_left() {
    let f = functions("f");
    let rest = [Claimant { is_rest: true, is_unready: false, ..claimant(1, &f) }];
    let workers = [row("7 127.0.0.1 f", Some(5001), Some("H:1"))];
    let mut rows = rows(&workers, &rest, &sockets(&["1 127.0.0.1:5001"]));
    assert!(matches!(rows.job(ProcessId(1), &f), Some(Job::Sure { .. })));
    rows.handle_gone(at(103), ProcessId(1));
    assert!(rows.of(ProcessId(1)).next().is_none());
}

#[test]
fn a_row_whose_number_was_given_again_is_that_of_the_next_process() {
    let f = functions("f");
    let first = [claimant(1, &f)];
    let workers = [row("7 127.0.0.1 f", None, None)];
    let mut rows = rows(&workers, &first, &sockets(&["1 127.0.0.1:5001"]));
    assert_eq!(listed(&rows, &first), [1]);
    rows.handle_gone(at(110), ProcessId(1));
    // The server was not asked while the number was free, and may still list the dead one.
    let second = [Claimant { spawned: at(110), ..claimant(2, &f) }];
    let connection = sockets(&["2 127.0.0.1:5002"]);
    for (now, expected) in [(at(110), vec![]), (at(112), vec![2])] {
        rows.take(now, now, &seen(&workers), false);
        assert!(rows.is_look_due(now, &second));
        rows.look(now, &second, &connection);
        assert_eq!(listed(&rows, &second), expected);
    }
}

#[test]
fn a_row_that_was_taken_back_from_a_process_without_a_connection_is_that_of_the_next_one() {
    let f = functions("f");
    let first = [claimant(1, &f)];
    let workers = [row("7 127.0.0.1 f", None, None)];
    let mut rows = rows(&workers, &first, &sockets(&["1 127.0.0.1:5001"]));
    // It has closed its connection, and is looked at before it ends.
    rows.take(at(110), at(110), &seen(&workers), false);
    rows.look(at(110), &first, &sockets(&[]));
    rows.handle_gone(at(110), ProcessId(1));
    let second = [Claimant { spawned: at(111), ..claimant(2, &f) }];
    rows.take(at(112), at(112), &seen(&workers), false);
    rows.look(at(112), &second, &sockets(&["2 127.0.0.1:5002"]));
    assert_eq!(listed(&rows, &second), [2]);
}

#[test]
fn only_who_is_not_known_is_looked_at_unless_a_known_one_may_have_connected_anew() {
    let f = functions("f");
    let claimants = [claimant(1, &f), claimant(2, &f)];
    let ready = claimants.map(|it| Claimant { is_unready: false, ..it });
    let first = [row("7 127.0.0.1 f", Some(5001), Some(""))];
    let mut rows = rows(&first, &claimants, &sockets(&["1 127.0.0.1:5001"]));
    assert_eq!(rows.unsettled(&claimants), BTreeSet::from([1, 2]));
    assert_eq!(rows.unsettled(&ready), BTreeSet::from([2]));
    let second = [first[0].clone(), row("8 127.0.0.1 f", Some(5002), Some(""))];
    rows.take(at(103), at(104), &seen(&second), false);
    assert!(rows.has_strangers(&sockets(&[])) && !rows.has_strangers(&sockets(&["2 127.0.0.1:5002"])));
    rows.look(at(104), &ready, &sockets(&["2 127.0.0.1:5002"]));
    assert!(rows.unsettled(&ready).is_empty() && !rows.has_strangers(&sockets(&[])));
    // The first one loses its connection, and has another one.
    let third = [second[1].clone(), row("9 127.0.0.1 f", Some(5003), Some("H:1"))];
    rows.take(at(105), at(106), &seen(&third), false);
    assert_eq!(rows.unsettled(&ready), BTreeSet::from([1]));
    rows.look(at(106), &ready, &sockets(&["1 127.0.0.1:5003"]));
    assert_eq!(rows.job(ProcessId(1), &f), Some(Job::Sure { since: at(103) }));
}
