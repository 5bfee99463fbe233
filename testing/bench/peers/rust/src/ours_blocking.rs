//! This project's library, blocking.

use crate::gate::{Counter, FUNCTION, Plan, WORKLOAD, await_go, say_done, workload};
use crate::{Failure, Role};
use bytes::Bytes;
use geartrain_client::Worker;
use geartrain_client::blocking::Client;
use std::ops::Range;

pub(crate) fn run(role: Role, server: &str, plan: Plan) -> Result<(), Failure> {
    match role {
        Role::Foreground | Role::Background => client(role, server, plan),
        Role::Worker => worker(server, plan),
    }
}

fn client(role: Role, server: &str, plan: Plan) -> Result<(), Failure> {
    let client = Client::new(server)?;
    let uniques = plan.uniques();
    submit(&client, role, &uniques, plan.before(), plan.in_flight)?;
    await_go();
    let verified = submit(&client, role, &uniques, plan.measured(), plan.in_flight)?;
    say_done(verified);
    Ok(())
}

fn submit(
    client: &Client,
    role: Role,
    uniques: &[String],
    range: Range<usize>,
    in_flight: usize,
) -> Result<usize, Failure> {
    let mut verified = 0;
    let jobs = uniques[range].iter().map(|unique| client.job(FUNCTION, workload()).unique(unique));
    if role == Role::Background {
        for (_, handle) in client.background_all(jobs).window(in_flight) {
            verified += usize::from(!handle?.handle().as_bytes().is_empty());
        }
    } else if in_flight == 1 {
        for job in jobs {
            verified += usize::from(*job.run()? == *WORKLOAD);
        }
    } else {
        for (_, result) in client.run_all(jobs).window(in_flight) {
            verified += usize::from(*result? == *WORKLOAD);
        }
    }
    Ok(verified)
}

fn worker(server: &str, plan: Plan) -> Result<(), Failure> {
    let counter = Counter::new(plan);
    let handler = move |workload: Bytes| {
        counter.begin();
        workload
    };
    let worker = Worker::builder().servers(server).register_blocking(FUNCTION, handler);
    worker.at_once(plan.in_flight).build_blocking()?.run()?;
    Ok(())
}
