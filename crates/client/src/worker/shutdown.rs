//! The end of a worker: asked for by a call or a signal, gracefully or at once.

use super::shared::Shared;
use std::io;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How far a worker is on its way to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Working,
    /// Grabs no more; jobs in hand are done.
    Stopping,
    /// Jobs in hand are left to other workers.
    Leaving,
}

/// Asks a worker to stop, from anywhere.
///
/// A clone asks the same worker. Dropping it asks for nothing.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use geartrain_client::Worker;
///
/// let worker = Worker::builder().register("upper", |text: String| async move { text.to_uppercase() }).build()?;
/// let shutdown = worker.shutdown_handle();
/// let running = tokio::spawn(worker.run());
///
/// // Later, from anywhere:
/// shutdown.shutdown();
/// println!("left after {} jobs", running.await??.jobs);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ShutdownHandle {
    stage: watch::Sender<Stage>,
    worker: Arc<Shared>,
}

impl ShutdownHandle {
    pub(super) fn new(worker: Arc<Shared>) -> Self {
        Self { stage: watch::Sender::new(Stage::Working), worker }
    }

    /// Asks the worker to grab no more jobs, finish those it has in hand, and leave.
    ///
    /// When this returns, no further grab is decided; a job that a server assigns for one that was decided before is
    /// still done. A server that says nothing is waited for 5 seconds. [`Worker::run`](super::Worker::run) returns when
    /// all is over.
    pub fn shutdown(&self) {
        self.advance(Stage::Stopping);
    }

    /// Asks the worker to leave at once: handlers are dropped where they wait, and servers give their jobs to
    /// other workers.
    pub fn shutdown_now(&self) {
        self.advance(Stage::Leaving);
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    fn advance(&self, to: Stage) {
        drop(self.worker.slots.close());
        self.stage.send_if_modified(|stage| {
            let further = to > *stage;
            *stage = to.max(*stage);
            further
        });
    }
}

/// Waits until a worker is this far.
pub(super) async fn reached(stage: &mut watch::Receiver<Stage>, wanted: Stage) {
    // An error means that nobody is left who could ask, the worker included: it was dropped.
    stage.wait_for(|stage| *stage >= wanted).await.ok();
}

/// The signals that ask a process to end.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
