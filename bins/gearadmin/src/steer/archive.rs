//! The file of an export: a header, one item a line, and a trailer with counts.
//!
//! From: a file. To: its items, once all of it was checked.
//! Never: hands out an item of a file that is cut, spoilt, or of a version it does not know.

use anyhow::{Context, anyhow, bail};
use geartrain_proto::command::{Item, Section, ShelfName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

/// The version of the file that is written, and the newest that is read.
pub(crate) const VERSION: u64 = 1;

/// Longest line, in bytes: 2 GiB, a workload of the largest size in base64 and what stands around it.
const LINE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// From this length of a line on, in bytes, a server may refuse it for its length.
const LONG_BYTES_MIN: usize = 4096;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The version of the file.
    #[serde(rename = "geartrain-export")]
    pub(crate) version: u64,
    /// The server it comes from.
    pub(crate) origin: String,
    /// When it was begun.
    pub(crate) made: String,
    /// What is in it.
    pub(crate) sections: Vec<Section>,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Trailer {
    /// The number of items.
    #[serde(rename = "geartrain-export-end")]
    pub(crate) items: u64,
    /// The number of items of each section.
    pub(crate) counts: BTreeMap<String, u64>,
}

/// The name of a section, as it stands in the file.
pub(crate) const fn section_name(section: Section) -> &'static str {
    match section {
        Section::Policies => "policies",
        Section::Schedules => "schedules",
        Section::Dead => "dead",
        Section::Jobs => "jobs",
    }
}

/// The section of an item.
pub(crate) const fn section_of(item: &Item) -> Section {
    match item {
        Item::Policy { .. } => Section::Policies,
        Item::Schedule { .. } => Section::Schedules,
        Item::Job { shelf: Some(ShelfName::Dead | ShelfName::Finished), .. } => Section::Dead,
        Item::Job { shelf: None, .. } => Section::Jobs,
    }
}

/// A file that was read to its end and found whole.
#[derive(Debug)]
pub(crate) struct Archive {
    file: File,
    name: String,
    /// Items by section.
    pub(crate) counts: BTreeMap<String, u64>,
    /// All items.
    pub(crate) items: u64,
    /// The line of the longest job, and that, where it is so long that a server may refuse it.
    pub(crate) longest: Option<(u64, Item)>,
}

impl Archive {
    /// Reads the whole file once and finds it whole, or says which line is not.
    ///
    /// # Errors
    /// One sentence with the line and what would be right.
    pub(crate) fn check(mut file: File, name: &str) -> anyhow::Result<Self> {
        file.rewind().with_context(|| format!("cannot read {name}"))?;
        let mut lines = Lines::new(&file, name);
        let header = lines.next()?.ok_or_else(|| {
            anyhow!("{name} is empty (right: a file that gearadmin export wrote, which begins with {HEADER})")
        })?;
        check_header(&header, name)?;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let (mut items, mut longest, mut longest_bytes) = (0, None, LONG_BYTES_MIN);
        loop {
            let Some(line) = lines.next()? else {
                bail!(
                    "{name} ends behind line {} without {TRAILER}: it was cut off, and nothing of it is taken in \
                     (hint: copy or export it again)",
                    lines.number
                );
            };
            if line.starts_with(b"{\"geartrain-export-end\"") {
                check_trailer(&line, &lines, items, &counts)?;
                break;
            }
            let item = parse_item(&line, &lines)?;
            items += 1;
            if line.len() > longest_bytes && matches!(item, Item::Job { .. }) {
                longest_bytes = line.len();
                longest = Some((lines.number, item.clone()));
            }
            *counts.entry(section_name(section_of(&item)).to_owned()).or_default() += 1;
        }
        if lines.next()?.is_some() {
            bail!(
                "{name}: line {} stands behind the end of the export (hint: one export a file)",
                lines.number
            );
        }
        Ok(Self { file, name: name.to_owned(), counts, items, longest })
    }

    /// Hands on every item with the number of its line.
    ///
    /// # Errors
    /// When `each` fails, or the file is no longer what was checked.
    pub(crate) fn each(
        mut self,
        mut each: impl FnMut(u64, Item, u64) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.file.seek(SeekFrom::Start(0)).with_context(|| format!("cannot read {}", self.name))?;
        let mut lines = Lines::new(&self.file, &self.name);
        lines.next()?;
        for _ in 0..self.items {
            let line =
                lines.next()?.ok_or_else(|| anyhow!("{} became shorter while it was read", self.name))?;
            let item = parse_item(&line, &lines)?;
            each(lines.number, item, lines.bytes)?;
        }
        Ok(())
    }
}

const HEADER: &str = "{\"geartrain-export\":1,...}";
const TRAILER: &str = "its last line {\"geartrain-export-end\":...}";

fn check_header(line: &[u8], name: &str) -> anyhow::Result<()> {
    let value: Value = serde_json::from_slice(line).unwrap_or_default();
    let Some(version) = value.get("geartrain-export") else {
        bail!("{name}: line 1 is not the head of an export (right: {HEADER}, as gearadmin export writes it)");
    };
    match version.as_u64() {
        Some(VERSION) => {}
        Some(newer) if newer > VERSION => bail!(
            "{name}: line 1 has version {newer} of the export, and this gearadmin reads up to {VERSION} (hint: use \
             the gearadmin of the newer server)"
        ),
        _ => bail!(
            "{name}: line 1 has version {version} of the export, which does not exist (right: {VERSION})"
        ),
    }
    serde_json::from_value::<Header>(value)
        .map(|_header| ())
        .map_err(|error| anyhow!("{name}: line 1 is not the head of an export: {error}"))
}

fn check_trailer(
    line: &[u8],
    lines: &Lines<'_>,
    items: u64,
    counts: &BTreeMap<String, u64>,
) -> anyhow::Result<()> {
    let (name, number) = (lines.name, lines.number);
    let trailer: Trailer = serde_json::from_slice(line)
        .map_err(|error| anyhow!("{name}: line {number} is not the end of an export: {}", plain(&error)))?;
    let said: BTreeMap<String, u64> = trailer.counts.into_iter().filter(|(_, count)| *count > 0).collect();
    if trailer.items != items || said != *counts {
        bail!(
            "{name}: line {number} counts {} items and the file has {items}: lines were lost or added (hint: \
             copy or export it again)",
            trailer.items
        );
    }
    Ok(())
}

fn parse_item(line: &[u8], lines: &Lines<'_>) -> anyhow::Result<Item> {
    serde_json::from_slice(line).map_err(|error| {
        let (name, number) = (lines.name, lines.number);
        if lines.is_cut {
            anyhow!("{name}: line {number} is cut off: the file is not whole (hint: copy or export it again)")
        } else {
            anyhow!("{name}: line {number} is not an item of an export: {}", plain(&error))
        }
    })
}

/// The message without a line number, which would be that of the JSON.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    text.chars().take(200).collect()
}

struct Lines<'f> {
    reader: BufReader<&'f File>,
    name: &'f str,
    /// Number of the last line that was handed out.
    number: u64,
    /// Bytes up to its end.
    bytes: u64,
    /// Whether it has no line feed.
    is_cut: bool,
}

impl<'f> Lines<'f> {
    fn new(file: &'f File, name: &'f str) -> Self {
        Self { reader: BufReader::with_capacity(1 << 18, file), name, number: 0, bytes: 0, is_cut: false }
    }

    fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut limited = self.reader.by_ref().take(LINE_BYTES_MAX);
        let count =
            limited.read_until(b'\n', &mut line).with_context(|| format!("cannot read {}", self.name))?;
        if count == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += u64::try_from(count).unwrap_or(0);
        self.is_cut = line.pop_if(|byte| *byte == b'\n').is_none();
        if self.is_cut && u64::try_from(count).is_ok_and(|count| count == LINE_BYTES_MAX) {
            bail!("{}: line {} is over the limit of {LINE_BYTES_MAX} bytes", self.name, self.number);
        }
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests;
