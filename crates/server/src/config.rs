//! What a server is told, typed and checked.

use crate::clock::Clock;
use crate::limits::OUTPUT_BYTES_MAX_DEFAULT;
use crate::persist::StoreWhen;
use geartrain_core::Settings;
use geartrain_proto::limits::BODY_BYTES_MAX_DEFAULT;
use std::net::SocketAddr;
use std::time::Duration;

/// How a server behaves. The default is a queue in memory, without HTTP.
#[derive(Debug, Clone)]
pub struct Config {
    /// Threads that serve connections. Range 1 and up, default 1. Flag `--threads`.
    pub threads: usize,
    /// Connections open at once; a further one gets an `ERROR` and is closed. Flag `--connections-max`.
    pub connections_max: usize,
    /// Largest packet body read from one peer, in bytes.
    ///
    /// A larger body is refused with `ERROR` before any of it is buffered, and the connection closes.
    /// Default 64 MiB. Flag `--body-bytes-max`.
    pub body_bytes_max: u32,
    /// Output that one connection may leave unread, in bytes; with more it is closed.
    ///
    /// Looked at before something is added, so that one large packet always passes. Default 64 MiB.
    /// Flag `--output-bytes-max`.
    pub output_bytes_max: usize,
    /// How vanished peers are noticed.
    pub keepalive: Keepalive,
    /// How the queue behaves; what depends on the store is filled in at start.
    pub settings: Settings,
    /// When changes reach the store. Flag `--store-queue-on-shutdown`.
    pub store_when: StoreWhen,
    /// Where `/livez` and `/readyz` are served. Flag `--http-listen`.
    pub http: HttpListen,
    /// What the queue goes by; default the machine's clock.
    ///
    /// Another one is for tests of what waits for a time (crate `geartrain-testserver`). It is behind no feature:
    /// features are shared by all crates of a build, so that there would be two kinds of server to test, and no less of
    /// either. A server with the machine's clock pays a comparison for it.
    pub clock: Clock,
}

/// How peers are noticed that vanished without closing their connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe. Default 30 s. Flag `--keepalive-idle`.
    pub idle: Duration,
    /// Pause between probes. Default 10 s. Flag `--keepalive-interval`.
    pub interval: Duration,
    /// Probes without an answer after which the peer is gone. Default 3. Flag `--keepalive-count`.
    pub count: u32,
    /// How long sent bytes may stay without acknowledgement; zero is the system's default. Default 60 s.
    /// Flag `--peer-timeout`.
    pub user_timeout: Duration,
}

/// Where HTTP is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpListen {
    /// Nowhere.
    Off,
    /// Here if possible; when the address is taken the server starts without.
    IfFree(SocketAddr),
    /// Here; when the address is taken the server does not start.
    Required(SocketAddr),
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(30),
            interval: Duration::from_secs(10),
            count: 3,
            user_timeout: Duration::from_secs(60),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            threads: 1,
            connections_max: 1000,
            body_bytes_max: BODY_BYTES_MAX_DEFAULT,
            output_bytes_max: OUTPUT_BYTES_MAX_DEFAULT,
            keepalive: Keepalive::default(),
            settings: Settings::default(),
            store_when: StoreWhen::default(),
            http: HttpListen::Off,
            clock: Clock::default(),
        }
    }
}
