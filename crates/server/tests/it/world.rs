//! A server in this process, and what tests need around it.

use crate::peer::{PATIENCE, Peer};
use geartrain_disk::Disk;
use geartrain_server::{Address, Config, Health, Level, Listeners, Log, LogTarget, Server};
use geartrain_store::{Locking, SqliteOptions, SqliteStore, Store};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// A server that ends with the test.
pub(crate) struct World {
    server: Option<Server>,
}

impl World {
    /// A queue in memory.
    pub(crate) fn new() -> Self {
        Self::with(Config { threads: 2, ..Config::default() }, None)
    }

    pub(crate) fn with(config: Config, store: Option<Box<dyn Store>>) -> Self {
        let any = Address::Tcp("127.0.0.1:0".parse().unwrap());
        let listeners = Listeners::bind(&[any], 128).unwrap();
        let log = Log::open(Level::Fatal, LogTarget::Nowhere, false).unwrap();
        Self { server: Some(Server::start(config, listeners, store, log).unwrap()) }
    }

    /// A queue in an SQLite database on this disk.
    pub(crate) fn on(disk: &Disk) -> Self {
        let world = Self::with(Config { threads: 2, ..Config::default() }, Some(open_store(disk)));
        world.wait_until("the queue is loaded", |server| server.health() == Health::Ready);
        world
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match &self.server().addresses()[0] {
            Address::Tcp(address) => *address,
            Address::Unix(path) => panic!("{path:?} is no TCP address"),
        }
    }

    pub(crate) fn connect(&self) -> Peer {
        Peer::connect(self.address())
    }

    /// Waits for something that the server shows only when asked.
    pub(crate) fn wait_until(&self, what: &str, reached: impl Fn(&Server) -> bool) {
        wait_until(what, || reached(self.server()));
    }

    /// Ends the server in an orderly way.
    pub(crate) fn stop(mut self) {
        self.server.take().unwrap().stop().unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            // A test that broke the store on purpose does not care.
            server.stop().ok();
        }
    }
}

pub(crate) fn open_store(disk: &Disk) -> Box<dyn Store> {
    let options = SqliteOptions {
        vfs: Some(disk.vfs_name().to_owned()),
        lock: Locking::None,
        ..SqliteOptions::default()
    };
    Box::new(SqliteStore::open("/queue.sqlite3", options).unwrap())
}

/// Waits for something that can only be asked for.
pub(crate) fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < give_up, "not reached: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
