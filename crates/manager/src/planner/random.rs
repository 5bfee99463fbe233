//! Random numbers that a seed repeats.
//!
//! From: the seed the planner was made with. To: jitter. Never: for anything that must not be guessed.

use std::time::Duration;

/// A generator of the SplitMix64 kind.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from -1 to 1.
    #[expect(clippy::cast_precision_loss, reason = "32 bits fit into the fraction of an f64")]
    fn swing(&mut self) -> f64 {
        (self.next() >> 32) as f64 / f64::from(u32::MAX) * 2.0 - 1.0
    }

    /// `mean`, up to the part `jitter` longer or shorter; 0.1 is ten per cent.
    pub(crate) fn around(&mut self, mean: Duration, jitter: f64) -> Duration {
        let factor = (1.0 + jitter.clamp(0.0, 1.0) * self.swing()).max(0.0);
        Duration::try_from_secs_f64(mean.as_secs_f64() * factor).unwrap_or(mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_keeps_to_its_part_and_a_seed_repeats_it() {
        let mean = Duration::from_secs(100);
        let draw = |seed| {
            let mut random = Random::new(seed);
            (0..1000).map(|_| random.around(mean, 0.1)).collect::<Vec<_>>()
        };
        let drawn = draw(7);
        assert!(drawn.iter().all(|it| (90..=110).contains(&it.as_secs())));
        assert!(drawn.iter().any(|it| it.as_secs() < 95) && drawn.iter().any(|it| it.as_secs() >= 105));
        assert_eq!(drawn, draw(7));
        assert_ne!(drawn, draw(8));
    }
}
