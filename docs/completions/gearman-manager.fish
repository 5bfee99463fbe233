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
complete -c gearman-manager -n "__fish_gearman_manager_needs_command" -f -a "check" -d 'Look at a configuration file: print it as it is understood, or all that is wrong with it'
complete -c gearman-manager -n "__fish_gearman_manager_needs_command" -f -a "import" -d 'Make a configuration file from that of GearmanManager or supervisord, and say what each key became'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand check" -l json -d 'Print JSON instead of TOML'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand check" -s h -l help -d 'Print help'
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand import" -s o -l output -d 'Where to write it; a file that is there is not replaced. Default: standard output' -r -F
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand import" -l worker -d 'Command of the workers that take the place of those inside GearmanManager, split at spaces; the functions follow as arguments' -r
complete -c gearman-manager -n "__fish_gearman_manager_using_subcommand import" -s h -l help -d 'Print help'
