//! Background jobs with a store: acknowledged once they are on disk, refused when that fails.

use crate::peer::{PATIENCE, submit};
use crate::world::{World, open_store, wait_until};
use geartrain_core::Settings;
use geartrain_disk::{Disk, Fault, Unsynced};
use geartrain_proto::{Function, GrabKind, Handle, PacketKind, Request, Response, SubmitMode};
use geartrain_server::{Config, Health, StoreWhen};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

const CAN_REVERSE: Request<'_> = Request::CanDo { function: Function::new(b"reverse") };
const GRAB: Request<'_> = Request::Grab(GrabKind::Plain);

fn background(workload: &[u8]) -> Request<'_> {
    submit("reverse", SubmitMode::Background, workload)
}

/// Syncs of a disk that wait until a test lets them go.
#[derive(Debug, Default)]
struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
    reached: AtomicBool,
}

impl Gate {
    fn at(disk: &Disk) -> Arc<Self> {
        let gate = Arc::new(Self::default());
        let in_hook = Arc::clone(&gate);
        disk.on_sync(move |_| {
            let closed = in_hook.closed.lock().unwrap();
            if *closed {
                in_hook.reached.store(true, Ordering::SeqCst);
            }
            // A test that fails before it opens the gate ends all the same.
            drop(in_hook.opened.wait_timeout_while(closed, 3 * PATIENCE, |closed| *closed).unwrap());
        });
        gate
    }

    fn close(&self) {
        *self.closed.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.closed.lock().unwrap() = false;
        self.opened.notify_all();
    }
}

#[test]
fn a_background_job_is_acknowledged_only_once_it_is_on_disk() {
    let disk = Disk::new(1);
    let gate = Gate::at(&disk);
    let world = World::on(&disk);
    let (mut client, mut other) = (world.connect(), world.connect());
    gate.close();
    client.send(&[background(b"abc"), Request::Echo { data: b"behind" }]);
    wait_until("the job is being written", || gate.reached.load(Ordering::SeqCst));
    client.expect_silence(Duration::from_millis(100));
    // Nobody else waits for the disk.
    other.expect_alive();
    gate.open();
    client.body_of(PacketKind::JobCreated);
    client.expect(&Response::Echo { data: b"behind" });
}

#[test]
fn a_half_closed_client_gets_the_answer_that_waits_for_the_disk() {
    let disk = Disk::new(2);
    let gate = Gate::at(&disk);
    let world = World::on(&disk);
    let mut client = world.connect();
    gate.close();
    client.send(&[background(b"abc")]);
    client.half_close();
    wait_until("the job is being written", || gate.reached.load(Ordering::SeqCst));
    gate.open();
    client.body_of(PacketKind::JobCreated);
    client.expect_end();
}

#[test]
fn what_arrives_while_the_disk_syncs_is_synced_together() {
    let disk = Disk::new(3);
    let gate = Gate::at(&disk);
    let world = World::on(&disk);
    let mut clients: Vec<_> = (0..50).map(|_| world.connect()).collect();
    let mut first = world.connect();
    gate.close();
    first.send(&[background(b"first")]);
    wait_until("the first job is being written", || gate.reached.load(Ordering::SeqCst));
    let before = disk.syncs();
    for client in &mut clients {
        client.send(&[background(b"abc")]);
    }
    let mut asker = world.connect();
    wait_until("all have arrived", || asker_sees(&mut world.connect(), "reverse\t51\t0\t0"));
    gate.open();
    first.body_of(PacketKind::JobCreated);
    for client in &mut clients {
        client.body_of(PacketKind::JobCreated);
    }
    let syncs = disk.syncs() - before;
    assert!(syncs <= 4, "{syncs} syncs for 50 jobs");
    asker.expect_alive();
}

fn asker_sees(asker: &mut crate::peer::Peer, line: &str) -> bool {
    asker.listing("status") == [line]
}

#[test]
fn jobs_handles_and_order_survive_a_power_cut() {
    let disk = Disk::new(4);
    let world = World::on(&disk);
    let mut client = world.connect();
    let texts: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let mut handles = Vec::new();
    for text in &texts {
        client.send(&[background(text.as_bytes())]);
        handles.push(client.first_part_of(PacketKind::JobCreated));
    }
    disk.crash(Unsynced::Lost);
    drop(world);
    let world = World::on(&disk);
    let mut worker = world.connect();
    worker.send(&[CAN_REVERSE]);
    for (text, handle) in texts.iter().zip(&handles) {
        worker.send(&[GRAB]);
        let handle = Handle::new(handle);
        worker.expect(&Response::JobAssign { handle, function: "reverse".into(), workload: text.as_bytes() });
        worker.send(&[Request::WorkComplete { handle, result: b"" }]);
    }
    worker.send(&[GRAB]);
    worker.expect(&Response::NoJob);
    worker.expect_alive();
    world.stop();
    // What was done is forgotten.
    let world = World::on(&disk);
    assert_eq!(world.connect().listing("show jobs"), Vec::<String>::new());
}

#[test]
fn a_failed_write_refuses_background_jobs_until_the_disk_is_back() {
    let disk = Disk::new(5);
    let gate = Gate::at(&disk);
    let world = World::on(&disk);
    let (mut client, mut worker) = (world.connect(), world.connect());
    client.send(&[background(b"kept")]);
    client.body_of(PacketKind::JobCreated);
    // Nothing gets better before it was seen: the write fails, and the sync of the next try waits.
    gate.close();
    disk.fail_after_ops(0, Fault::Io);
    client.send(&[background(b"refused")]);
    assert_eq!(client.first_part_of(PacketKind::Error), b"QUEUE_ERROR");
    world.wait_until("it is not ready", |server| matches!(server.health(), Health::StoreFailed(_)));
    // What needs no disk goes on, and a stored job too.
    client.send(&[submit("reverse", SubmitMode::Foreground, b"fg")]);
    let handle = client.first_part_of(PacketKind::JobCreated);
    worker.send(&[CAN_REVERSE, GRAB]);
    assert!(worker.body_of(PacketKind::JobAssign).ends_with(b"kept"));
    worker.send(&[GRAB]);
    let handle = Handle::new(&handle);
    worker.expect(&Response::JobAssign { handle, function: "reverse".into(), workload: b"fg" });
    worker.send(&[Request::WorkComplete { handle, result: b"done" }]);
    client.expect(&Response::WorkComplete { handle, result: b"done" });
    gate.open();
    world.wait_until("it is ready again", |server| server.health() == Health::Ready);
    client.send(&[background(b"after")]);
    client.body_of(PacketKind::JobCreated);
    drop(worker);
    world.stop();
    let world = World::on(&disk);
    assert_eq!(world.connect().listing("status"), ["reverse\t2\t0\t0"]);
}

#[test]
fn a_full_disk_recovers_by_itself() {
    let disk = Disk::new(6);
    let world = World::on(&disk);
    let mut client = world.connect();
    disk.set_full(true);
    let workload = vec![b'x'; 100_000];
    client.send(&[background(&workload)]);
    assert_eq!(client.first_part_of(PacketKind::Error), b"QUEUE_ERROR");
    // Refused while it is full, without asking the disk.
    client.send(&[background(&workload)]);
    assert_eq!(client.first_part_of(PacketKind::Error), b"QUEUE_ERROR");
    disk.set_full(false);
    world.wait_until("it is ready again", |server| server.health() == Health::Ready);
    client.send(&[background(&workload)]);
    client.body_of(PacketKind::JobCreated);
    world.stop();
    let world = World::on(&disk);
    assert_eq!(world.connect().listing("status"), ["reverse\t1\t0\t0"]);
}

#[test]
fn a_job_done_while_the_disk_fails_does_not_come_back() {
    let disk = Disk::new(7);
    let gate = Gate::at(&disk);
    let world = World::on(&disk);
    let (mut client, mut worker) = (world.connect(), world.connect());
    client.send(&[background(b"done")]);
    client.body_of(PacketKind::JobCreated);
    worker.send(&[CAN_REVERSE, GRAB]);
    let handle = worker.first_part_of(PacketKind::JobAssign);
    // As above.
    gate.close();
    disk.fail_after_ops(0, Fault::Io);
    worker.send(&[Request::WorkComplete { handle: Handle::new(&handle), result: b"" }]);
    worker.expect_alive();
    world.wait_until("it is not ready", |server| matches!(server.health(), Health::StoreFailed(_)));
    gate.open();
    world.wait_until("it is ready again", |server| server.health() == Health::Ready);
    world.stop();
    let world = World::on(&disk);
    assert_eq!(world.connect().listing("show jobs"), Vec::<String>::new());
}

#[test]
fn a_queue_stored_on_shutdown_touches_the_disk_only_then() {
    let disk = Disk::new(8);
    let config = || Config { store_when: StoreWhen::AtShutdown, ..Config::default() };
    let world = World::with(config(), Some(open_store(&disk)));
    world.wait_until("the queue is loaded", |server| server.health() == Health::Ready);
    let mut client = world.connect();
    let before = disk.ops();
    for number in 0..10_000_u32 {
        client.send(&[background(&number.to_be_bytes())]);
        client.body_of(PacketKind::JobCreated);
    }
    let mut worker = world.connect();
    worker.send(&[CAN_REVERSE, GRAB]);
    let handle = worker.first_part_of(PacketKind::JobAssign);
    worker.send(&[Request::WorkComplete { handle: Handle::new(&handle), result: b"" }]);
    worker.expect_alive();
    assert_eq!(disk.ops(), before);
    world.stop();
    let world = World::with(config(), Some(open_store(&disk)));
    world.wait_until("the queue is loaded", |server| server.health() == Health::Ready);
    assert_eq!(world.connect().listing("status"), ["reverse\t9999\t0\t0"]);
}

#[test]
fn a_queue_stored_on_shutdown_keeps_every_workload_in_memory_until_then() {
    const JOBS: u32 = 500;
    let settings = Settings { queue_memory_bytes: 1, ..Settings::default() };
    let config = Config { store_when: StoreWhen::AtShutdown, settings, ..Config::default() };
    let disk = Disk::new(8);
    let world = World::with(config, Some(open_store(&disk)));
    world.wait_until("the queue is loaded", |server| server.health() == Health::Ready);
    let mut client = world.connect();
    for _ in 0..JOBS {
        client.send(&[background(&[b'x'; 64 << 10])]);
        client.body_of(PacketKind::JobCreated);
    }
    let mut worker = world.connect();
    worker.send(&[CAN_REVERSE]);
    for _ in 0..JOBS {
        worker.send(&[GRAB]);
        let handle = worker.first_part_of(PacketKind::JobAssign);
        worker.send(&[Request::WorkComplete { handle: Handle::new(&handle), result: b"" }]);
    }
    worker.expect_alive();
    assert_eq!(world.connect().listing("dead counts {}")[0].split(',').next(), Some("{\"dead\":0"));
}
