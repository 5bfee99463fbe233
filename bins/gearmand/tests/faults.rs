//! Faults of the disk, with the real server and real files: what was acknowledged is not lost, what could not be
//! stored is refused, and the server recovers by itself once it can. `docs/store-format.md`, "Faults".
//!
//! The disk fails as it is told by a small library that is loaded into the server, `faults/disk.c`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "a test that meets the unexpected is to fail there and then"
)]

#[path = "../../../crates/server/tests/it/peer.rs"]
#[allow(dead_code, reason = "the file is shared with other tests, and each uses a part of it")]
mod peer;
#[path = "it/process.rs"]
#[allow(dead_code, reason = "the file is shared with other tests, and each uses a part of it")]
mod process;

use geartrain_proto::{Function, GrabKind, Handle, PacketKind, Request, SubmitMode};
use peer::{Peer, submit};
use process::Gearmand;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const ARGUMENTS: [&str; 5] =
    ["-lstderr", "-p0", "-L127.0.0.1", "--http-listen=none", "--libsqlite3-db=queue.db"];

/// The library, compiled once by the compiler that built SQLite.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LIBRARY.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/disk.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&path).arg(source).arg("-ldl");
        assert!(compiler.status().unwrap().success());
        (folder, path)
    });
    path
}

/// A server on a disk that fails as it is told.
struct World {
    server: Gearmand,
    acknowledged: BTreeSet<Vec<u8>>,
    submitted: u32,
}

impl World {
    fn new() -> Self {
        Self { server: Self::start(TempDir::new().unwrap()), acknowledged: BTreeSet::new(), submitted: 0 }
    }

    fn start(folder: TempDir) -> Gearmand {
        let mut command = process::command(folder.path());
        command.env("LD_PRELOAD", library()).env("FAULTS", folder.path().join("faults")).args(ARGUMENTS);
        Gearmand::spawn(folder, &mut command)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.server.folder.path().join(name)
    }

    fn tell_disk(&self, words: &str) {
        // At once as a whole: it is read all the time.
        fs::write(self.file("new"), words).unwrap();
        fs::rename(self.file("new"), self.file("faults")).unwrap();
    }

    /// Waits until the server has said this.
    fn hear(&self, text: &str) {
        process::wait_until(text, || self.server.said().iter().any(|line| line.contains(text)));
    }

    /// Submits a job; says whether it was accepted.
    fn submit(&mut self, client: &mut Peer) -> bool {
        self.submitted += 1;
        let workload = format!("{:05}{}", self.submitted, "w".repeat(8000)).into_bytes();
        client.send(&[submit("resize", SubmitMode::Background, &workload)]);
        match client.packet() {
            (PacketKind::JobCreated, _) => self.acknowledged.insert(workload[..5].to_vec()),
            (PacketKind::Error, _) => false,
            (kind, _) => panic!("{kind:?} is no answer to a submit"),
        }
    }

    fn submit_some(&mut self, client: &mut Peer, count: u32) {
        for _ in 0..count {
            assert!(self.submit(client), "{:?}", self.server.said());
        }
    }

    /// Submits until the server refuses.
    fn submit_until_refused(&mut self, client: &mut Peer) {
        let give_up = Instant::now() + peer::PATIENCE;
        while self.submit(client) {
            assert!(Instant::now() < give_up, "every job is accepted");
        }
        self.hear("background jobs are refused: ");
    }

    /// A worker that gets a job and ends it: served whatever the disk does.
    fn work_once(&mut self) {
        let mut worker = self.server.connect();
        let done = grab(&mut worker).expect("a job waits");
        assert!(self.acknowledged.remove(&done));
    }

    fn wait_for_recovery(&self) {
        self.hear("the store takes changes again");
    }

    /// Kills the server and starts it again: everything that was acknowledged is there, and runs.
    fn restart_and_drain(self) {
        self.tell_disk("");
        let Self { server, acknowledged, .. } = self;
        let server = Self::start(server.kill());
        let mut worker = server.connect();
        let mut ran = BTreeSet::new();
        while let Some(job) = grab(&mut worker) {
            ran.insert(job);
        }
        let missing: Vec<_> = acknowledged.difference(&ran).collect();
        assert!(missing.is_empty(), "{} acknowledged jobs are lost", missing.len());
    }
}

/// Gets a job and completes it; returns its mark.
fn grab(worker: &mut Peer) -> Option<Vec<u8>> {
    worker.send(&[Request::CanDo { function: Function::from("resize") }, Request::Grab(GrabKind::Plain)]);
    let (kind, body) = worker.packet();
    if kind == PacketKind::NoJob {
        return None;
    }
    assert_eq!(kind, PacketKind::JobAssign);
    let parts: Vec<&[u8]> = body.splitn(3, |byte| *byte == 0).collect();
    worker.send(&[Request::WorkComplete { handle: Handle::new(parts[0]), result: b"" }]);
    Some(parts[2][..5].to_vec())
}

/// The disk fails in this way, and is mended.
fn fails_and_recovers(words: &str, reason: &str) {
    let mut world = World::new();
    let mut client = world.server.connect();
    world.submit_some(&mut client, 20);
    world.tell_disk(words);
    world.submit_until_refused(&mut client);
    let said = world.server.said().join("\n");
    assert!(said.contains(reason), "{said}");
    world.work_once();
    assert!(!world.submit(&mut client), "nothing is accepted that cannot be stored");
    world.tell_disk("");
    world.wait_for_recovery();
    world.submit_some(&mut client, 20);
    world.restart_and_drain();
}

#[test]
fn a_full_disk_recovers_when_there_is_space() {
    fails_and_recovers("full", "is full");
}

#[test]
fn a_write_error_is_survived() {
    fails_and_recovers("write", "failed while");
}

#[test]
fn a_sync_error_is_survived() {
    fails_and_recovers("sync", "failed while syncing a batch");
}

#[test]
fn a_crash_while_the_disk_fails_loses_nothing_acknowledged() {
    for words in ["full", "write", "sync"] {
        let mut world = World::new();
        let mut client = world.server.connect();
        world.submit_some(&mut client, 20);
        world.tell_disk(words);
        world.submit_until_refused(&mut client);
        world.restart_and_drain();
    }
}

#[test]
fn a_sync_of_two_seconds_holds_answers_back_and_refuses_nothing() {
    let mut world = World::new();
    let mut client = world.server.connect();
    world.submit_some(&mut client, 5);
    world.tell_disk("slow");
    let began = Instant::now();
    client.send(&[
        submit("resize", SubmitMode::Background, b"slow1"),
        submit("resize", SubmitMode::Background, b"slow2"),
    ]);
    // Meanwhile others are served.
    let mut other = world.server.connect();
    other.send(&[Request::Echo { data: b"here" }]);
    assert_eq!(other.body_of(PacketKind::EchoRes), b"here");
    assert!(began.elapsed() < Duration::from_secs(2), "an echo waits for no disk");
    world.work_once();
    for job in [b"slow1", b"slow2"] {
        assert_eq!(client.packet().0, PacketKind::JobCreated);
        world.acknowledged.insert(job.to_vec());
    }
    assert!(began.elapsed() >= Duration::from_secs(2), "an answer came before the sync");
    world.tell_disk("");
    world.submit_some(&mut client, 5);
    world.restart_and_drain();
}

#[test]
fn a_database_that_is_removed_under_the_server_is_written_anew() {
    for names in [&["queue.db"][..], &["queue.db-wal"], &["queue.db", "queue.db-wal", "queue.db-shm"]] {
        let mut world = World::new();
        let mut client = world.server.connect();
        world.submit_some(&mut client, 20);
        for name in names {
            fs::remove_file(world.file(name)).unwrap();
        }
        world.submit_until_refused(&mut client);
        let said = world.server.said().join("\n");
        assert!(said.contains("is gone while the server uses it"), "{said}");
        world.wait_for_recovery();
        world.submit_some(&mut client, 20);
        world.restart_and_drain();
    }
}

#[test]
fn another_database_in_its_place_is_left_alone() {
    let mut world = World::new();
    let mut client = world.server.connect();
    world.submit_some(&mut client, 20);
    fs::write(world.file("other"), b"something else").unwrap();
    fs::rename(world.file("other"), world.file("queue.db")).unwrap();
    world.submit_until_refused(&mut client);
    assert!(!world.submit(&mut client));
    assert_eq!(fs::read(world.file("queue.db")).unwrap(), b"something else");
    fs::remove_file(world.file("queue.db")).unwrap();
    world.wait_for_recovery();
    world.submit_some(&mut client, 20);
    world.restart_and_drain();
}
