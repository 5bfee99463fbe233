//! Accepting connections.

use super::{Listener, SocketFile};
use crate::config::Keepalive;
use crate::connection::Accepted;
use crate::limits::{ACCEPT_LOG_EVERY, ACCEPT_PAUSE};
use crate::log::Level;
use crate::shared::Shared;
use geartrain_proto::Response;
use socket2::{SockRef, TcpKeepalive};
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::net;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;

/// Hands connections to the threads in turn.
#[derive(Debug, Clone)]
pub(crate) struct Dealer {
    threads: Vec<UnboundedSender<Accepted>>,
    next: usize,
}

impl Dealer {
    pub(crate) fn new(threads: Vec<UnboundedSender<Accepted>>) -> Self {
        Self { threads, next: 0 }
    }

    /// `false` when the thread has ended.
    fn deal(&mut self, accepted: Accepted) -> bool {
        self.next = (self.next + 1) % self.threads.len().max(1);
        self.threads.get(self.next).is_some_and(|thread| thread.send(accepted).is_ok())
    }
}

/// A listener of the runtime.
#[derive(Debug)]
enum Source {
    Tcp(net::TcpListener),
    Unix(net::UnixListener, #[expect(dead_code, reason = "it acts when it is dropped")] SocketFile),
}

impl Source {
    fn new(listener: Listener) -> io::Result<Self> {
        Ok(match listener {
            Listener::Tcp(listener) => Source::Tcp(net::TcpListener::from_std(listener)?),
            Listener::Unix(listener, file) => Source::Unix(net::UnixListener::from_std(listener)?, file),
        })
    }

    fn poll_accept(&self, cx: &mut Context<'_>, keepalive: &Keepalive) -> Poll<io::Result<Accepted>> {
        Poll::Ready(Ok(match self {
            Source::Tcp(listener) => {
                let (stream, address) = ready!(listener.poll_accept(cx))?;
                let stream = stream.into_std()?;
                prepare(&stream, keepalive).map_err(|_| io::ErrorKind::ConnectionAborted)?;
                Accepted::Tcp(stream, address)
            }
            Source::Unix(listener, _) => Accepted::Unix(ready!(listener.poll_accept(cx))?.0.into_std()?),
        }))
    }
}

/// A descriptor that is given up to tell a peer that there are no more.
#[derive(Debug)]
struct Reserve(Option<File>);

impl Reserve {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }
}

/// Accepts from one listener for ever.
pub(crate) async fn accept(
    shared: Arc<Shared>,
    listener: Listener,
    keepalive: Keepalive,
    mut dealer: Dealer,
) -> io::Result<()> {
    let source = Source::new(listener)?;
    let mut reserve = Reserve::new();
    let mut logged = None;
    loop {
        match poll_fn(|cx| source.poll_accept(cx, &keepalive)).await {
            Ok(accepted) => {
                if shared.connections.enter() {
                    if !dealer.deal(accepted) {
                        return Ok(());
                    }
                } else {
                    refuse(accepted);
                    let max = shared.connections.max();
                    complain(
                        &shared,
                        &mut logged,
                        format_args!("connections are refused: {max} are open (hint: raise connections-max)"),
                    );
                }
            }
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                drop(reserve.0.take());
                poll_fn(|cx| {
                    if let Poll::Ready(Ok(accepted)) = source.poll_accept(cx, &keepalive) {
                        refuse(accepted);
                    }
                    Poll::Ready(())
                })
                .await;
                reserve = Reserve::new();
                complain(&shared, &mut logged, format_args!("cannot accept connections: {error}"));
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether an error of accept concerns only the one connection.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

fn complain(shared: &Shared, logged: &mut Option<Instant>, text: std::fmt::Arguments<'_>) {
    if logged.is_none_or(|logged| logged.elapsed() >= ACCEPT_LOG_EVERY) {
        *logged = Some(Instant::now());
        shared.log.line(Level::Error, text);
    }
}

/// Tells a peer why it is not served.
fn refuse(accepted: Accepted) {
    let mut packet = Vec::new();
    Response::Error { code: b"QUEUE_ERROR", text: b"Too many connections" }.encode(&mut packet);
    // A new socket has room for a packet; a peer that is gone needs none.
    match accepted {
        Accepted::Tcp(mut stream, _) => stream.write_all(&packet).ok(),
        Accepted::Unix(mut stream) => stream.write_all(&packet).ok(),
    };
}

fn prepare(stream: &TcpStream, keepalive: &Keepalive) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let probes = TcpKeepalive::new()
        .with_time(keepalive.idle)
        .with_interval(keepalive.interval)
        .with_retries(keepalive.count);
    socket.set_tcp_keepalive(&probes)?;
    if !keepalive.user_timeout.is_zero() {
        socket.set_tcp_user_timeout(Some(keepalive.user_timeout))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::Duration;

    #[test]
    fn vanished_peers_are_noticed_as_configured() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let seconds = Duration::from_secs;
        let keepalive =
            Keepalive { idle: seconds(7), interval: seconds(3), count: 5, user_timeout: seconds(11) };
        prepare(&stream, &keepalive).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), seconds(7));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), seconds(3));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 5);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(seconds(11)));
    }
}
