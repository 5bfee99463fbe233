//! What the load does, one file per conversation.

pub(crate) mod ahead;
pub(crate) mod drain;
pub(crate) mod due;
pub(crate) mod epoch;
pub(crate) mod foreground;
pub(crate) mod serve;
pub(crate) mod single;
pub(crate) mod submit;
pub(crate) mod wake;
