//! Commands about jobs that wait or run.

use super::{Reading, Reply};
use crate::core::Core;
use crate::ids::ConnId;
use crate::outbox::Outbox;
use geartrain_proto::command::{
    CommandError, JobsCancel, JobsCount, JobsList, JobsMove, JobsPriority, JobsShow,
};

impl Core {
    pub(crate) fn jobs_count(
        &mut self,
        _arguments: &JobsCount,
        _reading: Option<Reading>,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn jobs_list(
        &mut self,
        _arguments: &JobsList,
        _reading: Option<Reading>,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn jobs_show(
        &mut self,
        _arguments: &JobsShow,
        _reading: Option<Reading>,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn jobs_cancel(
        &mut self,
        _conn: ConnId,
        _arguments: &JobsCancel,
        _reading: Option<Reading>,
        _out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn jobs_move(
        &mut self,
        _conn: ConnId,
        _arguments: &JobsMove,
        _reading: Option<Reading>,
        _out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn jobs_priority(
        &mut self,
        _conn: ConnId,
        _arguments: &JobsPriority,
        _reading: Option<Reading>,
        _out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }
}
