//! The server within a test, as its users see it.
#![cfg(test)]

use geartrain_client::{ClientError, Connection, ConnectionLimits, ServerAddress};
use geartrain_proto::{Function, GrabKind, Handle, Priority, Request, Response, Submit, SubmitMode, Unique};
use geartrain_testserver::TestServer;
use std::time::{Duration, SystemTime};

/// Longest any step may take.
const LIMIT: Option<Duration> = Some(Duration::from_secs(30));

fn connect(server: &TestServer) -> Connection {
    let address = ServerAddress::parse(server.address(), 1).unwrap();
    Connection::open(&address, &ConnectionLimits::default()).unwrap()
}

fn submit(connection: &mut Connection, mode: SubmitMode) -> String {
    let (function, unique) = (Function::from("f"), Unique::from(""));
    let submit = Submit { function, unique, priority: Priority::Normal, mode, reducer: None, workload: b"w" };
    connection.send(&Request::Submit(submit), "submitting").unwrap();
    let Response::JobCreated { handle } = connection.receive(LIMIT, "waiting").unwrap() else {
        panic!("not created");
    };
    handle.to_string()
}

/// What a grab is answered with: the handle of a job, or none.
fn grab(worker: &mut Connection) -> Option<String> {
    worker.send(&Request::Grab(GrabKind::Plain), "grabbing").unwrap();
    let answer = worker.receive(LIMIT, "waiting").unwrap();
    if let Response::JobAssign { handle, .. } = answer {
        return Some(handle.to_string());
    }
    assert_eq!(answer, Response::NoJob);
    None
}

fn in_an_hour() -> SubmitMode {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    SubmitMode::Epoch(i64::try_from(now.as_secs()).unwrap() + 3600)
}

#[test]
fn a_job_for_later_is_due_when_time_is_moved() {
    let server = TestServer::start().unwrap();
    let mut worker = connect(&server);
    worker.send(&Request::CanDo { function: Function::from("f") }, "registering").unwrap();
    let handle = submit(&mut connect(&server), in_an_hour());
    assert_eq!(grab(&mut worker), None);
    worker.send(&Request::PreSleep, "sleeping").unwrap();
    server.advance(Duration::from_secs(3500));
    worker.send(&Request::Echo { data: b"" }, "asking").unwrap();
    assert_eq!(
        worker.receive(LIMIT, "waiting").unwrap(),
        Response::Echo { data: b"" },
        "nobody is woken yet"
    );
    server.advance(Duration::from_secs(101));
    assert_eq!(worker.receive(LIMIT, "waiting").unwrap(), Response::Noop);
    assert_eq!(grab(&mut worker), Some(handle));
}

#[test]
fn a_time_limit_runs_out_when_time_is_moved() {
    let server = TestServer::start().unwrap();
    let (mut stuck, mut quick) = (connect(&server), connect(&server));
    let function = Function::from("f");
    stuck.send(&Request::CanDoTimeout { function, timeout_ms: 600_000 }, "registering").unwrap();
    let handle = submit(&mut connect(&server), SubmitMode::Background);
    assert_eq!(grab(&mut stuck).as_ref(), Some(&handle));
    quick.send(&Request::CanDo { function }, "registering").unwrap();
    assert_eq!(grab(&mut quick), None);
    quick.send(&Request::PreSleep, "sleeping").unwrap();
    server.advance(Duration::from_secs(601));
    assert_eq!(quick.receive(LIMIT, "waiting").unwrap(), Response::Noop);
    assert_eq!(grab(&mut quick), Some(handle));
}

#[test]
fn servers_do_not_meet() {
    let (one, two) = (TestServer::start().unwrap(), TestServer::start().unwrap());
    assert_ne!(one.port(), two.port());
    let handle = submit(&mut connect(&one), SubmitMode::Background);
    let mut client = connect(&two);
    client.send(&Request::GetStatus { handle: Handle::from(&*handle) }, "asking").unwrap();
    let Response::StatusRes { status, .. } = client.receive(LIMIT, "waiting").unwrap() else {
        panic!("no status");
    };
    assert!(!status.known);
}

#[test]
fn a_dropped_server_is_gone_and_its_port_free() {
    let server = TestServer::start().unwrap();
    let mut client = connect(&server);
    let port = server.port();
    drop(server);
    let ended = client.receive(LIMIT, "waiting").map(|_| ()).unwrap_err();
    assert!(matches!(ended, ClientError::Closed { .. } | ClientError::Broken { .. }), "{ended}");
    let server = TestServer::start_on(port).unwrap();
    assert_eq!(server.port(), port);
    submit(&mut connect(&server), SubmitMode::Foreground);
}
