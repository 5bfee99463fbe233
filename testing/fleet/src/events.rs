//! What happens to the fleet while it works.
//!
//! From: `play`, which gives each event a thread. To: the manager, by what its users do; and what must come of it.
//! Never: looks at the jobs of the load, but for those that the event is about: the accounts see to all of them.

mod autoscale;
mod crash_loop;
mod deploy;
mod lifetime;
mod memory;
mod plain;
mod stubborn;

use crate::Result;
use crate::accounts::few;
use crate::manager::Line;
use crate::play::Stage;

/// An event: what it is called, and how it goes.
type Event = (&'static str, fn(&Stage) -> Result);

/// All events; they happen at the same time.
pub(crate) const ALL: [Event; 7] = [
    ("a release that does not start, a good one, and scaling by hand", deploy::play),
    ("scaling by itself", autoscale::play),
    ("a leak", memory::play),
    ("a crash loop", crash_loop::play),
    ("SIGTERM ignored", stubborn::play),
    ("a job longer than the lifetime", lifetime::play),
    ("workers that know nothing of signals", plain::play),
];

/// Programs whose processes end by SIGTERM or SIGKILL, or by themselves: all others leave with 0.
const ROUGH: [&str; 4] = ["plain-php", "plain-python", "stubborn", "crash"];

/// What must hold over the whole play.
pub(crate) fn check_at_the_end(stage: &Stage) -> Result {
    let wrong: Vec<String> = stage.manager.lines(0).iter().filter_map(what_is_wrong).collect();
    if !wrong.is_empty() {
        return Err(few(&wrong).into());
    }
    crash_loop::check_held(stage)
}

fn what_is_wrong(line: &Line) -> Option<String> {
    let Line { level, text, .. } = line;
    let program = text.split(':').next().unwrap_or_default();
    if level == "ERROR" {
        return Some(format!("the manager has an error: {text}"));
    }
    if text.contains("is killed") && (program != "stubborn" || text.contains("in the middle of a job")) {
        return Some(format!("a worker was killed: {text}"));
    }
    let is_rough = ROUGH.contains(&program);
    if text.contains("has lost the process that was to leave") && !is_rough && !text.ends_with("exit code 0")
    {
        return Some(format!("a worker did not leave by itself: {text}"));
    }
    if text.contains("the last one ended") && !is_rough {
        return Some(format!("a worker ended that nobody had told to: {text}"));
    }
    None
}
