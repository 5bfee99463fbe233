//! The commands `export` and `import`.

use super::{Reading, Reply};
use crate::core::Core;
use crate::outbox::Outbox;
use geartrain_proto::command::{CommandError, Export, Import};

impl Core {
    pub(crate) fn export(
        &mut self,
        _arguments: &Export,
        _reading: Option<Reading>,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }

    pub(crate) fn import(
        &mut self,
        _arguments: &Import,
        _out: &mut dyn Outbox,
    ) -> Result<Reply, CommandError> {
        Err(CommandError::new("not built yet"))
    }
}
