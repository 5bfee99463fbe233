//! Three workers ignore SIGTERM, and one of them has a job that takes longer than patience. It finishes the job, and
//! is killed then; the others are killed when their patience is over.
//!
//! The reference's server says of a function, not of a worker, that it is in use: there all three are left alone
//! until the job is done.

use crate::Result;
use crate::config::PATIENCE_MS;
use crate::manager::{is_alive, pids};
use crate::play::Stage;
use geartrain_interop::server::Side;
use std::thread;
use std::time::{Duration, Instant};

const FUNCTION: &str = "stubborn";

/// How long the job takes: longer than the others' patience is over, and that was heard of, on a busy machine as well.
const JOB_MILLIS: u64 = 15 * PATIENCE_MS;

pub(super) fn play(stage: &Stage) -> Result {
    let client = stage.load.client()?;
    let job = stage.load.number(FUNCTION);
    thread::scope(|scope| {
        scope.spawn(|| stage.load.do_job(&client, FUNCTION, job, JOB_MILLIS));
        stopped(stage, job)
    })
}

fn stopped(stage: &Stage, job: u64) -> Result {
    let busy = stage.job_log.wait_for_begin(job)?;
    let idle: Vec<i32> =
        pids(&stage.manager.program(FUNCTION)?).into_iter().filter(|pid| *pid != busy).collect();
    if idle.len() != 2 {
        return Err(format!("worker {busy} is not one of three").into());
    }
    let mut from = stage.manager.mark();
    let told = Instant::now();
    stage.manager.ctl(&["stop", FUNCTION])?;
    for count in 1..=3 {
        let (killed, place) = stage
            .manager
            .wait_for(from, "a kill", |text| text.starts_with(FUNCTION) && text.contains("is killed"))?;
        from = place;
        if killed.at.duration_since(told) < Duration::from_millis(PATIENCE_MS) {
            return Err("a worker was killed before its patience was over".into());
        }
        let has_ended = stage.job_log.has_ended(job)?;
        let is_last = count == 3;
        match stage.side {
            Side::Ours if is_last != has_ended => {
                return Err(format!("kill {count} of 3 came, and the job's end is {has_ended}").into());
            }
            Side::Reference if !has_ended => {
                return Err("a worker was killed while the function had a job".into());
            }
            Side::Ours | Side::Reference => {}
        }
        if stage.side == Side::Ours && !is_last && !is_alive(busy) {
            return Err("the worker in the middle of a job is gone".into());
        }
    }
    stage.manager.wait_until(FUNCTION, "to have ended", |program| {
        program.processes.iter().all(|process| process.state == "exited")
    })?;
    match idle.into_iter().chain([busy]).find(|pid| is_alive(*pid)) {
        Some(pid) => Err(format!("worker {pid} has outlived its end").into()),
        None => Ok(()),
    }
}
