//! Jobs that take longer than lifetime and patience together: their workers give way when the job is done.

use crate::Result;
use crate::play::Stage;
use std::thread;

const FUNCTION: &str = "long";

/// Both workers have a job all the time.
const LANES: usize = 2;
const JOBS: usize = 2;
const JOB_MILLIS: u64 = 4500;

pub(super) fn play(stage: &Stage) -> Result {
    let mark = stage.manager.mark();
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(|| lane(stage))).collect();
        for lane in lanes {
            lane.join().map_err(|_| "a lane panicked")??;
        }
        Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    })?;
    // The ends of lifetimes: at least one for each worker.
    let mut from = mark;
    for _ in 0..LANES {
        let (_, begun) = stage.manager.wait_for(from, "the end of a lifetime", |text| {
            text.starts_with("long:") && text.contains("has a successor starting: its lifetime is over")
        })?;
        from = begun;
    }
    let left: Vec<String> = stage
        .manager
        .lines(mark)
        .into_iter()
        .map(|line| line.text)
        .filter(|text| text.starts_with("long:") && text.contains("has lost the process that was to leave"))
        .collect();
    if left.is_empty() || left.iter().any(|text| !text.contains("exit code 0")) {
        return Err(format!("workers at the end of their lifetime left so: {left:?}").into());
    }
    Ok(())
}

fn lane(stage: &Stage) -> Result {
    let client = stage.load.client()?;
    for _ in 0..JOBS {
        let job = stage.load.number(FUNCTION);
        stage.load.do_job(&client, FUNCTION, job, JOB_MILLIS);
    }
    Ok(())
}
