//! Real clients and workers against real servers.

fn main() {}
