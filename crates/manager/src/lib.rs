//! A supervisor for Gearman workers in any language.
//!
//! The way of a process: a [`Program`] of the [`Config`] says how many there are and how each is started, watched
//! and ended; the [`planner`] decides what is due; the [`runner`] does it and tells the planner what became of it.
//! People ask over a socket, in the words of the [`protocol`]. A [`Config`] is read from a file ([`config`]), by rows
//! that know all about a key ([`config::keys`]); another supervisor's file becomes such a file
//! ([`import`](mod@import)).

pub mod config;
pub mod import;
pub mod limits;
pub mod planner;
pub mod protocol;
pub mod runner;

pub use config::{Config, ConfigError, Program, ProgramName};
