//! The Gearman job queue as a deterministic state machine.
