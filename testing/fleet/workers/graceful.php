<?php
// A worker that leaves at SIGTERM when its job is done: php graceful.php FUNCTION [MIB]
// With MIB it has a leak: of each job so many MiB stay.
declare(strict_types=1);
require __DIR__ . '/job.php';
release();

$leaving = false;
pcntl_async_signals(true);
pcntl_signal(SIGTERM, function () use (&$leaving): void {
    $leaving = true;
});

$kept = [];
$leak = (int) ($argv[2] ?? 0) << 20;
$worker = new GearmanWorker();
$worker->addServers(getenv('GEARMAN_SERVERS'));
// Whether it is to leave is looked at each time.
$worker->setTimeout(100);
$worker->addFunction($argv[1], function (GearmanJob $job) use (&$kept, $leak): string {
    $kept[] = str_repeat('x', $leak);
    return do_job($job->workload());
});
while (!$leaving) {
    @$worker->work();
    if (!in_array($worker->returnCode(), [GEARMAN_SUCCESS, GEARMAN_TIMEOUT], true)) {
        fwrite(STDERR, $worker->error() . "\n");
        exit(1);
    }
}
