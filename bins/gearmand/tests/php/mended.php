<?php
// The same after somebody looked at the dead letters.
declare(strict_types=1);

function resize(string $picture): string {
    return "small $picture";
}
