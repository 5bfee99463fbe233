//! An in-memory disk for SQLite that can crash, tear, fail and fill up.
