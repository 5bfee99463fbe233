//! Telling systemd how it goes.
//!
//! From: the event loop. To: the socket in `NOTIFY_SOCKET`, where there is one.
//! Never: waits for systemd, or fails when it does not listen.

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Variables that systemd meant for the manager and not for its processes.
pub(crate) const VARIABLES: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

#[derive(Debug)]
pub(crate) struct Systemd {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear of us.
    pub(crate) watchdog: Option<Duration>,
}

impl Systemd {
    pub(crate) fn from_environment() -> Self {
        let address = env::var("NOTIFY_SOCKET").ok().and_then(|path| match path.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).ok(),
            None => SocketAddr::from_pathname(path).ok(),
        });
        let socket = address.and_then(|address| {
            let socket = UnixDatagram::unbound().ok()?;
            socket.set_nonblocking(true).ok()?;
            Some((socket, address))
        });
        let number = |name: &str| env::var(name).ok()?.parse::<u64>().ok();
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        // Half the time, so that one late turn is no failure.
        let watchdog =
            number("WATCHDOG_USEC").filter(|_| is_ours).map(|usec| Duration::from_micros(usec / 2));
        Self { socket, watchdog }
    }

    /// Sends a state, as `READY=1`.
    pub(crate) fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.socket {
            let _unheard = socket.send_to_addr(state.as_bytes(), address);
        }
    }
}
