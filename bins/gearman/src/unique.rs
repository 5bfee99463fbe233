//! The unique a client gives its jobs.

use std::io::{self, Read};

/// The unique of one job, as `-u` says.
///
/// `-` goes to the server as it is, which then takes the workload for the unique. `#` becomes a hash of the
/// workload. Without `-u`, each job gets a random one, as in the reference: servers in use keep stored jobs
/// apart by function and unique alone.
///
/// # Errors
/// When the system has no random bytes.
pub(crate) fn unique_of(option: Option<&str>, workload: &[u8]) -> io::Result<String> {
    match option {
        None | Some("") => random(),
        Some("#") => Ok(hash(workload).to_string()),
        Some(unique) => Ok(unique.to_owned()),
    }
}

/// A random UUID, version 4.
fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    // Version 4 stands in bits 76 to 79, the variant of RFC 9562 in bits 62 and 63.
    let bits = u128::from_be_bytes(bytes) & !(0xf << 76 | 0x3 << 62) | (0x4 << 76 | 0x2 << 62);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Ok([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

/// FNV-1a of 128 bits.
///
/// The reference hashes to 32 bits, where a few ten thousand jobs waiting at once make two that differ
/// pass for one.
fn hash(workload: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    workload.iter().fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_unique_is_a_uuid_and_never_the_same() {
        let unique = unique_of(None, b"x").unwrap();
        let shape: String = unique.chars().map(|c| if c.is_ascii_hexdigit() { 'x' } else { c }).collect();
        assert_eq!(shape, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
        assert_eq!(unique.get(14..15), Some("4"));
        assert!(matches!(unique.get(19..20), Some("8" | "9" | "a" | "b")));
        assert_ne!(unique, unique_of(None, b"x").unwrap());
    }

    #[test]
    fn a_hashed_unique_depends_on_the_workload_alone_and_fits() {
        // The published test vector of FNV-1a, 128 bits, for "foobar".
        assert_eq!(hash(b"foobar"), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
        let unique = unique_of(Some("#"), b"foobar").unwrap();
        assert_eq!(unique, unique_of(Some("#"), b"foobar").unwrap());
        assert!(unique.len() <= geartrain_proto::limits::UNIQUE_BYTES_MAX);
        assert_eq!(unique_of(Some("-"), b"foobar").unwrap(), "-");
    }
}
