//! The control socket: requests in, replies out.
//!
//! From: `gearman-manager ctl`. To: the runner, request by request.
//! Never: waits for a client, keeps more for it than its limit, or removes a file that is no socket.

use super::account;
use super::folder::kind;
use super::poll::{Interest, Poll, Token};
use crate::config::Config;
use crate::limits::{
    ACCEPT_PAUSE, CONTROL_ANSWER_BYTES_MAX, CONTROL_CLIENTS_MAX, CONTROL_REQUEST_BYTES_MAX,
    CONTROL_UNREAD_BYTES_MAX,
};
use crate::planner::{Moment, Pick};
use crate::protocol::{Reply, Request};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{Gid, Uid, fchownat};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct Control {
    path: PathBuf,
    listener: UnixListener,
    /// Until when nobody is taken in, since there is no descriptor left.
    rests_until: Option<Moment>,
    clients: BTreeMap<u64, Client>,
    next: u64,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    follow: Option<Pick>,
    /// It says nothing more: it goes when its requests are answered and its outbox is empty.
    is_leaving: bool,
    interest: Interest,
}

impl Control {
    /// Listens; a socket that nobody listens on any more is replaced.
    pub(crate) fn open(config: &Config, poll: &Poll) -> io::Result<Self> {
        let path = &config.socket;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        remove_abandoned(path)?;
        let user = config.socket_user.as_deref().map(account::user_of).transpose()?.map(|(user, _)| user);
        let group = config.socket_group.as_deref().map(account::group_of).transpose()?;
        // Nobody else may come in before its permissions are what they should be.
        let before = nix::sys::stat::umask(Mode::from_bits_truncate(0o177));
        let listener = UnixListener::bind(path);
        nix::sys::stat::umask(before);
        let listener = listener?;
        hand_over(path, user, group, config.socket_mode)?;
        listener.set_nonblocking(true)?;
        poll.add(&listener, Token::Listener)?;
        Ok(Self { path: path.clone(), listener, rests_until: None, clients: BTreeMap::new(), next: 0 })
    }

    /// Takes in those who knock.
    pub(crate) fn accept(&mut self, now: Moment, poll: &Poll) {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if is_exhausted(&error) => {
                    // Whoever knocks waits meanwhile; the kernel would say so without end.
                    if poll.watch(&self.listener, Token::Listener, Interest::NONE).is_ok() {
                        self.rests_until = Some(now + ACCEPT_PAUSE);
                    }
                    return;
                }
                Err(_) => return,
            };
            if self.clients.len() >= CONTROL_CLIENTS_MAX || stream.set_nonblocking(true).is_err() {
                continue;
            }
            self.next += 1;
            if poll.add(&stream, Token::Client(self.next)).is_ok() {
                let client = Client {
                    stream,
                    inbox: Vec::new(),
                    outbox: Vec::new(),
                    follow: None,
                    is_leaving: false,
                    interest: Interest::READING,
                };
                self.clients.insert(self.next, client);
            }
        }
    }

    /// When to take clients in again, where there was no descriptor left.
    pub(crate) fn due(&self) -> Option<Moment> {
        self.rests_until
    }

    pub(crate) fn handle_time(&mut self, now: Moment, poll: &Poll) {
        if self.rests_until.is_some_and(|until| until <= now)
            && poll.watch(&self.listener, Token::Listener, Interest::READING).is_ok()
        {
            self.rests_until = None;
        }
    }

    /// Takes in what a client has sent, a part at a time.
    pub(crate) fn read(&mut self, poll: &Poll, number: u64) {
        let Some(client) = self.clients.get_mut(&number).filter(|it| it.may_read()) else { return };
        let mut chunk = [0; 4096];
        match client.stream.read(&mut chunk) {
            Ok(0) => {
                client.is_leaving = true;
                client.follow = None;
            }
            Ok(count) => client.inbox.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(_) => self.leave(poll, number),
        }
    }

    /// The next request that a client has sent whole, unless it has not read the replies to those before.
    pub(crate) fn next_request(&mut self, number: u64) -> Option<Result<Request, String>> {
        let client = self.clients.get_mut(&number).filter(|it| it.has_room())?;
        let end = client.inbox.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = client.inbox.drain(..=end).collect();
        let request = serde_json::from_slice(&line);
        Some(request.map_err(|error| format!("the request is not understood: {error}")))
    }

    /// Clients whose requests could be answered now.
    pub(crate) fn waiting(&self) -> Vec<u64> {
        let is_waiting = |client: &Client| client.has_room() && client.has_request();
        self.clients.iter().filter(|(_, it)| is_waiting(it)).map(|(number, _)| *number).collect()
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
        if let Some(client) = self.clients.get_mut(&number).filter(|it| !it.is_leaving) {
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
            let is_broken = client.write().is_err() || client.outbox.len() > CONTROL_ANSWER_BYTES_MAX;
            let is_endless = !client.has_request() && client.inbox.len() > CONTROL_REQUEST_BYTES_MAX;
            let is_done = client.is_leaving && client.outbox.is_empty() && !client.has_request();
            let wanted = Interest { reading: client.may_read(), writing: !client.outbox.is_empty() };
            let mut is_lost = false;
            if wanted != client.interest {
                is_lost = poll.watch(&client.stream, Token::Client(*number), wanted).is_err();
                client.interest = wanted;
            }
            if is_broken || is_endless || is_done || is_lost {
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

/// Gives the socket to whom it is to belong.
///
/// Where others may write to its folder, they may have put a link to something of root there by now: so it is opened
/// once, and looked at, and not named again.
fn hand_over(path: &Path, user: Option<Uid>, group: Option<Gid>, mode: u32) -> io::Result<()> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let socket = open(path, flags, Mode::empty())?;
    let stat = fstat(&socket)?;
    if kind(&stat) != SFlag::S_IFSOCK || stat.st_nlink != 1 {
        let text = "somebody put something else in the place of the socket";
        return Err(io::Error::new(ErrorKind::PermissionDenied, text));
    }
    if user.is_some() || group.is_some() {
        fchownat(&socket, "", user, group, AtFlags::AT_EMPTY_PATH)?;
    }
    let opened = format!("/proc/self/fd/{}", socket.as_raw_fd());
    fs::set_permissions(opened, fs::Permissions::from_mode(mode))
}

/// Removes what an earlier manager left there: a socket that nobody listens on.
fn remove_abandoned(path: &Path) -> io::Result<()> {
    let is_socket = match fs::symlink_metadata(path) {
        Ok(there) => there.file_type().is_socket(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !is_socket {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "there is something that is no socket"));
    }
    // Only a refusal says that nobody listens; one whose queue is full is busy, and does not make us wait.
    match connect_at_once(path) {
        Err(Errno::ECONNREFUSED) => fs::remove_file(path),
        Ok(()) | Err(_) => Err(io::Error::new(ErrorKind::AddrInUse, "somebody listens there already")),
    }
}

fn connect_at_once(path: &Path) -> nix::Result<()> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)
}

/// Whether there is no descriptor, or no memory for one, left.
fn is_exhausted(error: &io::Error) -> bool {
    let exhausted = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
    error.raw_os_error().is_some_and(|code| exhausted.iter().any(|it| *it as i32 == code))
}

impl Client {
    /// Whether it has read enough of what it was sent to be answered more.
    fn has_room(&self) -> bool {
        self.outbox.len() <= CONTROL_UNREAD_BYTES_MAX
    }

    fn has_request(&self) -> bool {
        self.inbox.contains(&b'\n')
    }

    fn may_read(&self) -> bool {
        !self.is_leaving && self.has_room() && self.inbox.len() <= CONTROL_REQUEST_BYTES_MAX
    }

    fn write(&mut self) -> io::Result<()> {
        let mut written = 0;
        let result = loop {
            let rest = self.outbox.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            match self.stream.write(rest) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.outbox.drain(..written);
        result
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn config(folder: &Path) -> Config {
        Config { socket: folder.join("socket"), ..Config::default() }
    }

    #[test]
    fn a_file_that_is_no_socket_stays_and_an_abandoned_socket_goes() {
        let _forks = crate::runner::forks::none();
        let folder = tempfile::tempdir().unwrap();
        let (config, poll) = (config(folder.path()), Poll::new().unwrap());
        fs::write(&config.socket, "precious").unwrap();
        let error = Control::open(&config, &poll).unwrap_err();
        assert_eq!(error.to_string(), "there is something that is no socket");
        assert_eq!(fs::read_to_string(&config.socket).unwrap(), "precious");
        fs::remove_file(&config.socket).unwrap();
        drop(UnixListener::bind(&config.socket).unwrap());
        let control = Control::open(&config, &poll).unwrap();
        let error = Control::open(&config, &poll).unwrap_err();
        assert_eq!(error.to_string(), "somebody listens there already");
        drop(control);
        assert!(!config.socket.exists());
    }

    #[test]
    fn the_socket_belongs_to_whom_the_configuration_says() {
        if !nix::unistd::Uid::effective().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (user, group) = (Some("12345".to_owned()), Some("54321".to_owned()));
        let config =
            Config { socket_user: user, socket_group: group, socket_mode: 0o660, ..config(folder.path()) };
        let _control = Control::open(&config, &Poll::new().unwrap()).unwrap();
        let there = config.socket.metadata().unwrap();
        assert_eq!((there.uid(), there.gid(), there.mode() & 0o777), (12_345, 54_321, 0o660));
    }

    #[test]
    fn nothing_but_the_socket_is_handed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("precious"), "").unwrap();
        fs::set_permissions(path("precious"), fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink("precious", path("link")).unwrap();
        fs::hard_link(path("precious"), path("second")).unwrap();
        let _theirs = UnixListener::bind(path("theirs")).unwrap();
        fs::hard_link(path("theirs"), path("taken")).unwrap();
        for name in ["precious", "link", "second", "taken"] {
            let error = hand_over(&path(name), None, None, 0o666).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{name}");
        }
        assert_eq!(path("precious").metadata().unwrap().mode() & 0o777, 0o600);
        let _ours = UnixListener::bind(path("ours")).unwrap();
        hand_over(&path("ours"), None, None, 0o620).unwrap();
        assert_eq!(path("ours").metadata().unwrap().mode() & 0o777, 0o620);
    }

    /// A control socket with one client that has sent this.
    fn with_client(folder: &Path, sent: &[u8]) -> (Control, Poll, UnixStream) {
        let (config, poll) = (config(folder), Poll::new().unwrap());
        let mut control = Control::open(&config, &poll).unwrap();
        let mut client = UnixStream::connect(&config.socket).unwrap();
        client.write_all(sent).unwrap();
        control.accept(Moment::default(), &poll);
        (control, poll, client)
    }

    #[test]
    fn who_does_not_read_is_not_answered_on() {
        let folder = tempfile::tempdir().unwrap();
        let requests = b"{\"command\":\"status\"}\n".repeat(1000);
        let (mut control, poll, _client) = with_client(folder.path(), &requests);
        let long = Reply::Done { text: "x".repeat(150 * 1024) };
        let mut answered = 0;
        for _ in 0..1000 {
            control.read(&poll, 1);
            while let Some(request) = control.next_request(1) {
                assert_eq!(request, Ok(Request::Status));
                control.send(1, &long);
                answered += 1;
            }
            control.flush(&poll);
        }
        // The kernel takes a few for it, and one or two wait with us.
        let kept = control.clients[&1].outbox.len();
        assert!(answered < 10 && kept < 400 * 1024, "{answered} answered, {kept} bytes kept");
        assert!(control.clients[&1].inbox.len() < 2 * CONTROL_REQUEST_BYTES_MAX);
    }

    #[test]
    fn who_has_said_all_and_reads_slowly_wakes_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (mut control, poll, client) = with_client(folder.path(), b"{\"command\":\"status\"}\n");
        client.shutdown(std::net::Shutdown::Write).unwrap();
        control.read(&poll, 1);
        assert!(control.next_request(1).is_some());
        control.send(1, &Reply::Done { text: "x".repeat(4 * 1024 * 1024) });
        control.read(&poll, 1);
        control.flush(&poll);
        assert!(control.clients.contains_key(&1), "it is to have its answer");
        let woken = poll.wait(Some(std::time::Duration::ZERO)).unwrap();
        assert!(!woken.contains(&Token::Client(1)), "{woken:?}");
    }
}
