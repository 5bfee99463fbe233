//! Putting a worker together.

use super::bell::Bell;
use super::driver::Functions;
use super::handler::{BlockingHandler, Handler, blocking};
use super::job::Job;
use super::limits::{TIMEOUT_MAX, TIMEOUT_MIN, WorkerLimits};
use super::report::JobReport;
use super::shared::{AfterJob, BeforeJob, Begin, Erased, Function, OnConnect, Shared, Tasks};
use super::shutdown::ShutdownHandle;
use super::slots::Slots;
use super::{Group, Lifetime, Worker};
use crate::address::{ServerAddress, ServerList};
use crate::build_error::BuildError;
use crate::net::Pauses;
use geartrain_proto::limits::{CLIENT_ID_BYTES_MAX, FUNCTION_BYTES_MAX};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A function that a worker is able to do, and how.
///
/// A name alone is one without a time limit, of which as many jobs may be in hand as the worker may have.
///
/// ```
/// use geartrain_client::worker::Ability;
/// use std::time::Duration;
///
/// let resize = Ability::new("resize").timeout(Duration::from_secs(30)).at_once(2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ability {
    function: String,
    timeout: Option<Duration>,
    at_once: Option<usize>,
}

impl Ability {
    /// The ability to do this function.
    #[must_use]
    pub fn new(function: impl Into<String>) -> Self {
        Self { function: function.into(), timeout: None, at_once: None }
    }

    /// Sets the longest time a job may take (`CAN_DO_TIMEOUT`); range 1 second to 24 days, default and zero none.
    ///
    /// After that the server gives the job to another worker, and a second later this one drops the handler.
    /// gearmand 1.1.20 has one timer for each connection: of several jobs at once it watches only the last, and the
    /// others end with an exception when this worker drops their handlers.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit).filter(|limit| !limit.is_zero());
        self
    }

    /// Sets how many jobs of this function may be in hand at once; default as many as the worker may have.
    ///
    /// A function with a limit of its own gets connections of its own, one to each server: the protocol has no
    /// other way to grab jobs of all functions but one.
    #[must_use]
    pub fn at_once(mut self, jobs: usize) -> Self {
        self.at_once = Some(jobs);
        self
    }
}

impl From<&str> for Ability {
    fn from(function: &str) -> Self {
        Self::new(function)
    }
}

impl From<String> for Ability {
    fn from(function: String) -> Self {
        Self::new(function)
    }
}

/// Puts a [`Worker`] together; see there.
#[must_use = "a builder does nothing before it is built"]
pub struct WorkerBuilder {
    servers: ServerList,
    abilities: Vec<(Ability, Box<dyn Begin>)>,
    at_once: usize,
    jobs_max: Option<u64>,
    lifetime: Option<Duration>,
    lifetime_jitter: Duration,
    patience: Option<Duration>,
    stop_on_signals: bool,
    client_id: Option<String>,
    before_job: Option<BeforeJob>,
    after_job: Option<AfterJob>,
    on_connect: Option<OnConnect>,
    limits: WorkerLimits,
}

impl WorkerBuilder {
    pub(super) fn new() -> Self {
        Self {
            servers: ServerList::default(),
            abilities: Vec::new(),
            at_once: 1,
            jobs_max: None,
            lifetime: None,
            lifetime_jitter: Duration::ZERO,
            patience: None,
            stop_on_signals: false,
            client_id: None,
            before_job: None,
            after_job: None,
            on_connect: None,
            limits: WorkerLimits::default(),
        }
    }

    /// Adds servers, separated by commas: `host`, `host:port`, `[::1]:4730` or `unix:/path`.
    ///
    /// The worker takes jobs of all its servers. Without any, the variable `GEARMAN_SERVERS` names them, and
    /// without that it is `localhost:4730`. What is no address is said by [`WorkerBuilder::build`].
    pub fn servers(mut self, list: impl AsRef<str>) -> Self {
        self.servers.add_list(list.as_ref());
        self
    }

    /// Adds one server.
    pub fn server(mut self, server: ServerAddress) -> Self {
        self.servers.add(server);
        self
    }

    /// Registers a function with the async function or closure that does its jobs.
    ///
    /// What the handler may take and return is said at [`Handler`]. Handlers must not block: one that keeps its
    /// thread holds up other jobs and the connections. For work that keeps a core busy or waits in system calls use
    /// [`WorkerBuilder::register_blocking`].
    ///
    /// Of several functions with waiting jobs, gearmand in its default order serves the one registered first.
    pub fn register<A: 'static>(mut self, ability: impl Into<Ability>, handler: impl Handler<A>) -> Self {
        self.abilities.push((ability.into(), Box::new(Erased::new(handler))));
        self
    }

    /// Registers a function with a function or closure that is not async; it runs on a thread for blocking work.
    ///
    /// It takes and returns what a [`Handler`] does. Reports of a [`Job`] have forms for it, as
    /// [`Job::blocking_status`]. A handler over its time limit is given up, but its thread runs on to its end, and
    /// counts no more among the jobs that are in hand at once.
    pub fn register_blocking<A: 'static>(
        self,
        ability: impl Into<Ability>,
        handler: impl BlockingHandler<A>,
    ) -> Self {
        self.register(ability, blocking(handler))
    }

    /// Sets how many jobs may be in hand at once, over all servers and functions; default 1.
    pub fn at_once(mut self, jobs: usize) -> Self {
        self.at_once = jobs;
        self
    }

    /// Lets the worker leave after this many jobs, for those who recycle processes; default never.
    pub fn jobs_max(mut self, jobs: u64) -> Self {
        self.jobs_max = Some(jobs);
        self
    }

    /// Lets the worker leave after this time, with the jobs in hand done; default never.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Makes each worker's lifetime longer by a random part of this, so that not all leave at once; default zero.
    pub fn lifetime_jitter(mut self, jitter: Duration) -> Self {
        self.lifetime_jitter = jitter;
        self
    }

    /// Sets how long a worker that is to leave waits for its jobs, and for its servers to confirm the last results;
    /// default until jobs are over, and 5 seconds for a server that says nothing.
    ///
    /// After that handlers are dropped, and servers give their jobs to other workers.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Lets the worker leave at SIGTERM and SIGINT as with [`ShutdownHandle::shutdown`], at the second one at once.
    ///
    /// The process does not end at these signals by itself any more, when the worker has left neither.
    pub fn stop_on_signals(mut self) -> Self {
        self.stop_on_signals = true;
        self
    }

    /// Sets the name that servers list this worker by (`SET_CLIENT_ID`); default none.
    ///
    /// At most 127 bytes, without white space.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self
    }

    /// Calls this before each job. It must be quick, since the job waits for it.
    pub fn before_job(mut self, hook: impl Fn(&Job) + Send + Sync + 'static) -> Self {
        self.before_job = Some(Box::new(hook));
        self
    }

    /// Calls this after each job, for logging and measuring. It must be quick, since the next job may wait for it.
    pub fn after_job(mut self, hook: impl Fn(&JobReport<'_>) + Send + Sync + 'static) -> Self {
        self.after_job = Some(Box::new(hook));
        self
    }

    /// Calls this when a server has taken a connection and knows what this worker does; each time it connects anew as
    /// well, and once for each connection, of which a function with a limit of its own has one. It must be quick.
    pub fn on_connect(mut self, hook: impl Fn(&ServerAddress) + Send + Sync + 'static) -> Self {
        self.on_connect = Some(Box::new(hook));
        self
    }

    /// How long connecting to a server may take, over all addresses of its host; default 10 seconds.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.limits.connect = limit;
        self
    }

    /// How long a server may leave a grab unanswered, while jobs that it assigned are in hand, before the connection is
    /// given up; default 60 seconds.
    pub fn answer_timeout(mut self, limit: Duration) -> Self {
        self.limits.answer = limit;
        self
    }

    /// The same while no job is in hand that could be lost; default 10 seconds. Meanwhile the grab has a slot that
    /// other servers could use.
    pub fn grab_timeout(mut self, limit: Duration) -> Self {
        self.limits.grab = limit;
        self
    }

    /// How long a server may take none of the bytes written to it; default 60 seconds. Then the connection is given up.
    pub fn write_timeout(mut self, limit: Duration) -> Self {
        self.limits.write = limit;
        self
    }

    /// How often a sleeping worker looks for work by itself; default 30 seconds.
    ///
    /// It finds jobs that its server forgot to wake anybody for (gearmand 1.1.20: those whose time has come), and
    /// notices a server that is gone without a word.
    pub fn look_every(mut self, pause: Duration) -> Self {
        self.limits.look_every = pause;
        self
    }

    /// The pauses between tries to reach a server: the first, about, and the longest; default 100 ms and 15 seconds.
    /// Each is twice as long as the one before, with up to as much again by chance. A pause below 1 ms is raised to
    /// that, and a longest below the first to the first.
    pub fn reconnect_pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.limits.pauses = Pauses { first, longest };
        self
    }

    /// Largest packet taken from a server, in bytes; default 256 MiB. A larger one ends the connection.
    pub fn body_bytes_max(mut self, bytes: u32) -> Self {
        self.limits.body_bytes_max = bytes;
        self
    }

    /// How many bytes may wait for a server to take them; default 1 MiB. With more, handlers that report wait, and no
    /// further jobs are asked for.
    pub fn unwritten_bytes_max(mut self, bytes: usize) -> Self {
        self.limits.unwritten_bytes_max = bytes;
        self
    }

    /// Puts the worker together. It connects when it runs.
    ///
    /// # Errors
    /// When an address is none, no function is registered or one twice, none may have a job in hand, or a time limit or
    /// the client id is none that servers keep.
    pub fn build(self) -> Result<Worker, BuildError> {
        if self.at_once == 0 {
            return Err(BuildError::NoneAtOnce { what: "the worker".to_owned() });
        }
        if let Some(id) = self.client_id.as_ref().filter(|id| !is_client_id(id)) {
            return Err(BuildError::ClientId { id: id.clone() });
        }
        let servers = self.servers.finish()?;
        let watcher = Arc::new(Bell::default());
        let slots = Slots::new(self.at_once, self.jobs_max, Arc::clone(&watcher));
        let groups = group(self.abilities, self.at_once, &slots)?;
        let shared = Shared {
            slots,
            limits: self.limits,
            client_id: self.client_id,
            before_job: self.before_job,
            after_job: self.after_job,
            on_connect: self.on_connect,
            tasks: Tasks::new(Arc::clone(&watcher)),
            jobs_begun: Default::default(),
            jobs_abandoned: Default::default(),
        };
        let shared = Arc::new(shared);
        Ok(Worker {
            shutdown: ShutdownHandle::new(Arc::clone(&shared)),
            shared,
            servers,
            groups,
            at_once: self.at_once,
            watcher,
            lifetime: self.lifetime.map(|length| Lifetime { length, jitter: self.lifetime_jitter }),
            patience: self.patience,
            stop_on_signals: self.stop_on_signals,
        })
    }
}

/// Servers list a worker by its id: white space would break the list for its readers, a NUL end it.
fn is_client_id(id: &str) -> bool {
    let is_one_word = !id.contains(|c: char| c.is_whitespace() || c.is_control());
    is_one_word && !id.is_empty() && id.len() <= CLIENT_ID_BYTES_MAX
}

/// Sorts functions by connection: those without a limit of their own share one.
fn group(
    abilities: Vec<(Ability, Box<dyn Begin>)>,
    at_once: usize,
    slots: &Slots,
) -> Result<Vec<Group>, BuildError> {
    if abilities.is_empty() {
        return Err(BuildError::NoFunction);
    }
    let mut names = BTreeSet::new();
    let mut common = Functions { by_name: BTreeMap::new(), order: Vec::new() };
    let mut groups = Vec::new();
    // gearmand serves the function registered last first; so the first one goes last.
    for (ability, handler) in abilities.into_iter().rev() {
        check(&ability)?;
        let name = ability.function;
        if !names.insert(name.clone()) {
            return Err(BuildError::FunctionTwice { function: name });
        }
        let function = Function { timeout: ability.timeout, handler };
        match ability.at_once {
            None => {
                common.by_name.insert(name.clone(), function);
                common.order.push(name);
            }
            Some(limit) => {
                let functions =
                    Functions { by_name: BTreeMap::from([(name.clone(), function)]), order: vec![name] };
                groups.push(Group { functions: Arc::new(functions), slots: slots.add_group(limit) });
            }
        }
    }
    if !common.order.is_empty() {
        groups.push(Group { functions: Arc::new(common), slots: slots.add_group(at_once) });
    }
    Ok(groups)
}

fn check(ability: &Ability) -> Result<(), BuildError> {
    let name = &ability.function;
    if name.is_empty() || name.len() > FUNCTION_BYTES_MAX || name.contains('\0') {
        return Err(BuildError::FunctionName { function: name.clone() });
    }
    if let Some(limit) = ability.timeout
        && !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&limit)
    {
        return Err(BuildError::Timeout { function: name.clone(), limit });
    }
    if ability.at_once == Some(0) {
        return Err(BuildError::NoneAtOnce { what: format!("function {name:?}") });
    }
    Ok(())
}

impl fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let abilities: Vec<&Ability> = self.abilities.iter().map(|(ability, _)| ability).collect();
        f.debug_struct("WorkerBuilder")
            .field("servers", &self.servers)
            .field("abilities", &abilities)
            .field("at_once", &self.at_once)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn nothing(_: Job) {}

    fn refused(builder: WorkerBuilder) -> String {
        builder.build().map(|_| ()).unwrap_err().to_string()
    }

    fn builder() -> WorkerBuilder {
        Worker::builder().servers("localhost")
    }

    #[test]
    fn what_cannot_work_is_refused_before_it_connects() {
        assert_eq!(refused(builder()), "the worker has no function (hint: register one)");
        let one = || builder().register("one", nothing);
        assert_eq!(refused(one().register("one", nothing)), "function \"one\" is registered twice");
        assert_eq!(
            refused(one().at_once(0)),
            "the worker may have no job in hand (hint: at_once is 1 or more)"
        );
        assert_eq!(
            refused(one().register(Ability::new("two").at_once(0), nothing)),
            "function \"two\" may have no job in hand (hint: at_once is 1 or more)"
        );
        assert!(refused(one().servers("host:none")).starts_with("port \"none\" is neither"));
        for name in ["", "a\0b", &"x".repeat(FUNCTION_BYTES_MAX + 1)] {
            assert!(refused(one().register(name, nothing)).starts_with("function name"), "{name:?}");
        }
        for id in ["", "a b", "a\nb", "a\0", &"x".repeat(128)] {
            assert!(refused(one().client_id(id)).starts_with("client id"), "{id:?}");
        }
        for limit in [Duration::from_millis(999), Duration::from_secs(25 * 24 * 60 * 60)] {
            let refusal = refused(one().register(Ability::new("two").timeout(limit), nothing));
            assert!(refusal.contains("from 1 second to 24 days"), "{refusal}");
        }
        assert!(one().client_id("worker-1").build().is_ok());
    }

    #[test]
    fn functions_are_told_in_reverse_so_that_the_first_is_served_first() {
        let worker = builder()
            .register("first", nothing)
            .register(Ability::new("narrow").at_once(1), nothing)
            .register("second", nothing)
            .build()
            .unwrap();
        let orders: Vec<&[String]> = worker.groups.iter().map(|group| &*group.functions.order).collect();
        assert_eq!(orders, [&["narrow".to_owned()][..], &["second".to_owned(), "first".to_owned()]]);
    }
}
