//! While the stored jobs are loaded the port answers.

use crate::peer::submit;
use crate::world::World;
use geartrain_core::{FileRule, Record, Settings, Stored, UnixTime};
use geartrain_proto::{Priority, Request, Response, SubmitMode};
use geartrain_server::{Config, Health};
use geartrain_store::{Batch, LoadReport, MemoryStore, Opening, Reader, Store, StoreError};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// A store that loads some jobs each time the test says so.
#[derive(Debug)]
struct Slow {
    steps: Receiver<()>,
    jobs_a_step: u32,
}

fn slow(jobs_a_step: u32) -> (Sender<()>, Box<dyn Store>) {
    let (sender, steps) = channel();
    (sender, Box::new(Slow { steps, jobs_a_step }))
}

impl Store for Slow {
    fn opening(&self) -> Opening {
        Opening { next_number: 1_000_000, jobs_estimate: 1000, ..Opening::default() }
    }

    fn load(&mut self, each: &mut dyn FnMut(Stored<'_>)) -> Result<LoadReport, StoreError> {
        let mut number = 0;
        while self.steps.recv().is_ok() {
            for _ in 0..self.jobs_a_step {
                number += 1;
                each(Stored::Job(Record {
                    number,
                    place: number,
                    function: b"reverse",
                    unique: b"",
                    priority: Priority::Normal,
                    workload: b"abc",
                    reducer: None,
                    not_before: 0,
                    attempts: 0,
                    lost: 0,
                    submitted: UnixTime::default(),
                }));
            }
        }
        Ok(LoadReport { loaded: number, ..LoadReport::default() })
    }

    fn commit(&mut self, _batch: &Batch) -> Result<(), StoreError> {
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        MemoryStore::new().reader()
    }
}

#[test]
fn text_and_echo_are_answered_meanwhile_and_submits_wait() {
    let (steps, store) = slow(256);
    let world = World::with(Config::default(), Some(store));
    assert_eq!(world.server().health(), Health::Loading);
    let (mut asker, mut client) = (world.connect(), world.connect());
    asker.expect_alive();
    asker.send_bytes(b"version\r\n");
    assert_eq!(asker.line(), "OK 1.1.20\n");
    steps.send(()).unwrap();
    crate::world::wait_until("the first jobs show", || {
        world.connect().listing("status") == ["reverse\t256\t0\t0"]
    });
    client.send(&[submit("reverse", SubmitMode::Background, b"new"), Request::Echo { data: b"behind" }]);
    client.expect_silence(Duration::from_millis(100));
    steps.send(()).unwrap();
    drop(steps);
    client.body_of(geartrain_proto::PacketKind::JobCreated);
    client.expect(&Response::Echo { data: b"behind" });
    assert_eq!(world.server().health(), Health::Ready);
    assert_eq!(asker.listing("status"), ["reverse\t513\t0\t0"]);
}

#[test]
fn a_disk_that_is_slow_within_a_chunk_keeps_nobody_waiting() {
    let (steps, store) = slow(1);
    let world = World::with(Config::default(), Some(store));
    steps.send(()).unwrap();
    crate::world::wait_until("the first job shows", || {
        world.connect().listing("status") == ["reverse\t1\t0\t0"]
    });
    drop(steps);
    world.wait_until("the queue is loaded", |server| server.health() == Health::Ready);
}

#[test]
fn what_changed_while_the_queue_was_loaded_is_known_to_be_durable() {
    let (steps, store) = slow(1);
    let values = vec![("expires".to_owned(), "1s".to_owned())];
    let rules = vec![FileRule { pattern: b"reverse".to_vec(), values }];
    let config = Config { settings: Settings { rules, ..Settings::default() }, ..Config::default() };
    let world = World::with(config, Some(store));
    steps.send(()).unwrap();
    crate::world::wait_until("the first job has expired", || {
        let status = world.connect().listing("status");
        status == ["reverse\t0\t0\t0"]
    });
    drop(steps);
    world.wait_until("the queue is loaded", |server| server.health() == Health::Ready);
    // Only letters that are durable are requeued.
    let campaign = world.connect().listing("dead requeue {\"filter\":{}}");
    assert!(campaign[0].contains("\"matched\":1"), "{campaign:?}");
}
