//! What the options mean: from a person's words to a typed configuration.
//!
//! From: [`Raw`]. To: [`Resolved`]. Never: touches a port, the name service, or a file other than the one that
//! names the system's time zone, so that `--check-args` can use it.

mod address;
mod zone;

use address::ListenAt;

use crate::raw::Raw;
use anyhow::{Result, anyhow, bail};
use geartrain_core::{FunctionOrder, HANDLE_PREFIX_BYTES_MAX, Limits, Settings, Wakeup};
use geartrain_proto::units::parse_bytes;
use geartrain_server::{Clock, Config, HttpListen, Keepalive, Level, LogTarget, StoreWhen};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Version that clients see: the release of the reference whose behaviour this server has.
pub(crate) const VERSION: &str = "1.1.20";

const HTTP_DEFAULT: &str = "127.0.0.1:8730";
const LOG_DEFAULT: &str = "/var/log/gearmand.log";

/// A configuration that can be started.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) server: Config,
    pub(crate) listen: Vec<ListenAt>,
    pub(crate) backlog: i32,
    pub(crate) queue: Queue,
    pub(crate) log: LogPlan,
    pub(crate) process: Process,
}

/// Where background jobs are kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// In memory.
    Memory,
    /// In this SQLite file.
    File { path: PathBuf, view: String },
    /// In an SQLite file in the state folder, one for each port.
    State { view: String },
}

/// Where to log.
#[derive(Debug)]
pub(crate) struct LogPlan {
    pub(crate) level: Level,
    pub(crate) target: LogTarget,
    /// Whether a person named the target.
    pub(crate) asked: bool,
    pub(crate) syslog: bool,
}

/// How the process lives.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) daemon: bool,
    pub(crate) user: Option<String>,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) file_descriptors: Option<u64>,
    pub(crate) connections_max: Option<usize>,
    pub(crate) shutdown_grace: Duration,
    pub(crate) coredump: bool,
}

pub(crate) fn resolve(raw: Raw) -> Result<Resolved> {
    refuse_foreign(&raw)?;
    if raw.hashtable_buckets == 0 {
        bail!("hashtable-buckets has to be greater than 0");
    }
    let compat = compat(&raw.compat)?;
    let level =
        Level::from_name(&raw.verbose).ok_or_else(|| anyhow!("Invalid value for --verbose supplied"))?;
    let server = Config {
        threads: threads(raw.threads),
        connections_max: raw.connections_max.unwrap_or(usize::MAX),
        body_bytes_max: within(raw.body_bytes_max, 64, BODY_BYTES_MAX_LIMIT, "body-bytes-max")?,
        output_bytes_max: within(raw.output_bytes_max, 1024, usize::MAX, "output-bytes-max")?,
        keepalive: keepalive(&raw)?,
        settings: settings(&raw, compat, level)?,
        store_when: if raw.store_queue_on_shutdown { StoreWhen::AtShutdown } else { StoreWhen::AtOnce },
        http: http(raw.http_listen.as_deref())?,
        clock: Clock::default(),
    };
    Ok(Resolved {
        server,
        listen: address::listen(raw.port.as_deref(), &raw.listen, raw.socket.as_deref())?,
        backlog: i32::from(raw.backlog),
        queue: queue(raw.queue_type.as_deref(), raw.libsqlite3_db, raw.libsqlite3_table)?,
        log: LogPlan {
            level,
            target: log_target(raw.log_file.as_deref()),
            asked: raw.log_file.is_some(),
            syslog: raw.syslog,
        },
        process: Process {
            daemon: raw.daemon,
            user: raw.user,
            pid_file: raw.pid_file,
            file_descriptors: raw.file_descriptors,
            connections_max: raw.connections_max,
            shutdown_grace: Duration::from_secs(u64::from(raw.shutdown_grace)),
            coredump: raw.coredump,
        },
    })
}

/// What this build cannot honour is refused, never passed over in silence.
fn refuse_foreign(raw: &Raw) -> Result<()> {
    if raw.ssl {
        bail!("--ssl: this build has no TLS (hint: put a TLS proxy in front, or listen on loopback only)");
    }
    match raw.protocol.as_deref() {
        None => Ok(()),
        Some(name) if name.eq_ignore_ascii_case("http") => {
            bail!("--protocol http: this build does not take jobs over HTTP")
        }
        Some(name) => bail!("Unknown protocol module : {name}"),
    }
}

/// Releases of the reference that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compat {
    V1_1,
    V2_0,
}

fn compat(text: &str) -> Result<Compat> {
    match text {
        "1.1" => Ok(Compat::V1_1),
        "2.0" => Ok(Compat::V2_0),
        _ => bail!("the argument ('{text}') for option '--compat' is invalid (hint: 1.1 or 2.0)"),
    }
}

fn settings(raw: &Raw, compat: Compat, level: Level) -> Result<Settings> {
    Ok(Settings {
        handle_prefix: raw.job_handle_prefix.clone().map_or_else(default_prefix, check_prefix)?,
        job_retries: job_retries(raw.job_retries, compat)?,
        wakeup: match raw.worker_wakeup {
            None => Wakeup::default(),
            Some(0) => Wakeup::All,
            Some(count) => Wakeup::Count(count),
        },
        function_order: function_order(raw, compat)?,
        exceptions: raw.exceptions,
        bad_worker_after: raw.bad_worker_after,
        bad_worker_pause: Duration::from_secs(u64::from(within(
            raw.bad_worker_pause,
            1,
            86_400,
            "bad-worker-pause",
        )?)),
        queue_memory_bytes: queue_memory(&raw.queue_memory)?,
        limits: limits(raw)?,
        rules: raw.rules.clone(),
        time_zone: zone::time_zone(raw.time_zone.as_deref())?,
        schedules: raw.schedules.clone(),
        version: VERSION.to_owned(),
        verbose: level.name().to_owned(),
        pid: std::process::id(),
        queue_id: RandomState::new().hash_one(0_u8),
        hash_seed: RandomState::new().hash_one(0_u8),
        ..Settings::default()
    })
}

fn check_prefix(prefix: String) -> Result<String> {
    if prefix.len() > HANDLE_PREFIX_BYTES_MAX {
        let len = prefix.len();
        bail!("job-handle-prefix of {len} bytes is over the limit of {HANDLE_PREFIX_BYTES_MAX} bytes");
    }
    if !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("job-handle-prefix {prefix:?} has a space or a control character");
    }
    Ok(prefix)
}

/// `H:` and as much of the host's name as fits.
fn default_prefix() -> Result<String> {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = host.to_string_lossy();
    let fitting = host.chars().filter(char::is_ascii_graphic).take(HANDLE_PREFIX_BYTES_MAX - 2);
    Ok(format!("H:{}", fitting.collect::<String>()))
}

/// Attempts a job has; 0 is no limit.
fn job_retries(given: Option<i64>, compat: Compat) -> Result<u32> {
    let invalid = |number| anyhow!("the argument ('{number}') for option '--job-retries' is invalid");
    match (given, compat) {
        (None, _) | (Some(0), Compat::V1_1) | (Some(-1), Compat::V2_0) => Ok(0),
        (Some(0), Compat::V2_0) => Ok(1),
        (Some(number), _) => u32::try_from(number).map_err(|_| invalid(number)),
    }
}

fn queue_memory(text: &str) -> Result<u64> {
    parse_bytes(text).ok_or_else(|| {
        anyhow!(
            "the argument ('{text}') for option '--queue-memory' is invalid \
             (hint: a number of bytes, also with KiB, MiB or GiB behind it, as 1GiB; 0 is no limit)"
        )
    })
}

fn limits(raw: &Raw) -> Result<Limits> {
    let text = &raw.dead_letters_bytes_max;
    let letters_bytes_max = parse_bytes(text).ok_or_else(|| {
        anyhow!(
            "the argument ('{text}') for option '--dead-letters-bytes-max' is invalid \
             (hint: a number of bytes, also with KiB, MiB, GiB or TiB behind it, as 16GiB)"
        )
    })?;
    Ok(Limits { letters_max: raw.dead_letters_max, letters_bytes_max, ..Limits::default() })
}

fn function_order(raw: &Raw, compat: Compat) -> Result<FunctionOrder> {
    Ok(match raw.function_order.as_deref() {
        Some("last-registered") => FunctionOrder::LastRegistered,
        Some("round-robin") => FunctionOrder::RoundRobin,
        Some("priority") => FunctionOrder::Priority,
        Some(other) => bail!(
            "the argument ('{other}') for option '--function-order' is invalid \
             (hint: last-registered, round-robin or priority)"
        ),
        None if compat == Compat::V2_0 => FunctionOrder::Priority,
        None if raw.round_robin => FunctionOrder::RoundRobin,
        None => FunctionOrder::LastRegistered,
    })
}

fn keepalive(raw: &Raw) -> Result<Keepalive> {
    let default = Keepalive::default();
    let seconds = |given: i32, default: Duration, name| match given {
        -1 => Ok(default),
        1..=32_767 => Ok(Duration::from_secs(u64::from(given.unsigned_abs()))),
        _ => Err(anyhow!(
            "the argument ('{given}') for option '--{name}' is invalid (range 1 to 32767, or -1)"
        )),
    };
    Ok(Keepalive {
        idle: seconds(raw.keepalive_idle, default.idle, "keepalive-idle")?,
        interval: seconds(raw.keepalive_interval, default.interval, "keepalive-interval")?,
        count: match raw.keepalive_count {
            -1 => default.count,
            count @ 1..=127 => count.unsigned_abs(),
            count => bail!(
                "the argument ('{count}') for option '--keepalive-count' is invalid (range 1 to 127, or -1)"
            ),
        },
        user_timeout: Duration::from_secs(u64::from(within(raw.peer_timeout, 0, 86_400, "peer-timeout")?)),
    })
}

fn within<T: PartialOrd + std::fmt::Display>(value: T, min: T, max: T, name: &str) -> Result<T> {
    if value < min || value > max {
        bail!("the argument ('{value}') for option '--{name}' is invalid (range {min} to {max})");
    }
    Ok(value)
}

/// Largest value of `--body-bytes-max`: SQLite stores nothing over a thousand million bytes, and one job that
/// cannot be stored would fail the batch of all others.
const BODY_BYTES_MAX_LIMIT: u32 = 900_000_000;

/// Threads that serve connections: by default half the cores, up to four. On two cores one thread did more
/// than two at less cost (docs/decisions/0004); the other core is for the store, the clients and the workers.
fn threads(given: Option<u32>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match given {
        None => (cores / 2).clamp(1, 4),
        Some(0) => cores,
        Some(count) => usize::try_from(count).unwrap_or(cores).min(256),
    }
}

fn http(given: Option<&str>) -> Result<HttpListen> {
    let parse = |text: &str| {
        text.parse::<SocketAddr>().map_err(|_| {
            anyhow!(
                "the argument ('{text}') for option '--http-listen' is invalid (hint: {HTTP_DEFAULT}, or none)"
            )
        })
    };
    match given {
        None => parse(HTTP_DEFAULT).map(HttpListen::IfFree),
        Some("none") => Ok(HttpListen::Off),
        Some(text) => parse(text).map(HttpListen::Required),
    }
}

fn queue(queue_type: Option<&str>, file: Option<PathBuf>, view: String) -> Result<Queue> {
    let sqlite = |file: Option<PathBuf>, view| match file {
        Some(path) => Queue::File { path, view },
        None => Queue::State { view },
    };
    let Some(name) = queue_type else { return Ok(sqlite(file, view)) };
    match name.to_ascii_lowercase().as_str() {
        "builtin" => Ok(Queue::Memory),
        "libsqlite3" => Ok(sqlite(file, view)),
        "mysql" | "postgres" | "redis" | "libmemcached" | "libtokyocabinet" | "libdrizzle" => {
            bail!(
                "queue type '{name}' is not part of this build (hint: libsqlite3, or builtin for memory only)"
            )
        }
        _ => bail!(
            "Error while initializing the queue : {name} (hint: libsqlite3, or builtin for memory only)"
        ),
    }
}

fn log_target(given: Option<&Path>) -> LogTarget {
    match given {
        None => LogTarget::File(LOG_DEFAULT.into()),
        Some(path) if path == Path::new("stderr") => LogTarget::Stderr,
        Some(path) if path == Path::new("none") => LogTarget::Nowhere,
        Some(path) => LogTarget::File(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_are_not_given_are_what_the_libraries_say() {
        let raw = crate::cli::Sources::new(vec!["gearmand".into(), "--config-file=/dev/null".into()]).read();
        let Resolved { server, .. } = resolve(raw.unwrap()).unwrap();
        let (settings, default) = (&server.settings, Settings::default());
        assert_eq!(settings.limits, default.limits);
        assert_eq!(settings.queue_memory_bytes, default.queue_memory_bytes);
        assert_eq!(settings.job_retries, default.job_retries);
        assert_eq!(
            (settings.bad_worker_after, settings.bad_worker_pause),
            (default.bad_worker_after, default.bad_worker_pause)
        );
        let config = Config::default();
        assert_eq!(server.body_bytes_max, config.body_bytes_max);
        assert_eq!(server.output_bytes_max, config.output_bytes_max);
        assert_eq!(server.keepalive, config.keepalive);
    }
}
