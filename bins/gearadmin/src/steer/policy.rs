//! Policies, and the switches of them that have a command of their own: pause, resume, drain.

use super::session::Session;
use super::shown::{text, word};
use super::table::Table;
use anyhow::bail;
use geartrain_client::Connection;
use geartrain_proto::command::{Bytes, Command, PolicyRow, PolicySet, PolicyShow, PolicyUnset, PolicyValue};
use std::collections::BTreeMap;
use std::io::Write;

/// What pause and drain set, and resume takes back.
const SWITCHES: [&str; 2] = ["paused", "draining"];

/// `policy set`
///
/// # Errors
/// When a value has no key, or the server refuses one.
pub(crate) fn set(session: &Session<'_>, function: &str, pairs: &[String]) -> anyhow::Result<()> {
    let mut values = BTreeMap::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            bail!("{pair:?} sets nothing (right: KEY=VALUE, as attempts=3)");
        };
        if values.insert(key.to_owned(), PolicyValue(value.to_owned())).is_some() {
            bail!("the key {key:?} is set twice");
        }
    }
    let command = PolicySet { function: Bytes::from(function), values };
    show_rules(session, function, Command::PolicySet(Box::new(command)))
}

/// `policy unset`
///
/// # Errors
/// When the server refuses it.
pub(crate) fn unset(session: &Session<'_>, function: &str, keys: &[String]) -> anyhow::Result<()> {
    let command = PolicyUnset { function: Bytes::from(function), keys: keys.to_vec() };
    show_rules(session, function, Command::PolicyUnset(Box::new(command)))
}

/// Carries a change out and shows the rule as it is then.
fn show_rules(session: &Session<'_>, function: &str, command: Command) -> anyhow::Result<()> {
    let mut connection = session.connect_one()?;
    let mut rules: Vec<PolicyRow> = Vec::new();
    session.change(&mut connection, command, |row| rules.push(row))?;
    if session.is_json() {
        return Ok(());
    }
    if rules.iter().all(|rule| rule.values.is_empty()) {
        return session.done(&format!(
            "nothing is set for {} any more (hint: policy show has what holds for it now)",
            word(function)
        ));
    }
    let mut out = std::io::stdout().lock();
    let mut table = Table::new(&["FUNCTION", "KEY", "VALUE", "FROM"]);
    for rule in &rules {
        for (key, (value, from)) in &rule.values {
            table.row(&mut out, vec![text(&rule.function), word(key), word(value), word(from)])?;
        }
    }
    table.end(&mut out)?;
    Ok(out.flush()?)
}

/// `pause`
///
/// # Errors
/// When the server refuses it.
pub(crate) fn pause(session: &Session<'_>, function: &str) -> anyhow::Result<()> {
    let mut connection = session.connect_one()?;
    switch(session, &mut connection, function, &[("paused", "true")])?;
    session.done(&format!("{} is paused: submits are taken, no job starts", word(function)))
}

/// `drain`
///
/// # Errors
/// When the server refuses it.
pub(crate) fn drain(session: &Session<'_>, function: &str) -> anyhow::Result<()> {
    let mut connection = session.connect_one()?;
    switch(session, &mut connection, function, &[("draining", "true")])?;
    session.done(&format!("{} is draining: submits are refused, what waits runs dry", word(function)))
}

fn switch(
    session: &Session<'_>,
    connection: &mut Connection,
    function: &str,
    switches: &[(&str, &str)],
) -> anyhow::Result<()> {
    let value = |(key, value): &(&str, &str)| ((*key).to_owned(), PolicyValue((*value).to_owned()));
    let values = switches.iter().map(value).collect();
    let command = PolicySet { function: Bytes::from(function), values };
    session.change(connection, Command::PolicySet(Box::new(command)), |_: PolicyRow| ())
}

/// `resume`: takes back what was set for this function, and overrules what another rule says of it.
///
/// # Errors
/// When the server refuses it.
pub(crate) fn resume(session: &Session<'_>, function: &str) -> anyhow::Result<()> {
    let mut connection = session.connect_one()?;
    let own = format!("set:{function}");
    let set: Vec<String> = effective(session, &mut connection, function)?
        .into_iter()
        .filter_map(|(key, _, from)| (from == own).then_some(key))
        .collect();
    let was_set = !set.is_empty();
    if was_set {
        let command = PolicyUnset { function: Bytes::from(function), keys: set };
        session.change(&mut connection, Command::PolicyUnset(Box::new(command)), |_: PolicyRow| ())?;
    }
    let still: Vec<(String, String)> = effective(session, &mut connection, function)?
        .into_iter()
        .filter_map(|(key, value, from)| (value == "true").then_some((key, from)))
        .collect();
    let off: Vec<(&str, &str)> = still.iter().map(|(key, _)| (key.as_str(), "false")).collect();
    if !off.is_empty() {
        switch(session, &mut connection, function, &off)?;
    }
    if !was_set && off.is_empty() {
        return session.done(&format!("{} was neither paused nor draining", word(function)));
    }
    let overruled: Vec<String> =
        still.iter().map(|(key, from)| format!("; {key} of {} is overruled", word(from))).collect();
    session.done(&format!("{} is resumed{}", word(function), overruled.concat()))
}

/// The switches of a function or pattern, their values, and where these come from.
fn effective(
    session: &Session<'_>,
    connection: &mut Connection,
    function: &str,
) -> anyhow::Result<Vec<(String, String, String)>> {
    // A pattern has rules only, and to have none of them is nothing to refuse: all rules are asked for.
    let is_pattern = function.contains(['*', '?']);
    let command = PolicyShow { function: (!is_pattern).then(|| Bytes::from(function)) };
    let rows = connection.ask_pages(Command::PolicyShow(Box::new(command)), session.limits())?;
    let rows = rows.typed::<PolicyRow>().collect::<Result<Vec<_>, _>>()?;
    let own = rows.into_iter().filter(|row| !is_pattern || row.function.as_bytes() == function.as_bytes());
    let values = own.flat_map(|row| row.values);
    let switches = values.filter(|(key, _)| SWITCHES.contains(&key.as_str()));
    Ok(switches.map(|(key, (value, from))| (key, value, from)).collect())
}
