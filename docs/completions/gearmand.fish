complete -c gearmand -s p -l port -d 'Port to listen on, or the name of a service; default: 4730' -r
complete -c gearmand -s L -l listen -d 'Address or host name to listen on, with a port of its own (`host:port`, `[::1]:port`) or without; may be given several times, `unix:PATH` is a socket in the file system; default: all addresses' -r
complete -c gearmand -l socket -d 'Path of a socket in the file system to listen on, beside the addresses' -r -F
complete -c gearmand -s b -l backlog -d 'Connections that may wait to be accepted' -r
complete -c gearmand -l http-listen -d 'Address for /livez and /readyz, or `none`; default: 127.0.0.1:8730 if it is free' -r
complete -c gearmand -l keepalive-idle -d 'Seconds of silence before a peer is probed; -1: 30' -r
complete -c gearmand -l keepalive-interval -d 'Seconds between probes; -1: 10' -r
complete -c gearmand -l keepalive-count -d 'Probes without an answer after which a peer is gone; -1: 3' -r
complete -c gearmand -l peer-timeout -d 'Seconds that sent bytes may stay unacknowledged before a peer is gone; 0: as the system decides' -r
complete -c gearmand -s j -l job-retries -d 'Attempts after which a job that loses its workers is given up; 0: no limit (with --compat 2.0: no second attempt, and -1 is no limit)' -r
complete -c gearmand -l job-handle-prefix -d 'What job handles begin with; default: H: and the host\'s name' -r
complete -c gearmand -s w -l worker-wakeup -d 'Sleeping workers to wake for a job; 0: all. Default: one, then the next if it does not grab' -r
complete -c gearmand -l function-order -d 'Order of a worker\'s functions: `last-registered`, `round-robin`, or `priority`' -r
complete -c gearmand -l compat -d 'Behave as gearmand `1.1` or `2.0` where they differ' -r
complete -c gearmand -l time-zone -d 'Time zone, such as `Europe/Berlin`, of SUBMIT_JOB_SCHED and of schedules without one of their own; default: the system\'s' -r
complete -c gearmand -l bad-worker-after -d 'Jobs in a row that a worker loses or fails while others complete them, after which it gets no more jobs for a while; 0: never' -r
complete -c gearmand -l bad-worker-pause -d 'Seconds for which such a worker gets no jobs' -r
complete -c gearmand -s q -l queue-type -d 'Where background jobs are kept: `libsqlite3` or, in memory only, `builtin`; default: an SQLite file in the state folder' -r
complete -c gearmand -l libsqlite3-db -d 'File of the SQLite queue' -r -F
complete -c gearmand -l libsqlite3-table -d 'Table of the reference server to take over, and name of the view that looks like it' -r
complete -c gearmand -l queue-memory -d 'Memory for waiting jobs, in bytes, also with KiB, MiB or GiB behind the number: over it, workloads that are on disk leave memory and are read back before their turn; 0: no limit' -r
complete -c gearmand -l dead-letters-max -d 'Most dead letters of all functions together, and as many finished jobs that are kept: the oldest make room' -r
complete -c gearmand -l dead-letters-bytes-max -d 'Most bytes of these, also with KiB, MiB, GiB or TiB behind the number' -r
complete -c gearmand -s t -l threads -d 'Threads that serve connections; 0: one for each core. Default: half the cores, 1 to 4' -r
complete -c gearmand -s f -l file-descriptors -d 'File descriptors to allow the process; default: as many as the system permits' -r
complete -c gearmand -l connections-max -d 'Connections open at once; default: what fits under the file descriptors' -r
complete -c gearmand -l body-bytes-max -d 'Largest packet body taken from a peer, in bytes' -r
complete -c gearmand -l output-bytes-max -d 'Output that a peer may leave unread before it is closed, in bytes' -r
complete -c gearmand -l hashtable-buckets -d 'Buckets of the reference server\'s tables; ours grow, so only 0 is refused' -r
complete -c gearmand -s u -l user -d 'User to become after start' -r
complete -c gearmand -s P -l pid-file -d 'File to write the process id to' -r -F
complete -c gearmand -l shutdown-grace -d 'Seconds to wait for running jobs after SIGTERM' -r
complete -c gearmand -s l -l log-file -d 'File to log to, `stderr`, or `none`; default: /var/log/gearmand.log if it can be written, else stderr' -r -F
complete -c gearmand -l verbose -d 'What to log: FATAL, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO or DEBUG, each with those before it' -r
complete -c gearmand -l config-file -d 'Configuration file, in TOML or the reference server\'s format; default: /etc/gearmand.conf if it exists' -r -F
complete -c gearmand -l generate -d 'Write a file made from the options' -r -f -a "man\t''
completion-bash\t''
completion-zsh\t''
completion-fish\t''
reference\t''
sample-config\t''"
complete -c gearmand -s r -l protocol -d 'Protocol module of the reference server' -r
complete -c gearmand -l http-port -r
complete -c gearmand -l ssl-ca-file -r
complete -c gearmand -l ssl-certificate -r
complete -c gearmand -l ssl-key -r
complete -c gearmand -l mysql-host -r
complete -c gearmand -l mysql-port -r
complete -c gearmand -l mysql-user -r
complete -c gearmand -l mysql-password -r
complete -c gearmand -l mysql-db -r
complete -c gearmand -l mysql-table -r
complete -c gearmand -l libpq-conninfo -r
complete -c gearmand -l libpq-table -r
complete -c gearmand -l redis-server -r
complete -c gearmand -l redis-port -r
complete -c gearmand -l redis-password -r
complete -c gearmand -l redis-prefix -r
complete -c gearmand -l libmemcached-servers -r
complete -c gearmand -l libmemcached-prefix -r
complete -c gearmand -l libtokyocabinet-file -r
complete -c gearmand -l libdrizzle-host -r
complete -c gearmand -l libdrizzle-port -r
complete -c gearmand -l libdrizzle-uds -r
complete -c gearmand -l libdrizzle-user -r
complete -c gearmand -l libdrizzle-password -r
complete -c gearmand -l libdrizzle-db -r
complete -c gearmand -l libdrizzle-table -r
complete -c gearmand -l libdrizzle-mysql -r
complete -c gearmand -l keepalive -d 'Notice vanished peers; always on, the option is taken for compatibility'
complete -c gearmand -l exceptions -d 'Send every client WORK_EXCEPTION without being asked to'
complete -c gearmand -s R -l round-robin -d 'Serve the functions of a worker in turn'
complete -c gearmand -l store-queue-on-shutdown -d 'Write the queue to disk only when the server ends: a crash loses it'
complete -c gearmand -s d -l daemon -d 'Detach, and return once the port answers and the queue is loaded'
complete -c gearmand -l coredump -d 'Leave a core file when the server crashes'
complete -c gearmand -l syslog -d 'Log to syslog as well'
complete -c gearmand -l check-args -d 'Look at options and configuration file only'
complete -c gearmand -s h -l help -d 'Print this help'
complete -c gearmand -s V -l version -d 'Print the version'
complete -c gearmand -l ssl -d 'TLS'
complete -c gearmand -l libtokyocabinet-optimize
