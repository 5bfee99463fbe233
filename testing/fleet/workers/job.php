<?php
// What the PHP workers do: a job takes as long as it says, and its begin and end are written down.
declare(strict_types=1);

/** The release of the code that this worker runs; it was read once, as code is. */
function release(): string {
    static $release = null;
    $release ??= trim(file_get_contents(getenv('RELEASE_FILE')));
    if ($release === 'broken') {
        throw new RuntimeException('this release does not even start');
    }
    return $release;
}

function note(string $what, string $number): void {
    $line = sprintf("%s %s %d php %s\n", $what, $number, getmypid(), release());
    file_put_contents(getenv('JOB_LOG'), $line, FILE_APPEND);
}

/** A workload is the number of the job and how many milliseconds it takes. */
function do_job(string $workload): string {
    [$number, $millis] = explode(' ', $workload);
    note('begin', $number);
    // A signal ends usleep, and not the job.
    $end = hrtime(true) + (int) $millis * 1_000_000;
    while (($left = $end - hrtime(true)) > 0) {
        usleep(intdiv($left, 1000) + 1);
    }
    note('end', $number);
    return $number;
}
