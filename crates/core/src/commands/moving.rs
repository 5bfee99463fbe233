//! The commands `export` and `import`: the whole queue as lines of JSON, while it runs.

use super::jobs::workload_in_memory;
use super::policy::about;
use super::{READ_BYTES_MAX, Reading, Reply, Rows};
use crate::core::Core;
use crate::function::FunctionKey;
use crate::ids::UnixTime;
use crate::job::{Kept, NewJob};
use crate::outbox::Outbox;
use crate::persist::{
    ATTEMPT_TEXT_BYTES_MAX, Attempt, ERROR_BYTES_MAX, LetterHead, Op, Outcome, OwnedRecord, Record, Shelf,
    Shelving, Wanted,
};
use crate::reads::Fetched;
use crate::settings::Durability;
use geartrain_proto::command::{
    AttemptRow, Bytes, CommandError, Export, Import, Imported, Item, PAGE_ROWS_MAX, Section, ShelfName,
};
use geartrain_proto::limits::{FUNCTION_BYTES_MAX, REDUCER_BYTES_MAX, UNIQUE_BYTES_MAX};
use geartrain_proto::{Function, Unique};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers that one page of an export looks up, where it cannot look at all jobs.
const NUMBERS_SEEN_MAX: u64 = 200_000;

/// Up to how many jobs are all looked at for each page of an export.
const JOBS_SORTED_MAX: usize = 100_000;

impl Core {
    pub(crate) fn export(
        &mut self,
        arguments: &Export,
        reading: Option<Reading>,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        self.identify_queue(out);
        match (arguments.section, reading) {
            (Section::Policies, _) => Ok(self.export_policies()),
            (Section::Schedules, _) => Ok(self.export_schedules(arguments.after)),
            (Section::Dead, None) => {
                let filter = self.letter_filter(&arguments.filter)?;
                let (numbers, next) =
                    self.pick(Shelf::Dead, &filter, arguments.after, PAGE_ROWS_MAX as usize);
                Ok(Reply::Read { wanted: Wanted::Letters(Shelf::Dead), numbers, next })
            }
            (Section::Dead, Some(reading)) => {
                let filter = self.letter_filter(&arguments.filter)?;
                self.check_all_read(&reading)?;
                let next = reading.cut.or(reading.next);
                let letters = reading.fetched.into_iter().filter(|letter| filter.takes_contents(letter));
                Ok(self.export_jobs(letters, next))
            }
            (Section::Jobs, None) => {
                let (numbers, next) = self.pick_jobs(arguments.after);
                Ok(Reply::Read { wanted: Wanted::Jobs, numbers, next })
            }
            (Section::Jobs, Some(reading)) => {
                let next = reading.cut.or(reading.next);
                Ok(self.export_jobs(self.with_jobs_in_memory(reading).into_iter(), next))
            }
        }
    }

    /// Whoever exports dead letters may be about to drop them.
    fn check_all_read(&self, reading: &Reading) -> Result<(), CommandError> {
        let read: BTreeSet<u64> = reading.fetched.iter().map(|it| it.record.number).collect();
        let asked = reading.asked.iter().filter(|number| reading.cut.is_none_or(|cut| **number < cut));
        let is_missing =
            |number: &&u64| !read.contains(number) && self.archive.shelf(Shelf::Dead).get(**number).is_some();
        match asked.filter(is_missing).count() {
            0 => Ok(()),
            missing => Err(CommandError::new(format!(
                "export: {missing} dead letters cannot be read (hint: with --store-queue-on-shutdown those of this run \
                 can after the next start)"
            ))),
        }
    }

    /// The next background jobs, in the order of their numbers.
    fn pick_jobs(&self, after: u64) -> (Vec<u64>, Option<u64>) {
        let end = self.writing.next_number();
        let (candidates, stop): (Vec<u64>, u64) = if self.jobs.len() <= JOBS_SORTED_MAX {
            let later = self.jobs.iter().map(|(_, job)| job.number()).filter(|number| *number >= after);
            let mut all: Vec<u64> = later.collect();
            all.sort_unstable();
            (all, end)
        } else {
            let stop = end.min(after.saturating_add(NUMBERS_SEEN_MAX));
            ((after..stop).collect(), stop)
        };
        let (mut numbers, mut bytes) = (Vec::new(), 0);
        for number in candidates {
            let Some(key) = self.jobs.find(number) else { continue };
            let job = self.jobs.get(key);
            if job.kept() == Kept::ByClients {
                continue;
            }
            let len = job.content_len();
            if numbers.len() >= PAGE_ROWS_MAX as usize || (bytes > 0 && bytes + len > READ_BYTES_MAX) {
                return (numbers, Some(number));
            }
            bytes += len;
            numbers.push(number);
        }
        (numbers, (stop < end).then_some(stop))
    }

    /// What was asked for: from the store, or from memory where the store does not have it, or not yet.
    fn with_jobs_in_memory(&self, reading: Reading) -> Vec<Fetched> {
        let mut all: BTreeMap<u64, Fetched> =
            reading.fetched.into_iter().map(|it| (it.record.number, it)).collect();
        let is_before_cut = |number: &u64| reading.cut.is_none_or(|cut| *number < cut);
        for number in reading.asked.into_iter().filter(is_before_cut) {
            let Some(key) = self.jobs.find(number) else { continue };
            let job = self.jobs.get(key);
            if job.kept() != Kept::ByClients && workload_in_memory(job).is_some() {
                let record = || OwnedRecord::from(self.record(job, number));
                all.entry(number).or_insert_with(|| Fetched {
                    record: record(),
                    shelving: None,
                    log: Vec::new(),
                });
            }
        }
        all.into_values().collect()
    }

    fn export_jobs(&self, fetched: impl Iterator<Item = Fetched>, next: Option<u64>) -> Reply {
        let mut rows = Rows::default();
        for Fetched { record, shelving, log } in fetched {
            rows.push(&Item::Job {
                origin: self.origin(),
                number: record.number,
                function: Bytes(record.function),
                unique: Bytes(record.unique),
                priority: record.priority.into(),
                workload: Bytes(record.workload),
                reducer: record.reducer.map(Bytes),
                not_before: record.not_before.max(0),
                attempts: record.attempts,
                lost: record.lost,
                submitted: record.submitted.millis(),
                shelf: shelving.as_ref().map(|_| ShelfName::Dead),
                ended: shelving.as_ref().map_or(0, |it| it.ended.millis()),
                how: shelving.as_ref().map_or_else(String::new, |it| it.how.name().to_owned()),
                error: shelving.map_or_else(Bytes::default, |it| Bytes(it.error)),
                log,
            });
        }
        rows.end(next)
    }

    fn export_policies(&self) -> Reply {
        let mut rows = Rows::default();
        for (pattern, values) in self.rules.set_rows() {
            let values = values.into_iter().map(|it| (it.key.name().to_owned(), it.value)).collect();
            rows.push(&Item::Policy { function: Bytes::from(pattern), values });
        }
        rows.end(None)
    }

    fn import_policy(
        &mut self,
        function: &Bytes,
        values: &BTreeMap<String, String>,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        let before = self.rules.row(function.as_bytes());
        let own = values.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        self.set_policy(function.as_bytes(), own, out).map_err(|error| about(function.as_bytes(), &error))?;
        let outcome = if self.rules.row(function.as_bytes()) == before { "known" } else { "new" };
        let imported = Imported { outcome: outcome.to_owned(), handle: None };
        Ok(Rows::one(&imported).once_in_force(function.as_bytes()))
    }

    /// What tells this queue from every other one.
    fn origin(&self) -> String {
        format!("{:016x}", self.imports.queue_id())
    }

    pub(crate) fn import(&mut self, arguments: &Import, out: &mut dyn Outbox) -> Result<Reply, CommandError> {
        if arguments.check {
            if let job @ Item::Job { .. } = &arguments.item {
                self.checked_record(job)?;
            }
            return Ok(Rows::one(&Imported { outcome: "checked".to_owned(), handle: None }));
        }
        match &arguments.item {
            Item::Policy { function, values } => self.import_policy(function, values, out),
            Item::Schedule { schedule, paused, last } => self.import_schedule(schedule, *paused, *last, out),
            job @ Item::Job { .. } => self.import_job(job, out).map(|imported| Rows::one(&imported)),
        }
    }

    fn import_job(&mut self, item: &Item, out: &mut dyn Outbox) -> Result<Imported, CommandError> {
        let Item::Job { origin, number, shelf, log, ended, how, error, .. } = item else {
            return Err(CommandError::new("import: the item is no job"));
        };
        if origin.is_empty() || origin.len() > ORIGIN_BYTES_MAX {
            return Err(CommandError::new(format!(
                "import: origin of {} bytes is not from 1 to {ORIGIN_BYTES_MAX} bytes long",
                origin.len()
            )));
        }
        let is_own = *origin == self.origin();
        // A job that this queue had, and has no more, ended since the export: it is not to run again. A letter may
        // come back, since it runs only when somebody requeues it.
        let has_ended = shelf.is_none() && self.writing.was_given(*number);
        if self.imports.has(origin, *number) || (is_own && (has_ended || self.is_kept(*number))) {
            return Ok(Imported { outcome: "known".to_owned(), handle: None });
        }
        self.imports.check_room(origin, *number)?;
        self.check_room_for_import(shelf.is_some())?;
        let mut record = self.checked_record(item)?;
        // The store forgets the attempts of a job by their count.
        let log = if record.attempts > 0 { log.as_slice() } else { &[] };
        let Some(function) = self.function_for(Function::new(&record.function)) else {
            return Err(CommandError::new("import: there are too many functions"));
        };
        let outcome = if let Some(shelf) = shelf {
            let how = Outcome::from_name(how)
                .ok_or_else(|| CommandError::new(format!("import: how {how:?} is not the end of a job")))?;
            record.number = self.take_number(out);
            let shelving = Shelving {
                number: record.number,
                shelf: (*shelf).into(),
                ended: UnixTime::from_millis(*ended),
                how,
                attempts: record.attempts,
                error: error.0.get(..ERROR_BYTES_MAX).unwrap_or(&error.0),
            };
            self.import_letter(&record.as_record(), shelving, log, out);
            Imported { outcome: "new".to_owned(), handle: Some(self.handle_bytes(record.number)) }
        } else {
            self.import_waiting(record, function, log, out)
        };
        self.remember_import(origin, *number, out);
        Ok(outcome)
    }

    fn check_room_for_import(&self, is_letter: bool) -> Result<(), CommandError> {
        if is_letter || self.jobs.len() < self.settings.limits.jobs_max {
            return Ok(());
        }
        Err(CommandError::new("import: too many jobs wait (hint: go on when some are done)"))
    }

    fn checked_record(&self, item: &Item) -> Result<OwnedRecord, CommandError> {
        let record = checked_record(item)?;
        let (len, max) = (record.workload.len(), self.settings.workload_bytes_max);
        if u32::try_from(len).is_ok_and(|len| len <= max) {
            return Ok(record);
        }
        Err(CommandError::new(format!(
            "import: workload of {len} bytes is over the limit of {max} bytes (hint: --body-bytes-max of the server)"
        )))
    }

    /// Takes in a job that waits, unless one of its unique lives.
    fn import_waiting(
        &mut self,
        mut record: OwnedRecord,
        function: FunctionKey,
        log: &[AttemptRow],
        out: &mut dyn Outbox,
    ) -> Imported {
        let unique = Unique::new(&record.unique);
        let identity = match self.jobs.find_identity(function, unique, &record.workload) {
            Ok(key) => {
                self.keep_function(function, out);
                let handle = self.handle_bytes(self.jobs.get(key).number());
                return Imported { outcome: "known".to_owned(), handle: Some(handle) };
            }
            Err(identity) => identity,
        };
        record.number = self.take_number(out);
        let is_stored = self.settings.durability == Durability::Stored;
        let key = self.jobs.insert(&NewJob {
            number: record.number,
            function,
            unique,
            identity,
            priority: record.priority,
            workload: &record.workload,
            reducer: record.reducer.as_deref(),
            submitted: record.submitted,
            attempts: record.attempts,
            lost: record.lost,
            kept: if is_stored { Kept::Stored } else { Kept::InMemory },
        });
        let not_before = UnixTime::from_seconds(record.not_before);
        self.place_stored(key, not_before, self.now.unix.max(not_before));
        if is_stored {
            let ticket = self.writing.next_ticket();
            out.persist(ticket, Op::Put(self.record(self.jobs.get(key), record.number)));
            self.writing.owe(record.number, ticket);
            // Owed whatever happens, like a letter that goes back: that it was taken in is remembered in the
            // same step.
            let ticket = self.writing.next_ticket();
            out.persist(ticket, Op::Unshelve { number: record.number, shelf: Shelf::Dead });
        }
        self.import_log(record.number, log, out);
        self.wake_if_ready(function, out);
        Imported { outcome: "new".to_owned(), handle: Some(self.handle_bytes(record.number)) }
    }

    fn import_letter(
        &mut self,
        record: &Record<'_>,
        shelving: Shelving<'_>,
        log: &[AttemptRow],
        out: &mut dyn Outbox,
    ) {
        let ticket = self.writing.next_ticket();
        out.persist(ticket, Op::Put(*record));
        self.import_log(record.number, log, out);
        let ticket = self.writing.next_ticket();
        out.persist(ticket, Op::Shelve(shelving));
        let content = record.unique.len() + record.reducer.map_or(0, <[u8]>::len) + record.workload.len();
        let bytes = (record.function.len() + content) as u64;
        self.file_letter(&LetterHead { shelving, function: record.function, bytes }, ticket, out);
    }

    fn import_log(&mut self, number: u64, log: &[AttemptRow], out: &mut dyn Outbox) {
        for row in log {
            let ticket = self.writing.next_ticket();
            let text = row.text.as_bytes();
            out.persist(
                ticket,
                Op::Attempt(Attempt {
                    number,
                    attempt: row.attempt,
                    started: UnixTime::from_millis(row.started),
                    ended: UnixTime::from_millis(row.ended),
                    client_id: row.client_id.as_bytes(),
                    address: row.address.as_bytes(),
                    how: Outcome::from_name(&row.how).unwrap_or(Outcome::Failed),
                    text: text.get(..ATTEMPT_TEXT_BYTES_MAX).unwrap_or(text),
                }),
            );
        }
    }

    /// Whether a job of this number waits, runs, or is on a shelf.
    fn is_kept(&self, number: u64) -> bool {
        let is_on = |shelf| self.archive.shelf(shelf).get(number).is_some();
        self.jobs.find(number).is_some() || is_on(Shelf::Dead) || is_on(Shelf::Finished)
    }

    pub(crate) fn handle_bytes(&self, number: u64) -> Bytes {
        Bytes::from(self.handles.text(number).as_handle().as_bytes())
    }
}

/// Longest name of the queue that an item comes from, in bytes.
const ORIGIN_BYTES_MAX: usize = 64;

fn checked_record(item: &Item) -> Result<OwnedRecord, CommandError> {
    let Item::Job {
        function,
        unique,
        priority,
        workload,
        reducer,
        not_before,
        attempts,
        lost,
        submitted,
        ..
    } = item
    else {
        return Err(CommandError::new("import: the item is no job"));
    };
    let check = |what: &str, text: &[u8], min: usize, max: usize| {
        let len = text.len();
        if text.contains(&0) {
            return Err(CommandError::new(format!(
                "import: {what} has a zero byte, which no packet can carry"
            )));
        }
        if (min..=max).contains(&len) {
            return Ok(());
        }
        Err(CommandError::new(format!("import: {what} of {len} bytes is not from {min} to {max} bytes long")))
    };
    check("function", &function.0, 1, FUNCTION_BYTES_MAX)?;
    check("unique", &unique.0, 0, UNIQUE_BYTES_MAX)?;
    check("reducer", reducer.as_ref().map_or(&[][..], |it| &it.0), 0, REDUCER_BYTES_MAX)?;
    Ok(OwnedRecord {
        number: 0,
        place: 0,
        function: function.0.clone(),
        unique: unique.0.clone(),
        priority: (*priority).into(),
        workload: workload.0.clone(),
        reducer: reducer.as_ref().map(|it| it.0.clone()),
        not_before: (*not_before).max(0),
        attempts: *attempts,
        lost: *lost,
        submitted: UnixTime::from_millis(*submitted),
    })
}
