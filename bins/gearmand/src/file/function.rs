//! The tables `[function."PATTERN"]` of the configuration file: policies of functions.
//!
//! From: the parsed file. To: rules that `core` takes. Never: takes one that `core` would refuse.

use super::Reader;
use anyhow::{Result, bail};
use geartrain_core::{FileRule, PolicyKey, check_rules};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The key under which the tables stand.
pub(super) const TABLES: &str = "function";

/// Where a rule stands.
struct Places {
    table: String,
    by_key: BTreeMap<String, String>,
}

/// Reads all of the tables, in the order of the file: of two equal patterns the later counts.
pub(super) fn read(reader: &Reader<'_>, place: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<FileRule>> {
    let DeValue::Table(tables) = value.get_ref() else {
        bail!("{place}: '{TABLES}' holds tables of policies (hint: [function.\"image.*\"])");
    };
    let mut tables: Vec<_> = tables.iter().collect();
    tables.sort_by_key(|(pattern, _)| pattern.span().start);
    let (mut rules, mut places) = (Vec::new(), Vec::new());
    for (pattern, table) in tables {
        let (rule, places_of_rule) = read_table(reader, pattern.get_ref(), &pattern.span(), table)?;
        rules.push(rule);
        places.push(places_of_rule);
    }
    let Err((index, error)) = check_rules(&rules) else { return Ok(rules) };
    let at = places.get(index).map_or(place, |places| {
        let by_key = error.key().and_then(|key| places.by_key.get(key));
        by_key.map_or(places.table.as_str(), String::as_str)
    });
    let pattern = rules.get(index).map(|rule| String::from_utf8_lossy(&rule.pattern)).unwrap_or_default();
    bail!("{at}: function '{pattern}': {error}")
}

fn read_table(
    reader: &Reader<'_>,
    pattern: &str,
    span: &Range<usize>,
    table: &Spanned<DeValue<'_>>,
) -> Result<(FileRule, Places)> {
    let place = reader.place(reader.line(span.start));
    let DeValue::Table(table) = table.get_ref() else {
        bail!("{place}: function '{pattern}' is a table of policies (hint: [function.\"{pattern}\"])");
    };
    let mut rule = FileRule { pattern: pattern.as_bytes().to_vec(), values: Vec::new() };
    let mut places = Places { table: place, by_key: BTreeMap::new() };
    for (key, value) in in_order(table) {
        let (key, place) = (key.get_ref().as_ref(), reader.place(reader.line(key.span().start)));
        if let DeValue::Table(_) = value.get_ref() {
            bail!(
                "{place}: function '{pattern}': '{key}' is no table (hint: a name with dots stands in quotes, \
                 as in [function.\"{pattern}.{key}\"])"
            );
        }
        let checked = PolicyKey::from_name(key).and_then(|known| {
            let text = text(value.get_ref()).unwrap_or_default();
            known.check(&text).map(|()| text)
        });
        match checked {
            Ok(text) => rule.values.push((key.to_owned(), text)),
            Err(error) => bail!("{place}: function '{pattern}': {error}"),
        }
        places.by_key.insert(key.to_owned(), place);
    }
    Ok((rule, places))
}

fn in_order<'t, 'i>(
    table: &'t DeTable<'i>,
) -> Vec<(&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// A value as a person would write it behind `policy set`; `None` where no policy has such a value.
fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string().replace('_', "")),
        DeValue::Float(number) => Some(number.to_string().replace('_', "")),
        DeValue::Boolean(switch) => Some(switch.to_string()),
        DeValue::Array(values) => {
            let words = values.iter().map(|value| text(value.get_ref())).collect::<Option<Vec<_>>>()?;
            Some(if words.is_empty() { "none".to_owned() } else { words.join(",") })
        }
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Table(_) => None,
    }
}
