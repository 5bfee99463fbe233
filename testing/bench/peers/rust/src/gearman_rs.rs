//! The crate `gearman`.
//!
//! A client is cloned into as many submits as are in flight; a worker has a connection for each job at once.

use crate::gate::{Counter, FUNCTION, Plan, WORKLOAD, await_go, say_done, workload};
use crate::{Failure, Role, runtime};
use futures::StreamExt;
use futures::stream::iter;
use gearman::client::{Client, ClientBuilder, SubmitOptions};
use gearman::worker::{Worker, WorkerJob};
use std::future::pending;
use std::ops::Range;
use std::sync::Arc;

pub(crate) fn run(role: Role, server: &str, plan: Plan) -> Result<(), Failure> {
    runtime()?.block_on(async {
        match role {
            Role::Foreground | Role::Background => client(role, server, plan).await,
            Role::Worker => worker(server, plan).await,
        }
    })
}

async fn client(role: Role, server: &str, plan: Plan) -> Result<(), Failure> {
    let client = ClientBuilder::new().servers([server]).connect().await?;
    let uniques = plan.uniques();
    submit(&client, role, &uniques, plan.before(), plan.in_flight).await?;
    await_go();
    let verified = submit(&client, role, &uniques, plan.measured(), plan.in_flight).await?;
    say_done(verified);
    Ok(())
}

async fn submit(
    client: &Client,
    role: Role,
    uniques: &[String],
    range: Range<usize>,
    in_flight: usize,
) -> Result<usize, Failure> {
    let mut verified = 0;
    let uniques = uniques[range].iter();
    if role == Role::Background {
        let submits = uniques
            .map(|unique| client.submit(FUNCTION, Some(unique), workload(), SubmitOptions::background()));
        let mut handles = iter(submits).buffer_unordered(in_flight);
        while let Some(submitted) = handles.next().await {
            verified += usize::from(!submitted?.handle.as_str().is_empty());
        }
    } else {
        let submits = uniques.map(|unique| client.submit_fg_unique(FUNCTION, Some(unique), workload()));
        if in_flight == 1 {
            for submit in submits {
                verified += usize::from(*submit.await? == *WORKLOAD);
            }
        } else {
            let mut results = iter(submits).buffer_unordered(in_flight);
            while let Some(result) = results.next().await {
                verified += usize::from(*result? == *WORKLOAD);
            }
        }
    }
    Ok(verified)
}

async fn worker(server: &str, plan: Plan) -> Result<(), Failure> {
    let counter = Arc::new(Counter::new(plan));
    let handler = move |job: WorkerJob| {
        counter.begin();
        async move { Ok(job.payload) }
    };
    let _worker =
        Worker::builder().servers([server]).concurrency(plan.in_flight).register(FUNCTION, handler).run();
    pending().await
}
