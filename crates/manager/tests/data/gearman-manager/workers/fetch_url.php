<?php
// A function of the example; nothing runs it.
