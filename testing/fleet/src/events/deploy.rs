//! Two releases, deployed by a changed file while all four languages work: one whose workers do not even start, and
//! one that is good. Then one program is made larger and smaller by hand.
//!
//! Never: fewer ready processes than configured, whatever becomes of the new ones.

use crate::Result;
use crate::config::{STEADY, STEADY_PROCESSES};
use crate::job_log::What;
use crate::manager::{Line, pids, ready};
use crate::play::{Stage, replace};
use geartrain_manager::protocol::ProgramStatus;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How often the number of ready processes is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(30);

pub(super) fn play(stage: &Stage) -> Result {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watched = scope.spawn(|| never_fewer(stage, &is_over));
        let deployed = broken_release(stage).and_then(|()| good_release(stage));
        is_over.store(true, Ordering::Relaxed);
        let watched = watched.join().map_err(|_| "the look at the number panicked")?;
        deployed.and(watched)
    })?;
    by_hand(stage)
}

/// Looks at the four programs until it is over.
fn never_fewer(stage: &Stage, is_over: &AtomicBool) -> Result {
    while !is_over.load(Ordering::Relaxed) {
        for program in stage.manager.status()?.programs {
            if STEADY.contains(&program.program.as_str()) && ready(&program) < STEADY_PROCESSES {
                return Err(format!("fewer ready than configured: {program:?}").into());
            }
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

fn pids_of_all(stage: &Stage) -> Result<BTreeMap<&'static str, BTreeSet<i32>>> {
    STEADY.iter().map(|name| Ok((*name, pids(&stage.manager.program(name)?)))).collect()
}

/// The first process of it fails, and all others stay as they are.
fn broken_release(stage: &Stage) -> Result {
    let before = pids_of_all(stage)?;
    let mark = stage.manager.mark();
    replace(&stage.folder.join("release"), "broken\n")?;
    for name in STEADY {
        let held = format!("{name} restart: held");
        let (_, held) = stage.manager.wait_for(mark, &held, |text| text.starts_with(&held))?;
        let tried = successors(&stage.manager.lines(mark), name, held - mark);
        if tried.len() != 1 {
            return Err(format!("{name}: {} processes got a release that does not start", tried.len()).into());
        }
    }
    if pids_of_all(stage)? != before {
        return Err("processes were replaced for a release that does not start".into());
    }
    Ok(())
}

/// The first process of it is ready before any other gives way; in the end all are new.
fn good_release(stage: &Stage) -> Result {
    let before = pids_of_all(stage)?;
    let mark = stage.manager.mark();
    replace(&stage.folder.join("release"), "r2\n")?;
    for name in STEADY {
        let done = format!("{name} restart: done");
        let (_, end) = stage.manager.wait_for(mark, &done, |text| text.starts_with(&done))?;
        let after = stage.job_log.with(<[_]>::len)?;
        let lines = stage.manager.lines(mark);
        let first = lines.iter().position(|line| is_canary_ready(&line.text, name));
        let first = first.ok_or_else(|| format!("{name}: no first process was ready"))?;
        let trials = successors(&lines, name, first);
        let all = successors(&lines, name, end - mark);
        if trials.len() != 1 || all.len() != before.get(name).map_or(0, BTreeSet::len) {
            return Err(
                format!("{name}: replaced before the first was ready: {trials:?}; in all: {all:?}").into()
            );
        }
        check_one_by_one(lines.get(..end - mark).unwrap_or_default(), name)?;
        check_only_new(stage, name, after)?;
    }
    for (name, pids) in pids_of_all(stage)? {
        let stayed = before.get(name).is_some_and(|before| !before.is_disjoint(&pids));
        if stayed || before.get(name).map(BTreeSet::len) != Some(pids.len()) {
            return Err(format!("{name} was not replaced as a whole: {before:?}, now {pids:?}").into());
        }
    }
    Ok(())
}

/// Nobody gets a successor while another one's is not ready.
fn check_one_by_one(lines: &[Line], name: &str) -> Result {
    let mut is_one_coming = false;
    for line in lines.iter().filter(|line| line.text.starts_with(&format!("{name}:"))) {
        let is_start = line.text.contains("has a successor starting");
        if is_start && is_one_coming {
            return Err(format!("two at a time: {}", line.text).into());
        }
        is_one_coming =
            (is_one_coming || is_start) && !line.text.contains("its predecessor is told to leave");
    }
    Ok(())
}

/// The next jobs are done by the new release alone.
fn check_only_new(stage: &Stage, name: &str, after: usize) -> Result {
    let begins = stage.job_log.wait_for("jobs of the new release", |entries| {
        let jobs = stage.load.jobs();
        let numbers: HashSet<u64> =
            jobs.iter().filter(|job| job.function == name).map(|job| job.number).collect();
        let begins =
            entries.iter().skip(after).filter(|it| it.what == What::Begin && numbers.contains(&it.job));
        let releases: Vec<String> = begins.map(|entry| entry.release.clone()).collect();
        (releases.len() >= 4).then_some(releases)
    })?;
    match begins.iter().find(|release| *release != "r2") {
        Some(_) => Err(format!("{name}: jobs were begun with releases {begins:?}").into()),
        None => Ok(()),
    }
}

fn is_canary_ready(text: &str, name: &str) -> bool {
    text.starts_with(&format!("{name} restart:")) && text.contains("is ready, the others follow")
}

/// The successors of a program that were started within the first lines.
fn successors(lines: &[Line], name: &str, count: usize) -> Vec<String> {
    let place = format!("{name}:");
    let is_one = |text: &str| text.starts_with(&place) && text.contains("has a successor starting");
    lines.iter().take(count).map(|line| line.text.clone()).filter(|text| is_one(text)).collect()
}

/// Two processes more, which get jobs, and two less.
fn by_hand(stage: &Stage) -> Result {
    let name = "python";
    let before = pids(&stage.manager.program(name)?);
    stage.manager.ctl(&["scale", name, "+2"])?;
    let larger = STEADY_PROCESSES + 2;
    let program = stage.manager.wait_until(name, "two more", |program| ready(program) == larger)?;
    let more: BTreeSet<i32> = pids(&program).difference(&before).copied().collect();
    stage.job_log.wait_for("jobs of those that came", |entries| {
        let busy = |pid: &i32| entries.iter().rev().any(|entry| entry.pid == *pid);
        (more.len() == 2 && more.iter().all(busy)).then_some(())
    })?;
    stage.manager.ctl(&["scale", name, "-2"])?;
    let is_small =
        |program: &ProgramStatus| program.processes.len() == 4 && ready(program) == STEADY_PROCESSES;
    let program = stage.manager.wait_until(name, "two less", is_small)?;
    if program.wanted != STEADY_PROCESSES || !program.by_hand {
        return Err(format!("{name} is not what was said by hand: {program:?}").into());
    }
    Ok(())
}
