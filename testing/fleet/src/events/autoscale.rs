//! A backlog that two workers would take long for: there are more, and when it is gone, two again.

use crate::Result;
use crate::config::BURST_PROCESSES;
use crate::manager::ready;
use crate::play::Stage;
use geartrain_manager::protocol::ProgramStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const FUNCTION: &str = "burst";

/// The backlog: so many jobs of so many milliseconds.
const JOBS: u64 = 80;
const MILLIS: u64 = 250;

pub(super) fn play(stage: &Stage) -> Result {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Those that leave in the end have a job now and then.
        let is_enough = || is_over.load(Ordering::Relaxed);
        let trickle = scope.spawn(move || stage.load.lane_until(FUNCTION, 100, 200, is_enough));
        let scaled = up_and_down(stage);
        is_over.store(true, Ordering::Relaxed);
        let trickled = trickle.join().map_err(|_| "the trickle panicked")?;
        scaled.and(trickled)
    })
}

fn up_and_down(stage: &Stage) -> Result {
    let (min, max) = BURST_PROCESSES;
    let mark = stage.manager.mark();
    let client = stage.load.client()?;
    for _ in 0..JOBS {
        let job = stage.load.number(FUNCTION);
        stage.load.submit(&client, FUNCTION, job, MILLIS);
    }
    let is_larger = |program: &ProgramStatus| ready(program) > min + 1 && program.wanted <= max;
    stage.manager.wait_until(FUNCTION, "to grow with the backlog", is_larger)?;
    let is_small = |program: &ProgramStatus| program.wanted == min && ready(program) == min;
    let is_small_again = |program: &ProgramStatus| is_small(program) && program.processes.len() == 2;
    stage.manager.wait_until(FUNCTION, "to shrink after it", is_small_again)?;
    for line in stage.manager.lines(mark) {
        if line.text.starts_with("burst scaled") && !line.text.contains(" waiting, ") {
            return Err(format!("a decision without its figures: {}", line.text).into());
        }
    }
    Ok(())
}
