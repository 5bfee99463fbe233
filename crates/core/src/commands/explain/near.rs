//! The name that was probably meant by one that is not known.

/// Most names that are compared.
const NAMES_MAX: usize = 2000;

/// Longest name that is compared, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// The name that differs least from `name`, by at most one byte in three; `None` when none is so close.
pub(super) fn nearest<'n>(name: &[u8], names: impl Iterator<Item = &'n [u8]>) -> Option<&'n [u8]> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let most = (name.len() / 3).max(1);
    let is_comparable =
        |other: &&[u8]| other.len().abs_diff(name.len()) <= most && other.len() <= NAME_BYTES_MAX;
    let compared = names.take(NAMES_MAX).filter(is_comparable).map(|other| (distance(name, other), other));
    compared.filter(|(differences, _)| *differences <= most).min().map(|(_, other)| other)
}

/// How many bytes have to be put in, taken out or replaced to make one of the other.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, byte) in one.iter().enumerate() {
        let mut left = at + 1;
        let mut before = at;
        for (cell, other) in row.iter_mut().skip(1).zip(other) {
            let above = *cell;
            let replaced = before + usize::from(byte != other);
            left = replaced.min(above + 1).min(left + 1);
            before = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_single_bytes() {
        for (one, other, differences) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "ab", 2),
            ("resize", "rezise", 2),
            ("mail", "email", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one.as_bytes(), other.as_bytes()), differences, "{one} {other}");
        }
    }

    #[test]
    fn only_a_close_name_is_meant() {
        let names = ["resize", "mail", "report"].map(str::as_bytes);
        let near = |name: &str| nearest(name.as_bytes(), names.into_iter());
        assert_eq!(near("rezise"), Some(&b"resize"[..]));
        assert_eq!(near("mali"), None);
        assert_eq!(near("email"), Some(&b"mail"[..]));
        assert_eq!(near("nothing"), None);
        assert_eq!(near(""), None);
    }
}
