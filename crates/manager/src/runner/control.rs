//! The control socket: requests in, replies out.
//!
//! From: `gearman-manager ctl`. To: the runner, request by request.
//! Never: waits for a client, or keeps more for it than its limit.

use super::poll::{Poll, Token};
use crate::limits::{CONTROL_ANSWER_BYTES_MAX, CONTROL_CLIENTS_MAX, CONTROL_REQUEST_BYTES_MAX};
use crate::planner::Pick;
use crate::protocol::{Reply, Request};
use nix::sys::stat::Mode;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct Control {
    path: PathBuf,
    listener: UnixListener,
    clients: BTreeMap<u64, Client>,
    next: u64,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    follow: Option<Pick>,
    /// It wants nothing more: it goes when its outbox is empty.
    is_leaving: bool,
}

impl Control {
    /// Listens; a socket that nobody listens on any more is replaced.
    pub(crate) fn open(path: &Path, mode: u32, poll: &Poll) -> io::Result<Self> {
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(ErrorKind::AddrInUse, "somebody listens there already"));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        // Nobody else may come in before its permissions are what they should be.
        let before = nix::sys::stat::umask(Mode::from_bits_truncate(0o177));
        let listener = UnixListener::bind(path);
        nix::sys::stat::umask(before);
        let listener = listener?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        listener.set_nonblocking(true)?;
        poll.add(&listener, Token::Listener)?;
        Ok(Self { path: path.to_owned(), listener, clients: BTreeMap::new(), next: 0 })
    }

    /// Takes in those who knock.
    pub(crate) fn accept(&mut self, poll: &Poll) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.clients.len() >= CONTROL_CLIENTS_MAX || stream.set_nonblocking(true).is_err() {
                continue;
            }
            self.next += 1;
            if poll.add(&stream, Token::Client(self.next)).is_ok() {
                let (inbox, outbox) = (Vec::new(), Vec::new());
                let client = Client { stream, inbox, outbox, follow: None, is_leaving: false };
                self.clients.insert(self.next, client);
            }
        }
    }

    /// The requests that a client has sent whole.
    pub(crate) fn read(&mut self, poll: &Poll, number: u64) -> Vec<Result<Request, String>> {
        let Some(client) = self.clients.get_mut(&number) else { return Vec::new() };
        let mut requests = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match client.stream.read(&mut chunk) {
                Ok(0) => {
                    client.is_leaving = true;
                    client.follow = None;
                    break;
                }
                Ok(count) => client.inbox.extend_from_slice(chunk.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.leave(poll, number);
                    return Vec::new();
                }
            }
            while let Some(end) = client.inbox.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = client.inbox.drain(..=end).collect();
                let request = serde_json::from_slice(&line);
                requests.push(request.map_err(|error| format!("the request is not understood: {error}")));
            }
            if client.inbox.len() > CONTROL_REQUEST_BYTES_MAX {
                self.leave(poll, number);
                return Vec::new();
            }
        }
        requests
    }

    /// Sends a reply; a client that does not read is left.
    pub(crate) fn send(&mut self, number: u64, reply: &Reply) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        // Nothing in a reply can fail to be JSON.
        let Ok(mut line) = serde_json::to_vec(reply) else { return };
        line.push(b'\n');
        client.outbox.append(&mut line);
    }

    /// This client hears what these processes write from now on.
    pub(crate) fn follow(&mut self, number: u64, pick: Pick) {
        if let Some(client) = self.clients.get_mut(&number) {
            client.follow = Some(pick);
        }
    }

    /// Those who follow, and what.
    pub(crate) fn followers(&self) -> Vec<(u64, Pick)> {
        let followers = self.clients.iter().filter_map(|(number, it)| Some((*number, it.follow.clone()?)));
        followers.collect()
    }

    /// Writes what can be written, and lets go whom nothing more is to be said.
    pub(crate) fn flush(&mut self, poll: &Poll) {
        let mut gone = Vec::new();
        for (number, client) in &mut self.clients {
            let has_waited = !client.outbox.is_empty();
            let is_broken = client.write().is_err() || client.outbox.len() > CONTROL_ANSWER_BYTES_MAX;
            let waits = !client.outbox.is_empty();
            let is_done = client.is_leaving && !waits;
            let token = Token::Client(*number);
            let is_lost = has_waited && poll.watch_writing(&client.stream, token, waits).is_err();
            if is_broken || is_done || is_lost {
                gone.push(*number);
            }
        }
        gone.into_iter().for_each(|number| self.leave(poll, number));
    }

    fn leave(&mut self, poll: &Poll, number: u64) {
        if let Some(client) = self.clients.remove(&number) {
            poll.remove(&client.stream);
        }
    }
}

impl Client {
    fn write(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.outbox.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = fs::remove_file(&self.path);
    }
}
