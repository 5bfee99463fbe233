use geartrain_conformance::{CoreServer, Mismatch, Process, Runner, Server, Talk, parse, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the distribution's package puts the reference server.
const REFERENCE: &str = "/usr/sbin/gearmand";

fn all_talks() -> Vec<Talk> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("talks");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut talks = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        talks.extend(
            parse(&name, &fs::read_to_string(&file).unwrap()).unwrap_or_else(|error| panic!("{error}")),
        );
    }
    talks
}

/// Holds every talk that is for `runner`; all that fail are told, not only the first.
///
/// `GEARTRAIN_TALK` picks those whose name has it.
fn hold_all(runner: Runner, mut start: impl FnMut(&Talk) -> Box<dyn Server>) {
    let wanted = std::env::var("GEARTRAIN_TALK").unwrap_or_default();
    let talks: Vec<Talk> = all_talks()
        .into_iter()
        .filter(|talk| talk.runners.contains(&runner) && talk.name.contains(&wanted))
        .collect();
    assert!(!talks.is_empty(), "no talk is named like {wanted:?}");
    let mismatches: Vec<Mismatch> =
        talks.iter().filter_map(|talk| run(talk, start(talk).as_mut()).err()).collect();
    for mismatch in &mismatches {
        println!("{mismatch}");
    }
    println!("{} talks held with {runner:?}, {} differ", talks.len(), mismatches.len());
    assert!(mismatches.is_empty(), "{} of {} talks differ", mismatches.len(), talks.len());
}

/// A fresh folder for each talk, below this test's own.
fn folder(runner: &str, index: &mut usize) -> PathBuf {
    *index += 1;
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{runner}-{}-{index}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn core_holds_every_talk() {
    hold_all(Runner::Core, |talk| Box::new(CoreServer::start(&talk.options)));
}

/// The daemon under test: `GEARMAND_UNDER_TEST`, or the workspace's own, built unless whoever runs all tests has
/// built it.
fn daemon() -> PathBuf {
    if let Some(named) = std::env::var_os("GEARMAND_UNDER_TEST") {
        return PathBuf::from(named);
    }
    if std::env::var_os("GEARTRAIN_BUILT").is_none() {
        let status = Command::new(env!("CARGO")).args(["build", "--quiet", "--package", "gearmand"]).status();
        assert!(status.unwrap().success(), "the daemon can be built");
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("debug").join("gearmand")
}

#[test]
fn the_daemon_holds_every_talk() {
    let daemon = daemon();
    let mut index = 0;
    hold_all(Runner::Daemon, |talk| {
        let folder = folder("daemon", &mut index);
        Box::new(Process::start(Runner::Daemon, &daemon, &talk.options, &folder))
    });
}

/// The talks say where the reference differs; this shows that they say it truly.
#[test]
fn the_reference_differs_only_where_the_talks_say_so() {
    if !Path::new(REFERENCE).exists() {
        assert!(
            std::env::var_os("GEARTRAIN_REFERENCE_REQUIRED").is_none(),
            "{REFERENCE} is missing\nhint: apt-get install gearman-job-server"
        );
        println!("{REFERENCE} is not installed, so nothing is compared");
        return;
    }
    let mut index = 0;
    hold_all(Runner::Reference, |talk| {
        let folder = folder("reference", &mut index);
        Box::new(Process::start(Runner::Reference, Path::new(REFERENCE), &talk.options, &folder))
    });
}
