//! Steering and inspecting servers.

use super::support::{Script, Server, Side, TestWorker, on_both_servers, within_limit};
use geartrain_client::{
    Client, ClientError, Connection, ConnectionLimits, ReplyLimits, ServerAddress, TextCommand, Waiting, Word,
};
use geartrain_proto::command::{
    Changed, Command, JobRow, JobsCancel, JobsCount, JobsFilter, JobsList, JobsPick,
};
use std::io::{Read as _, Write as _};
use std::sync::mpsc::channel;
use std::time::Duration;

on_both_servers![
    what_a_server_has_is_listed_typed,
    a_server_is_told_what_to_do,
    an_answer_that_comes_twice_is_no_answer_to_the_next_command,
];

/// gearmand 1.1.20 drops both functions, and says so twice.
fn an_answer_that_comes_twice_is_no_answer_to_the_next_command(side: Side) {
    let server = Server::start(side);
    within_limit(async {
        let client = server.client();
        let mut admin = client.admin(client.servers().next().unwrap());
        for name in ["resize", "RESIZE"] {
            admin.tell(&TextCommand::CreateFunction(Word::parse(name).unwrap())).await.unwrap();
        }
        let function = Word::parse("resize").unwrap();
        admin.tell(&TextCommand::DropFunction { function, waiting: Waiting::Keep }).await.unwrap();
        let unknown = TextCommand::CancelJob(Word::parse("H:nobody:1").unwrap());
        let refused = admin.tell(&unknown).await;
        assert!(matches!(refused, Err(ClientError::Refused { .. })), "{refused:?}");
        assert!(admin.pid().await.is_ok());

        let list = admin.tell(&TextCommand::Status).await.unwrap_err();
        assert_eq!(list.to_string(), "\"status\" is answered with a list, and not with one line");
        assert!(admin.functions().await.is_ok());
    });
}

#[test]
fn behind_an_answer_that_may_come_twice_a_connection_takes_no_command() {
    let server = Server::start(Side::Ours);
    let address = ServerAddress::parse(&server.address(), 1).unwrap();
    let mut connection = Connection::open(&address, &ConnectionLimits::default()).unwrap();
    let function = Word::parse("resize").unwrap();
    let drop = TextCommand::DropFunction { function, waiting: Waiting::Keep };
    connection.ask(&drop, ReplyLimits::default()).unwrap().next_line().unwrap_err();
    assert!(connection.ask(&TextCommand::Version, ReplyLimits::default()).is_err());
}

fn what_a_server_has_is_listed_typed(side: Side) {
    let server = Server::start(side);
    let worker = TestWorker::start(&server);
    within_limit(async {
        let client = server.client();
        let running = client.job("hold", "x").unique("u1").start().await.unwrap();
        worker.holds();
        let waiting = client.job("hold", "y").unique("u2").background().await.unwrap();

        let mut admin = client.admin(client.servers().next().unwrap());
        assert!(!admin.version().await.unwrap().is_empty());
        assert!(admin.pid().await.unwrap() > 1);
        let functions = admin.functions().await.unwrap();
        let hold = functions.iter().find(|row| row.function == "hold").unwrap();
        assert_eq!((hold.jobs, hold.running, hold.workers), (2, 1, 1));
        let priorities = admin.priorities().await.unwrap();
        let hold = priorities.iter().find(|row| row.function == "hold").unwrap();
        assert_eq!((hold.high, hold.normal, hold.low, hold.workers), (0, 1, 0, 1));
        // The worker, the client, and this connection; one that has just asked may be listed a moment longer.
        let mut workers = admin.workers().await.unwrap();
        while workers.len() != 3 {
            workers = admin.workers().await.unwrap();
        }
        assert!(workers.iter().any(|row| row.functions.iter().any(|function| function == "hold")));
        let jobs = admin.jobs().await.unwrap();
        let line = |handle: &geartrain_client::JobHandle| {
            jobs.iter().find(|row| row.handle.as_bytes() == handle.handle().as_bytes()).unwrap()
        };
        assert!(!line(running.handle()).is_background && line(&waiting).is_background);
        let mut uniques = admin.uniques().await.unwrap();
        uniques.sort();
        assert_eq!(uniques, ["u1", "u2"]);
        worker.let_go();
        worker.let_go();
        running.result().await.unwrap();
    });
}

fn a_server_is_told_what_to_do(side: Side) {
    let mut server = Server::start(side);
    within_limit(async {
        let client = server.client();
        let mut admin = client.admin(client.servers().next().unwrap());
        let name = Word::parse("resize").unwrap();
        assert_eq!(admin.tell(&TextCommand::CreateFunction(name.clone())).await.unwrap(), "");
        assert_eq!(admin.functions().await.unwrap()[0].function, "resize");
        let drop = TextCommand::DropFunction { function: name.clone(), waiting: Waiting::Keep };
        assert_eq!(admin.tell(&drop).await.unwrap(), "");
        let refused = admin.tell(&drop).await.unwrap_err();
        assert!(matches!(refused, ClientError::Refused { .. }), "{refused}");
        assert!(admin.functions().await.unwrap().is_empty(), "the connection goes on");
        server.kill();
        server.start_again();
        assert!(admin.functions().await.unwrap().is_empty(), "it connects anew");
    });
}

#[test]
fn typed_commands_are_answered_over_all_their_pages() {
    let server = Server::start(Side::Ours);
    within_limit(async {
        let client = server.client();
        let jobs = (0..25).map(|number| client.job("later", number.to_string()));
        for job in jobs {
            job.background().await.unwrap();
        }
        let mut admin = client.admin(client.servers().next().unwrap());
        let filter = JobsFilter { function: Some("later".into()), ..JobsFilter::default() };
        let pick = JobsPick { handles: Vec::new(), filter, after: 0 };
        let list = Command::JobsList(Box::new(JobsList { pick: pick.clone(), limit: 10 }));
        let rows: Vec<JobRow> = admin.command(list).await.unwrap();
        assert_eq!(rows.len(), 25, "three pages");
        let cancel = Command::JobsCancel(Box::new(JobsCancel { pick: pick.clone() }));
        let changed: Vec<Changed> = admin.command(cancel).await.unwrap();
        assert_eq!(changed.iter().map(|changed| changed.changed).sum::<u64>(), 25);
    });
    let reference = Server::start(Side::Reference);
    within_limit(async {
        let client = reference.client();
        let mut admin = client.admin(client.servers().next().unwrap());
        let count =
            JobsCount { pick: JobsPick { handles: Vec::new(), filter: JobsFilter::default(), after: 0 } };
        let refused = admin.command::<Changed>(Command::JobsCount(Box::new(count))).await.unwrap_err();
        assert!(matches!(refused, ClientError::NoTypedCommands { .. }), "{refused}");
    });
}

#[test]
fn what_a_server_says_unasked_is_no_answer_to_the_next_command() {
    for together in [true, false] {
        let (is_read, read) = channel();
        let (is_said, said) = channel();
        let script = Script::start(2, move |connection, stream| {
            let mut command = [0; 9];
            stream.read_exact(&mut command).unwrap();
            assert_eq!(&command, b"version\r\n");
            match (connection, together) {
                (0, true) => stream.write_all(b"OK 1\r\nOK unasked\r\n").unwrap(),
                (0, false) => {
                    stream.write_all(b"OK 1\r\n").unwrap();
                    read.recv().unwrap();
                    stream.write_all(b"OK unasked\r\n").unwrap();
                }
                _ => stream.write_all(b"OK 2\r\n").unwrap(),
            }
            is_said.send(()).unwrap();
            super::support::read_to_end(stream);
        });
        within_limit(async {
            let client = Client::new(&script.address).unwrap();
            let mut admin = client.admin(client.servers().next().unwrap());
            assert_eq!(admin.version().await.unwrap(), "1");
            is_read.send(()).unwrap();
            said.recv().unwrap();
            assert_eq!(admin.version().await.unwrap(), "2", "together: {together}");
        });
        script.finish();
    }
}

/// What a listing is answered with by a server that sends these bytes and then waits.
fn listed(reply: &'static [u8]) -> String {
    let script = Script::start(1, move |_, stream| {
        let mut command = [0; 8];
        stream.read_exact(&mut command).unwrap();
        stream.write_all(reply).unwrap();
        super::support::read_to_end(stream);
    });
    let error = within_limit(async {
        let client = Client::builder()
            .servers(&script.address)
            .answer_timeout(Duration::from_secs(2))
            .build()
            .unwrap();
        let mut admin = client.admin(client.servers().next().unwrap());
        admin.functions().await.unwrap_err()
    });
    let text = error.to_string().replace(&script.address, "SERVER");
    script.finish();
    text
}

#[test]
fn what_is_no_listing_is_a_typed_error() {
    assert_eq!(listed(b"f\t1\t0"), "SERVER was silent for 2000 ms while reading the reply to a command");
    assert_eq!(
        listed(b"f one\n.\n"),
        "SERVER sent a row of another kind: \"f one\" (hint: are server and tool of one version?)"
    );
    assert_eq!(
        listed(b"\0RES\0\0\0\x06\0\0\0\0"),
        "SERVER does not speak the protocol: a packet came in place of text (hint: is it a Gearman server?)"
    );
    assert_eq!(listed(b"ERR NO\r\n"), "NO");
}
