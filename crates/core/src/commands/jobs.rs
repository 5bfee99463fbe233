//! Commands about jobs that wait or run.
//!
//! From: `commands.rs`. To: rows about jobs; `submit.rs` and `admin.rs`, which move and cancel jobs.
//! Never: changes a job whose function has no room for it, or one that runs, but for cancelling it.

mod select;

use super::{Reading, Reply, Rows};
use crate::core::Core;
use crate::event::Event;
use crate::function::FunctionKey;
use crate::ids::ConnId;
use crate::job::{Job, JobKey, Kept};
use crate::outbox::Outbox;
use crate::persist::Wanted;
use crate::rules::is_pattern;
use crate::suspect::worker_name;
use geartrain_proto::command::{
    Bytes, Changed, CommandError, JobRow, JobsCancel, JobsCount, JobsList, JobsMove, JobsPick, JobsPriority,
    JobsShow, PAGE_ROWS_MAX,
};
use geartrain_proto::limits::FUNCTION_BYTES_MAX;
use geartrain_proto::{Function, Priority};
use select::{Budget, Selected, Selection, state_of};

/// What one page changes: some milliseconds, since each client of a job may have to be told.
const CHANGED_MAX: Budget = Budget { jobs: 2000, clients: 10_000 };

/// What one page counts is bounded by what it looks at.
const COUNTED_MAX: Budget = Budget { jobs: usize::MAX, clients: usize::MAX };

/// Bytes of rows after which a page ends.
const ROWS_BYTES_MAX: usize = 4 << 20;

/// The workload of a job, where it is in memory.
pub(super) fn workload_in_memory(job: &Job) -> Option<&[u8]> {
    job.workload()
}

impl Core {
    pub(crate) fn jobs_count(
        &mut self,
        arguments: &JobsCount,
        reading: Option<Reading>,
    ) -> Result<Reply, CommandError> {
        match self.select_jobs(&arguments.pick, reading.as_ref(), COUNTED_MAX)? {
            Selected::Needs(reply) => Ok(reply),
            Selected::Page(page) => {
                let mut rows = Rows::default();
                rows.push(&Changed { matched: page.keys.len() as u64, changed: 0 });
                Ok(rows.end(page.next))
            }
        }
    }

    pub(crate) fn jobs_list(
        &mut self,
        arguments: &JobsList,
        reading: Option<Reading>,
    ) -> Result<Reply, CommandError> {
        let limit = match arguments.limit {
            0 => PAGE_ROWS_MAX,
            limit => limit.min(PAGE_ROWS_MAX),
        };
        let budget = Budget { jobs: limit as usize, clients: usize::MAX };
        let page = match self.select_jobs(&arguments.pick, reading.as_ref(), budget)? {
            Selected::Needs(reply) => return Ok(reply),
            Selected::Page(page) => page,
        };
        let mut rows = Rows::default();
        for key in page.keys {
            if rows.len() > ROWS_BYTES_MAX && arguments.pick.handles.is_empty() {
                return Ok(rows.end(Some(key.slot_number())));
            }
            rows.push(&self.job_row(self.jobs.get(key)));
        }
        Ok(rows.end(page.next))
    }

    pub(crate) fn jobs_show(
        &mut self,
        arguments: &JobsShow,
        reading: Option<Reading>,
    ) -> Result<Reply, CommandError> {
        let number = self.number_of(&arguments.handle)?;
        let Some(key) = self.jobs.find(number) else {
            return Err(CommandError::new(format!(
                "no job with the handle {} waits or runs (hint: explain says what became of it)",
                arguments.handle
            )));
        };
        let job = self.jobs.get(key);
        let needs_store = job.attempts() > 0 || workload_in_memory(job).is_none();
        if reading.is_none() && job.kept().has_record() && needs_store {
            return Ok(Reply::Read { wanted: Wanted::Jobs, numbers: vec![number], next: None });
        }
        let fetched = reading.and_then(|reading| reading.fetched.into_iter().next());
        let mut row = self.job_row(job);
        row.workload = match (workload_in_memory(job), &fetched) {
            (Some(workload), _) => Some(Bytes::from(workload)),
            (None, Some(fetched)) => Some(Bytes::from(fetched.record.workload.as_slice())),
            (None, None) => {
                return Err(CommandError::new(format!(
                    "the record of {} is not in the store (hint: see the server's log)",
                    arguments.handle
                )));
            }
        };
        row.log = fetched.map_or_else(Vec::new, |fetched| fetched.log);
        Ok(Rows::one(&row))
    }

    pub(crate) fn jobs_cancel(
        &mut self,
        conn: ConnId,
        arguments: &JobsCancel,
        reading: Option<Reading>,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        self.change_jobs(conn, "jobs cancel", &arguments.pick, reading.as_ref(), out, |core, key, out| {
            core.cancel(key, out);
            true
        })
    }

    pub(crate) fn jobs_move(
        &mut self,
        conn: ConnId,
        arguments: &JobsMove,
        reading: Option<Reading>,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        self.check_target(&arguments.to)?;
        let to = Function::new(arguments.to.as_bytes());
        self.change_jobs(conn, "jobs move", &arguments.pick, reading.as_ref(), out, |core, key, out| {
            if core.jobs.get(key).running().is_some() {
                return false;
            }
            // Made for the first job that needs it; where there were too many, that was refused before.
            core.function_for(to).is_some_and(|function| core.move_to_function(key, function, out))
        })
    }

    pub(crate) fn jobs_priority(
        &mut self,
        conn: ConnId,
        arguments: &JobsPriority,
        reading: Option<Reading>,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        let to = Priority::from(arguments.to);
        self.change_jobs(conn, "jobs priority", &arguments.pick, reading.as_ref(), out, |core, key, out| {
            let job = core.jobs.get(key);
            let function = job.function();
            let others = core.jobs.line(function).total() - 1;
            let changes = job.running().is_none() && job.priority() != to;
            if !changes || !core.has_room(function, to, others) {
                return false;
            }
            core.move_job(key, function, to, out);
            true
        })
    }

    /// Does something to each job of a page; `change` says whether it changed it.
    fn change_jobs(
        &mut self,
        conn: ConnId,
        command: &str,
        pick: &JobsPick,
        reading: Option<&Reading>,
        out: &mut dyn Outbox,
        mut change: impl FnMut(&mut Core, JobKey, &mut dyn Outbox) -> bool,
    ) -> Result<Reply, CommandError> {
        let Selection { keys, next } = match self.select_jobs(pick, reading, CHANGED_MAX)? {
            Selected::Needs(reply) => return Ok(reply),
            Selected::Page(page) => page,
        };
        let mut counts = Changed { matched: keys.len() as u64, changed: 0 };
        for key in keys {
            counts.changed += u64::from(change(self, key, out));
        }
        if counts.changed > 0 {
            out.note(Event::Steered { conn, command, changed: counts.changed });
        }
        let mut rows = Rows::default();
        rows.push(&counts);
        Ok(rows.end(next))
    }

    /// Whether jobs may be moved to a function of this name.
    fn check_target(&mut self, to: &Bytes) -> Result<(), CommandError> {
        let name = to.as_bytes();
        if name.is_empty() || name.len() > FUNCTION_BYTES_MAX || name.contains(&0) {
            return Err(CommandError::new(format!(
                "to: the name of a function has 1 to {FUNCTION_BYTES_MAX} bytes, and no zero among them"
            )));
        }
        if is_pattern(name) {
            return Err(CommandError::new(format!(
                "to: {to} is a pattern, and jobs are moved to one function"
            )));
        }
        match self.functions.find(Function::new(name)) {
            Some(function) if self.functions.get(function).policy.draining => {
                Err(CommandError::new(format!(
                    "to: {to} takes no new jobs, it is being drained (hint: policy set {to} draining=false)"
                )))
            }
            None if self.rules.resolve(name).draining => Err(CommandError::new(format!(
                "to: {to} takes no new jobs, it is being drained (hint: policy set {to} draining=false)"
            ))),
            None if self.functions.len() >= self.settings.limits.functions_max => {
                Err(CommandError::new(format!("to: {to} would be one function too many")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the job was moved: it stays where the other function has one like it (I5), or is full.
    fn move_to_function(&mut self, key: JobKey, function: FunctionKey, out: &mut dyn Outbox) -> bool {
        let job = self.jobs.get(key);
        let priority = job.priority();
        // A job whose workload is its unique keeps that in memory.
        let workload = workload_in_memory(job).unwrap_or_default();
        if job.function() == function
            || !self.has_room(function, priority, self.jobs.line(function).total())
            || self.jobs.find_live(function, job.unique(), workload).is_some()
        {
            return false;
        }
        self.move_job(key, function, priority, out);
        self.keep_function(function, out);
        true
    }

    fn job_row(&self, job: &Job) -> JobRow {
        let (state, not_before) = state_of(job, self.now);
        let running = job.running();
        let since = |moment| self.now.moment.since(moment).as_millis();
        JobRow {
            handle: self.handle_of(job.number()),
            function: Bytes::from(self.functions.name(job.function()).as_bytes()),
            unique: Bytes::from(job.unique().as_bytes()),
            priority: job.priority().into(),
            state,
            background: job.kept() != Kept::ByClients,
            submitted: job.submitted().millis(),
            not_before: not_before.map(crate::ids::UnixTime::millis),
            expires: self.expires(job).map(crate::ids::UnixTime::millis),
            attempts: job.attempts(),
            worker: running.and_then(|it| self.conns.get(it.worker)).map(|peer| Bytes(worker_name(peer))),
            running_ms: running.map(|it| u64::try_from(since(it.started.moment)).unwrap_or(u64::MAX)),
            clients: job.waiters().len() as u64,
            workload: None,
            log: Vec::new(),
        }
    }

    /// The handle of a job, as it stands in rows.
    pub(in crate::commands) fn handle_of(&self, number: u64) -> Bytes {
        Bytes::from(self.handles.text(number).as_handle().as_bytes())
    }
}
