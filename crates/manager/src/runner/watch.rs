//! Watched paths: what changed, once nothing more changes.
//!
//! From: the kernel, through a thread of `notify`. To: the planner, a change of a program at a time.
//! Never: restarts in the middle of a deployment, each change waits until it has been quiet; goes on watching what is
//! not there any more; looks for what to watch more than once a second, whatever is renamed how often; takes a watch
//! that was refused for one that will never be.

mod active;
mod hinges;

use super::log::{Level, Log};
use super::{Runner, clock};
use crate::config::{Program, ProgramName, WatchPattern};
use crate::limits::{
    WATCH_RENEWAL_EVERY, WATCH_RESTARTS_MAX, WATCH_RETRY_MAX, WATCH_RETRY_MIN, WATCH_SETTLE_MAX, WATCH_WITHIN,
};
use crate::planner::Moment;
use active::Active;
use hinges::{folder_of, hinges_of};
use nix::sys::eventfd::EventFd;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecursiveMode};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Watches {
    programs: Arc<BTreeMap<ProgramName, Watched>>,
    /// Without programs that watch anything, there is none.
    active: Option<Active>,
    /// What watchers find: this outlives them, so that nothing is lost with one.
    tell: Sender<Seen>,
    seen: Receiver<Seen>,
    /// Changes that are not old enough.
    settling: BTreeMap<ProgramName, Settling>,
    /// Hinges that turned: a change where they are there when what they lead to is watched anew. One that went is to
    /// come back: without its files no process could start.
    turned: BTreeSet<(ProgramName, PathBuf)>,
    /// When to look anew for what there is to watch.
    renewal: Option<Moment>,
    /// When that was done last.
    renewed: Moment,
    /// When programs changed lately.
    changed: BTreeMap<ProgramName, VecDeque<Moment>>,
    missing: Missing,
}

/// What should be watched and is not: the kernel has no room for it, or there is no right to.
#[derive(Debug, Default)]
struct Missing {
    /// What was said of it: each thing once, until nothing is missing any more.
    said: BTreeSet<String>,
    /// When it is tried again, and the pause that was before that.
    retry: Option<(Moment, Duration)>,
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

/// What the thread of the watcher found.
#[derive(Debug)]
enum Seen {
    /// This changed, which a program watches. `turned`: it is a hinge.
    Changed { name: ProgramName, path: PathBuf, turned: bool },
    /// Changes were lost: too many at once.
    Lost(String),
}

impl Default for Watches {
    fn default() -> Self {
        let (tell, seen) = channel();
        Self {
            programs: Arc::default(),
            active: None,
            tell,
            seen,
            settling: BTreeMap::new(),
            turned: BTreeSet::new(),
            renewal: None,
            renewed: Moment::default(),
            changed: BTreeMap::new(),
            missing: Missing::default(),
        }
    }
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
        self.turned.retain(|(name, _)| programs.contains_key(name));
        self.watch(wake, log);
    }

    fn watch(&mut self, wake: &Arc<EventFd>, log: &Log) {
        if self.programs.is_empty() {
            self.active = None;
            self.missing = Missing::default();
            return;
        }
        // What changes between a look and its watch is seen by the next look.
        for _ in 0..3 {
            // The old one watches until the new one does, unless the kernel has no room for both.
            let active = self.activate(wake).or_else(|_| {
                self.active = None;
                self.activate(wake)
            });
            let active = match active {
                Ok(active) => active,
                Err(error) => {
                    self.missing.note(BTreeSet::from([format!("no path can be watched: {error}")]), log);
                    return;
                }
            };
            let is_settled = active.folders == self.folders();
            self.active = Some(active);
            if is_settled {
                break;
            }
        }
        self.note_missing(log);
    }

    /// Tries again to watch what is missing.
    fn retry(&mut self, wake: &Arc<EventFd>, log: &Log) {
        match &mut self.active {
            Some(active) => {
                active.retry();
                self.note_missing(log);
            }
            None => self.watch(wake, log),
        }
    }

    fn note_missing(&mut self, log: &Log) {
        let missing = self.active.iter().flat_map(|active| &active.missing);
        let text = |(folder, error): (&PathBuf, &notify::Error)| {
            format!("{} cannot be watched: {error}", folder.display())
        };
        self.missing.note(missing.map(text).collect(), log);
    }

    fn activate(&self, wake: &Arc<EventFd>) -> notify::Result<Active> {
        let tell = self.tell.clone();
        let (wake, programs) = (Arc::clone(wake), Arc::clone(&self.programs));
        let take = move |event| {
            let found = look_at(&programs, event);
            // Files that are only read wake nobody.
            if !found.is_empty() {
                // The manager that does not listen any more has ended.
                found.into_iter().for_each(|found| drop(tell.send(found)));
                let _full = wake.write(1);
            }
        };
        let mut active = Active::new(self.folders(), take)?;
        if self.active.is_some()
            && let Some((_, error)) = active.missing.pop_first()
        {
            return Err(error);
        }
        Ok(active)
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

    /// Takes in what changed.
    fn take_seen(&mut self, now: Moment, log: &Log) {
        let mut changed = Vec::new();
        let mut is_to_renew = false;
        for seen in self.seen.try_iter() {
            match seen {
                Seen::Changed { name, path, turned: true } => {
                    is_to_renew = true;
                    self.turned.insert((name, path));
                }
                Seen::Changed { name, path, turned: false } => changed.push((name, path)),
                Seen::Lost(why) => {
                    is_to_renew = true;
                    log.say(Level::Warn, &format!("watched paths may have changed unseen: {why}"));
                    changed.extend(self.programs.keys().map(|name| (name.clone(), "something".into())));
                }
            }
        }
        for (name, path) in changed {
            self.note_change(now, log, name, path);
        }
        if is_to_renew {
            self.renewal.get_or_insert(now.max(self.renewed + WATCH_RENEWAL_EVERY));
        }
    }

    /// Looks anew for what there is to watch, where that is due; what turned and is there is a change.
    fn renew(
        &mut self,
        now: Moment,
        programs: &BTreeMap<ProgramName, Program>,
        wake: &Arc<EventFd>,
        log: &Log,
    ) {
        if self.missing.retry.is_some_and(|(due, _)| now >= due) {
            self.retry(wake, log);
        }
        if self.renewal.is_none_or(|due| now < due) {
            return;
        }
        self.renewal = None;
        self.programs = Arc::default();
        self.set(programs, wake, log);
        // It may have taken a while.
        self.renewed = clock::now().max(now);
        let there: Vec<_> = self.turned.extract_if(.., |(_, path)| path.exists()).collect();
        for (name, path) in there {
            self.note_change(now, log, name, path);
        }
    }

    fn note_change(&mut self, now: Moment, log: &Log, name: ProgramName, what: PathBuf) {
        let Some(watched) = self.programs.get(&name) else { return };
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

    /// When the next change is old enough, or what is watched is to be looked for anew.
    pub(crate) fn due(&self) -> Option<Moment> {
        let retry = self.missing.retry.map(|(due, _)| due);
        self.settling.values().map(|settling| settling.due).chain(self.renewal).chain(retry).min()
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

impl Missing {
    /// Says what is news of this, and when it is tried again.
    fn note(&mut self, missing: BTreeSet<String>, log: &Log) {
        if missing.is_empty() {
            if !std::mem::take(self).said.is_empty() {
                log.say(Level::Info, "all paths are watched again (what changed meanwhile was not seen)");
            }
            return;
        }
        for text in missing.difference(&self.said) {
            log.say(Level::Error, &format!("{text} (it is tried again)"));
        }
        self.said.extend(missing);
        let pause = self.retry.map_or(WATCH_RETRY_MIN, |(_, pause)| (pause * 2).min(WATCH_RETRY_MAX));
        self.retry = Some((clock::now() + pause, pause));
    }
}

impl Runner {
    pub(crate) fn handle_watched(&mut self, now: Moment) {
        self.watches.take_seen(now, &self.log);
        self.watches.renew(now, &self.config.programs, &self.wake, &self.log);
    }

    pub(crate) fn handle_settled(&mut self, now: Moment) {
        self.watches.renew(now, &self.config.programs, &self.wake, &self.log);
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
    use crate::config::Config;

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
        let (mut watches, log) = (watches(Duration::from_secs(1)), Log::new().unwrap());
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
        let (mut watches, log) = (watches(Duration::ZERO), Log::new().unwrap());
        let mut restarts = 0;
        for second in 0..600 {
            change(&mut watches, at(second * 1000), &log);
            restarts += watches.take_due(at(second * 1000)).len();
        }
        assert!((40..=51).contains(&restarts), "{restarts} in ten minutes");
    }

    /// A folder in which programs of these names watch `a`, all of `b` and all of `c`, as a manager has it.
    struct Folder {
        folder: tempfile::TempDir,
        config: Config,
        wake: Arc<EventFd>,
        log: Log,
        watches: Watches,
        marks: u32,
    }

    impl Folder {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            for name in ["b", "c"] {
                std::fs::create_dir(folder.path().join(name)).unwrap();
            }
            std::fs::write(folder.path().join("a"), "").unwrap();
            let of = |(name, watch)| {
                format!("[program.{name}]\ncommand = 'x'\nwatch = ['{watch}']\nwatch-settle = '10s'\n")
            };
            let text: String = [("a", "a"), ("b", "b/*"), ("c", "c/*")].map(of).concat();
            let no_file = |_: &std::path::Path| Ok(String::new());
            let config = Config::parse(&text, "m.toml".as_ref(), folder.path(), &no_file).unwrap();
            let wake = Arc::new(EventFd::new().unwrap());
            let mut watches = Watches::default();
            watches.set(&config.programs, &wake, &Log::new().unwrap());
            Self { folder, config, wake, log: Log::new().unwrap(), watches, marks: 0 }
        }

        /// Waits until the watcher has told of all that was done before.
        fn wait(&mut self) {
            self.marks += 1;
            let mark = self.folder.path().join(format!("c/{}", self.marks));
            std::fs::write(&mark, "").unwrap();
            let mut told = Vec::new();
            let is_mark = |seen: &Seen| matches!(seen, Seen::Changed { path, .. } if *path == mark);
            while !told.last().is_some_and(is_mark) {
                told.push(self.watches.seen.recv_timeout(Duration::from_secs(30)).unwrap());
            }
            told.into_iter().for_each(|seen| self.watches.tell.send(seen).unwrap());
        }

        /// Puts another file in the place of `a`.
        fn turn(&mut self, now: Moment) {
            let path = self.folder.path().join("new");
            std::fs::write(&path, "").unwrap();
            std::fs::rename(path, self.folder.path().join("a")).unwrap();
            self.wait();
            self.watches.take_seen(now, &self.log);
        }

        fn renew(&mut self, now: Moment) {
            self.watches.renew(now, &self.config.programs, &self.wake, &self.log);
        }
    }

    #[test]
    fn what_turns_again_and_again_is_looked_for_once_a_second() {
        let mut folder = Folder::new();
        let now = clock::now();
        folder.turn(now);
        assert_eq!(folder.watches.due(), Some(now));
        folder.renew(now);
        assert_eq!((folder.watches.renewal, folder.watches.turned.len()), (None, 0));
        let next = folder.watches.renewed + WATCH_RENEWAL_EVERY;
        for _ in 0..3 {
            folder.turn(now);
            folder.renew(now);
            assert_eq!((folder.watches.due(), folder.watches.turned.len()), (Some(next), 1));
        }
        folder.renew(next);
        assert_eq!((folder.watches.renewal, folder.watches.turned.len()), (None, 0));
        assert!(folder.watches.settling.contains_key("a"));
    }

    #[test]
    fn what_others_said_before_a_renewal_is_not_lost() {
        let mut folder = Folder::new();
        let now = clock::now();
        folder.turn(now);
        std::fs::write(folder.folder.path().join("b/x"), "").unwrap();
        folder.wait();
        folder.renew(now);
        folder.watches.take_seen(now, &folder.log);
        assert!(folder.watches.settling.contains_key("b"), "{:?}", folder.watches);
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
