//! This project's library, async.

use crate::gate::{Counter, FUNCTION, Plan, WORKLOAD, await_go, say_done, workload};
use crate::{Failure, Role, runtime};
use bytes::Bytes;
use geartrain_client::{Client, Worker};
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
    let client = Client::new(server)?;
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
    let jobs = uniques[range].iter().map(|unique| client.job(FUNCTION, workload()).unique(unique));
    if role == Role::Background {
        let mut handles = client.background_all(jobs).window(in_flight);
        while let Some((_, handle)) = handles.next().await {
            verified += usize::from(!handle?.handle().as_bytes().is_empty());
        }
    } else if in_flight == 1 {
        for job in jobs {
            verified += usize::from(*job.run().await? == *WORKLOAD);
        }
    } else {
        let mut results = client.run_all(jobs).window(in_flight);
        while let Some((_, result)) = results.next().await {
            verified += usize::from(*result? == *WORKLOAD);
        }
    }
    Ok(verified)
}

async fn worker(server: &str, plan: Plan) -> Result<(), Failure> {
    let counter = Arc::new(Counter::new(plan));
    let handler = move |workload: Bytes| {
        counter.begin();
        async move { workload }
    };
    Worker::builder()
        .servers(server)
        .register(FUNCTION, handler)
        .at_once(plan.in_flight)
        .build()?
        .run()
        .await?;
    Ok(())
}
