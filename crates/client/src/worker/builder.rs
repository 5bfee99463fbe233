//! Putting a worker together.

use super::bell::Bell;
use super::driver::Functions;
use super::error::BuildError;
use super::handler::{BlockingHandler, Handler, blocking};
use super::job::Job;
use super::limits::WorkerLimits;
use super::report::JobReport;
use super::shared::{AfterJob, BeforeJob, Begin, Erased, Function, Shared, Tasks};
use super::shutdown::ShutdownHandle;
use super::slots::Slots;
use super::{Group, Lifetime, Worker};
use crate::address::{AddressError, DEFAULT_PORT, SERVERS_VARIABLE, ServerAddress};
use geartrain_proto::limits::FUNCTION_BYTES_MAX;
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
    servers: Vec<Result<ServerAddress, AddressError>>,
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
    limits: WorkerLimits,
}

impl WorkerBuilder {
    pub(super) fn new() -> Self {
        Self {
            servers: Vec::new(),
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
            limits: WorkerLimits::default(),
        }
    }

    /// Adds a server: `host`, `host:port`, `[::1]:4730` or `unix:/path`.
    ///
    /// The worker takes jobs of all its servers. Without any, the variable `GEARMAN_SERVERS` names them, and
    /// without that it is `localhost:4730`.
    pub fn server(mut self, server: impl AsRef<str>) -> Self {
        self.servers.push(ServerAddress::parse(server.as_ref(), DEFAULT_PORT));
        self
    }

    /// Adds servers.
    pub fn servers(mut self, servers: impl IntoIterator<Item = ServerAddress>) -> Self {
        self.servers.extend(servers.into_iter().map(Ok));
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

    /// Sets how long a worker that is to leave waits for its jobs; default until they are over.
    ///
    /// After that handlers are dropped, and servers give their jobs to other workers.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Lets the worker leave at SIGTERM and SIGINT as with [`ShutdownHandle::shutdown`], at the second one at once.
    pub fn stop_on_signals(mut self) -> Self {
        self.stop_on_signals = true;
        self
    }

    /// Sets the name that servers list this worker by (`SET_CLIENT_ID`); default none.
    ///
    /// White space would break the list for its readers.
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

    /// Sets the limits of connections.
    pub fn limits(mut self, limits: WorkerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Puts the worker together. It connects when it runs.
    ///
    /// # Errors
    /// When an address is none, no function is registered or one twice, or none may have a job in hand.
    pub fn build(self) -> Result<Worker, BuildError> {
        if self.at_once == 0 {
            return Err(BuildError::NoneAtOnce { what: "the worker".to_owned() });
        }
        let servers = match self.servers {
            servers if servers.is_empty() => servers_of_environment()?,
            servers => servers.into_iter().collect::<Result<Vec<_>, _>>()?,
        };
        let watcher = Arc::new(Bell::default());
        let slots = Slots::new(self.at_once, self.jobs_max, Arc::clone(&watcher));
        let groups = group(self.abilities, self.at_once, &slots)?;
        let shared = Shared {
            slots,
            limits: self.limits,
            client_id: self.client_id,
            before_job: self.before_job,
            after_job: self.after_job,
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

fn servers_of_environment() -> Result<Vec<ServerAddress>, AddressError> {
    match std::env::var(SERVERS_VARIABLE) {
        Ok(list) if !list.is_empty() => ServerAddress::parse_list(&list, DEFAULT_PORT),
        Ok(_) | Err(_) => Ok(vec![ServerAddress::parse("localhost", DEFAULT_PORT)?]),
    }
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
        Worker::builder().server("localhost")
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
        assert!(refused(one().server("host:none")).starts_with("port \"none\" is neither"));
        for name in ["", "a\0b", &"x".repeat(FUNCTION_BYTES_MAX + 1)] {
            assert!(refused(one().register(name, nothing)).starts_with("function name"), "{name:?}");
        }
        assert!(one().build().is_ok());
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
