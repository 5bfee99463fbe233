//! Beside a real reference server: its options, and a queue that it wrote.

use crate::peer::{Peer, encode};
use crate::process::{Gearmand, HeldPort, run_in, wait_until};
use geartrain_proto::{
    Function, GrabKind, Handle, PacketKind, Priority, Request, Submit, SubmitMode, Unique,
};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const REFERENCE: &str = "/usr/sbin/gearmand";
const FILE: &str = "--libsqlite3-db=queue.db";
/// A second far behind the end of this test.
const FAR_SECOND: i64 = 4_000_000_000;

/// The reference server on a port of its own, killed when dropped.
#[derive(Debug)]
struct Reference {
    process: Child,
    port: HeldPort,
}

impl Reference {
    fn start(folder: &Path) -> Self {
        let port = HeldPort::new();
        let process = Command::new(REFERENCE)
            .args(["-q", "libsqlite3", FILE, "-L127.0.0.1", "-lstderr", "-Ppid"])
            .arg(port.option())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start {REFERENCE}: {error} (hint: `cargo xtask test` installs it)")
            });
        let mut reference = Self { process, port };
        wait_until("the reference server answers", || {
            let ended = reference.process.try_wait().unwrap();
            assert!(ended.is_none(), "the reference server ended: {ended:?}");
            TcpStream::connect(reference.port.address).is_ok()
        });
        reference
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn every_option_of_the_reference_server_is_known_and_takes_what_it_takes_there() {
    let help = Command::new(REFERENCE).arg("--help").output().unwrap_or_else(|error| {
        panic!("cannot start {REFERENCE}: {error} (hint: `cargo xtask test` installs it)")
    });
    let help = [help.stdout, help.stderr].concat();
    let folder = TempDir::new().unwrap();
    let mut options = 0;
    for line in String::from_utf8(help).unwrap().lines().filter(|line| line.starts_with("  -")) {
        let takes_value = line.contains(" arg");
        let words = line.split(' ').filter(|word| word.starts_with('-'));
        for option in words.take(1 + usize::from(line.contains("[ --"))) {
            options += 1;
            let arguments = ["--check-args", option, "1"];
            let said = run_in(folder.path(), &arguments[..2 + usize::from(takes_value)]);
            for complaint in ["unrecognised option", "is missing", "cannot be specified"] {
                assert!(!said.contains(complaint), "{option}: {said}");
            }
            let refused = ["--protocol", "-r", "--queue-type", "-q", "--config-file", "--verbose", "--ssl"];
            assert!(said.starts_with("exit 0") || refused.contains(&option), "{option}: {said}");
        }
    }
    assert!(options > 60, "only {options} options were found in the help");
}

/// A background job as it was submitted.
#[derive(Debug, Clone)]
struct Job {
    unique: Vec<u8>,
    priority: Priority,
    workload: Vec<u8>,
}

fn job(unique: &[u8], priority: Priority, workload: &[u8]) -> Job {
    Job { unique: unique.to_vec(), priority, workload: workload.to_vec() }
}

/// What is hard to carry over, in the order in which it has to be delivered.
fn jobs() -> Vec<Job> {
    let every_byte: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = (0_u32..300_000).flat_map(u32::to_be_bytes).collect();
    vec![
        job(b"high-1", Priority::High, b"\0begins and ends with NUL\0"),
        job(b"high-2", Priority::High, &large),
        job(b"not UTF-8: \xff\xfe", Priority::Normal, &every_byte),
        job(b"it's \"quoted\"; --", Priority::Normal, b"text"),
        job(b"-", Priority::Normal, b"the workload is the unique"),
        job(b"", Priority::Normal, b"no unique"),
        job(b"12345", Priority::Normal, b"67890"),
        job("\u{e9}\u{20ac}".as_bytes(), Priority::Normal, "\u{e9}\u{20ac}".as_bytes()),
        job(&[b'u'; 63], Priority::Normal, b"the longest unique that it keeps whole"),
        job(b"low-1", Priority::Low, b""),
        job(b"low-2", Priority::Low, b"\xff\xfe\0\r\n"),
    ]
}

fn submit_job<'a>(job: &'a Job, mode: SubmitMode) -> Request<'a> {
    Request::Submit(Submit {
        function: "resize".into(),
        unique: Unique::new(&job.unique),
        priority: job.priority,
        mode,
        reducer: None,
        workload: &job.workload,
    })
}

/// Has the reference server write the jobs, and ends it as a crash would. Says the second of the one for soon.
fn let_the_reference_write(folder: &Path, jobs: &[Job]) -> i64 {
    let reference = Reference::start(folder);
    let mut peer = Peer::connect(reference.port.address);
    let mut created = |request: Request<'_>| {
        peer.send(&[request]);
        peer.body_of(PacketKind::JobCreated);
    };
    // The last first among the priorities: the order of the rows must not be the order of the jobs.
    for priority in [Priority::Low, Priority::Normal, Priority::High] {
        let of_priority = jobs.iter().filter(|job| job.priority == priority);
        of_priority.for_each(|job| created(submit_job(job, SubmitMode::Background)));
    }
    // Late enough that the rest is delivered before, on a busy machine as well; how long the reference takes to write
    // is up to the disk.
    let soon = unix_second() + 8;
    for (unique, second) in [("far", FAR_SECOND), ("soon", soon)] {
        let later = job(unique.as_bytes(), Priority::Normal, b"later");
        created(submit_job(&later, SubmitMode::Epoch(second)));
    }
    soon
}

fn unix_second() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Grabs a job and completes it: its unique and workload, or `None` when there is none.
fn work(peer: &mut Peer) -> Option<(Vec<u8>, Vec<u8>)> {
    peer.send(&[Request::Grab(GrabKind::Unique)]);
    let (kind, body) = peer.packet();
    if kind == PacketKind::NoJob {
        return None;
    }
    assert_eq!(kind, PacketKind::JobAssignUniq);
    let parts: Vec<&[u8]> = body.splitn(4, |byte| *byte == 0).collect();
    assert_eq!(parts[1], b"resize");
    peer.send(&[Request::WorkComplete { handle: Handle::new(parts[0]), result: b"" }]);
    Some((parts[2].to_vec(), parts[3].to_vec()))
}

#[test]
fn all_jobs_that_the_reference_server_wrote_are_delivered() {
    let folder = TempDir::new().unwrap();
    let jobs = jobs();
    let soon = let_the_reference_write(folder.path(), &jobs);

    let arguments = ["-q", "libsqlite3", FILE];
    let mut server = Gearmand::start_in(folder, &arguments);
    let taken = format!("{} jobs were taken over", jobs.len() + 2);
    server.wait_for_line(&format!("gearmand: {taken} from the reference server's table"));
    let mut peer = server.connect();
    peer.send(&[Request::CanDo { function: Function::from("resize") }]);
    for expected in &jobs {
        let (unique, workload) = work(&mut peer).expect("each job is there");
        assert!(
            unique == expected.unique && workload == expected.workload,
            "expected {}, got {} with {} bytes",
            expected.unique.escape_ascii(),
            unique.escape_ascii(),
            workload.len()
        );
    }

    // The next one wakes its worker in its second, and not before.
    while unix_second() < soon {
        match work(&mut peer) {
            None => peer.send_bytes(&encode(&[Request::PreSleep])),
            Some((unique, _)) => panic!("{} was given before its second", unique.escape_ascii()),
        }
        peer.body_of(PacketKind::Noop);
    }
    assert_eq!(work(&mut peer).unwrap(), (b"soon".to_vec(), b"later".to_vec()));
    assert!(work(&mut peer).is_none());
    assert_eq!(peer.listing("show unique jobs"), ["far"]);

    // What was done is gone from the file as well, and what was taken over is not taken twice.
    peer.expect_alive();
    server.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
    let server = Gearmand::start_in(server.kill(), &arguments);
    let mut peer = server.connect();
    // Lists are answered while jobs are loaded, typed commands are not.
    peer.listing("workers list {}");
    assert_eq!(peer.listing("show unique jobs"), ["far"]);
}
