//! Workloads that leave memory and come back: what workers get, what a store that fails or answers late
//! does to them, and that nothing is lost.

use crate::world::World;
use geartrain_core::{ConnId, Durability, Found, Record, Settings, Stored, Ticket, UnixTime, Wanted};
use geartrain_proto::SubmitMode::{Background, Epoch, Foreground};
use geartrain_proto::{Function, GrabKind, Priority, Request, Submit, SubmitMode, Unique};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const NONE: [&str; 0] = [];

/// A queue that is over its budget with any job, and keeps one workload of eight bytes for its turn.
fn tight() -> World {
    tight_with(Settings { queue_memory_bytes: 128, ..Settings::default() })
}

fn tight_with(settings: Settings) -> World {
    let mut world = World::new(Settings { durability: Durability::Stored, ..settings });
    world.loaded();
    world.committed(1);
    world
}

/// Submits these jobs of the function `f`, makes them durable, and waits until what is to leave memory has left.
fn fill(world: &mut World, client: ConnId, uniques: &[&str]) {
    for unique in uniques {
        world.submit(client, "f", unique, Background);
    }
    let last = world.take_persisted().last().unwrap().0;
    world.committed(last);
    while world.next_timeout() == Some(Duration::ZERO) {
        world.advance(Duration::ZERO);
    }
}

fn worker(world: &mut World) -> ConnId {
    let worker = world.connect();
    world.can_do(worker, "f");
    worker
}

fn asked(world: &World) -> Vec<u64> {
    world.out.reads.iter().flat_map(|(_, _, numbers)| numbers.clone()).collect()
}

#[test]
fn a_long_backlog_of_one_function_costs_another_nothing() {
    let mut world = tight();
    let client = world.connect();
    fill(&mut world, client, &["a", "b", "c", "d"]);
    world.submit(client, "g", "e", Background);
    let last = world.take_persisted().last().unwrap().0;
    world.committed(last);
    let worker = world.connect();
    world.can_do(worker, "g");
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:5 g"], "it did not leave memory");
    assert!(world.out.reads.is_empty());
}

#[test]
fn workloads_that_came_before_the_budget_was_used_up_leave_too() {
    // Nine jobs fit, and then it is full of jobs alone. A sixteenth of it is seven workloads.
    let mut world = tight_with(Settings { queue_memory_bytes: 1000, ..Settings::default() });
    let client = world.connect();
    let uniques: Vec<String> = (10..50).map(|n| n.to_string()).collect();
    fill(&mut world, client, &uniques.iter().map(String::as_str).collect::<Vec<_>>());
    let worker = worker(&mut world);
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 f"]);
    assert_eq!(asked(&world), (8..=40).collect::<Vec<_>>());
}

#[test]
fn what_is_wanted_next_leaves_last() {
    // Each job takes 91 bytes and its workload, and 30 of them another 154: 20 fit, and then all is full of jobs alone.
    // One or two are in the window. There is a sweep when it is full, and one an eighth later.
    let mut world = tight_with(Settings { queue_memory_bytes: 4000, ..Settings::default() });
    let client = world.connect();
    submit_of(&mut world, client, "f", 20, 100);
    submit_of(&mut world, client, "f", 10, 0);
    assert_eq!(world.out.spilled, [(100, true), (600, false)]);
    let worker = worker(&mut world);
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 f"]);
    assert_eq!(asked(&world), (14..=20).collect::<Vec<_>>());
}

#[test]
fn a_queue_that_stands_at_its_budget_is_not_swept_again_and_again() {
    let mut world = tight_with(Settings { queue_memory_bytes: 100_000, ..Settings::default() });
    let (client, worker) = (world.connect(), worker(&mut world));
    submit_of(&mut world, client, "long", 480, 100);
    for _ in 0..50 {
        submit_of(&mut world, client, "long", 2, 100);
        submit_of(&mut world, client, "f", 35, 100);
        for _ in 0..35 {
            let assigned = world.out.assigned.len();
            world.grab(worker);
            let (_, handle, _) = world.out.assigned[assigned].clone();
            world.complete(worker, &handle);
        }
    }
    assert!(world.out.spilled.len() < 10, "{:?}", world.out.spilled);
    assert_eq!(world.out.spilled.iter().filter(|(_, is_first)| *is_first).count(), 1);
}

#[test]
fn sweeps_of_what_may_not_leave_come_ever_more_seldom() {
    // They are known by their workloads. With steps of an eighth of the budget there would be a sweep for each.
    let mut world = tight();
    let client = world.connect();
    for number in 0..2000 {
        let workload = format!("{number:08}");
        world.request(client, &Request::Submit(submit_with("f", "-", workload.as_bytes())));
        settle(&mut world);
    }
    assert_eq!(world.core.jobs(), 2000);
    assert!(world.out.spilled.len() < 100, "{} sweeps", world.out.spilled.len());
    assert!(world.out.spilled.iter().all(|(bytes, _)| *bytes == 0));
}

/// What stays of a backlog among others that were served takes more memory, and that counts.
#[test]
fn jobs_whose_numbers_lie_far_apart_use_the_budget_up_earlier() {
    for (step, is_over) in [(1, false), (30, true)] {
        let mut world = World::new(Settings {
            durability: Durability::Stored,
            queue_memory_bytes: 130_000,
            ..Settings::default()
        });
        for number in (1..=1000).map(|number| number * step) {
            world.core.load(world.now, Stored::Job(borrowed(&record_of(number))), &mut world.out);
        }
        world.loaded();
        let worker = worker(&mut world);
        for _ in 0..1000 {
            world.core.handle_request(world.now, worker, &Request::Grab(GrabKind::Plain), &mut world.out);
        }
        assert_eq!(!world.out.reads.is_empty(), is_over, "numbers {step} apart");
    }
}

#[test]
fn slots_alone_are_not_swept() {
    let mut world = tight();
    let client = world.connect();
    submit_of(&mut world, client, "f", 2000, 0);
    assert_eq!(world.out.spilled, []);
}

#[test]
fn windows_of_idle_queues_leave_room_for_one_that_is_served() {
    const MIB: usize = 1 << 20;
    let mut world = tight_with(Settings { queue_memory_bytes: 128 * MIB as u64, ..Settings::default() });
    let client = world.connect();
    submit_of(&mut world, client, "f", 160, MIB);
    for idle in 0..12 {
        submit_of(&mut world, client, &format!("idle{idle}"), 8, MIB);
    }
    let worker = worker(&mut world);
    // The first ones are in memory.
    for _ in 0..120 {
        world.grab(worker);
    }
    assert!(lengths(&world).contains(&4), "{:?}", lengths(&world));
}

#[test]
fn windows_of_queues_that_were_served_leave_room_for_a_small_one() {
    let mut world = tight();
    let client = world.connect();
    for served in 0..5 {
        let function = format!("served{served}");
        submit_of(&mut world, client, &function, 20, 1 << 20);
        let worker = world.connect();
        world.can_do(worker, &function);
        world.grab(worker);
    }
    submit_of(&mut world, client, "f", 20, 1 << 20);
    world.out.reads.clear();
    let worker = worker(&mut world);
    world.grab(worker);
    assert_eq!(lengths(&world), [4], "a batch of four megabytes");
}

fn lengths(world: &World) -> Vec<usize> {
    world.out.reads.iter().map(|(_, _, numbers)| numbers.len()).collect()
}

fn submit_with<'a>(function: &'a str, unique: &'a str, workload: &'a [u8]) -> Submit<'a> {
    Submit {
        function: Function::from(function),
        unique: Unique::from(unique),
        priority: Priority::Normal,
        mode: Background,
        reducer: None,
        workload,
    }
}

/// Submits jobs with workloads of this length, each durable before the next, and waits until what is to leave
/// memory has left. The store of the test keeps what is short alone.
fn submit_of(world: &mut World, client: ConnId, function: &str, count: usize, len: usize) {
    let workload = vec![b'w'; len];
    for _ in 0..count {
        world.request(client, &Request::Submit(submit_with(function, "", &workload)));
        settle(world);
        if len > 1000 {
            world.out.stored.clear();
        }
    }
}

/// Makes all durable, and waits until what is to leave memory has left.
fn settle(world: &mut World) {
    let last = world.take_persisted().last().map_or(0, |(ticket, _)| *ticket);
    world.committed(last);
    while world.next_timeout() == Some(Duration::ZERO) {
        world.advance(Duration::ZERO);
    }
}

#[test]
fn workloads_over_the_budget_are_read_back_before_their_turn() {
    let mut world = tight();
    let client = world.connect();
    fill(&mut world, client, &["a", "b", "c", "d"]);
    let worker = worker(&mut world);
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 f"], "the first one stayed");
    assert_eq!(asked(&world), [2, 3, 4]);
    assert_eq!(world.answer_read(), NONE);
    for handle in ["2", "3", "4"] {
        assert_eq!(world.grab(worker), [format!("JOB_ASSIGN H:localhost:{handle} f")]);
    }
    assert!(world.out.assigned.iter().all(|(_, _, workload)| workload == b"workload"));
    assert!(world.out.reads.is_empty());
}

#[test]
fn a_worker_that_is_faster_than_the_disk_waits_for_its_job() {
    let mut world = tight();
    let client = world.connect();
    fill(&mut world, client, &["a", "b", "c"]);
    let worker = worker(&mut world);
    world.grab(worker);
    assert_eq!(world.grab(worker), ["hold 9223372036854775810 NO_JOB"]);
    assert_eq!(world.core.jobs_running(), 2, "it is on the worker from now on");
    assert_eq!(world.answer_read(), ["refuse 9223372036854775810 JOB_ASSIGN"]);
    assert_eq!(world.out.assigned[1].2, b"workload");
    assert_eq!(world.complete(worker, "H:localhost:2"), NONE);
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:3 f"]);
}

#[test]
fn a_job_is_not_its_workers_before_it_got_it() {
    let mut world = tight();
    let client = world.connect();
    fill(&mut world, client, &["a", "b"]);
    let worker = worker(&mut world);
    world.grab(worker);
    world.grab(worker);
    assert_eq!(world.complete(worker, "H:localhost:2"), ["ERROR Job given in work result not found"]);
    assert_eq!(world.core.jobs(), 2);
}

#[test]
fn a_worker_that_leaves_while_its_job_is_read_costs_no_attempt() {
    let mut world = tight_with(Settings { job_retries: 1, queue_memory_bytes: 128, ..Settings::default() });
    let client = world.connect();
    fill(&mut world, client, &["a", "b", "c", "d"]);
    let (first, second) = (worker(&mut world), worker(&mut world));
    world.grab(first);
    world.complete(first, "H:localhost:1");
    world.grab(second);
    world.grab(second);
    world.take_persisted();
    world.close(second);
    assert_eq!(world.take_persisted(), [], "neither an attempt nor a change");
    world.answer_read();
    for handle in ["2", "3", "4"] {
        assert_eq!(world.grab(first), [format!("JOB_ASSIGN H:localhost:{handle} f")]);
    }
}

#[test]
fn a_worker_that_is_unable_meanwhile_gets_no_job_and_another_is_woken() {
    let mut world = tight();
    let client = world.connect();
    fill(&mut world, client, &["a", "b"]);
    let (first, second) = (worker(&mut world), worker(&mut world));
    world.grab(first);
    world.grab(first);
    assert_eq!(world.request(second, &Request::PreSleep), NONE);
    world.complete(first, "H:localhost:1");
    let unable = world.request(first, &Request::CantDo { function: Function::from("f") });
    assert_eq!(unable, ["refuse 9223372036854775810 NO_JOB", "NOOP"]);
    world.answer_read();
    assert_eq!(world.grab(second), ["JOB_ASSIGN H:localhost:2 f"]);
}

#[test]
fn a_store_that_cannot_be_read_pauses_the_function_and_keeps_the_order() {
    let mut world = tight();
    let client = world.connect();
    fill(&mut world, client, &["a", "b", "c", "d"]);
    let worker = worker(&mut world);
    world.grab(worker);
    world.grab(worker);
    world.grab(worker);
    world.take_persisted();
    let (ticket, _, _) = world.out.reads.remove(0);
    let refused = world.end_read(ticket, Err("disk"));
    assert_eq!(refused, ["refuse 9223372036854775810 NO_JOB", "refuse 9223372036854775811 NO_JOB"]);
    assert_eq!(world.grab(worker), ["NO_JOB"]);
    assert_eq!(world.request(worker, &Request::PreSleep), NONE, "it is not told of jobs that it cannot get");
    assert!(world.out.reads.is_empty(), "the disk is left alone");
    assert_eq!(world.next_timeout(), Some(Duration::from_secs(1)));
    assert_eq!(world.advance(Duration::from_secs(1)), ["NOOP"]);
    assert_eq!(asked(&world), [2, 3, 4]);
    world.answer_read();
    for handle in ["2", "3", "4"] {
        assert_eq!(world.grab(worker), [format!("JOB_ASSIGN H:localhost:{handle} f")]);
    }
    assert_eq!(world.take_persisted(), [], "no attempt was counted");
}

#[test]
fn jobs_that_go_back_stand_in_the_order_in_which_their_workers_waited() {
    for lost in [true, false] {
        let mut world = tight();
        let client = world.connect();
        fill(&mut world, client, &["a", "b", "c", "d"]);
        let (first, second, third) = (worker(&mut world), worker(&mut world), worker(&mut world));
        world.grab(first);
        world.answer_read();
        world.grab(second);
        // Job 2 goes to the end of the line, then job 1.
        world.close(second);
        world.close(first);
        world.grab(third);
        world.grab(third);
        assert_eq!(asked(&world), [1, 2]);
        let last = worker(&mut world);
        let held = |it: Vec<String>| it[0].starts_with("hold");
        assert!(held(world.grab(last)) && held(world.grab(last)));
        if lost {
            world.close(last);
        } else {
            let (ticket, ..) = world.out.reads.remove(0);
            world.end_read(ticket, Err("disk"));
            world.advance(Duration::from_secs(1));
        }
        world.answer_read();
        for handle in ["2", "1"] {
            assert_eq!(world.grab(third), [format!("JOB_ASSIGN H:localhost:{handle} f")], "lost: {lost}");
        }
    }
}

#[test]
fn two_reads_that_fail_one_after_the_other_keep_the_order() {
    let mut world = tight();
    let client = world.connect();
    fill(&mut world, client, &["a"]);
    let uniques: Vec<String> = (0..1100).map(|number| format!("u{number}")).collect();
    fill(&mut world, client, &uniques.iter().map(String::as_str).collect::<Vec<_>>());
    let worker = worker(&mut world);
    world.grab(worker);
    let first_of_second = world.out.reads[1].2[0];
    while world.core.jobs_running() < usize::try_from(first_of_second).unwrap() {
        world.grab(worker);
    }
    for _ in 0..2 {
        let (ticket, ..) = world.out.reads.remove(0);
        world.end_read(ticket, Err("disk"));
    }
    world.advance(Duration::from_secs(1));
    while !world.out.reads.is_empty() {
        world.answer_read();
    }
    for handle in 2..=first_of_second {
        assert_eq!(world.grab(worker), [format!("JOB_ASSIGN H:localhost:{handle} f")]);
    }
}

#[test]
fn a_client_that_waited_for_a_job_meanwhile_does_not_change_the_order() {
    let mut world = tight();
    let client = world.connect();
    fill(&mut world, client, &["a", "b", "c", "d", "e"]);
    let workers: Vec<ConnId> = (0..4).map(|_| worker(&mut world)).collect();
    for worker in &workers {
        world.grab(*worker);
    }
    world.close(workers[1]);
    world.close(workers[2]);
    let other = world.connect();
    world.submit(other, "f", "c", Foreground);
    world.close(other);
    world.close(workers[3]);
    for expected in 2..=5 {
        world.grab(workers[0]);
        while !world.out.reads.is_empty() {
            world.answer_read();
        }
        assert_eq!(world.out.assigned.last().unwrap().1, format!("H:localhost:{expected}"));
    }
}

#[test]
fn a_job_that_goes_back_waits_as_long_as_the_policy_says_now() {
    let mut world = tight();
    let client = world.connect();
    world.command(client, r#"policy set {"function":"f","values":{"expires":"5s"}}"#);
    fill(&mut world, client, &["a", "b"]);
    let (first, second) = (worker(&mut world), worker(&mut world));
    world.grab(first);
    world.grab(second);
    world.command(client, r#"policy set {"function":"f","values":{"expires":"1h"}}"#);
    world.close(second);
    world.advance(Duration::from_secs(10));
    world.answer_read();
    assert_eq!(world.grab(first), ["JOB_ASSIGN H:localhost:2 f"]);
}

#[test]
fn a_job_that_the_store_does_not_have_is_dead() {
    let mut world = tight();
    let client = world.connect();
    fill(&mut world, client, &["a", "b", "c"]);
    let worker = worker(&mut world);
    world.grab(worker);
    world.grab(worker);
    world.take_persisted();
    world.out.stored.remove(&2);
    assert_eq!(world.answer_read(), ["refuse 9223372036854775810 NO_JOB"]);
    assert_eq!(world.take_persisted().last().unwrap().1, "shelve 2 after 0: unreadable");
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:3 f"]);
}

#[test]
fn a_cancelled_job_leaves_its_worker_with_no_job() {
    let mut world = tight();
    let client = world.connect();
    fill(&mut world, client, &["a", "b"]);
    let worker = worker(&mut world);
    world.grab(worker);
    world.grab(worker);
    assert_eq!(world.admin(client, "cancel job H:localhost:2"), "refuse 9223372036854775810 NO_JOBOK\r\n");
    assert_eq!(world.answer_read(), NONE);
    assert_eq!(world.grab(worker), ["NO_JOB"]);
}

#[test]
fn a_time_limit_begins_when_the_worker_gets_the_job() {
    let mut world = tight();
    let client = world.connect();
    fill(&mut world, client, &["a", "b"]);
    let worker = world.connect();
    world.request(worker, &Request::CanDoTimeout { function: Function::from("f"), timeout_ms: 5000 });
    world.grab(worker);
    world.complete(worker, "H:localhost:1");
    world.grab(worker);
    assert_eq!(world.next_timeout(), None);
    assert_eq!(world.advance(Duration::from_secs(10)), NONE);
    world.answer_read();
    assert_eq!(world.next_timeout(), Some(Duration::from_secs(5)));
    world.advance(Duration::from_secs(5));
    assert_eq!(world.take_persisted().last().unwrap().1, "change 2 to 3 after 1");
}

#[test]
fn uniques_stay_so_submits_join_and_lists_are_exact() {
    let mut world = tight();
    let client = world.connect();
    fill(&mut world, client, &["a", "b", "c"]);
    assert_eq!(world.submit(client, "f", "c", Background), ["JOB_CREATED H:localhost:3"]);
    assert_eq!(world.submit(client, "f", "b", Foreground), ["JOB_CREATED H:localhost:2"]);
    assert_eq!(world.admin(client, "show unique jobs"), "a\nb\nc\n.\n");
    assert_eq!(world.admin(client, "status"), "f\t3\t0\t0\n.\n");
}

#[test]
fn who_is_known_by_the_workload_or_waited_for_stays_in_memory() {
    let mut world = tight();
    let (client, waiting) = (world.connect(), world.connect());
    world.submit(client, "f", "a", Background);
    world.submit(client, "f", "-", Background);
    world.submit(client, "f", "w", Background);
    world.submit(waiting, "f", "w", Foreground);
    let last = world.take_persisted().last().unwrap().0;
    world.committed(last);
    let worker = worker(&mut world);
    for handle in ["1", "2", "3"] {
        assert_eq!(world.grab(worker), [format!("JOB_ASSIGN H:localhost:{handle} f")]);
    }
    assert!(world.out.reads.is_empty());
}

#[test]
fn a_start_over_the_budget_leaves_workloads_in_the_store() {
    let mut world = World::new(Settings {
        durability: Durability::Stored,
        queue_memory_bytes: 1000,
        ..Settings::default()
    });
    load_many(&mut world, 20_000);
    world.loaded();
    world.core.check_all();
    let worker = worker(&mut world);
    let mut grabbed = 0;
    while grabbed < 20_000 {
        world.core.handle_request(world.now, worker, &Request::Grab(GrabKind::Plain), &mut world.out);
        grabbed += 1;
        // The disk is as fast as 16 grabs a batch.
        if grabbed % 16 == 0 && !world.out.reads.is_empty() {
            let (ticket, _, numbers) = world.out.reads.remove(0);
            assert!(numbers.len() <= 1024);
            for number in numbers {
                let workload = &record_of(number);
                world.core.handle_read(ticket, Found::Workload { number, workload });
            }
            world.core.handle_read_end(world.now, ticket, Ok(()), &mut world.out);
        }
        if grabbed % 2000 == 0 {
            world.core.check_all();
        }
    }
    while !world.out.reads.is_empty() {
        let (ticket, _, numbers) = world.out.reads.remove(0);
        for number in numbers {
            let workload = &record_of(number);
            world.core.handle_read(ticket, Found::Workload { number, workload });
        }
        world.core.handle_read_end(world.now, ticket, Ok(()), &mut world.out);
    }
    world.core.check_all();
    let held = world.out.sent.iter().filter(|(_, what)| what.starts_with("hold")).count();
    let got: Vec<&str> = world.out.assigned.iter().map(|(_, handle, _)| handle.as_str()).collect();
    let expected: Vec<String> = (1..=20_000).map(|number| format!("H:localhost:{number}")).collect();
    assert_eq!(got, expected, "in the order of their places");
    for (index, (_, _, workload)) in world.out.assigned.iter().enumerate() {
        assert_eq!(*workload, record_of(index as u64 + 1));
    }
    assert!(held < 200, "only the first of them waited for the disk: {held}");
}

fn record_of(number: u64) -> Vec<u8> {
    format!("workload {number:08}").into_bytes()
}

fn borrowed(workload: &[u8]) -> Record<'_> {
    let number = std::str::from_utf8(&workload[9..]).unwrap().parse().unwrap();
    Record {
        number,
        place: number,
        function: b"f",
        unique: b"",
        priority: Priority::Normal,
        workload,
        reducer: None,
        not_before: 0,
        attempts: 0,
        lost: 0,
        submitted: UnixTime::default(),
    }
}

fn load_many(world: &mut World, count: u64) {
    for number in 1..=count {
        let workload = record_of(number);
        world.core.load(world.now, Stored::Job(borrowed(&workload)), &mut world.out);
    }
}

/// A source of choices that is the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

/// What a random run knows.
struct Run {
    world: World,
    dice: Dice,
    client: ConnId,
    workers: Vec<ConnId>,
    /// Workloads by handle.
    submitted: BTreeMap<String, Vec<u8>>,
    /// Jobs that workers have, by handle.
    running: BTreeMap<String, ConnId>,
    done: BTreeSet<String>,
    seen: usize,
    next: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let queue_memory_bytes = dice.pick(&[1, 1000, 4000]);
        let mut world = World::new(Settings {
            durability: Durability::Stored,
            queue_memory_bytes,
            hash_seed: seed,
            ..Settings::default()
        });
        world.loaded();
        world.committed(1);
        let client = world.connect();
        let workers = (0..3).map(|_| worker_of_all(&mut world)).collect();
        let (submitted, running, done) = Default::default();
        Self { world, dice, client, workers, submitted, running, done, seen: 0, next: 1 }
    }

    fn step(&mut self) {
        match self.dice.below(20) {
            0..=5 => self.submit(),
            6..=9 => {
                let worker = self.dice.pick(&self.workers);
                self.world.grab(worker);
            }
            10..=12 => self.complete_one(),
            13 => self.commit(),
            14 | 15 => self.answer(),
            16 => self.fail_read(),
            17 => self.replace_worker(),
            18 => {
                let time = self.dice.pick(&[10, 400, 1000]);
                self.world.advance(Duration::from_millis(time));
            }
            _ => {
                let worker = self.dice.pick(&self.workers);
                let function = Function::from(self.dice.pick(&["f", "g"]));
                let unable = self.world.request(worker, &Request::CantDo { function });
                self.world.request(worker, &Request::CanDo { function });
                assert!(unable.len() < 100);
                self.running.retain(|handle, owner| {
                    *owner != worker || self.submitted[handle][0] != function.as_bytes()[0]
                });
            }
        }
        self.observe();
    }

    fn submit(&mut self) {
        let function = self.dice.pick(&["f", "g"]);
        let mut workload = format!("{function} {} ", self.next).into_bytes();
        workload.resize(workload.len() + usize::try_from(self.dice.below(30)).unwrap(), b'x');
        let unique = self.dice.pick(&["", "", "", "-", "u", "v", "w"]);
        let unique =
            if unique.len() == 1 && unique != "-" { format!("{unique}{}", self.next) } else { unique.into() };
        self.next += 1;
        let mode: SubmitMode = self.dice.pick(&[Background, Background, Background, Epoch(1_700_000_003)]);
        let submit = Submit {
            function: Function::from(function),
            unique: Unique::from(unique.as_str()),
            priority: self.dice.pick(&Priority::ALL),
            mode,
            reducer: None,
            workload: &workload,
        };
        let sent = self.world.request(self.client, &Request::Submit(submit));
        let handle = sent[0].rsplit(' ').next().unwrap().to_owned();
        self.submitted.insert(handle, workload);
    }

    fn commit(&mut self) {
        if let Some((last, _)) = self.world.take_persisted().last() {
            self.world.committed(*last);
        }
    }

    fn complete_one(&mut self) {
        let handles: Vec<String> = self.running.keys().cloned().collect();
        if handles.is_empty() {
            return;
        }
        let handle = &handles[usize::try_from(self.dice.below(handles.len() as u64)).unwrap()];
        let worker = self.running.remove(handle).unwrap();
        assert!(!self.world.complete(worker, handle).iter().any(|sent| sent.starts_with("ERROR")));
        assert!(self.done.insert(handle.clone()), "{handle} is done once");
    }

    /// Some of what an open read asked for is given; perhaps it ends.
    fn answer(&mut self) {
        if self.world.out.reads.is_empty() {
            return;
        }
        let (ticket, _, numbers) = self.world.out.reads[0].clone();
        if self.dice.below(3) == 0 {
            let some: Vec<u64> = numbers.into_iter().filter(|_| self.dice.below(2) == 0).collect();
            self.world.give(ticket, Wanted::Workloads, &some);
        } else {
            self.world.answer_read();
        }
    }

    fn fail_read(&mut self) {
        if self.world.out.reads.is_empty() {
            return;
        }
        let (ticket, _, numbers): (Ticket, _, Vec<u64>) = self.world.out.reads.remove(0);
        let some: Vec<u64> = numbers.into_iter().filter(|_| self.dice.below(4) == 0).collect();
        self.world.give(ticket, Wanted::Workloads, &some);
        self.world.end_read(ticket, Err("disk"));
    }

    fn replace_worker(&mut self) {
        let gone = self.workers.remove(usize::try_from(self.dice.below(3)).unwrap());
        self.world.close(gone);
        self.running.retain(|_, worker| *worker != gone);
        let new = worker_of_all(&mut self.world);
        self.workers.push(new);
    }

    /// Every job that a worker got is whole, and nobody else has it.
    fn observe(&mut self) {
        for (conn, handle, workload) in &self.world.out.assigned[self.seen..] {
            assert_eq!(Some(workload), self.submitted.get(handle), "workload of {handle}");
            assert!(!self.done.contains(handle), "{handle} was done");
            assert_eq!(self.running.insert(handle.clone(), *conn), None, "a job is on one worker");
        }
        self.seen = self.world.out.assigned.len();
    }

    /// All that was accepted is done in the end.
    fn drain(mut self) {
        for _ in 0..10_000 {
            if self.world.core.jobs() == 0 {
                break;
            }
            self.commit();
            while !self.world.out.reads.is_empty() {
                self.world.answer_read();
                self.observe();
            }
            let worker = self.dice.pick(&self.workers);
            self.world.grab(worker);
            self.observe();
            self.complete_one();
            self.world.advance(Duration::from_millis(50));
        }
        assert_eq!(self.world.core.jobs(), 0);
        let submitted: BTreeSet<String> = self.submitted.into_keys().collect();
        assert_eq!(self.done, submitted, "each job is done, once");
    }
}

fn worker_of_all(world: &mut World) -> ConnId {
    let worker = world.connect();
    world.can_do(worker, "f");
    world.can_do(worker, "g");
    worker
}

#[test]
fn whatever_the_disk_does_every_job_reaches_a_worker_whole() {
    for seed in 0..150 {
        let mut run = Run::new(seed);
        for _ in 0..250 {
            run.step();
        }
        run.drain();
    }
}
