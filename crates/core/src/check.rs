//! The invariants, checked whole: for tests and simulation.
//!
//! Each check is named after the invariant in ARCHITECTURE.md that it asserts.

use crate::conn::Sleep;
use crate::core::Core;
use crate::function::FunctionKey;
use crate::ids::Moment;
use crate::job::{Kept, NEVER, State};
use crate::persist::Shelf;
use crate::schedule::{Schedule, Source};
use crate::timers::{Alarm, Due};
use geartrain_proto::Priority;
use std::collections::{BTreeMap, BTreeSet};

impl Core {
    /// Checks every invariant, in time proportional to the queue; for tests and simulation.
    ///
    /// # Panics
    /// When one does not hold, with its number.
    pub fn check_all(&self) {
        self.check_one_state();
        self.check_one_job_per_unique();
        self.check_records();
        self.check_workers();
        self.check_lines();
        self.check_waits();
        self.check_no_wake_is_lost();
        self.check_limits();
        self.check_schedules();
        self.check_backlog();
    }

    /// I4: each job is where its state says, and nowhere else.
    fn check_one_state(&self) {
        let mut queued = BTreeSet::new();
        for (function, _) in self.functions.iter() {
            for priority in Priority::ALL {
                for key in self.jobs.queue(function, priority) {
                    let job = self.jobs.get(key);
                    assert!(
                        matches!(job.state(), State::Queued { .. }),
                        "I4: job {} is in a queue",
                        job.number()
                    );
                    assert_eq!(job.function(), function, "I4: job {} is in another function", job.number());
                    assert_eq!(job.priority(), priority, "I4: job {} has another priority", job.number());
                    assert!(queued.insert(job.number()), "I4: job {} is queued twice", job.number());
                }
            }
        }
        let (mut dues, mut deadlines, mut pauses) = (0, 0, 0);
        for (key, job) in self.jobs.iter() {
            let number = job.number();
            assert_eq!(self.jobs.find(number), Some(key), "I4: job {number} is found by its number");
            let due = match job.state() {
                State::Queued { expires, .. } => {
                    assert!(queued.contains(&number), "I4: queued job {number} is in no queue");
                    Some(*expires).filter(|expires| *expires != NEVER)
                }
                State::Delayed { until, .. } => Some(*until),
                State::Paused { until_ms, .. } => {
                    pauses += 1;
                    let alarm = (Moment::from_millis(*until_ms), Alarm::Pause(number));
                    assert!(
                        self.timers.alarms().contains(&alarm),
                        "I4: job {number} has no end of its pause"
                    );
                    None
                }
                State::Running(running) => {
                    if let Some(deadline) = running.deadline {
                        deadlines += 1;
                        let alarm = (deadline, Alarm::Deadline(number));
                        assert!(self.timers.alarms().contains(&alarm), "I4: job {number} has no deadline");
                    }
                    None
                }
            };
            if let Some(at) = due {
                dues += 1;
                let timer = (at, Due::Job(number));
                assert!(self.timers.calendar().contains(&timer), "I4: job {number} has no timer");
            }
        }
        let jobs = self.timers.calendar().iter().filter(|(_, due)| matches!(due, Due::Job(_))).count();
        assert_eq!(dues, jobs, "I4: each timer of a job has its job");
        let alarms = self.timers.alarms().iter().filter(|(_, it)| matches!(it, Alarm::Deadline(_))).count();
        assert_eq!(deadlines, alarms, "I4: each deadline has its job");
        let alarms = self.timers.alarms().iter().filter(|(_, it)| matches!(it, Alarm::Pause(_))).count();
        assert_eq!(pauses, alarms, "I4: each pause has its job");
    }

    /// I5: at most one live job per function and unique; `-` stands for the workload.
    fn check_one_job_per_unique(&self) {
        let mut seen = BTreeMap::new();
        for (key, job) in self.jobs.iter() {
            let unique = job.unique();
            let workload = if unique.is_workload() { job.workload().unwrap_or_default() } else { &[] };
            if unique.is_absent() || (unique.is_workload() && workload.is_empty()) {
                continue;
            }
            let twin = seen.insert((job.function(), unique, workload), job.number());
            assert_eq!(twin, None, "I5: job {} has the unique of another", job.number());
            assert_eq!(
                self.jobs.find_live(job.function(), unique, workload),
                Some(key),
                "I5: job {} is found by its unique",
                job.number()
            );
        }
    }

    /// I6: a job whose record is on its way is known to be.
    fn check_records(&self) {
        let mut writing = 0;
        for (_, job) in self.jobs.iter() {
            let is_writing = self.writing.is_writing(job.number());
            assert_eq!(job.kept() == Kept::Writing, is_writing, "I6: record of job {}", job.number());
            writing += usize::from(is_writing);
        }
        assert_eq!(writing, self.writing.len(), "I6: each record on its way has its job");
    }

    /// I8: a running job is on the list of an open connection, once.
    fn check_workers(&self) {
        let mut listed = 0;
        for (conn, peer) in self.conns.iter() {
            for (index, key) in peer.running.iter().enumerate() {
                let running = self.jobs.get(*key).running().expect("I8: a worker's job is running");
                assert_eq!(running.worker, conn, "I8: a worker's job knows it");
                assert_eq!(running.index as usize, index, "I8: a worker's job knows its place");
                listed += 1;
            }
        }
        assert_eq!(listed, self.jobs.running(), "I8: each running job has an open worker");
    }

    /// The counts of a line equal its jobs.
    fn check_lines(&self) {
        for (function, entry) in self.functions.iter() {
            let of_function = || self.jobs.iter().filter(|(_, job)| job.function() == function);
            let line = self.jobs.line(function);
            assert_eq!(line.total() as usize, of_function().count(), "count of jobs");
            let running = of_function().filter(|(_, job)| job.running().is_some()).count();
            assert_eq!(line.running() as usize, running, "count of running jobs");
            for priority in Priority::ALL {
                let waiting = of_function()
                    .filter(|(_, job)| job.priority() == priority && job.running().is_none())
                    .count();
                assert_eq!(line.waiting(priority) as usize, waiting, "count of waiting jobs");
            }
            let able = |conn: &crate::conn::Conn| conn.ability(function, &self.hash).is_some();
            let workers = self.conns.iter().filter(|(_, peer)| able(peer)).count();
            assert_eq!(entry.workers as usize, workers, "count of workers");
            let is_ready = self.jobs.ready_functions().contains(&function);
            assert_eq!(is_ready, line.is_ready(), "list of functions with ready jobs");
            let running_max = entry.policy.max_running.unwrap_or(u32::MAX);
            assert!(line.gate.paused == entry.policy.paused, "the gate follows the policy");
            assert_eq!(line.gate.running_max.unwrap_or(u32::MAX), running_max, "the gate follows the policy");
        }
        let in_memory_only = self.jobs.iter().filter(|(_, job)| job.kept() != Kept::Stored).count();
        assert_eq!(self.jobs.in_memory_only(), in_memory_only, "count of jobs in memory only");
    }

    /// A connection waits for a job exactly when the job lists it; a job kept by its clients has some.
    fn check_waits(&self) {
        for (_, job) in self.jobs.iter() {
            let needs_clients = job.kept() == Kept::ByClients && job.running().is_none();
            assert!(!needs_clients || !job.waiters().is_empty(), "job {} is abandoned", job.number());
            for waiter in job.waiters() {
                assert!(self.conns.get(*waiter).is_some(), "job {} waits for an open client", job.number());
            }
        }
        for (conn, peer) in self.conns.iter() {
            for key in &peer.waits {
                assert!(
                    self.jobs.get(*key).waiters().contains(&conn),
                    "a client waits for a job that lists it"
                );
            }
        }
    }

    /// I10: while a job is ready and an able worker sleeps unwoken, another able worker was woken and has
    /// not grabbed yet.
    fn check_no_wake_is_lost(&self) {
        if !self.assigning {
            return;
        }
        for function in self.jobs.ready_functions() {
            let able = || {
                let able =
                    self.conns.iter().filter(|(_, peer)| peer.ability(*function, &self.hash).is_some());
                able.filter(|(_, peer)| !self.is_suspended(peer))
            };
            let sleeping = able().any(|(_, peer)| peer.sleep == Sleep::Sleeping);
            let woken = able().any(|(_, peer)| matches!(peer.sleep, Sleep::Woken { .. }));
            let name = self.functions.name(*function);
            assert!(!sleeping || woken, "I10: {name} has a ready job and only unwoken sleepers");
        }
    }

    /// I12: tables stay within their limits.
    fn check_limits(&self) {
        let limits = &self.settings.limits;
        for (_, peer) in self.conns.iter() {
            assert!(peer.abilities().len() <= limits.abilities_max, "I12: abilities");
        }
        for (_, job) in self.jobs.iter() {
            assert!(job.waiters().len() <= limits.waiters_max, "I12: waiters");
        }
        for shelf in [Shelf::Dead, Shelf::Finished] {
            let fits = !self.chores.is_empty() || self.archive.shelf(shelf).fits(limits);
            assert!(fits, "I12: letters");
        }
        for (_, entry) in self.functions.iter() {
            assert!(entry.sleepers.len() <= entry.workers as usize * 2 + 16, "I12: sleepers");
        }
    }

    /// A schedule has one timer, at its next due time; one that is paused, or waits for the store, has none.
    fn check_schedules(&self) {
        let mut timers = BTreeSet::new();
        for (at, due) in self.timers.calendar().iter() {
            if let Due::Schedule(key) = due {
                assert!(timers.insert((key, at)), "a schedule has one timer");
            }
        }
        for (key, schedule) in self.schedules.iter() {
            let name = &schedule.given.name;
            assert_eq!(self.schedules.find(name), Some(key), "schedule {name} is found by its name");
            assert!(!schedule.memory.paused || schedule.next.is_none(), "schedule {name} is paused");
            assert!(schedule.next.is_none_or(|next| next > schedule.done()), "schedule {name} runs twice");
            let held_up = self.schedules.held_up.contains(&key);
            if let Some(next) = schedule.next.filter(|_| !held_up) {
                assert!(timers.remove(&(key, next)), "schedule {name} has no timer");
            }
        }
        assert!(timers.is_empty(), "a timer has no schedule");
        for number in self.schedules.live_numbers() {
            assert!(self.jobs.find(number).is_some(), "job {number} of a schedule lives");
        }
        let max = self.settings.limits.schedules_max;
        let is_added = |schedule: &Schedule| schedule.source == Source::Set;
        let (added, of_file): (Vec<_>, Vec<_>) =
            self.schedules.iter().map(|(_, schedule)| schedule).partition(|schedule| is_added(schedule));
        assert_eq!(self.schedules.added(), added.len(), "schedules that were added");
        assert!(added.len() <= max && of_file.len() <= max, "I12: schedules");
    }

    /// Workloads: in memory, or in the store and known to be; the windows and what is counted about them.
    fn check_backlog(&self) {
        let (mut resident, mut heads, mut ahead_bytes) = (0, 0, 0);
        for (function, _) in self.functions.iter() {
            for priority in Priority::ALL {
                ahead_bytes += self.check_window(function, priority);
            }
            if let Some(at) = self.jobs.line(function).gate.reads_open {
                assert!(
                    self.timers.alarms().contains(&(at, Alarm::Reads(function))),
                    "reads go on some time"
                );
            }
        }
        assert_eq!(self.jobs.ahead_bytes(), ahead_bytes, "bytes in all windows");
        for (_, job) in self.jobs.iter() {
            let (number, presence) = (job.number(), job.presence());
            heads += job.content_len() - job.workload_len();
            let reads = self.reads.workloads().filter(|read| read.lacks(number)).count();
            if let Some(workload) = job.workload() {
                let is_resident = job.kept() == Kept::Stored && job.running().is_none();
                resident += if is_resident { workload.len() as u64 } else { 0 };
                let is_late = job.assigning().is_some();
                let has_arrived = || self.reads.workloads().any(|read| read.has_arrived(number));
                assert!(!is_late || has_arrived(), "job {number} is whole, but its worker does not get it");
                continue;
            }
            assert_eq!(job.kept(), Kept::Stored, "the workload of job {number} is in the store");
            assert!(!self.writing.is_owed(number), "the workload of job {number} is in the store");
            assert!(!job.unique().is_workload(), "job {number} is known by its workload");
            assert_eq!(reads, usize::from(presence.is_asked()), "job {number} is read once, if at all");
            if job.running().is_some() {
                assert!(job.assigning().is_some(), "job {number} is with its worker, and not whole");
                assert!(presence.is_asked(), "a worker waits for job {number}, which nobody reads");
            }
        }
        assert_eq!(self.jobs.resident_bytes(), resident, "bytes that could leave memory");
        assert_eq!(self.jobs.head_bytes(), heads, "bytes of uniques and reducers");
    }

    /// A window is the first jobs of its queue, all in memory or being read. Returns the bytes in it.
    fn check_window(&self, function: FunctionKey, priority: Priority) -> u64 {
        let line = self.jobs.line(function);
        let queue = line.queue(priority);
        let (mut ahead, mut bytes, mut away_behind, mut last) = (0, 0, 0, None);
        for (index, key) in self.jobs.queue(function, priority).enumerate() {
            let job = self.jobs.get(key);
            if job.is_ahead() {
                assert_eq!(ahead as usize, index, "a window has no gap");
                ahead += 1;
                bytes += job.workload_len();
                last = Some(key);
                let is_late = job.presence().is_missed();
                assert!(!is_late || line.gate.reads_open.is_some(), "job {} is ahead", job.number());
            } else {
                away_behind += u32::from(!job.presence().is_here());
            }
        }
        assert_eq!(queue.ahead, ahead, "jobs in a window");
        assert_eq!(queue.ahead_bytes, bytes, "bytes in a window");
        assert_eq!(queue.ahead_last, last, "last job of a window");
        assert_eq!(queue.away_behind, away_behind, "jobs behind a window that are away");
        bytes
    }
}
