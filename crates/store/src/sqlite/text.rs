//! Bytes that people are to read: text where they are UTF-8.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// Stored as TEXT where the bytes are UTF-8 without a NUL, else as BLOB: the same bytes always alike.
pub(super) struct Text<'a>(pub(super) &'a [u8]);

impl ToSql for Text<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let is_text = !self.0.contains(&0) && std::str::from_utf8(self.0).is_ok();
        let value = if is_text { ValueRef::Text(self.0) } else { ValueRef::Blob(self.0) };
        Ok(ToSqlOutput::Borrowed(value))
    }
}
