//! Lines of typed commands: which are ours, and what is said about those that are wrong.

use crate::AdminCommand;

/// What becomes of a line: the line it would be sent as, the error, or that it is no typed command.
fn read(line: &str) -> String {
    match AdminCommand::parse(line.as_bytes()) {
        Ok(AdminCommand::Typed(Ok(command))) => command.to_line(),
        Ok(AdminCommand::Typed(Err(error))) => error.to_string(),
        Ok(other) => format!("other: {other:?}"),
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn words_are_followed_by_json_or_nothing() {
    let all = r#"jobs list {"pick":{"filter":{},"after":0},"limit":0}"#;
    for line in ["jobs list", "JOBS  List {}\r", "jobs list{}", "jobs list 2 {}", "jobs list 3 {} "] {
        assert_eq!(read(line), all, "{line}");
    }
    assert_eq!(read("explain H:a:1"), "explain: a JSON object or nothing follows the words, not `H:a:1`");
    assert_eq!(read("jobs list 3 {}"), "jobs list: the line says 3 bytes of JSON and has 2");
}

#[test]
fn the_commands_of_the_reference_are_untouched() {
    for line in ["workers", "workers x", "workers list x", "WORKERS listing", "workers {}"] {
        assert_eq!(read(line), "other: Workers");
    }
    assert_eq!(read("workers list"), r#"workers list {"after":0}"#);
    assert!(read("explaining").starts_with("other: Refused(UnknownCommand"));
    assert!(read("job list").starts_with("other: Refused(UnknownCommand"));
    for word in ["status", "prioritystatus", "show jobs", "cancel job h", "create function f", "getpid"] {
        assert!(read(word).starts_with("other: "), "{word}");
    }
}

#[test]
fn an_unknown_second_word_lists_what_is_allowed() {
    let allowed = "(allowed: policy show, policy set, policy unset)";
    assert_eq!(read("policy"), format!("`policy` lacks its second word {allowed}"));
    assert_eq!(read("policy sit {}"), format!("there is no command `policy sit` {allowed}"));
    assert_eq!(read("policy \u{1b}"), format!("there is no command `policy \\x1b` {allowed}"));
}

#[test]
fn a_mistake_is_named_with_its_key_its_value_and_what_is_allowed() {
    for (line, expected) in [
        ("jobs move {}", "jobs move: it lacks the key `pick`"),
        (
            r#"explain {"handel":1}"#,
            "explain: `handel`: there is no key `handel`; allowed: `handle` or `function`",
        ),
        (
            r#"explain {"handle":1}"#,
            "explain: `handle`: not integer `1`; allowed: a string, or {\"base64\": \"...\"} for bytes that are \
             not UTF-8",
        ),
        (
            r#"explain {"handle":{"base64":"!"}}"#,
            "explain: `handle`: this is not base64: Invalid symbol 33, offset 0",
        ),
        (
            r#"explain {"handle":{"base63":""}}"#,
            "explain: `handle`: there is no key `base63`; allowed: `base64`",
        ),
        (
            r#"explain {"handle":"a""#,
            "explain: the JSON is malformed at column 13: EOF while parsing an object",
        ),
        (r#"explain {"handle":"a"} x"#, "explain: the JSON is malformed at column 16: trailing characters"),
        (
            r#"jobs list {"pick":{"filter":{"priority":"urgent"}}}"#,
            "jobs list: `pick.filter.priority`: there is no `urgent`; allowed: `high`, `normal`, `low`",
        ),
        (
            r#"jobs list {"pick":{"filter":{"older-than":"5m"}}}"#,
            "jobs list: `pick.filter.older-than`: not string \"5m\"; allowed: a whole number from 0",
        ),
        (r#"jobs list {"pick":7}"#, "jobs list: `pick`: not integer `7`; allowed: an object"),
        (
            r#"policy set {"function":"f","values":{"attempts":null}}"#,
            "policy set: `values.attempts`: not null; allowed: a string, a number, true, false or a list of \
             strings",
        ),
        (
            r#"import {"item":{"kind":"jub"}}"#,
            "import: `item.kind`: there is no `jub`; allowed: `policy`, `schedule`, `job`",
        ),
        (
            r#"import {"item":{"kind":"policy","function":"f","values":{},"x":1}}"#,
            "import: `item`: there is no key `x`; allowed: `function` or `values`",
        ),
        (
            r#"dead requeue {"canary":true}"#,
            "dead requeue: `canary`: not boolean `true`; allowed: a whole number from 0 to 4294967295",
        ),
    ] {
        assert_eq!(read(line), expected);
    }
}

#[test]
fn a_mistake_repeats_little_of_what_was_sent() {
    let long = "x".repeat(7000);
    let error = read(&format!(r#"jobs list {{"limit":"{long}"}}"#));
    assert!(error.len() < 1000 && error.ends_with("from 0 to 4294967295"), "{error}");
    let error = read(&format!(r#"jobs list {{"{long}":1}}"#));
    assert!(error.len() < 2000 && error.ends_with("allowed: `pick` or `limit`"), "{error}");
    let deep = format!(r#"import {{"item":{{"x":{}"#, "[".repeat(4000));
    let error = read(&deep);
    assert!(error.ends_with(": recursion limit exceeded"), "{error}");
}

#[test]
fn values_of_policies_are_written_in_any_natural_way() {
    let line = r#"policy set {"function":"f","values":{"attempts":3,"rate":0.5,"paused":true,"retry-on":["fail","timeout"]}}"#;
    let sent = r#"policy set {"function":"f","values":{"attempts":"3","paused":"true","rate":"0.5","retry-on":"fail,timeout"}}"#;
    assert_eq!(read(line), sent);
}
