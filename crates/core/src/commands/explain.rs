//! The command `explain`.

use super::Reply;
use crate::core::Core;
use geartrain_proto::command::{CommandError, Explain};

impl Core {
    pub(crate) fn explain(&self, _arguments: &Explain) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }
}
