//! Every limit of the manager, by name.

use std::time::Duration;

/// How long a process that was told to leave may go on with a job, once its patience is over: one hour after it
/// was told.
pub const JOB_PATIENCE: Duration = Duration::from_secs(3600);

/// How long a process has to leave after its job ended, where patience is over already: 2 seconds.
pub const AFTER_JOB_PATIENCE: Duration = Duration::from_secs(2);

/// How long a word of the job servers is waited for before a process is killed, or told with a signal it would die of,
/// while they are silent: 10 seconds.
pub const WORD_PATIENCE: Duration = Duration::from_secs(10);

/// Most processes of one program, by configuration or by hand: 1000.
pub const PROCESSES_MAX: u32 = 1000;

/// Lines of the manager's own log that wait for being written: 10,000.
pub const LOG_LINES_MAX: usize = 10_000;

/// How long the end of the manager waits for its log to be written: 2 seconds.
pub const LOG_FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// Last lines kept of one place of a program: 100.
pub const TAIL_LINES_MAX: usize = 100;

/// Bytes of last lines kept of one place of a program: 32 KiB.
pub const TAIL_BYTES_MAX: usize = 32 * 1024;

/// Longest line of output that is handed on whole: 8 KiB. A longer one is cut into several.
pub const LINE_BYTES_MAX: usize = 8 * 1024;

/// Bytes read at once from the output of a process: 64 KiB.
pub const READ_BYTES: usize = 64 * 1024;

/// Connections to the control socket at once: 64.
pub const CONTROL_CLIENTS_MAX: usize = 64;

/// Longest request on the control socket: 64 KiB.
pub const CONTROL_REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Bytes that wait for a client of the control socket to read them: 16 MiB. Who reads slower is left.
pub const CONTROL_ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How often memory and processor time of all processes are looked at: 5 seconds.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// How often what is left of process groups is looked for: 1 second.
pub const GROUPS_EVERY: Duration = Duration::from_secs(1);

/// How often a job server is asked while nothing depends on its answer: 2 seconds.
pub const OBSERVE_EVERY: Duration = Duration::from_secs(2);

/// How often a job server is asked while a process is to become ready, or leaves: 1 second.
pub const OBSERVE_SOON_EVERY: Duration = Duration::from_secs(1);

/// How often it is asked right after one began to, or while a kill waits for the answer: 100 milliseconds.
pub const OBSERVE_EAGERLY_EVERY: Duration = Duration::from_millis(100);

/// How long it is asked so eagerly: 5 seconds.
pub const OBSERVE_EAGERLY_FOR: Duration = Duration::from_secs(5);

/// How long a job server may take to accept a connection or to answer: 5 seconds.
pub const OBSERVE_LIMIT: Duration = Duration::from_secs(5);

/// Longest pause between two tries to reach a job server: 10 seconds.
pub const OBSERVE_PAUSE_MAX: Duration = Duration::from_secs(10);

/// Most bytes of one answer of a job server: 64 MiB.
pub const OBSERVE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Lines of the state file after which it is written anew with the live processes alone: 1000.
pub const STATE_LINES_MAX: usize = 1000;

/// How long an orphan whose program is no more has to leave: 60 seconds.
pub const STRAY_PATIENCE: Option<Duration> = Some(Duration::from_secs(60));
