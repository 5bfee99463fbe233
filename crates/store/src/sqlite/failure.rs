//! From SQLite's codes to errors for people.

use crate::StoreError;
use rusqlite::ErrorCode;
use std::path::Path;

/// Where a failure happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    path: &'a Path,
}

impl<'a> Context<'a> {
    pub(super) const fn new(path: &'a Path) -> Self {
        Self { path }
    }

    pub(super) fn location(self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn failed(self) -> StoreError {
        StoreError::Failed { location: self.location() }
    }

    pub(super) fn removed(self) -> StoreError {
        StoreError::Removed { location: self.location(), what: "is gone" }
    }

    pub(super) fn replaced(self) -> StoreError {
        StoreError::Removed { location: self.location(), what: "was replaced by another one" }
    }

    pub(super) fn at<T>(self, doing: &'static str, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| self.error(doing, &error))
    }

    pub(super) fn io(self, doing: &'static str, error: &std::io::Error) -> StoreError {
        let location = self.location();
        if error.kind() == std::io::ErrorKind::StorageFull {
            return StoreError::Full { location, doing };
        }
        StoreError::Io { location, doing, reason: error.to_string() }
    }

    pub(super) fn damaged(self, doing: &'static str, reason: &str) -> StoreError {
        StoreError::Damaged { location: self.location(), doing, reason: reason.to_owned() }
    }

    pub(super) fn error(self, doing: &'static str, error: &rusqlite::Error) -> StoreError {
        let location = self.location();
        let reason = reason(error);
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full { location, doing },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { location, doing },
            Some(ErrorCode::NotADatabase) => StoreError::NotADatabase { location },
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { location, doing, reason },
            // Statements that always worked stop working when the schema they speak of is spoilt.
            // The same holds for columns that have another type.
            Some(ErrorCode::Unknown) | None => StoreError::Damaged { location, doing, reason },
            _ => StoreError::Io { location, doing, reason },
        }
    }
}

fn reason(error: &rusqlite::Error) -> String {
    if let rusqlite::Error::SqliteFailure(code, Some(text)) = error {
        return format!("{text} (SQLite code {})", code.extended_code);
    }
    error.to_string()
}
