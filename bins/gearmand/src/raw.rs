//! The options as a person writes them: on the command line, in the environment, in a file.
//!
//! One field for each option; its doc is its help, its name is flag and key of the configuration file, and
//! its variable is the name in capitals behind `GEARMAND_`. What a value means is decided in `resolve`.

use crate::generate::Generated;
use clap::Parser;
use geartrain_core::FileRule;
use geartrain_proto::command::ScheduleAdd;
use std::path::PathBuf;

/// The Gearman job server: hands jobs from clients to workers, and keeps background jobs on disk until
/// they are done.
#[derive(Debug, Parser)]
#[command(
    name = "gearmand",
    disable_version_flag = true,
    disable_help_flag = true,
    args_override_self = false,
    term_width = 100,
    after_help = "Every option can stand in the configuration file by its long name (port = 4730), and in \
                  the environment (GEARMAND_PORT). The command line counts before the file, the file before \
                  the environment."
)]
pub(crate) struct Raw {
    /// Port to listen on, or the name of a service; default: 4730
    #[arg(short, long, value_name = "PORT", env = "GEARMAND_PORT", help_heading = "Listening")]
    pub(crate) port: Option<String>,

    /// Address or host name to listen on, with a port of its own (`host:port`, `[::1]:port`) or without; may be
    /// given several times, `unix:PATH` is a socket in the file system; default: all addresses
    #[arg(short = 'L', long, value_name = "ADDRESS", env = "GEARMAND_LISTEN", help_heading = "Listening")]
    pub(crate) listen: Vec<String>,

    /// Path of a socket in the file system to listen on, beside the addresses
    #[arg(long, value_name = "PATH", env = "GEARMAND_SOCKET", help_heading = "Listening")]
    pub(crate) socket: Option<PathBuf>,

    /// Connections that may wait to be accepted
    #[arg(
        short,
        long,
        value_name = "N",
        default_value_t = 1024,
        env = "GEARMAND_BACKLOG",
        help_heading = "Listening"
    )]
    pub(crate) backlog: u16,

    /// Address for /livez and /readyz, or `none`; default: 127.0.0.1:8730 if it is free
    #[arg(long, value_name = "ADDRESS", env = "GEARMAND_HTTP_LISTEN", help_heading = "Listening")]
    pub(crate) http_listen: Option<String>,

    /// Notice vanished peers; always on, the option is taken for compatibility
    #[arg(long, env = "GEARMAND_KEEPALIVE", help_heading = "Listening")]
    pub(crate) keepalive: bool,

    /// Seconds of silence before a peer is probed; -1: 30
    #[arg(long, value_name = "SECONDS", default_value_t = -1, env = "GEARMAND_KEEPALIVE_IDLE", help_heading = "Listening")]
    pub(crate) keepalive_idle: i32,

    /// Seconds between probes; -1: 10
    #[arg(long, value_name = "SECONDS", default_value_t = -1, env = "GEARMAND_KEEPALIVE_INTERVAL", help_heading = "Listening")]
    pub(crate) keepalive_interval: i32,

    /// Probes without an answer after which a peer is gone; -1: 3
    #[arg(long, value_name = "N", default_value_t = -1, env = "GEARMAND_KEEPALIVE_COUNT", help_heading = "Listening")]
    pub(crate) keepalive_count: i32,

    /// Seconds that sent bytes may stay unacknowledged before a peer is gone; 0: as the system decides
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        env = "GEARMAND_PEER_TIMEOUT",
        help_heading = "Listening"
    )]
    pub(crate) peer_timeout: u32,

    /// Attempts after which a job that loses its workers is given up; 0: no limit (with --compat 2.0: no
    /// second attempt, and -1 is no limit)
    #[arg(short, long, value_name = "N", env = "GEARMAND_JOB_RETRIES", help_heading = "Jobs")]
    pub(crate) job_retries: Option<i64>,

    /// What job handles begin with; default: H: and the host's name
    #[arg(long, value_name = "PREFIX", env = "GEARMAND_JOB_HANDLE_PREFIX", help_heading = "Jobs")]
    pub(crate) job_handle_prefix: Option<String>,

    /// Send every client WORK_EXCEPTION without being asked to
    #[arg(long, env = "GEARMAND_EXCEPTIONS", help_heading = "Jobs")]
    pub(crate) exceptions: bool,

    /// Sleeping workers to wake for a job; 0: all. Default: one, then the next if it does not grab
    #[arg(short, long, value_name = "N", env = "GEARMAND_WORKER_WAKEUP", help_heading = "Jobs")]
    pub(crate) worker_wakeup: Option<u32>,

    /// Serve the functions of a worker in turn
    #[arg(short = 'R', long, env = "GEARMAND_ROUND_ROBIN", help_heading = "Jobs")]
    pub(crate) round_robin: bool,

    /// Order of a worker's functions: `last-registered`, `round-robin`, or `priority`
    #[arg(long, value_name = "ORDER", env = "GEARMAND_FUNCTION_ORDER", help_heading = "Jobs")]
    pub(crate) function_order: Option<String>,

    /// Behave as gearmand `1.1` or `2.0` where they differ
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "1.1",
        env = "GEARMAND_COMPAT",
        help_heading = "Jobs"
    )]
    pub(crate) compat: String,

    /// Time zone, such as `Europe/Berlin`, of SUBMIT_JOB_SCHED and of schedules without one of their own;
    /// default: the system's
    #[arg(long, value_name = "ZONE", env = "GEARMAND_TIME_ZONE", help_heading = "Jobs")]
    pub(crate) time_zone: Option<String>,

    /// Jobs in a row that a worker loses or fails while others complete them, after which it gets no more jobs
    /// for a while; 0: never
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        env = "GEARMAND_BAD_WORKER_AFTER",
        help_heading = "Jobs"
    )]
    pub(crate) bad_worker_after: u32,

    /// Seconds for which such a worker gets no jobs
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        env = "GEARMAND_BAD_WORKER_PAUSE",
        help_heading = "Jobs"
    )]
    pub(crate) bad_worker_pause: u32,

    /// Where background jobs are kept: `libsqlite3` or, in memory only, `builtin`; default: an SQLite file in
    /// the state folder
    #[arg(short, long, value_name = "TYPE", env = "GEARMAND_QUEUE_TYPE", help_heading = "Queue")]
    pub(crate) queue_type: Option<String>,

    /// File of the SQLite queue
    #[arg(long, value_name = "FILE", env = "GEARMAND_LIBSQLITE3_DB", help_heading = "Queue")]
    pub(crate) libsqlite3_db: Option<PathBuf>,

    /// Table of the reference server to take over, and name of the view that looks like it
    #[arg(
        long,
        value_name = "TABLE",
        default_value = "gearman_queue",
        env = "GEARMAND_LIBSQLITE3_TABLE",
        help_heading = "Queue"
    )]
    pub(crate) libsqlite3_table: String,

    /// Write the queue to disk only when the server ends: a crash loses it
    #[arg(long, env = "GEARMAND_STORE_QUEUE_ON_SHUTDOWN", help_heading = "Queue")]
    pub(crate) store_queue_on_shutdown: bool,

    /// Memory for waiting jobs, in bytes, also with KiB, MiB or GiB behind the number: over it, workloads that are
    /// on disk leave memory and are read back before their turn; 0: no limit
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "1GiB",
        env = "GEARMAND_QUEUE_MEMORY",
        help_heading = "Limits"
    )]
    pub(crate) queue_memory: String,

    /// Most dead letters of all functions together, and as many finished jobs that are kept: the oldest make room
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2_000_000,
        env = "GEARMAND_DEAD_LETTERS_MAX",
        help_heading = "Limits"
    )]
    pub(crate) dead_letters_max: usize,

    /// Most bytes of these, also with KiB, MiB, GiB or TiB behind the number
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "16GiB",
        env = "GEARMAND_DEAD_LETTERS_BYTES_MAX",
        help_heading = "Limits"
    )]
    pub(crate) dead_letters_bytes_max: String,

    /// Threads that serve connections; 0: one for each core. Default: half the cores, 1 to 4
    #[arg(short, long, value_name = "N", env = "GEARMAND_THREADS", help_heading = "Limits")]
    pub(crate) threads: Option<u32>,

    /// File descriptors to allow the process; default: as many as the system permits
    #[arg(short, long, value_name = "N", env = "GEARMAND_FILE_DESCRIPTORS", help_heading = "Limits")]
    pub(crate) file_descriptors: Option<u64>,

    /// Connections open at once; default: what fits under the file descriptors
    #[arg(long, value_name = "N", env = "GEARMAND_CONNECTIONS_MAX", help_heading = "Limits")]
    pub(crate) connections_max: Option<usize>,

    /// Largest packet body taken from a peer, in bytes
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 67_108_864,
        env = "GEARMAND_BODY_BYTES_MAX",
        help_heading = "Limits"
    )]
    pub(crate) body_bytes_max: u32,

    /// Output that a peer may leave unread before it is closed, in bytes
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 67_108_864,
        env = "GEARMAND_OUTPUT_BYTES_MAX",
        help_heading = "Limits"
    )]
    pub(crate) output_bytes_max: usize,

    /// Buckets of the reference server's tables; ours grow, so only 0 is refused
    #[arg(
        long,
        value_name = "N",
        default_value_t = 991,
        env = "GEARMAND_HASHTABLE_BUCKETS",
        help_heading = "Limits"
    )]
    pub(crate) hashtable_buckets: u32,

    /// Detach, and return once the port answers and the queue is loaded
    #[arg(short, long, env = "GEARMAND_DAEMON", help_heading = "Process")]
    pub(crate) daemon: bool,

    /// User to become after start
    #[arg(short, long, value_name = "USER", env = "GEARMAND_USER", help_heading = "Process")]
    pub(crate) user: Option<String>,

    /// File to write the process id to
    #[arg(short = 'P', long, value_name = "FILE", env = "GEARMAND_PID_FILE", help_heading = "Process")]
    pub(crate) pid_file: Option<PathBuf>,

    /// Seconds to wait for running jobs after SIGTERM
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        env = "GEARMAND_SHUTDOWN_GRACE",
        help_heading = "Process"
    )]
    pub(crate) shutdown_grace: u32,

    /// Leave a core file when the server crashes
    #[arg(long, env = "GEARMAND_COREDUMP", help_heading = "Process")]
    pub(crate) coredump: bool,

    /// File to log to, `stderr`, or `none`; default: /var/log/gearmand.log if it can be written, else stderr
    #[arg(short, long, value_name = "FILE", env = "GEARMAND_LOG_FILE", help_heading = "Process")]
    pub(crate) log_file: Option<PathBuf>,

    /// Log to syslog as well
    #[arg(long, env = "GEARMAND_SYSLOG", help_heading = "Process")]
    pub(crate) syslog: bool,

    /// What to log: FATAL, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO or DEBUG, each with those before it
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "ERROR",
        env = "GEARMAND_VERBOSE",
        help_heading = "Process"
    )]
    pub(crate) verbose: String,

    /// Configuration file, in TOML or the reference server's format; default: /etc/gearmand.conf if it exists
    #[arg(long, value_name = "FILE", env = "GEARMAND_CONFIG_FILE", help_heading = "Process")]
    pub(crate) config_file: Option<PathBuf>,

    /// Look at options and configuration file only
    #[arg(long, hide = true)]
    pub(crate) check_args: bool,

    /// Write a file made from the options
    #[arg(long, hide = true, value_name = "WHAT")]
    pub(crate) generate: Option<Generated>,

    /// Print this help
    #[arg(short, long, help_heading = "Process")]
    pub(crate) help: bool,

    /// Print the version
    #[arg(short = 'V', long, help_heading = "Process")]
    pub(crate) version: bool,

    /// Protocol module of the reference server
    #[arg(short = 'r', long, value_name = "NAME", hide = true)]
    pub(crate) protocol: Option<String>,

    /// TLS
    #[arg(long, hide = true)]
    pub(crate) ssl: bool,

    #[command(flatten)]
    pub(crate) foreign: Foreign,

    /// The policies of the configuration file; no option has them.
    #[arg(skip)]
    pub(crate) rules: Vec<FileRule>,

    /// The schedules of the configuration file; no option has them.
    #[arg(skip)]
    pub(crate) schedules: Vec<ScheduleAdd>,
}

/// Options of the reference server that configure what this build does not have. They are taken where they
/// change nothing; what would need them is refused.
#[derive(Debug, clap::Args)]
pub(crate) struct Foreign {
    #[arg(long, hide = true)]
    http_port: Option<String>,
    #[arg(long, hide = true)]
    ssl_ca_file: Option<String>,
    #[arg(long, hide = true)]
    ssl_certificate: Option<String>,
    #[arg(long, hide = true)]
    ssl_key: Option<String>,
    #[arg(long, hide = true)]
    mysql_host: Option<String>,
    #[arg(long, hide = true)]
    mysql_port: Option<String>,
    #[arg(long, hide = true)]
    mysql_user: Option<String>,
    #[arg(long, hide = true)]
    mysql_password: Option<String>,
    #[arg(long, hide = true)]
    mysql_db: Option<String>,
    #[arg(long, hide = true)]
    mysql_table: Option<String>,
    #[arg(long, hide = true)]
    libpq_conninfo: Option<String>,
    #[arg(long, hide = true)]
    libpq_table: Option<String>,
    #[arg(long, hide = true)]
    redis_server: Option<String>,
    #[arg(long, hide = true)]
    redis_port: Option<String>,
    #[arg(long, hide = true)]
    redis_password: Option<String>,
    #[arg(long, hide = true)]
    redis_prefix: Option<String>,
    #[arg(long, hide = true)]
    libmemcached_servers: Option<String>,
    #[arg(long, hide = true)]
    libmemcached_prefix: Option<String>,
    #[arg(long, hide = true)]
    libtokyocabinet_file: Option<String>,
    #[arg(long, hide = true)]
    libtokyocabinet_optimize: bool,
    #[arg(long, hide = true)]
    libdrizzle_host: Option<String>,
    #[arg(long, hide = true)]
    libdrizzle_port: Option<String>,
    #[arg(long, hide = true)]
    libdrizzle_uds: Option<String>,
    #[arg(long, hide = true)]
    libdrizzle_user: Option<String>,
    #[arg(long, hide = true)]
    libdrizzle_password: Option<String>,
    #[arg(long, hide = true)]
    libdrizzle_db: Option<String>,
    #[arg(long, hide = true)]
    libdrizzle_table: Option<String>,
    #[arg(long, hide = true)]
    libdrizzle_mysql: Option<String>,
}
