//! Good weather: every process becomes ready, jobs end, and whoever is told leaves, each in its time. What is wanted is
//! there then.

use crate::simulation::Dice;
use crate::world::{World, secs};
use geartrain_manager::planner::{Command, End, Job, Moment, Pick, PlaceStatus, PoolStatus, ProcessId};

/// Most rounds until all is as it should be.
const ROUNDS: u32 = 3000;

/// What must be so at last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// What runs, and is not held for a reason, is as many as wanted.
    Counts,
    /// The same, none is held, and all are from after this moment, but for programs and places that are not to run.
    New(Moment),
    /// The same of all programs and all places.
    AllNew(Moment),
}

/// I23: whatever came before, all that is wanted comes up, restarts come to their end, and programs after others start.
pub(crate) fn check(world: &mut World, dice: &mut Dice) {
    reach(world, dice, Goal::Counts);
    let names: Vec<String> = world.config.programs.keys().map(ToString::to_string).collect();
    world.pass(secs(1));
    let changed = world.now;
    for name in &names {
        world.change(name);
    }
    reach(world, dice, Goal::New(changed));
    world.pass(secs(1));
    let changed = world.now;
    world.held.clear();
    for command in [Command::Start(Pick::All), Command::Restart(Pick::All)] {
        world.planner.handle_command(world.now, &command).unwrap();
        world.act();
    }
    reach(world, dice, Goal::AllNew(changed));
}

fn reach(world: &mut World, dice: &mut Dice, goal: Goal) {
    world.answer(true);
    world.are_frail = false;
    let mut missing = String::new();
    for _ in 0..ROUNDS {
        match missing_of(world, goal) {
            None => return,
            Some(what) => missing = what,
        }
        go_on(world, dice);
    }
    panic!(
        "{goal:?} is never reached: {missing}: {:#?} {:#?} {:#?}",
        world.planner.status(),
        world.processes,
        world.trace.iter().rev().take(60).collect::<Vec<_>>()
    );
}

/// What happens next in good weather: to each process after the other, some sooner and some later.
fn go_on(world: &mut World, dice: &mut Dice) {
    let all: Vec<ProcessId> = world.processes.keys().copied().collect();
    let mut is_quiet = true;
    for process in all {
        let Some(facts) = world.processes.get(&process) else { continue };
        let (is_busy, is_unready) = (facts.has_job(), facts.told.is_none() && !facts.was_ready);
        let is_told = facts.signalled.is_some();
        is_quiet &= !(is_busy || is_unready || is_told);
        if dice.roll(2) == 0 {
            continue;
        }
        if is_busy {
            world.set_job(process, Job::None);
        } else if is_told {
            world.exit(process, &End::Code(0));
        } else if is_unready {
            world.ready(process);
        }
    }
    let next = world.next_due().map_or(secs(1), |due| due.since(world.now));
    world.pass(if is_quiet { next.min(secs(60)) } else { next.min(secs(1)) });
}

fn missing_of(world: &World, goal: Goal) -> Option<String> {
    let status = world.planner.status();
    world.config.programs.keys().find_map(|name| {
        let pool = status.iter().find(|pool| pool.program == name.as_str()).expect("the program is there");
        let missing = of_program(world, pool, goal)?;
        Some(format!("{name}: {missing}"))
    })
}

fn of_program(world: &World, pool: &PoolStatus, goal: Goal) -> Option<String> {
    if !pool.is_up {
        let is_left = pool.places.iter().any(|place| !place.processes.is_empty());
        return (is_left || matches!(goal, Goal::AllNew(_))).then(|| "is not as it should be".to_owned());
    }
    if let Some(rollout) = pool.rollout.as_ref().filter(|it| goal != Goal::Counts || !it.contains("held")) {
        return Some(rollout.clone());
    }
    let is_new = |place: &PlaceStatus| {
        let process = place.processes.first().and_then(|(process, _)| world.processes.get(process));
        let (Goal::New(since) | Goal::AllNew(since)) = goal else { return true };
        process.is_some_and(|facts| facts.spawned >= since)
    };
    let runs = |place: &&PlaceStatus| place.state == "running" && place.processes.len() == 1 && is_new(place);
    let is_not_wanted = |place: &&PlaceStatus| match goal {
        // A crash loop is held for a reason, and so are those that come after it.
        Goal::Counts => {
            place.state == "exited" || place.state == "crash-looping" || place.why.starts_with("waits for ")
        }
        Goal::New(_) => place.state == "exited",
        Goal::AllNew(_) => false,
    };
    let running = pool.places.iter().filter(runs).count();
    let not_wanted = pool.places.iter().filter(is_not_wanted).count();
    let wanted = usize::try_from(pool.wanted).unwrap();
    let is_all = running + not_wanted == pool.places.len();
    (running + not_wanted < wanted || !is_all)
        .then(|| format!("{running} run and {not_wanted} are not to, of {wanted}"))
}
