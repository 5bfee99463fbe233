use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

const ROWS: &str =
    "client-foreground,client-foreground-64,client-background-64,worker-1,worker-64,worker-asleep";

/// What rustygear's client says when it loses a result, which is a matter of chance.
const LOST: &str = "is lost in rustygear";

/// The server that was built with this test.
fn gearmand() -> PathBuf {
    let bench = PathBuf::from(env!("CARGO_BIN_EXE_geartrain-bench"));
    let gearmand = bench.with_file_name("gearmand");
    assert!(gearmand.is_file(), "{} is missing (hint: cargo build -p gearmand)", gearmand.display());
    gearmand
}

#[test]
fn every_library_does_its_work() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_geartrain-bench"))
        .args(["--quick", "--json", "--only", ROWS, "--ours"])
        .arg(gearmand())
        .arg("--dir")
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = table["rows"].as_array().unwrap();
    assert_eq!(rows.len(), ROWS.split(',').count());
    let mut wrong = Vec::new();
    for row in rows {
        let libraries = row["servers"].as_array().unwrap();
        assert_eq!(libraries.len(), 6, "{row}");
        for library in libraries {
            let is_known = library["server"] == "rustygear"
                && library["trouble"].as_str().is_some_and(|trouble| trouble.contains(LOST));
            if !library["cpu_us_per_job"].is_number() && !is_known {
                wrong.push(format!("{} {}: {}", row["row"], library["server"], library["trouble"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
