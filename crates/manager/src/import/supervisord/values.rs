//! The values of supervisord.

use nix::sys::signal::Signal;
use std::collections::BTreeMap;

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(format!("'{text}' is neither true nor false")),
    }
}

/// A whole number, up to a thousand million.
pub(super) fn integer(text: &str) -> Result<i64, String> {
    let number = text.parse::<i64>().ok().filter(|number| number.abs() <= 1_000_000_000);
    number.ok_or_else(|| format!("'{text}' is no number"))
}

/// A number that counts something.
pub(super) fn count(text: &str) -> Result<u32, String> {
    u32::try_from(integer(text)?).map_err(|_| format!("'{text}' is below 0"))
}

/// A size with `KB`, `MB` or `GB`, which are binary there.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let units = [("kb", 10), ("mb", 20), ("gb", 30)];
    let unit = units.iter().find_map(|(unit, shift)| Some((lower.strip_suffix(unit)?, *shift)));
    let (number, shift) = unit.unwrap_or((&lower, 0));
    let number: Option<u64> = number.trim().parse().ok();
    let bytes = number.and_then(|number| number.checked_mul(1 << shift));
    bytes.ok_or_else(|| format!("'{text}' is no size"))
}

/// Permissions in octal digits, as we write them.
pub(super) fn mode(text: &str) -> Result<String, String> {
    let digits = text.trim().trim_start_matches("0o");
    let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o777);
    mode.map(|mode| format!("{mode:04o}")).ok_or_else(|| format!("'{text}' is no permission"))
}

/// The name of a signal without `SIG`, also of its number.
pub(super) fn signal(text: &str) -> Result<String, String> {
    let unknown = || format!("'{text}' is no signal");
    let signal = match text.parse::<i32>() {
        Ok(number) => Signal::try_from(number).map_err(|_| unknown())?,
        Err(_) => {
            let name = text.to_ascii_uppercase();
            let name = name.trim_start_matches("SIG");
            format!("SIG{name}").parse().map_err(|_| unknown())?
        }
    };
    Ok(signal.as_str().trim_start_matches("SIG").to_owned())
}

/// `KEY="value",KEY2=value`: values stand in quotes, or have no comma.
pub(super) fn pairs(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut pairs = BTreeMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let wrong = || format!("no KEY=\"value\" begins at '{}'", rest.chars().take(20).collect::<String>());
        let (key, behind) = rest.split_once('=').ok_or_else(wrong)?;
        let (key, behind) = (key.trim(), behind.trim_start());
        if key.is_empty() || key.contains([',', '"', '\'', ' ']) {
            return Err(wrong());
        }
        let quote = behind.chars().next().filter(|first| matches!(first, '"' | '\''));
        let (value, behind) = match quote {
            Some(quote) => quoted(behind.get(1..).unwrap_or_default(), quote).ok_or_else(wrong)?,
            None => {
                let end = behind.find([',', '\n']).unwrap_or(behind.len());
                let (value, behind) = behind.split_at(end);
                (value.trim().to_owned(), behind)
            }
        };
        let behind = behind.trim_start();
        rest = match behind.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if behind.is_empty() => "",
            None => return Err(wrong()),
        };
        pairs.insert(key.to_owned(), value);
    }
    Ok(pairs)
}

/// The text up to the quote, and what is behind it; in double quotes a backslash takes the sign behind it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut signs = text.char_indices();
    while let Some((index, sign)) = signs.next() {
        match sign {
            _ if sign == quote => return Some((value, text.get(index + sign.len_utf8()..)?)),
            '\\' if quote == '"' => match signs.next()?.1 {
                taken @ ('"' | '\\') => value.push(taken),
                other => value.extend(['\\', other]),
            },
            _ => value.push(sign),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match pairs(text) {
            Ok(pairs) => pairs.iter().map(|(key, value)| format!("<{key}={value}>")).collect(),
            Err(error) => error,
        }
    }

    #[test]
    fn variables_are_read_with_quotes_and_without() {
        assert_eq!(shown("A=\"1\",B='x,y' , C=z/1:2"), "<A=1><B=x,y><C=z/1:2>");
        assert_eq!(shown("A=\"a\\\"b\\\\c\\n\",\nB=2,"), "<A=a\"b\\c\\n><B=2>");
        assert_eq!(shown("A="), "<A=>");
        assert_eq!(shown(""), "");
        assert_eq!(shown("A"), "no KEY=\"value\" begins at 'A'");
        assert_eq!(shown("A=\"1"), "no KEY=\"value\" begins at 'A=\"1'");
        assert_eq!(shown("A=\"1\"B=2"), "no KEY=\"value\" begins at 'A=\"1\"B=2'");
    }

    #[test]
    fn sizes_modes_and_signals_are_read() {
        assert_eq!(bytes("50MB"), Ok(50 << 20));
        assert_eq!(bytes("1 kb"), Ok(1024));
        assert_eq!(bytes("0"), Ok(0));
        assert!(bytes("99999999999GB").is_err());
        assert_eq!(mode("0700").as_deref(), Ok("0700"));
        assert_eq!(mode("22").as_deref(), Ok("0022"));
        assert!(mode("8").is_err());
        assert_eq!(signal("sigusr1").as_deref(), Ok("USR1"));
        assert_eq!(signal("3").as_deref(), Ok("QUIT"));
        assert!(signal("NONE").is_err());
        assert!(signal("99").is_err());
        assert_eq!(integer("-5"), Ok(-5));
        assert!(count("-5").is_err());
    }
}
