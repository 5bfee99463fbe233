//! Workers that SIGTERM ends at once, whatever they do: they are told when they have no job. By a changed file, and by
//! scaling.
//!
//! Jobs come in pairs, one for each worker, and no others until the event is over: a job that comes in the moment
//! between the manager's last look and its signal is lost with any worker of this kind, and the load here is to show
//! what the manager knows.

use crate::Result;
use crate::config::PLAIN;
use crate::manager::{pids, ready};
use crate::play::{Stage, replace};
use std::thread;

/// How long the two jobs take that are under way when the event comes.
const JOB_MILLIS: [u64; 2] = [1500, 3000];

pub(super) fn play(stage: &Stage) -> Result {
    thread::scope(|scope| {
        let plays = PLAIN.map(|function| scope.spawn(move || changed_and_scaled(stage, function)));
        for play in plays {
            play.join().map_err(|_| "a thread panicked")??;
        }
        Ok(())
    })
}

fn changed_and_scaled(stage: &Stage, function: &'static str) -> Result {
    during_jobs(stage, function, || {
        let before = pids(&stage.manager.program(function)?);
        let mark = stage.manager.mark();
        replace(&stage.folder.join(format!("{function}-release")), "r2\n")?;
        let done = format!("{function} restart: done");
        stage.manager.wait_for(mark, &done, |text| text.starts_with(&done))?;
        let after = pids(&stage.manager.program(function)?);
        if after.len() != 2 || !before.is_disjoint(&after) {
            return Err(format!("{before:?} were replaced by {after:?}").into());
        }
        Ok(())
    })?;
    during_jobs(stage, function, || {
        stage.manager.ctl(&["scale", function, "-1"])?;
        stage.manager.wait_until(function, "one less", |program| program.processes.len() == 1)?;
        stage.manager.ctl(&["scale", function, "+1"])?;
        stage.manager.wait_until(function, "two again", |program| ready(program) == 2)?;
        Ok(())
    })
}

/// Does something while both workers have a job.
fn during_jobs(stage: &Stage, function: &'static str, event: impl FnOnce() -> Result) -> Result {
    thread::scope(|scope| {
        let mut jobs = Vec::new();
        for millis in JOB_MILLIS {
            let client = stage.load.client()?;
            let job = stage.load.number(function);
            jobs.push(job);
            scope.spawn(move || stage.load.do_job(&client, function, job, millis));
        }
        for job in jobs {
            stage.job_log.wait_for_begin(job)?;
        }
        event()
    })
}
