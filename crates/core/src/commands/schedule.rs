//! Commands about recurring schedules.

use super::{Reply, Rows};
use crate::core::Core;
use crate::outbox::Outbox;
use geartrain_proto::command::{CommandError, ScheduleAdd, ScheduleList, ScheduleName};

impl Core {
    pub(crate) fn schedule_add(
        &mut self,
        _arguments: &ScheduleAdd,
        _out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn schedule_list(&self, _arguments: &ScheduleList) -> Reply {
        Rows::default().end(None)
    }

    pub(crate) fn schedule_show(&self, _arguments: &ScheduleName) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn schedule_pause(
        &mut self,
        _arguments: &ScheduleName,
        _out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn schedule_resume(
        &mut self,
        _arguments: &ScheduleName,
        _out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn schedule_run(
        &mut self,
        _arguments: &ScheduleName,
        _out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn schedule_remove(
        &mut self,
        _arguments: &ScheduleName,
        _out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }
}
