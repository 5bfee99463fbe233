<?php
// A worker that ignores SIGTERM: php stubborn.php FUNCTION
declare(strict_types=1);
pcntl_signal(SIGTERM, SIG_IGN);
require __DIR__ . '/plain.php';
