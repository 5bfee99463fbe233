//! Jobs of death, with workers in PHP that know nothing of it: three kill whatever runs them, five throw, and
//! a thousand good ones are done all the same. The bad ones become dead letters, the workers are mended, and the
//! dead letters are requeued, a canary first.
//!
//! The PHP extension is Debian's `php-gearman`, which `cargo xtask install` installs; without it this fails.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that meets the unexpected is to fail there and then"
)]

#[path = "../../../crates/server/tests/it/peer.rs"]
#[allow(dead_code, reason = "the file is shared with other tests, and each uses a part of it")]
mod peer;
#[path = "it/process.rs"]
#[allow(dead_code, reason = "the file is shared with other tests, and each uses a part of it")]
mod process;

use geartrain_proto::command::{
    AttemptRow, Campaign, CampaignState, Command as Typed, DeadFilter, DeadProgress, DeadRequeue, DeadShow,
    GroupRow, LetterRow,
};
use geartrain_proto::{PacketKind, SubmitMode};
use peer::{Peer, submit};
use process::Gearmand;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const WORKERS: usize = 5;
const GOOD: usize = 1000;
const KILLERS: usize = 3;
const THROWERS: usize = 5;
const ATTEMPTS: u32 = 4;

const POLICY: &str = r#"
[function."res*"]
attempts = 4
retry-on = ["disconnect", "timeout", "exception"]
backoff-first = "50ms"
backoff-factor = 2
"#;

/// Workers that are started again when they die, as a supervisor would do it.
struct Workers {
    port: u16,
    folder: PathBuf,
    children: Vec<Child>,
    deaths: usize,
}

impl Workers {
    fn start(port: u16, folder: &Path, handler: &str) -> Self {
        fs::write(folder.join("handler.php"), handler).unwrap();
        let mut workers = Self { port, folder: folder.to_owned(), children: Vec::new(), deaths: 0 };
        workers.children = (0..WORKERS).map(|_| workers.spawn()).collect();
        workers
    }

    fn spawn(&self) -> Child {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/php/worker.php");
        let mut command = Command::new("php");
        command.arg(script).arg(self.port.to_string());
        command.arg(self.folder.join("handler.php")).arg(self.finished());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.spawn().expect("php runs (hint: cargo xtask install)")
    }

    fn finished(&self) -> PathBuf {
        self.folder.join("finished")
    }

    fn restart_the_dead(&mut self) {
        for index in 0..self.children.len() {
            if self.children[index].try_wait().unwrap().is_some() {
                self.deaths += 1;
                self.children[index] = self.spawn();
            }
        }
    }

    /// How often each job was finished.
    fn finished_jobs(&self) -> BTreeMap<String, usize> {
        let mut jobs = BTreeMap::new();
        for job in fs::read_to_string(self.finished()).unwrap_or_default().lines() {
            *jobs.entry(job.to_owned()).or_default() += 1;
        }
        jobs
    }

    /// Goes on until `reached`, and starts workers that died meanwhile.
    fn until(&mut self, what: &str, mut reached: impl FnMut(&Self) -> bool) {
        let give_up = Instant::now() + Duration::from_secs(60);
        while !reached(self) {
            assert!(Instant::now() < give_up, "not reached: {what}");
            self.restart_the_dead();
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.children {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Submits a background job for each workload, all at once, and waits until the server has them.
fn submit_all(client: &mut Peer, workloads: impl Iterator<Item = String>) {
    let mut count = 0;
    for workload in workloads {
        client.send(&[submit("resize", SubmitMode::Background, workload.as_bytes())]);
        count += 1;
    }
    for _ in 0..count {
        client.body_of(PacketKind::JobCreated);
    }
}

/// Asks for everything that is the answer to a command.
fn ask(peer: &mut Peer, command: &Typed) -> Vec<String> {
    let mut rows = peer.listing(&command.to_line());
    assert_eq!(rows.pop().as_deref(), Some("{}"), "the answer is one page: {rows:?}");
    rows
}

fn rows<T: DeserializeOwned>(peer: &mut Peer, command: &Typed) -> Vec<T> {
    ask(peer, command).iter().map(|row| serde_json::from_str(row).expect(row)).collect()
}

fn dead(peer: &mut Peer) -> Vec<LetterRow> {
    rows(peer, &Typed::DeadList(Box::default()))
}

fn log_of(peer: &mut Peer, letter: &LetterRow) -> Vec<AttemptRow> {
    let show = DeadShow { shelf: Default::default(), handle: letter.handle.clone() };
    let mut shown: Vec<LetterRow> = rows(peer, &Typed::DeadShow(Box::new(show)));
    shown.pop().expect("the letter is there").log
}

#[test]
fn bad_jobs_become_dead_letters_and_good_ones_are_done() {
    let folder = tempfile::TempDir::new().unwrap();
    let config = folder.path().join("gearmand.toml");
    fs::write(&config, POLICY).unwrap();
    let server =
        Gearmand::start(&["--libsqlite3-db=queue.db", &format!("--config-file={}", config.display())]);
    let broken = include_str!("php/broken.php");
    let mut workers = Workers::start(server.address().port(), folder.path(), broken);
    let (mut client, mut admin) = (server.connect(), server.connect());

    let bad: Vec<String> = (0..KILLERS).map(|n| format!("killer {n}")).collect();
    let bad = bad.into_iter().chain((0..THROWERS).map(|n| format!("thrower {n}"))).collect::<Vec<_>>();
    let started = Instant::now();
    submit_all(&mut client, (0..GOOD).map(|n| format!("good {n}, nothing bad about")));
    workers
        .until("the good jobs before the bad ones are done", |workers| workers.finished_jobs().len() == GOOD);
    let alone = started.elapsed();
    let started = Instant::now();
    let beside = |n: usize| bad.get(n / 100).filter(|_| n % 100 == 50).cloned();
    submit_all(&mut client, (0..GOOD).flat_map(|n| [Some(format!("good {n}")), beside(n)]).flatten());
    workers.until("all good jobs are done", |workers| workers.finished_jobs().len() == 2 * GOOD);
    println!("{GOOD} good jobs: {alone:?} alone, {:?} beside {} bad ones", started.elapsed(), bad.len());
    workers.until("all bad jobs are dead letters", |_| dead(&mut admin).len() == bad.len());
    workers.until("the last victims are back", |workers| workers.deaths >= KILLERS * 3);

    let done = workers.finished_jobs();
    assert!(done.iter().all(|(job, times)| job.starts_with("good") && *times == 1), "{done:?}");
    assert_eq!(workers.deaths, KILLERS * 3, "each killer had three workers");
    let letters = dead(&mut admin);
    let of = |how: &str| letters.iter().filter(|letter| letter.how == how).collect::<Vec<_>>();
    let (killers, throwers) = (of("lost-workers"), of("exception"));
    assert_eq!((killers.len(), throwers.len()), (KILLERS, THROWERS), "{letters:?}");
    for killer in killers {
        let log = log_of(&mut admin, killer);
        assert_eq!(log.len(), 3, "{log:?}");
        assert!(log.iter().all(|attempt| attempt.how == "disconnect"), "{log:?}");
    }
    for thrower in throwers {
        assert_eq!(thrower.attempts, ATTEMPTS);
        let log = log_of(&mut admin, thrower);
        assert_eq!(log.iter().map(|attempt| attempt.attempt).collect::<Vec<_>>(), [1, 2, 3, 4]);
        let text = String::from_utf8(log[3].text.0.clone()).unwrap();
        assert!(text.starts_with("no decoder for profile 0x"), "{text}");
        assert!(log.windows(2).all(|pair| pair[1].started - pair[0].ended >= 50), "each waits: {log:?}");
    }
    let groups: Vec<GroupRow> = rows(&mut admin, &Typed::DeadGroups(Box::default()));
    let mut counts: Vec<(&str, u64)> = groups.iter().map(|group| (group.how.as_str(), group.count)).collect();
    counts.sort_unstable();
    assert_eq!(counts, [("exception", THROWERS as u64), ("lost-workers", KILLERS as u64)]);

    drop(workers);
    let mut workers = Workers::start(server.address().port(), folder.path(), include_str!("php/mended.php"));
    for group in groups {
        let filter = DeadFilter { group: Some(group.group.clone()), ..DeadFilter::default() };
        let order =
            DeadRequeue { filter, canary: 1, rate: Some("50/s".to_owned()), ..DeadRequeue::default() };
        let mut campaign = campaign(&mut admin, &Typed::DeadRequeue(Box::new(order)));
        workers.until("the group is back", |_| {
            assert!(campaign.state != CampaignState::Stopped, "{campaign:?}");
            let ask = Typed::DeadProgress(Box::new(DeadProgress { campaign: campaign.campaign }));
            campaign = self::campaign(&mut admin, &ask);
            campaign.state == CampaignState::Done
        });
        assert_eq!((campaign.matched, campaign.completed, campaign.died), (group.count, group.count, 0));
    }
    assert_eq!(dead(&mut admin), [], "no dead letter is left");
    assert_eq!(admin.listing("show jobs"), [""; 0], "no job is left");
    assert_eq!(workers.finished_jobs().len(), 2 * GOOD + bad.len());
    assert_eq!(workers.deaths, 0);
}

fn campaign(admin: &mut Peer, command: &Typed) -> Campaign {
    rows(admin, command).pop().expect("one campaign")
}

#[test]
fn php_is_there() {
    let modules = Command::new("php").arg("-m").output().expect("php runs (hint: cargo xtask install)");
    let modules = String::from_utf8_lossy(&modules.stdout).into_owned();
    for module in ["gearman", "posix"] {
        assert!(
            modules.lines().any(|line| line == module),
            "{module} is missing (hint: cargo xtask install)"
        );
    }
}
