//! Benchmarks against the floor and other job servers.

fn main() {}
