//! The tables `[schedule.NAME]` of the configuration file: recurring schedules.
//!
//! From: the parsed file. To: schedules that `core` takes. Never: takes one that `core` would refuse.

use super::Reader;
use anyhow::{Result, bail};
use geartrain_core::{Limits, Recurrence, check_schedule};
use geartrain_proto::command::ScheduleAdd;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::DeValue;

/// The key under which the tables stand.
pub(super) const TABLES: &str = "schedule";

/// A key of a schedule: its name, what it says, what it takes or its default, an example.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) takes: &'static str,
    pub(crate) example: &'static str,
}

/// All keys of a schedule.
pub(crate) const KEYS: [Key; 8] = [
    Key {
        name: "when",
        help: "When it runs",
        takes: "five cron fields, six with seconds first, `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`, or \
                a period as `every 90s`",
        example: "30 2 * * MON-FRI",
    },
    Key { name: "function", help: "Function of its jobs", takes: "a name", example: "report" },
    Key {
        name: "zone",
        help: "Time zone in which the fields are meant",
        takes: "a name of the IANA database; default `--time-zone`",
        example: "Europe/Berlin",
    },
    Key { name: "workload", help: "Workload of its jobs", takes: "text; default empty", example: "{}" },
    Key {
        name: "priority",
        help: "Priority of its jobs",
        takes: "`high`, `normal` or `low`; default `normal`",
        example: "low",
    },
    Key {
        name: "unique",
        help: "Unique of its jobs: a run joins a job that has it",
        takes: "up to 64 bytes; default none",
        example: "report",
    },
    Key {
        name: "missed",
        help: "Runs whose time passed while the server was down: left out, one for all of them, or each, up to 1000",
        takes: "`skip`, `one` or `all`; default `one`",
        example: "skip",
    },
    Key {
        name: "overlap",
        help: "A run while the one before waits or runs: left out, submitted all the same, or joined to it",
        takes: "`skip`, `queue` or `coalesce`; default `queue`",
        example: "skip",
    },
];

/// Reads all of the tables, in the order of the file.
pub(super) fn read(
    reader: &Reader<'_>,
    place: &str,
    value: &Spanned<DeValue<'_>>,
) -> Result<Vec<ScheduleAdd>> {
    let DeValue::Table(tables) = value.get_ref() else {
        bail!("{place}: '{TABLES}' holds tables (hint: [schedule.nightly])");
    };
    let (count, max) = (tables.len(), Limits::default().schedules_max);
    if count > max {
        bail!("{place}: {count} schedules are over the limit of {max}");
    }
    let mut tables: Vec<_> = tables.iter().collect();
    tables.sort_by_key(|(name, _)| name.span().start);
    let read = |(name, table): &(&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        read_table(reader, name.get_ref(), &reader.place(reader.line(name.span().start)), table)
    };
    tables.iter().map(read).collect()
}

fn read_table(
    reader: &Reader<'_>,
    name: &str,
    place: &str,
    table: &Spanned<DeValue<'_>>,
) -> Result<ScheduleAdd> {
    let DeValue::Table(table) = table.get_ref() else {
        bail!("{place}: schedule '{name}' is a table (hint: [schedule.{name}])");
    };
    let mut given = Map::new();
    let mut places = BTreeMap::new();
    for (key, value) in table {
        let place = reader.place(reader.line(key.span().start));
        let key = key.get_ref().as_ref();
        let Some(known) = KEYS.iter().find(|known| known.name == key) else {
            bail!("{place}: schedule '{name}' has no key '{key}'{}", hint(key));
        };
        let DeValue::String(text) = value.get_ref() else {
            bail!("{place}: schedule '{name}': '{key}' takes a string: {}", plain(known.takes));
        };
        given.insert(key.to_owned(), Value::String(text.to_string()));
        let alone = Map::from_iter([(key.to_owned(), Value::String(text.to_string()))]);
        if parse(name, alone, true).is_none() {
            bail!("{place}: schedule '{name}': {key} cannot be '{text}': it takes {}", plain(known.takes));
        }
        places.insert(key.to_owned(), place);
    }
    let Some(schedule) = parse(name, given.clone(), false) else {
        let missing = if given.contains_key("when") { "function" } else { "when" };
        let example = KEYS.iter().find(|key| key.name == missing).map_or("", |key| key.example);
        bail!("{place}: schedule '{name}' has no '{missing}' (hint: {missing} = \"{example}\")");
    };
    if let Err(error) = check_schedule(&schedule, "UTC") {
        let key = if schedule.zone.as_ref().is_some_and(|zone| Recurrence::parse("@daily", zone).is_err()) {
            "zone"
        } else if Recurrence::parse(&schedule.when, "UTC").is_err() {
            "when"
        } else if schedule.function.is_empty() {
            "function"
        } else {
            "name"
        };
        bail!("{}: {error}", places.get(key).map_or(place, String::as_str));
    }
    Ok(schedule)
}

/// The schedule with these values; what it must have is filled in where `is_part` says so.
fn parse(name: &str, mut given: Map<String, Value>, is_part: bool) -> Option<ScheduleAdd> {
    given.insert("name".to_owned(), name.into());
    if is_part {
        for required in ["when", "function"] {
            given.entry(required).or_insert_with(|| "".into());
        }
    }
    serde_json::from_value(Value::Object(given)).ok()
}

/// Text without the marks of Markdown.
pub(crate) fn plain(text: &str) -> String {
    text.replace('`', "")
}

fn hint(key: &str) -> String {
    let near = KEYS.iter().map(|known| (strsim::osa_distance(known.name, key), known.name)).min();
    near.filter(|(distance, _)| *distance <= 3)
        .map(|(_, name)| format!(" (hint: did you mean '{name}'?)"))
        .unwrap_or_default()
}
