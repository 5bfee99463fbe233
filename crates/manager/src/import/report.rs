//! What became of each key.

use std::fmt;

/// One key of the other file, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its section, without brackets.
    pub section: String,
    /// The key; in brackets where it is not there and its default counts.
    pub key: String,
    /// What became of it.
    pub became: Became,
}

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// This, in our file.
    This(String),
    /// Nothing, and why.
    Nothing(String),
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { section, key, became } = self;
        match became {
            Became::This(this) => write!(f, "[{section}] {key} -> {this}"),
            Became::Nothing(why) => write!(f, "[{section}] {key}: not taken over: {why}"),
        }
    }
}

/// The rows of one section.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    pub(super) section: &'a str,
    pub(super) all: &'a mut Vec<Row>,
}

impl Rows<'_> {
    pub(super) fn this(&mut self, key: &str, this: impl Into<String>) {
        self.push(key, Became::This(this.into()));
    }

    pub(super) fn nothing(&mut self, key: &str, why: impl Into<String>) {
        self.push(key, Became::Nothing(why.into()));
    }

    fn push(&mut self, key: &str, became: Became) {
        self.all.push(Row { section: self.section.to_owned(), key: key.to_owned(), became });
    }
}
