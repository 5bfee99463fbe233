# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_gearman_manager_global_optspecs
    string join \n generate= h/help V/version
end

function __fish_gearman_manager_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_gearman_manager_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_gearman_manager_using_subcommand
    set -l cmd (__fish_gearman_manager_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c gearman-manager -n "__fish_gearman_manager_needs_command" -l generate -d 'Print a shell completion, the manual page or the reference of the configuration file' -r -f -a "completion-bash\t''
completion-zsh\t''
completion-fish\t''
man\t''
reference\t''"
complete -c gearman-manager -n "__fish_gearman_manager_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gearman-manager -n "__fish_gearman_manager_needs_command" -s V -l version -d 'Print version'
complete -c gearman-manager -n "__fish_gearman_manager_needs_command" -f -a "run" -d 'Run the programs of a configuration file until told to stop'
complete -c gearman-manager -n "__fish_gearman_manager_needs_command" -f -a "ctl" -d 'Ask or steer the manager that runs'
complete -c gearman-manager -n "__fish_gearman_manager_needs_command" -f -a "check" -d 'Look at a configuration file: print it as it is understood, or all that is wrong with it'
complete -c gearman-manager -n "__fish_gearman_manager_needs_command" -f -a "import" -d 'Make a configuration file from that of GearmanManager or supervisord, and say what each key became'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand run" -s c -l config -d 'Configuration file' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand run" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and not __fish_seen_subcommand_from status start stop signal restart scale tail reread update shutdown" -s s -l socket -d 'Control socket of the manager' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and not __fish_seen_subcommand_from status start stop signal restart scale tail reread update shutdown" -l json -d 'Print what comes as JSON, a line each'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and not __fish_seen_subcommand_from status start stop signal restart scale tail reread update shutdown" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and not __fish_seen_subcommand_from status start stop signal restart scale tail reread update shutdown" -f -a "status" -d 'Show all processes'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and not __fish_seen_subcommand_from status start stop signal restart scale tail reread update shutdown" -f -a "start" -d 'Start what does not run; a held crash loop is tried again'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and not __fish_seen_subcommand_from status start stop signal restart scale tail reread update shutdown" -f -a "stop" -d 'Stop, and leave stopped'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and not __fish_seen_subcommand_from status start stop signal restart scale tail reread update shutdown" -f -a "signal" -d 'Send a signal to processes, and nothing more'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and not __fish_seen_subcommand_from status start stop signal restart scale tail reread update shutdown" -f -a "restart" -d 'Replace processes by new ones, the first one as a canary'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and not __fish_seen_subcommand_from status start stop signal restart scale tail reread update shutdown" -f -a "scale" -d 'Change the number of processes'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and not __fish_seen_subcommand_from status start stop signal restart scale tail reread update shutdown" -f -a "tail" -d 'Show the last lines that processes wrote'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and not __fish_seen_subcommand_from status start stop signal restart scale tail reread update shutdown" -f -a "reread" -d 'Show what the configuration file would change'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and not __fish_seen_subcommand_from status start stop signal restart scale tail reread update shutdown" -f -a "update" -d 'Take the configuration file over'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and not __fish_seen_subcommand_from status start stop signal restart scale tail reread update shutdown" -f -a "shutdown" -d 'Stop all programs, then the manager; returns when it has ended'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from status" -s s -l socket -d 'Control socket of the manager' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from status" -l json -d 'Print what comes as JSON, a line each'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from start" -s s -l socket -d 'Control socket of the manager' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from start" -l json -d 'Print what comes as JSON, a line each'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from stop" -s s -l socket -d 'Control socket of the manager' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from stop" -l now -d 'Kill at once, in the middle of a job or not; also what was told to stop before'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from stop" -l json -d 'Print what comes as JSON, a line each'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from signal" -s s -l socket -d 'Control socket of the manager' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from signal" -l json -d 'Print what comes as JSON, a line each'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from signal" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from restart" -s s -l socket -d 'Control socket of the manager' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from restart" -l json -d 'Print what comes as JSON, a line each'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from restart" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from scale" -s s -l socket -d 'Control socket of the manager' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from scale" -l json -d 'Print what comes as JSON, a line each'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from scale" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from tail" -s n -l lines -d 'Lines of each process' -r
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from tail" -s s -l socket -d 'Control socket of the manager' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from tail" -s f -l follow -d 'Go on with new lines until interrupted'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from tail" -l json -d 'Print what comes as JSON, a line each'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from tail" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from reread" -s s -l socket -d 'Control socket of the manager' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from reread" -l json -d 'Print what comes as JSON, a line each'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from reread" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from update" -s s -l socket -d 'Control socket of the manager' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from update" -l json -d 'Print what comes as JSON, a line each'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from update" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from shutdown" -s s -l socket -d 'Control socket of the manager' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from shutdown" -l json -d 'Print what comes as JSON, a line each'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand ctl; and __fish_seen_subcommand_from shutdown" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand check" -l json -d 'Print JSON instead of TOML'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand check" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand import" -s o -l output -d 'Where to write it; a file that is there is not replaced. Default: standard output' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand import" -l worker -d 'Command of the workers that take the place of those inside GearmanManager, split at spaces; the functions follow as arguments' -r
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand import" -s h -l help -d 'Print help'
