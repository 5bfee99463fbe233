#!/bin/bash
# The C tools gearman and gearadmin (Debian's gearman-tools), one role per process.
# What a role is asked and what it prints is written in ../README.md.
set -u
# The tools grow their buffer 1 KiB at a time; without this each step of 8 MiB costs a system call.
export MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TOP_PAD_=67108864

# Bytes on stdin to the inside of a JSON string (ASCII only; the suite sends nothing else in text).
quoted() {
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }'
}

# Short values as text, long ones as length and digest: the fields of an event about file $1.
value() {
    local bytes
    bytes=$(stat -c %s "$1")
    if [ "$bytes" -le 1000 ]; then
        printf '"text":"%s"' "$(quoted < "$1")"
    else
        printf '"bytes":%s,"sha256":"%s"' "$bytes" "$(sha256sum < "$1" | cut -d' ' -f1)"
    fi
}

# One job of a worker: workload on stdin, result on stdout, events on descriptor 3.
# The workload is read whole before anything is written, as the tool wants it.
run_job() {
    local name=$1 function=$2 scratch
    scratch=$(mktemp)
    cat > "$scratch"
    printf '{"event":"job","worker":"%s","function":"%s",%s}\n' "$name" "$function" "$(value "$scratch")" >&3
    case $function in
        reverse) rev "$scratch" ;;
        mirror) cat "$scratch" ;;
        empty) ;;
        chunks) printf 'one\ntwo\nthree\n' ;;
        fail) rm -f "$scratch"; exit 1 ;;
        hold)
            until [ -e "$(cat "$scratch")" ]; do sleep 0.01; done
            printf '%s' "$name" ;;
    esac
    rm -f "$scratch"
}

# Every packet that concerns one job, from what the tool prints about it.
report() {
    local folder=$1 status
    IFS= read -r first
    printf '{"event":"created","handle":"%s"}\n' "${first#Task created: }"
    cat > "$folder/rest"
    if [ "$(stat -c %s "$folder/rest")" -le 1000 ]; then
        grep -a '^[0-9]*% Complete$' "$folder/rest" | while IFS= read -r status; do
            printf '{"event":"status","numerator":%s,"denominator":100}\n' "${status%\% Complete}"
        done
        grep -av '^[0-9]*% Complete$' "$folder/rest" | tr -d '\n' > "$folder/result"
    else
        mv "$folder/rest" "$folder/result"
    fi
}

run() {
    local port=$1 function=$2 priority=$3 unique=$4 workload=$5 folder code
    local options=(-v -p "$port" -f "$function")
    case $priority in high) options+=(-I) ;; low) options+=(-L) ;; esac
    [ -n "$unique" ] && options+=(-u "$unique")
    folder=$(mktemp -d)
    case $workload in
        @*) cp "${workload#@}" "$folder/workload" ;;
        *) printf '%s' "$workload" > "$folder/workload" ;;
    esac
    stdbuf -oL gearman "${options[@]}" < "$folder/workload" 2> "$folder/talk" | report "$folder"
    code=${PIPESTATUS[0]}
    if [ -s "$folder/talk" ] && ! grep -q '^Job failed' "$folder/talk"; then
        printf '{"event":"warning",%s}\n' "$(value "$folder/talk")"
    fi
    if [ "$code" -eq 0 ]; then
        printf '{"event":"complete",%s}\n' "$(value "$folder/result")"
    else
        printf '{"event":"fail"}\n'
    fi
    rm -rf "$folder"
}

background() {
    local port=$1 function=$2 job priority unique options
    shift 2
    for job in "$@"; do
        priority=${job%%:*} job=${job#*:}
        unique=${job%%:*} job=${job#*:}
        options=(-v -b -p "$port" -f "$function")
        case $priority in high) options+=(-I) ;; low) options+=(-L) ;; esac
        [ -n "$unique" ] && options+=(-u "$unique")
        printf '{"event":"created","handle":"%s"}\n' \
            "$(printf '%s' "$job" | gearman "${options[@]}" | sed -n 's/^Task created: //p')"
    done
}

# All jobs in one run of the tool, one a line.
set_of_jobs() {
    local port=$1 function=$2 count=$3
    printf '{"event":"set","results":['
    seq 0 $((count - 1)) | sed 's/^/job /' | gearman -n -p "$port" -f "$function" \
        | grep -v '^$' | sed 's/.*/"&"/' | paste -sd, | tr -d '\n'
    printf ']}\n'
}

admin() {
    local port=$1 version status workers
    version=$(gearadmin -h 127.0.0.1 -p "$port" --server-version)
    status=$(gearadmin -h 127.0.0.1 -p "$port" --status \
        | awk -F'\t' 'NF == 4 { printf "%s\"%s\":[%s,%s,%s]", comma, $1, $2, $3, $4; comma = "," }')
    workers=$(gearadmin -h 127.0.0.1 -p "$port" --workers | sed -n 's/^[^:]*: \(.\)/\1/p' | tr ' ' '\n' \
        | sort -u | sed 's/.*/"&"/' | paste -sd,)
    printf '{"event":"admin","version":"%s","status":{%s},"workers":[%s]}\n' "$version" "$status" "$workers"
}

# True when the tools have no way to do what is named: no option's help speaks of it.
lacks() {
    local word answer=true
    case $1 in
        echo) word='echo\|ping' ;;
        poll) word='job status\|status of a job\|-job-status' ;;
        progress) word='numerator\|send status' ;;
        warning) word='send warning' ;;
        exceptions) word='exception' ;;
        *) word='.' ;;
    esac
    if { gearman -H; gearadmin --help; } 2>&1 | grep -qi "$word"; then answer=false; fi
    printf '{"event":"lacks","value":%s}\n' "$answer"
}

case $1 in
    job) run_job "$2" "$3" ;;
    lacks) lacks "$2" ;;
    worker)
        # One process of the tool serves one function, since its command is not told which one a job is for.
        port=$2 name=$3 function=$4
        options=(-w -p "$port" -f "$function")
        [ "$function" = chunks ] && options+=(-N)
        exec gearman "${options[@]}" -- "$0" job "$name" "$function" 3>&1 ;;
    client)
        port=$2 verb=$3
        shift 3
        case $verb in
            run) run "$port" "$@" ;;
            background) background "$port" "$@" ;;
            set) set_of_jobs "$port" "$@" ;;
            admin) admin "$port" ;;
        esac ;;
esac
