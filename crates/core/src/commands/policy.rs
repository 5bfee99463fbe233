//! Commands about policies.

use super::Reply;
use crate::core::Core;
use crate::outbox::Outbox;
use geartrain_proto::command::{CommandError, PolicySet, PolicyShow, PolicyUnset};

impl Core {
    pub(crate) fn policy_show(&self, _arguments: &PolicyShow) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn policy_set(
        &mut self,
        _arguments: &PolicySet,
        _out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn policy_unset(
        &mut self,
        _arguments: &PolicyUnset,
        _out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }
}
