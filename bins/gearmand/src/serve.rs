//! From a configuration to a server that runs, and to its end.

use crate::daemon::Readiness;
use crate::process::PidFile;
use crate::resolve::Resolved;
use crate::{log, queue};
use anyhow::{Result, bail};
use geartrain_core::Reloaded;
use geartrain_server::{Address, Health, Level, Listeners, Log, Server, StoreWhen};
use geartrain_store::{JOBS_COUNTED_MAX, Opening, Store};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// What the options and the configuration file say now.
pub(crate) type ReadAgain = Arc<dyn Fn() -> Result<Resolved> + Send + Sync>;

/// Serves until a signal ends it.
pub(crate) fn serve(resolved: Resolved, readiness: Option<Readiness>, read_again: ReadAgain) -> Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        // First of all, so that no signal is lost while the server starts.
        let mut signals = Signals::new()?;
        let hangups = signal(SignalKind::hangup())?;
        let log = log::open(&resolved.log)?;
        abort_on_panic(&log);
        let grace = resolved.process.shutdown_grace;
        let (server, pid_file) = start(resolved, &log)?;
        let reload = Reload { server: &server, log: &log, read_again };
        let outcome = tokio::select! {
            outcome = run(&server, &log, &mut signals, readiness, grace) => outcome,
            never = reload.at_each(hangups) => match never {},
        };
        sd_notify::notify(&[sd_notify::NotifyState::Stopping]).ok();
        let outcome = match outcome {
            // Nothing was acknowledged yet, and loading is not worth waiting for.
            Ok(()) if server.is_loading() => Ok(()),
            Ok(()) => server.stop().map_err(Into::into),
            Err(error) => Err(error),
        };
        log.line(Level::Info, format_args!("Shutdown complete"));
        drop(pid_file);
        log.flush();
        outcome
    });
    // It does not wait for a configuration file that is still being read.
    runtime.shutdown_background();
    outcome
}

/// A broken invariant must not go on with broken state: what is on disk is whole.
fn abort_on_panic(log: &Log) {
    let log = log.clone();
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        print(info);
        log.line(Level::Fatal, format_args!("this is a bug, the server ends: {info}"));
        log.flush();
        std::process::abort();
    }));
}

fn start(resolved: Resolved, log: &Log) -> Result<(Server, Option<PidFile>)> {
    let mut addresses = Vec::new();
    for place in &resolved.listen {
        addresses.extend(place.addresses()?);
    }
    // A queue that cannot be used is to be noticed before the port is bound, unless its folder is named
    // after a port that is not known yet.
    let known = port(&addresses).filter(|port| *port != 0);
    let early = known.map(|port| queue::open(&resolved.queue, port)).transpose()?;
    let listeners = Listeners::bind(&addresses, resolved.backlog)?;
    let store = match early {
        Some(store) => store,
        None => queue::open(&resolved.queue, port(listeners.addresses()).unwrap_or(0))?,
    };
    let opening = store.as_deref().map(Store::opening);
    let pid_file = resolved.process.pid_file.as_deref().map(PidFile::write).transpose()?;
    let is_late = opening.is_some() && resolved.server.store_when == StoreWhen::AtShutdown;
    let server = Server::start(resolved.server, listeners, store, log.clone())?;
    introduce(&server, opening.as_ref(), log);
    if is_late {
        log.talk(format_args!(
            "the queue is written when the server ends: dead letters and finished jobs of this run are counted, and \
             can be listed, shown, requeued and exported after the next start"
        ));
    }
    Ok((server, pid_file))
}

/// The first port; 0 when there are only sockets in the file system.
fn port(addresses: &[Address]) -> Option<u16> {
    addresses.iter().find_map(|address| match address {
        Address::Tcp(address) => Some(address.port()),
        Address::Unix(_) => None,
    })
}

fn introduce(server: &Server, opening: Option<&Opening>, log: &Log) {
    let addresses: Vec<_> = server.addresses().iter().map(ToString::to_string).collect();
    log.talk(format_args!("listening on {}", addresses.join(", ")));
    if let Some(http) = server.http_address() {
        log.talk(format_args!("health on http://{http}/readyz"));
    }
    match opening {
        None => log.talk(format_args!("the queue is in memory only: background jobs end with this process")),
        Some(opening) => {
            let Opening { location, jobs_estimate, imported, set_aside, .. } = opening;
            let about = if *jobs_estimate < JOBS_COUNTED_MAX { "" } else { "about " };
            log.talk(format_args!("the queue is in {location}, with {about}{jobs_estimate} stored jobs"));
            if *imported > 0 {
                log.talk(format_args!("{imported} jobs were taken over from the reference server's table"));
            }
            if *set_aside > 0 {
                log.line(
                    Level::Error,
                    format_args!("{set_aside} rows could not be taken over, and were set aside"),
                );
            }
        }
    }
    let (pid, level) = (std::process::id(), log.level().name());
    log.line(Level::Info, format_args!("Starting up with pid {pid}, verbose is set to {level}"));
}

/// The signals that end the server.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    drain: Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    End,
    Drain,
}

/// What SIGHUP needs.
struct Reload<'a> {
    server: &'a Server,
    log: &'a Log,
    read_again: ReadAgain,
}

impl Reload<'_> {
    /// Follows these signals, beside whatever else is awaited. A reload that is under way when the server ends is
    /// left as far as it is: the next start reads the file anyway.
    async fn at_each(&self, mut hangups: Signal) -> Infallible {
        loop {
            hangups.recv().await;
            self.reload().await;
        }
    }

    /// Opens the log file anew, and takes the policies and schedules that stand in the configuration file now.
    async fn reload(&self) {
        self.log.reopen();
        match self.take_file().await {
            Ok(Reloaded { functions, schedules }) => self.log.line(
                Level::Notice,
                format_args!(
                    "SIGHUP, configuration file read again: \
                     functions with another policy: {functions}, schedules changed: {schedules}"
                ),
            ),
            Err(error) => self.log.line(
                Level::Error,
                format_args!("SIGHUP, the configuration file is not taken, all stays as it was: {error:#}"),
            ),
        }
    }

    async fn take_file(&self) -> Result<Reloaded> {
        let read_again = Arc::clone(&self.read_again);
        // A file system may hang.
        let settings = spawn_blocking(move || read_again()).await??.server.settings;
        Ok(self.server.reload(&settings.rules, &settings.schedules).await?)
    }
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            drain: signal(SignalKind::user_defined1())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.drain.recv() => Asked::Drain,
        }
    }

    async fn next_end(&mut self) {
        while self.next().await != Asked::End {}
    }
}

/// Waits for the end, and for what has to be waited for before it.
async fn run(
    server: &Server,
    log: &Log,
    signals: &mut Signals,
    readiness: Option<Readiness>,
    grace: Duration,
) -> Result<()> {
    let asked = tokio::select! {
        asked = signals.next() => asked,
        asked = async {
            be_ready(server, log, readiness).await?;
            Ok::<Asked, anyhow::Error>(std::future::pending().await)
        } => asked?,
    };
    match asked {
        Asked::Drain => {
            log.talk(format_args!("taking no more connections, ending once only stored jobs remain"));
            tokio::select! {
                () = server.drain() => {}
                () = signals.next_end() => {}
            }
        }
        Asked::End if !grace.is_zero() => {
            log.talk(format_args!("waiting up to {} s for running jobs", grace.as_secs()));
            tokio::select! {
                // Running jobs whose time is up run again after the next start.
                _ = timeout(grace, server.finish_running()) => {}
                () = signals.next_end() => {}
            }
        }
        Asked::End => {}
    }
    Ok(())
}

async fn be_ready(server: &Server, log: &Log, readiness: Option<Readiness>) -> Result<()> {
    if let Health::LoadFailed(reason) = server.loaded().await {
        bail!("the stored jobs could not be loaded: {reason}");
    }
    sd_notify::notify(&[sd_notify::NotifyState::Ready]).ok();
    log.flush();
    readiness.map_or(Ok(()), Readiness::tell)
}
