//! Each client library does its work in the rows that measure it; how fast is not judged.

mod libraries;
