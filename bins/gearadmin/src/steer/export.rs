//! Exporting: all that is kept, page by page, while the server runs.
//!
//! From: pages of items. To: lines of a file that appears under its name when it is whole.
//! Never: leaves half a file where the name says there is one.

use super::actions::Export;
use super::archive::{Header, Trailer, VERSION, section_name};
use super::filters::LetterFilters;
use super::progress::Progress;
use super::session::Session;
use super::shown::{count, counted, size};
use anyhow::Context;
use geartrain_client::{Connection, TextCommand};
use geartrain_proto::command::{
    Bytes, Command, DeadFilter, DeadGroups, Export as ExportPage, GroupRow, Item, JobRow, JobsFilter,
    JobsList, JobsPick, PolicyRow, PolicyShow, Section, StateName,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

const ALL: [Section; 4] = [Section::Policies, Section::Schedules, Section::Dead, Section::Jobs];

/// `export`
///
/// # Errors
/// When the server or the file refuses.
pub(crate) fn everything(session: &Session<'_>, export: &Export) -> anyhow::Result<()> {
    let mut sections: Vec<Section> = export.section.iter().map(|section| (*section).into()).collect();
    if sections.is_empty() {
        sections = ALL.to_vec();
    }
    // In the order of the file: what jobs depend on stands before them.
    let sections: Vec<Section> = ALL.into_iter().filter(|section| sections.contains(section)).collect();
    let what =
        What { sections: &sections, filter: DeadFilter::default(), file_policies: export.with_file_policies };
    to_file(session, &export.file, &what)
}

/// `dead export`
///
/// # Errors
/// As [`everything`].
pub(crate) fn dead(session: &Session<'_>, file: &Path, which: &LetterFilters) -> anyhow::Result<()> {
    let what = What { sections: &[Section::Dead], filter: which.filter(), file_policies: false };
    to_file(session, file, &what)
}

/// What is exported.
struct What<'w> {
    /// In the order of the file.
    sections: &'w [Section],
    /// Which dead letters.
    filter: DeadFilter,
    /// Whether the rules of the configuration file are among the policies.
    file_policies: bool,
}

fn to_file(session: &Session<'_>, path: &Path, what: &What<'_>) -> anyhow::Result<()> {
    let mut connection = session.connect_one()?;
    if path == Path::new("-") {
        let mut out = BufWriter::with_capacity(1 << 18, io::stdout().lock());
        write(session, &mut connection, &mut out, what)?;
        out.flush()?;
        return Ok(());
    }
    let cannot = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // Beside the file, so that the last step is one rename.
    let file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
    // The error itself names the file beside it, which nobody asked for.
    let mut file = file.map_err(|error| plain(&error)).with_context(cannot)?;
    let mut out = BufWriter::with_capacity(1 << 18, file.as_file_mut());
    let trailer = write(session, &mut connection, &mut out, what)?;
    out.flush().with_context(cannot)?;
    drop(out);
    file.as_file().sync_all().with_context(cannot)?;
    file.persist(path).map_err(|error| error.error).with_context(cannot)?;
    let parts: Vec<String> =
        trailer.counts.iter().map(|(section, items)| counted_of(section, *items)).collect();
    let what =
        format!("exported {} to {}: {}", counted(trailer.items, "item"), path.display(), parts.join(", "));
    if session.is_json() { write_line(&mut io::stdout().lock(), &trailer) } else { session.done(&what) }
}

/// A number of items of a section: `1 policy`, `2 dead letters`.
fn counted_of(section: &str, items: u64) -> String {
    let (one, several) = match section {
        "policies" => ("policy", "policies"),
        "schedules" => ("schedule", "schedules"),
        "dead" => ("dead letter", "dead letters"),
        "jobs" => ("job", "jobs"),
        other => (other, other),
    };
    format!("{} {}", count(items), if items == 1 { one } else { several })
}

/// Says on standard error what a person may not expect of the file.
fn warn(session: &Session<'_>, connection: &mut Connection, what: &What<'_>) -> anyhow::Result<()> {
    if what.sections.contains(&Section::Policies) && !what.file_policies {
        let show = Command::PolicyShow(Box::new(PolicyShow { function: None }));
        let mut of_file = BTreeSet::new();
        for row in connection.ask_pages(show, session.limits())?.typed::<PolicyRow>() {
            let row = row?;
            if row.values.values().any(|(_, from)| from.starts_with("file:")) {
                of_file.insert(row.function);
            }
        }
        if !of_file.is_empty() {
            super::say_note(&format!(
                "not exported: the policies of the configuration file, {} (hint: copy the file, or --with-file-policies)",
                counted(of_file.len() as u64, "rule")
            ));
        }
    }
    if what.sections.contains(&Section::Jobs) {
        let filter = JobsFilter { state: Some(StateName::Running), ..JobsFilter::default() };
        let pick = JobsPick { filter, ..JobsPick::default() };
        let list = Command::JobsList(Box::new(JobsList { pick, limit: 0 }));
        let mut running = 0;
        for row in connection.ask_pages(list, session.limits())?.typed::<JobRow>() {
            running += u64::from(row?.background);
        }
        if running > 0 {
            super::say_note(&format!(
                "{} here now and {} in the file: {} again where it is imported (hint: let workers finish and \
                 export again)",
                if running == 1 { "1 job runs".to_owned() } else { format!("{} jobs run", count(running)) },
                if running == 1 { "is" } else { "are" },
                if running == 1 { "it runs" } else { "they run" },
            ));
        }
    }
    Ok(())
}

fn write(
    session: &Session<'_>,
    connection: &mut Connection,
    out: &mut impl Write,
    what: &What<'_>,
) -> anyhow::Result<Trailer> {
    let sections = what.sections;
    let total = if io::stderr().is_terminal() { expected(session, connection, sections) } else { None };
    let header = Header {
        version: VERSION,
        origin: connection.server().to_string(),
        made: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        sections: sections.to_vec(),
    };
    write_line(out, &header)?;
    warn(session, connection, what)?;
    let progress = Progress::rows(total, false);
    let mut trailer = Trailer { items: 0, counts: BTreeMap::new() };
    let mut bytes = 0;
    for section in sections {
        let mut items = 0;
        if *section == Section::Policies && what.file_policies {
            items = write_all_policies(session, connection, out)?;
            trailer.items += items;
            trailer.counts.insert(section_name(*section).to_owned(), items);
            continue;
        }
        let page = ExportPage { section: *section, after: 0, filter: what.filter.clone() };
        let mut rows = connection.ask_pages(Command::Export(Box::new(page)), session.limits())?;
        while let Some(row) = rows.next_row()? {
            out.write_all(row).and_then(|()| out.write_all(b"\n")).context("cannot write the export")?;
            items += 1;
            trailer.items += 1;
            bytes += row.len();
            if trailer.items.is_multiple_of(256) {
                progress.at(trailer.items);
                progress.say(format!("{}, {}", section_name(*section), size(bytes)));
            }
        }
        trailer.counts.insert(section_name(*section).to_owned(), items);
    }
    progress.end();
    write_line(out, &trailer)?;
    Ok(trailer)
}

/// Writes every rule of a policy, those of the file as if they had been set at run time; how many.
fn write_all_policies(
    session: &Session<'_>,
    connection: &mut Connection,
    out: &mut impl Write,
) -> anyhow::Result<u64> {
    let show = Command::PolicyShow(Box::new(PolicyShow { function: None }));
    let mut rules: BTreeMap<Bytes, BTreeMap<String, String>> = BTreeMap::new();
    // Those of the file come first: of the same rule, what was set counts.
    for row in connection.ask_pages(show, session.limits())?.typed::<PolicyRow>() {
        let row = row?;
        let values = row.values.into_iter().map(|(key, (value, _))| (key, value));
        rules.entry(row.function).or_default().extend(values);
    }
    let items = rules.len() as u64;
    for (function, values) in rules {
        write_line(out, &Item::Policy { function, values })?;
    }
    Ok(items)
}

/// The error of the system without the path that a library put behind it.
fn plain(error: &io::Error) -> io::Error {
    io::Error::from(error.kind())
}

/// About how many items there will be, for a person who watches; `None` where the server does not say.
fn expected(session: &Session<'_>, connection: &mut Connection, sections: &[Section]) -> Option<u64> {
    let mut total = 0;
    if sections.contains(&Section::Dead) {
        let rows = connection.ask_pages(Command::DeadGroups(Box::<DeadGroups>::default()), session.limits());
        for row in rows.ok()?.typed::<GroupRow>() {
            total += row.ok()?.count;
        }
    }
    if sections.contains(&Section::Jobs) {
        let mut status = connection.ask(&TextCommand::Status, session.limits()).ok()?;
        while let Some(row) = status.next_line().ok()? {
            let jobs = row.rsplit(|byte| *byte == b'\t').nth(2)?;
            total += std::str::from_utf8(jobs).ok()?.parse::<u64>().ok()?;
        }
    }
    Some(total)
}

/// Writes a value as a line of JSON.
///
/// # Errors
/// When `out` does not take it.
pub(crate) fn write_line(out: &mut impl Write, value: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(value).context("cannot write JSON")?;
    line.push(b'\n');
    Ok(out.write_all(&line)?)
}
