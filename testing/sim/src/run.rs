//! Running seeds, and saying how to run one again.

use crate::trace::Prints;
use crate::world::{Outcome, World};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A seed whose world broke a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The step at which it showed.
    pub step: u32,
    /// Which invariant, and how.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { seed, step, message } = self;
        write!(f, "seed {seed} fails at step {step}: {message}\nreplay: {}", replay_command(*seed))
    }
}

impl std::error::Error for Failure {}

/// The command that runs one seed again and prints every step.
#[must_use]
pub fn replay_command(seed: u64) -> String {
    format!("SIM_SEED={seed} cargo run -p geartrain-sim --release -- --trace")
}

/// Runs the world of a seed from its beginning to its end.
///
/// # Errors
/// When an invariant does not hold.
pub fn run_seed(seed: u64, prints: Prints) -> Result<Outcome, Failure> {
    let mut world = World::new(seed, prints);
    // Invariants are assertions, in `core` and here; what they leave behind is dropped unseen.
    catch_unwind(AssertUnwindSafe(|| world.run())).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let message = text.unwrap_or_else(|| "a panic without words".to_owned());
        Failure { seed, step: world.step(), message }
    })
}
