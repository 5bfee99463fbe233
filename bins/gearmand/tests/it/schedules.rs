//! Schedules of the configuration file, and the time zone.

use crate::peer::Peer;
use crate::process::{Gearmand, command, run_in, wait_until};
use serde_json::Value;
use std::fs;
use tempfile::TempDir;

fn folder_with(text: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("gearmand.conf"), text).unwrap();
    folder
}

/// Looks at options with this file.
fn check(text: &str) -> String {
    run_in(folder_with(text).path(), &["--check-args", "--config-file=gearmand.conf"])
}

#[test]
fn schedules_stand_in_tables_of_their_own() {
    let good = check(
        "port = 4731\n[schedule.nightly-report]\nwhen = \"30 2 * * MON-FRI\"\nzone = \"Europe/Berlin\"\n\
         function = \"report\"\nworkload = \"{}\"\npriority = \"low\"\nunique = \"report\"\nmissed = \"skip\"\n\
         overlap = \"coalesce\"\n\n[schedule.\"tick/1\"]\nfunction = \"tick\"\nwhen = \"every 90s\"\n",
    );
    assert!(good.starts_with("exit 0"), "{good}");
}

#[test]
fn a_wrong_schedule_is_refused_with_its_line_and_what_would_be_right() {
    insta::assert_snapshot!(check("[schedule.a]\nfunction = \"f\"\nwhen = \"0 0 30 2 *\"\n"), @r#"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:3: schedule a: recurrence "0 0 30 2 *" never comes: no month that it names has such a day (hint: L stands for a month's last day)
    "#);
    insta::assert_snapshot!(check("[schedule.a]\nfunction = \"f\"\nwhen = \"0 25 * * *\"\n"), @r#"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:3: schedule a: cron line "0 25 * * *" has "25" as its hour (hint: the hour is 0 to 23, such as 9, 8-17 or */6)
    "#);
    insta::assert_snapshot!(check("[schedule.a]\nfunction = \"f\"\nwhen = \"every 5\"\n"), @r#"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:3: schedule a: period "5" of "every" is not understood (hint: numbers with units, as in 90s, 5m, 1h30m or 7d)
    "#);
    insta::assert_snapshot!(check("[schedule.a]\nfunction = \"f\"\nwhen = \"@daily\"\nzone = \"Berlin\"\n"), @r#"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:4: schedule a: time zone "Berlin" is unknown (hint: did you mean Europe/Berlin?)
    "#);
    insta::assert_snapshot!(check("[schedule.a]\nfunction = \"f\"\n"), @r#"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:1: schedule 'a' has no 'when' (hint: when = "30 2 * * MON-FRI")
    "#);
    insta::assert_snapshot!(check("[schedule.a]\nwhen = \"@daily\"\nfunktion = \"f\"\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:3: schedule 'a' has no key 'funktion' (hint: did you mean 'function'?)
    ");
    insta::assert_snapshot!(check("[schedule.a]\nwhen = \"@daily\"\nfunction = \"f\"\nmissed = \"some\"\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:4: schedule 'a': missed cannot be 'some': it takes skip, one or all; default one
    ");
    insta::assert_snapshot!(check("[schedule.a]\nwhen = 5\nfunction = \"f\"\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:2: schedule 'a': 'when' takes a string: five cron fields, six with seconds first, @hourly, @daily, @weekly, @monthly, @yearly, or a period as every 90s
    ");
    insta::assert_snapshot!(check("[schedule.\"a b\"]\nwhen = \"@daily\"\nfunction = \"f\"\n"), @r#"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:1: schedule name "a b" is not allowed (hint: 1 to 50 letters, digits and . _ - : /)
    "#);
    insta::assert_snapshot!(check("[schedule]\nwhen = \"@daily\"\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:2: schedule 'when' is a table (hint: [schedule.when])
    ");
    insta::assert_snapshot!(check("schedule = 3\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:1: 'schedule' holds tables (hint: [schedule.nightly])
    ");
}

#[test]
fn more_schedules_than_the_queue_takes_are_refused() {
    let tables: String = (0..=100_000).map(|number| format!("[schedule.s{number}]\n")).collect();
    let said = check(&tables);
    assert!(said.contains(":1: 100001 schedules are over the limit of 100000"), "{said}");
}

#[test]
fn an_unknown_time_zone_is_refused_with_the_one_that_was_meant() {
    let folder = TempDir::new().unwrap();
    insta::assert_snapshot!(run_in(folder.path(), &["--check-args", "--time-zone=Europe/Berln"]), @r#"
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('Europe/Berln') for option '--time-zone' is invalid: time zone "Europe/Berln" is unknown (hint: did you mean Europe/Berlin?)
    "#);
    insta::assert_snapshot!(check("port = 4731\ntime-zone = \"Atlantis\"\n"), @r#"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:2: the argument ('Atlantis') for option '--time-zone' is invalid: time zone "Atlantis" is unknown (hint: did you mean Canada/Atlantic?)
    "#);
    let good = run_in(folder.path(), &["--check-args", "--time-zone=America/New_York"]);
    assert!(good.starts_with("exit 0"), "{good}");
}

/// A server with the configuration of this folder.
fn ticking(folder: TempDir) -> Gearmand {
    let mut command = command(folder.path());
    command.args(["--config-file=gearmand.conf", "--libsqlite3-db=queue.sqlite3", "-lstderr"]);
    command.args(["-p0", "-L127.0.0.1", "--http-listen=none"]);
    Gearmand::spawn(folder, &mut command)
}

/// What a command about one schedule says of it.
fn row(peer: &mut Peer, command: &str) -> Value {
    let lines = peer.listing(&format!("{command} {{\"name\":\"tick\"}}"));
    serde_json::from_str(&lines[0]).unwrap()
}

fn number(row: &Value, key: &str) -> i64 {
    row[key].as_i64().unwrap_or_else(|| panic!("{key} of {row}"))
}

#[test]
fn a_schedule_of_the_file_runs_each_time_once_over_a_kill() {
    let table = "[schedule.tick]\nwhen = \"every 1s\"\nfunction = \"tick\"\nmissed = \"all\"\n";
    let server = ticking(folder_with(table));
    let mut peer = server.connect();
    wait_until("the schedule is loaded", || row(&mut peer, "schedule show")["source"] == "file");
    let first = row(&mut peer, "schedule show");
    let begun = number(&first, "next") - 1000 * (1 + number(&first, "runs"));
    wait_until("two runs", || number(&row(&mut peer, "schedule show"), "runs") >= 2);
    let server = ticking(server.kill());
    let mut peer = server.connect();
    wait_until("two runs more", || {
        row(&mut peer, "schedule show")["runs"].as_i64().is_some_and(|runs| runs >= 4)
    });
    let row = row(&mut peer, "schedule pause");
    let runs = number(&row, "runs");
    assert_eq!(number(&row, "last"), begun + 1000 * runs, "{row}");
    let status = peer.listing("status");
    assert_eq!(status, [format!("tick\t{runs}\t0\t0")]);
}
