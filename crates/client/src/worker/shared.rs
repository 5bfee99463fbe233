//! What all connections and jobs of one worker share.

use super::bell::Bell;
use super::handler::{Handler, HandlerFuture};
use super::job::Job;
use super::limits::WorkerLimits;
use super::report::JobReport;
use super::slots::Slots;
use crate::address::ServerAddress;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;

pub(super) type BeforeJob = Box<dyn Fn(&Job) + Send + Sync>;
pub(super) type OnConnect = Box<dyn Fn(&ServerAddress) + Send + Sync>;
pub(super) type AfterJob = Box<dyn Fn(&JobReport<'_>) + Send + Sync>;

/// See the module.
pub(super) struct Shared {
    pub(super) slots: Slots,
    pub(super) limits: WorkerLimits,
    pub(super) client_id: Option<String>,
    pub(super) before_job: Option<BeforeJob>,
    pub(super) after_job: Option<AfterJob>,
    pub(super) on_connect: Option<OnConnect>,
    pub(super) tasks: Tasks,
    pub(super) jobs_begun: AtomicU64,
    pub(super) jobs_abandoned: AtomicU64,
}

impl Shared {
    pub(super) fn hook_before(&self, job: &Job) {
        if let Some(hook) = &self.before_job {
            guard(|| hook(job));
        }
    }

    pub(super) fn hook_connect(&self, server: &ServerAddress) {
        if let Some(hook) = &self.on_connect {
            guard(|| hook(server));
        }
    }

    pub(super) fn hook_after(&self, report: &JobReport<'_>) {
        if let Some(hook) = &self.after_job {
            guard(|| hook(report));
        }
    }
}

/// Runs a hook of the user; a panic there must end neither the job nor its connection.
fn guard(hook: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(hook)).is_err() {
        tracing::error!("a hook panicked; its job goes on");
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("slots", &self.slots).finish_non_exhaustive()
    }
}

/// A function with its handler.
pub(super) struct Function {
    pub(super) timeout: Option<Duration>,
    pub(super) handler: Box<dyn Begin>,
}

/// A handler whose arguments are forgotten.
pub(super) trait Begin: Send + Sync {
    fn begin(&self, job: &Job) -> HandlerFuture;
}

/// Remembers the arguments for the compiler alone.
pub(super) struct Erased<H, A>(H, PhantomData<fn(A)>);

impl<H: Handler<A>, A> Erased<H, A> {
    pub(super) fn new(handler: H) -> Self {
        Self(handler, PhantomData)
    }
}

impl<H: Handler<A>, A> Begin for Erased<H, A> {
    fn begin(&self, job: &Job) -> HandlerFuture {
        self.0.call(job)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// The tasks of jobs that run, so that a worker that leaves at once can end them.
#[derive(Debug)]
pub(super) struct Tasks {
    inner: Mutex<RunningTasks>,
    /// Rung when the last task ends after the worker was asked to leave.
    watcher: Arc<Bell>,
}

/// Names a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TaskId(u64);

#[derive(Debug, Default)]
struct RunningTasks {
    next: u64,
    stage: TasksStage,
    /// `None` until the task was started.
    handles: HashMap<TaskId, Option<AbortHandle>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum TasksStage {
    #[default]
    Working,
    /// The worker waits for the last of them.
    Awaited,
    /// All are ended, those to come too.
    Aborted,
}

impl Tasks {
    pub(super) fn new(watcher: Arc<Bell>) -> Self {
        Self { inner: Mutex::default(), watcher }
    }

    /// Counts a task that is about to start.
    pub(super) fn enter(&self) -> TaskId {
        let mut inner = self.lock();
        let id = TaskId(inner.next);
        inner.next += 1;
        inner.handles.insert(id, None);
        id
    }

    /// Says how to end a task; it may have ended already.
    pub(super) fn set(&self, id: TaskId, handle: AbortHandle) {
        let mut inner = self.lock();
        if inner.stage == TasksStage::Aborted {
            drop(inner);
            handle.abort();
        } else if let Some(entry) = inner.handles.get_mut(&id) {
            *entry = Some(handle);
        }
    }

    pub(super) fn leave(&self, id: TaskId) {
        let mut inner = self.lock();
        inner.handles.remove(&id);
        let was_last = inner.handles.is_empty() && inner.stage != TasksStage::Working;
        drop(inner);
        if was_last {
            self.watcher.ring();
        }
    }

    /// Whether none runs; from now on the watcher is told of the last.
    pub(super) fn are_over(&self) -> bool {
        let mut inner = self.lock();
        if inner.stage == TasksStage::Working {
            inner.stage = TasksStage::Awaited;
        }
        inner.handles.is_empty()
    }

    /// Ends all tasks, at the next point where each of them waits, and those that are about to start.
    pub(super) fn abort_all(&self) {
        let mut inner = self.lock();
        inner.stage = TasksStage::Aborted;
        let handles: Vec<AbortHandle> = inner.handles.values().flatten().cloned().collect();
        // The end of a task takes the lock.
        drop(inner);
        for handle in handles {
            handle.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, RunningTasks> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    #[tokio::test]
    async fn tasks_end_whether_they_began_before_or_after_all_were_ended() {
        let tasks = Tasks::new(Arc::default());
        let (before, after) = (tasks.enter(), tasks.enter());
        let (first, second) = (tokio::spawn(pending::<()>()), tokio::spawn(pending::<()>()));
        tasks.set(before, first.abort_handle());
        tasks.abort_all();
        tasks.set(after, second.abort_handle());
        assert!(first.await.unwrap_err().is_cancelled());
        assert!(second.await.unwrap_err().is_cancelled());
        tasks.leave(before);
        assert!(!tasks.are_over());
        tasks.leave(after);
        assert!(tasks.are_over());
    }

    #[tokio::test]
    async fn a_task_that_ended_before_it_was_known_is_not_kept() {
        let tasks = Tasks::new(Arc::default());
        let id = tasks.enter();
        let task = tokio::spawn(async {});
        tasks.leave(id);
        tasks.set(id, task.abort_handle());
        assert!(tasks.are_over());
    }
}
