//! The file that names the process while it runs.

use anyhow::Context;
use std::path::{Path, PathBuf};

/// A written pid file; it is removed when this is dropped.
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the process number and a line feed.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(path: &Path) -> anyhow::Result<Self> {
        std::fs::write(path, format!("{}\n", std::process::id()))
            .with_context(|| format!("cannot write the pid file {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // It may be gone already, and there is nobody left to tell.
        let _gone = std::fs::remove_file(&self.0);
    }
}
