//! What people ask while it all happens: typed commands, as lines of text.
//!
//! From: clients, now and then. To: the port that everybody uses. Never: judges.

use crate::plan::FUNCTIONS;
use crate::policy::{self, Rules};
use fastrand::Rng;
use geartrain_proto::command::{
    AttemptRow, Bytes, Command, DeadDrop, DeadFilter, DeadGroups, DeadList, DeadProgress, DeadRequeue,
    DeadShow, Explain, Export, Import, Item, JobsCancel, JobsCount, JobsFilter, JobsList, JobsMove, JobsPick,
    JobsPriority, JobsShow, Missed, Overlap, PolicyUnset, PriorityName, ScheduleAdd, ScheduleList,
    ScheduleName, Section, ShelfName, WorkersList,
};

/// What a person would know.
#[derive(Debug)]
pub(crate) struct Hints {
    /// Of a hundred turns of a client, how many are commands.
    pub(crate) steering: u32,
    /// The time of the calendar.
    pub(crate) unix_seconds: i64,
    /// Whether no campaign is under way.
    pub(crate) is_idle: bool,
    /// Handles of letters.
    pub(crate) letters: Vec<Vec<u8>>,
}

fn function(rng: &mut Rng) -> Bytes {
    // The one without a name cannot be named in a filter.
    let name = rng.choice(FUNCTIONS).filter(|name| !name.is_empty());
    Bytes::from(name.unwrap_or("mail"))
}

/// A command that makes some sense now.
pub(crate) fn some_command(rng: &mut Rng, handles: &[Vec<u8>], hints: &Hints) -> Command {
    let mut pick_of =
        |list: &[Vec<u8>]| Bytes(rng.choice(list).cloned().unwrap_or_else(|| b"H:localhost:1".to_vec()));
    let (job, letter) = (pick_of(handles), pick_of(&hints.letters));
    let shelf = if rng.u32(0..4) == 0 { ShelfName::Finished } else { ShelfName::Dead };
    match rng.u32(0..40) {
        0..11 => policy::some_command(rng),
        11..14 => schedule(rng),
        14 => Command::JobsCancel(Box::new(JobsCancel { pick: pick(rng, job) })),
        15..18 => {
            let pick = JobsPick { handles: vec![job], ..JobsPick::default() };
            Command::JobsMove(Box::new(JobsMove { pick, to: function(rng) }))
        }
        18..20 => {
            let pick = JobsPick { handles: vec![job], ..JobsPick::default() };
            Command::JobsPriority(Box::new(JobsPriority { pick, to: priority(rng) }))
        }
        20 => Command::JobsCount(Box::new(JobsCount { pick: pick(rng, job) })),
        21 => Command::JobsList(Box::new(JobsList { pick: pick(rng, job), limit: 0 })),
        22 => Command::JobsShow(Box::new(JobsShow { handle: job })),
        23 => Command::DeadGroups(Box::new(DeadGroups { after: 0 })),
        24 => Command::DeadList(Box::new(DeadList { shelf, ..DeadList::default() })),
        25 | 26 => Command::DeadShow(Box::new(DeadShow { shelf, handle: letter })),
        27 => {
            let mut filter = DeadFilter::default();
            if rng.bool() {
                filter.handles.push(letter);
            } else {
                filter.function = Some(function(rng));
            }
            Command::DeadDrop(Box::new(DeadDrop { shelf, filter, after: 0, dry: rng.bool() }))
        }
        28..31 if hints.is_idle => Command::DeadRequeue(Box::new(requeue(rng, letter))),
        31 | 32 => Command::DeadProgress(Box::new(DeadProgress { campaign: rng.u64(1..6) })),
        33 => {
            let section =
                *rng.choice(&[Section::Jobs, Section::Dead, Section::Policies]).unwrap_or(&Section::Jobs);
            Command::Export(Box::new(Export { section, after: 0, filter: DeadFilter::default() }))
        }
        34 | 35 => Command::Import(Box::new(Import { item: item(rng, hints.unix_seconds), check: false })),
        36 | 37 => schedule(rng),
        38 if rng.bool() => Command::WorkersList(Box::new(WorkersList { after: 0 })),
        38 => Command::Explain(Box::new(Explain { handle: Some(job), function: None })),
        _ => Command::Explain(Box::new(Explain { handle: None, function: Some(function(rng)) })),
    }
}

fn pick(rng: &mut Rng, job: Bytes) -> JobsPick {
    if rng.u32(0..3) > 0 {
        return JobsPick { handles: vec![job], ..JobsPick::default() };
    }
    let filter = JobsFilter { function: Some(function(rng)), ..JobsFilter::default() };
    JobsPick { filter, ..JobsPick::default() }
}

fn priority(rng: &mut Rng) -> PriorityName {
    *rng.choice(&[PriorityName::High, PriorityName::Normal, PriorityName::Low]).unwrap_or(&PriorityName::Low)
}

fn requeue(rng: &mut Rng, letter: Bytes) -> DeadRequeue {
    let mut filter = DeadFilter::default();
    match rng.u32(0..3) {
        0 => filter.handles.push(letter),
        1 => filter.function = Some(function(rng)),
        _ => {}
    }
    DeadRequeue {
        filter,
        rate: rng.bool().then(|| "5/s".to_owned()),
        canary: rng.u32(0..3),
        function: (rng.u32(0..4) == 0).then(|| function(rng)),
        workload: None,
    }
}

/// A job of another queue; few numbers, so that the same comes again.
fn item(rng: &mut Rng, unix_seconds: i64) -> Item {
    let is_dead = rng.bool();
    let attempt = AttemptRow {
        attempt: 1,
        started: 1,
        ended: 2,
        client_id: Bytes::from("w"),
        address: "::1".to_owned(),
        how: "fail".to_owned(),
        text: Bytes::default(),
    };
    Item::Job {
        origin: "elsewhere".to_owned(),
        number: rng.u64(1..40),
        function: function(rng),
        unique: Bytes::default(),
        priority: priority(rng),
        workload: Bytes::from("taken in"),
        reducer: None,
        not_before: if is_dead {
            0
        } else {
            *rng.choice(&[0, unix_seconds, unix_seconds + 20]).unwrap_or(&0)
        },
        attempts: if is_dead { 1 } else { rng.u32(0..3) },
        lost: 0,
        submitted: 1_799_999_999_000,
        shelf: is_dead.then_some(ShelfName::Dead),
        ended: 1_799_999_999_500,
        how: if is_dead { "fail".to_owned() } else { String::new() },
        error: Bytes::default(),
        log: vec![attempt],
    }
}

fn schedule(rng: &mut Rng) -> Command {
    let name = rng.choice(["s1", "s2"]).unwrap_or("s1").to_owned();
    let named = Box::new(ScheduleName { name: name.clone() });
    match rng.u32(0..12) {
        0 => Command::SchedulePause(named),
        1 => Command::ScheduleResume(named),
        2 => Command::ScheduleRun(named),
        3 => Command::ScheduleRemove(named),
        4 => Command::ScheduleShow(named),
        5 => Command::ScheduleList(Box::new(ScheduleList { after: 0 })),
        _ => Command::ScheduleAdd(Box::new(ScheduleAdd {
            name,
            when: rng
                .choice(["every 3s", "every 30s", "every 90s", "* * * * *"])
                .unwrap_or("every 3s")
                .to_owned(),
            zone: None,
            function: Bytes::from("mail"),
            workload: Bytes::from("scheduled"),
            priority: None,
            unique: None,
            missed: *rng.choice(&[Missed::Skip, Missed::One, Missed::All]).unwrap_or(&Missed::One),
            overlap: *rng
                .choice(&[Overlap::Skip, Overlap::Queue, Overlap::Coalesce])
                .unwrap_or(&Overlap::Queue),
            replace: rng.bool(),
        })),
    }
}

/// The lines after which nothing holds a job back: rules are taken back, schedules removed.
pub(crate) fn lines_that_let_go(rules: &Rules) -> Vec<u8> {
    let mut lines = Vec::new();
    let unset = |pattern: &Vec<u8>| {
        let unset = PolicyUnset { function: Bytes(pattern.clone()), keys: Vec::new() };
        Command::PolicyUnset(Box::new(unset))
    };
    let remove = |name: &str| Command::ScheduleRemove(Box::new(ScheduleName { name: name.to_owned() }));
    for command in rules.by_pattern.keys().map(unset).chain(["s1", "s2"].map(remove)) {
        lines.extend_from_slice(command.to_line().as_bytes());
        lines.push(b'\n');
    }
    lines
}
