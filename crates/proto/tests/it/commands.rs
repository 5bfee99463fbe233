//! Typed commands: each survives its line, and a long line is found by its length alone.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test stops at whatever it does not expect")]

use geartrain_proto::command::{
    AttemptRow, Bytes, Command, DeadDrop, DeadFilter, DeadGroups, DeadList, DeadProgress, DeadRequeue,
    DeadShow, Explain, Export, Import, Item, JobsCancel, JobsCount, JobsFilter, JobsList, JobsMove, JobsPick,
    JobsPriority, JobsShow, Missed, Overlap, PolicySet, PolicyShow, PolicyUnset, PolicyValue, PriorityName,
    ScheduleAdd, ScheduleList, ScheduleName, ScheduleRow, Section, ShelfName, StateName, WorkersList,
};
use geartrain_proto::{AdminCommand, DecodeError, Disposition, Message, Step, decode_message, limits};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use std::collections::BTreeSet;

const BODY_BYTES_MAX: u32 = 1 << 20;

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![vec(any::<u8>(), 0..20).prop_map(Bytes), ".{0,20}".prop_map(|text| Bytes(text.into_bytes()))]
}

/// Workloads on both sides of the length from which a line says its own.
fn workload() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        3 => bytes(),
        1 => (8000_usize..8300, any::<u8>()).prop_map(|(len, byte)| Bytes(vec![byte; len])),
    ]
}

fn priority() -> impl Strategy<Value = PriorityName> {
    prop_oneof![Just(PriorityName::High), Just(PriorityName::Normal), Just(PriorityName::Low)]
}

fn shelf() -> impl Strategy<Value = ShelfName> {
    prop_oneof![Just(ShelfName::Dead), Just(ShelfName::Finished)]
}

fn pick() -> impl Strategy<Value = JobsPick> {
    let state = prop_oneof![
        Just(StateName::Waiting),
        Just(StateName::Queued),
        Just(StateName::Delayed),
        Just(StateName::Running)
    ];
    let filter =
        (
            of(bytes()),
            of(state),
            of(priority()),
            of(any::<u64>()),
            of(any::<u64>()),
            of(bytes()),
            of(bytes()),
        )
            .prop_map(|(function, state, priority, older_than, younger_than, unique, text)| {
                JobsFilter { function, state, priority, older_than, younger_than, unique, text }
            });
    (vec(bytes(), 0..3), filter, any::<u64>()).prop_map(|(handles, filter, after)| JobsPick {
        handles,
        filter,
        after,
    })
}

fn letters() -> impl Strategy<Value = DeadFilter> {
    (
        vec(bytes(), 0..3),
        of(bytes()),
        of(".{0,5}"),
        of(any::<u64>()),
        of(any::<u64>()),
        of(bytes()),
        of(bytes()),
    )
        .prop_map(|(handles, function, group, older_than, younger_than, unique, text)| DeadFilter {
            handles,
            function,
            group,
            older_than,
            younger_than,
            unique,
            text,
        })
}

fn schedule() -> impl Strategy<Value = ScheduleAdd> {
    let missed = prop_oneof![Just(Missed::Skip), Just(Missed::One), Just(Missed::All)];
    let overlap = prop_oneof![Just(Overlap::Skip), Just(Overlap::Queue), Just(Overlap::Coalesce)];
    let rest = (of(priority()), of(bytes()), missed, overlap, any::<bool>());
    (".{0,9}", ".{0,9}", of(".{0,9}"), bytes(), workload(), rest).prop_map(
        |(name, when, zone, function, workload, (priority, unique, missed, overlap, replace))| ScheduleAdd {
            name,
            when,
            zone,
            function,
            workload,
            priority,
            unique,
            missed,
            overlap,
            replace,
        },
    )
}

fn attempt() -> impl Strategy<Value = AttemptRow> {
    (any::<u32>(), any::<i64>(), bytes(), ".{0,9}", bytes()).prop_map(
        |(attempt, started, client_id, address, text)| AttemptRow {
            attempt,
            started,
            ended: started,
            client_id,
            address,
            how: "fail".to_owned(),
            text,
        },
    )
}

fn item() -> impl Strategy<Value = Item> {
    let job = (
        (".{0,9}", any::<u64>(), bytes(), bytes(), priority(), workload(), of(bytes())),
        (any::<i64>(), any::<u32>(), of(shelf()), bytes(), vec(attempt(), 0..3)),
    )
        .prop_map(
            |(
                (origin, number, function, unique, priority, workload, reducer),
                (time, attempts, shelf, error, log),
            )| {
                Item::Job {
                    origin,
                    number,
                    function,
                    unique,
                    priority,
                    workload,
                    reducer,
                    not_before: time,
                    attempts,
                    lost: attempts,
                    submitted: time,
                    shelf,
                    ended: time,
                    how: "fail".to_owned(),
                    error,
                    log,
                }
            },
        );
    prop_oneof![
        (bytes(), btree_map(".{0,9}", ".{0,9}", 0..3))
            .prop_map(|(function, values)| Item::Policy { function, values }),
        (schedule(), any::<bool>(), of(any::<i64>())).prop_map(|(schedule, paused, last)| Item::Schedule {
            schedule,
            paused,
            last
        }),
        job,
    ]
}

fn policies() -> impl Strategy<Value = Command> {
    prop_oneof![
        of(bytes()).prop_map(|function| Command::PolicyShow(Box::new(PolicyShow { function }))),
        (bytes(), btree_map(".{0,9}", ".{0,9}".prop_map(PolicyValue), 0..3))
            .prop_map(|(function, values)| Command::PolicySet(Box::new(PolicySet { function, values }))),
        (bytes(), vec(".{0,9}", 0..3))
            .prop_map(|(function, keys)| Command::PolicyUnset(Box::new(PolicyUnset { function, keys }))),
    ]
}

fn jobs() -> impl Strategy<Value = Command> {
    prop_oneof![
        pick().prop_map(|pick| Command::JobsCount(Box::new(JobsCount { pick }))),
        (pick(), any::<u32>())
            .prop_map(|(pick, limit)| Command::JobsList(Box::new(JobsList { pick, limit }))),
        bytes().prop_map(|handle| Command::JobsShow(Box::new(JobsShow { handle }))),
        pick().prop_map(|pick| Command::JobsCancel(Box::new(JobsCancel { pick }))),
        (pick(), bytes()).prop_map(|(pick, to)| Command::JobsMove(Box::new(JobsMove { pick, to }))),
        (pick(), priority())
            .prop_map(|(pick, to)| Command::JobsPriority(Box::new(JobsPriority { pick, to }))),
        any::<u64>().prop_map(|after| Command::WorkersList(Box::new(WorkersList { after }))),
    ]
}

fn dead() -> impl Strategy<Value = Command> {
    prop_oneof![
        any::<u64>().prop_map(|after| Command::DeadGroups(Box::new(DeadGroups { after }))),
        Just(Command::DeadCounts(Box::default())),
        (shelf(), letters(), any::<u64>(), any::<u32>()).prop_map(|(shelf, filter, after, limit)| {
            Command::DeadList(Box::new(DeadList { shelf, filter, after, limit }))
        }),
        (shelf(), bytes())
            .prop_map(|(shelf, handle)| Command::DeadShow(Box::new(DeadShow { shelf, handle }))),
        (letters(), of(".{0,9}"), any::<u32>(), of(bytes()), of(workload())).prop_map(
            |(filter, rate, canary, function, workload)| Command::DeadRequeue(Box::new(DeadRequeue {
                filter,
                rate,
                canary,
                function,
                workload
            }))
        ),
        any::<u64>().prop_map(|campaign| Command::DeadProgress(Box::new(DeadProgress { campaign }))),
        (shelf(), letters(), any::<u64>(), any::<bool>()).prop_map(|(shelf, filter, after, dry)| {
            Command::DeadDrop(Box::new(DeadDrop { shelf, filter, after, dry }))
        }),
    ]
}

fn others() -> impl Strategy<Value = Command> {
    let section = prop_oneof![
        Just(Section::Policies),
        Just(Section::Schedules),
        Just(Section::Dead),
        Just(Section::Jobs)
    ];
    let named = (0_usize..5, ".{0,9}").prop_map(|(which, name)| {
        let named = Box::new(ScheduleName { name });
        match which {
            0 => Command::ScheduleShow(named),
            1 => Command::SchedulePause(named),
            2 => Command::ScheduleResume(named),
            3 => Command::ScheduleRun(named),
            _ => Command::ScheduleRemove(named),
        }
    });
    prop_oneof![
        schedule().prop_map(|add| Command::ScheduleAdd(Box::new(add))),
        any::<u64>().prop_map(|after| Command::ScheduleList(Box::new(ScheduleList { after }))),
        named,
        (of(bytes()), of(bytes()))
            .prop_map(|(handle, function)| Command::Explain(Box::new(Explain { handle, function }))),
        (section, any::<u64>(), letters()).prop_map(|(section, after, filter)| Command::Export(Box::new(
            Export { section, after, filter }
        ))),
        (item(), any::<bool>()).prop_map(|(item, check)| Command::Import(Box::new(Import { item, check }))),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![policies(), jobs(), dead(), others()]
}

fn decoded(bytes: &[u8]) -> Step<Message<'_>> {
    decode_message(bytes, BODY_BYTES_MAX)
}

#[test]
fn the_strategies_make_every_command() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..2000 {
        let tree = command().new_tree(&mut runner).unwrap();
        seen.insert(proptest::strategy::ValueTree::current(&tree).words());
    }
    assert_eq!(seen, Command::ALL_WORDS.iter().copied().collect());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn every_command_survives_its_line(command in command(), crlf in any::<bool>()) {
        let mut line = command.to_line().into_bytes();
        line.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        let len = line.len();
        line.extend_from_slice(b"status\n");
        prop_assert_eq!(
            decoded(&line),
            Step::Complete { consumed: len, message: Ok(Message::Admin(AdminCommand::Typed(Ok(command)))) }
        );
    }

    /// However its bytes arrive, a reader that waits for what it is told is needed comes to the end of the
    /// line, in steps that do not depend on the length of the line.
    #[test]
    fn a_line_that_says_its_length_is_waited_for_like_a_packet(
        add in schedule(),
        len in 10_000_usize..100_000,
        crlf in any::<bool>(),
    ) {
        let add = ScheduleAdd { workload: Bytes(vec![b'x'; len]), ..add };
        let mut line = Command::ScheduleAdd(Box::new(add)).to_line().into_bytes();
        line.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        let (mut have, mut steps) = (1, 0);
        while let Step::Incomplete { needed } = decoded(&line[..have]) {
            prop_assert!(needed > have && needed <= line.len());
            have = needed;
            steps += 1;
        }
        prop_assert_eq!(have, line.len());
        prop_assert!(steps <= limits::COMMAND_HEAD_BYTES_MAX + 2);
    }

    #[test]
    fn no_line_of_words_makes_the_decoder_panic_or_stand_still(
        words in prop::sample::select(Command::ALL_WORDS),
        rest in "[ 0-9a-z{}\":\\[\\]\r\n]{0,60}",
    ) {
        let line = format!("{words}{rest}\n");
        match decoded(line.as_bytes()) {
            Step::Incomplete { needed } => prop_assert!(needed > line.len()),
            Step::Complete { consumed, .. } => prop_assert!(consumed > 0 && consumed <= line.len()),
        }
    }

    #[test]
    fn a_row_with_a_schedule_within_survives(schedule in schedule(), next in of(any::<i64>())) {
        let row = ScheduleRow {
            schedule,
            source: "set".to_owned(),
            paused: false,
            next,
            last: None,
            last_started: None,
            last_handle: None,
            last_outcome: None,
            last_took_ms: None,
            runs: 1,
            skipped: 0,
            missed_runs: 0,
            failed: 0,
        };
        let again: ScheduleRow = serde_json::from_str(&serde_json::to_string(&row).unwrap()).unwrap();
        prop_assert_eq!(again, row);
    }
}

/// The error of the first message, and how many bytes it takes.
fn refusal(bytes: &[u8]) -> (DecodeError, usize) {
    match decoded(bytes) {
        Step::Complete { consumed, message: Err(error) } => (error, consumed),
        other => panic!("expected an error, not {other:?}"),
    }
}

#[test]
fn a_length_over_the_limit_is_refused_before_anything_of_it_comes() {
    let long = usize::try_from(BODY_BYTES_MAX).unwrap().div_ceil(3) * 4 + limits::LONG_LINE_BYTES_MIN;
    for (line, max) in [
        ("import 1398104000 ", long),
        ("import 99999999999999999999999 ", long),
        ("schedule add 2000000 ", long),
        ("jobs list 8200 ", limits::LINE_BYTES_MAX),
    ] {
        let (error, consumed) = refusal(line.as_bytes());
        assert_eq!((error.clone(), consumed), (DecodeError::LineTooLong { max }, line.len()));
        assert_eq!(error.disposition(), Disposition::ReplyLineThenClose("LINE_TOO_LONG"));
    }
    let fits = format!("import {} ", long - "import 1463640 ".len() - 1);
    assert_eq!(decoded(fits.as_bytes()), Step::Incomplete { needed: long });
}

#[test]
fn a_long_line_without_its_length_ends_the_connection() {
    let line = format!("import {{\"item\":\"{}\"}}\n", "x".repeat(10_000));
    let max = limits::LINE_BYTES_MAX;
    assert_eq!(refusal(line.as_bytes()), (DecodeError::LineTooLong { max }, line.len()));
}

#[test]
fn a_wrong_length_ends_the_connection() {
    for (line, length) in [("jobs list 2 {} \n", 14), ("jobs list 1 {}\n", 13), ("jobs list 2 {}\rx", 14)] {
        let (error, consumed) = refusal(line.as_bytes());
        assert_eq!(error, DecodeError::LineLengthWrong { length });
        assert_eq!(consumed, length + 1 + usize::from(line.contains('\r')));
        assert_eq!(error.disposition(), Disposition::ReplyLineThenClose("LINE_LENGTH_WRONG"));
    }
}

#[test]
fn a_line_that_says_its_length_may_have_line_feeds_within() {
    let line = b"jobs list 15 {\n\"limit\"\n: 3\n}\nstatus\n";
    let Step::Complete { consumed: 29, message: Ok(Message::Admin(AdminCommand::Typed(Ok(command)))) } =
        decoded(line)
    else {
        panic!("{:?}", decoded(line));
    };
    assert!(command.to_line().ends_with("\"limit\":3}"), "{command:?}");
}

/// The tables of docs/protocol.md are those of the code, and its examples are commands.
#[test]
fn every_command_is_documented_with_an_example() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md")).unwrap();
    let (_, page) = page.split_once("## Typed commands").unwrap();
    let word = |row: &str| Some(row.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    let documented: Vec<String> = page.lines().filter_map(word).collect();
    assert_eq!(documented, Command::ALL_WORDS);
    let (_, examples) = page.split_once("One of each, as it is sent:\n\n```text\n").unwrap();
    let examples: Vec<&str> = examples.lines().take_while(|line| *line != "```").collect();
    let parsed = examples.iter().map(|line| match Command::parse(line.as_bytes()) {
        Some(Ok(command)) => command.words(),
        other => panic!("{line}: {other:?}"),
    });
    assert_eq!(parsed.collect::<Vec<_>>(), Command::ALL_WORDS);
}
