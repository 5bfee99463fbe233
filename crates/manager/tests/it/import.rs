//! Importing examples of both formats, and files that are wrong.

use geartrain_manager::Config;
use geartrain_manager::import::{Around, ImportError, Imported, import};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path)
}

fn imported(path: &Path) -> Result<Imported, ImportError> {
    let variable = |name: &str| (name == "GEARMAN").then(|| "10.0.0.1:4730".to_owned());
    let worker = ["php".to_owned(), "worker.php".to_owned()];
    import(path, &Around { variable: &variable, host: "photos1", worker: &worker })
}

/// The text and the report, with the folder of the data by a name of its own.
fn shown(path: &str) -> (String, String) {
    let Imported { text, report } = imported(&data(path)).unwrap();
    let folder = data("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    let report: String = report.iter().map(|row| format!("{row}\n")).collect();
    (text.replace(folder, "/data"), report.replace(folder, "/data"))
}

/// The file with what is expected; written anew where `UPDATE_EXPECTED` is set.
fn check(found: &str, expected: &str) {
    let path = data(expected);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(&path).unwrap_or_default(), "{expected}");
}

fn read(text: &str) -> Config {
    Config::parse(text, Path::new("x"), Path::new("/etc"), &|_| Err(std::io::ErrorKind::NotFound.into()))
        .unwrap()
}

#[test]
fn a_configuration_of_supervisord_becomes_ours_with_a_row_for_each_key() {
    let (text, report) = shown("supervisord/supervisord.conf");
    check(&text, "supervisord/expected.toml");
    check(&report, "supervisord/expected.report");
    let config = read(&text);
    assert_eq!(config.programs.len(), 5);
    let words = &config.programs["resize"].command.words;
    let expected = "php|/data/supervisord/app/resize.php|--host|10.0.0.1:4730|--title|a;b|--rate|50%";
    assert_eq!(words.join("|"), expected);
    check_every_key_has_a_row("supervisord/supervisord.conf", &report);
    check_every_key_has_a_row("supervisord/conf.d/thumbs.conf", &report);
}

#[test]
fn a_configuration_of_gearman_manager_becomes_ours_with_a_row_for_each_key() {
    let (text, report) = shown("gearman-manager/workers.ini");
    check(&text, "gearman-manager/expected.toml");
    check(&report, "gearman-manager/expected.report");
    let config = read(&text);
    let processes: Vec<_> =
        config.programs.iter().map(|(name, program)| format!("{name} {}", program.processes.max)).collect();
    assert_eq!(processes, ["Sum 5", "fetch_url 5", "reverse_string 1", "shared 10"]);
    assert_eq!(config.programs["shared"].functions, ["fetch_url", "reverse_string"]);
    check_every_key_has_a_row("gearman-manager/workers.ini", &report);
}

/// Whether the report has a row for each line of the file that is a key.
fn check_every_key_has_a_row(path: &str, report: &str) {
    let mut section = String::new();
    for line in std::fs::read_to_string(data(path)).unwrap().lines() {
        if line.starts_with('[') {
            line.clone_into(&mut section);
        } else if let Some((key, _)) = line.split_once('=').filter(|_| !line.starts_with([';', ' '])) {
            let row = format!("{section} {}", key.trim().trim_end_matches("[]"));
            assert!(
                report.lines().any(
                    |line| line.starts_with(&format!("{row} ->")) || line.starts_with(&format!("{row}:"))
                ),
                "{row}"
            );
        }
    }
}

/// The error for a file with this text, without its folder.
fn refused(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.ini");
    std::fs::write(&path, text).unwrap();
    let error = imported(&path).expect_err("it is wrong").to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn a_file_that_is_wrong_there_is_refused_with_section_and_key() {
    let program = |line: &str| refused(&format!("[program:p]\ncommand = a\n{line}\n"));
    let rows = [
        ("numprocs = many", "numprocs: 'many' is no number"),
        ("numprocs = 0", "numprocs: '0' is not from 1 to 1000"),
        ("autostart = perhaps", "autostart: 'perhaps' is neither true nor false"),
        ("autorestart = sometimes", "autorestart: 'sometimes' is not true, false or unexpected"),
        ("exitcodes = 0,256", "exitcodes: '0,256' is no list of numbers from 0 to 255"),
        ("stopsignal = LOUD", "stopsignal: 'LOUD' is no signal"),
        ("startsecs = -1", "startsecs: '-1' is below 0"),
        ("umask = 9", "umask: '9' is no permission"),
        ("priority = first", "priority: 'first' is no number"),
        ("stdout_logfile_maxbytes = 1TB", "stdout_logfile_maxbytes: '1TB' is no size"),
        ("environment = A", "environment: no KEY=\"value\" begins at 'A'"),
        ("directory = 100%", "directory: a % is written as %%, or begins an expression like %(here)s"),
        (
            "user = %(ENV_NOBODY)s",
            "user: %(ENV_NOBODY)s: there is no variable NOBODY here (hint: NOBODY=... gearman-manager import ...)",
        ),
    ];
    for (line, said) in rows {
        assert_eq!(program(line), format!("x.ini: [program:p] {said}"));
    }
    assert_eq!(refused("[program:p]\nuser = u\n"), "x.ini: [program:p] command: it is not there");
    assert_eq!(
        refused("[program:p]\ncommand = a 'b\n"),
        "x.ini: [program:p] command: a quote is not closed, or it is empty"
    );
    assert_eq!(refused("[supervisord]\n[include]\nfile = x\n"), "x.ini: [include] files: it is not there");
    assert_eq!(
        refused("[GearmanManager]\ncount = ten\n"),
        "x.ini: [GearmanManager] count: 'ten' is no number"
    );
    assert_eq!(
        refused("[GearmanManager]\ninclude = Sum\n[Sum]\ndedicated_only = 1\n"),
        "x.ini: [Sum] dedicated_only: it needs a dedicated_count, or GearmanManager does not start"
    );
}

#[test]
fn a_mistake_of_an_included_file_is_said_with_that_file() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("main.conf");
    std::fs::write(&main, "[supervisord]\n[include]\nfiles = *.inc\n").unwrap();
    std::fs::write(folder.path().join("a.inc"), "[program:a]\ncommand = a\numask = 9\n").unwrap();
    let error = imported(&main).unwrap_err().to_string();
    assert!(error.ends_with("/a.inc: [program:a] umask: '9' is no permission"), "{error}");
}

#[test]
fn what_cannot_stand_in_our_file_is_refused_with_what_can() {
    assert_eq!(
        refused("[program:p]\ncommand = a\nstopsignal = STOP\n"),
        "x.ini: what it says cannot stand in our file: import:5: program 'p': stop-signal cannot be \"STOP\": it takes \
         TERM, INT, QUIT, HUP, USR1, USR2, ALRM, WINCH or KILL"
    );
}

#[test]
fn a_file_that_is_neither_is_refused() {
    assert_eq!(
        refused("[mysqld]\nport = 3306\n"),
        "x.ini: this is neither a configuration of GearmanManager nor of supervisord (hint: the one has a section \
         [GearmanManager], the other [program:NAME])"
    );
    assert_eq!(
        refused("[program:p\ncommand = a\n"),
        "x.ini: line 1: Found opening bracket for section name but no closing bracket"
    );
    assert_eq!(
        refused("[program:p]\nwhat is this\n"),
        "x.ini: [program:p] 'what is this' is no key with a value"
    );
    let error = imported(Path::new("/nowhere/x.conf")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read /nowhere/x.conf");
}

/// Texts that look like one of the formats.
fn texts() -> impl Strategy<Value = String> {
    let section = prop_oneof![
        Just("[program:p]"),
        Just("[program:q r]"),
        Just("[group:g]"),
        Just("[supervisord]"),
        Just("[unix_http_server]"),
        Just("[GearmanManager]"),
        Just("[Sum]"),
        Just("[odd"),
    ];
    let key = prop_oneof![
        Just("command"),
        Just("numprocs"),
        Just("numprocs_start"),
        Just("priority"),
        Just("environment"),
        Just("stdout_logfile"),
        Just("stdout_logfile_maxbytes"),
        Just("redirect_stderr"),
        Just("startretries"),
        Just("chmod"),
        Just("programs"),
        Just("count"),
        Just("dedicated_count"),
        Just("host[]"),
        Just("include"),
        Just("max_worker_lifetime"),
    ];
    let value = prop_oneof![
        "[ -~]{0,20}",
        "%\\((process_num|program_name|here|ENV_GEARMAN)\\)0?[0-9]{0,3}[sd]",
        "-?[0-9]{1,22}(KB|MB)?",
        "\\PC{0,8}",
        Just("true".to_owned()),
        Just("p,q r".to_owned()),
    ];
    let line = (key, prop_oneof![Just("="), Just(" = "), Just(": "), Just("\n ")], value)
        .prop_map(|(key, sign, value)| format!("{key}{sign}{value}\n"));
    let part = (section, prop::collection::vec(line, 0..6))
        .prop_map(|(section, lines)| format!("{section}\ncommand = a %(process_num)s\n{}", lines.concat()));
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_imported_is_a_configuration_and_nothing_panics(text in texts()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.ini");
        std::fs::write(&path, text).unwrap();
        if let Ok(imported) = imported(&path) {
            read(&imported.text);
        }
    }
}
