//! How many jobs run at once: of a worker, of a function, over one server and over two.

use super::support::{Runtime, Server, Side, TestWorker, on_both_servers, wait_until, worker_of};
use bytes::Bytes;
use geartrain_client::worker::{Ability, Job};
use geartrain_proto::SubmitMode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Barrier, Semaphore};

on_both_servers!(
    as_many_jobs_run_at_once_as_allowed,
    blocking_handlers_run_side_by_side,
    a_function_with_a_limit_leaves_room_for_others,
    limits_hold_over_all_servers,
    a_long_backlog_is_done_by_few_slots,
);

/// Counts how many are inside at once, and keeps them there until they are let go.
#[derive(Debug)]
struct Room {
    inside: AtomicUsize,
    most: AtomicUsize,
    exit: Semaphore,
}

impl Room {
    fn new() -> Arc<Self> {
        Arc::new(Self { inside: AtomicUsize::new(0), most: AtomicUsize::new(0), exit: Semaphore::new(0) })
    }

    async fn visit(self: Arc<Self>) {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        self.exit.acquire().await.unwrap().forget();
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    fn inside(&self) -> usize {
        self.inside.load(Ordering::SeqCst)
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// A handler that visits a room.
fn visitor(room: &Arc<Room>) -> impl Fn(Bytes) -> futures_of::Visit + Send + Sync + 'static {
    let room = Arc::clone(room);
    move |_| Box::pin(Arc::clone(&room).visit())
}

mod futures_of {
    use std::future::Future;
    use std::pin::Pin;

    pub(super) type Visit = Pin<Box<dyn Future<Output = ()> + Send>>;
}

fn as_many_jobs_run_at_once_as_allowed(side: Side) {
    for runtime in [Runtime::OneThread, Runtime::TwoThreads] {
        let server = Server::start(side);
        let room = Room::new();
        let builder = worker_of(&[&server]).register("visit", visitor(&room)).at_once(4);
        let worker = TestWorker::start_on(runtime, builder);
        let mut client = server.observer();
        for _ in 0..10 {
            client.submit("visit", b"", SubmitMode::Background);
        }
        wait_until("four are inside", || room.inside() == 4);
        assert_eq!(server.status("visit"), (10, 4, 1));
        room.exit.add_permits(10);
        wait_until("all are done", || server.status("visit").0 == 0);
        assert_eq!(room.most(), 4);
        assert_eq!(worker.stop().jobs, 10);
    }
}

fn blocking_handlers_run_side_by_side(side: Side) {
    let server = Server::start(side);
    let barrier = Arc::new(std::sync::Barrier::new(3));
    let builder = worker_of(&[&server])
        .register_blocking("meet", move |_: Bytes| {
            barrier.wait();
        })
        .at_once(3);
    let worker = TestWorker::start_on(Runtime::OneThread, builder);
    let mut client = server.observer();
    for _ in 0..3 {
        client.submit("meet", b"", SubmitMode::Foreground);
    }
    for _ in 0..3 {
        assert_eq!(client.story(), ["complete "]);
    }
    worker.stop();
}

fn a_function_with_a_limit_leaves_room_for_others(side: Side) {
    let server = Server::start(side);
    let (narrow, wide) = (Room::new(), Room::new());
    let builder = worker_of(&[&server])
        .register(Ability::new("narrow").at_once(1), visitor(&narrow))
        .register("wide", visitor(&wide))
        .at_once(3);
    let worker = TestWorker::start(builder);
    let mut client = server.observer();
    for _ in 0..5 {
        client.submit("narrow", b"", SubmitMode::Background);
    }
    wait_until("one is inside", || narrow.inside() == 1);
    for _ in 0..5 {
        client.submit("wide", b"", SubmitMode::Background);
    }
    wait_until("two more are inside", || wide.inside() == 2);
    assert_eq!((server.status("narrow").1, server.status("wide").1), (1, 2));
    narrow.exit.add_permits(5);
    wide.exit.add_permits(5);
    wait_until("all are done", || server.status("narrow").0 + server.status("wide").0 == 0);
    assert_eq!(narrow.most(), 1);
    assert!(wide.most() <= 3, "{} at once", wide.most());
    assert_eq!(worker.stop().jobs, 10);
}

fn limits_hold_over_all_servers(side: Side) {
    let (one, two) = (Server::start(side), Server::start(side));
    let room = Room::new();
    let builder = worker_of(&[&one, &two])
        .register(Ability::new("visit").at_once(2), visitor(&room))
        .register("meet", {
            let barrier = Arc::new(Barrier::new(2));
            move |_: Job| {
                let barrier = Arc::clone(&barrier);
                async move {
                    barrier.wait().await;
                }
            }
        })
        .at_once(4);
    let worker = TestWorker::start(builder);
    for server in [&one, &two] {
        let mut client = server.observer();
        for _ in 0..6 {
            client.submit("visit", b"", SubmitMode::Background);
        }
        client.submit("meet", b"", SubmitMode::Background);
    }
    wait_until("two visit", || room.inside() == 2);
    wait_until("those of both servers met", || one.status("meet").0 + two.status("meet").0 == 0);
    room.exit.add_permits(12);
    wait_until("all are done", || one.status("visit").0 + two.status("visit").0 == 0);
    assert_eq!(room.most(), 2);
    assert_eq!(worker.stop().jobs, 14);
}

fn a_long_backlog_is_done_by_few_slots(side: Side) {
    for (runtime, at_once) in [(Runtime::OneThread, 8), (Runtime::TwoThreads, 1), (Runtime::TwoThreads, 8)] {
        let server = Server::start(side);
        let mut client = server.observer();
        for _ in 0..2_000 {
            client.submit("add", b"", SubmitMode::Background);
        }
        let done = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&done);
        let builder = worker_of(&[&server])
            .register("add", move |_: Bytes| {
                let number = count.fetch_add(1, Ordering::SeqCst);
                async move {
                    if number.is_multiple_of(3) {
                        tokio::task::yield_now().await;
                    }
                }
            })
            .at_once(at_once);
        let worker = TestWorker::start_on(runtime, builder);
        wait_until("all are done", || server.status("add").0 == 0);
        assert_eq!(worker.stop().jobs, 2_000);
        assert_eq!(done.load(Ordering::SeqCst), 2_000);
    }
}
