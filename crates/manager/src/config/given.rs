//! Values as they stand in the file, and what they mean.
//!
//! From: the parsed TOML. To: the rows of `keys`. Never: takes a value in part, or out of its range; `None` is
//! a value that the key does not take.

use geartrain_proto::units::{parse_bytes, parse_number, parse_time};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::de::DeValue;

pub(super) const NONE: &str = "none";

/// Longest excerpt of a wrong value in an error, in characters.
const EXCERPT_CHARS_MAX: usize = 60;

/// One value of the file.
#[derive(Clone, Copy)]
pub(super) struct Given<'a>(pub(super) &'a DeValue<'a>);

impl Given<'_> {
    /// A text, number or switch as text, without NUL: no path, argument or variable can have one.
    pub(super) fn text(self) -> Option<String> {
        let text = match self.0 {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string().replace('_', ""),
            DeValue::Float(number) => number.as_str().replace('_', ""),
            DeValue::Boolean(switch) => switch.to_string(),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => return None,
        };
        (!text.contains('\0')).then_some(text)
    }

    /// A text that is not empty.
    pub(super) fn filled(self) -> Option<String> {
        self.text().filter(|text| !text.is_empty())
    }

    /// A list of texts.
    pub(super) fn list(self) -> Option<Vec<String>> {
        let DeValue::Array(values) = self.0 else { return None };
        values.iter().map(|value| Given(value.get_ref()).text()).collect()
    }

    /// A table of texts.
    pub(super) fn table(self) -> Option<BTreeMap<String, String>> {
        let DeValue::Table(values) = self.0 else { return None };
        let pair = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
            let key: &std::borrow::Cow<'_, str> = key.get_ref();
            Some((key.to_string(), Given(value.get_ref()).text()?))
        };
        values.iter().map(pair).collect()
    }

    pub(super) fn is_array(self) -> bool {
        self.0.is_array()
    }

    pub(super) fn switch(self) -> Option<bool> {
        self.text()?.parse().ok()
    }

    pub(super) fn number(self, range: RangeInclusive<u32>) -> Option<u32> {
        let number = u32::try_from(parse_number(&self.text()?)?).ok()?;
        range.contains(&number).then_some(number)
    }

    /// Digits with at most one point.
    pub(super) fn decimal(self, range: RangeInclusive<f64>) -> Option<f64> {
        let text = self.text()?;
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number = text.parse().ok().filter(|_| plain)?;
        range.contains(&number).then_some(number)
    }

    pub(super) fn time(self, range: RangeInclusive<Duration>) -> Option<Duration> {
        parse_time(&self.text()?).filter(|time| range.contains(time))
    }

    pub(super) fn bytes(self, range: RangeInclusive<u64>) -> Option<u64> {
        parse_bytes(&self.text()?).filter(|bytes| range.contains(bytes))
    }

    /// Permissions: octal digits, up to 0777. A number without quotes reads the same as its digits.
    pub(super) fn mode(self) -> Option<u32> {
        let text = self.text()?;
        let digits = text.strip_prefix("0o").unwrap_or(&text);
        let is_octal = !digits.is_empty() && digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
        u32::from_str_radix(digits, 8).ok().filter(|mode| is_octal && *mode <= 0o777)
    }

    /// `none`, or what `parse` makes of the value.
    pub(super) fn or_none<T>(self, parse: impl Fn(Self) -> Option<T>) -> Option<Option<T>> {
        if self.text().as_deref() == Some(NONE) { Some(None) } else { parse(self).map(Some) }
    }

    /// The value as an error shows it, from the source text of it.
    pub(super) fn excerpt(self, source: &str) -> String {
        let line = match self.0 {
            // Its values may be secret: it may be an environment.
            DeValue::Table(table) => {
                let names: Vec<_> = table.keys().map(|key| key.get_ref().as_ref()).collect();
                format!("a table of '{}'", names.join("', '"))
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => source.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        let shown: String = line.chars().filter(|c| !c.is_control()).take(EXCERPT_CHARS_MAX).collect();
        if line.chars().count() > EXCERPT_CHARS_MAX { format!("{shown}...") } else { shown }
    }
}
