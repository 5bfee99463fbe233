complete -c gearadmin -s h -l host -d 'Server to ask: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost' -r
complete -c gearadmin -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearadmin -l timeout -d 'Longest silence of a server, in milliseconds' -r
complete -c gearadmin -l reply-bytes-max -d 'Largest reply taken from a server, in bytes' -r
complete -c gearadmin -l create-function -d 'Create a function without a worker or job' -r
complete -c gearadmin -l maxqueue -d 'Bound the jobs of a function: nothing for no bound, N for all, or HIGH NORMAL LOW' -r
complete -c gearadmin -l drop-function -d 'Forget a function; refused while workers or jobs of it are there' -r
complete -c gearadmin -l cancel-job -d 'Take a job out of the queue' -r
complete -c gearadmin -l generate -d 'Print a shell completion or the manual page' -r -f -a "completion-bash\t''
completion-zsh\t''
completion-fish\t''
man\t''"
complete -c gearadmin -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearadmin -l json -d 'Print replies as JSON, one object per reply on a line of its own'
complete -c gearadmin -l getpid -d 'Process number of the server'
complete -c gearadmin -l force -d 'With --drop-function: cancel the waiting jobs of the function'
complete -c gearadmin -l show-jobs -d 'List jobs: handle, retries, ignored, background'
complete -c gearadmin -l show-unique-jobs -d 'List the uniques of jobs'
complete -c gearadmin -l server-verbose -d 'What the server logs'
complete -c gearadmin -l server-version -d 'Version of the server'
complete -c gearadmin -l workers -d 'List connections: number, address, client id, functions'
complete -c gearadmin -l priority-status -d 'List functions: waiting jobs of high, normal and low priority, workers'
complete -c gearadmin -l status -d 'List functions: jobs, running jobs, workers'
complete -c gearadmin -l help -d 'Print this help'
complete -c gearadmin -s V -l version -d 'Print the version of gearadmin'
