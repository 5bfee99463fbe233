//! Rolling restarts and their canaries, case by case.

use crate::planner::{command, pick};
use crate::world::{World, config, program, secs, worker};
use geartrain_manager::config::{CrashLoop, Program, Replace, Restart};
use geartrain_manager::planner::{Command, End, Scale};

#[test]
fn a_change_replaces_one_process_first_and_then_the_others_one_by_one() {
    let mut world = World::new(1, config([("a", worker("v1", 3, 3))]));
    world.ready_all();
    let old = world.staying("a");
    world.change("a");
    for (turn, gone) in old.iter().enumerate() {
        let staying = world.staying("a");
        assert_eq!(staying.len(), 4, "turn {turn}");
        world.pass(secs(10));
        assert_eq!(world.staying("a"), staying, "nothing more happens before the new one is ready");
        world.ready_all();
        assert_eq!(world.leaving("a"), [*gone]);
        // The next one follows at once, but for the last.
        assert_eq!(world.staying("a").len(), if turn < 2 { 4 } else { 3 });
        world.exit(*gone, &End::Code(0));
    }
    assert_eq!(world.rollout("a"), None);
    assert!(world.log.iter().any(|line| line == "a restart: done: all processes are new"), "{:?}", world.log);
}

#[test]
fn a_canary_that_fails_leaves_the_others_as_they_are() {
    let mut world = World::new(1, config([("a", worker("v1", 3, 3))]));
    world.ready_all();
    let old = world.staying("a");
    world.reconfigure(config([("a", worker("v2", 3, 3))]));
    let canary = world.staying("a")[3];
    assert_eq!(world.processes[&canary].command, "v2");
    world.exit(canary, &End::Code(255));
    world.pass(secs(3600));
    assert_eq!(world.staying("a"), old);
    assert_eq!(
        world.rollout("a").as_deref(),
        Some(
            "restart held: the new process of a:0 ended before it was ready: exit code 255 \
             (its configuration changed); the others stay as they are"
        )
    );
    // What dies meanwhile comes back as it was.
    world.exit(old[1], &End::Signal("SIGKILL"));
    let back = *world.staying("a").last().unwrap();
    assert_eq!(world.processes[&back].command, "v1");
    world.ready(back);
    // The next change begins anew.
    world.reconfigure(config([("a", worker("v3", 3, 3))]));
    let canary = *world.staying("a").last().unwrap();
    assert_eq!(world.processes[&canary].command, "v3");
    world.ready(canary);
    assert_eq!(world.leaving("a").len(), 1);
}

#[test]
fn a_canary_that_is_stopped_by_hand_or_scaled_away_is_followed_by_another_one() {
    let scale = Command::Scale { program: "a".to_owned(), to: Scale::To(2) };
    for (number, order) in [(0, Command::Stop(pick("a:0"))), (2, scale)] {
        let after = Some(Replace::StopFirst);
        let mut world = World::new(1, config([("a", Program { replace: after, ..worker("v1", 3, 3) })]));
        world.ready_all();
        if number == 2 {
            // The last one is the canary where it is the one that loses least.
            let last = world.staying("a")[2];
            world.exit(last, &End::Code(1));
        }
        world.reconfigure(config([("a", Program { replace: after, ..worker("v2", 3, 3) })]));
        assert!(world.rollout("a").unwrap().starts_with(&format!("restart of a:{number} as the first one")));
        // It takes its time.
        world.leaving("a").into_iter().for_each(|process| world.job(process, true));
        command(&mut world, &order).unwrap();
        let rollout = world.rollout("a").unwrap();
        assert!(!rollout.contains(&format!("a:{number} ")), "{rollout}");
        for _ in 0..10 {
            world.leaving("a").into_iter().for_each(|process| world.exit(process, &End::Code(0)));
            world.ready_all();
        }
        assert_eq!(world.rollout("a"), None);
        assert!(world.staying("a").iter().all(|it| world.processes[it].command == "v2"));
    }
}

#[test]
fn a_canary_that_did_what_it_was_to_do_is_proof() {
    let once = |command| Program { restart: Restart::OnFailure, ..program(command, 2, 2) };
    let mut world = World::new(1, config([("a", once("v1"))]));
    world.pass(secs(2));
    world.reconfigure(config([("a", once("v2"))]));
    world.exit(world.leaving("a")[0], &End::Signal("SIGTERM"));
    let canary = *world.staying("a").last().unwrap();
    assert_eq!(world.processes[&canary].command, "v2");
    world.exit(canary, &End::Code(0));
    assert_eq!(world.place("a", 0).state, "exited");
    assert_eq!(world.leaving("a").len(), 1, "the other one gives way: {:?}", world.rollout("a"));
    world.exit(world.leaving("a")[0], &End::Signal("SIGTERM"));
    world.exit(world.staying("a")[0], &End::Code(0));
    assert_eq!(world.rollout("a"), None);
    command(&mut world, &Command::Start(pick("a:0"))).unwrap();
    assert_eq!(world.processes[&world.staying("a")[0]].command, "v2");
}

#[test]
fn a_canary_that_failed_and_is_not_tried_again_holds_the_others() {
    let never = |command| Program { restart: Restart::Never, ..program(command, 2, 2) };
    let mut world = World::new(1, config([("a", never("v1"))]));
    world.pass(secs(2));
    world.reconfigure(config([("a", never("v2"))]));
    world.exit(world.leaving("a")[0], &End::Signal("SIGTERM"));
    world.exit(*world.staying("a").last().unwrap(), &End::Code(1));
    world.pass(secs(3600));
    assert_eq!((world.staying("a").len(), world.leaving("a").len()), (1, 0));
    assert!(world.rollout("a").unwrap().starts_with("restart held"));
}

#[test]
fn a_canary_that_is_never_listed_is_taken_back() {
    let mut world = World::new(1, config([("a", worker("v1", 2, 2))]));
    world.ready_all();
    let old = world.staying("a");
    world.change("a");
    let canary = world.staying("a")[2];
    world.pass(secs(29));
    assert!(world.leaving("a").is_empty());
    world.pass(secs(1));
    assert_eq!((world.leaving("a"), world.staying("a")), (vec![canary], old));
    assert!(world.rollout("a").unwrap().contains("was not ready in time"));
}

#[test]
fn a_restart_goes_on_beside_those_that_take_their_time() {
    let mut world = World::new(1, config([("a", worker("v1", 8, 8))]));
    world.ready_all();
    let old = world.staying("a");
    old.iter().for_each(|process| world.job(*process, true));
    world.change("a");
    for _ in 0..8 {
        world.ready_all();
    }
    // Three of eight are on their way out, and the fourth waits.
    assert_eq!((world.leaving("a").len(), world.staying("a").len()), (3, 8));
    let done = world.leaving("a")[0];
    world.exit(done, &End::Code(0));
    world.ready_all();
    assert_eq!(world.leaving("a").len(), 3);
    for _ in 0..8 {
        world.ready_all();
        world.leaving("a").into_iter().for_each(|process| world.exit(process, &End::Code(0)));
    }
    assert_eq!(world.rollout("a"), None);
    assert!(world.staying("a").iter().all(|process| !old.contains(process)));
}

#[test]
fn what_is_held_is_not_replaced_by_the_version_that_failed() {
    let limits = Program { memory_bytes_max: Some(100), lifetime: Some(secs(100)), ..program("v1", 3, 3) };
    let mut world = World::new(1, config([("a", limits)]));
    world.pass(secs(2));
    let old = world.staying("a");
    world.change("a");
    world.exit(old[0], &End::Code(0));
    // The file is broken: the canary dies.
    world.exit(*world.staying("a").last().unwrap(), &End::Code(1));
    let said = world
        .log
        .iter()
        .any(|line| line.contains("held") && line.contains("lifetimes and the memory limit rest"));
    assert!(said, "{:?}", world.log);
    world.pass(secs(1000));
    world.planner.handle_memory(world.now, old[1], 101);
    world.act();
    assert!(world.staying("a").contains(&old[1]) && world.staying("a").contains(&old[2]));
    // The next version may replace them.
    world.change("a");
    world.pass(secs(10));
    assert!(!world.leaving("a").is_empty());
}

#[test]
fn a_restart_that_cannot_begin_is_refused() {
    let mut world = World::new(1, config([("a", worker("v1", 2, 2))]));
    world.ready_all();
    command(&mut world, &Command::Restart(pick("a:0"))).unwrap();
    let refused = command(&mut world, &Command::Restart(pick("a:1")));
    assert_eq!(
        refused,
        Err("a:1 is not restarted: it, or too many others of its program, are being replaced already (hint: ctl status a)"
            .to_owned())
    );
}

/// Workers that are held as soon as one fails.
fn touchy(command: &str, places: u32) -> Program {
    Program { crash_loop: Some(CrashLoop { exits: 1, within: secs(60) }), ..worker(command, places, places) }
}

#[test]
fn where_the_last_try_of_the_old_version_is_being_given_up_the_new_one_comes_first() {
    let mut world = World::new(1, config([("a", touchy("v1", 1))]));
    world.pass(secs(30));
    let old = world.leaving("a")[0];
    world.reconfigure(config([("a", touchy("v2", 1))]));
    assert!(world.rollout("a").unwrap().starts_with("restart of a:0 as the first one"));
    world.exit(old, &End::Signal("SIGTERM"));
    assert_eq!(world.place("a", 0).state, "starting");
    world.ready_all();
    assert_eq!((world.place("a", 0).state, world.rollout("a")), ("running", None));
}

#[test]
fn what_the_old_version_does_while_a_canary_cannot_begin_holds_nothing() {
    let mut world = World::new(1, config([("a", touchy("v1", 1))]));
    world.ready_all();
    let old = world.staying("a")[0];
    world.change("a");
    let canary = world.staying("a")[1];
    // It takes its time to leave, and nobody comes beside the two.
    world.change("a");
    assert_eq!(world.leaving("a"), [canary]);
    world.exit(old, &End::Signal("SIGSEGV"));
    assert_eq!(world.place("a", 0).state, "starting");
    world.ready_all();
    world.exit(canary, &End::Code(0));
    assert_eq!(world.rollout("a"), None);
}

#[test]
fn a_version_that_was_ready_is_tried_where_the_old_one_is_still_being_given_up() {
    let mut world = World::new(1, config([("a", touchy("v1", 3))]));
    let good = world.staying("a")[0];
    world.ready(good);
    world.pass(secs(30));
    let given_up = world.leaving("a");
    assert_eq!(given_up.len(), 2);
    world.reconfigure(config([("a", touchy("v2", 3))]));
    world.exit(given_up[0], &End::Code(0));
    world.ready_all();
    world.exit(given_up[1], &End::Code(0));
    assert_eq!(world.place("a", 2).state, "starting");
    world.ready_all();
    world.ready_all();
    world.exit(good, &End::Code(0));
    assert_eq!(world.rollout("a"), None);
}

#[test]
fn a_place_that_is_being_given_up_runs_again_when_somebody_says_so() {
    let start = Command::Start(pick("a:0"));
    let restart = Command::Restart(pick("a:0"));
    let scale = |to| Command::Scale { program: "a".to_owned(), to: Scale::To(to) };
    for orders in [vec![start], vec![restart], vec![scale(0), scale(1)]] {
        let mut world =
            World::new(1, config([("a", Program { replace: Some(Replace::StopFirst), ..touchy("v1", 1) })]));
        world.pass(secs(30));
        let old = world.leaving("a")[0];
        for order in &orders {
            command(&mut world, order).unwrap();
        }
        world.exit(old, &End::Code(0));
        assert_eq!(world.place("a", 0).state, "starting", "{orders:?}");
    }
}

#[test]
fn a_restart_goes_on_when_the_place_that_held_it_is_no_more() {
    let mut world = World::new(1, config([("a", worker("v1", 3, 3))]));
    world.ready_all();
    let old = world.staying("a");
    world.change("a");
    world.ready_all();
    world.leaving("a").into_iter().for_each(|process| world.exit(process, &End::Code(0)));
    let second = *world.staying("a").last().unwrap();
    world.exit(second, &End::Code(1));
    assert!(world.rollout("a").unwrap().starts_with("restart held: the new process of a:1"));
    command(&mut world, &Command::Stop(pick("a:1"))).unwrap();
    command(&mut world, &Command::Scale { program: "a".to_owned(), to: Scale::To(2) }).unwrap();
    world.leaving("a").into_iter().for_each(|process| world.exit(process, &End::Code(0)));
    for _ in 0..2 {
        world.ready_all();
        world.leaving("a").into_iter().for_each(|process| world.exit(process, &End::Code(0)));
    }
    assert_eq!(world.rollout("a"), None);
    let staying = world.staying("a");
    assert!(staying.len() == 2 && !staying.iter().any(|it| old.contains(it)), "{staying:?} {old:?}");
}

#[test]
fn what_the_old_version_could_not_do_while_the_others_follow_the_new_one_is_to_do() {
    let mut world = World::new(1, config([("a", touchy("v1", 3))]));
    world.ready_all();
    let old = world.staying("a");
    world.reconfigure(config([("a", touchy("v2", 3))]));
    world.ready_all();
    // The others follow; one does not wait for that.
    world.exit(old[2], &End::Signal("SIGSEGV"));
    assert_eq!(world.place("a", 2).state, "starting");
    for _ in 0..3 {
        world.ready_all();
        world.leaving("a").into_iter().for_each(|process| world.exit(process, &End::Code(0)));
    }
    assert_eq!((world.staying("a").len(), world.rollout("a")), (3, None));
}

#[test]
fn an_old_process_that_never_becomes_ready_holds_up_no_restart() {
    use geartrain_manager::config::Ready;
    let patient =
        |command| Program { ready: Ready { within: None, after: secs(1) }, ..worker(command, 3, 3) };
    let mut world = World::new(1, config([("a", patient("v1"))]));
    let old = world.staying("a");
    world.ready(old[0]);
    world.reconfigure(config([("a", patient("v2"))]));
    for _ in 0..4 {
        world.leaving("a").into_iter().for_each(|process| world.exit(process, &End::Code(0)));
        world
            .staying("a")
            .into_iter()
            .filter(|it| !old.contains(it))
            .for_each(|process| world.ready(process));
    }
    assert_eq!(world.rollout("a"), None);
    assert!(world.staying("a").len() == 3 && !world.staying("a").iter().any(|it| old.contains(it)));
}

#[test]
fn a_canary_with_too_much_memory_before_it_is_ready_is_one_that_failed() {
    let fat = |command| Program { memory_bytes_max: Some(100), ..program(command, 2, 2) };
    let mut world = World::new(1, config([("a", fat("v1"))]));
    world.pass(secs(2));
    world.reconfigure(config([("a", fat("v2"))]));
    world.exit(world.leaving("a")[0], &End::Code(0));
    let canary = *world.staying("a").last().unwrap();
    world.planner.handle_memory(world.now, canary, 101);
    world.act();
    let rollout = world.rollout("a").unwrap();
    assert!(rollout.starts_with("restart held: the new process of a:0 had too much memory"), "{rollout}");
    world.exit(canary, &End::Code(0));
    world.pass(secs(1));
    let back = *world.staying("a").last().unwrap();
    assert_eq!(world.processes[&back].command, "v1");
}

#[test]
fn lifetimes_rest_beside_a_canary_where_the_next_process_comes_after_the_old_one() {
    let lived = Program { lifetime: Some(secs(100)), lifetime_jitter: 0.0, ..program("v1", 8, 8) };
    let mut world = World::new(1, config([("a", lived)]));
    world.pass(secs(99));
    world.change("a");
    // The first one takes its time to leave; two places may be away for lifetimes alone.
    world.pass(secs(10));
    assert_eq!((world.leaving("a").len(), world.staying("a").len()), (1, 7));
    world.exit(world.leaving("a")[0], &End::Code(0));
    assert_eq!(world.leaving("a").len(), 0);
    world.pass(secs(1));
    assert!(!world.leaving("a").is_empty());
}

#[test]
fn a_program_that_comes_back_while_its_last_processes_leave_starts_as_it_is_now() {
    let mut world = World::new(1, config([("a", worker("v1", 2, 2))]));
    world.ready_all();
    world.reconfigure(config([]));
    world.reconfigure(config([("a", worker("v2", 2, 2))]));
    world.leaving("a").into_iter().for_each(|process| world.exit(process, &End::Code(0)));
    let commands: Vec<&str> = world.processes.values().map(|it| it.command.as_str()).collect();
    assert_eq!((commands, world.rollout("a")), (vec!["v2", "v2"], None));
}
