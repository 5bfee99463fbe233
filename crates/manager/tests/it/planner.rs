//! What the planner does, case by case.

use crate::world::{Process, World, config, name, program, secs, worker};
use geartrain_manager::config::{Config, Program, Replace, Restart, Stop};
use geartrain_manager::limits::JOB_PATIENCE;
use geartrain_manager::planner::{Command, End, Job, Moment, Orphan, Pick, ProcessRole, Scale, Sight};
use std::time::Duration;

pub(crate) fn command(world: &mut World, command: &Command) -> Result<String, String> {
    if let Command::Start(_) | Command::Restart(_) = command {
        world.held.clear();
    }
    let done = world.planner.handle_command(world.now, command).map_err(|error| error.to_string());
    world.act();
    done
}

pub(crate) fn pick(text: &str) -> Pick {
    Pick::parse(text)
}

#[test]
fn a_process_that_ran_and_died_is_replaced_at_once() {
    let mut world = World::new(1, config([("a", program("v1", 1, 1))]));
    world.pass(secs(2));
    assert_eq!(world.place("a", 0).state, "running");
    let first = world.staying("a")[0];
    let died = world.now;
    world.exit(first, &End::Signal("SIGSEGV"));
    let second = world.staying("a")[0];
    assert_ne!(first, second);
    assert_eq!(world.processes[&second].spawned, died);
    let place = world.place("a", 0);
    assert_eq!((place.restarts, place.last_end.as_deref()), (1, Some("SIGSEGV")));
}

#[test]
fn a_crash_loop_is_held_behind_growing_pauses_until_somebody_starts_it() {
    let mut world = World::new(1, config([("a", program("v1", 1, 1))]));
    let mut pauses = Vec::new();
    for _ in 0..5 {
        let process = world.staying("a")[0];
        world.exit(process, &End::Code(1));
        let until = world.place("a", 0).until;
        pauses.push(until.map_or(0, |until| until.since(world.now).as_millis()));
        world.pass(until.map_or(Duration::ZERO, |until| until.since(world.now)));
    }
    assert_eq!(pauses[0], 0);
    assert!((900..=1100).contains(&pauses[1]), "{pauses:?}");
    assert!((1800..=2200).contains(&pauses[2]) && (3600..=4400).contains(&pauses[3]), "{pauses:?}");
    let place = world.place("a", 0);
    assert_eq!((place.state, place.processes.len()), ("crash-looping", 0));
    assert_eq!(place.why, "the last one ended: exit code 1, failure 5 in a row (hint: ctl start a)");
    world.pass(secs(3600));
    assert!(world.processes.is_empty());
    assert_eq!(command(&mut world, &Command::Start(pick("a"))), Ok("a is started".to_owned()));
    assert_eq!(world.place("a", 0).state, "starting");
}

#[test]
fn a_worker_that_leaves_after_its_last_job_is_no_failure() {
    let mut world = World::new(1, config([("a", worker("v1", 1, 1))]));
    for _ in 0..20 {
        let process = world.staying("a")[0];
        world.ready(process);
        world.pass(secs(1));
        world.exit(process, &End::Code(0));
    }
    assert_eq!(world.place("a", 0).state, "starting");
}

#[test]
fn restart_says_what_is_replaced() {
    let done = |restart, code| {
        let once = Program { restart, ..program("v1", 1, 1) };
        let mut world = World::new(1, config([("a", once)]));
        world.pass(secs(2));
        world.exit(world.staying("a")[0], &End::Code(code));
        world.place("a", 0).state
    };
    assert_eq!(done(Restart::Always, 0), "starting");
    assert_eq!(done(Restart::OnFailure, 0), "exited");
    assert_eq!(done(Restart::OnFailure, 1), "starting");
    assert_eq!(done(Restart::Never, 1), "exited");
}

#[test]
fn a_worker_in_the_middle_of_a_job_is_killed_at_the_hard_limit_alone() {
    let mut world = World::new(1, config([("a", worker("v1", 2, 2))]));
    world.ready_all();
    let (busy, idle) = (world.staying("a")[0], world.staying("a")[1]);
    world.job(busy, true);
    command(&mut world, &Command::Stop(pick("a"))).unwrap();
    assert_eq!(world.place("a", 0).state, "stopping");
    world.pass(secs(59));
    assert!(world.killed.is_empty());
    world.pass(secs(1));
    assert!(world.killed.contains(&idle) && !world.killed.contains(&busy));
    world.pass(JOB_PATIENCE - secs(61));
    assert!(!world.killed.contains(&busy));
    world.pass(secs(1));
    assert!(world.killed.contains(&busy));
}

#[test]
fn a_lifetime_ends_in_draining_and_never_in_a_surprise() {
    let lifetime = Some(secs(100));
    let mut world = World::new(1, config([("a", Program { lifetime, ..program("v1", 1, 1) })]));
    world.pass(secs(89));
    let old = world.staying("a")[0];
    world.job(old, true);
    world.pass(secs(12));
    assert_eq!(world.place("a", 0).state, "draining");
    assert!(world.place("a", 0).why.contains("lifetime"));
    world.pass(secs(1000));
    assert!(world.killed.is_empty() && world.staying("a").is_empty());
    world.job(old, false);
    world.exit(old, &End::Code(0));
    assert_eq!(world.place("a", 0).state, "starting");
}

#[test]
fn a_worker_leaves_when_its_successor_is_ready() {
    let lifetime = Some(secs(100));
    let mut world = World::new(1, config([("a", Program { lifetime, ..worker("v1", 1, 1) })]));
    world.ready_all();
    world.pass(secs(101));
    let (old, new) = (world.staying("a")[0], world.staying("a")[1]);
    let roles: Vec<_> = world.place("a", 0).processes;
    assert_eq!(roles, [(old, ProcessRole::Main), (new, ProcessRole::Successor)]);
    world.ready(new);
    assert_eq!(world.leaving("a"), [old]);
    world.exit(old, &End::Code(0));
    assert_eq!(world.place("a", 0).processes, [(new, ProcessRole::Main)]);
}

#[test]
fn too_much_memory_is_a_reason_to_leave() {
    let mut world =
        World::new(1, config([("a", Program { memory_bytes_max: Some(100 << 20), ..program("v1", 1, 1) })]));
    world.pass(secs(2));
    let process = world.staying("a")[0];
    world.planner.handle_memory(world.now, process, 100 << 20);
    world.act();
    assert_eq!(world.place("a", 0).state, "running");
    world.planner.handle_memory(world.now, process, 101 << 20);
    world.act();
    let place = world.place("a", 0);
    assert_eq!(
        (place.state, place.why.as_str()),
        ("draining", "its memory of 101 MiB is over the limit of 100 MiB")
    );
}

#[test]
fn without_a_job_server_nobody_is_given_up() {
    let mut world = World::new(1, config([("a", worker("v1", 2, 2))]));
    world.answer(false);
    world.pass(secs(600));
    assert_eq!(world.staying("a").len(), 2);
    assert_eq!(world.place("a", 0).restarts, 0);
    world.answer(true);
    world.pass(secs(29));
    assert_eq!(world.staying("a").len(), 2);
    world.pass(secs(1));
    assert_eq!(world.leaving("a").len(), 2);
}

#[test]
fn one_of_its_own_kind_is_stopped_before_the_next_is_started() {
    let mut world = World::new(1, config([("a", program("v1", 2, 2))]));
    world.pass(secs(2));
    let old = world.staying("a");
    world.change("a");
    assert_eq!((world.leaving("a"), world.staying("a")), (vec![old[0]], vec![old[1]]));
    world.exit(old[0], &End::Code(0));
    assert_eq!(world.staying("a").len(), 2);
    assert!(world.leaving("a").is_empty(), "the second waits until the first is ready");
    world.pass(secs(1));
    assert_eq!(world.leaving("a"), [old[1]]);
}

#[test]
fn a_number_by_hand_keeps_to_the_range() {
    let mut world = World::new(1, config([("a", program("v1", 2, 4)), ("b", program("v1", 1, 1))]));
    let scale = |program: &str, to| Command::Scale { program: program.to_owned(), to };
    let done = command(&mut world, &scale("a", Scale::By(2)));
    assert_eq!(done, Ok("a is to have 4 processes; there were 2".to_owned()));
    assert_eq!(world.staying("a").len(), 4);
    let refused = command(&mut world, &scale("a", Scale::To(5)));
    assert_eq!(refused, Err("a cannot have 5 processes: its configuration allows 2 to 4".to_owned()));
    command(&mut world, &scale("a", Scale::By(-2))).unwrap();
    assert_eq!((world.staying("a").len(), world.leaving("a").len()), (2, 2));
    // Those that leave keep their places, so that there are never more processes than four.
    command(&mut world, &scale("a", Scale::To(4))).unwrap();
    assert_eq!(world.processes.len(), 5);
    let leaving = world.leaving("a");
    leaving.into_iter().for_each(|process| world.exit(process, &End::Code(0)));
    assert_eq!(world.staying("a").len(), 4);
    command(&mut world, &scale("b", Scale::To(3))).unwrap();
    assert_eq!(world.staying("b").len(), 3);
    let refused = command(&mut world, &scale("c", Scale::To(3)));
    assert_eq!(refused, Err("there is no program \"c\" (hint: there are a, b)".to_owned()));
}

#[test]
fn programs_start_after_those_they_need_and_end_before_them() {
    let with = |after: &str| Program { after: vec![name(after)], ..program("v1", 1, 1) };
    let mut world = World::new(1, config([("a", with("b")), ("b", program("v1", 1, 1))]));
    assert!(world.staying("a").is_empty());
    assert_eq!(world.place("a", 0).why, "waits for b to be ready");
    world.pass(secs(1));
    assert_eq!(world.staying("a").len(), 1);
    world.pass(secs(1));
    // What ran once does not wait again.
    world.exit(world.staying("b")[0], &End::Code(1));
    world.exit(world.staying("a")[0], &End::Code(1));
    assert_eq!(world.staying("a").len(), 1);
    command(&mut world, &Command::Shutdown).unwrap();
    assert_eq!((world.leaving("a").len(), world.leaving("b").len()), (1, 0));
    world.exit(world.leaving("a")[0], &End::Code(0));
    assert_eq!(world.leaving("b").len(), 1);
    assert!(!world.has_ended);
    world.exit(world.leaving("b")[0], &End::Code(0));
    assert!(world.has_ended);
}

#[test]
fn a_program_that_is_gone_from_the_configuration_ends_and_a_new_one_starts() {
    let mut world = World::new(1, config([("a", program("v1", 2, 2)), ("b", program("v1", 1, 1))]));
    world.pass(secs(2));
    let kept = world.staying("b");
    world.reconfigure(config([("b", program("v1", 1, 1)), ("c", program("v1", 1, 1))]));
    assert_eq!((world.leaving("a").len(), world.staying("b"), world.staying("c").len()), (2, kept, 1));
    world.leaving("a").into_iter().for_each(|process| world.exit(process, &End::Code(0)));
    let names: Vec<String> = world.planner.status().into_iter().map(|it| it.program).collect();
    assert_eq!(names, ["b", "c"]);
}

#[test]
fn what_is_left_of_a_process_group_is_told_to_leave_and_killed_after_patience() {
    let beside = Program { replace: Some(Replace::StartFirst), ..program("v1", 1, 1) };
    let mut world = World::new(1, config([("a", beside)]));
    world.pass(secs(2));
    let leader = world.staying("a")[0];
    world.processes.remove(&leader);
    world.planner.handle_exited(world.now, leader, &End::Code(1), true);
    let mut actions = Vec::new();
    while let Some(action) = world.planner.poll_action() {
        actions.push(format!("{action:?}"));
    }
    assert!(
        actions.contains(&format!("Stop {{ process: {leader:?}, group: true, spare: Nobody }}")),
        "{actions:?}"
    );
    assert!(
        actions.iter().any(|it| it.starts_with("Spawn")),
        "the place does not wait for them: {actions:?}"
    );
    let kill_at = world.planner.poll_timeout().unwrap();
    world.planner.handle_time(world.now + secs(60));
    assert!(kill_at <= world.now + secs(60));
    let killed = std::iter::from_fn(|| world.planner.poll_action())
        .any(|it| it == geartrain_manager::planner::Action::Kill { process: leader });
    assert!(killed);
}

#[test]
fn one_of_its_own_kind_waits_until_nothing_is_left_of_the_last_ones_group() {
    let mut world = World::new(1, config([("a", program("v1", 1, 1))]));
    world.pass(secs(2));
    let leader = world.staying("a")[0];
    world.change("a");
    world.processes.remove(&leader);
    world.planner.handle_exited(world.now, leader, &End::Signal("SIGTERM"), true);
    world.planner.handle_time(world.now + secs(5));
    let spawned = std::iter::from_fn(|| world.planner.poll_action())
        .any(|it| matches!(it, geartrain_manager::planner::Action::Spawn { .. }));
    assert!(!spawned, "its child may still have the port");
    let why = world.place("a", 0).why;
    assert!(why.starts_with("waits for the rest of its process group; "), "{why}");
    world.now = world.now + secs(5);
    world.planner.handle_group_gone(world.now, leader);
    world.act();
    assert_eq!((world.place("a", 0).state, world.staying("a").len()), ("starting", 1));
    assert!(!world.place("a", 0).why.contains("waits"), "{}", world.place("a", 0).why);
}

#[test]
fn a_base_is_needed_as_long_as_anything_is_left_of_those_after_it() {
    let with = |after: &str| Program { after: vec![name(after)], ..program("v1", 1, 1) };
    let mut world = World::new(1, config([("a", with("b")), ("b", program("v1", 1, 1))]));
    world.pass(secs(3));
    let leader = world.staying("a")[0];
    command(&mut world, &Command::Shutdown).unwrap();
    world.processes.remove(&leader);
    world.planner.handle_exited(world.now, leader, &End::Code(0), true);
    while world.planner.poll_action().is_some() {}
    assert_eq!(world.place("b", 0).state, "running");
    world.planner.handle_group_gone(world.now, leader);
    world.act();
    assert_eq!(world.place("b", 0).state, "stopping");
}

#[test]
fn one_that_takes_its_time_to_leave_holds_up_no_other() {
    let limits = Program { memory_bytes_max: Some(100), lifetime: Some(secs(1000)), ..worker("v1", 3, 3) };
    let mut world = World::new(1, config([("a", limits)]));
    world.ready_all();
    let slow = world.staying("a")[0];
    command(&mut world, &Command::Restart(pick("a:0"))).unwrap();
    world.ready_all();
    assert_eq!(world.leaving("a"), [slow]);
    world.job(slow, true);
    world.pass(secs(100));
    // Another one has too much memory: it gives way.
    let fat = world.staying("a")[0];
    world.planner.handle_memory(world.now, fat, 101);
    world.act();
    world.ready_all();
    assert_eq!(world.leaving("a"), [slow, fat]);
    // Two on their way out are enough for three places; memory has no time for that, but goes one by one.
    let rest = world.staying("a");
    world.job(fat, true);
    world.pass(secs(100));
    for process in &rest {
        world.planner.handle_memory(world.now, *process, 101);
        world.act();
    }
    assert_eq!(world.leaving("a"), [slow, fat, rest[0]]);
    assert_eq!(world.staying("a").len(), 2);
}

#[test]
fn lifetimes_that_end_together_take_no_program_down() {
    let lived = Program { lifetime: Some(secs(100)), lifetime_jitter: 0.0, ..program("v1", 8, 8) };
    let mut world = World::new(1, config([("a", lived)]));
    world.pass(secs(101));
    assert_eq!((world.leaving("a").len(), world.staying("a").len()), (2, 6));
    world.exit(world.leaving("a")[0], &End::Code(0));
    assert_eq!(world.leaving("a").len(), 1, "the next one waits until this one is ready again");
    world.pass(secs(1));
    assert_eq!(world.leaving("a").len(), 2);
}

#[test]
fn a_program_that_did_its_work_lets_those_after_it_start() {
    let once = Program { restart: Restart::OnFailure, ..program("v1", 1, 1) };
    let after = Program { after: vec![name("once")], ..program("v1", 1, 1) };
    let mut world = World::new(1, config([("once", once), ("then", after)]));
    world.exit(world.staying("once")[0], &End::Code(1));
    assert!(world.staying("then").is_empty(), "a failure is no success");
    world.exit(world.staying("once")[0], &End::Code(0));
    assert_eq!(world.staying("then").len(), 1);
}

#[test]
fn a_place_that_was_stopped_by_hand_keeps_no_other_program_waiting() {
    use geartrain_manager::planner::Wish;
    let programs = || {
        let after = Program { after: vec![name("base")], ..program("v1", 1, 1) };
        config([("base", program("v1", 2, 2)), ("then", after)])
    };
    // The program is stopped, and one place of it started again.
    let mut world = World::new(1, programs());
    command(&mut world, &Command::Stop(Pick::All)).unwrap();
    for process in [world.leaving("base"), world.leaving("then")].concat() {
        world.exit(process, &End::Code(0));
    }
    command(&mut world, &Command::Start(pick("base:0"))).unwrap();
    command(&mut world, &Command::Start(pick("then"))).unwrap();
    assert!(world.staying("then").is_empty());
    world.pass(secs(1));
    assert_eq!((world.staying("base").len(), world.staying("then").len()), (1, 1));
    // The manager was killed, and the next one finds the wish.
    let mut world = World::with_orphans(1, programs(), |world| {
        let wish = Wish { count: 2, is_by_hand: false, is_up: true, stopped: vec![1], min: 2, max: 2 };
        world.planner.restore(world.now, "base", &wish);
    });
    assert!(world.staying("then").is_empty());
    world.pass(secs(1));
    assert_eq!((world.staying("base").len(), world.staying("then").len()), (1, 1));
}

#[test]
fn a_place_that_goes_away_keeps_no_other_program_waiting() {
    let after = Program { after: vec![name("base")], ..program("v1", 1, 1) };
    let mut world = World::new(1, config([("base", worker("v1", 2, 2)), ("then", after)]));
    let (first, second) = (world.staying("base")[0], world.staying("base")[1]);
    world.job(second, true);
    command(&mut world, &Command::Scale { program: "base".to_owned(), to: Scale::To(1) }).unwrap();
    world.ready(first);
    assert_eq!((world.leaving("base"), world.staying("then").len()), (vec![second], 1));
}

#[test]
fn only_what_a_person_stopped_is_recorded_as_stopped() {
    let never = Program { restart: Restart::Never, ..program("v1", 3, 3) };
    let mut world = World::new(1, config([("a", never)]));
    let processes = world.staying("a");
    world.exit(processes[0], &End::Code(1));
    world.exit(processes[1], &End::Code(0));
    command(&mut world, &Command::Stop(pick("a:2"))).unwrap();
    let wishes: Vec<Vec<u32>> = world.planner.wishes().map(|(_, wish)| wish.stopped).collect();
    assert_eq!(wishes, [[2]]);
}

#[test]
fn more_workers_are_more_at_once_whoever_still_leaves() {
    let mut world = World::new(1, config([("a", worker("v1", 1, 4))]));
    let scale = |to| Command::Scale { program: "a".to_owned(), to };
    command(&mut world, &scale(Scale::To(3))).unwrap();
    world.ready_all();
    let all = world.staying("a");
    all.iter().for_each(|process| world.job(*process, true));
    command(&mut world, &scale(Scale::To(1))).unwrap();
    assert_eq!(world.leaving("a").len(), 2);
    command(&mut world, &scale(Scale::To(3))).unwrap();
    assert_eq!((world.staying("a").len(), world.leaving("a").len()), (3, 2));
    // Whoever goes up and down again and again gets no more than twice as many.
    for _ in 0..10 {
        world.ready_all();
        command(&mut world, &scale(Scale::To(1))).unwrap();
        command(&mut world, &scale(Scale::To(4))).unwrap();
    }
    assert!(world.processes.len() <= 9, "{}", world.processes.len());
}

#[test]
fn a_base_with_too_much_memory_has_no_successor_in_a_shutdown() {
    for replace in [Replace::StartFirst, Replace::StopFirst] {
        let limits = Program { memory_bytes_max: Some(100), replace: Some(replace), ..program("v1", 1, 1) };
        let after = Program { after: vec![name("base")], ..program("v1", 1, 1) };
        let mut world = World::new(1, config([("base", limits), ("then", after)]));
        world.pass(secs(3));
        let base = world.staying("base")[0];
        command(&mut world, &Command::Shutdown).unwrap();
        world.planner.handle_memory(world.now, base, 101);
        world.act();
        assert_eq!((world.staying("base"), world.leaving("base").len()), (vec![base], 0), "{replace:?}");
    }
}

#[test]
fn who_is_to_be_alone_from_now_on_waits_for_whoever_was_to_stand_beside_it() {
    let of = |replace| config([("a", Program { replace: Some(replace), ..program("v1", 1, 1) })]);
    let mut world = World::new(1, of(Replace::StartFirst));
    world.pass(secs(2));
    command(&mut world, &Command::Restart(pick("a:0"))).unwrap();
    world.pass(secs(1));
    let (old, new) = (world.leaving("a")[0], world.staying("a")[0]);
    world.reconfigure(of(Replace::StopFirst));
    world.exit(new, &End::Signal("SIGSEGV"));
    world.pass(secs(1));
    assert_eq!(world.processes.keys().copied().collect::<Vec<_>>(), [old]);
    world.exit(old, &End::Code(0));
    assert_eq!(world.staying("a").len(), 1);
}

#[test]
fn nothing_new_is_taken_over_during_a_shutdown() {
    let mut world = World::new(1, config([("a", worker("v1", 1, 1))]));
    world.ready_all();
    command(&mut world, &Command::Shutdown).unwrap();
    world.reconfigure(config([("a", worker("v2", 2, 2)), ("b", worker("v1", 1, 1))]));
    assert!(world.staying("a").is_empty() && world.staying("b").is_empty());
    world.exit(world.leaving("a")[0], &End::Code(0));
    assert!(world.has_ended);
}

#[test]
fn in_a_hurry_those_that_are_told_later_have_no_patience_either() {
    let with = |after: &str| Program { after: vec![name(after)], ..program("v1", 1, 1) };
    let mut world = World::new(1, config([("a", with("b")), ("b", program("v1", 1, 1))]));
    world.pass(secs(3));
    let (a, b) = (world.staying("a")[0], world.staying("b")[0]);
    command(&mut world, &Command::Shutdown).unwrap();
    world.is_hurried = true;
    world.planner.handle_hurry(world.now, "SIGTERM once more");
    world.act();
    assert!(world.killed.contains(&a) && !world.killed.contains(&b));
    world.exit(a, &End::Signal("SIGKILL"));
    assert!(world.killed.contains(&b));
}

#[test]
fn stop_now_reaches_whatever_is_left_of_a_program() {
    let of = |world: &mut World, program: &str, facts: &Program| {
        world.orphan(program, 0, false, Process::orphan(program, facts, world.now))
    };
    let gone = program("v1", 1, 1);
    let mut strays = Vec::new();
    let programs = [("a", program("v1", 2, 2)), ("b", program("v1", 1, 1))];
    let mut world = World::with_orphans(1, config(programs), |world| {
        // Two in one place, and one of a program that is no more.
        strays = ["a", "a", "gone"].iter().map(|name| of(world, name, &gone)).collect();
    });
    // A place that is to be no more, and a program that leaves the file.
    world.pass(secs(2));
    command(&mut world, &Command::Scale { program: "a".to_owned(), to: Scale::To(0) }).unwrap();
    world.reconfigure(config([("a", program("v1", 2, 2))]));
    let leaving = world.leaving("a").into_iter().chain(world.leaving("b")).chain(world.leaving("gone"));
    let leaving: Vec<_> = leaving.collect();
    assert!(strays.iter().all(|it| leaving.contains(it)) && leaving.len() == 5, "{leaving:?}");
    world.is_hurried = true;
    for program in ["a", "b", "gone"] {
        command(&mut world, &Command::StopNow(pick(program))).unwrap();
    }
    assert!(leaving.iter().all(|it| world.killed.contains(it)), "{leaving:?} {:?}", world.killed);
    let refused = command(&mut world, &Command::StopNow(pick("never"))).unwrap_err();
    assert_eq!(refused, "there is no program \"never\" (hint: there are a, b)");
}

#[test]
fn one_of_its_own_kind_waits_for_an_orphan_that_has_no_place() {
    let facts = program("v1", 1, 1);
    let mut orphans = Vec::new();
    let mut world = World::with_orphans(1, config([("a", facts.clone())]), |world| {
        let orphan = Process::orphan("a", &facts, world.now);
        orphans = (0..2).map(|_| world.orphan("a", 0, false, orphan.clone())).collect();
    });
    world.exit(orphans[0], &End::Code(0));
    world.pass(secs(1));
    let why = world.place("a", 0).why;
    assert!(why.starts_with("waits for the rest of its process group; "), "{why}");
    world.exit(orphans[1], &End::Code(0));
    assert_eq!(world.place("a", 0).state, "starting");
}

#[test]
fn who_is_in_a_hurry_does_not_wait_for_jobs() {
    let endless = Program { stop: Stop { patience: None, ..Stop::default() }, ..worker("v1", 2, 2) };
    let mut world = World::new(1, config([("a", endless), ("b", worker("v1", 1, 1))]));
    world.ready_all();
    world.is_hurried = true;
    let (a, b) = (world.staying("a"), world.staying("b")[0]);
    world.job(a[0], true);
    world.job(b, true);
    let done = command(&mut world, &Command::StopNow(pick("a:0")));
    assert_eq!(done, Ok("a:0 is killed".to_owned()));
    assert_eq!(world.killed.iter().copied().collect::<Vec<_>>(), [a[0]]);
    world.exit(a[0], &End::Signal("SIGKILL"));
    assert_eq!(world.place("a", 0).state, "exited");
    command(&mut world, &Command::Shutdown).unwrap();
    assert!(world.killed.is_empty());
    world.planner.handle_hurry(world.now, "SIGTERM once more");
    world.act();
    assert_eq!(world.killed.iter().copied().collect::<Vec<_>>(), [a[1], b]);
}

#[test]
fn orphans_go_on_in_their_places_or_are_waited_for() {
    let programs: Config = config([("a", program("v1", 2, 2))]);
    let mut planner = geartrain_manager::planner::Planner::new(1, &programs);
    let now = Moment::after_boot(secs(1000));
    let spawned = Moment::after_boot(secs(500));
    let orphan = |slot, may_stay| Orphan { slot, spawned, is_worker: false, may_stay };
    let kept = planner.handle_orphan(now, "a", &orphan(0, true)).unwrap();
    let stopped = planner.handle_orphan(now, "a", &orphan(1, false)).unwrap();
    let surplus = planner.handle_orphan(now, "a", &orphan(2, true)).unwrap();
    assert_eq!(planner.handle_orphan(now, "a", &orphan(0, true)), None);
    assert_eq!(planner.handle_orphan(now, "b", &orphan(0, true)), None);
    planner.handle_time(now);
    let actions: Vec<String> =
        std::iter::from_fn(|| planner.poll_action()).map(|action| format!("{action:?}")).collect();
    assert!(!actions.iter().any(|it| it.starts_with("Spawn")), "{actions:?}");
    for process in [stopped, surplus] {
        assert!(
            actions.contains(&format!("Stop {{ process: {process:?}, group: false, spare: Nobody }}")),
            "{actions:?}"
        );
    }
    let states = |planner: &geartrain_manager::planner::Planner| -> Vec<&str> {
        planner.status()[0].places.iter().map(|place| place.state).collect()
    };
    assert_eq!(states(&planner), ["running", "draining", "draining"]);
    planner.handle_exited(now, stopped, &End::Unknown, false);
    planner.handle_exited(now, surplus, &End::Unknown, false);
    assert!(std::iter::from_fn(|| planner.poll_action()).count() > 0);
    assert_eq!(states(&planner), ["running", "starting"]);
    assert_eq!(planner.place_of(kept), Some(("a".to_owned(), 0)));
}

#[test]
fn a_job_keeps_its_protection_while_the_servers_are_silent() {
    let mut world = World::new(1, config([("a", worker("v1", 1, 1))]));
    world.ready_all();
    let busy = world.staying("a")[0];
    world.job(busy, true);
    command(&mut world, &Command::Stop(pick("a"))).unwrap();
    world.answer(false);
    world.pass(JOB_PATIENCE - secs(1));
    assert!(world.killed.is_empty());
    world.pass(secs(1));
    assert!(world.killed.contains(&busy));
}

#[test]
fn nobody_is_killed_by_what_the_servers_said_before_patience_was_over() {
    let mut world = World::new(1, config([("a", worker("v1", 1, 1))]));
    world.ready_all();
    let process = world.staying("a")[0];
    world.job(process, false);
    command(&mut world, &Command::Stop(pick("a"))).unwrap();
    // It was given a job before it heard the signal, and then the servers fell silent.
    world.answer(false);
    world.pass(secs(61));
    assert!(world.killed.is_empty(), "the word is older than the end of patience");
    world.processes.get_mut(&process).unwrap().job = Job::Sure { since: world.now };
    world.answer(true);
    world.pass(secs(600));
    assert!(world.killed.is_empty());
    world.job(process, false);
    world.pass(secs(2));
    assert!(world.killed.contains(&process));
}

#[test]
fn the_rest_of_a_group_keeps_the_protection_of_its_job() {
    let mut world = World::new(1, config([("a", worker("v1", 1, 1))]));
    world.ready_all();
    let process = world.staying("a")[0];
    world.job(process, true);
    command(&mut world, &Command::Stop(pick("a"))).unwrap();
    // A shell that dies of the signal leaves its child, which has the job.
    world.exit_with_rest(process, &End::Signal("SIGTERM"));
    world.pass(secs(600));
    assert!(world.killed.is_empty());
    world.job(process, false);
    world.pass(secs(2));
    assert!(world.killed.contains(&process));
}

#[test]
fn a_stray_with_a_job_keeps_its_own_patience() {
    let patience = Some(secs(200));
    let of = Program {
        stop: geartrain_manager::config::Stop { patience, ..worker("v1", 1, 1).stop },
        ..worker("v1", 1, 1)
    };
    let mut stray = None;
    let mut world = World::with_orphans(1, config([]), |world| {
        let orphan = Process::orphan("gone", &of, Moment::after_boot(secs(10)));
        stray = Some(world.orphan("gone", 0, true, orphan));
    });
    let stray = stray.unwrap();
    world.pass(secs(199));
    assert!(world.killed.is_empty(), "its own patience counts, though its program is no more");
    world.job(stray, true);
    world.pass(secs(600));
    assert!(world.killed.is_empty());
    world.job(stray, false);
    world.pass(secs(2));
    assert!(world.killed.contains(&stray));
}

#[test]
fn a_worker_that_would_die_of_its_signal_gets_it_after_its_job() {
    let mut world = World::new(1, config([]));
    world.are_frail = true;
    world.reconfigure(config([("a", worker("v1", 2, 2))]));
    world.ready_all();
    let (busy, idle) = (world.staying("a")[0], world.staying("a")[1]);
    world.job(busy, true);
    world.job(idle, false);
    command(&mut world, &Command::Stop(pick("a"))).unwrap();
    world.pass(Duration::ZERO);
    assert!(world.processes[&busy].held.is_some() && world.processes[&idle].held.is_none());
    world.pass(secs(600));
    assert!(world.processes[&busy].held.is_some(), "patience is over, its job is not");
    world.job(busy, false);
    assert_eq!(world.processes[&busy].held, None);
    world.exit(busy, &End::Signal("SIGTERM"));
    world.exit(idle, &End::Signal("SIGTERM"));
    assert_eq!(world.place("a", 0).state, "exited");
}

#[test]
fn where_nobody_knows_who_has_the_job_a_signal_is_held_up_to_patience() {
    let mut world = World::new(1, config([]));
    world.are_frail = true;
    world.reconfigure(config([("a", worker("v1", 1, 1))]));
    world.ready_all();
    let process = world.staying("a")[0];
    world.set_job(process, Job::Maybe);
    command(&mut world, &Command::Stop(pick("a"))).unwrap();
    world.pass(secs(59));
    assert!(world.processes[&process].held.is_some());
    world.pass(secs(1));
    assert_eq!(world.processes[&process].held, None);
}

#[test]
fn a_worker_that_only_seems_to_be_listed_is_not_given_up() {
    let mut world = World::new(1, config([("a", worker("v1", 2, 2))]));
    let (likely, unseen) = (world.staying("a")[0], world.staying("a")[1]);
    world.planner.handle_sight(likely, Sight::Likely("s lists one from 172.17.0.1".to_owned()));
    world.planner.handle_sight(unseen, Sight::Unseen("it has no connection to s".to_owned()));
    world.pass(secs(29));
    assert_eq!(world.place("a", 0).state, "starting");
    world.pass(secs(1));
    let (first, second) = (world.place("a", 0), world.place("a", 1));
    assert_eq!((first.state, second.state), ("running", "stopping"));
    assert_eq!(first.why, "no job server lists it for certain, but s lists one from 172.17.0.1");
    assert_eq!(second.why, "no job server listed it with its functions in time: it has no connection to s");
}

#[test]
fn an_adopted_process_has_its_lifetime_and_what_was_wanted_is_wanted_again() {
    use geartrain_manager::planner::Wish;
    let of = Program { lifetime: Some(secs(2000)), lifetime_jitter: 0.0, ..worker("v1", 1, 4) };
    let mut world =
        World::with_orphans(1, config([("a", of.clone()), ("b", program("v1", 1, 1))]), |world| {
            let wish = Wish { count: 4, is_by_hand: true, is_up: true, stopped: vec![1], min: 1, max: 4 };
            world.planner.restore(world.now, "a", &wish);
            let stopped = Wish { count: 1, is_by_hand: false, is_up: false, stopped: vec![], min: 1, max: 1 };
            world.planner.restore(world.now, "b", &stopped);
            for number in [0, 2, 3] {
                let facts = Process::orphan("a", &of, Moment::after_boot(secs(10)));
                world.orphan("a", number, true, facts);
            }
        });
    assert_eq!(world.staying("a").len(), 3, "those above the lower end stay");
    assert!(world.staying("b").is_empty(), "what was stopped by hand stays stopped");
    assert_eq!(world.place("a", 1).state, "exited", "also one place");
    world.ready_all();
    world.pass(secs(1009));
    assert_eq!(world.staying("a").len(), 3);
    world.pass(secs(1));
    assert_eq!(world.staying("a").len(), 4, "their lifetime counts from their start");
}

#[test]
fn what_came_in_together_is_due_at_once_and_followed_up_with_the_next_action() {
    let mut world = World::new(1, config([("a", program("v1", 2, 2))]));
    world.pass(secs(20));
    let processes = world.staying("a");
    for process in &processes {
        world.processes.remove(process);
        world.planner.handle_exited(world.now, *process, &End::Signal("SIGSEGV"), false);
        assert_eq!(world.planner.poll_timeout(), Some(world.now));
    }
    world.act();
    assert_eq!(world.staying("a").len(), 2);
    assert!(world.planner.poll_timeout().is_some_and(|due| due > world.now));
}

#[test]
fn orphans_whose_numbers_are_not_in_a_row_go_on() {
    let of = worker("v1", 3, 3);
    let world = World::with_orphans(1, config([("a", of.clone())]), |world| {
        for number in [0, 1, 3] {
            world.orphan("a", number, true, Process::orphan("a", &of, Moment::after_boot(secs(10))));
        }
    });
    assert_eq!((world.staying("a").len(), world.leaving("a").len()), (3, 0));
    assert_eq!(world.place("a", 3).state, "starting");
}

#[test]
fn the_word_of_an_orphan_is_waited_for_where_its_program_has_no_functions_any_more() {
    let mut orphan = None;
    let mut world = World::with_orphans(1, config([("a", program("v2", 1, 1))]), |world| {
        let of = worker("v1", 1, 1);
        let facts = Process { is_frail: true, ..Process::orphan("a", &of, Moment::after_boot(secs(10))) };
        orphan = Some(world.orphan("a", 0, false, facts));
    });
    let orphan = orphan.unwrap();
    assert!(world.processes[&orphan].held.is_some(), "it may have a job");
    world.set_job(orphan, Job::Sure { since: Moment::after_boot(secs(10)) });
    world.pass(secs(600));
    assert!(world.processes[&orphan].held.is_some());
    world.job(orphan, false);
    assert!(world.processes[&orphan].held.is_none());
}
