//! Commands about dead letters and finished jobs.

use super::{Reading, Reply, Rows};
use crate::core::Core;
use crate::ids::ConnId;
use crate::outbox::Outbox;
use geartrain_proto::command::{
    CommandError, DeadDrop, DeadGroups, DeadList, DeadProgress, DeadRequeue, DeadShow,
};

impl Core {
    pub(crate) fn dead_groups(&self, _arguments: &DeadGroups) -> Reply {
        Rows::default().end(None)
    }

    pub(crate) fn dead_list(
        &mut self,
        _arguments: &DeadList,
        _reading: Option<Reading>,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn dead_show(
        &mut self,
        _arguments: &DeadShow,
        _reading: Option<Reading>,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn dead_requeue(
        &mut self,
        _conn: ConnId,
        _arguments: &DeadRequeue,
        _reading: Option<Reading>,
        _out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn dead_progress(&self, _arguments: &DeadProgress) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn dead_drop(
        &mut self,
        _conn: ConnId,
        _arguments: &DeadDrop,
        _reading: Option<Reading>,
        _out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }
}
