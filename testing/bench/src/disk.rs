//! Room on a disk, and what a server took of it.

use std::fs;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::trouble::Trouble;

/// Bytes that may still be written to the disk of `dir`.
///
/// # Errors
///
/// `Io` when the directory is gone.
pub(crate) fn free_bytes(dir: &Path) -> Result<u64, Trouble> {
    let disk = statvfs(dir).map_err(Trouble::io("look at the disk"))?;
    Ok(disk.blocks_available() * disk.fragment_size())
}

/// Bytes of all files in `dir`, which has no directories; sparse ones count whole.
///
/// # Errors
///
/// `Io` when the directory is gone.
pub(crate) fn used_bytes(dir: &Path) -> Result<u64, Trouble> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir).map_err(Trouble::io("look at the files"))? {
        let entry = entry.map_err(Trouble::io("look at the files"))?;
        // A log that is deleted meanwhile takes no room.
        bytes += entry.metadata().map_or(0, |file| file.len());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_directory_are_added_up() {
        let dir = std::env::temp_dir().join(format!("geartrain-bench-disk-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("queue.db"), [0; 300]).unwrap();
        fs::write(dir.join("queue.db-wal"), [0; 45]).unwrap();
        let (used, free) = (used_bytes(&dir).unwrap(), free_bytes(&dir).unwrap());
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(used, 345);
        assert!(free > 345);
        assert!(used_bytes(&dir).is_err());
    }
}
