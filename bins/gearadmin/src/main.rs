//! Administration of Gearman job servers.

fn main() {}
