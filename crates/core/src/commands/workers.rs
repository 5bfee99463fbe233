//! The command about workers.

use super::{Reply, Rows};
use crate::core::Core;
use geartrain_proto::command::WorkersList;

impl Core {
    pub(crate) fn workers_list(&self, _arguments: &WorkersList) -> Reply {
        Rows::default().end(None)
    }
}
