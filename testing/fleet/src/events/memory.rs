//! A worker whose memory grows with each job gives way over its limit, and so does the one after it.

use crate::Result;
use crate::config::MEMORY_MAX_MIB;
use crate::play::Stage;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const FUNCTION: &str = "leak";

/// How many workers are to outgrow their limit.
const WORKERS: usize = 2;

pub(super) fn play(stage: &Stage) -> Result {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let is_enough = || is_over.load(Ordering::Relaxed);
        let lane = scope.spawn(move || stage.load.lane_until(FUNCTION, 20, 40, is_enough));
        let replaced = replaced(stage);
        is_over.store(true, Ordering::Relaxed);
        let worked = lane.join().map_err(|_| "the lane panicked")?;
        replaced.and(worked)
    })
}

fn replaced(stage: &Stage) -> Result {
    let limit = format!("MiB is over the limit of {MEMORY_MAX_MIB} MiB");
    let mut from = stage.manager.mark();
    for _ in 0..WORKERS {
        let (_, place) = stage.manager.wait_for(from, "a worker over its memory limit", |text| {
            text.starts_with("leak:0 has a successor") && text.contains(&limit)
        })?;
        let (left, place) = stage.manager.wait_for(place, "it to leave", |text| {
            text.starts_with("leak:0 has lost the process that was to leave")
        })?;
        if !left.text.contains("exit code 0") {
            return Err(
                format!("a worker over its memory limit did not leave by itself: {}", left.text).into()
            );
        }
        from = place;
    }
    Ok(())
}
