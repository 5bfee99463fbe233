<?php
// The PHP extension's client and worker (Debian's php-gearman), one role per process.
// What a role is asked and what it prints is written in ../README.md.
declare(strict_types=1);

function emit(array $event): void {
    fwrite(STDOUT, json_encode($event, JSON_THROW_ON_ERROR) . "\n");
}

/** Short values as text, long ones as length and digest. */
function value(string $bytes): array {
    return strlen($bytes) <= 1000 ? ['text' => $bytes]
        : ['bytes' => strlen($bytes), 'sha256' => hash('sha256', $bytes)];
}

function workload(string $argument): string {
    return str_starts_with($argument, '@') ? file_get_contents(substr($argument, 1)) : $argument;
}

function await_file(string $path): void {
    while (!file_exists($path)) {
        usleep(5000);
        clearstatcache();
    }
}

function run_job(string $name, string $function, GearmanJob $job): ?string {
    emit(['event' => 'job', 'worker' => $name, 'function' => $function] + value($job->workload()));
    switch ($function) {
        case 'reverse':
            return strrev($job->workload());
        case 'mirror':
            return $job->workload();
        case 'empty':
            return '';
        case 'progress':
            foreach ([1, 2, 4] as $numerator) {
                $job->sendStatus($numerator, 4);
            }
            return 'done';
        case 'chunks':
            foreach (['one', 'two', 'three'] as $chunk) {
                $job->sendData($chunk);
            }
            return 'end';
        case 'warn':
            $job->sendWarning('careful');
            return 'ok';
        case 'throw':
            $job->sendException('boom');
            $job->setReturn(GEARMAN_WORK_EXCEPTION);
            return null;
        case 'fail':
            $job->setReturn(GEARMAN_WORK_FAIL);
            return null;
        case 'hold':
            $job->sendStatus(1, 2);
            await_file($job->workload());
            return $name;
    }
    throw new LogicException("no function $function");
}

function worker(int $port, string $name, array $functions): void {
    $worker = new GearmanWorker();
    $worker->addServer('127.0.0.1', $port);
    $worker->setId($name);
    foreach ($functions as $function) {
        $worker->addFunction($function, fn (GearmanJob $job) => run_job($name, $function, $job));
    }
    while (true) {
        if (!@$worker->work()) {
            $code = $worker->returnCode();
            if (!in_array($code, [GEARMAN_WORK_FAIL, GEARMAN_WORK_EXCEPTION], true)) {
                emit(['event' => 'error', 'text' => (string) $worker->error()]);
                exit(1);
            }
        }
    }
}

function client(int $port): GearmanClient {
    $client = new GearmanClient();
    $client->addServer('127.0.0.1', $port);
    $client->enableExceptionHandler();
    $client->setCreatedCallback(fn ($task) => emit(['event' => 'created', 'handle' => $task->jobHandle()]));
    $client->setStatusCallback(fn ($task) => emit(['event' => 'status',
        'numerator' => $task->taskNumerator(), 'denominator' => $task->taskDenominator()]));
    $client->setDataCallback(fn ($task) => emit(['event' => 'data'] + value($task->data())));
    $client->setWarningCallback(fn ($task) => emit(['event' => 'warning'] + value($task->data())));
    $client->setExceptionCallback(fn ($task) => emit(['event' => 'exception'] + value($task->data())));
    $client->setFailCallback(fn ($task) => emit(['event' => 'fail']));
    $client->setCompleteCallback(fn ($task) => emit(['event' => 'complete'] + value($task->data())));
    return $client;
}

function poll(int $port, string $function, string $workload): void {
    $client = client($port);
    $handle = $client->doBackground($function, $workload);
    emit(['event' => 'created', 'handle' => $handle]);
    $last = null;
    do {
        [$known, $running, $numerator, $denominator] = $client->jobStatus($handle);
        $state = ['event' => 'state', 'known' => $known, 'running' => $running,
            'numerator' => $numerator, 'denominator' => $denominator];
        if ($state !== $last) {
            emit($last = $state);
        }
        usleep(5000);
    } while ($known);
}

function many(int $port, string $function, int $count): void {
    $client = client($port);
    $results = [];
    $client->setCreatedCallback(fn ($task) => null);
    $client->setCompleteCallback(function ($task) use (&$results) {
        $results[] = $task->data();
    });
    for ($i = 0; $i < $count; $i++) {
        $client->addTask($function, "job $i", null, "unique $i");
    }
    $client->runTasks();
    emit(['event' => 'set', 'results' => $results]);
}

function sequential(int $port, string $function, int $count): void {
    $client = new GearmanClient();
    $client->addServer('127.0.0.1', $port);
    $results = [];
    $start = microtime(true);
    for ($i = 0; $i < $count; $i++) {
        $results[] = $client->doNormal($function, "job $i");
    }
    $ms = (int) ((microtime(true) - $start) * 1000);
    emit(['event' => 'sequential', 'results' => $results, 'ms' => $ms]);
}

function background(int $port, string $function, array $jobs): void {
    $client = new GearmanClient();
    $client->addServer('127.0.0.1', $port);
    foreach ($jobs as $job) {
        [$priority, $unique, $workload] = explode(':', $job, 3);
        $submit = ['high' => 'doHighBackground', 'normal' => 'doBackground', 'low' => 'doLowBackground'][$priority];
        emit(['event' => 'created', 'handle' => $client->$submit($function, $workload, ...($unique === '' ? [] : [$unique]))]);
    }
}

function run(int $port, string $function, string $priority, string $unique, string $workload): void {
    $client = client($port);
    $add = ['high' => 'addTaskHigh', 'normal' => 'addTask', 'low' => 'addTaskLow'][$priority];
    $client->$add($function, workload($workload), null, ...($unique === '' ? [] : [$unique]));
    if (!@$client->runTasks() && $client->returnCode() !== GEARMAN_WORK_FAIL
        && $client->returnCode() !== GEARMAN_WORK_EXCEPTION) {
        emit(['event' => 'error', 'text' => (string) $client->error()]);
    }
}

/** True when this library has no way to do what is named. */
function lacks(string $feature): bool {
    return match ($feature) {
        'admin' => array_filter(get_class_methods('GearmanClient'),
            fn ($method) => preg_match('/version|workers|functions|admin/i', $method)) === [],
    };
}

[, $role] = $argv;
if ($role === 'worker') {
    worker((int) $argv[2], $argv[3], array_slice($argv, 4));
} elseif ($role === 'lacks') {
    emit(['event' => 'lacks', 'value' => lacks($argv[2])]);
} else {
    $port = (int) $argv[2];
    $rest = array_slice($argv, 4);
    match ($argv[3]) {
        'echo' => client($port)->ping($rest[0]) ? emit(['event' => 'echo', 'text' => $rest[0]])
            : emit(['event' => 'error', 'text' => 'ping said no']),
        'run' => run($port, ...$rest),
        'background' => background($port, $rest[0], array_slice($rest, 1)),
        'poll' => poll($port, ...$rest),
        'set' => many($port, $rest[0], (int) $rest[1]),
        'sequential' => sequential($port, $rest[0], (int) $rest[1]),
    };
}
