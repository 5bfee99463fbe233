//! Files of variables: a line for each, as `NAME=VALUE`.
//!
//! Empty lines and lines that begin with `#` are passed over, and so is `export` before a name. A value may stand
//! in quotes, `'` or `"`, which then are no part of it; nothing in it is replaced.
//!
//! Never: takes a line that it does not understand for none.

use std::collections::BTreeMap;

/// The variables, or the number of the first line that is none.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, usize> {
    let mut variables = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        let (name, value) = line.split_once('=').ok_or(number)?;
        let is_name = |byte: u8| byte.is_ascii_graphic();
        if name.is_empty() || !name.bytes().all(is_name) || value.contains('\0') {
            return Err(number);
        }
        variables.insert(name.to_owned(), unquoted(value.trim()).ok_or(number)?.to_owned());
    }
    Ok(variables)
}

/// The value without its quotes; `None` when they are not closed, or something stands behind them.
fn unquoted(value: &str) -> Option<&str> {
    let Some(quote) = value.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        return Some(value);
    };
    let inner = value.get(1..)?.strip_suffix(quote)?;
    (!inner.contains(quote)).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_with_quotes_comments_and_export() {
        let text = "# of the app\nA=1\n\nexport B=\"two words\"\nC='it=s \"so\"'\nD=\n E = x \n";
        // A name has no space before its `=`.
        assert_eq!(parse(text), Err(7));
        let variables = parse(text.trim_end_matches(" E = x \n")).unwrap();
        let shown: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(shown, ["A=1", "B=two words", "C=it=s \"so\"", "D="]);
    }

    #[test]
    fn a_line_that_is_no_variable_is_named() {
        for (text, line) in [("A=1\nB\n", 2), ("=1", 1), ("\n\nA=\"1", 3), ("A='1' 2", 1), ("A=\0", 1)] {
            assert_eq!(parse(text), Err(line), "{text:?}");
        }
    }
}
