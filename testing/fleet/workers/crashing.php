<?php
// A worker that never comes up.
fwrite(STDOUT, "connecting to the database\n");
fwrite(STDERR, "the database does not answer\n");
exit(3);
