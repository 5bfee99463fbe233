//! Dead letters with a real store: kept over a restart, shown, requeued, dropped, and moved to another server.

use crate::peer::{Peer, submit};
use crate::world::{World, open_store};
use geartrain_core::{FileRule, Settings};
use geartrain_disk::Disk;
use geartrain_proto::command::{
    Bytes, Campaign, CampaignState, Command, Counts, DeadDrop, DeadFilter, DeadList, DeadProgress,
    DeadRequeue, DeadShow, Dropped, Export, Import, Imported, Item, LetterRow, Section, ShelfName,
};
use geartrain_proto::{Function, GrabKind, Handle, PacketKind, Request, SubmitMode};
use geartrain_server::{Config, Health};
use serde::de::DeserializeOwned;

const GRAB: Request<'_> = Request::Grab(GrabKind::Plain);

/// A server whose jobs of `f` have one attempt.
fn world(disk: &Disk, values: &[(&str, &str)]) -> World {
    let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let rules = vec![FileRule { pattern: b"f".to_vec(), values }];
    let config = Config { settings: Settings { rules, ..Settings::default() }, ..Config::default() };
    let world = World::with(config, Some(open_store(disk)));
    world.wait_until("the queue is loaded", |server| server.health() == Health::Ready);
    world
}

const ONE_ATTEMPT: [(&str, &str); 2] = [("attempts", "1"), ("retry-on", "fail,exception,disconnect")];

fn worker(world: &World, function: &[u8]) -> Peer {
    let mut worker = world.connect();
    worker.send(&[Request::CanDo { function: Function::new(function) }]);
    worker
}

/// Lets a worker take the next job, and end it with an exception, or with a result.
fn run(worker: &mut Peer, exception: Option<&[u8]>) -> Vec<u8> {
    worker.send(&[GRAB]);
    let body = worker.body_of(PacketKind::JobAssign);
    let handle = body.split(|byte| *byte == 0).next().unwrap().to_vec();
    let end = match exception {
        Some(exception) => Request::WorkException { handle: Handle::new(&handle), exception },
        None => Request::WorkComplete { handle: Handle::new(&handle), result: b"" },
    };
    worker.send(&[end]);
    worker.expect_alive();
    body
}

fn submit_bad(world: &World, count: usize) {
    let mut client = world.connect();
    let mut worker = worker(world, b"f");
    for number in 0..count {
        client.send(&[submit("f", SubmitMode::Background, format!("job {number}").as_bytes())]);
        client.body_of(PacketKind::JobCreated);
        run(&mut worker, Some(format!("no row {number}").as_bytes()));
    }
}

fn rows<T: DeserializeOwned>(admin: &mut Peer, command: Command) -> Vec<T> {
    let mut lines = admin.listing(&command.to_line());
    assert_eq!(lines.pop().as_deref(), Some("{}"), "one page: {lines:?}");
    lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn row<T: DeserializeOwned>(admin: &mut Peer, command: Command) -> T {
    rows(admin, command).pop().expect("a row")
}

/// Dead letters, once they are durable.
fn dead(admin: &mut Peer, count: usize) -> Vec<LetterRow> {
    let mut letters = Vec::new();
    crate::world::wait_until("the letters are durable", || {
        letters = rows(admin, Command::DeadList(Box::default()));
        letters.len() == count
    });
    letters
}

fn requeue(admin: &mut Peer, order: DeadRequeue) -> Campaign {
    row(admin, Command::DeadRequeue(Box::new(order)))
}

fn follow(admin: &mut Peer, campaign: Campaign, until: impl Fn(&Campaign) -> bool) -> Campaign {
    let mut now = campaign;
    crate::world::wait_until("the campaign is there", || {
        now = row(admin, Command::DeadProgress(Box::new(DeadProgress { campaign: campaign.campaign })));
        until(&now)
    });
    now
}

/// I14: off the queue and onto the shelf.
#[test]
fn a_dead_letter_outlives_the_server_with_its_workload_and_attempts() {
    let disk = Disk::new(1);
    let first = world(&disk, &ONE_ATTEMPT);
    submit_bad(&first, 1);
    first.stop();
    let second = world(&disk, &ONE_ATTEMPT);
    let mut admin = second.connect();
    let [letter] = dead(&mut admin, 1).try_into().unwrap();
    assert_eq!((letter.how.as_str(), letter.attempts), ("exception", 1));
    let show = DeadShow { shelf: ShelfName::Dead, handle: letter.handle };
    let shown: LetterRow = row(&mut admin, Command::DeadShow(Box::new(show)));
    assert_eq!(shown.workload, Some(Bytes::from("job 0")));
    let [attempt] = shown.log.try_into().unwrap();
    assert_eq!((attempt.text, attempt.how.as_str()), (Bytes::from("no row 0"), "exception"));
}

/// I19: nothing more is released.
#[test]
fn a_canary_that_dies_again_stops_its_campaign() {
    let disk = Disk::new(2);
    let world = world(&disk, &ONE_ATTEMPT);
    submit_bad(&world, 5);
    let mut admin = world.connect();
    dead(&mut admin, 5);
    let campaign = requeue(&mut admin, DeadRequeue { canary: 1, ..DeadRequeue::default() });
    assert_eq!((campaign.state, campaign.matched), (CampaignState::Canary, 5));
    let mut worker = worker(&world, b"f");
    follow(&mut admin, campaign, |now| now.released == 1);
    run(&mut worker, Some(b"still no row"));
    let stopped = follow(&mut admin, campaign, |now| now.state == CampaignState::Stopped);
    assert_eq!((stopped.released, stopped.completed, stopped.died), (1, 0, 1));
    dead(&mut admin, 5);
    assert_eq!(admin.listing("show jobs"), [""; 0]);
}

#[test]
fn where_a_canary_is_cancelled_another_takes_its_place() {
    let disk = Disk::new(10);
    let world = world(&disk, &ONE_ATTEMPT);
    submit_bad(&world, 3);
    let mut admin = world.connect();
    dead(&mut admin, 3);
    let campaign = requeue(&mut admin, DeadRequeue { canary: 1, ..DeadRequeue::default() });
    follow(&mut admin, campaign, |now| now.released == 1);
    let jobs = admin.listing("show jobs");
    let (handle, _) = jobs[0].split_once('\t').unwrap();
    let cancel = format!("cancel job {handle}\r\n");
    admin.send_bytes(cancel.as_bytes());
    assert_eq!(admin.line(), "OK\r\n");
    let now = follow(&mut admin, campaign, |now| now.released == 2);
    assert_eq!((now.state, now.completed), (CampaignState::Canary, 0), "the rest still waits");
}

#[test]
fn letters_go_back_as_other_jobs_where_that_is_asked_for() {
    let disk = Disk::new(3);
    let world = world(&disk, &ONE_ATTEMPT);
    submit_bad(&world, 3);
    let mut admin = world.connect();
    let handle = dead(&mut admin, 3)[1].handle.clone();
    let order = DeadRequeue {
        filter: DeadFilter { text: Some(Bytes::from("job 1")), ..DeadFilter::default() },
        function: Some(Bytes::from("g")),
        workload: Some(Bytes::from("mended")),
        ..DeadRequeue::default()
    };
    let campaign = requeue(&mut admin, order);
    let released = follow(&mut admin, campaign, |now| now.released == 1);
    assert_eq!(released.matched, 1, "the others have another workload");
    let mut worker = worker(&world, b"g");
    let assigned = run(&mut worker, None);
    assert_eq!(assigned, [handle.as_bytes(), b"g", b"mended"].join(&0), "its handle is the old one");
    follow(&mut admin, campaign, |now| now.state == CampaignState::Done);
    dead(&mut admin, 2);
}

#[test]
fn a_letter_whose_unique_lives_stays_where_it_is() {
    let disk = Disk::new(4);
    let world = world(&disk, &ONE_ATTEMPT);
    let (mut client, mut worker) = (world.connect(), worker(&world, b"f"));
    let unique = |workload| {
        let mut request = submit("f", SubmitMode::Background, workload);
        if let Request::Submit(submit) = &mut request {
            submit.unique = "u".into();
        }
        request
    };
    client.send(&[unique(b"first")]);
    client.body_of(PacketKind::JobCreated);
    run(&mut worker, Some(b"no"));
    let mut admin = world.connect();
    dead(&mut admin, 1);
    client.send(&[unique(b"second")]);
    client.body_of(PacketKind::JobCreated);
    let campaign = requeue(&mut admin, DeadRequeue::default());
    let done = follow(&mut admin, campaign, |now| now.state == CampaignState::Done);
    assert_eq!((done.matched, done.released), (0, 0));
    dead(&mut admin, 1);
}

#[test]
fn letters_are_kept_as_long_as_the_policy_says_and_counted_when_they_go() {
    let disk = Disk::new(5);
    let mut policy = ONE_ATTEMPT.to_vec();
    policy.push(("dead-count", "2"));
    let world = world(&disk, &policy);
    submit_bad(&world, 5);
    let mut admin = world.connect();
    // Two are listed as well before the last ones are durable.
    crate::world::wait_until("three are removed", || {
        let counts: Counts = row(&mut admin, Command::DeadCounts(Box::default()));
        (counts.dead, counts.groups, counts.removed) == (2, 1, 3)
    });
    crate::world::wait_until("the last two are durable", || {
        let left: Vec<LetterRow> = rows(&mut admin, Command::DeadList(Box::default()));
        left.len() == 2 && left.iter().all(|letter| letter.error.as_bytes() >= b"no row 3".as_slice())
    });
}

#[test]
fn letters_are_dropped_by_what_they_say() {
    let disk = Disk::new(6);
    let world = world(&disk, &ONE_ATTEMPT);
    submit_bad(&world, 4);
    let mut admin = world.connect();
    dead(&mut admin, 4);
    let filter = DeadFilter { text: Some(Bytes::from("no row 2")), ..DeadFilter::default() };
    let mut drop = DeadDrop { filter, dry: true, ..DeadDrop::default() };
    let counted: Dropped = row(&mut admin, Command::DeadDrop(Box::new(drop.clone())));
    drop.dry = false;
    let dropped: Dropped = row(&mut admin, Command::DeadDrop(Box::new(drop)));
    assert_eq!((counted.matched, dropped.matched), (1, 1));
    let left = dead(&mut admin, 3);
    assert!(left.iter().all(|letter| letter.error != Bytes::from("no row 2")));
}

#[test]
fn finished_jobs_are_kept_where_the_policy_says_so() {
    let disk = Disk::new(7);
    let world = world(&disk, &[("finished-count", "10")]);
    let (mut client, mut worker) = (world.connect(), worker(&world, b"f"));
    client.send(&[submit("f", SubmitMode::Background, b"done")]);
    client.body_of(PacketKind::JobCreated);
    run(&mut worker, None);
    let mut admin = world.connect();
    let list = DeadList { shelf: ShelfName::Finished, ..DeadList::default() };
    crate::world::wait_until("it is durable", || {
        let mut peer = world.connect();
        !rows::<LetterRow>(&mut peer, Command::DeadList(Box::new(list.clone()))).is_empty()
    });
    let finished: LetterRow = row(&mut admin, Command::DeadList(Box::new(list)));
    assert_eq!((finished.how.as_str(), finished.attempts), ("completed", 0));
}

#[test]
fn in_memory_dead_letters_can_be_requeued_as_well() {
    let values = ONE_ATTEMPT.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let rules = vec![FileRule { pattern: b"f".to_vec(), values }];
    let settings = Settings { rules, ..Settings::default() };
    let world = World::with(Config { settings, ..Config::default() }, None);
    submit_bad(&world, 2);
    let mut admin = world.connect();
    dead(&mut admin, 2);
    let campaign = requeue(&mut admin, DeadRequeue::default());
    follow(&mut admin, campaign, |now| now.released == 2);
    let mut worker = worker(&world, b"f");
    run(&mut worker, None);
    run(&mut worker, None);
    follow(&mut admin, campaign, |now| now.state == CampaignState::Done);
    dead(&mut admin, 0);
}

/// All items of an export.
fn export(admin: &mut Peer) -> Vec<Item> {
    let mut items = Vec::new();
    for section in [Section::Policies, Section::Schedules, Section::Dead, Section::Jobs] {
        let export = Export { section, after: 0, filter: DeadFilter::default() };
        items.extend(rows::<Item>(admin, Command::Export(Box::new(export))));
    }
    items
}

fn import(admin: &mut Peer, items: &[Item]) -> Vec<String> {
    let one = |item: &Item| {
        let imported: Imported =
            row(admin, Command::Import(Box::new(Import { item: item.clone(), check: false })));
        imported.outcome
    };
    items.iter().map(one).collect()
}

/// I18: what is known is not taken in again.
#[test]
fn a_queue_moves_to_another_server_once() {
    let (here, there) = (Disk::new(8), Disk::new(9));
    let old = world(&here, &ONE_ATTEMPT);
    submit_bad(&old, 2);
    let mut client = old.connect();
    for workload in ["first", "second", "third"] {
        client.send(&[submit("g", SubmitMode::Background, workload.as_bytes())]);
        client.body_of(PacketKind::JobCreated);
    }
    let mut admin = old.connect();
    dead(&mut admin, 2);
    admin.listing(r#"policy set {"function":"h*","values":{"attempts":7}}"#);
    let items = export(&mut admin);
    assert_eq!(items.len(), 1 + 2 + 3, "{items:?}");
    assert_eq!(import(&mut admin, &items), ["known"; 6], "at home all of it is known");

    let new = world(&there, &ONE_ATTEMPT);
    let mut admin = new.connect();
    assert_eq!(import(&mut admin, &items), ["new"; 6]);
    assert_eq!(import(&mut admin, &items), ["known"; 6], "a second time doubles nothing");
    drop(admin);
    new.stop();

    let again = world(&there, &ONE_ATTEMPT);
    let mut admin = again.connect();
    assert_eq!(import(&mut admin, &items), ["known"; 6], "nor after a restart");
    let letters = dead(&mut admin, 2);
    let show = DeadShow { shelf: ShelfName::Dead, handle: letters[0].handle.clone() };
    let shown: LetterRow = row(&mut admin, Command::DeadShow(Box::new(show)));
    assert_eq!((shown.log.len(), shown.workload), (1, Some(Bytes::from("job 0"))));
    let mut worker = worker(&again, b"g");
    for workload in ["first", "second", "third"] {
        let assigned = run(&mut worker, None);
        assert!(assigned.ends_with(workload.as_bytes()), "{}", assigned.escape_ascii());
    }
    assert_eq!(admin.listing("show jobs"), [""; 0]);
}
