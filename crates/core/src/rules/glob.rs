//! Patterns with `*` (any bytes, also none) and `?` (one byte).
//!
//! Never: takes more than pattern length times name length, whatever both are.

/// Whether a name has the pattern.
///
/// Only the last `*` is ever tried again: what stands before it has found its first place already, and no
/// later one would leave more of the name. So `*a*a*a*` costs no more than any other pattern of its length.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern_at, mut name_at) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(name_at) {
        match pattern.get(pattern_at) {
            Some(b'*') => {
                again = Some((pattern_at + 1, name_at));
                pattern_at += 1;
            }
            Some(expected) if *expected == b'?' || expected == byte => {
                pattern_at += 1;
                name_at += 1;
            }
            Some(_) | None => {
                let Some((after_star, taken)) = &mut again else { return false };
                *taken += 1;
                (pattern_at, name_at) = (*after_star, *taken);
            }
        }
    }
    pattern.get(pattern_at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// Whether this is a pattern and not a name.
pub(crate) fn is_pattern(text: &[u8]) -> bool {
    literal_len(text) < text.len()
}

/// How many bytes of a pattern stand for themselves.
pub(crate) fn literal_len(pattern: &[u8]) -> usize {
    pattern.iter().filter(|byte| !matches!(byte, b'*' | b'?')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says what a pattern means, however long it takes.
    fn naive(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => {
                naive(rest, name) || name.split_first().is_some_and(|(_, name)| naive(pattern, name))
            }
            (Some((b'?', rest)), Some((_, name))) => naive(rest, name),
            (Some((byte, rest)), Some((first, name))) => byte == first && naive(rest, name),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// All words of up to this many of the letters.
    fn words(letters: &[u8], len_max: usize) -> Vec<Vec<u8>> {
        let mut all = vec![Vec::new()];
        let mut longest = all.clone();
        for _ in 0..len_max {
            let longer =
                longest.iter().flat_map(|word| letters.iter().map(|byte| [word, &[*byte][..]].concat()));
            longest = longer.collect();
            all.extend(longest.iter().cloned());
        }
        all
    }

    #[test]
    fn every_short_pattern_means_what_the_naive_matcher_says() {
        let names = words(b"ab", 7);
        let mut matched = 0;
        for pattern in words(b"ab*?", 5) {
            for name in &names {
                let expected = naive(&pattern, name);
                matched += usize::from(expected);
                assert_eq!(
                    matches(&pattern, name),
                    expected,
                    "{} and {}",
                    pattern.escape_ascii(),
                    name.escape_ascii()
                );
            }
        }
        assert!(matched > 10_000, "{matched}");
    }

    #[test]
    fn any_byte_is_a_byte() {
        assert!(matches(b"\xff?*", b"\xff\0"));
        assert!(!matches(b"?", "\u{e4}".as_bytes()), "a character of two bytes is two");
    }

    #[test]
    fn many_stars_cost_no_more_than_the_product_of_both_lengths() {
        // Tried one inside the other, these thirty stars would outlast the universe.
        let pattern = b"*a".repeat(30);
        let name = [vec![b'a'; 8000], vec![b'b']].concat();
        assert!(!matches(&pattern, &name));
        assert!(matches(&[pattern, b"*".to_vec()].concat(), &name));
    }

    #[test]
    fn the_literal_part_is_what_stands_for_itself() {
        assert_eq!(literal_len(b"image.*"), 6);
        assert_eq!(literal_len(b"?mage?*"), 4);
        assert!(is_pattern(b"image.*") && is_pattern(b"?") && !is_pattern(b"image.resize"));
    }
}
