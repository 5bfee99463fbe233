<?php
// A worker for the function files of GearmanManager, one of its processes: php worker.php FUNCTION...
//
// gearman-manager import makes programs that start it. It registers the functions that it is given, and loads the file
// of each from WORKER_DIR when its first job comes: FUNCTION.php has a function FUNCTION($job, &$log), or a class
// FUNCTION with a method run($job, &$log); both with WORKER_PREFIX before their name, where that is set. What they
// return is the result; what they add to $log is printed. An exception fails the job, with its
// message as a warning, and not the worker.
//
// Environment: GEARMAN_SERVERS (host:port, with commas), WORKER_DIR (folders, with commas), WORKER_PREFIX,
// WORKER_MAX_RUNS (jobs after which it leaves), WORKER_TIMEOUTS (FUNCTION=SECONDS, with commas).
//
// On SIGTERM, SIGINT and SIGQUIT it finishes its job and leaves with 0.
declare(strict_types=1);

const WAIT_MS = 1000;
const PAUSE_AFTER_ERROR_S = 1;

function fail(string $text): never {
    fwrite(STDERR, "worker.php: $text\n");
    exit(1);
}

/** The parts of a variable with commas. */
function parts(string $variable): array {
    $parts = array_map('trim', explode(',', (string) getenv($variable)));
    return array_values(array_filter($parts, fn (string $part): bool => $part !== ''));
}

/** The file of a function, in the first folder that has one. */
function file_of(string $function): string {
    if (!preg_match('/^[A-Za-z0-9_.-]+$/', $function) || str_starts_with($function, '.')) {
        fail("$function cannot be the name of a file");
    }
    foreach (parts('WORKER_DIR') as $folder) {
        if (is_file("$folder/$function.php")) {
            return "$folder/$function.php";
        }
    }
    fail("there is no $function.php in WORKER_DIR");
}

/** What is called for a job: a function, or the method of an object that lives as long as the worker. */
function callee_of(string $function, string $file): callable {
    static $known = [];
    if (isset($known[$function])) {
        return $known[$function];
    }
    $name = getenv('WORKER_PREFIX') . $function;
    require_once $file;
    if (class_exists($name, false) && method_exists($name, 'run')) {
        return $known[$function] = [new $name(), 'run'];
    }
    if (function_exists($name)) {
        return $known[$function] = $name;
    }
    throw new LogicException("$file has neither a function $name nor a class $name with a method run");
}

/** Runs a job; what is returned is its result. */
function run_job(GearmanJob $job, string $function, string $file): mixed {
    $log = [];
    try {
        $callee = callee_of($function, $file);
        $result = $callee($job, $log);
    } catch (Throwable $error) {
        fwrite(STDERR, "{$job->handle()} $function failed: $error\n");
        // Not as an exception: clients of the reference server that did not ask for exceptions wait for ever then.
        $job->sendWarning($error->getMessage());
        $job->setReturn(GEARMAN_WORK_FAIL);
        return null;
    } finally {
        foreach ((array) $log as $line) {
            echo $job->handle(), ' ', is_string($line) ? $line : json_encode($line), "\n";
        }
    }
    return is_scalar($result) || $result === null ? $result : json_encode($result);
}

/** The seconds of WORKER_TIMEOUTS, by function. */
function timeouts(): array {
    $timeouts = [];
    foreach (parts('WORKER_TIMEOUTS') as $part) {
        [$function, $seconds] = explode('=', $part, 2) + [1 => ''];
        if (!ctype_digit($seconds)) {
            fail("WORKER_TIMEOUTS: $part is no FUNCTION=SECONDS");
        }
        $timeouts[$function] = (int) $seconds;
    }
    return $timeouts;
}

$functions = array_slice($argv, 1);
if ($functions === []) {
    fail('no function is named (hint: php worker.php FUNCTION...)');
}
if (!extension_loaded('gearman')) {
    fail('PHP has no extension gearman (hint: php-gearman of Debian, or pecl)');
}
$max_runs = (int) getenv('WORKER_MAX_RUNS');
$is_leaving = false;
if (function_exists('pcntl_async_signals')) {
    // Only noted, the job goes on; as always in PHP a sleep() in it ends early.
    pcntl_async_signals(true);
    foreach ([SIGTERM, SIGINT, SIGQUIT] as $signal) {
        pcntl_signal($signal, function () use (&$is_leaving): void {
            $is_leaving = true;
        });
    }
}

$worker = new GearmanWorker();
$worker->addOptions(GEARMAN_WORKER_NON_BLOCKING);
$worker->setTimeout(WAIT_MS);
foreach (parts('GEARMAN_SERVERS') ?: ['127.0.0.1'] as $server) {
    [$host, $port] = explode(':', $server, 2) + [1 => '4730'];
    try {
        $worker->addServer($host, (int) $port);
    } catch (GearmanException) {
        // It is among the servers, and not there just now.
    }
}
$timeouts = timeouts();
$runs = 0;
foreach ($functions as $function) {
    $file = file_of($function);
    $run = function (GearmanJob $job) use ($function, $file, &$runs): mixed {
        $runs += 1;
        return run_job($job, $function, $file);
    };
    $worker->addFunction($function, $run, null, $timeouts[$function] ?? 0);
}

while (!$is_leaving && ($max_runs <= 0 || $runs < $max_runs)) {
    @$worker->work();
    switch ($worker->returnCode()) {
        case GEARMAN_SUCCESS:
        case GEARMAN_WORK_FAIL:
            break;
        case GEARMAN_IO_WAIT:
        case GEARMAN_NO_JOBS:
            // Returns when there is a job, a signal, or the time is over.
            @$worker->wait();
            break;
        default:
            // No server is there: it may come back.
            sleep(PAUSE_AFTER_ERROR_S);
    }
}
