//! Submit and work on Gearman jobs from the shell.

fn main() {}
