//! Wrong usage, help, and generated files.

use crate::support::{Server, run, wait_until};

const OURS: &str = env!("CARGO_BIN_EXE_gearman");

#[test]
fn wrong_usage_exits_1_before_a_server_is_asked() {
    let long = "u".repeat(65);
    for (arguments, expected) in [
        (&[][..], "no function given (hint: -f FUNCTION"),
        (&["-Z"], "unexpected argument '-Z'"),
        (&["-f"], "a value is required"),
        (&["-f", "", "x"], "the name of a function is empty"),
        (&["-f", "f", "-t", "abc", "x"], "invalid value 'abc'"),
        (&["-f", "f", "-w", "-c", "many"], "invalid value 'many'"),
        (&["-f", "f", "-p", "nosuchservice", "x"], "port \"nosuchservice\" is neither a number"),
        (&["-f", "f", "-h", ":1", "x"], "\":1\" names no host"),
        (&["-f", "f", "-S", "x"], "-S is refused: this build has no TLS"),
        (&["-f", "f", "-u", &long, "x"], "unique of 65 bytes is over the limit of 64 bytes"),
        (&["-f", "f", "-i", "/no/such/folder/pid", "x"], "cannot write the pid file /no/such/folder/pid"),
    ] {
        let ran = run(OURS, arguments, b"");
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert_eq!((ran.exit, ran.stdout.len()), (Some(1), 0), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[test]
fn help_names_every_option_short_and_long() {
    let ran = run(OURS, &["-H"], b"");
    let help = String::from_utf8(ran.stdout).unwrap();
    assert_eq!((ran.exit, ran.stderr.len()), (Some(0), 0));
    for option in [
        "-f, --function",
        "-h, --host",
        "-p, --port",
        "-t, --timeout",
        "-i, --pid-file",
        "-S, --ssl",
        "-v, --verbose",
        "-H, --help",
        "-d, --daemon",
        "-w, --worker",
        "-c, --count",
        "-n, --per-line",
        "-N, --strip-newline",
        "-s, --no-input",
        "-b, --background",
        "-I, --high",
        "-L, --low",
        "-u, --unique",
        "-P, --prefix",
    ] {
        assert!(help.contains(option), "{option} is not in the help");
    }
    let long = String::from_utf8(run(OURS, &["-f", "f", "--help"], b"").stdout).unwrap();
    assert!(long.contains("Exit status: 0 done; 1 a job failed"), "{long}");
}

#[test]
fn completions_and_the_manual_page_are_generated() {
    for what in ["completion-bash", "completion-zsh", "completion-fish", "man"] {
        let ran = run(OURS, &["--generate", what], b"");
        let text = String::from_utf8(ran.stdout).unwrap().replace("\\-", "-");
        assert_eq!((ran.exit, ran.stderr.len()), (Some(0), 0), "{what}");
        assert!(text.contains("strip-newline") && text.contains("gearman"), "{what}: {text}");
    }
}

#[test]
fn a_daemon_leaves_a_pid_file_and_works_in_the_background() {
    let server = Server::start();
    let port = server.port.number.to_string();
    let pid_file = std::env::temp_dir().join(format!("geartrain-gearman-test-{port}.pid"));
    let path = pid_file.to_str().unwrap();
    let options = ["-h", "127.0.0.1", "-p", &port, "-f", "f"];
    let daemon = [&options[..], &["-w", "-d", "-c", "1", "-i", path, "--", "tr", "a", "b"]].concat();
    let ran = run(OURS, &daemon, b"");
    assert_eq!(ran.shown(&[]), "exit Some(0)\n--- stdout\n--- stderr\n");
    wait_until("the pid file is there", || {
        std::fs::read_to_string(&pid_file).is_ok_and(|pid| pid.ends_with('\n'))
    });
    let ran = run(OURS, &[&options[..], &["banana"]].concat(), b"");
    assert_eq!(ran.shown(&[]), "exit Some(0)\n--- stdout\nbbnbnb\n--- stderr\n");
    wait_until("the pid file is gone with the daemon", || !pid_file.exists());
}
