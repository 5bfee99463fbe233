//! What the job servers say: who is able to do what, and how much waits.
//!
//! From: one connection to each server, asked again and again by a thread of its own. To: [`Report`]s.
//! Never: keeps the event loop waiting for a server, or asks without a limit on time and bytes.

use super::clock;
use super::log::{Level, Log};
use crate::limits::{
    OBSERVE_BYTES_MAX, OBSERVE_EAGERLY_EVERY, OBSERVE_EVERY, OBSERVE_LIMIT, OBSERVE_PAUSE_MAX,
};
use crate::planner::Moment;
use geartrain_client::{ClientError, Connection, ConnectionLimits, ReplyLimits, ServerAddress, TextCommand};
use geartrain_proto::command::{Command, Explain, Explanation, WorkerRow};
use nix::sys::eventfd::EventFd;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Functions that a row of `workers list` has at most.
const ROW_FUNCTIONS_MAX: usize = 100;

/// What one server said, or why it did not.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) server: ServerAddress,
    /// When it was asked.
    pub(crate) asked: Moment,
    /// When the answer was there.
    pub(crate) answered: Moment,
    pub(crate) seen: Result<Seen, String>,
}

/// What one server said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Whether rows have the jobs that workers run.
    pub(crate) tells_jobs: bool,
    pub(crate) functions: BTreeMap<String, Counts>,
    pub(crate) workers: Vec<WorkerSeen>,
}

/// The counts of one function.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) waiting: u64,
    pub(crate) running: u64,
    pub(crate) workers: u64,
    /// Jobs that ended in a second, where it was asked for and the server knows.
    pub(crate) served_per_second: Option<f64>,
}

/// A connection that is able to do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkerSeen {
    pub(crate) descriptor: i64,
    pub(crate) address: String,
    /// The port it comes from, where the server says so.
    pub(crate) port: Option<u16>,
    pub(crate) client_id: String,
    pub(crate) functions: Vec<String>,
    /// Handles of the jobs it runs; the reference server does not say.
    pub(crate) running: Option<Vec<String>>,
}

/// What the runner and the thread that asks a server tell each other.
#[derive(Debug, Default)]
struct Desk {
    now: Mutex<Shared>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Shared {
    wish: Wish,
    /// What the server said, until the runner takes it. It is not asked again before that: a runner that has much to do
    /// would find ever more reports, each older than the one after it.
    report: Option<Report>,
}

#[derive(Debug, Clone, PartialEq)]
struct Wish {
    /// How long after an answer it is asked again.
    every: Duration,
    is_over: bool,
    /// Functions whose service rate is wanted.
    rates: Vec<String>,
}

impl Default for Wish {
    fn default() -> Self {
        Self { every: OBSERVE_EVERY, is_over: false, rates: Vec::new() }
    }
}

/// A server that is asked.
#[derive(Debug)]
struct Watched {
    server: ServerAddress,
    desk: Arc<Desk>,
    /// Since when the configuration does not name it any more.
    gone: Option<Moment>,
    asking: Asking,
}

/// Whether there is a thread that asks a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    Due,
    /// None could be made, which was said.
    Refused,
    Begun,
}

#[derive(Debug)]
pub(crate) struct Observers {
    servers: Vec<Watched>,
    wake: Arc<EventFd>,
}

impl Observers {
    pub(crate) fn new(wake: Arc<EventFd>) -> Self {
        Self { servers: Vec::new(), wake }
    }

    /// Watches these servers; those that are gone from the configuration until [`Observers::leave_gone`].
    pub(crate) fn set_servers(&mut self, now: Moment, wanted: &[ServerAddress]) {
        for watched in &mut self.servers {
            let is_wanted = wanted.contains(&watched.server);
            watched.gone = if is_wanted { None } else { watched.gone.or(Some(now)) };
        }
        for server in wanted {
            if self.servers.iter().any(|watched| watched.server == *server) {
                continue;
            }
            let (desk, asking) = (Arc::default(), Asking::Due);
            self.servers.push(Watched { server: server.clone(), desk, gone: None, asking });
        }
    }

    /// Begins to ask those that nobody asks; where no thread can be made, that is said once, and tried again with the
    /// next call.
    pub(crate) fn start(&mut self, log: &Log) {
        for watched in self.servers.iter_mut().filter(|watched| watched.asking != Asking::Begun) {
            let observer = Observer {
                server: watched.server.clone(),
                desk: Arc::clone(&watched.desk),
                wake: Arc::clone(&self.wake),
                connection: None,
                is_typed: true,
            };
            let thread = thread::Builder::new().name("observer".to_owned());
            let Err(error) = thread.spawn(move || observer.run()) else {
                watched.asking = Asking::Begun;
                continue;
            };
            let error = format!("no thread can ask it: {error}");
            if watched.asking == Asking::Due {
                log.say(Level::Error, &format!("{}: {error} (it is tried again)", watched.server));
            }
            watched.asking = Asking::Refused;
            let now = clock::now();
            let server = watched.server.clone();
            watched.desk.put_report(Report { server, asked: now, answered: now, seen: Err(error) });
            // A counter that is full wakes as well.
            let _full = self.wake.write(1);
        }
    }

    /// Leaves those that are gone from the configuration, but for those that are needed; whether there were any.
    pub(crate) fn leave_gone(&mut self, is_needed: impl Fn(&ServerAddress, Moment) -> bool) -> bool {
        let before = self.servers.len();
        self.servers.retain(|watched| {
            let stays = watched.gone.is_none_or(|gone| is_needed(&watched.server, gone));
            if !stays {
                watched.desk.set(|wish| wish.is_over = true);
            }
            stays
        });
        self.servers.len() < before
    }

    /// The servers that are asked, and whether the configuration names each.
    pub(crate) fn servers(&self) -> impl Iterator<Item = (&ServerAddress, bool)> {
        self.servers.iter().map(|watched| (&watched.server, watched.gone.is_none()))
    }

    /// How often is asked, and the rates of which functions.
    pub(crate) fn steer(&self, every: Duration, rates: &[String]) {
        for watched in &self.servers {
            watched.desk.set(|wish| {
                wish.every = every;
                if wish.rates != rates {
                    wish.rates = rates.to_vec();
                }
            });
        }
    }

    /// What came since.
    pub(crate) fn reports(&self) -> Vec<Report> {
        self.servers.iter().filter_map(|watched| watched.desk.take_report()).collect()
    }
}

impl Drop for Observers {
    fn drop(&mut self) {
        for watched in &self.servers {
            watched.desk.set(|wish| wish.is_over = true);
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, change: impl FnOnce(&mut Wish)) {
        let mut now = self.lock();
        let before = now.wish.clone();
        change(&mut now.wish);
        if now.wish != before {
            self.changed.notify_all();
        }
    }

    fn wish(&self) -> Wish {
        self.lock().wish.clone()
    }

    fn put_report(&self, report: Report) {
        self.lock().report = Some(report);
    }

    fn take_report(&self) -> Option<Report> {
        let report = self.lock().report.take();
        if report.is_some() {
            self.changed.notify_all();
        }
        report
    }

    /// Waits this long, or, where `may_hurry`, until somebody is in more of a hurry than at the beginning; and in any
    /// case until the last report was taken.
    fn wait(&self, limit: Duration, may_hurry: bool) {
        let is_patient = |now: &mut Shared| !(now.wish.is_over || may_hurry && now.wish.every < limit);
        drop(self.changed.wait_timeout_while(self.lock(), limit, is_patient));
        let is_untaken = |now: &mut Shared| !now.wish.is_over && now.report.is_some();
        drop(self.changed.wait_while(self.lock(), is_untaken));
    }
}

/// The thread that asks one server.
struct Observer {
    server: ServerAddress,
    desk: Arc<Desk>,
    wake: Arc<EventFd>,
    connection: Option<Connection>,
    /// Whether the server may know typed commands.
    is_typed: bool,
}

impl Observer {
    fn run(mut self) {
        let mut pause = OBSERVE_EAGERLY_EVERY;
        loop {
            let wish = self.desk.wish();
            if wish.is_over {
                return;
            }
            let asked = clock::now();
            let seen = self.ask(&wish).map_err(|error| error.to_string());
            let is_seen = seen.is_ok();
            let report = Report { server: self.server.clone(), asked, answered: clock::now(), seen };
            self.desk.put_report(report);
            // A counter that is full wakes as well.
            let _full = self.wake.write(1);
            if is_seen {
                pause = OBSERVE_EAGERLY_EVERY;
                self.desk.wait(wish.every, true);
            } else {
                self.connection = None;
                // Hurry does not bring a server back.
                self.desk.wait(pause, false);
                pause = (pause * 2).min(OBSERVE_PAUSE_MAX);
            }
        }
    }

    fn ask(&mut self, wish: &Wish) -> Result<Seen, ClientError> {
        let mut seen = Seen::default();
        let workers = match self.is_typed {
            true => self.typed_workers(),
            false => self.text_workers(),
        };
        seen.workers = match workers {
            Ok(workers) => workers,
            Err(
                ClientError::NoTypedCommands { .. }
                | ClientError::NotRows { .. }
                | ClientError::Row { .. }
                | ClientError::Refused { .. },
            ) if self.is_typed => {
                // The reference's server: what is left of its reply is on that connection.
                self.is_typed = false;
                self.connection = None;
                self.text_workers()?
            }
            Err(error) => {
                self.is_typed = true;
                return Err(error);
            }
        };
        seen.tells_jobs = self.is_typed;
        seen.functions = self.status()?;
        if self.is_typed {
            for function in &wish.rates {
                let rate = self.rate(function)?;
                if let Some(counts) = seen.functions.get_mut(function) {
                    counts.served_per_second = rate;
                }
            }
        }
        Ok(seen)
    }

    fn connection(&mut self) -> Result<&mut Connection, ClientError> {
        if self.connection.is_none() {
            let limits = ConnectionLimits {
                connect: OBSERVE_LIMIT,
                write: OBSERVE_LIMIT,
                ..ConnectionLimits::default()
            };
            self.connection = Some(Connection::open(&self.server, &limits)?);
        }
        let closed = ClientError::Closed { server: self.server.clone(), doing: "connecting" };
        self.connection.as_mut().ok_or(closed)
    }

    fn typed_workers(&mut self) -> Result<Vec<WorkerSeen>, ClientError> {
        let command = Command::WorkersList(Box::default());
        let rows = self.connection()?.ask_pages(command, reply_limits())?;
        let workers: Result<Vec<WorkerSeen>, ClientError> =
            rows.typed::<WorkerRow>().map(|row| row.map(of_row)).collect();
        let mut workers = workers?;
        if workers.iter().any(|worker| worker.functions.len() >= ROW_FUNCTIONS_MAX) {
            // The typed row has no more of them; the line of text has all.
            let mut whole: BTreeMap<i64, Vec<String>> = self
                .text_workers()?
                .into_iter()
                .map(|worker| (worker.descriptor, worker.functions))
                .collect();
            for worker in &mut workers {
                if let Some(functions) = whole.remove(&worker.descriptor) {
                    worker.functions = functions;
                }
            }
        }
        Ok(workers)
    }

    fn text_workers(&mut self) -> Result<Vec<WorkerSeen>, ClientError> {
        let mut reply = self.connection()?.ask(&TextCommand::Workers, reply_limits())?;
        let mut workers = Vec::new();
        while let Some(row) = reply.next_line()? {
            workers.extend(parse_worker(&String::from_utf8_lossy(row)));
        }
        Ok(workers)
    }

    fn status(&mut self) -> Result<BTreeMap<String, Counts>, ClientError> {
        let mut reply = self.connection()?.ask(&TextCommand::Status, reply_limits())?;
        let mut functions = BTreeMap::new();
        while let Some(row) = reply.next_line()? {
            functions.extend(parse_status(&String::from_utf8_lossy(row)));
        }
        Ok(functions)
    }

    fn rate(&mut self, function: &str) -> Result<Option<f64>, ClientError> {
        let explain = Explain { function: Some(function.into()), ..Explain::default() };
        let mut rows = self.connection()?.ask_typed(&Command::Explain(Box::new(explain)), reply_limits())?;
        let mut rate = None;
        loop {
            match rows.next_typed::<Explanation>() {
                Ok(Some(row)) => {
                    let of_minute = u32::try_from(row.served_per_minute).unwrap_or(u32::MAX);
                    rate = Some(f64::from(of_minute) / 60.0);
                }
                Ok(None) => return Ok(rate),
                // It does not know the function yet.
                Err(ClientError::Command { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

fn reply_limits() -> ReplyLimits {
    ReplyLimits { silence: OBSERVE_LIMIT, reply_bytes_max: OBSERVE_BYTES_MAX }
}

fn of_row(row: WorkerRow) -> WorkerSeen {
    WorkerSeen {
        descriptor: i64::from(row.descriptor),
        address: row.address,
        port: row.port,
        client_id: String::from_utf8_lossy(row.client_id.as_bytes()).into_owned(),
        functions: row.functions.iter().map(ToString::to_string).collect(),
        running: Some(
            row.running.iter().map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned()).collect(),
        ),
    }
}

/// A row of `workers`: `33 127.0.0.1 some id : f g`; none for a connection that is able to do nothing.
fn parse_worker(row: &str) -> Option<WorkerSeen> {
    // A client id may have spaces and colons; functions cannot be told from it but by the last colon.
    let (head, functions) = row.rsplit_once(" :")?;
    let (descriptor, head) = head.split_once(' ')?;
    let (address, client_id) = head.split_once(' ').unwrap_or((head, "-"));
    let functions: Vec<String> =
        functions.split(' ').filter(|it| !it.is_empty()).map(str::to_owned).collect();
    if functions.is_empty() {
        return None;
    }
    Some(WorkerSeen {
        descriptor: descriptor.parse().ok()?,
        address: address.to_owned(),
        port: None,
        client_id: client_id.to_owned(),
        functions,
        running: None,
    })
}

/// A row of `status`: function, jobs, running jobs, workers.
fn parse_status(row: &str) -> Option<(String, Counts)> {
    let mut fields = row.rsplitn(4, '\t');
    let mut number = || fields.next()?.parse::<u64>().ok();
    let (workers, running, jobs) = (number()?, number()?, number()?);
    let function = fields.next()?.to_owned();
    let waiting = jobs.saturating_sub(running);
    Some((function, Counts { waiting, running, workers, served_per_second: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_servers_write_them() {
        let worker = parse_worker("33 127.0.0.1 my : id : resize mail").unwrap();
        assert_eq!((worker.descriptor, worker.address.as_str()), (33, "127.0.0.1"));
        assert_eq!(
            (worker.client_id.as_str(), worker.functions),
            ("my : id", vec!["resize".into(), "mail".into()])
        );
        assert_eq!(parse_worker("34 127.0.0.1 - :"), None);
        let (function, counts) = parse_status("resize\t7\t2\t3").unwrap();
        let expected = Counts { waiting: 5, running: 2, workers: 3, served_per_second: None };
        assert_eq!((function.as_str(), counts), ("resize", expected));
        assert_eq!(parse_status("."), None);
    }

    #[test]
    fn a_server_is_asked_again_only_when_what_it_said_last_was_taken() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (asked, asks) = std::sync::mpsc::channel();
        // It closes each connection at once, which is an answer as well.
        thread::spawn(move || while listener.accept().is_ok() && asked.send(()).is_ok() {});
        let wake = Arc::new(EventFd::new().unwrap());
        let mut observers = Observers::new(Arc::clone(&wake));
        observers.set_servers(clock::now(), &[ServerAddress::parse(&address, 1).unwrap()]);
        observers.start(&Log::new().unwrap());
        let limit = Duration::from_secs(30);
        for _ in 0..2 {
            asks.recv_timeout(limit).unwrap();
            wake.read().unwrap();
            assert!(
                asks.recv_timeout(OBSERVE_EAGERLY_EVERY * 5).is_err(),
                "asked while nobody took the answer"
            );
            assert_eq!(observers.reports().len(), 1);
        }
    }
}
