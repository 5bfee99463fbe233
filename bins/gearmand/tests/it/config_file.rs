//! The configuration file, in both formats.

use crate::peer::Peer;
use crate::process::{Gearmand, run_in};
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
fn every_option_can_stand_in_a_file() {
    let folder = folder_with(
        "port = 0\nlisten = [\"127.0.0.1\", \"::1\"]\nqueue-type = \"builtin\"\nhttp-listen = \"none\"\n\
         log-file = \"stderr\"\nexceptions = true\nround-robin = false\nthreads = 1\njob-retries = 3\n",
    );
    let mut command = crate::process::command(folder.path());
    let server = Gearmand::spawn(folder, command.arg("--config-file=gearmand.conf"));
    assert_eq!(server.addresses.len(), 2);
    server.connect().expect_alive();
}

#[test]
fn the_references_format_is_read_and_the_command_line_counts_more() {
    let folder = folder_with(
        "# a comment --frob\n--listen\n127.0.0.9 -p 1\r\n-q builtin # --frob\n --http-listen none --exceptions\n-lnone\nport=4730\n",
    );
    let mut command = crate::process::command(folder.path());
    command.args(["--config-file", "gearmand.conf", "-p0", "-lstderr"]);
    let server = Gearmand::spawn(folder, &mut command);
    assert!(server.addresses[0].starts_with("127.0.0.9:"), "{:?}", server.addresses);
    Peer::connect(server.address()).expect_alive();
}

#[test]
fn the_file_counts_more_than_the_environment() {
    let folder = folder_with("port = 99999\n");
    let mut command = crate::process::command(folder.path());
    command.args(["--check-args", "--config-file=gearmand.conf"]).env("GEARMAND_PORT", "4731");
    assert_eq!(command.output().unwrap().status.code(), Some(1));
    let mut command = crate::process::command(folder.path());
    let from_environment = command.arg("--check-args").env("GEARMAND_PORT", "99999").output().unwrap();
    assert_eq!(from_environment.status.code(), Some(1));
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let folder = folder_with("port = 4731\n");
    insta::assert_snapshot!(run_in(folder.path(), &["--config-file=missing"]), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: Could not open configuration file missing: it does not exist
    ");
    fs::create_dir(folder.path().join("folder")).unwrap();
    insta::assert_snapshot!(run_in(folder.path(), &["--config-file=folder"]), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: Could not open configuration file folder: Is a directory (os error 21)
    ");
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_key_that_was_meant() {
    insta::assert_snapshot!(check("port = 4731\n\nlisen = \"127.0.0.1\"\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:3: unknown key 'lisen' (hint: did you mean 'listen'?)
    ");
}

#[test]
fn a_wrong_value_is_refused_with_its_line() {
    insta::assert_snapshot!(check("port = 4731\nthreads = \"many\"\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:2: the argument ('many') for option '--threads' is invalid
    ");
}

#[test]
fn a_value_without_meaning_is_refused_with_its_line_unless_the_command_line_has_another() {
    let folder = folder_with("job-retries = -1\nport = 70000\ncompat = \"2.0\"\n");
    insta::assert_snapshot!(run_in(folder.path(), &["--check-args", "--config-file=gearmand.conf"]), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:2: the argument ('70000') for option '--port' is invalid (range 0 to 65535)
    ");
    let good = run_in(folder.path(), &["--check-args", "--config-file=gearmand.conf", "-p1"]);
    assert!(good.starts_with("exit 0"), "{good}");
    let bad = run_in(folder.path(), &["--check-args", "--config-file=gearmand.conf", "-p1", "--verbose=x"]);
    assert!(bad.ends_with("gearmand: Invalid value for --verbose supplied\n"), "{bad}");
}

#[test]
fn a_flag_takes_true_or_false() {
    insta::assert_snapshot!(check("exceptions = \"yes\"\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:1: 'exceptions' is true or false
    ");
}

#[test]
fn a_table_is_no_value() {
    insta::assert_snapshot!(check("[port]\nnumber = 4730\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:1: 'port' takes a string or a number
    ");
}

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    insta::assert_snapshot!(check("port = 4731\nthreads = = 3\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:2: extra `=`, expected nothing
    ");
}

#[test]
fn a_key_given_twice_is_refused() {
    insta::assert_snapshot!(check("port = 4731\nport = 4732\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:2: duplicate key
    ");
}

#[test]
fn an_unknown_option_of_the_references_format_is_refused_with_its_line() {
    insta::assert_snapshot!(check("--port=4731\n--threads 2 --x\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:2: unrecognised option '--x'
    ");
}

#[test]
fn every_line_of_the_sample_configuration_is_accepted() {
    let sample =
        crate::process::command(std::path::Path::new("/")).args(["--generate", "sample-config"]).output();
    let sample = String::from_utf8(sample.unwrap().stdout).unwrap();
    let is_key = |line: &&str| {
        line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
    };
    let keys: Vec<&str> = sample.lines().filter_map(|line| line.strip_prefix("# ")).filter(is_key).collect();
    assert!(keys.len() > 60 && keys.contains(&"[function.\"image.*\"]"), "{keys:?}");
    insta::assert_snapshot!(check(&keys.join("\n")), @r"
    exit 0
    -- stdout
    -- stderr
    ");
}

#[test]
fn policies_stand_in_tables_named_after_functions_or_patterns() {
    let good = check(
        "port = 4731\n[function.\"image.*\"]\nattempts = 3\nretry-on = [\"fail\", \"exception\"]\nrate = 0.5\n\
         timeout = \"90s\"\ntimeout-extends = true\ndead-bytes = \"1GiB\"\n\n[function.reverse]\n\
         [function.\"*\"]\nrate-burst = 5\nrate = 1_000\n",
    );
    assert!(good.starts_with("exit 0"), "{good}");
}

#[test]
fn a_wrong_policy_is_refused_with_its_line_the_key_the_value_and_what_is_allowed() {
    insta::assert_snapshot!(check("[function.\"image.*\"]\nattempts = 3\ntimeout = 90\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:3: function 'image.*': timeout cannot be '90': it takes a time from 1ms to 3650d such as 250ms, 90s, 1h30m or 7d, or none
    ");
    insta::assert_snapshot!(check("[function.\"image.*\"]\nretry-on = [\"fail\", \"crash\"]\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:2: function 'image.*': retry-on cannot be 'fail,crash': it takes words of disconnect, timeout, fail and exception with commas between them, or none
    ");
    insta::assert_snapshot!(check("[function.\"image.*\"]\nattempts = -1\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:2: function 'image.*': attempts cannot be '-1': it takes a number from 1 to 1000000, or none
    ");
    insta::assert_snapshot!(check("[function.\"image.*\"]\npaused = 2026-01-01\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:2: function 'image.*': paused cannot be '2026-01-01': it takes true or false
    ");
}

#[test]
fn an_unknown_policy_is_refused_with_its_line_and_the_one_that_was_meant() {
    insta::assert_snapshot!(check("port = 4731\n\n[function.resize]\nmax_runing = 3\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:4: function 'resize': there is no policy 'max_runing' (hint: did you mean 'max-running'?)
    ");
}

#[test]
fn policies_that_cannot_be_met_together_are_refused_with_their_line() {
    let text =
        "[function.\"*\"]\nbackoff-max = \"1m\"\n[function.resize]\nattempts = 3\nbackoff-first = \"2m\"\n";
    insta::assert_snapshot!(check(text), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:5: function 'resize': backoff-first cannot be '2m': backoff-max is 1m, and no pause is longer (hint: set both)
    ");
    insta::assert_snapshot!(check("[function.resize]\n\nrate-burst = 3\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:3: function 'resize': rate-burst cannot be '3': there is no rate that it could be a burst of (hint: set rate as well)
    ");
}

#[test]
fn a_function_whose_name_has_dots_stands_in_quotes() {
    insta::assert_snapshot!(check("[function.image.resize]\nattempts = 3\n"), @r#"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:1: function 'image': 'resize' is no table (hint: a name with dots stands in quotes, as in [function."image.resize"])
    "#);
    insta::assert_snapshot!(check("[function]\nresize = 3\n"), @r#"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:2: function 'resize' is a table of policies (hint: [function."resize"])
    "#);
    insta::assert_snapshot!(check("function = 3\n"), @r#"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:1: 'function' holds tables of policies (hint: [function."image.*"])
    "#);
    insta::assert_snapshot!(check("[functions.resize]\nattempts = 3\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:1: unknown key 'functions' (hint: did you mean 'function'?)
    ");
    insta::assert_snapshot!(check("[function.\"\"]\nattempts = 3\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:1: function '': a policy needs the name of a function, or a pattern with * and ?
    ");
}

#[test]
fn the_memory_of_the_queue_has_a_unit_or_none() {
    for good in ["0", "\"65536\"", "\"512MiB\"", "\"4 GiB\""] {
        let outcome = check(&format!("queue-memory = {good}\n"));
        assert!(outcome.starts_with("exit 0"), "{good}: {outcome}");
    }
    insta::assert_snapshot!(check("port = 4731\nqueue-memory = \"1GB\"\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:2: the argument ('1GB') for option '--queue-memory' is invalid (hint: a number of bytes, also with KiB, MiB or GiB behind it, as 1GiB; 0 is no limit)
    ");
    insta::assert_snapshot!(check("bad-worker-pause = 0\n"), @r"
    exit 1
    -- stdout
    -- stderr
    gearmand: gearmand.conf:1: the argument ('0') for option '--bad-worker-pause' is invalid (range 1 to 86400)
    ");
}
