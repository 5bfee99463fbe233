//! `check`, the example file, and the command line itself.

use crate::{folder_with, project, run};
use std::fs;

#[test]
fn the_example_of_the_documentation_is_a_configuration_as_is_what_check_prints_of_it() {
    let example = project("docs/gearman-manager.toml");
    let folder = tempfile::tempdir().unwrap();
    let first = run(folder.path(), &["check", example.to_str().unwrap()]);
    let text = first.strip_prefix("exit 0\n-- stdout\n").unwrap().strip_suffix("-- stderr\n").unwrap();
    assert!(text.contains("\n[program.resize.autoscale]\ntarget-wait = \"2s\"\n"), "{text}");
    assert!(text.contains("\nstop-patience = \"10m\"\n"), "{text}");
    assert!(text.contains("\nlog-files = 10  # default\n"), "{text}");
    fs::write(folder.path().join("again.toml"), text).unwrap();
    assert_eq!(run(folder.path(), &["check", "again.toml"]), first);
}

#[test]
fn a_program_is_printed_with_every_key() {
    let folder = folder_with(
        "m.toml",
        "[program.mail]\ncommand = \"node mail.js\"\ndirectory = \"/srv\"\nuser = 33\n",
    );
    insta::assert_snapshot!(run(folder.path(), &["check", "m.toml"]), @r#"
    exit 0
    -- stdout
    servers = ["localhost:4730"]  # default
    socket = "/run/gearman-manager/socket"  # default
    socket-mode = "0600"  # default
    state-folder = "/var/lib/gearman-manager"  # default
    orphans = "stop"  # default

    [program.mail]
    shell = false  # default
    command = ["node", "mail.js"]
    functions = []  # default
    processes = 1  # default
    autostart = true  # default
    after = []  # default
    user = "33"
    directory = "/srv"  # default
    environment = {}  # default
    ready-after = "1s"  # default
    ready-within = "30s"  # default
    stop-signal = "TERM"  # default
    stop-group = false  # default
    stop-patience = "1m"  # default
    stop-patience-job = "1h"  # default
    lifetime = "none"  # default
    lifetime-jitter = 0.1  # default
    restart = "always"  # default
    exit-codes = [0]  # default
    short-life = "1s"  # default
    backoff-first = "1s"  # default
    backoff-factor = 2  # default
    backoff-max = "1m"  # default
    backoff-jitter = 0.1  # default
    crash-loop-exits = 5  # default
    crash-loop-within = "1m"  # default
    memory-max = "none"  # default
    watch = []  # default
    watch-settle = "1s"  # default
    stdout = "manager"  # default
    stderr = "stdout"  # default
    log-bytes = "50MiB"  # default
    log-files = 10  # default
    -- stderr
    "#);
}

#[test]
fn json_has_the_same_values() {
    let folder = folder_with(
        "m.toml",
        "[program.mail]\ncommand = [\"a b\"]\nprocesses = \"1..3\"\ndirectory = \"/\"\n",
    );
    let out = run(folder.path(), &["check", "--json", "m.toml"]);
    let text = out.strip_prefix("exit 0\n-- stdout\n").unwrap().strip_suffix("-- stderr\n").unwrap();
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(value["servers"], serde_json::json!(["localhost:4730"]));
    let program = &value["program"]["mail"];
    assert_eq!(program["command"], serde_json::json!(["a b"]));
    assert_eq!(program["processes"], "1..3");
    assert_eq!(program["autostart"], true);
    assert_eq!(program["lifetime-jitter"], 0.1);
    assert_eq!(program.get("user"), None);
}

#[test]
fn a_wrong_file_is_said_with_line_key_and_what_is_allowed() {
    let folder = folder_with(
        "m.toml",
        "orphans = \"keep\"\n\n[program.mail]\ncomand = \"node mail.js\"\nlifetime = 3600\n\n[program.resize]\n\
         command = \"php resize.php && true\"\nprocesses = \"8..2\"\nafter = [\"mial\"]\n",
    );
    insta::assert_snapshot!(run(folder.path(), &["check", "m.toml"]), @r#"
    exit 64
    -- stdout
    -- stderr
    m.toml:1: orphans cannot be "keep": it takes "stop" or "adopt"
    m.toml:3: program 'mail': it has no command (hint: command = ["php", "worker.php"])
    m.toml:4: program 'mail': unknown key 'comand' (hint: did you mean 'command'?)
    m.toml:5: program 'mail': lifetime cannot be 3600: it takes a time from 1s to 3650d, or "none"
    m.toml:8: program 'resize': command cannot be "php resize.php && true": it takes a list of words, or a line that is split at spaces as a shell would, with quotes and backslashes (a line with | && > or the like needs shell = true)
    m.toml:9: program 'resize': processes cannot be "8..2": it takes a number from 0 to 1000, or a range as "2..8"
    m.toml:10: program 'resize': after cannot be ["mial"]: there is no program 'mial' (hint: did you mean 'mail'?)
    "#);
    let folder = folder_with("m.toml", "[program.mail\ncommand = 1\n");
    insta::assert_snapshot!(run(folder.path(), &["check", "m.toml"]), @r"
    exit 64
    -- stdout
    -- stderr
    m.toml:1: unclosed table, expected `]`
    ");
}

#[test]
fn a_file_that_cannot_be_read_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(run(folder.path(), &["check", "m.toml"]), @r"
    exit 1
    -- stdout
    -- stderr
    gearman-manager: cannot read m.toml: No such file or directory (os error 2)
    ");
    fs::write(folder.path().join("m.toml"), b"# a\nb = \"\xff\"\n").unwrap();
    insta::assert_snapshot!(run(folder.path(), &["check", "m.toml"]), @r"
    exit 64
    -- stdout
    -- stderr
    m.toml:2: it is not UTF-8
    ");
}

#[test]
fn wrong_usage_is_said_and_ends_with_64() {
    let folder = tempfile::tempdir().unwrap();
    let calls: [&[&str]; 4] = [&["check"], &["chekc", "x"], &["check", "--yaml", "x"], &["import"]];
    let all: String =
        calls.iter().map(|call| format!("$ {}\n{}", call.join(" "), run(folder.path(), call))).collect();
    insta::assert_snapshot!(all, @r"
    $ check
    exit 64
    -- stdout
    -- stderr
    error: the following required arguments were not provided:
      <FILE>

    Usage: gearman-manager check <FILE>

    For more information, try '--help'.
    $ chekc x
    exit 64
    -- stdout
    -- stderr
    error: unrecognized subcommand 'chekc'

      tip: a similar subcommand exists: 'check'

    Usage: gearman-manager [COMMAND]

    For more information, try '--help'.
    $ check --yaml x
    exit 64
    -- stdout
    -- stderr
    error: unexpected argument '--yaml' found

      tip: to pass '--yaml' as a value, use '-- --yaml'

    Usage: gearman-manager check [OPTIONS] <FILE>

    For more information, try '--help'.
    $ import
    exit 64
    -- stdout
    -- stderr
    error: the following required arguments were not provided:
      <FILE>

    Usage: gearman-manager import <FILE>

    For more information, try '--help'.
    ");
}

#[test]
fn help_says_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let calls: [&[&str]; 4] = [&["--help"], &["--version"], &["check", "--help"], &["import", "--help"]];
    let all: String =
        calls.iter().map(|call| format!("$ {}\n{}", call.join(" "), run(folder.path(), call))).collect();
    insta::assert_snapshot!(all, @r#"
    $ --help
    exit 0
    -- stdout
    Keeps Gearman workers running, in any language.

    Without a command: run, with /etc/gearman-manager.toml. Exit status: 0 done; 1 a file cannot be read
    or written, or no manager answers; 2 the manager refused; 64 wrong usage, or a wrong configuration.

    Usage: gearman-manager [COMMAND]

    Commands:
      run     Run the programs of a configuration file until told to stop
      ctl     Ask or steer the manager that runs
      check   Look at a configuration file: print it as it is understood, or all that is wrong with it
      import  Make a configuration file from that of GearmanManager or supervisord, and say what each
              key became

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    -- stderr
    $ --version
    exit 0
    -- stdout
    gearman-manager 0.1.0
    -- stderr
    $ check --help
    exit 0
    -- stdout
    Look at a configuration file: print it as it is understood, or all that is wrong with it

    Usage: gearman-manager check [OPTIONS] <FILE>

    Arguments:
      <FILE>  The configuration file

    Options:
          --json  Print JSON instead of TOML
      -h, --help  Print help
    -- stderr
    $ import --help
    exit 0
    -- stdout
    Make a configuration file from that of GearmanManager or supervisord, and say what each key became

    Usage: gearman-manager import [OPTIONS] <FILE>

    Arguments:
      <FILE>  The INI file of GearmanManager, or supervisord.conf

    Options:
      -o, --output <FILE>     Where to write it; a file that is there is not replaced. Default: standard
                              output
          --worker <COMMAND>  Command of the workers that take the place of those inside GearmanManager,
                              split at spaces; the functions follow as arguments [default: "php
                              worker.php"]
      -h, --help              Print help
    -- stderr
    "#);
}

#[test]
fn run_says_what_is_wrong_as_check_does_and_starts_nothing() {
    let folder =
        folder_with("m.toml", "[program.p]\ncommand = \"touch started\"\nlifetime = 1\n[program.q]\n");
    insta::assert_snapshot!(run(folder.path(), &["run", "--config", "m.toml"]), @r#"
    exit 64
    -- stdout
    -- stderr
    m.toml:3: program 'p': lifetime cannot be 1: it takes a time from 1s to 3650d, or "none"
    m.toml:4: program 'q': it has no command (hint: command = ["php", "worker.php"])
    "#);
    assert!(!folder.path().join("started").exists());
    insta::assert_snapshot!(run(folder.path(), &["run", "--config", "missing.toml"]), @r"
    exit 1
    -- stdout
    -- stderr
    gearman-manager: cannot read missing.toml: No such file or directory (os error 2)
    ");
}
