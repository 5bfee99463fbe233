//! The Geartrain job server.

fn main() {}
