//! A worker that never comes up is held, and shown with its last lines; it stays so.

use crate::Result;
use crate::play::Stage;
use geartrain_manager::protocol::ProcessStatus;

const LAST_LINES: [&str; 2] = ["connecting to the database", "the database does not answer"];

pub(super) fn play(stage: &Stage) -> Result {
    let is_held = |process: &ProcessStatus| process.state == "crash-looping";
    stage.manager.wait_until("crash", "to be held", |program| program.processes.iter().all(is_held))?;
    let shown = stage.manager.ctl(&["status", "crash"])?;
    for line in LAST_LINES {
        if !shown.contains(line) {
            return Err(format!("a crash loop is shown without {line:?}: {shown}").into());
        }
    }
    Ok(())
}

/// Nobody has started it again.
pub(super) fn check_held(stage: &Stage) -> Result {
    let program = stage.manager.program("crash")?;
    let starts = stage.manager.lines(0).iter().filter(|line| is_start(&line.text)).count();
    match program.processes.as_slice() {
        [process]
            if process.state == "crash-looping" && process.last_exit.as_deref() == Some("exit code 3") => {}
        _ => return Err(format!("what crashes is not held: {program:?}").into()),
    }
    // As many as `crash-loop-exits` is by default.
    if starts != 5 {
        return Err(format!("what crashes was started {starts} times, and not 5").into());
    }
    Ok(())
}

fn is_start(text: &str) -> bool {
    text.starts_with("crash:0") && (text.contains("-> starting:") || text.starts_with("crash:0 starting:"))
}
