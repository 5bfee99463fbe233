//! Watched paths: what changed, once nothing more changes.
//!
//! From: the kernel, through a thread of `notify`. To: the planner, a change of a program at a time.
//! Never: restarts in the middle of a deployment, each change waits until it has been quiet; goes on watching what is
//! not there any more.

mod hinges;

use super::Runner;
use super::log::{Level, Log};
use crate::config::{Program, ProgramName, WatchPattern};
use crate::limits::{WATCH_RESTARTS_MAX, WATCH_SETTLE_MAX, WATCH_WITHIN};
use crate::planner::Moment;
use hinges::{folder_of, hinges_of};
use nix::sys::eventfd::EventFd;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Watches {
    programs: Arc<BTreeMap<ProgramName, Watched>>,
    /// Without programs that watch anything, there is none.
    active: Option<Active>,
    /// Changes that are not old enough.
    settling: BTreeMap<ProgramName, Settling>,
    /// Hinges that went, and are to come back: without its files no process could start.
    gone: BTreeSet<(ProgramName, PathBuf)>,
    /// When programs changed lately.
    changed: BTreeMap<ProgramName, VecDeque<Moment>>,
}

/// A change that waits until nothing more changes.
#[derive(Debug)]
struct Settling {
    since: Moment,
    due: Moment,
    what: PathBuf,
    /// It is put off since there were too many before.
    is_put_off: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Watched {
    patterns: Vec<WatchPattern>,
    /// What all that is watched hangs on: folders and links on the way, also those that are not there yet. Whoever
    /// deploys by turning or replacing one changes all behind it.
    hinges: BTreeSet<PathBuf>,
    settle: Duration,
}

#[derive(Debug)]
struct Active {
    seen: Receiver<Seen>,
    folders: BTreeMap<PathBuf, RecursiveMode>,
    _watcher: RecommendedWatcher,
}

/// What the thread of the watcher found.
#[derive(Debug)]
enum Seen {
    /// This changed, which a program watches. `turned`: it is a hinge.
    Changed { name: ProgramName, path: PathBuf, turned: bool },
    /// Changes were lost: too many at once.
    Lost(String),
}

impl Watches {
    /// Watches what these programs name, and nothing else.
    pub(crate) fn set(&mut self, programs: &BTreeMap<ProgramName, Program>, wake: &Arc<EventFd>, log: &Log) {
        let watched = programs.iter().filter(|(_, program)| !program.watch.is_empty());
        let watched = watched.map(|(name, program)| {
            let hinges = program.watch.iter().flat_map(|pattern| hinges_of(&pattern.root())).collect();
            let watched = Watched { patterns: program.watch.clone(), hinges, settle: program.watch_settle };
            (name.clone(), watched)
        });
        let watched: BTreeMap<ProgramName, Watched> = watched.collect();
        if watched == *self.programs && self.active.is_some() != watched.is_empty() {
            return;
        }
        self.programs = Arc::new(watched);
        self.settling.retain(|name, _| programs.contains_key(name));
        self.changed.retain(|name, _| programs.contains_key(name));
        self.gone.retain(|(name, _)| programs.contains_key(name));
        self.watch(wake, log);
    }

    fn watch(&mut self, wake: &Arc<EventFd>, log: &Log) {
        self.active = None;
        if self.programs.is_empty() {
            return;
        }
        // What changes between a look and its watch is seen by the next look.
        for _ in 0..3 {
            let active = match self.activate(wake, log) {
                Ok(active) => active,
                Err(error) => {
                    log.say(Level::Error, &format!("no path can be watched: {error}"));
                    return;
                }
            };
            let is_settled = active.folders == self.folders();
            self.active = Some(active);
            if is_settled {
                return;
            }
        }
    }

    fn activate(&self, wake: &Arc<EventFd>, log: &Log) -> notify::Result<Active> {
        let (tell, seen) = channel();
        let (wake, programs) = (Arc::clone(wake), Arc::clone(&self.programs));
        let mut watcher = notify::recommended_watcher(move |event| {
            let found = look_at(&programs, event);
            // Files that are only read wake nobody.
            if !found.is_empty() {
                // The manager that does not listen any more has ended.
                found.into_iter().for_each(|found| drop(tell.send(found)));
                let _full = wake.write(1);
            }
        })?;
        let folders = self.folders();
        for (folder, mode) in &folders {
            match watcher.watch(folder, *mode) {
                Ok(()) => {}
                // It went just now; the folder above it tells.
                Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => {}
                Err(error) => {
                    log.say(Level::Error, &format!("{} cannot be watched: {error}", folder.display()));
                }
            }
        }
        Ok(Active { seen, folders, _watcher: watcher })
    }

    /// The folders to watch, each once: with all below it where one pattern needs that.
    fn folders(&self) -> BTreeMap<PathBuf, RecursiveMode> {
        let mut folders = BTreeMap::new();
        for watched in self.programs.values() {
            for pattern in &watched.patterns {
                let (folder, mode) = folder_of(pattern);
                let is_deep = mode == RecursiveMode::Recursive;
                let known = folders.entry(folder).or_insert(mode);
                if is_deep {
                    *known = mode;
                }
            }
            let parents = watched.hinges.iter().filter_map(|hinge| hinge.parent());
            for parent in parents.filter(|parent| parent.is_dir()) {
                folders.entry(parent.to_owned()).or_insert(RecursiveMode::NonRecursive);
            }
        }
        folders
    }

    /// Takes in what changed; whether there are other folders to watch now.
    fn take_seen(&mut self, now: Moment, log: &Log) -> bool {
        let Some(active) = &self.active else { return false };
        let mut was_turned = false;
        let mut changed = Vec::new();
        for seen in active.seen.try_iter() {
            match seen {
                Seen::Changed { name, path, turned } => {
                    was_turned |= turned;
                    if turned && !path.exists() {
                        self.gone.insert((name, path));
                    } else {
                        changed.push((name, path));
                    }
                }
                Seen::Lost(why) => {
                    was_turned = true;
                    log.say(Level::Warn, &format!("watched paths may have changed unseen: {why}"));
                    changed.extend(self.programs.keys().map(|name| (name.clone(), "something".into())));
                }
            }
        }
        for (name, path) in changed {
            self.note_change(now, log, name, path);
        }
        was_turned
    }

    /// Takes in what came back while nothing was watched.
    fn take_returned(&mut self, now: Moment, log: &Log) {
        let returned: Vec<_> = self.gone.extract_if(.., |(_, path)| path.exists()).collect();
        for (name, path) in returned {
            self.note_change(now, log, name, path);
        }
    }

    fn note_change(&mut self, now: Moment, log: &Log, name: ProgramName, what: PathBuf) {
        let Some(watched) = self.programs.get(&name) else { return };
        self.gone.retain(|(of, path)| *of != name || !path.exists());
        let lately = self.changed.entry(name.clone()).or_default();
        while lately.front().is_some_and(|at| now.since(*at) >= WATCH_WITHIN) {
            lately.pop_front();
        }
        let since = self.settling.get(&name).map_or(now, |before| before.since);
        // Who never stops writing is not waited for without end.
        let last = since + WATCH_SETTLE_MAX.max(watched.settle);
        let mut due = (now + watched.settle).min(last);
        let mut is_put_off = self.settling.get(&name).is_some_and(|before| before.is_put_off);
        if let Some(first) = lately.front().filter(|_| lately.len() >= WATCH_RESTARTS_MAX) {
            due = due.max(*first + WATCH_WITHIN);
            if !is_put_off {
                is_put_off = true;
                let text = format!(
                    "{name}: {} changed, and so did what it watches {} times within a minute; the next restart waits \
                     (hint: it should not write below its own watch)",
                    what.display(),
                    lately.len()
                );
                log.say(Level::Warn, &text);
            }
        }
        self.settling.insert(name, Settling { since, due, what, is_put_off });
    }

    /// When the next change is old enough.
    pub(crate) fn due(&self) -> Option<Moment> {
        self.settling.values().map(|settling| settling.due).min()
    }

    fn take_due(&mut self, now: Moment) -> Vec<(ProgramName, String)> {
        let due: Vec<_> = self.settling.extract_if(.., |_, settling| settling.due <= now).collect();
        let mut taken = Vec::new();
        for (name, settling) in due {
            self.changed.entry(name.clone()).or_default().push_back(now);
            let is_quiet = now.since(settling.since) < WATCH_SETTLE_MAX || settling.is_put_off;
            let rest = if is_quiet { "" } else { ", and does not stop changing" };
            taken.push((name, format!("{} changed{rest}", settling.what.display())));
        }
        taken
    }
}

impl Runner {
    pub(crate) fn handle_watched(&mut self, now: Moment) {
        if self.watches.take_seen(now, &self.log) {
            self.watches.programs = Arc::default();
            self.watches.set(&self.config.programs, &self.wake, &self.log);
            self.watches.take_returned(now, &self.log);
        }
    }

    pub(crate) fn handle_settled(&mut self, now: Moment) {
        for (name, what) in self.watches.take_due(now) {
            self.planner.handle_changed(now, name.as_str(), &what);
        }
    }
}

/// What an event means to whom.
fn look_at(programs: &BTreeMap<ProgramName, Watched>, event: notify::Result<notify::Event>) -> Vec<Seen> {
    let event = match event {
        Ok(event) if event.need_rescan() => return vec![Seen::Lost("too much changed at once".to_owned())],
        Ok(event) => event,
        Err(error) => return vec![Seen::Lost(error.to_string())],
    };
    if !is_change(event.kind) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (name, watched) in programs {
        let is_hinge = |path: &&PathBuf| is_turn(event.kind) && watched.hinges.contains(*path);
        let is_meant = |path: &&PathBuf| watched.patterns.iter().any(|pattern| pattern.matches(path));
        let turned = event.paths.iter().find(is_hinge);
        if let Some(path) = turned.or_else(|| event.paths.iter().find(is_meant)) {
            found.push(Seen::Changed { name: name.clone(), path: path.clone(), turned: turned.is_some() });
        }
    }
    found
}

fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

/// Whether something has another name or another inode now, and not only another content.
fn is_turn(kind: EventKind) -> bool {
    matches!(kind, EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::after_boot(Duration::from_millis(millis))
    }

    fn watches(settle: Duration) -> Watches {
        let patterns = vec![WatchPattern::parse("/srv/*.php").unwrap()];
        let watched = Watched { patterns, hinges: BTreeSet::from(["/srv".into()]), settle };
        let programs = BTreeMap::from([(ProgramName::parse("w").unwrap(), watched)]);
        Watches { programs: Arc::new(programs), ..Watches::default() }
    }

    fn change(watches: &mut Watches, now: Moment, log: &Log) {
        watches.note_change(now, log, ProgramName::parse("w").unwrap(), "/srv/a.php".into());
    }

    #[test]
    fn a_change_waits_until_it_is_quiet_but_not_without_end() {
        let (mut watches, log) = (watches(Duration::from_secs(1)), Log::new());
        change(&mut watches, at(0), &log);
        change(&mut watches, at(900), &log);
        assert_eq!(watches.take_due(at(1000)), []);
        assert_eq!(watches.take_due(at(1900)).len(), 1);
        for tenth in 0..700 {
            change(&mut watches, at(10_000 + tenth * 100), &log);
        }
        let taken = watches.take_due(at(80_000));
        assert!(taken[0].1.ends_with("changed, and does not stop changing"), "{taken:?}");
        assert_eq!(watches.due(), None);
    }

    #[test]
    fn who_writes_below_its_own_watch_is_restarted_a_few_times_a_minute() {
        let (mut watches, log) = (watches(Duration::ZERO), Log::new());
        let mut restarts = 0;
        for second in 0..600 {
            change(&mut watches, at(second * 1000), &log);
            restarts += watches.take_due(at(second * 1000)).len();
        }
        assert!((40..=51).contains(&restarts), "{restarts} in ten minutes");
    }

    #[test]
    fn an_event_means_what_its_path_and_kind_say() {
        use notify::event::{CreateKind, DataChange, Flag, MetadataKind, RenameMode};
        let programs = watches(Duration::ZERO).programs;
        let seen = |kind, path: &str| {
            let event = notify::Event::new(kind).add_path(path.into());
            let found = look_at(&programs, Ok(event));
            found.first().map(|seen| matches!(seen, Seen::Changed { turned: true, .. } | Seen::Lost(_)))
        };
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::From));
        assert_eq!(seen(EventKind::Modify(ModifyKind::Data(DataChange::Any)), "/srv/a.php"), Some(false));
        assert_eq!(seen(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/srv/a.php"), None);
        assert_eq!(seen(EventKind::Create(CreateKind::File), "/srv/a.txt"), None);
        assert_eq!(seen(renamed, "/srv"), Some(true));
        assert_eq!(seen(EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), "/srv"), None);
        let overflow = notify::Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(matches!(look_at(&programs, Ok(overflow))[..], [Seen::Lost(_)]));
    }
}
