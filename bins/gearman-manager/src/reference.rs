//! The page about the configuration file, from the rows by which it is read.

use geartrain_manager::config::keys::{AUTOSCALE, Effect, Key, MANAGER, PROGRAM};

const OPENING: &str = "\
# The configuration of gearman-manager

Made from the program by `cargo xtask generate`.

One TOML file says which programs run, how many processes of each, and how they are started, watched and ended.
[gearman-manager.toml](gearman-manager.toml) is an example.

```sh
gearman-manager check manager.toml           # prints it with every default, or all that is wrong with it
gearman-manager check --json manager.toml
gearman-manager import workers.ini -o manager.toml        # from GearmanManager
gearman-manager import supervisord.conf -o manager.toml   # from supervisord, with the files it includes
```

A file with a mistake is not taken in part: nothing starts, or all goes on as before. Each mistake is said with its
line, its key and what is allowed there, all of them at once; the exit status is 64.

Times are numbers with `ms`, `s`, `m`, `h` or `d` behind them (`90s`, `1h30m`), sizes numbers of bytes, also with `KiB`,
`MiB`, `GiB` or `TiB`. A path that does not begin with `/` is meant from the folder of the configuration file; a command
with a slash from its working directory.

The column \"a change\" says what becomes of processes that run when a changed file is taken over: nothing (`live`), they
are replaced, one after the other (`restart`), or the key counts from the manager's next start on (`manager`).
";

const PROGRAMS: &str = "
A program is a command of which one or many processes run. `command` is all it needs. Its name has 1 to 64 letters,
digits, `.`, `-` and `_`, a letter or digit first, and is not `all`; one with a `.` stands in quotes.
";

const SCALING: &str = "
With this table, the number of processes follows what waits at the job server, within the range of `processes`; the
program names its `functions`. Without it, a range is for scaling by hand.
";

const CLOSING: &str = "
## From GearmanManager and supervisord

`gearman-manager import` says on standard error what each key became, or why there is nothing for it. Where a key is not
there and the other supervisor does otherwise than we do, its default is written out, so that programs go on as before.
A value that is wrong there as well is refused with its section and key, and nothing is written.

- **GearmanManager** loads the files of `worker_dir` itself and registers a function for each. Here a worker does
  (`--worker`, by default `php worker.php`; [packaging/worker.php](../packaging/worker.php) is one for the PHP extension,
  to be put beside the file): its arguments are the functions, and its environment has `GEARMAN_SERVERS`, `WORKER_DIR`
  and, where they are set, `WORKER_PREFIX`, `WORKER_MAX_RUNS` and `WORKER_TIMEOUTS` (`resize=30,crop=300`). There is a
  program `shared` for the processes that do every function, and one for each function
  that has processes of its own, as many as GearmanManager would start. Import on the machine of the workers: the
  functions are the files of `worker_dir`.
- **supervisord**: a program section becomes a program; where its processes differ in command, environment or folder
  (`%(process_num)s`), a program for each. Expressions are replaced by their values at the import, `%(ENV_X)s` by what
  the variable is then. `priority` becomes `after`, which also waits until the earlier ones are ready. Name the
  `functions` of each program afterwards.
";

/// The page.
pub(crate) fn reference() -> String {
    let mut out = OPENING.to_owned();
    section(&mut out, "At the top", "", MANAGER);
    section(&mut out, "`[program.NAME]`", PROGRAMS, PROGRAM);
    section(&mut out, "`[program.NAME.autoscale]`", SCALING, AUTOSCALE);
    out.push_str(CLOSING);
    out
}

fn section<T>(out: &mut String, title: &str, text: &str, keys: &[Key<T>]) {
    out.push_str(&format!("\n## {title}\n{text}\n"));
    out.push_str("| key | meaning | takes | default | a change |\n|---|---|---|---|---|\n");
    for Key { name, help, takes, default, effect, .. } in keys {
        let effect = match effect {
            Effect::Live => "live",
            Effect::Restart => "restart",
            Effect::Manager => "manager",
        };
        let is_value = default.starts_with(['"', '[', '{']) || default.parse::<f64>().is_ok();
        let is_value = is_value || ["true", "false"].contains(default);
        let default = if is_value { format!("`{default}`") } else { (*default).to_owned() };
        let takes = takes.replace('|', "\\|");
        out.push_str(&format!("| `{name}` | {help} | {takes} | {default} | {effect} |\n"));
    }
}
