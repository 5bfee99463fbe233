//! Rules of policies: which values were set for which functions, where, and what follows for one function.
//!
//! From: the defaults, the configuration file, `policy set`. To: an [`Arc<Policy>`] for each function.
//! Never: takes a rule in part; one wrong value refuses all of it.

mod glob;

pub(crate) use glob::matches;

use crate::policy::Policy;
use std::sync::Arc;

/// All rules.
#[derive(Debug)]
pub(crate) struct Rules {
    defaults: Arc<Policy>,
}

impl Rules {
    pub(crate) fn new(defaults: Policy) -> Self {
        Self { defaults: Arc::new(defaults) }
    }

    /// What holds for a function of this name. Functions without a rule share one value.
    pub(crate) fn resolve(&self, _function: &[u8]) -> Arc<Policy> {
        Arc::clone(&self.defaults)
    }
}
