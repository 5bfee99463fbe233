//! What watched paths hang on.
//!
//! From: patterns. To: folders to watch, and the parts of the way there whose turn changes all behind them.
//! Never: takes a part that is not there for one that will not come.

use crate::config::WatchPattern;
use notify::RecursiveMode;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// The folder to watch for a pattern, and how deep.
pub(super) fn folder_of(pattern: &WatchPattern) -> (PathBuf, RecursiveMode) {
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

/// The path and all above it, but for the root of the machine; where a link is on the way, also those of what it leads
/// to.
pub(super) fn hinges_of(path: &Path) -> BTreeSet<PathBuf> {
    let real = path.ancestors().find_map(|part| part.canonicalize().ok());
    let all = [Some(path.to_owned()), real];
    let parts = all.iter().flatten().flat_map(|path| path.ancestors());
    parts.filter(|part| part.parent().is_some()).map(Path::to_owned).collect()
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
    fn all_on_the_way_is_known_and_what_links_lead_to() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        fs::create_dir(folder.join("release1")).unwrap();
        symlink("release1", folder.join("current")).unwrap();
        let hinges = hinges_of(&folder.join("current/src"));
        for part in
            [folder.join("current/src"), folder.join("current"), folder.clone(), folder.join("release1")]
        {
            assert!(hinges.contains(&part), "{} {hinges:?}", part.display());
        }
        assert!(!hinges.contains(Path::new("/")));
    }
}
