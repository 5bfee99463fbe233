<?php
// A worker as they are written everywhere: it knows nothing of attempts, dead letters or policies.
// Arguments: port, file with the handler, file that the jobs it finished are written to.
declare(strict_types=1);

[, $port, $handler, $finished] = $argv;
require $handler;

$worker = new GearmanWorker();
$worker->addServer('127.0.0.1', (int) $port);
$worker->addFunction('resize', function (GearmanJob $job) use ($finished): ?string {
    try {
        $result = resize($job->workload());
    } catch (Throwable $error) {
        $job->sendException($error->getMessage());
        $job->setReturn(GEARMAN_WORK_EXCEPTION);
        return null;
    }
    file_put_contents($finished, $job->workload() . "\n", FILE_APPEND | LOCK_EX);
    return $result;
});
// `work` says false of a job that ended with an exception as well.
while ($worker->work() || $worker->returnCode() === GEARMAN_WORK_EXCEPTION) {
}
