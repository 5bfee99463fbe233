//! Options: what is said about wrong ones, and what is printed.

use crate::process::run_in;
use tempfile::TempDir;

/// Runs the program with each of these, in an empty folder.
fn run(calls: &[&[&str]]) -> String {
    let folder = TempDir::new().unwrap();
    let one = |arguments: &&[&str]| {
        format!("$ gearmand {}\n{}", arguments.join(" "), run_in(folder.path(), arguments))
    };
    calls.iter().map(one).collect()
}

#[test]
fn options_that_do_not_exist_are_refused_in_the_references_words() {
    insta::assert_snapshot!(run(&[&["--x"], &["foo"], &["--por", "5"], &["-z"]]), @r"
    $ gearmand --x
    exit 1
    -- stdout
    -- stderr
    gearmand: unrecognised option '--x'
    $ gearmand foo
    exit 1
    -- stdout
    -- stderr
    gearmand: unrecognised option 'foo'
    $ gearmand --por 5
    exit 1
    -- stdout
    -- stderr
    gearmand: unrecognised option '--por'
    $ gearmand -z
    exit 1
    -- stdout
    -- stderr
    gearmand: unrecognised option '-z'
    ");
}

#[test]
fn values_that_are_missing_wrong_or_too_many_are_refused() {
    insta::assert_snapshot!(run(&[&["--port"], &["--threads=abc"], &["-tx"], &["-j", "abc"], &["--job-retries=-5"], &["-p", "1", "-p", "2"], &["--exceptions=1"], &["--verbose=LOUD"], &["-p", "99999"], &["-p", "nosuch"], &["-L", "::::"], &["-L", "127.0.0.1:x"], &["--http-listen=x"], &["--keepalive-idle=0"], &["--body-bytes-max=1"], &["--compat=3"], &["--function-order=x"], &["--hashtable-buckets=0"], &["--job-handle-prefix=a b"], &["--connections-max=100000000"]]), @r#"
    $ gearmand --port
    exit 1
    -- stdout
    -- stderr
    gearmand: the required argument for option '--port' is missing
    $ gearmand --threads=abc
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('abc') for option '--threads' is invalid
    $ gearmand -tx
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('x') for option '--threads' is invalid
    $ gearmand -j abc
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('abc') for option '--job-retries' is invalid
    $ gearmand --job-retries=-5
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('-5') for option '--job-retries' is invalid
    $ gearmand -p 1 -p 2
    exit 1
    -- stdout
    -- stderr
    gearmand: option '--port' cannot be specified more than once
    $ gearmand --exceptions=1
    exit 1
    -- stdout
    -- stderr
    gearmand: option '--exceptions' does not take any arguments
    $ gearmand --verbose=LOUD
    exit 1
    -- stdout
    -- stderr
    gearmand: Invalid value for --verbose supplied
    $ gearmand -p 99999
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('99999') for option '--port' is invalid (range 0 to 65535)
    $ gearmand -p nosuch
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('nosuch') for option '--port' is invalid
    $ gearmand -L ::::
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('::::') for option '--listen' is invalid
    $ gearmand -L 127.0.0.1:x
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('127.0.0.1:x') for option '--listen' is invalid
    $ gearmand --http-listen=x
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('x') for option '--http-listen' is invalid (hint: 127.0.0.1:8730, or none)
    $ gearmand --keepalive-idle=0
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('0') for option '--keepalive-idle' is invalid (range 1 to 32767, or -1)
    $ gearmand --body-bytes-max=1
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('1') for option '--body-bytes-max' is invalid (range 64 to 900000000)
    $ gearmand --compat=3
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('3') for option '--compat' is invalid (hint: 1.1 or 2.0)
    $ gearmand --function-order=x
    exit 1
    -- stdout
    -- stderr
    gearmand: the argument ('x') for option '--function-order' is invalid (hint: last-registered, round-robin or priority)
    $ gearmand --hashtable-buckets=0
    exit 1
    -- stdout
    -- stderr
    gearmand: hashtable-buckets has to be greater than 0
    $ gearmand --job-handle-prefix=a b
    exit 1
    -- stdout
    -- stderr
    gearmand: job-handle-prefix "a b" has a space or a control character
    $ gearmand --connections-max=100000000
    exit 1
    -- stdout
    -- stderr
    gearmand: connections-max of 100000000 does not fit under 20000 file descriptors (hint: raise file-descriptors)
    "#);
}

#[test]
fn what_this_build_does_not_have_is_refused_with_the_reason() {
    insta::assert_snapshot!(run(&[&["--ssl"], &["-q", "redis"], &["-q", "MySQL"], &["-q", "nope"], &["-r", "http"], &["-r", "foo"]]), @r"
    $ gearmand --ssl
    exit 1
    -- stdout
    -- stderr
    gearmand: --ssl: this build has no TLS (hint: put a TLS proxy in front, or listen on loopback only)
    $ gearmand -q redis
    exit 1
    -- stdout
    -- stderr
    gearmand: queue type 'redis' is not part of this build (hint: libsqlite3, or builtin for memory only)
    $ gearmand -q MySQL
    exit 1
    -- stdout
    -- stderr
    gearmand: queue type 'MySQL' is not part of this build (hint: libsqlite3, or builtin for memory only)
    $ gearmand -q nope
    exit 1
    -- stdout
    -- stderr
    gearmand: Error while initializing the queue : nope (hint: libsqlite3, or builtin for memory only)
    $ gearmand -r http
    exit 1
    -- stdout
    -- stderr
    gearmand: --protocol http: this build does not take jobs over HTTP
    $ gearmand -r foo
    exit 1
    -- stdout
    -- stderr
    gearmand: Unknown protocol module : foo
    ");
}

#[test]
fn check_args_says_nothing_about_good_options() {
    insta::assert_snapshot!(run(&[&["--check-args"], &["--check-args", "-p4731", "-Lexample.invalid", "--keepalive-idle", "-1", "--redis-server=x", "-j0", "-w", "1", "-R", "-u", "nobody", "--exceptions"], &["--check-args", "--queue-type=redis"]]), @r"
    $ gearmand --check-args
    exit 0
    -- stdout
    -- stderr
    $ gearmand --check-args -p4731 -Lexample.invalid --keepalive-idle -1 --redis-server=x -j0 -w 1 -R -u nobody --exceptions
    exit 0
    -- stdout
    -- stderr
    $ gearmand --check-args --queue-type=redis
    exit 1
    -- stdout
    -- stderr
    gearmand: queue type 'redis' is not part of this build (hint: libsqlite3, or builtin for memory only)
    ");
}

#[test]
fn a_variable_switches_a_flag_on_or_off() {
    let folder = tempfile::TempDir::new().unwrap();
    let exit = |value| {
        let mut command = crate::process::command(folder.path());
        command.arg("--check-args").env("GEARMAND_EXCEPTIONS", value).output().unwrap().status.code()
    };
    let values = ["1", "true", "yes", "0", "false", "maybe", ""];
    let exits: Vec<_> = values.into_iter().map(|value| exit(value).unwrap()).collect();
    assert_eq!(exits, [0, 0, 0, 0, 0, 1, 1]);
}

#[test]
fn the_version_comes_behind_a_blank_line() {
    insta::assert_snapshot!(run(&[&["--version"], &["-V"]]), @r"
    $ gearmand --version
    exit 0
    -- stdout

    gearmand 1.1.20 (Geartrain 0.1.0)
    -- stderr
    $ gearmand -V
    exit 0
    -- stdout

    gearmand 1.1.20 (Geartrain 0.1.0)
    -- stderr
    ");
}

#[test]
fn the_help_names_every_option() {
    insta::assert_snapshot!(run(&[&["--help"]]), @r"
    $ gearmand --help
    exit 0
    -- stdout
    The Gearman job server: hands jobs from clients to workers, and keeps background jobs on disk until
    they are done

    Usage: gearmand [OPTIONS]

    Listening:
      -p, --port <PORT>                   Port to listen on, or the name of a service; default: 4730
      -L, --listen <ADDRESS>              Address or host name to listen on, with a port of its own
                                          (`host:port`, `[::1]:port`) or without; may be given several
                                          times, `unix:PATH` is a socket in the file system; default:
                                          all addresses
          --socket <PATH>                 Path of a socket in the file system to listen on, beside the
                                          addresses
      -b, --backlog <N>                   Connections that may wait to be accepted [default: 1024]
          --http-listen <ADDRESS>         Address for /livez and /readyz, or `none`; default:
                                          127.0.0.1:8730 if it is free
          --keepalive                     Notice vanished peers; always on, the option is taken for
                                          compatibility
          --keepalive-idle <SECONDS>      Seconds of silence before a peer is probed; -1: 30 [default:
                                          -1]
          --keepalive-interval <SECONDS>  Seconds between probes; -1: 10 [default: -1]
          --keepalive-count <N>           Probes without an answer after which a peer is gone; -1: 3
                                          [default: -1]
          --peer-timeout <SECONDS>        Seconds that sent bytes may stay unacknowledged before a peer
                                          is gone; 0: as the system decides [default: 60]

    Jobs:
      -j, --job-retries <N>             Attempts after which a job that loses its workers is given up;
                                        0: no limit (with --compat 2.0: no second attempt, and -1 is no
                                        limit)
          --job-handle-prefix <PREFIX>  What job handles begin with; default: H: and the host's name
          --exceptions                  Send every client WORK_EXCEPTION without being asked to
      -w, --worker-wakeup <N>           Sleeping workers to wake for a job; 0: all. Default: one, then
                                        the next if it does not grab
      -R, --round-robin                 Serve the functions of a worker in turn
          --function-order <ORDER>      Order of a worker's functions: `last-registered`, `round-robin`,
                                        or `priority`
          --compat <VERSION>            Behave as gearmand `1.1` or `2.0` where they differ [default:
                                        1.1]
          --time-zone <ZONE>            Time zone, such as `Europe/Berlin`, of SUBMIT_JOB_SCHED and of
                                        schedules without one of their own; default: the system's
          --bad-worker-after <N>        Jobs in a row that a worker loses or fails while others complete
                                        them, after which it gets no more jobs for a while; 0: never
                                        [default: 0]
          --bad-worker-pause <SECONDS>  Seconds for which such a worker gets no jobs [default: 60]

    Queue:
      -q, --queue-type <TYPE>         Where background jobs are kept: `libsqlite3` or, in memory only,
                                      `builtin`; default: an SQLite file in the state folder
          --libsqlite3-db <FILE>      File of the SQLite queue
          --libsqlite3-table <TABLE>  Table of the reference server to take over, and name of the view
                                      that looks like it [default: gearman_queue]
          --store-queue-on-shutdown   Write the queue to disk only when the server ends: a crash loses
                                      it

    Limits:
          --queue-memory <BYTES>            Memory for waiting jobs, in bytes, also with KiB, MiB or GiB
                                            behind the number: over it, workloads that are on disk leave
                                            memory and are read back before their turn; 0: no limit
                                            [default: 1GiB]
          --dead-letters-max <N>            Most dead letters of all functions together, and as many
                                            finished jobs that are kept: the oldest make room [default:
                                            2000000]
          --dead-letters-bytes-max <BYTES>  Most bytes of these, also with KiB, MiB, GiB or TiB behind
                                            the number [default: 16GiB]
      -t, --threads <N>                     Threads that serve connections; 0: one for each core.
                                            Default: half the cores, 1 to 4
      -f, --file-descriptors <N>            File descriptors to allow the process; default: as many as
                                            the system permits
          --connections-max <N>             Connections open at once; default: what fits under the file
                                            descriptors
          --body-bytes-max <BYTES>          Largest packet body taken from a peer, in bytes [default:
                                            67108864]
          --output-bytes-max <BYTES>        Output that a peer may leave unread before it is closed, in
                                            bytes [default: 67108864]
          --hashtable-buckets <N>           Buckets of the reference server's tables; ours grow, so only
                                            0 is refused [default: 991]

    Process:
      -d, --daemon                    Detach, and return once the port answers and the queue is loaded
      -u, --user <USER>               User to become after start
      -P, --pid-file <FILE>           File to write the process id to
          --shutdown-grace <SECONDS>  Seconds to wait for running jobs after SIGTERM [default: 0]
          --coredump                  Leave a core file when the server crashes
      -l, --log-file <FILE>           File to log to, `stderr`, or `none`; default:
                                      /var/log/gearmand.log if it can be written, else stderr
          --syslog                    Log to syslog as well
          --verbose <LEVEL>           What to log: FATAL, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO
                                      or DEBUG, each with those before it [default: ERROR]
          --config-file <FILE>        Configuration file, in TOML or the reference server's format;
                                      default: /etc/gearmand.conf if it exists
      -h, --help                      Print this help
      -V, --version                   Print the version

    Every option can stand in the configuration file by its long name (port = 4730), and in the
    environment (GEARMAND_PORT). The command line counts before the file, the file before the
    environment.
    -- stderr
    ");
}
