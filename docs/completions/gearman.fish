complete -c gearman -s f -l function -d 'Function to call or to work on; may be repeated' -r
complete -c gearman -s h -l host -d 'Server: HOST, HOST:PORT (an IPv6 address in brackets), unix:PATH or a list with commas; may be repeated. Default: the servers in GEARMAN_SERVERS, else localhost. GEARMAN_SERVER overrides this option' -r
complete -c gearman -s p -l port -d 'Port number or service for hosts that name none' -r
complete -c gearman -s t -l timeout -d 'Longest silence of a server, and of a worker the longest wait for a job; below 0 is no limit' -r
complete -c gearman -s i -l pid-file -d 'Write the process number to this file, and remove it at the end' -r -F
complete -c gearman -s u -l unique -d 'Client: unique of the jobs; `-` takes the workload, `#` a hash of it [default: a random one each]' -r
complete -c gearman -s c -l count -d 'Worker: leave after this many jobs; a wait that -t ends counts as one' -r
complete -c gearman -l generate -d 'Print a shell completion or the manual page' -r -f -a "completion-bash\t''
completion-zsh\t''
completion-fish\t''
man\t''"
complete -c gearman -s S -l ssl -d 'Encrypt the connection (refused: this build has no TLS)'
complete -c gearman -s v -l verbose -d 'Print the handle of each job'
complete -c gearman -s H -l help -d 'Print this help'
complete -c gearman -s V -l version -d 'Print the version of gearman'
complete -c gearman -s d -l daemon -d 'Go to the background, without terminal and output'
complete -c gearman -s b -l background -d 'Client: submit background jobs, whose results nobody waits for'
complete -c gearman -s I -l high -d 'Client: high priority'
complete -c gearman -s L -l low -d 'Client: low priority'
complete -c gearman -s n -l per-line -d 'Client: one job per line of standard input. Worker: one data packet per line of output'
complete -c gearman -s N -l strip-newline -d 'As -n, without the newlines'
complete -c gearman -s P -l prefix -d 'Client: begin each output with the name of its function'
complete -c gearman -s s -l no-input -d 'Client: submit one job with an empty workload, without reading standard input'
complete -c gearman -s w -l worker -d 'Worker: work on jobs'
