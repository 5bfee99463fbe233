//! Reading, writing and comparing configurations.

use super::keys::{AUTOSCALE, Key, MANAGER, PROGRAM};
use super::*;
use proptest::prelude::*;
use std::path::Path;

const FOLDER: &str = "/etc/gm";

fn no_file(_: &Path) -> std::io::Result<String> {
    Ok("SECRET=x\n".to_owned())
}

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("m.toml"), Path::new(FOLDER), &no_file)
}

fn good(text: &str) -> Config {
    read(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn mistakes(text: &str) -> String {
    read(text).expect_err("it is wrong").to_string()
}

fn only(config: &Config) -> &Program {
    assert_eq!(config.programs.len(), 1);
    config.programs.values().next().unwrap()
}

/// The text of a program with one line more.
fn with(line: &str) -> String {
    let text = if line.starts_with("command") { "" } else { "command = \"a\"\n" };
    format!("[program.p]\nfunctions = [\"f\"]\nprocesses = \"1..2\"\n{text}{line}\n")
        .replace(if line.starts_with("functions") { "functions = [\"f\"]\n" } else { "\0" }, "")
        .replace(if line.starts_with("processes") { "processes = \"1..2\"\n" } else { "\0" }, "")
}

#[test]
fn an_empty_file_is_a_manager_without_programs() {
    assert_eq!(good(""), Config::default());
}

#[test]
fn a_command_is_all_a_program_needs() {
    let config = good("[program.mail]\ncommand = \"php mail.php --queue 'a b'\"\n");
    let program = only(&config);
    assert_eq!(program.command.words, ["php", "mail.php", "--queue", "a b"]);
    let expected = Program { command: program.command.clone(), ..Program::new(FOLDER.into()) };
    assert_eq!(*program, expected);
}

#[test]
fn a_shell_reads_a_command_when_it_is_asked_for() {
    let config = good("[program.p]\ncommand = \"a | b > c\"\nshell = true\n");
    assert_eq!(only(&config).command.words, ["/bin/sh", "-c", "a | b > c"]);
    for line in ["a | b", "a && b", "a; b", "a >b", "a 2>&1", "a 'b", "", "  "] {
        let text = format!("[program.p]\ncommand = \"{line}\"\n");
        assert!(mistakes(&text).contains("command cannot be"), "{line}");
    }
    assert_eq!(only(&good("[program.p]\ncommand = [\"a\", \"|\", \"\"]\n")).command.words, ["a", "|", ""]);
    for text in
        ["command = []", "command = [\"\"]", "command = [\"a\"]\nshell = true", "command = \"a\\u0000\""]
    {
        assert!(mistakes(&format!("[program.p]\n{text}\n")).contains("command cannot be"), "{text}");
    }
}

#[test]
fn paths_are_meant_from_the_folder_of_the_file() {
    let config = good(
        "socket = \"s\"\nstate-folder = \"st\"\n[program.p]\ncommand = \"./a\"\ndirectory = \"d\"\nstdout = \"o\"\n\
         stderr = \"/e\"\nenvironment-file = \"v\"\nwatch = [\"*.php\", \"/x/*\"]\n",
    );
    let program = only(&config);
    assert_eq!(config.socket, Path::new("/etc/gm/s"));
    assert_eq!(config.state_folder, Path::new("/etc/gm/st"));
    assert_eq!(program.directory, Path::new("/etc/gm/d"));
    assert_eq!(program.stdout, LogTarget::File("/etc/gm/o".into()));
    assert_eq!(program.stderr, LogTarget::File("/e".into()));
    assert_eq!(program.environment_file.as_deref(), Some(Path::new("/etc/gm/v")));
    assert_eq!(program.environment_of_file["SECRET"], "x");
    assert_eq!(program.watch.iter().map(WatchPattern::as_str).collect::<Vec<_>>(), ["/etc/gm/*.php", "/x/*"]);
    assert_eq!(program.command.words, ["./a"]);
}

/// Calls `of` with each key, and a text in which `LINE` stands for a line with it.
fn for_each_key(mut of: impl FnMut(&str, &str, &str, &str)) {
    for Key { name, default, example, .. } in MANAGER {
        of(name, default, example, "LINE\n");
    }
    for Key { name, default, example, .. } in PROGRAM {
        of(name, default, example, "PROGRAM");
    }
    for Key { name, default, example, .. } in AUTOSCALE {
        of(name, default, example, &with("[program.p.autoscale]\nLINE"));
    }
}

fn text_with(frame: &str, line: &str) -> String {
    if frame == "PROGRAM" {
        let line = if line.starts_with("shell = true") { "command = \"a\"\nshell = true" } else { line };
        return with(line).replace("after = [\"resize\"]", "after = [\"q\"]\n[program.q]\ncommand = \"b\"");
    }
    frame.replace("LINE", line)
}

#[test]
fn the_example_of_each_key_is_taken_and_is_not_its_default() {
    for_each_key(|name, default, example, frame| {
        let config = good(&text_with(frame, &format!("{name} = {example}")));
        assert_eq!(good_again(&config), config, "{name}");
        if !["servers", "socket", "state-folder"].contains(&name) {
            assert_ne!(default, example, "{name}");
        }
    });
}

#[test]
fn the_default_of_each_key_is_what_it_has_without_it() {
    for_each_key(|name, default, _, frame| {
        let Ok(value) = format!("x = {default}").parse::<toml::Table>() else { return };
        let without = good(&text_with(frame, ""));
        let line = format!("{name} = {}", value["x"]);
        if name != "command" && name != "functions" && name != "processes" {
            assert_eq!(good(&text_with(frame, &line)), without, "{line}");
        }
        let shown = without.to_json();
        let place = if frame == "LINE\n" {
            &shown[name]
        } else if frame == "PROGRAM" {
            &shown["program"]["p"][name]
        } else {
            &shown["program"]["p"]["autoscale"][name]
        };
        if name != "functions" && name != "processes" {
            assert_eq!(*place, serde_json::to_value(&value["x"]).unwrap(), "{name}");
        }
    });
}

/// What is written, read again.
fn good_again(config: &Config) -> Config {
    good(&config.to_toml())
}

#[test]
fn every_key_refuses_what_it_does_not_take_and_says_what_it_does() {
    let wrong = [
        ("servers", "[]"),
        ("servers", "[\"h:0\"]"),
        ("servers", "{}"),
        ("socket", "\"\""),
        ("socket-mode", "\"888\""),
        ("socket-mode", "\"07777\""),
        ("state-folder", "[]"),
        ("orphans", "\"keep\""),
        ("shell", "\"yes\""),
        ("command", "[[\"a\"]]"),
        ("functions", "\"f\""),
        ("functions", "[\"\"]"),
        ("processes", "\"8..2\""),
        ("processes", "\"0..1001\""),
        ("processes", "-1"),
        ("processes", "\"+1\""),
        ("processes", "\"2..\""),
        ("processes", "1.5"),
        ("autostart", "1"),
        ("after", "[\"a b\"]"),
        ("user", "\"\""),
        ("group", "[]"),
        ("directory", "\"\""),
        ("umask", "\"0o1000\""),
        ("umask", "\"\""),
        ("environment", "[\"A=b\"]"),
        ("environment", "{ \"A=\" = \"b\" }"),
        ("environment", "{ A = [] }"),
        ("environment-file", "true\n#"),
        ("ready-after", "\"61m\""),
        ("ready-within", "\"0s\""),
        ("stop-signal", "\"STOP\""),
        ("stop-signal", "9"),
        ("stop-group", "0"),
        ("stop-patience", "\"8d\""),
        ("stop-patience", "60"),
        ("stop-patience-job", "\"31d\""),
        ("replace", "\"before\""),
        ("short-life", "\"2h\""),
        ("socket-user", "\"\""),
        ("socket-group", "[1]"),
        ("lifetime", "\"1 h 2 x\""),
        ("lifetime-jitter", "1.1"),
        ("lifetime-jitter", "\"10%\""),
        ("restart", "true"),
        ("exit-codes", "[256]"),
        ("exit-codes", "0"),
        ("backoff-first", "\"-1s\""),
        ("backoff-factor", "0.5"),
        ("backoff-factor", "inf"),
        ("backoff-max", "\"2d\""),
        ("backoff-jitter", "-0.1"),
        ("crash-loop-exits", "0"),
        ("crash-loop-within", "\"500ms\""),
        ("memory-max", "\"512MB\""),
        ("memory-max", "1000"),
        ("watch", "\"/srv/*\""),
        ("watch", "[\"/srv/***\"]"),
        ("watch-settle", "\"none\""),
        ("stdout", "\"stdout\""),
        ("stdout", "\"/dev/stdout\""),
        ("stderr", "\"\""),
        ("stderr", "\"/dev/null\""),
        ("stderr", "\"/proc/self/fd/2\""),
        ("log-bytes", "0"),
        ("log-files", "1001"),
        ("target-wait", "\"1ms\""),
        ("up-per-minute", "0"),
        ("down-per-minute", "1.0"),
        ("idle", "\"none\""),
        ("load-max", "0"),
        ("memory-max", "2"),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for_each_key(|name, _, _, frame| {
        for (_, value) in wrong.iter().filter(|(key, _)| *key == name) {
            // The machine's and the process's limit have one name.
            if *value == "2" && frame == "PROGRAM" {
                continue;
            }
            // A path may have any text but an empty one.
            if name == "environment-file" {
                seen.insert(name.to_owned());
                continue;
            }
            let text = text_with(frame, &format!("{name} = {value}"));
            let said = mistakes(&text);
            assert!(said.contains(&format!("{name} cannot be ")) && said.contains(": it takes "), "{said}");
            seen.insert(name.to_owned());
        }
        assert!(seen.contains(name), "no wrong value of {name} is tried");
    });
}

#[test]
fn all_mistakes_are_said_at_once_each_with_its_line_and_what_is_allowed() {
    let text = "\
server = \"localhost\"
orphans = \"keep\"
colour = \"red\"

[program.mail]
comand = \"php mail.php\"
processes = \"8..2\"
lifetime = 3600

[program.resize]
command = [\"php\", \"resize.php\"]
stop_signal = \"TERM\"
after = [\"male\"]
backoff-first = \"2m\"

[program.resize.autoscale]
target = \"5s\"

[program.\"a b\"]
command = \"x\"
environment = { A = [1] }

[program]
crop = \"php crop.php\"
";
    let expected = "\
m.toml:1: unknown key 'server' (hint: did you mean 'servers'?)
m.toml:2: orphans cannot be \"keep\": it takes \"stop\" or \"adopt\"
m.toml:3: unknown key 'colour' (hint: there are orphans, program, servers, socket, socket-group, socket-mode, socket-user, state-folder)
m.toml:5: program 'mail': it has no command (hint: command = [\"php\", \"worker.php\"])
m.toml:6: program 'mail': unknown key 'comand' (hint: did you mean 'command'?)
m.toml:7: program 'mail': processes cannot be \"8..2\": it takes a number from 0 to 1000, or a range as \"2..8\"
m.toml:8: program 'mail': lifetime cannot be 3600: it takes a time from 1s to 3650d, or \"none\"
m.toml:12: program 'resize': unknown key 'stop_signal' (hint: did you mean 'stop-signal'?)
m.toml:13: program 'resize': after cannot be [\"male\"]: there is no program 'male' (hint: did you mean 'mail'?)
m.toml:14: program 'resize': backoff-first cannot be \"2m\": it is over backoff-max, which is 1m (hint: set that as well)
m.toml:16: program 'resize': autoscale cannot be there: without functions nobody knows what waits (hint: functions = [\"resize\"])
m.toml:17: program 'resize': unknown key 'target' (hint: there are down-per-minute, idle, load-max, memory-max, target-wait, up-per-minute)
m.toml:19: program 'a b': a name has 1 to 64 letters, digits, '.', '-' and '_', a letter or digit first, and is not 'all'
m.toml:21: program 'a b': environment cannot be a table of 'A': it takes a table of texts, its keys without =
m.toml:24: program 'crop': 'crop' is a table (hint: [program.crop])";
    assert_eq!(mistakes(text), expected);
}

#[test]
fn what_is_no_toml_is_said_with_its_line() {
    assert_eq!(
        mistakes("a = 1\nb = \n[x\n"),
        "m.toml:2: string values must be quoted, expected literal string\nm.toml:3: unclosed table, expected `]`"
    );
}

#[test]
fn programs_that_wait_for_each_other_are_refused() {
    let text = "\
[program.a]
command = \"a\"
after = [\"b\"]
[program.b]
command = \"b\"
after = [\"c\"]
[program.c]
command = \"c\"
after = [\"a\", \"c\"]
[program.d]
command = \"d\"
after = [\"a\"]
";
    let expected = "\
m.toml:3: program 'a': after cannot be [\"b\"]: it would wait for itself: a after b after c after a
m.toml:6: program 'b': after cannot be [\"c\"]: it would wait for itself: b after c after a after b
m.toml:9: program 'c': after cannot be [\"a\", \"c\"]: it would wait for itself: c after c";
    assert_eq!(mistakes(text), expected);
}

#[test]
fn a_program_cannot_have_the_name_that_means_all_of_them() {
    assert_eq!(
        mistakes("[program.all]\ncommand = \"a\"\n"),
        "m.toml:1: program 'all': a name has 1 to 64 letters, digits, '.', '-' and '_', a letter or digit first, and is not \
         'all'"
    );
}

#[test]
fn a_file_of_output_has_one_rotation() {
    let text = "\
[program.a]
command = \"a\"
stdout = \"x.log\"
[program.b]
command = \"b\"
stderr = \"/etc/gm/x.log\"
log-bytes = \"1MiB\"
[program.c]
command = \"c\"
stdout = \"y.log\"
log-files = 3
";
    assert_eq!(
        mistakes(text),
        "m.toml:6: program 'b': stderr cannot be \"/etc/gm/x.log\": program 'a' writes there as well, with another log-bytes \
         or log-files"
    );
}

#[test]
fn a_file_of_variables_that_cannot_be_read_is_a_mistake() {
    let text = "[program.p]\ncommand = \"a\"\nenvironment-file = \"v\"\n";
    let read = |file: &dyn Fn(&Path) -> std::io::Result<String>| {
        Config::parse(text, Path::new("m.toml"), Path::new(FOLDER), file).unwrap_err().to_string()
    };
    assert_eq!(
        read(&|_| Err(std::io::ErrorKind::NotFound.into())),
        "m.toml:3: program 'p': environment-file /etc/gm/v: cannot read it: entity not found"
    );
    assert_eq!(
        read(&|_| Ok("A=1\nB\n".to_owned())),
        "m.toml:3: program 'p': environment-file /etc/gm/v: line 2 is no NAME=VALUE"
    );
}

#[test]
fn nobody_waits_for_a_file_of_variables() {
    let folder = tempfile::tempdir().unwrap();
    nix::unistd::mkfifo(&folder.path().join("v"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let file = folder.path().join("m.toml");
    std::fs::write(&file, "[program.p]\ncommand = \"a\"\nenvironment-file = \"v\"\n").unwrap();
    let error = Config::read(&file).unwrap_err().to_string();
    assert!(error.ends_with("/v: cannot read it: it is no regular file"), "{error}");
}

#[test]
fn a_diff_says_which_programs_and_keys_change_and_what_must_start_anew() {
    let old = good(
        "[program.a]\ncommand = \"a\"\n[program.b]\ncommand = \"b\"\n[program.c]\ncommand = \"c\"\n[program.d]\n\
         command = [\"d\", \"1\"]\nfunctions = [\"f\"]\nprocesses = \"1..2\"\n",
    );
    let new = good(
        "servers = [\"s:1\"]\norphans = \"adopt\"\n[program.b]\ncommand = \"b\"\nprocesses = 3\nstdout = \"none\"\n\
         [program.c]\ncommand = \"c\"\nuser = \"u\"\nlifetime = \"1h\"\n[program.d]\ncommand = \"d 1\"\n\
         functions = [\"f\"]\nprocesses = \"1..2\"\n[program.d.autoscale]\n[program.e]\ncommand = \"e\"\n",
    );
    let diff = old.diff(&new);
    let change = |name: &str| {
        let change = &diff.changed[name];
        (change.live.join(" "), change.restart.join(" "), change.needs_restart())
    };
    assert_eq!(diff.manager, ["servers", "orphans"]);
    assert_eq!(diff.added.iter().map(ProgramName::as_str).collect::<Vec<_>>(), ["e"]);
    assert_eq!(diff.removed.iter().map(ProgramName::as_str).collect::<Vec<_>>(), ["a"]);
    assert_eq!(diff.changed.len(), 3);
    assert_eq!(change("b"), ("processes stdout".to_owned(), String::new(), false));
    assert_eq!(change("c"), ("lifetime".to_owned(), "user".to_owned(), true));
    // The same words, written as a line; only the table is new.
    assert_eq!(change("d"), ("autoscale".to_owned(), String::new(), false));
    assert!(old.diff(&old).is_empty());
    assert!(!diff.is_empty());
}

#[test]
fn a_changed_file_of_variables_needs_new_processes() {
    let text = "[program.p]\ncommand = \"a\"\nenvironment-file = \"v\"\n";
    let with = |variables: &'static str| {
        let file = |_: &Path| Ok(variables.to_owned());
        Config::parse(text, Path::new("m.toml"), Path::new(FOLDER), &file).unwrap()
    };
    let diff = with("A=1").diff(&with("A=2"));
    assert_eq!(diff.changed["p"], Change { live: vec![], restart: vec!["environment-file"] });
}

#[test]
fn secrets_are_not_shown() {
    let config = good("[program.p]\ncommand = \"a\"\nenvironment-file = \"v\"\n");
    assert!(!config.to_toml().contains("SECRET"));
    assert!(
        !mistakes("[program.p]\ncommand = \"a\"\nenvironment = { A = [\"SECRET\"] }\n").contains("SECRET")
    );
}

/// Texts that look like a configuration.
fn lines() -> impl Strategy<Value = String> {
    let names: Vec<_> =
        PROGRAM.iter().map(|key| key.name).chain(AUTOSCALE.iter().map(|key| key.name)).collect();
    let value = prop_oneof![
        "[0-9a-z.\\[\\]\"{}= ]{0,12}",
        Just("\"1..4\"".to_owned()),
        Just("\"none\"".to_owned()),
        "\"[ -~]{0,12}\"",
        "\"[0-9]{1,22}(ms|s|m|h|d|KiB|GiB)\"",
        "-?[0-9]{1,22}(\\.[0-9]{1,3})?",
        Just("[\"p\", \"q\"]".to_owned()),
    ];
    let line = (prop::sample::select(names), value).prop_map(|(name, value)| format!("{name} = {value}\n"));
    let table = prop_oneof![Just("p"), Just("p.autoscale"), Just("q")].prop_flat_map(move |name| {
        prop::collection::vec(line.clone(), 0..6).prop_map(move |lines| {
            let command = if name.contains('.') { "" } else { "command = \"a\"\n" };
            format!("[program.{name}]\n{command}{}", lines.concat())
        })
    });
    prop::collection::vec(table, 0..4).prop_map(|tables| tables.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        if let Err(error) = read(&text) {
            prop_assert!(error.to_string().starts_with("m.toml:"));
        }
    }

    #[test]
    fn what_is_taken_is_written_so_that_it_reads_the_same(text in lines()) {
        if let Ok(config) = read(&text) {
            prop_assert_eq!(good_again(&config), config);
        }
    }

    #[test]
    fn each_mistake_is_in_a_line_of_the_file(text in lines()) {
        if let Err(ConfigError::Wrong { problems }) = read(&text) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!((1..=text.lines().count() + 1).contains(&problem.line));
            }
        }
    }
}
