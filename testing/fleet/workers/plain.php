<?php
// A worker as in PHP's manual, which knows nothing of signals: php plain.php FUNCTION
declare(strict_types=1);
require __DIR__ . '/job.php';
release();

$worker = new GearmanWorker();
$worker->addServers(getenv('GEARMAN_SERVERS'));
$worker->addFunction($argv[1], fn (GearmanJob $job): string => do_job($job->workload()));
while ($worker->work());
fwrite(STDERR, $worker->error() . "\n");
exit(1);
