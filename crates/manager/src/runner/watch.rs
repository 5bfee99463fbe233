//! Watched paths: what changed, once nothing more changes.
//!
//! From: the kernel, through a thread of `notify`. To: the planner, a change of a program at a time.
//! Never: restarts in the middle of a deployment; each change waits until it has been quiet.

use super::Runner;
use super::log::{Level, Log};
use crate::config::{Program, ProgramName, WatchPattern};
use crate::planner::Moment;
use nix::sys::eventfd::EventFd;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Watches {
    programs: BTreeMap<ProgramName, Watched>,
    /// Without programs that watch anything, there is none.
    active: Option<Active>,
    /// When the change of a program is old enough, and what it was.
    settling: BTreeMap<ProgramName, (Moment, PathBuf)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Watched {
    patterns: Vec<WatchPattern>,
    /// Symbolic links on the way: whoever deploys by turning one changes all behind it.
    hinges: BTreeSet<PathBuf>,
    settle: Duration,
}

#[derive(Debug)]
struct Active {
    changed: Receiver<notify::Result<notify::Event>>,
    _watcher: RecommendedWatcher,
}

impl Watches {
    /// Watches what these programs name, and nothing else.
    pub(crate) fn set(&mut self, programs: &BTreeMap<ProgramName, Program>, wake: &Arc<EventFd>, log: &Log) {
        let watched = programs.iter().filter(|(_, program)| !program.watch.is_empty());
        let watched = watched.map(|(name, program)| {
            let hinges = program.watch.iter().flat_map(|pattern| links_on(&pattern.root())).collect();
            let watched = Watched { patterns: program.watch.clone(), hinges, settle: program.watch_settle };
            (name.clone(), watched)
        });
        let watched: BTreeMap<ProgramName, Watched> = watched.collect();
        if watched == self.programs && self.active.is_some() != watched.is_empty() {
            return;
        }
        self.programs = watched;
        self.settling.retain(|name, _| programs.contains_key(name));
        self.watch(wake, log);
    }

    fn watch(&mut self, wake: &Arc<EventFd>, log: &Log) {
        self.active = None;
        if self.programs.is_empty() {
            return;
        }
        let (tell, changed) = channel();
        let wake = Arc::clone(wake);
        let watcher = notify::recommended_watcher(move |event| {
            // The manager that does not listen any more has ended.
            let _ended = tell.send(event);
            let _full = wake.write(1);
        });
        let mut watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => {
                log.say(Level::Error, &format!("no path can be watched: {error}"));
                return;
            }
        };
        for (folder, mode) in self.folders() {
            if let Err(error) = watcher.watch(&folder, mode) {
                log.say(Level::Error, &format!("{} cannot be watched: {error}", folder.display()));
            }
        }
        self.active = Some(Active { changed, _watcher: watcher });
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
            for parent in watched.hinges.iter().filter_map(|hinge| hinge.parent()) {
                folders.entry(parent.to_owned()).or_insert(RecursiveMode::NonRecursive);
            }
        }
        folders
    }

    /// Takes in what changed; whether a link was turned, so that there are other folders to watch now.
    fn take_events(&mut self, now: Moment, log: &Log) -> bool {
        let Some(active) = &self.active else { return false };
        let mut was_turned = false;
        for event in active.changed.try_iter() {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    log.say(Level::Warn, &format!("a watched path may have changed unseen: {error}"));
                    continue;
                }
            };
            if !is_change(event.kind) {
                continue;
            }
            for (name, watched) in &self.programs {
                let is_meant = |path: &&PathBuf| {
                    let is_hinge = watched.hinges.contains(*path);
                    was_turned |= is_hinge;
                    is_hinge || watched.patterns.iter().any(|pattern| pattern.matches(path))
                };
                if let Some(path) = event.paths.iter().find(is_meant) {
                    self.settling.insert(name.clone(), (now + watched.settle, path.clone()));
                }
            }
        }
        was_turned
    }

    /// When the next change is old enough.
    pub(crate) fn due(&self) -> Option<Moment> {
        self.settling.values().map(|(due, _)| *due).min()
    }

    fn take_due(&mut self, now: Moment) -> Vec<(ProgramName, PathBuf)> {
        let due = self.settling.extract_if(.., |_, (due, _)| *due <= now);
        due.map(|(name, (_, path))| (name, path)).collect()
    }
}

impl Runner {
    pub(crate) fn handle_watched(&mut self, now: Moment) {
        if self.watches.take_events(now, &self.log) {
            self.watches.programs.clear();
            self.watches.set(&self.config.programs, &self.wake, &self.log);
        }
    }

    pub(crate) fn handle_settled(&mut self, now: Moment) {
        for (name, path) in self.watches.take_due(now) {
            self.planner.handle_changed(now, name.as_str(), &format!("{} changed", path.display()));
        }
    }
}

/// The folder to watch for a pattern, and how deep.
fn folder_of(pattern: &WatchPattern) -> (PathBuf, RecursiveMode) {
    let root = pattern.root();
    let behind = Path::new(pattern.as_str()).components().skip(root.components().count());
    let behind: Vec<Component<'_>> = behind.collect();
    if !behind.is_empty() && root.is_dir() {
        let is_deep = behind.len() > 1 || behind.iter().any(|part| part.as_os_str() == "**");
        return (root, if is_deep { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive });
    }
    // A file may be replaced by another one of its name: its folder is what tells.
    let folder = root.ancestors().skip(1).find(|folder| folder.is_dir());
    (folder.unwrap_or(Path::new("/")).to_owned(), RecursiveMode::NonRecursive)
}

/// The symbolic links among a path and the folders above it.
fn links_on(path: &Path) -> Vec<PathBuf> {
    path.ancestors().filter(|it| it.is_symlink()).map(Path::to_owned).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_is_watched_as_deep_as_its_pattern_goes() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::create_dir(folder.join("lib")).unwrap();
        fs::write(folder.join("a.php"), "").unwrap();
        let of = |pattern: &str| {
            let pattern = format!("{}/{pattern}", folder.display());
            folder_of(&WatchPattern::parse(&pattern).unwrap())
        };
        assert_eq!(of("a.php"), (folder.to_owned(), RecursiveMode::NonRecursive));
        assert_eq!(of("*.php"), (folder.to_owned(), RecursiveMode::NonRecursive));
        assert_eq!(of("*/a.php"), (folder.to_owned(), RecursiveMode::Recursive));
        assert_eq!(of("lib/**/*.php"), (folder.join("lib"), RecursiveMode::Recursive));
        assert_eq!(of("not/there/yet.php"), (folder.to_owned(), RecursiveMode::NonRecursive));
    }

    #[test]
    fn links_on_the_way_are_known() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("release1")).unwrap();
        let current = folder.path().join("current");
        symlink("release1", &current).unwrap();
        assert_eq!(links_on(&current.join("src")), [current]);
    }
}
