//! Commands about dead letters and finished jobs.

use super::{Reading, Reply, Rows};
use crate::archive::Letter;
use crate::blur::Group;
use crate::core::Core;
use crate::event::Event;
use crate::ids::ConnId;
use crate::outbox::Outbox;
use crate::persist::{Shelf, Wanted};
use crate::reads::Fetched;
use crate::requeue::Order;
use crate::rules::matches;
use geartrain_proto::command::{
    Bytes, CommandError, Counts, DeadDrop, DeadFilter, DeadGroups, DeadList, DeadProgress, DeadRequeue,
    DeadShow, Dropped, GroupRow, LetterRow, PAGE_ROWS_MAX, ShelfName,
};
use geartrain_proto::limits::FUNCTION_BYTES_MAX;
use geartrain_proto::{Function, Handle};
use memchr::memmem;
use std::time::Duration;

/// Letters that one page looks at.
const LETTERS_SEEN_MAX: usize = 20_000;

/// Bytes of letters that one page reads; a single letter may be larger.
pub(crate) const READ_BYTES_MAX: u64 = 4 << 20;

/// Bytes of groups on one page, one group more or less: the names of functions may be long.
const GROUPS_BYTES_MAX: usize = 4 << 20;

/// Functions that are named with a group.
const FUNCTIONS_NAMED_MAX: usize = 100;

/// A filter, checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct LetterFilter {
    numbers: Vec<u64>,
    function: Option<Vec<u8>>,
    group: Option<Group>,
    older_than: Option<Duration>,
    younger_than: Option<Duration>,
    unique: Option<Vec<u8>>,
    text: Option<Vec<u8>>,
}

impl LetterFilter {
    /// Whether a letter may be meant, as far as that is known without its contents.
    fn takes(&self, letter: &Letter, age: Duration) -> bool {
        self.function.as_ref().is_none_or(|pattern| matches(pattern, &letter.function))
            && self.group.is_none_or(|group| group == letter.group)
            && self.older_than.is_none_or(|min| age >= min)
            && self.younger_than.is_none_or(|max| age <= max)
    }

    /// Whether more than that is asked for.
    fn needs_contents(&self) -> bool {
        self.unique.is_some() || self.text.is_some()
    }

    /// Whether the contents are meant.
    pub(crate) fn takes_contents(&self, letter: &Fetched) -> bool {
        // In time that grows with the sum of both lengths, not with their product.
        let has = |bytes: &[u8], text: &[u8]| memmem::find(bytes, text).is_some();
        let error = letter.shelving.as_ref().map_or(&[][..], |shelving| &shelving.error);
        self.unique.as_ref().is_none_or(|pattern| matches(pattern, &letter.record.unique))
            && self.text.as_ref().is_none_or(|text| has(&letter.record.workload, text) || has(error, text))
    }
}

impl Core {
    pub(crate) fn dead_groups(&self, arguments: &DeadGroups) -> Reply {
        let mut rows = Rows::default();
        let groups = self.archive.groups().range(Group::from_number(arguments.after)..);
        for (seen, (group, entry)) in groups.enumerate() {
            if seen >= PAGE_ROWS_MAX as usize || rows.len() >= GROUPS_BYTES_MAX {
                return rows.end(Some(group.number()));
            }
            let (first, last) = entry.span();
            rows.push(&GroupRow {
                group: group.to_string(),
                how: entry.how.name().to_owned(),
                error: Bytes::from(&*entry.error),
                count: entry.count(),
                first: first.millis(),
                last: last.millis(),
                functions: entry.functions().take(FUNCTIONS_NAMED_MAX).map(Bytes::from).collect(),
            });
        }
        rows.end(None)
    }

    pub(crate) fn dead_counts(&self) -> Reply {
        Rows::one(&Counts {
            dead: self.archive.shelf(Shelf::Dead).len() as u64,
            groups: self.archive.groups().len() as u64,
            finished: self.archive.shelf(Shelf::Finished).len() as u64,
            removed: self.archive.removed(),
        })
    }

    pub(crate) fn dead_list(
        &mut self,
        arguments: &DeadList,
        reading: Option<Reading>,
    ) -> Result<Reply, CommandError> {
        let filter = self.letter_filter(&arguments.filter)?;
        let Some(reading) = reading else {
            let limit = match arguments.limit {
                0 => PAGE_ROWS_MAX,
                limit => limit.min(PAGE_ROWS_MAX),
            };
            let shelf = arguments.shelf.into();
            let (numbers, next) = self.pick(shelf, &filter, arguments.after, limit as usize);
            return Ok(Reply::Read { wanted: Wanted::Letters(shelf), numbers, next });
        };
        let mut rows = Rows::default();
        for letter in reading.fetched.iter().filter(|letter| filter.takes_contents(letter)) {
            rows.push(&self.letter_row(letter));
        }
        Ok(rows.end(reading.next))
    }

    pub(crate) fn dead_show(
        &mut self,
        arguments: &DeadShow,
        reading: Option<Reading>,
    ) -> Result<Reply, CommandError> {
        let shelf = arguments.shelf.into();
        let Some(reading) = reading else {
            let numbers = vec![self.letter_number(shelf, &arguments.handle)?];
            return Ok(Reply::Read { wanted: Wanted::Letters(shelf), numbers, next: None });
        };
        let Some(letter) = reading.fetched.into_iter().next() else {
            return Err(no_such_letter(shelf, &arguments.handle));
        };
        let row = self.letter_row(&letter);
        Ok(Rows::one(&LetterRow { workload: Some(Bytes(letter.record.workload)), log: letter.log, ..row }))
    }

    pub(crate) fn dead_drop(
        &mut self,
        conn: ConnId,
        arguments: &DeadDrop,
        reading: Option<Reading>,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        let filter = self.letter_filter(&arguments.filter)?;
        let shelf = arguments.shelf.into();
        let (numbers, next) = match reading {
            Some(reading) => {
                let taken = reading.fetched.iter().filter(|letter| filter.takes_contents(letter));
                (taken.map(|letter| letter.record.number).collect(), reading.next)
            }
            None => {
                let picked = self.pick(shelf, &filter, arguments.after, PAGE_ROWS_MAX as usize);
                if filter.needs_contents() {
                    let (numbers, next) = picked;
                    return Ok(Reply::Read { wanted: Wanted::Letters(shelf), numbers, next });
                }
                picked
            }
        };
        let matched = numbers.len() as u64;
        if !arguments.dry {
            for number in numbers {
                self.unfile_letter(shelf, number, out);
            }
            out.note(Event::Steered { conn, command: "dead drop", changed: matched });
        }
        let mut rows = Rows::default();
        rows.push(&Dropped { matched });
        Ok(rows.end(next))
    }

    pub(crate) fn dead_requeue(
        &mut self,
        conn: ConnId,
        arguments: &DeadRequeue,
        out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        let filter = self.letter_filter(&arguments.filter)?;
        let interval = arguments.rate.as_deref().map(parse_rate).transpose()?;
        if let Some(function) = &arguments.function
            && (function.is_empty() || function.0.len() > FUNCTION_BYTES_MAX || function.0.contains(&0))
        {
            return Err(CommandError::new(format!(
                "dead requeue: function is not a name of 1 to {FUNCTION_BYTES_MAX} bytes without a zero among them \
                 (hint: leave it out to keep the job's own)"
            )));
        }
        let numbers = self.pick_all(Shelf::Dead, &filter);
        let order = Order {
            filter,
            interval,
            canary: arguments.canary,
            function: arguments.function.clone(),
            workload: arguments.workload.clone(),
        };
        out.note(Event::Steered { conn, command: "dead requeue", changed: numbers.len() as u64 });
        let campaign = self.begin_campaign(order, numbers, out)?;
        Ok(Rows::one(&campaign))
    }

    pub(crate) fn dead_progress(&self, arguments: &DeadProgress) -> Result<Reply, CommandError> {
        let number = arguments.campaign;
        let campaign = self.campaign_row(number).ok_or_else(|| {
            CommandError::new(format!(
                "requeue {number} is not known: it is long over, or the server was started again since"
            ))
        })?;
        Ok(Rows::one(&campaign))
    }

    pub(crate) fn letter_filter(&self, filter: &DeadFilter) -> Result<LetterFilter, CommandError> {
        if let (Some(older), Some(younger)) = (filter.older_than, filter.younger_than)
            && older > younger
        {
            return Err(CommandError::new(format!(
                "nothing is older than {older} s and younger than {younger} s (hint: older-than is the smaller one)"
            )));
        }
        let group = filter.group.as_deref().map(|text| {
            Group::parse(text).ok_or_else(|| {
                CommandError::new(format!(
                    "group {text:?} is not the name of a group (hint: 16 hexadecimal digits, see dead groups)"
                ))
            })
        });
        let number = |handle: &Bytes| {
            let number = self.handles.number(Handle::new(handle.as_bytes()));
            number.ok_or_else(|| CommandError::new(format!("handle {handle} is not one of this server")))
        };
        Ok(LetterFilter {
            numbers: filter.handles.iter().map(number).collect::<Result<_, _>>()?,
            function: filter.function.as_ref().map(|pattern| pattern.0.clone()),
            group: group.transpose()?,
            older_than: filter.older_than.map(Duration::from_secs),
            younger_than: filter.younger_than.map(Duration::from_secs),
            unique: filter.unique.as_ref().map(|pattern| pattern.0.clone()),
            text: filter.text.as_ref().map(|text| text.0.clone()),
        })
    }

    /// The next letters that may be meant, as many as may be read at once, and where it goes on.
    pub(crate) fn pick(
        &self,
        shelf: Shelf,
        filter: &LetterFilter,
        after: u64,
        rows_max: usize,
    ) -> (Vec<u64>, Option<u64>) {
        let letters = self.archive.shelf(shelf);
        let (mut numbers, mut bytes) = (Vec::new(), 0);
        let candidates: Box<dyn Iterator<Item = (u64, &Letter)>> = if filter.numbers.is_empty() {
            Box::new(letters.from(after))
        } else {
            let mut wanted = filter.numbers.clone();
            wanted.sort_unstable();
            wanted.dedup();
            let from = wanted.into_iter().filter(move |number| *number >= after);
            Box::new(from.filter_map(|number| Some((number, letters.get(number)?))))
        };
        for (seen, (number, letter)) in candidates.enumerate() {
            let is_full = numbers.len() >= rows_max || (bytes > 0 && bytes + letter.bytes > READ_BYTES_MAX);
            if is_full || seen >= LETTERS_SEEN_MAX {
                return (numbers, Some(number));
            }
            if self.is_readable(letter) && filter.takes(letter, self.now.unix.since(letter.ended)) {
                numbers.push(number);
                bytes += letter.bytes;
            }
        }
        (numbers, None)
    }

    /// All letters that may be meant.
    fn pick_all(&self, shelf: Shelf, filter: &LetterFilter) -> Vec<u64> {
        let (mut all, mut after) = (Vec::new(), 0);
        loop {
            let (numbers, next) = self.pick(shelf, filter, after, usize::MAX);
            all.extend(numbers);
            match next {
                Some(next) => after = next,
                None => return all,
            }
        }
    }

    /// Whether the store has it: a letter can be read once its change is durable.
    fn is_readable(&self, letter: &Letter) -> bool {
        letter.ticket <= self.writing.committed()
    }

    fn letter_number(&self, shelf: Shelf, handle: &Bytes) -> Result<u64, CommandError> {
        let number = self.handles.number(Handle::new(handle.as_bytes()));
        let found = number.filter(|number| self.archive.shelf(shelf).get(*number).is_some());
        found.ok_or_else(|| no_such_letter(shelf, handle))
    }

    fn letter_row(&self, letter: &Fetched) -> LetterRow {
        let Fetched { record, shelving, .. } = letter;
        let group = self.archive.shelf(Shelf::Dead).get(record.number).map(|it| it.group.to_string());
        let how = shelving.as_ref().map_or("", |it| it.how.name());
        LetterRow {
            handle: self.handle_bytes(record.number),
            function: Bytes::from(Function::new(&record.function).as_bytes()),
            unique: Bytes::from(record.unique.as_slice()),
            priority: record.priority.into(),
            group,
            how: how.to_owned(),
            error: shelving.as_ref().map_or_else(Bytes::default, |it| Bytes(it.error.clone())),
            submitted: record.submitted.millis(),
            ended: shelving.as_ref().map_or(0, |it| it.ended.millis()),
            attempts: record.attempts,
            workload: None,
            log: Vec::new(),
        }
    }
}

fn no_such_letter(shelf: Shelf, handle: &Bytes) -> CommandError {
    let what = match shelf {
        Shelf::Dead => "dead letter",
        Shelf::Finished => "finished job that is kept",
    };
    CommandError::new(format!("no {what} has the handle {handle} (hint: explain {handle})"))
}

/// The time between two jobs of a rate such as `10/s`, `0.5/s`, `30/m` or `100/h`.
fn parse_rate(text: &str) -> Result<Duration, CommandError> {
    let wrong = || {
        CommandError::new(format!(
            "rate {text:?} is not a number of jobs in a time (hint: 10/s, 0.5/s, 30/m or 100/h; 0.001/s to 100000/s)"
        ))
    };
    let (count, unit) = text.split_once('/').unwrap_or((text, "s"));
    let seconds = match unit.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let per_second = count.trim().parse::<f64>().map_err(|_| wrong())? / seconds;
    if !(0.001..=100_000.0).contains(&per_second) {
        return Err(wrong());
    }
    Ok(Duration::from_secs_f64(1.0 / per_second))
}

impl From<ShelfName> for Shelf {
    fn from(name: ShelfName) -> Self {
        match name {
            ShelfName::Dead => Shelf::Dead,
            ShelfName::Finished => Shelf::Finished,
        }
    }
}
