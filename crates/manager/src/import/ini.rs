//! INI files in the two dialects that are imported.
//!
//! The crate `configparser` finds sections, keys and continuation lines; what a value is after that differs: Python
//! cuts comments that a space precedes, PHP knows quotes and words for true and false.
//!
//! Never: cuts a value at a sign that is part of it there.

use super::ImportError;
use configparser::ini::Ini;
use std::io;
use std::path::Path;

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Who reads such files otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `parse_ini_file` of PHP.
    Php,
    /// `RawConfigParser` of Python, as supervisord sets it up.
    Python,
}

/// One section; of a key that stands twice the last value.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) keys: Vec<(String, String)>,
}

impl Section {
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.keys.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

pub(super) fn read(path: &Path) -> Result<String, ImportError> {
    let unreadable = |source| ImportError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(file, FILE_BYTES_MAX + 1), &mut text).map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, "it is over 16 MiB")));
    }
    Ok(text)
}

/// The sections of a file, in its order.
pub(super) fn sections(text: &str, path: &Path, dialect: Dialect) -> Result<Vec<Section>, ImportError> {
    let wrong = |reason: String| ImportError::Syntax { path: path.to_owned(), reason };
    let mut ini = Ini::new_cs();
    ini.set_comment_symbols(&[';', '#']);
    ini.set_multiline(dialect == Dialect::Python);
    // Which signs begin a comment behind a value is decided below.
    ini.set_inline_comment_symbols(Some(&[]));
    let text = match dialect {
        Dialect::Php => numbered_lists(text),
        Dialect::Python => text.to_owned(),
    };
    let map = ini.read(text).map_err(wrong)?;
    let mut sections = Vec::new();
    for (name, keys) in map {
        // A comment may stand behind the bracket.
        let name = name.split(']').next().unwrap_or_default().trim().to_owned();
        let mut section = Section { name, keys: Vec::new() };
        for (key, value) in keys {
            let Some(value) = value else {
                if dialect == Dialect::Python && !key.is_empty() {
                    return Err(wrong(format!("[{}] '{key}' is no key with a value", section.name)));
                }
                continue;
            };
            match dialect {
                Dialect::Php => section.join(key, php_value(&value)),
                Dialect::Python => section.join(key.to_ascii_lowercase(), python_value(&value)),
            }
        }
        if !(section.name == "default" && section.keys.is_empty()) {
            sections.push(section);
        }
    }
    Ok(sections)
}

impl Section {
    /// Adds a key; the parts of a list are joined with commas.
    fn join(&mut self, key: String, value: String) {
        let name = key.split('[').next().unwrap_or_default().trim().to_owned();
        let is_part = name.len() < key.len();
        match self.keys.iter_mut().find(|(known, _)| *known == name) {
            Some((_, list)) if is_part => *list = format!("{list},{value}"),
            Some((_, old)) => *old = value,
            None => self.keys.push((name, value)),
        }
    }
}

/// Gives each `key[] = value` a number, so that the later ones do not replace the first.
fn numbered_lists(text: &str) -> String {
    let numbered = |(number, line): (usize, &str)| match line.split_once('=') {
        Some((key, value)) if key.trim_end().ends_with("[]") && !key.trim_start().starts_with(';') => {
            format!("{}[{number}] ={value}\n", key.trim_end().trim_end_matches("[]"))
        }
        _ => format!("{line}\n"),
    };
    text.lines().enumerate().map(numbered).collect()
}

/// Each line of the value, up to a `;` or `#` behind a space.
fn python_value(value: &str) -> String {
    let cut = |line: &str| {
        let starts = |(index, sign): (usize, char)| {
            let before = line.get(..index).unwrap_or_default();
            matches!(sign, ';' | '#') && (index == 0 || before.ends_with(char::is_whitespace))
        };
        let end = line.char_indices().find(|at| starts(*at)).map_or(line.len(), |(index, _)| index);
        line.get(..end).unwrap_or_default().trim().to_owned()
    };
    let lines: Vec<_> = value.lines().map(cut).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// A quoted value without its quotes; another one up to a `;`, with the words that PHP replaces.
fn php_value(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner.to_owned();
        }
    }
    let value = value.split(';').next().unwrap_or_default().trim();
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" => "1".to_owned(),
        "false" | "off" | "no" | "none" | "null" => String::new(),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, dialect: Dialect) -> Vec<String> {
        let sections = sections(text, Path::new("f"), dialect).unwrap();
        let shown = |section: Section| {
            let pairs: Vec<_> = section.keys.iter().map(|(key, value)| format!("{key}={value:?}")).collect();
            format!("[{}] {}", section.name, pairs.join(" "))
        };
        sections.into_iter().map(shown).collect()
    }

    #[test]
    fn python_cuts_comments_behind_a_space_and_goes_on_in_deeper_lines() {
        let text = "; first\n[program:a] ; what it is\nCommand=sh -c 'x;y' ; but not this\n  --more # nor this\n\
                    ; between\n  --last;1\nurl: http://h/#part\nnone=\n[program:b]\ncommand = b\n[program:a]\nuser=u\n";
        assert_eq!(
            read(text, Dialect::Python),
            [
                "[program:a] command=\"sh -c 'x;y'\\n--more\\n--last;1\" url=\"http://h/#part\" none=\"\" user=\"u\"",
                "[program:b] command=\"b\"",
            ]
        );
    }

    #[test]
    fn php_knows_quotes_words_and_lists() {
        let text = "; c\n[GearmanManager]\nhost[] = \"a:1\" ; x\nhost[]=b\n  count=3;x\nauto_update = On\nprefix='p;q'\n\
                    none = null\nflag\n[Sum]\ncount = 5\n";
        assert_eq!(
            read(text, Dialect::Php),
            [
                "[GearmanManager] host=\"a:1,b\" count=\"3\" auto_update=\"1\" prefix=\"p;q\" none=\"\"",
                "[Sum] count=\"5\"",
            ]
        );
    }

    #[test]
    fn what_python_refuses_is_refused() {
        for text in ["[a\nb=c\n", "[a]\nno key\n", "[a]\n=x\n"] {
            assert!(sections(text, Path::new("f"), Dialect::Python).is_err(), "{text}");
        }
    }
}
