//! Lists that are so long that they are put together in portions.

use crate::world::World;
use geartrain_core::{ConnId, Limits, Settings};
use geartrain_proto::SubmitMode::Background;
use std::time::Duration;

/// A queue of five jobs of five functions, all of which one worker is able to do; a portion is two entries.
fn world() -> (World, ConnId) {
    let mut world = World::new(Settings { portion: 2, ..Settings::default() });
    let worker = world.connect();
    for name in ["a", "b", "c", "d", "e"] {
        world.can_do(worker, name);
        world.submit(worker, name, &format!("unique-{name}"), Background);
    }
    (world, worker)
}

/// Does what is due until nothing is: what was sent, portion by portion.
fn portions(world: &mut World) -> Vec<String> {
    let mut sent = Vec::new();
    while world.next_timeout() == Some(Duration::ZERO) {
        sent.push(world.advance(Duration::ZERO).concat());
    }
    sent
}

#[test]
fn each_list_is_answered_whole_with_its_last_portion() {
    let (mut world, person) = world();
    for (command, list) in [
        ("status", "a\t1\t0\t1\nb\t1\t0\t1\nc\t1\t0\t1\nd\t1\t0\t1\ne\t1\t0\t1\n.\n"),
        ("prioritystatus", "a\t0\t1\t0\t1\nb\t0\t1\t0\t1\nc\t0\t1\t0\t1\nd\t0\t1\t0\t1\ne\t0\t1\t0\t1\n.\n"),
        ("show unique jobs", "unique-a\nunique-b\nunique-c\nunique-d\nunique-e\n.\n"),
    ] {
        assert_eq!(world.admin(person, command), "", "{command}");
        assert_eq!(portions(&mut world), ["", list], "{command}");
    }
    for _ in 0..4 {
        world.connect();
    }
    assert_eq!(world.admin(person, "workers"), "");
    let workers =
        "7 127.0.0.1 - : e d c b a\n7 127.0.0.1 - :\n7 127.0.0.1 - :\n7 127.0.0.1 - :\n7 127.0.0.1 - :\n.\n";
    assert_eq!(portions(&mut world), ["", workers]);
}

#[test]
fn what_comes_and_goes_between_two_portions_spoils_no_list() {
    let (mut world, person) = world();
    assert_eq!(world.admin(person, "show jobs"), "");
    for gone in [1, 3] {
        world.admin(person, &format!("cancel job H:localhost:{gone}"));
    }
    // They take the places of those that went, one before and one behind where the list is.
    for unique in ["f", "g"] {
        world.submit(person, "a", unique, Background);
    }
    let list = portions(&mut world).concat();
    let jobs: Vec<&str> = list.lines().map(|row| row.split('\t').next().unwrap()).collect();
    assert_eq!(
        jobs,
        ["H:localhost:1", "H:localhost:2", "H:localhost:6", "H:localhost:4", "H:localhost:5", "."]
    );
}

#[test]
fn several_peers_get_their_lists_one_after_the_other() {
    let (mut world, first) = world();
    let second = world.connect();
    for person in [first, second, first] {
        assert_eq!(world.admin(person, "show unique jobs"), "");
    }
    let answered: Vec<usize> = portions(&mut world).iter().map(|sent| sent.lines().count()).collect();
    assert_eq!(answered, [0, 6, 0, 6, 0, 6]);
}

#[test]
fn the_list_of_a_peer_that_left_is_not_made() {
    let (mut world, _) = world();
    let person = world.connect();
    assert_eq!(world.admin(person, "show jobs"), "");
    world.close(person);
    assert_eq!(world.next_timeout(), None);
}

#[test]
fn a_list_that_is_too_long_is_refused_in_the_middle() {
    let limits = Limits { list_bytes_max: 40, ..Limits::default() };
    let mut world = World::new(Settings { portion: 2, limits, ..Settings::default() });
    let person = world.connect();
    for _ in 0..7 {
        world.submit(person, "a", "", Background);
    }
    assert_eq!(world.admin(person, "show jobs"), "");
    let refusal = "ERR LIST_TOO_LARGE The list is over the limit of 40 bytes\r\n";
    assert_eq!(portions(&mut world), [refusal]);
}

#[test]
fn lists_that_are_made_at_once_are_limited() {
    let (mut world, person) = world();
    for _ in 0..1024 {
        assert_eq!(world.admin(person, "status"), "");
    }
    assert_eq!(world.admin(person, "status"), "ERR too many lists are being made\r\n");
    assert_eq!(portions(&mut world).iter().filter(|sent| !sent.is_empty()).count(), 1024);
}
