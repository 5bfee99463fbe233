//! `kill -9` with retries, dead letters, pauses and a schedule in flight: after every restart each acknowledged
//! job is done, waits, or is a dead letter, and exactly one of them.

use super::{Packets, from_environment};
use crate::peer::{Peer, encode, submit};
use crate::process::{self, Gearmand};
use geartrain_proto::command::{Item, Section};
use geartrain_proto::{Function, GrabKind, Handle, PacketKind, Request, SubmitMode};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const CONFIG: &str = r#"
[function."sha*"]
attempts = 3
retry-on = "disconnect,timeout,fail,exception"
backoff-first = "20ms"
backoff-max = "100ms"
backoff-jitter = 0.5
"#;
const ARGUMENTS: [&str; 3] = ["--libsqlite3-db=queue.db", "--verbose=ERROR", "--config-file=gearmand.toml"];
const CLIENTS: usize = 3;
const WORKERS: usize = 4;
const IN_FLIGHT: usize = 8;

/// What workers do with a job, whoever gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    Good,
    Fails,
    Throws,
    /// The worker that gets it is gone.
    Kills,
}

fn nature(number: u64) -> Nature {
    match number % 23 {
        0 => Nature::Kills,
        1 | 2 => Nature::Fails,
        3 | 4 => Nature::Throws,
        _ => Nature::Good,
    }
}

#[derive(Debug, Default)]
struct Seen {
    submitted: AtomicU64,
    acknowledged: Mutex<BTreeSet<u64>>,
    /// Jobs that a worker said it completed.
    completed: Mutex<BTreeSet<u64>>,
    this_life: AtomicUsize,
    /// The server is about to be killed, or is gone.
    ends: AtomicBool,
}

/// Where the server says that jobs are.
#[derive(Debug, Default)]
struct Found {
    waiting: BTreeMap<u64, u32>,
    dead: BTreeMap<u64, u32>,
}

#[test]
fn every_acknowledged_job_is_done_waits_or_is_a_dead_letter() {
    let rounds = from_environment("KILL9_ROUNDS", 50);
    let mut random = from_environment("KILL9_SEED", 1);
    let seen = Arc::new(Seen::default());
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("gearmand.toml"), CONFIG).unwrap();
    let mut server = Gearmand::start_in(folder, &ARGUMENTS);
    let added = ask(
        &mut server.connect(),
        r#"schedule add {"name":"tick","when":"every 1s","function":"tick","workload":"t"}"#,
    );
    assert!(added[0].contains("\"tick\""), "{added:?}");
    let (mut most_dead, mut paused_rounds) = (0, 0);
    for _ in 0..rounds {
        seen.this_life.store(0, Ordering::SeqCst);
        seen.ends.store(false, Ordering::SeqCst);
        let peers = start_peers(server.address(), &seen);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let enough = 1 + usize::try_from(random >> 33).unwrap() % 300;
        process::wait_until("jobs are acknowledged", || seen.this_life.load(Ordering::SeqCst) >= enough);
        let pauses = random >> 62 == 0;
        if pauses {
            paused_rounds += 1;
            let answer =
                ask(&mut server.connect(), r#"policy set {"function":"shaky","values":{"paused":true}}"#);
            assert!(!answer[0].contains("\"error\""), "{answer:?}");
        }
        seen.ends.store(true, Ordering::SeqCst);
        let folder = server.kill();
        peers.into_iter().for_each(|peer| peer.join().expect("no peer fails"));
        server = Gearmand::start_in(folder, &ARGUMENTS);
        let mut operator = server.connect();
        let found = check(&mut operator, &seen);
        most_dead = most_dead.max(found.dead.len());
        let shown = ask(&mut operator, r#"policy show {"function":"shaky"}"#).concat();
        assert!(!pauses || shown.contains(r#""paused":["true","set:shaky"]"#), "the pause is lost: {shown}");
        let schedule = ask(&mut operator, r#"schedule show {"name":"tick"}"#).concat();
        assert!(schedule.contains("every 1s"), "the schedule is lost: {schedule}");
        ask(&mut operator, r#"policy set {"function":"shaky","values":{"paused":false}}"#);
    }
    drain(&server, &seen);
    let found = check(&mut server.connect(), &seen);
    assert_eq!(found.waiting, BTreeMap::new(), "jobs that nobody was given");
    let acknowledged = seen.acknowledged.lock().unwrap();
    let bad = acknowledged.iter().filter(|number| nature(**number) != Nature::Good);
    let bad: BTreeSet<u64> = bad.copied().collect();
    let dead: BTreeSet<u64> = found.dead.keys().copied().filter(|it| acknowledged.contains(it)).collect();
    assert_eq!(dead, bad, "the bad jobs, and no others, are dead letters");
    assert!(found.dead.values().all(|attempts| *attempts == 3), "attempts: {:?}", found.dead);
    assert!(most_dead > 0 && paused_rounds > 0, "nothing died, or nothing was paused");
    println!(
        "{rounds} kills, {paused_rounds} with a pause, {} jobs acknowledged, {} dead letters",
        acknowledged.len(),
        dead.len()
    );
}

/// Each acknowledged job is in one place.
fn check(operator: &mut Peer, seen: &Seen) -> Found {
    let found = Found { waiting: export(operator, Section::Jobs), dead: export(operator, Section::Dead) };
    let completed = seen.completed.lock().unwrap();
    for number in seen.acknowledged.lock().unwrap().iter() {
        let (waits, is_dead) = (found.waiting.contains_key(number), found.dead.contains_key(number));
        assert!(!(waits && is_dead), "job {number} waits and is a dead letter");
        match nature(*number) {
            // Its end may have been on its way to the disk: then it waits once more.
            Nature::Good => assert!(
                !is_dead && (waits || completed.contains(number)),
                "job {number}: waits {waits}, dead {is_dead}, completed {}",
                completed.contains(number)
            ),
            bad => assert!(waits || is_dead, "job {number}, which {bad:?}, is nowhere"),
        }
    }
    found
}

/// The jobs of a section, and their attempts.
fn export(operator: &mut Peer, section: Section) -> BTreeMap<u64, u32> {
    let name = serde_json::to_string(&section).unwrap();
    let (mut jobs, mut after) = (BTreeMap::new(), Some(0));
    while let Some(from) = after {
        let mut rows = ask(operator, &format!(r#"export {{"section":{name},"after":{from}}}"#));
        let page: serde_json::Value = serde_json::from_str(&rows.pop().expect("a page ends")).unwrap();
        assert!(page.get("error").is_none(), "{page}");
        after = page.get("next").and_then(serde_json::Value::as_u64);
        for row in rows {
            let Item::Job { function, workload, attempts, log, .. } = serde_json::from_str(&row).unwrap()
            else {
                panic!("no job: {row}")
            };
            if function.as_bytes() == b"shaky" {
                assert_eq!(log.len(), attempts as usize, "the log of {row}");
                let number = std::str::from_utf8(workload.as_bytes()).unwrap().parse().unwrap();
                assert!(jobs.insert(number, attempts).is_none(), "job {number} is there twice");
            }
        }
    }
    jobs
}

/// The rows of an answer, the page at its end with them.
fn ask(operator: &mut Peer, line: &str) -> Vec<String> {
    operator.send_bytes(format!("{line}\n").as_bytes());
    let mut answer = Vec::new();
    let mut bytes = [0; 65_536];
    while answer != b".\n" && !answer.ends_with(b"\n.\n") {
        let len = operator.stream.read(&mut bytes).expect("an answer comes");
        assert!(len > 0, "the server is gone");
        answer.extend_from_slice(&bytes[..len]);
    }
    let text = String::from_utf8(answer).unwrap();
    text.lines().filter(|line| *line != ".").map(str::to_owned).collect()
}

fn start_peers(address: std::net::SocketAddr, seen: &Arc<Seen>) -> Vec<thread::JoinHandle<()>> {
    let clients = (0..CLIENTS).map(|_| {
        let (peer, seen) = (Peer::connect(address), Arc::clone(seen));
        thread::spawn(move || submit_until_the_end(peer, &seen))
    });
    let clients: Vec<_> = clients.collect();
    let workers = (0..WORKERS).map(|_| {
        let seen = Arc::clone(seen);
        thread::spawn(move || {
            // A worker that a job has killed is followed by another one.
            while !seen.ends.load(Ordering::SeqCst) {
                let Ok(stream) = std::net::TcpStream::connect(address) else { return };
                work(Peer { stream }, &seen);
            }
        })
    });
    clients.into_iter().chain(workers).collect()
}

fn submit_until_the_end(mut peer: Peer, seen: &Seen) {
    let mut in_flight = VecDeque::new();
    let mut reader = Packets::new(&peer);
    loop {
        while in_flight.len() < IN_FLIGHT {
            let number = seen.submitted.fetch_add(1, Ordering::SeqCst);
            let workload = number.to_string();
            let packet = encode(&[submit("shaky", SubmitMode::Background, workload.as_bytes())]);
            if peer.stream.write_all(&packet).is_err() {
                break;
            }
            in_flight.push_back(number);
        }
        let Some((kind, _)) = reader.next() else { return };
        assert_eq!(kind, PacketKind::JobCreated);
        let number = in_flight.pop_front().expect("an answer to a submit");
        seen.acknowledged.lock().unwrap().insert(number);
        seen.this_life.fetch_add(1, Ordering::SeqCst);
    }
}

/// Works until the server is gone, or a job has killed the worker.
fn work(mut peer: Peer, seen: &Seen) {
    let mut reader = Packets::new(&peer);
    let able = ["shaky", "tick"].map(|name| Request::CanDo { function: Function::from(name) });
    let grab = encode(&[Request::Grab(GrabKind::Plain)]);
    let mut going = peer.stream.write_all(&encode(&able)).is_ok() && peer.stream.write_all(&grab).is_ok();
    while going {
        let Some((kind, body)) = reader.next() else { return };
        let answer = match kind {
            PacketKind::NoJob => encode(&[Request::PreSleep]),
            PacketKind::Noop => grab.clone(),
            _ => match report(&body, seen) {
                Some(report) => [report, grab.clone()].concat(),
                None => return,
            },
        };
        going = peer.stream.write_all(&answer).is_ok();
    }
}

/// What a worker says of a job; `None` where it does not live to say it.
fn report(body: &[u8], seen: &Seen) -> Option<Vec<u8>> {
    let mut parts = body.splitn(3, |byte| *byte == 0);
    let (handle, function, workload) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let handle = Handle::new(handle);
    let complete = encode(&[Request::WorkComplete { handle, result: b"" }]);
    if function == b"tick" {
        return Some(complete);
    }
    let number = std::str::from_utf8(workload).unwrap().parse().unwrap();
    match nature(number) {
        Nature::Kills => None,
        Nature::Fails => Some(encode(&[Request::WorkFail { handle }])),
        Nature::Throws => Some(encode(&[Request::WorkException { handle, exception: b"no such file 7" }])),
        Nature::Good => {
            seen.completed.lock().unwrap().insert(number);
            Some(complete)
        }
    }
}

/// Runs what is left, pauses before further attempts included.
fn drain(server: &Gearmand, seen: &Arc<Seen>) {
    seen.ends.store(false, Ordering::SeqCst);
    let mut operator = server.connect();
    ask(&mut operator, r#"schedule remove {"name":"tick"}"#);
    let address = server.address();
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let seen = Arc::clone(seen);
            thread::spawn(move || {
                while !seen.ends.load(Ordering::SeqCst) {
                    let Ok(stream) = std::net::TcpStream::connect(address) else { return };
                    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
                    work(Peer { stream }, &seen);
                }
            })
        })
        .collect();
    let give_up = Instant::now() + Duration::from_secs(60);
    while !export(&mut operator, Section::Jobs).is_empty() {
        assert!(Instant::now() < give_up, "jobs are left over");
        thread::sleep(Duration::from_millis(50));
    }
    seen.ends.store(true, Ordering::SeqCst);
    workers.into_iter().for_each(|worker| worker.join().expect("no worker fails"));
}
