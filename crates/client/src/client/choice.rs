//! Which server a job goes to: each server has a number for each job, and the highest of those at hand wins.
//!
//! Every client that names the servers alike comes to the same server, in whatever order it names them; when a
//! server is left out, only its own jobs go elsewhere. (This is rendezvous hashing.) The numbers are part of the
//! library's interface: clients of different versions must agree, so this hash never changes.

/// How a client with several servers picks one for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ServerChoice {
    /// By function and unique, so that jobs with the same unique meet on one server and coalesce there. Jobs
    /// without a unique go anywhere. The default.
    #[default]
    ByUnique,
    /// Anywhere, for each job anew.
    Random,
}

/// The number of what must meet on one server.
pub(crate) fn key(function: &[u8], unique: &[u8]) -> u64 {
    // The length keeps `ab` + `c` apart from `a` + `bc`.
    let length = u64::try_from(function.len()).unwrap_or(u64::MAX).to_le_bytes();
    fnv1a(fnv1a(fnv1a(FNV_BASIS, &length), function), unique)
}

/// The number of a server, from its name as text.
pub(crate) fn seed(server: &str) -> u64 {
    fnv1a(FNV_BASIS, server.as_bytes())
}

/// The number of a server for a job.
pub(crate) fn score(key: u64, seed: u64) -> u64 {
    // The finisher of SplitMix64: FNV alone leaves the high bits of similar names alike.
    let mut mixed = key ^ seed.rotate_left(32);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv1a(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |state, byte| (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVERS: [&str; 4] = ["a.example:4730", "b.example:4730", "c.example:4730", "10.0.0.4:4731"];

    fn winner(servers: &[&'static str], unique: u32) -> &'static str {
        let key = key(b"resize", unique.to_string().as_bytes());
        servers.iter().max_by_key(|server| score(key, seed(server))).unwrap()
    }

    #[test]
    fn servers_share_the_jobs_and_only_those_of_a_missing_one_move() {
        let mut counts = [0; 4];
        for unique in 0..40_000 {
            let first = winner(&SERVERS, unique);
            counts[SERVERS.iter().position(|server| *server == first).unwrap()] += 1;
            let without_last = winner(&SERVERS[..3], unique);
            assert!(first == SERVERS[3] || first == without_last, "{unique} moved from {first}");
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    /// Clients of different versions must agree.
    #[test]
    fn the_numbers_stay_as_they_are() {
        assert_eq!(key(b"resize", b"photo-1"), 0x2c40_596b_cead_2f3b);
        assert_eq!(seed("a.example:4730"), 0xcc05_64d7_ae44_a5e0);
        assert_eq!(score(1, 2), 0xc72c_0d73_624b_3f8e);
        assert_ne!(key(b"ab", b"c"), key(b"a", b"bc"));
    }
}
