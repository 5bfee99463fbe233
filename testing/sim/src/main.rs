//! Seeded simulation of the job queue with faults.

fn main() {}
