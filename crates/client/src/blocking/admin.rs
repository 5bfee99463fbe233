//! Administration for programs that are not async.

use super::client::Runtime;
use crate::address::ServerAddress;
use crate::admin::{self, FunctionPriorities, FunctionStatus, JobLine, WorkerLine};
use crate::error::ClientError;
use crate::text::TextCommand;
use geartrain_proto::command::Command;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A connection that steers and inspects one server, from [`Client::admin`](super::Client::admin); see
/// [`crate::Admin`].
#[derive(Debug)]
pub struct Admin {
    // Dropped before the runtime, which its connection needs.
    inner: admin::Admin,
    runtime: Arc<Runtime>,
}

/// Each is as the method of the same name of [`crate::Admin`].
#[expect(clippy::missing_errors_doc, reason = "each says where its errors are told")]
impl Admin {
    pub(super) fn new(inner: admin::Admin, runtime: Arc<Runtime>) -> Self {
        Self { inner, runtime }
    }

    /// The server at the other end.
    #[must_use]
    pub fn server(&self) -> &ServerAddress {
        self.inner.server()
    }

    /// As [`crate::Admin::functions`].
    pub fn functions(&mut self) -> Result<Vec<FunctionStatus>, ClientError> {
        self.runtime.block_on(self.inner.functions())
    }

    /// As [`crate::Admin::priorities`].
    pub fn priorities(&mut self) -> Result<Vec<FunctionPriorities>, ClientError> {
        self.runtime.block_on(self.inner.priorities())
    }

    /// As [`crate::Admin::workers`].
    pub fn workers(&mut self) -> Result<Vec<WorkerLine>, ClientError> {
        self.runtime.block_on(self.inner.workers())
    }

    /// As [`crate::Admin::jobs`].
    pub fn jobs(&mut self) -> Result<Vec<JobLine>, ClientError> {
        self.runtime.block_on(self.inner.jobs())
    }

    /// As [`crate::Admin::uniques`].
    pub fn uniques(&mut self) -> Result<Vec<String>, ClientError> {
        self.runtime.block_on(self.inner.uniques())
    }

    /// As [`crate::Admin::version`].
    pub fn version(&mut self) -> Result<String, ClientError> {
        self.runtime.block_on(self.inner.version())
    }

    /// As [`crate::Admin::pid`].
    pub fn pid(&mut self) -> Result<u32, ClientError> {
        self.runtime.block_on(self.inner.pid())
    }

    /// As [`crate::Admin::tell`].
    pub fn tell(&mut self, command: &TextCommand) -> Result<String, ClientError> {
        self.runtime.block_on(self.inner.tell(command))
    }

    /// As [`crate::Admin::command`].
    pub fn command<R: DeserializeOwned>(&mut self, command: Command) -> Result<Vec<R>, ClientError> {
        self.runtime.block_on(self.inner.command(command))
    }
}
