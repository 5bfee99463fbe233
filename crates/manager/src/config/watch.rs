//! Patterns of files that are watched.
//!
//! Never: looks at the file system.

use glob::{MatchOptions, Pattern};
use std::fmt;
use std::path::{Path, PathBuf};

/// A path with `*`, `?`, `[a-z]` and `**`, absolute once the configuration is read.
#[derive(Clone, PartialEq, Eq)]
pub struct WatchPattern(Pattern);

impl WatchPattern {
    /// The pattern in this text; `None` when it is none, or empty.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Pattern::new(text).ok().filter(|_| !text.is_empty()).map(Self)
    }

    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether this file is one of those that are meant; `*` and `?` never stand for a slash.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        self.0.matches_path_with(path, options)
    }

    /// The deepest folder, or the file, below which all that is meant lies: the path up to the first part that is
    /// a pattern.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        let is_plain =
            |part: &std::path::Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
        Path::new(self.as_str()).components().take_while(is_plain).collect()
    }

    /// The pattern, meant from this folder where it is relative.
    pub(super) fn below(&self, folder: &Path) -> Self {
        let folder = Pattern::escape(&folder.to_string_lossy());
        let whole = Path::new(&folder).join(self.as_str());
        Self::parse(&whole.to_string_lossy()).unwrap_or_else(|| self.clone())
    }
}

impl fmt::Debug for WatchPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> WatchPattern {
        WatchPattern::parse(text).unwrap()
    }

    #[test]
    fn a_star_stays_in_its_folder_and_two_go_deeper() {
        assert!(pattern("/srv/*.php").matches(Path::new("/srv/a.php")));
        assert!(!pattern("/srv/*.php").matches(Path::new("/srv/lib/a.php")));
        assert!(pattern("/srv/**/*.php").matches(Path::new("/srv/lib/deep/a.php")));
        assert!(pattern("/srv/**/*.php").matches(Path::new("/srv/a.php")));
        assert!(pattern("/srv/[ab].php").matches(Path::new("/srv/b.php")));
        assert!(!pattern("/srv/?.php").matches(Path::new("/srv/ab.php")));
    }

    #[test]
    fn all_that_matches_lies_below_the_root() {
        assert_eq!(pattern("/srv/photos/**/*.php").root(), Path::new("/srv/photos"));
        assert_eq!(pattern("/srv/worker.php").root(), Path::new("/srv/worker.php"));
        assert_eq!(pattern("/*").root(), Path::new("/"));
    }

    #[test]
    fn a_folder_with_signs_of_patterns_is_meant_literally() {
        let whole = pattern("*.php").below(Path::new("/srv/[new]"));
        assert!(whole.matches(Path::new("/srv/[new]/a.php")));
        assert!(!whole.matches(Path::new("/srv/n/a.php")));
        assert_eq!(pattern("/etc/x").below(Path::new("/srv")).as_str(), "/etc/x");
    }

    #[test]
    fn what_is_no_pattern_is_none() {
        for text in ["", "/srv/***", "/srv/[a", "/srv/a**"] {
            assert_eq!(WatchPattern::parse(text), None, "{text}");
        }
    }
}
