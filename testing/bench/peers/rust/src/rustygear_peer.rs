//! The crate `rustygear`.
//!
//! Submitting takes the client for itself and waits for `JOB_CREATED`, so submits are never in flight together;
//! results are.

use crate::gate::{Counter, FUNCTION, Plan, WORKLOAD, await_go, say_done};
use crate::{Failure, Role, runtime};
use rustygear::client::{Client, ClientJob, WorkUpdate};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for a result.
const RESULT_LIMIT: Duration = Duration::from_secs(2);

pub(crate) fn run(role: Role, server: &str, plan: Plan) -> Result<(), Failure> {
    runtime()?.block_on(async {
        match role {
            Role::Foreground | Role::Background => client(role, server, plan).await,
            Role::Worker => worker(server, plan).await,
        }
    })
}

async fn client(role: Role, server: &str, plan: Plan) -> Result<(), Failure> {
    let mut client = Client::new().add_server(server).connect().await?;
    let uniques = plan.uniques();
    submit(&mut client, role, &uniques, plan.before(), plan.in_flight).await?;
    await_go();
    let verified = submit(&mut client, role, &uniques, plan.measured(), plan.in_flight).await?;
    say_done(verified);
    Ok(())
}

async fn submit(
    client: &mut Client,
    role: Role,
    uniques: &[String],
    range: Range<usize>,
    in_flight: usize,
) -> Result<usize, Failure> {
    let mut verified = 0;
    let mut waiting = VecDeque::new();
    for unique in &uniques[range] {
        if role == Role::Background {
            let job = client.submit_background_unique(FUNCTION, unique.as_bytes(), WORKLOAD).await?;
            verified += usize::from(!job.handle().handle().is_empty());
            continue;
        }
        waiting.push_back(client.submit_unique(FUNCTION, unique.as_bytes(), WORKLOAD).await?);
        if waiting.len() == in_flight
            && let Some(job) = waiting.pop_front()
        {
            verified += result(job).await?;
        }
    }
    for job in waiting {
        verified += result(job).await?;
    }
    Ok(verified)
}

async fn result(mut job: ClientJob) -> Result<usize, Failure> {
    let response = timeout(RESULT_LIMIT, job.response()).await;
    match response.map_err(|_| "a result that came together with JOB_CREATED is lost in rustygear")?? {
        WorkUpdate::Complete { payload, .. } => Ok(usize::from(*payload == *WORKLOAD)),
        other => Err(format!("{other:?} instead of a result").into()),
    }
}

async fn worker(server: &str, plan: Plan) -> Result<(), Failure> {
    let counter = Counter::new(plan);
    let handler = move |job: &mut rustygear::client::WorkerJob| {
        counter.begin();
        Ok(job.payload().to_vec())
    };
    Client::new().add_server(server).connect().await?.can_do(FUNCTION, handler).await?.work().await
}
