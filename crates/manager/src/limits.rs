//! Every limit of the manager, by name.

use std::time::Duration;

/// How long a process may go on with a job, after it was told to leave, where its program does not say it with
/// `stop-patience-job`: one hour.
pub const JOB_PATIENCE: Duration = Duration::from_secs(3600);

/// How long a process has to leave after its job ended, where patience is over already: 2 seconds.
pub const AFTER_JOB_PATIENCE: Duration = Duration::from_secs(2);

/// Shortest time a process must have been ready to end a row of failures: 10 seconds, also where `backoff-max` is less.
pub const ROW_END_MIN: Duration = Duration::from_secs(10);

/// Processes of one place that come at once after the last one within [`AT_ONCE_WITHIN`]: 10. Each further one waits
/// for [`AT_ONCE_PAUSE`].
pub const AT_ONCE_MAX: u32 = 10;

/// See [`AT_ONCE_MAX`]: 10 seconds.
pub const AT_ONCE_WITHIN: Duration = Duration::from_secs(10);

/// See [`AT_ONCE_MAX`]: 1 second.
pub const AT_ONCE_PAUSE: Duration = Duration::from_secs(1);

/// How soon a process has too much memory when that counts for a pause before the next such replacement: 1 minute.
pub const MEMORY_LIFE: Duration = Duration::from_secs(60);

/// Processes of a program of so many places that may be on their way out at once while others take their place: one,
/// and one for each four places.
#[must_use]
pub const fn leaving_max(places: u32) -> u32 {
    1 + places.div_ceil(4)
}

/// Places of a program, of so many, that may be without a ready process at once since lifetimes are over: a quarter, at
/// least one. Where the next process comes after the old one.
#[must_use]
pub const fn away_max(places: u32) -> u32 {
    if places < 8 { 1 } else { places / 4 }
}

/// How long a word of the job servers is waited for before a process is killed, or told with a signal it would die of,
/// while they are silent: 10 seconds.
pub const WORD_PATIENCE: Duration = Duration::from_secs(10);

/// How long a process has to live on after its stop signal, given in the middle of a job, to count as one that ends its
/// job first: 1 second. A handler that ends it at once takes less.
pub const GOES_ON_MIN: Duration = Duration::from_secs(1);

/// Most processes of one program, by configuration or by hand: 1000.
pub const PROCESSES_MAX: u32 = 1000;

/// How long a step of the manager may take before the log says so: half a second.
pub const STANDSTILL: Duration = Duration::from_millis(500);

/// How long the spawns of one turn of the manager may take before others have theirs: 50 milliseconds.
pub const SPAWNING_AT_ONCE: Duration = Duration::from_millis(50);

/// How long after the first one a second signal to end means that nobody wants to wait: 1 second. Some who start the
/// manager pass a signal on that it got as well.
pub const HURRY_AFTER: Duration = Duration::from_secs(1);

/// Bytes of the manager's own log, and of output that goes there, that wait for being written: 8 MiB.
pub const LOG_BYTES_MAX: usize = 8 << 20;

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

/// Bytes that a client of the control socket may have unread and still be answered more: 64 KiB.
pub const CONTROL_UNREAD_BYTES_MAX: usize = 64 * 1024;

/// Requests of one client that are answered before others have their turn: 8.
pub const CONTROL_REQUESTS_AT_ONCE: u32 = 8;

/// How long nobody is taken in at the control socket when there is no file descriptor left: 1 second.
pub const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How long a change of a watched path may wait for others to end, where files are written without end: 1 minute, or
/// `watch-settle` where that is longer.
pub const WATCH_SETTLE_MAX: Duration = Duration::from_secs(60);

/// How often folders to watch are looked for, where one that something hangs on is created, removed or renamed: 1
/// second.
pub const WATCH_RENEWAL_EVERY: Duration = Duration::from_secs(1);

/// How soon what could not be watched is tried again: 1 second, then after pauses twice as long each, up to
/// [`WATCH_RETRY_MAX`].
pub const WATCH_RETRY_MIN: Duration = Duration::from_secs(1);

/// See [`WATCH_RETRY_MIN`]: 1 minute.
pub const WATCH_RETRY_MAX: Duration = Duration::from_secs(60);

/// Restarts of a program for changed files within [`WATCH_WITHIN`]: 5. Further ones wait.
pub const WATCH_RESTARTS_MAX: usize = 5;

/// See [`WATCH_RESTARTS_MAX`]: 1 minute.
pub const WATCH_WITHIN: Duration = Duration::from_secs(60);

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
