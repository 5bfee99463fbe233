//! `import`, with the examples of both formats.

use crate::{command, folder_with, project, run, shown};
use std::fs;

const EXAMPLES: &str = "crates/manager/tests/data";

#[test]
fn what_is_imported_is_written_once_and_is_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    for (file, rows) in [
        ("gearman-manager/workers.ini", "[Sum] dedicated_count -> processes"),
        ("supervisord/supervisord.conf", "[program:resize] numprocs -> processes = 4"),
    ] {
        let file = project(&format!("{EXAMPLES}/{file}"));
        let import = || {
            let mut import = command(folder.path(), &["import", file.to_str().unwrap(), "-o", "made.toml"]);
            shown(import.env("GEARMAN", "localhost"))
        };
        let out = import();
        let report = out.strip_prefix("exit 0\n-- stdout\n-- stderr\n").unwrap_or_else(|| panic!("{out}"));
        assert!(report.contains(rows), "{report}");
        let made = fs::read_to_string(folder.path().join("made.toml")).unwrap();
        assert!(run(folder.path(), &["check", "made.toml"]).starts_with("exit 0\n"), "{made}");
        assert_eq!(
            import(),
            "exit 1\n-- stdout\n-- stderr\ngearman-manager: cannot write made.toml: File exists (os error 17)\n"
        );
        fs::remove_file(folder.path().join("made.toml")).unwrap();
    }
}

#[test]
fn without_a_file_the_text_goes_to_standard_output_and_the_report_to_standard_error() {
    let folder = folder_with(
        "x.ini",
        "[GearmanManager]\nworker_dir = ./workers\ncount = 2\nauto_update = 1\n[Sum]\ndedicated_count = 3\n",
    );
    fs::create_dir(folder.path().join("workers")).unwrap();
    for function in ["Sum", "Avg"] {
        fs::write(folder.path().join(format!("workers/{function}.php")), "<?php\n").unwrap();
    }
    let out = run(folder.path(), &["import", "x.ini", "--worker", "php /srv/w.php"]);
    let out = out.replace(folder.path().canonicalize().unwrap().to_str().unwrap(), "/f");
    insta::assert_snapshot!(out, @r#"
    exit 0
    -- stdout
    # Made from x.ini by gearman-manager import.
    servers = ["127.0.0.1"]

    [program.shared]
    command = ["php", "/srv/w.php", "Avg", "Sum"]
    functions = ["Avg", "Sum"]
    processes = 2
    lifetime = "1h10m"
    lifetime-jitter = 0.1429
    stop-patience = "1m"
    watch = ["/f/workers/*.php"]
    environment = { GEARMAN_SERVERS = "127.0.0.1", WORKER_DIR = "/f/workers" }

    [program.Sum]
    command = ["php", "/srv/w.php", "Sum"]
    functions = ["Sum"]
    processes = 3
    lifetime = "1h10m"
    lifetime-jitter = 0.1429
    stop-patience = "1m"
    watch = ["/f/workers/*.php"]
    environment = { GEARMAN_SERVERS = "127.0.0.1", WORKER_DIR = "/f/workers" }
    -- stderr
    [GearmanManager] (workers) -> command = "php /srv/w.php FUNCTION...": this worker loads the files, which GearmanManager did itself, by what its environment says (hint: packaging/worker.php does it; put it beside the file)
    [GearmanManager] worker_dir -> WORKER_DIR in environment
    [GearmanManager] count -> [program.shared] processes = 2
    [GearmanManager] auto_update -> watch = ["/f/workers/*.php"]
    [GearmanManager] (max_worker_lifetime) -> lifetime = "1h10m", lifetime-jitter = 0.1429: 3600s to 4200s, as before
    [GearmanManager] (graceful_shutdown_wait_time) -> stop-patience = "1m"
    [Sum] dedicated_count -> processes, see below
    [GearmanManager] (processes) -> [program.shared] processes = 2, of all functions that are not dedicated
    [Sum] (processes) -> [program.Sum] processes = 3, of this function alone
    9 taken over, 0 not
    "#);
}

#[test]
fn functions_that_cannot_be_seen_are_said() {
    let folder = folder_with("x.ini", "[GearmanManager]\nworker_dir = /nowhere\ninclude = Avg\n");
    let out = run(folder.path(), &["import", "x.ini"]);
    assert!(out.contains(
        "[GearmanManager] (functions of worker_dir): not taken over: /nowhere cannot be read, so only the functions that \
         the file names are known (hint: import on the machine of the workers, in the folder from which GearmanManager is \
         started)\n"
    ), "{out}");
    assert!(out.contains("\n[program.Avg]\ncommand = [\"php\", \"worker.php\", \"Avg\"]\n"), "{out}");
}

#[test]
fn what_is_wrong_there_is_said_and_nothing_is_written() {
    let folder = folder_with("x.conf", "[program:p]\ncommand = a %(ENV_GEARMAN)s\n");
    insta::assert_snapshot!(run(folder.path(), &["import", "x.conf", "-o", "made.toml"]), @r"
    exit 64
    -- stdout
    -- stderr
    gearman-manager: x.conf: [program:p] command: %(ENV_GEARMAN)s: there is no variable GEARMAN here (hint: GEARMAN=... gearman-manager import ...)
    ");
    assert!(!folder.path().join("made.toml").exists());
    fs::write(folder.path().join("x.conf"), "[mysqld]\nport = 1\n").unwrap();
    insta::assert_snapshot!(run(folder.path(), &["import", "x.conf"]), @r"
    exit 64
    -- stdout
    -- stderr
    gearman-manager: x.conf: this is neither a configuration of GearmanManager nor of supervisord (hint: the one has a section [GearmanManager], the other [program:NAME])
    ");
    insta::assert_snapshot!(run(folder.path(), &["import", "missing.conf"]), @r"
    exit 1
    -- stdout
    -- stderr
    gearman-manager: cannot read missing.conf: No such file or directory (os error 2)
    ");
}
