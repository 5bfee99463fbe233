//! Expressions such as `%(process_num)02d` in the values of supervisord, as Python's `%` replaces them.
//!
//! Never: leaves one as it stands: what has no value is an error.

/// Widest field that is filled up with zeros or spaces.
const WIDTH_MAX: usize = 64;

/// Whether the value differs between the processes of a program.
pub(super) fn is_numbered(text: &str) -> bool {
    text.contains("%(process_num)")
}

/// The text with every expression replaced by what `value` says for its name.
pub(super) fn expand(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(behind) = behind.strip_prefix('%') {
            out.push('%');
            rest = behind;
            continue;
        }
        let expression = || "a % is written as %%, or begins an expression like %(here)s".to_owned();
        let (name, behind) =
            behind.strip_prefix('(').and_then(|behind| behind.split_once(')')).ok_or_else(expression)?;
        let digits = behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (width, behind) = behind.split_at(digits);
        let mut signs = behind.chars();
        let kind = signs.next().filter(|kind| matches!(kind, 's' | 'd' | 'i')).ok_or_else(expression)?;
        rest = signs.as_str();
        let value = value(name).ok_or_else(|| unknown(name))?;
        let columns: usize = if width.is_empty() { 0 } else { width.parse().map_err(|_| expression())? };
        if columns > WIDTH_MAX || (kind != 's' && value.parse::<i64>().is_err()) {
            return Err(format!("%({name}){width}{kind} does not fit its value '{value}'"));
        }
        let zeros = kind != 's' && width.starts_with('0');
        out.push_str(&if zeros { format!("{value:0>columns$}") } else { format!("{value:>columns$}") });
    }
    out.push_str(rest);
    Ok(out)
}

fn unknown(name: &str) -> String {
    match name.strip_prefix("ENV_") {
        Some(variable) => format!(
            "%({name})s: there is no variable {variable} here (hint: {variable}=... gearman-manager import ...)"
        ),
        None => format!("%({name})s is no expression of supervisord"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        expand(text, &|name| match name {
            "process_num" => Some("7".to_owned()),
            "here" => Some("/etc".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn expressions_are_replaced_as_python_does() {
        assert_eq!(expanded("%(here)s/w_%(process_num)02d.%(process_num)d").unwrap(), "/etc/w_07.7");
        assert_eq!(expanded("%(process_num)03i|%(process_num)3s|%(here)6s").unwrap(), "007|  7|  /etc");
        assert_eq!(expanded("100%% of it").unwrap(), "100% of it");
        assert_eq!(expanded("").unwrap(), "");
    }

    #[test]
    fn what_is_no_expression_is_an_error_that_says_what_would_be() {
        let sentence = "a % is written as %%, or begins an expression like %(here)s";
        for text in ["50%", "%d", "%(here", "%(here)", "%(here)x", "%(process_num)99999999999999999999d"] {
            assert_eq!(expanded(text).unwrap_err(), sentence, "{text}");
        }
        assert_eq!(expanded("%(nothing)s").unwrap_err(), "%(nothing)s is no expression of supervisord");
        assert_eq!(
            expanded("%(ENV_A)s").unwrap_err(),
            "%(ENV_A)s: there is no variable A here (hint: A=... gearman-manager import ...)"
        );
        assert_eq!(expanded("%(here)d").unwrap_err(), "%(here)d does not fit its value '/etc'");
        assert_eq!(
            expanded("%(process_num)99d").unwrap_err(),
            "%(process_num)99d does not fit its value '7'"
        );
    }
}
