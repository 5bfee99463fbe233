//! What no compiler checks: crate edges, sizes, names, and tables that must agree.

use crate::shell::root;
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The edges between our crates that are allowed: who depends on whom.
const EDGES: &[(&str, &[&str])] = &[
    ("crates/proto", &[]),
    ("crates/core", &["proto"]),
    ("crates/store", &["proto", "core"]),
    ("crates/server", &["proto", "core", "store"]),
    ("crates/client", &["proto"]),
    ("crates/manager", &["proto", "client"]),
    ("crates/testserver", &["server"]),
    ("bins/gearmand", &["proto", "core", "store", "server"]),
    ("bins/gearman", &["proto", "client"]),
    ("bins/gearadmin", &["proto", "client"]),
    ("bins/gearman-manager", &["manager"]),
];

/// Most lines of a source file, its tests not counted.
const FILE_LINES_MAX: usize = 800;

/// Columns of a line of comment that is no row of a table; `cargo fmt` sees to code.
const COMMENT_COLUMNS_MAX: usize = 120;

/// Fewest invariants that ARCHITECTURE.md states: none may go unnoticed.
const INVARIANTS_MIN: usize = 19;

pub(crate) fn run() -> Result<()> {
    let mut findings = String::new();
    check_edges(&mut findings)?;
    for path in rust_files(&root())? {
        let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        let text = fs::read_to_string(&path).with_context(|| format!("read {name}"))?;
        check_source(&name, &text, &mut findings)?;
    }
    check_packet_table(&mut findings)?;
    check_invariants(&mut findings)?;
    check_differences(&mut findings)?;
    if !findings.is_empty() {
        bail!("not tidy:\n{findings}");
    }
    println!("tidy");
    Ok(())
}

fn check_edges(findings: &mut String) -> Result<()> {
    for (package, allowed) in EDGES {
        let manifest = read(&format!("{package}/Cargo.toml"))?;
        let dependencies = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        for line in dependencies.lines().filter_map(|line| line.strip_prefix("geartrain-")) {
            let name: String = line.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            if !allowed.contains(&name.as_str()) {
                writeln!(
                    findings,
                    "{package} must not depend on geartrain-{name} (ARCHITECTURE.md, layers)"
                )?;
            }
        }
        let is_library = package.starts_with("crates/");
        for banned in ["anyhow", "clap"] {
            if is_library && dependencies.lines().any(|line| line.starts_with(banned)) {
                writeln!(findings, "{package} must not depend on {banned}: libraries have typed errors")?;
            }
        }
    }
    Ok(())
}

fn check_source(name: &str, text: &str, findings: &mut String) -> Result<()> {
    if let Some((number, _)) = (1..).zip(text.lines()).find(|(_, line)| !line.is_ascii()) {
        writeln!(findings, "{name}:{number} is not ASCII")?;
    }
    let is_row = |line: &str| line.contains("| ");
    let is_wide =
        |line: &str| line.trim_start().starts_with("//") && line.len() > COMMENT_COLUMNS_MAX && !is_row(line);
    for (number, _) in (1..).zip(text.lines()).filter(|(_, line)| is_wide(line)) {
        writeln!(findings, "{name}:{number} is a comment over {COMMENT_COLUMNS_MAX} columns")?;
    }
    // Written apart, so that this file does not find itself.
    for mark in
        [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("todo", "!("), concat!("unimplemented", "!(")]
    {
        if let Some((number, _)) = (1..).zip(text.lines()).find(|(_, line)| line.contains(mark)) {
            writeln!(findings, "{name}:{number} has a {mark}")?;
        }
    }
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let lines = code.lines().count();
    if lines > FILE_LINES_MAX {
        writeln!(findings, "{name} has {lines} lines, over {FILE_LINES_MAX}: split it by idea")?;
    }
    let is_test = name.contains("/tests/") || name.ends_with("/tests.rs");
    if !is_test && !text.starts_with("//!") {
        writeln!(findings, "{name} does not say what it is: it has no module documentation")?;
    }
    Ok(())
}

/// The packet table of docs/protocol.md is the one in the code.
fn check_packet_table(findings: &mut String) -> Result<()> {
    let page = read("docs/protocol.md")?;
    let code = read("crates/proto/src/kind.rs")?;
    let documented: Vec<(String, String)> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let number = cells.next()?.trim();
            number.parse::<u32>().ok()?;
            Some((number.to_owned(), cells.next()?.trim().trim_matches('`').to_owned()))
        })
        .collect();
    let coded: Vec<(String, String)> = code
        .lines()
        .filter_map(|line| {
            let mut words = line.strip_prefix("    ")?.split(' ');
            let number = words.next()?;
            number.parse::<u32>().ok()?;
            Some((number.to_owned(), words.nth(1)?.trim_matches('"').to_owned()))
        })
        .collect();
    if documented != coded || coded.len() != 42 {
        writeln!(findings, "the packet table of docs/protocol.md is not that of crates/proto/src/kind.rs")?;
    }
    Ok(())
}

/// Each invariant of ARCHITECTURE.md is named by a test or a check, and the tests that it names are there.
fn check_invariants(findings: &mut String) -> Result<()> {
    let page = read("ARCHITECTURE.md")?;
    let sources = all_sources()?;
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| **I")).collect();
    if rows.len() < INVARIANTS_MIN {
        writeln!(findings, "ARCHITECTURE.md states {} invariants, under {INVARIANTS_MIN}", rows.len())?;
    }
    for (number, row) in (1..).zip(rows) {
        let name = format!("I{number}");
        if !row.starts_with(&format!("| **{name}** | ")) {
            writeln!(findings, "ARCHITECTURE.md does not state invariant {name} in its place")?;
        }
        if row.split(" | ").count() != 4 || row.contains(" |  |") {
            writeln!(findings, "invariant {name} does not say where it is asserted, or what attacks it")?;
        }
        let is_named = |separator: &str| sources.contains(&format!("{name}{separator}"));
        if ![":", " ", ")", ",", "."].into_iter().any(is_named) {
            writeln!(findings, "no code or test names invariant {name}")?;
        }
        check_tests_are_there("ARCHITECTURE.md", row, &sources, findings)?;
    }
    Ok(())
}

/// The tests that a row names, as `file::name`, are in the sources.
fn check_tests_are_there(page: &str, row: &str, sources: &str, findings: &mut String) -> Result<()> {
    let names = row.split('`').filter(|word| word.contains("::") && !word.contains(' '));
    for test in names.filter(|word| word.starts_with(|first: char| first.is_ascii_lowercase())) {
        let name = test.rsplit("::").next().unwrap_or_default();
        if !sources.contains(&format!("fn {name}(")) {
            writeln!(findings, "{page} names a test that is not there: {test}")?;
        }
    }
    Ok(())
}

fn all_sources() -> Result<String> {
    let mut sources = String::new();
    for path in rust_files(&root())? {
        sources.push_str(&fs::read_to_string(&path)?);
    }
    Ok(sources)
}

/// Each test and conversation that docs/compatibility.md names is there.
fn check_differences(findings: &mut String) -> Result<()> {
    let sources = all_sources()?;
    for line in read("docs/compatibility.md")?.lines().filter(|line| line.starts_with("| ")) {
        let tests = line.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        if let Some((file, titles)) = tests.strip_prefix('`').and_then(|tests| tests.split_once("` > ")) {
            let talk = read(&format!("testing/conformance/talks/{file}.talk"))?;
            for title in titles.split("; ") {
                if !talk.contains(&format!("== {title}\n")) {
                    writeln!(findings, "docs/compatibility.md names a talk that is not in {file}: {title}")?;
                }
            }
            continue;
        }
        check_tests_are_there("docs/compatibility.md", tests, &sources, findings)?;
    }
    Ok(())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("read {path}"))
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
