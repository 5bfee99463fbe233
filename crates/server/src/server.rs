//! Putting a server together, and taking it apart.
//!
//! From: a [`Config`], bound [`Listeners`] and an open store.
//! To: threads that serve until [`Server::stop`].
//! Never: leaves a thread behind.

use crate::config::{Config, HttpListen};
use crate::connection::{self, Accepted};
use crate::hub::{Hub, Watch};
use crate::limits::TURNS_BETWEEN_LOOKS;
use crate::listen::{self, Address, Dealer, Listeners};
use crate::log::Log;
use crate::output::Output;
use crate::persist::{self, Persist, StoreWhen};
use crate::shared::{Connections, Health, Shared};
use crate::{http, reader, timer};
use geartrain_core::{Core, Durability, FileRule, NewFile, ReloadError, Reloaded, Settings, SettingsError};
use geartrain_proto::command::ScheduleAdd;
use geartrain_store::{MemoryStore, Store, StoreError};
use parking_lot::{Condvar, Mutex};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinSet, yield_now};

/// Why a server cannot start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The queue cannot be told to behave like this.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The system gave no thread or event queue.
    #[error("could not start a thread: {0}")]
    Thread(io::Error),
    /// The store cannot be read beside being written.
    #[error(transparent)]
    Store(StoreError),
    /// The address for HTTP was asked for and cannot be used.
    #[error("could not listen on {address} for HTTP: {error}")]
    Http {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
}

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    /// As it was started, but for what the configuration file says of functions and schedules.
    settings: Settings,
    addresses: Vec<Address>,
    http: Option<SocketAddr>,
    phase: watch::Sender<Phase>,
    threads: Vec<JoinHandle<()>>,
    store: Option<JoinHandle<Result<(), StoreError>>>,
    reader: Option<JoinHandle<()>>,
}

/// How far the server is on its way to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// No new connections.
    Draining,
    Ending,
}

impl Server {
    /// Starts serving; requests that need the stored jobs wait until they are loaded.
    ///
    /// # Errors
    /// When the settings are unusable, threads cannot be had, or a required HTTP address is taken.
    pub fn start(
        mut config: Config,
        listeners: Listeners,
        store: Option<Box<dyn Store>>,
        log: Log,
    ) -> Result<Self, StartError> {
        let addresses = listeners.addresses().to_vec();
        let http = bind_http(config.http, &log)?;
        let durability = if store.is_some() { Durability::Stored } else { Durability::Memory };
        // Without a store, dead letters and policies are held in this one as long as the process lives.
        let store = store.unwrap_or_else(|| Box::new(MemoryStore::new()));
        let shared = Arc::new(share(&config, durability, store.as_ref(), log)?);
        // The queue has them: they may be large.
        (config.settings.rules, config.settings.schedules) = (Vec::new(), Vec::new());
        let (phase, phases) = watch::channel(Phase::Serving);
        let mut server = Self {
            shared: Arc::clone(&shared),
            settings: config.settings.clone(),
            addresses,
            http: http.as_ref().and_then(|listener| listener.local_addr().ok()),
            phase,
            threads: Vec::new(),
            store: None,
            reader: None,
        };
        let mut dealt = Vec::new();
        for number in 0..config.threads.max(1) {
            let (sender, receiver) = unbounded_channel();
            dealt.push(sender);
            let (shared, phases) = (Arc::clone(&shared), phases.clone());
            server.spawn(&format!("serve-{number}"), |runtime| {
                runtime.block_on(serve_connections(shared, receiver, phases));
            })?;
        }
        let control = Control { shared: Arc::clone(&shared), config, dealer: Dealer::new(dealt), phases };
        {
            let reader = store.reader().map_err(StartError::Store)?;
            let shared = Arc::clone(&shared);
            let thread = thread::Builder::new().name("reader".to_owned());
            let thread = thread.spawn(move || reader::run(&shared, reader)).map_err(StartError::Thread)?;
            server.reader = Some(thread);
        }
        {
            let persist = Persist::new(shared, store, control.config.store_when);
            server.store = Some(
                thread::Builder::new()
                    .name("store".to_owned())
                    .spawn(move || persist.run())
                    .map_err(StartError::Thread)?,
            );
        }
        server.spawn("control", |runtime| runtime.block_on(control.run(listeners, http)))?;
        Ok(server)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce(Runtime) + Send + 'static) -> Result<(), StartError> {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().event_interval(TURNS_BETWEEN_LOOKS).build();
        let runtime = runtime.map_err(StartError::Thread)?;
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || work(runtime));
        self.threads.push(thread.map_err(StartError::Thread)?);
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Where it serves HTTP.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health.lock().clone()
    }

    /// Waits until the stored jobs are loaded, or cannot be.
    pub async fn loaded(&self) -> Health {
        loop {
            match self.health() {
                Health::Loading => self.shared.loaded.notified().await,
                health
                @ (Health::Ready | Health::StoreFailed(_) | Health::LoadFailed(_) | Health::Ending) => {
                    return health;
                }
            }
        }
    }

    /// Whether stored jobs are still being taken into the queue.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.shared.hub.lock().loading
    }

    /// Puts these policies and schedules in the place of those of the configuration file, in steps of some
    /// milliseconds, between which other work of the runtime has its turn. Where it is dropped it stays as far as it
    /// is.
    ///
    /// # Errors
    /// When one of them is wrong: nothing is changed then.
    pub async fn reload(
        &self,
        rules: &[FileRule],
        schedules: &[ScheduleAdd],
    ) -> Result<Reloaded, ReloadError> {
        let now = self.shared.clock.now().unix;
        let mut file = NewFile::new(&self.settings, rules, schedules, now)?;
        loop {
            if let Some(done) = self.shared.run(|now, hub| hub.core.reload(now, &mut file, &mut hub.out))? {
                return Ok(done);
            }
            yield_now().await;
        }
    }

    /// Takes no more connections, and waits until only stored jobs remain; those it has are served on.
    pub async fn drain(&self) {
        self.shared.run(|_, hub| hub.core.begin_drain());
        self.watch(Watch::OnlyStored).await;
    }

    /// Takes no more connections and hands out no more jobs, and waits until none runs.
    pub async fn finish_running(&self) {
        self.shared.run(|_, hub| hub.core.stop_assigning());
        self.watch(Watch::NoneRunning).await;
    }

    async fn watch(&self, watch: Watch) {
        self.phase.send_replace(Phase::Draining);
        self.shared.set_health(Health::Ending);
        self.shared.run(|_, hub| hub.watch = watch);
        self.shared.drained.notified().await;
    }

    /// Ends: connections are closed, and what is acknowledged or done is on disk afterwards.
    ///
    /// # Errors
    /// When the store could not be written; what could not be acknowledged was not.
    pub fn stop(mut self) -> Result<(), StoreError> {
        self.phase.send_replace(Phase::Ending);
        for thread in self.threads.drain(..) {
            // It has panicked: the process is about to end anyway.
            thread.join().ok();
        }
        reader::stop(&self.shared);
        persist::stop(&self.shared);
        // As above.
        self.reader.take().map(JoinHandle::join);
        self.store.take().map_or(Ok(()), |store| store.join().unwrap_or(Ok(())))
    }
}

fn share(
    config: &Config,
    durability: Durability,
    store: &dyn Store,
    log: Log,
) -> Result<Shared, SettingsError> {
    let core = Core::new(settings_of(config, durability, store.opening().next_number))?;
    let output = Output::new(config.output_bytes_max, log.clone());
    let loading = durability == Durability::Stored;
    let health = if loading { Health::Loading } else { Health::Ready };
    Ok(Shared {
        hub: Mutex::new(Hub::new(core, output, loading)),
        clock: config.clock.clone(),
        log,
        body_bytes_max: config.body_bytes_max,
        connections: Connections::new(config.connections_max),
        health: Mutex::new(health),
        store_wake: Condvar::new(),
        reader_wake: Condvar::new(),
        timer_wake: Notify::new(),
        drained: Notify::new(),
        loaded: Notify::new(),
    })
}

/// The settings of the queue: what the configuration says, and what follows from the store.
fn settings_of(config: &Config, durability: Durability, next_number: u64) -> Settings {
    let mut settings = config.settings.clone();
    settings.durability = durability;
    settings.workload_bytes_max = config.body_bytes_max;
    settings.next_number = next_number.max(1);
    if durability == Durability::Memory || config.store_when == StoreWhen::AtShutdown {
        // There is nothing to read a workload back from, so none may leave memory.
        settings.queue_memory_bytes = 0;
    }
    settings
}

fn bind_http(listen: HttpListen, log: &Log) -> Result<Option<TcpListener>, StartError> {
    match listen {
        HttpListen::Off => Ok(None),
        HttpListen::Required(address) => {
            listen::free_address(address).map(Some).map_err(|error| StartError::Http { address, error })
        }
        HttpListen::IfFree(address) => Ok(listen::free_address(address)
            .inspect_err(|error| {
                log.talk(format_args!("no health over HTTP, {address} cannot be used: {error}"));
            })
            .ok()),
    }
}

/// Serves the connections dealt to one thread, until the server ends.
async fn serve_connections(
    shared: Arc<Shared>,
    mut dealt: UnboundedReceiver<Accepted>,
    mut phases: watch::Receiver<Phase>,
) {
    loop {
        tokio::select! {
            accepted = dealt.recv() => match accepted {
                Some(accepted) => drop(tokio::spawn(connection::serve(Arc::clone(&shared), accepted))),
                None => break,
            },
            () = reached(&mut phases, Phase::Ending) => return,
        }
    }
    reached(&mut phases, Phase::Ending).await;
}

async fn reached(phases: &mut watch::Receiver<Phase>, phase: Phase) {
    // An error means that the server was dropped: that is its end as well.
    phases.wait_for(|now| *now >= phase).await.ok();
}

/// What accepts, keeps time and answers HTTP.
struct Control {
    shared: Arc<Shared>,
    config: Config,
    dealer: Dealer,
    phases: watch::Receiver<Phase>,
}

impl Control {
    async fn run(mut self, listeners: Listeners, http: Option<TcpListener>) {
        let mut accepting = JoinSet::new();
        for listener in listeners.listeners {
            let (shared, dealer) = (Arc::clone(&self.shared), self.dealer.clone());
            accepting.spawn(listen::accept(shared, listener, self.config.keepalive, dealer));
        }
        tokio::spawn(timer::run(Arc::clone(&self.shared)));
        if let Some(http) = http {
            tokio::spawn(http::serve(Arc::clone(&self.shared), http));
        }
        reached(&mut self.phases, Phase::Draining).await;
        accepting.shutdown().await;
        reached(&mut self.phases, Phase::Ending).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_leave_memory_only_where_a_store_has_them() {
        let (at_once, at_shutdown) = (StoreWhen::AtOnce, StoreWhen::AtShutdown);
        let budget = |durability, store_when| {
            let config = Config { store_when, ..Config::default() };
            settings_of(&config, durability, 0).queue_memory_bytes
        };
        assert_eq!(budget(Durability::Stored, at_once), Settings::default().queue_memory_bytes);
        assert_eq!(budget(Durability::Stored, at_shutdown), 0, "which is no limit");
        assert_eq!(budget(Durability::Memory, at_once), 0);
    }
}
