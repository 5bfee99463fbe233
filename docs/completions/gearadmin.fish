# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_gearadmin_global_optspecs
    string join \n h/host= p/port= S/ssl timeout= json reply-bytes-max= getpid create-function= maxqueue= drop-function= force cancel-job= show-jobs show-unique-jobs server-verbose server-version workers priority-status status help V/version generate=
end

function __fish_gearadmin_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_gearadmin_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_gearadmin_using_subcommand
    set -l cmd (__fish_gearadmin_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c gearadmin -n "__fish_gearadmin_needs_command" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_needs_command" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l create-function -d 'Create a function without a worker or job' -r
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l maxqueue -d 'Bound the jobs of a function: nothing for no bound, N for all, or HIGH NORMAL LOW' -r
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l drop-function -d 'Forget a function; refused while workers or jobs of it are there' -r
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l cancel-job -d 'Take a job out of the queue' -r
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l generate -d 'Print a shell completion or the manual page' -r -f -a "completion-bash\t''
completion-zsh\t''
completion-fish\t''
man\t''"
complete -c gearadmin -n "__fish_gearadmin_needs_command" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l getpid -d 'Process number of the server'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l force -d 'With --drop-function: cancel the waiting jobs of the function'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l show-jobs -d 'List jobs: handle, retries, ignored, background'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l show-unique-jobs -d 'List the uniques of jobs'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l server-verbose -d 'What the server logs'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l server-version -d 'Version of the server'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l workers -d 'List connections: number, address, client id, functions'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l priority-status -d 'List functions: waiting jobs of high, normal and low priority, workers'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l status -d 'List functions: jobs, running jobs, workers'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -s V -l version -d 'Print the version of gearadmin'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -f -a "policy" -d 'Policies of functions: attempts, pauses between them, time limits, caps, rates, what is kept'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -f -a "pause" -d 'Give no more jobs of a function to workers; submits are still taken'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -f -a "resume" -d 'End what pause and drain began'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -f -a "drain" -d 'Take no more submits of a function; what waits runs dry'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -f -a "jobs" -d 'Jobs that wait or run'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -f -a "workers" -d 'Workers: what they are able to do, what they run, which get no jobs for a while'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -f -a "dead" -d 'Dead letters: jobs that used up their attempts, expired, or could not be read'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -f -a "finished" -d 'Finished jobs, where the policy of their function keeps them'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -f -a "schedule" -d 'Recurring schedules'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -f -a "explain" -d 'Why a job or a function does not move, and when it will'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -f -a "export" -d 'Write policies, schedules, dead letters and background jobs to a file, as lines of JSON'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -f -a "import" -d 'Take an export in; what was taken in before stays as it is'
complete -c gearadmin -n "__fish_gearadmin_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and not __fish_seen_subcommand_from set unset show help" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and not __fish_seen_subcommand_from set unset show help" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and not __fish_seen_subcommand_from set unset show help" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and not __fish_seen_subcommand_from set unset show help" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and not __fish_seen_subcommand_from set unset show help" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and not __fish_seen_subcommand_from set unset show help" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and not __fish_seen_subcommand_from set unset show help" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and not __fish_seen_subcommand_from set unset show help" -f -a "set" -d 'Set values for a function or a pattern of functions'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and not __fish_seen_subcommand_from set unset show help" -f -a "unset" -d 'Take values back that were set at run time'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and not __fish_seen_subcommand_from set unset show help" -f -a "show" -d 'Show all rules, or all values of a function and where each comes from'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and not __fish_seen_subcommand_from set unset show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from set" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from set" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from set" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from set" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from set" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from set" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from set" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from unset" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from unset" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from unset" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from unset" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from unset" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from unset" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from unset" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from show" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from show" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from show" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from show" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from show" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from show" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from show" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "set" -d 'Set values for a function or a pattern of functions'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "unset" -d 'Take values back that were set at run time'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show all rules, or all values of a function and where each comes from'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand pause" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand pause" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand pause" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand pause" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand pause" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand pause" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand pause" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand resume" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand resume" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand resume" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand resume" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand resume" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand resume" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand resume" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand drain" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand drain" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand drain" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand drain" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand drain" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand drain" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand drain" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -f -a "count" -d 'Count jobs'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -f -a "list" -d 'List jobs'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -f -a "show" -d 'Show jobs with their workloads and attempts'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -f -a "cancel" -d 'End jobs; clients that wait for them get WORK_FAIL'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -f -a "move" -d 'Move waiting jobs to another function'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -f -a "priority" -d 'Give waiting jobs another priority'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -f -a "purge" -d 'End all jobs that wait; those that run go on'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and not __fish_seen_subcommand_from count list show cancel move priority purge help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -l function -d 'Of this function, or of those that a pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -l state -d 'In this state; waiting is queued and delayed together' -r -f -a "waiting\t''
queued\t''
delayed\t''
running\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -l older-than -d 'Submitted at least this long ago, as 5m or 1h30m' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -l younger-than -d 'Submitted at most this long ago' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -l unique -d 'With a unique that this pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -l priority -d 'Of this priority' -r -f -a "high\t''
normal\t''
low\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -l text -d 'With this text in the workload' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from count" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -l function -d 'Of this function, or of those that a pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -l state -d 'In this state; waiting is queued and delayed together' -r -f -a "waiting\t''
queued\t''
delayed\t''
running\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -l older-than -d 'Submitted at least this long ago, as 5m or 1h30m' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -l younger-than -d 'Submitted at most this long ago' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -l unique -d 'With a unique that this pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -l priority -d 'Of this priority' -r -f -a "high\t''
normal\t''
low\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -l text -d 'With this text in the workload' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -l limit -d 'Most rows; 0 is no limit. Default: 1000, and with --json no limit' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from list" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from show" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from show" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from show" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from show" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from show" -l workload -d 'Write nothing but the workload, as it is; counts for nothing with --json'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from show" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from show" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from show" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l function -d 'Of this function, or of those that a pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l state -d 'In this state; waiting is queued and delayed together' -r -f -a "waiting\t''
queued\t''
delayed\t''
running\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l older-than -d 'Submitted at least this long ago, as 5m or 1h30m' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l younger-than -d 'Submitted at most this long ago' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l unique -d 'With a unique that this pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l priority -d 'Of this priority' -r -f -a "high\t''
normal\t''
low\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l text -d 'With this text in the workload' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l all -d 'All of them, where nothing else says which'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s y -l yes -d 'Do not ask'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -l function -d 'Of this function, or of those that a pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -l state -d 'In this state; waiting is queued and delayed together' -r -f -a "waiting\t''
queued\t''
delayed\t''
running\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -l older-than -d 'Submitted at least this long ago, as 5m or 1h30m' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -l younger-than -d 'Submitted at most this long ago' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -l unique -d 'With a unique that this pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -l priority -d 'Of this priority' -r -f -a "high\t''
normal\t''
low\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -l text -d 'With this text in the workload' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -l to -d 'The function they go to' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -l all -d 'All of them, where nothing else says which'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -s y -l yes -d 'Do not ask'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from move" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -l function -d 'Of this function, or of those that a pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -l state -d 'In this state; waiting is queued and delayed together' -r -f -a "waiting\t''
queued\t''
delayed\t''
running\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -l older-than -d 'Submitted at least this long ago, as 5m or 1h30m' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -l younger-than -d 'Submitted at most this long ago' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -l unique -d 'With a unique that this pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -l priority -d 'Of this priority' -r -f -a "high\t''
normal\t''
low\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -l text -d 'With this text in the workload' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -l to -d 'Their new priority' -r -f -a "high\t''
normal\t''
low\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -l all -d 'All of them, where nothing else says which'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -s y -l yes -d 'Do not ask'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from priority" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -l function -d 'Of this function, or of those that a pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -l state -d 'In this state; waiting is queued and delayed together' -r -f -a "waiting\t''
queued\t''
delayed\t''
running\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -l older-than -d 'Submitted at least this long ago, as 5m or 1h30m' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -l younger-than -d 'Submitted at most this long ago' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -l unique -d 'With a unique that this pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -l priority -d 'Of this priority' -r -f -a "high\t''
normal\t''
low\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -l text -d 'With this text in the workload' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -l all -d 'All of them, where nothing else says which'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -s y -l yes -d 'Do not ask'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from purge" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "count" -d 'Count jobs'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "list" -d 'List jobs'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show jobs with their workloads and attempts'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "cancel" -d 'End jobs; clients that wait for them get WORK_FAIL'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "move" -d 'Move waiting jobs to another function'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "priority" -d 'Give waiting jobs another priority'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "purge" -d 'End all jobs that wait; those that run go on'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand jobs; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand workers" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand workers" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand workers" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand workers" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand workers" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand workers" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand workers" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -f -a "groups" -d 'Dead letters by error: how many, since when, of which functions'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -f -a "counts" -d 'How many there are, and how many were removed by the policies of their functions'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -f -a "list" -d 'List dead letters'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -f -a "show" -d 'Show dead letters with their workloads and attempts'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -f -a "requeue" -d 'Put dead letters back into the queue, and follow what becomes of them'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -f -a "progress" -d 'Follow a requeue that was left'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -f -a "drop" -d 'Forget dead letters'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -f -a "export" -d 'Write dead letters to a file, as lines of JSON'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -f -a "import" -d 'Take an export of dead letters in'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and not __fish_seen_subcommand_from groups counts list show requeue progress drop export import help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from groups" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from groups" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from groups" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from groups" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from groups" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from groups" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from groups" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from counts" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from counts" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from counts" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from counts" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from counts" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from counts" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from counts" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -l function -d 'Of this function, or of those that a pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -l group -d 'Of this group, as dead groups names it' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -l older-than -d 'Left the queue at least this long ago, as 5m or 1h30m' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -l younger-than -d 'Left the queue at most this long ago' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -l unique -d 'With a unique that this pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -l text -d 'With this text in the workload or the error' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -l limit -d 'Most rows; 0 is no limit. Default: 1000, and with --json no limit' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from list" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from show" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from show" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from show" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from show" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from show" -l workload -d 'Write nothing but the workload, as it is; counts for nothing with --json'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from show" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from show" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from show" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l function -d 'Of this function, or of those that a pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l group -d 'Of this group, as dead groups names it' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l older-than -d 'Left the queue at least this long ago, as 5m or 1h30m' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l younger-than -d 'Left the queue at most this long ago' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l unique -d 'With a unique that this pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l text -d 'With this text in the workload or the error' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l rate -d 'How fast, as 10/s or 30/m; default all at once' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l canary -d 'How many go first, and have to complete before the others follow' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l to -d 'The function they go to, instead of their own' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l workload -d 'Their workload, instead of their own' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l workload-file -d 'File with their workload; - is standard input' -r -F
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l all -d 'All of them, where nothing else says which'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -s y -l yes -d 'Do not ask'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l detach -d 'Do not wait for what becomes of them'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from requeue" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from progress" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from progress" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from progress" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from progress" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from progress" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from progress" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from progress" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -l function -d 'Of this function, or of those that a pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -l group -d 'Of this group, as dead groups names it' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -l older-than -d 'Left the queue at least this long ago, as 5m or 1h30m' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -l younger-than -d 'Left the queue at most this long ago' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -l unique -d 'With a unique that this pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -l text -d 'With this text in the workload or the error' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -l all -d 'All of them, where nothing else says which'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -s y -l yes -d 'Do not ask'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from drop" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from export" -l function -d 'Of this function, or of those that a pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from export" -l group -d 'Of this group, as dead groups names it' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from export" -l older-than -d 'Left the queue at least this long ago, as 5m or 1h30m' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from export" -l younger-than -d 'Left the queue at most this long ago' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from export" -l unique -d 'With a unique that this pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from export" -l text -d 'With this text in the workload or the error' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from export" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from export" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from export" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from export" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from export" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from export" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from export" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from import" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from import" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from import" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from import" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from import" -l check -d 'Only check the file'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from import" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from import" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from import" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "groups" -d 'Dead letters by error: how many, since when, of which functions'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "counts" -d 'How many there are, and how many were removed by the policies of their functions'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "list" -d 'List dead letters'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show dead letters with their workloads and attempts'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "requeue" -d 'Put dead letters back into the queue, and follow what becomes of them'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "progress" -d 'Follow a requeue that was left'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "drop" -d 'Forget dead letters'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write dead letters to a file, as lines of JSON'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "import" -d 'Take an export of dead letters in'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand dead; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and not __fish_seen_subcommand_from list show drop help" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and not __fish_seen_subcommand_from list show drop help" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and not __fish_seen_subcommand_from list show drop help" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and not __fish_seen_subcommand_from list show drop help" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and not __fish_seen_subcommand_from list show drop help" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and not __fish_seen_subcommand_from list show drop help" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and not __fish_seen_subcommand_from list show drop help" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and not __fish_seen_subcommand_from list show drop help" -f -a "list" -d 'List finished jobs'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and not __fish_seen_subcommand_from list show drop help" -f -a "show" -d 'Show finished jobs with their workloads and attempts'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and not __fish_seen_subcommand_from list show drop help" -f -a "drop" -d 'Forget finished jobs'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and not __fish_seen_subcommand_from list show drop help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -l function -d 'Of this function, or of those that a pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -l group -d 'Of this group, as dead groups names it' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -l older-than -d 'Left the queue at least this long ago, as 5m or 1h30m' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -l younger-than -d 'Left the queue at most this long ago' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -l unique -d 'With a unique that this pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -l text -d 'With this text in the workload or the error' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -l limit -d 'Most rows; 0 is no limit. Default: 1000, and with --json no limit' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from list" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from show" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from show" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from show" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from show" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from show" -l workload -d 'Write nothing but the workload, as it is; counts for nothing with --json'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from show" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from show" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from show" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -l function -d 'Of this function, or of those that a pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -l group -d 'Of this group, as dead groups names it' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -l older-than -d 'Left the queue at least this long ago, as 5m or 1h30m' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -l younger-than -d 'Left the queue at most this long ago' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -l unique -d 'With a unique that this pattern with * and ? matches' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -l text -d 'With this text in the workload or the error' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -l all -d 'All of them, where nothing else says which'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -s y -l yes -d 'Do not ask'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from drop" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from help" -f -a "list" -d 'List finished jobs'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show finished jobs with their workloads and attempts'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from help" -f -a "drop" -d 'Forget finished jobs'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand finished; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -f -a "add" -d 'Add a schedule'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -f -a "list" -d 'List schedules'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -f -a "show" -d 'Show a schedule'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -f -a "pause" -d 'Let the runs of a schedule pass'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -f -a "resume" -d 'End that'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -f -a "run" -d 'Submit the job of a schedule now'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -f -a "remove" -d 'Forget a schedule'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and not __fish_seen_subcommand_from add list show pause resume run remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -l zone -d 'Time zone, as Europe/Berlin; default the server\'s' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -l workload -d 'Workload of its jobs' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -l workload-file -d 'File with the workload of its jobs; - is standard input' -r -F
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -l priority -d 'Priority of its jobs' -r -f -a "high\t''
normal\t''
low\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -l unique -d 'Unique of its jobs' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -l missed -d 'Runs whose time passed while the server was down: left out, made up for by one, or by all' -r -f -a "skip\t''
one\t''
all\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -l overlap -d 'A run that is due while the one before waits or runs: left out, submitted too, or joined to it' -r -f -a "skip\t''
queue\t''
coalesce\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -l replace -d 'Replace a schedule of this name'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from add" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from list" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from list" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from list" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from list" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from list" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from list" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from list" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from show" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from show" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from show" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from show" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from show" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from show" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from show" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from pause" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from pause" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from pause" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from resume" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from resume" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from resume" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from run" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from run" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from run" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from run" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from run" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from run" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from run" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from remove" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from remove" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from remove" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from remove" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from remove" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from remove" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from remove" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a schedule'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "list" -d 'List schedules'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show a schedule'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "pause" -d 'Let the runs of a schedule pass'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "resume" -d 'End that'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "run" -d 'Submit the job of a schedule now'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Forget a schedule'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand explain" -l handle -d 'The handle, whatever it looks like' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand explain" -l function -d 'The function, whatever it looks like' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand explain" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand explain" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand explain" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand explain" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand explain" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand explain" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand explain" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand export" -l section -d 'What is exported; default all' -r -f -a "policies\t''
schedules\t''
dead\t''
jobs\t''"
complete -c gearadmin -n "__fish_gearadmin_using_subcommand export" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand export" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand export" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand export" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand export" -l with-file-policies -d 'The policies of the configuration file too, to be set at run time where they are imported'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand export" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand export" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand export" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand import" -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand import" -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand import" -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand import" -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -n "__fish_gearadmin_using_subcommand import" -l check -d 'Only check the file'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand import" -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand import" -l json -d 'Print JSON: an object per reply on a line of its own; of a command, an object per row'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand import" -l help -d 'Print this help'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and not __fish_seen_subcommand_from policy pause resume drain jobs workers dead finished schedule explain export import help" -f -a "policy" -d 'Policies of functions: attempts, pauses between them, time limits, caps, rates, what is kept'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and not __fish_seen_subcommand_from policy pause resume drain jobs workers dead finished schedule explain export import help" -f -a "pause" -d 'Give no more jobs of a function to workers; submits are still taken'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and not __fish_seen_subcommand_from policy pause resume drain jobs workers dead finished schedule explain export import help" -f -a "resume" -d 'End what pause and drain began'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and not __fish_seen_subcommand_from policy pause resume drain jobs workers dead finished schedule explain export import help" -f -a "drain" -d 'Take no more submits of a function; what waits runs dry'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and not __fish_seen_subcommand_from policy pause resume drain jobs workers dead finished schedule explain export import help" -f -a "jobs" -d 'Jobs that wait or run'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and not __fish_seen_subcommand_from policy pause resume drain jobs workers dead finished schedule explain export import help" -f -a "workers" -d 'Workers: what they are able to do, what they run, which get no jobs for a while'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and not __fish_seen_subcommand_from policy pause resume drain jobs workers dead finished schedule explain export import help" -f -a "dead" -d 'Dead letters: jobs that used up their attempts, expired, or could not be read'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and not __fish_seen_subcommand_from policy pause resume drain jobs workers dead finished schedule explain export import help" -f -a "finished" -d 'Finished jobs, where the policy of their function keeps them'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and not __fish_seen_subcommand_from policy pause resume drain jobs workers dead finished schedule explain export import help" -f -a "schedule" -d 'Recurring schedules'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and not __fish_seen_subcommand_from policy pause resume drain jobs workers dead finished schedule explain export import help" -f -a "explain" -d 'Why a job or a function does not move, and when it will'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and not __fish_seen_subcommand_from policy pause resume drain jobs workers dead finished schedule explain export import help" -f -a "export" -d 'Write policies, schedules, dead letters and background jobs to a file, as lines of JSON'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and not __fish_seen_subcommand_from policy pause resume drain jobs workers dead finished schedule explain export import help" -f -a "import" -d 'Take an export in; what was taken in before stays as it is'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and not __fish_seen_subcommand_from policy pause resume drain jobs workers dead finished schedule explain export import help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "set" -d 'Set values for a function or a pattern of functions'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "unset" -d 'Take values back that were set at run time'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "show" -d 'Show all rules, or all values of a function and where each comes from'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "count" -d 'Count jobs'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "list" -d 'List jobs'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "show" -d 'Show jobs with their workloads and attempts'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "cancel" -d 'End jobs; clients that wait for them get WORK_FAIL'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "move" -d 'Move waiting jobs to another function'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "priority" -d 'Give waiting jobs another priority'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from jobs" -f -a "purge" -d 'End all jobs that wait; those that run go on'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from dead" -f -a "groups" -d 'Dead letters by error: how many, since when, of which functions'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from dead" -f -a "counts" -d 'How many there are, and how many were removed by the policies of their functions'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from dead" -f -a "list" -d 'List dead letters'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from dead" -f -a "show" -d 'Show dead letters with their workloads and attempts'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from dead" -f -a "requeue" -d 'Put dead letters back into the queue, and follow what becomes of them'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from dead" -f -a "progress" -d 'Follow a requeue that was left'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from dead" -f -a "drop" -d 'Forget dead letters'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from dead" -f -a "export" -d 'Write dead letters to a file, as lines of JSON'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from dead" -f -a "import" -d 'Take an export of dead letters in'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from finished" -f -a "list" -d 'List finished jobs'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from finished" -f -a "show" -d 'Show finished jobs with their workloads and attempts'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from finished" -f -a "drop" -d 'Forget finished jobs'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from schedule" -f -a "add" -d 'Add a schedule'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from schedule" -f -a "list" -d 'List schedules'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from schedule" -f -a "show" -d 'Show a schedule'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from schedule" -f -a "pause" -d 'Let the runs of a schedule pass'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from schedule" -f -a "resume" -d 'End that'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from schedule" -f -a "run" -d 'Submit the job of a schedule now'
complete -c gearadmin -n "__fish_gearadmin_using_subcommand help; and __fish_seen_subcommand_from schedule" -f -a "remove" -d 'Forget a schedule'
