//! Seeded simulation of the job queue with faults.
//!
//! One seed is one world: the real `core` and the real store, clients and workers that speak the protocol,
//! and between them a network, a disk and clocks that fail as the seed says. After every step all invariants
//! are checked, from within by `Core::check_all` and from outside by an account of its own; at the end all
//! faults are healed, good workers do what is left, and nothing that was acknowledged may be missing.
//!
//! ```
//! use geartrain_sim::{Prints, run_seed};
//!
//! let outcome = run_seed(1, Prints::Nothing).expect("this seed keeps all promises");
//! assert_eq!(outcome, run_seed(1, Prints::Nothing).expect("and again, in the same way"));
//! ```

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::too_many_lines,
    reason = "a harness stops at what it does not expect, and lists what may happen in one place"
)]

mod oracle;
mod output;
mod plan;
mod policy;
mod run;
mod server;
mod session;
mod steering;
mod trace;
mod world;

pub use oracle::Counts;
pub use run::{Failure, replay_command, run_seed};
pub use trace::Prints;
pub use world::{Outcome, World};
