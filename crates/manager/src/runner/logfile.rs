//! A file of output that is put aside when it is full.
//!
//! From: whole lines of the processes that share it. To: `NAME`, `NAME.1`, ... `NAME.N`, the newest first.
//! Never: cuts a line in two files; puts aside or empties what is no regular file, or not the one it writes to; writes
//! to a file that somebody else may have given a second name; waits for somebody to read.

use super::folder::{Place, is_open_to_others, kind};
use crate::config::Rotation;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    is_regular: bool,
    /// How long it is; where it could not be put aside, how much it grew since that was tried.
    bytes: u64,
    /// The last line is not whole: there was no room for the rest.
    is_cut: bool,
}

/// What became of lines that were written.
#[derive(Debug)]
pub(crate) enum Written {
    Well,
    /// They are in the file, which is too long and cannot be put aside.
    TooLong(io::Error),
}

impl LogFile {
    pub(crate) fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let (file, is_regular, bytes) = open(path)?;
        Ok(Self { path: path.to_owned(), rotation, file, is_regular, bytes, is_cut: false })
    }

    pub(crate) fn set_rotation(&mut self, rotation: Rotation) {
        self.rotation = rotation;
    }

    /// Opens the file anew, for those who put it aside themselves.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.is_regular, self.bytes) = open(&self.path)?;
        self.is_cut = false;
        Ok(())
    }

    /// Writes whole lines.
    pub(crate) fn write(&mut self, lines: &[u8]) -> io::Result<Written> {
        let more = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let is_over = self.rotation.bytes_max.is_some_and(|max| self.bytes.saturating_add(more) > max);
        let rotated = if is_over && self.is_regular && self.bytes > 0 { self.rotate() } else { Ok(()) };
        if rotated.is_err() {
            // Better a file that is too long than lines that nobody has; the next try comes as much later.
            self.bytes = 0;
        }
        if self.is_cut {
            self.append(b"\n")?;
            self.is_cut = false;
        }
        self.append(lines)?;
        Ok(rotated.map_or_else(Written::TooLong, |()| Written::Well))
    }

    fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.bytes = self.bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                    bytes = bytes.get(count..).unwrap_or_default();
                    self.is_cut = !bytes.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let place = Place::of(&self.path)?;
        if !self.is_there(&place)? {
            // Somebody put it aside or removed it.
            return self.reopen();
        }
        if self.rotation.files == 0 {
            // Opened for appending, so that what follows begins at the start.
            self.file.set_len(0)?;
            self.bytes = 0;
            return Ok(());
        }
        for number in (1..self.rotation.files).rev() {
            rename(&place, &aside(&place, number), &aside(&place, number + 1))?;
        }
        rename(&place, &place.name, &aside(&place, 1))?;
        // Those of a time when more were kept.
        for number in self.rotation.files + 1.. {
            if unlinkat(&place.folder, aside(&place, number).as_os_str(), UnlinkatFlags::NoRemoveDir).is_err()
            {
                break;
            }
        }
        self.reopen()
    }

    /// Whether the file that is written to is still the one of this name.
    fn is_there(&self, place: &Place) -> io::Result<bool> {
        let ours = fstat(&self.file)?;
        match fstatat(&place.folder, place.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(there) => Ok((there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)),
            Err(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Renames within a folder; that there is nothing to rename is no error.
fn rename(place: &Place, from: &OsString, to: &OsString) -> io::Result<()> {
    match renameat(&place.folder, from.as_os_str(), &place.folder, to.as_os_str()) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn aside(place: &Place, number: u32) -> OsString {
    let mut name = place.name.clone();
    name.push(format!(".{number}"));
    name
}

/// The file, whether it is a regular one, and how long it is.
fn open(path: &Path) -> io::Result<(File, bool, u64)> {
    let place = Place::of(path)?;
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_CLOEXEC;
    // A FIFO that nobody reads is refused, and one whose reader is slow loses lines: nobody waits for it.
    let flags = flags | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY;
    let mode = Mode::from_bits_truncate(0o666);
    let file = match openat(&place.folder, place.name.as_os_str(), flags, mode) {
        Ok(file) => File::from(file),
        Err(Errno::ENXIO) => {
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "it is a FIFO or a socket that nobody reads",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    let stat = fstat(&file)?;
    let is_regular = kind(&stat) == SFlag::S_IFREG;
    // Where the kernel lets everybody do that, it may be any file of root.
    if is_regular && stat.st_nlink > 1 && is_open_to_others(&fstat(&place.folder)?) {
        let text = "it is a file with several names, in a folder that others may write to";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok((file, is_regular, u64::try_from(stat.st_size).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::mknod;
    use nix::unistd::{Uid, mkfifo};
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

    const SMALL: Rotation = Rotation { bytes_max: Some(10), files: 2 };

    #[test]
    fn a_full_file_is_put_aside_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.log");
        let mut log = LogFile::open(&path, Rotation { bytes_max: Some(10), files: 2 }).unwrap();
        for line in ["one 45678\n", "two 45678\n", "three 678\n", "four 5678\n"] {
            log.write(line.as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        assert_eq!(
            (read("out.log"), read("out.log.1")),
            ("four 5678\n".to_owned(), "three 678\n".to_owned())
        );
        assert_eq!((read("out.log.2"), read("out.log.3")), ("two 45678\n".to_owned(), String::new()));
        log.write(&[b'x'; 30]).unwrap();
        assert_eq!(read("out.log").len(), 30, "a line longer than the limit is whole in a file of its own");
    }

    #[test]
    fn a_file_that_was_put_aside_by_others_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.log");
        let mut log = LogFile::open(&path, Rotation { bytes_max: None, files: 0 }).unwrap();
        log.write(b"old\n").unwrap();
        fs::rename(&path, folder.path().join("aside")).unwrap();
        log.reopen().unwrap();
        log.write(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
    }

    /// What is written there is read by nobody, and its name stays its own.
    #[test]
    fn a_device_is_never_put_aside() {
        if !Uid::effective().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sink");
        let null = nix::sys::stat::makedev(1, 3);
        mknod(&path, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), null).unwrap();
        let mut log = LogFile::open(&path, SMALL).unwrap();
        for _ in 0..100 {
            assert!(matches!(log.write(b"one 45678\n").unwrap(), Written::Well));
        }
        assert!(path.metadata().unwrap().file_type().is_char_device());
        assert!(!folder.path().join("sink.1").exists());
    }

    #[test]
    fn a_file_that_others_may_have_given_the_name_is_not_written_to() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (theirs, precious) = (folder.path().join("theirs"), folder.path().join("precious"));
        fs::create_dir(&theirs).unwrap();
        fs::write(&precious, "precious\n").unwrap();
        fs::hard_link(&precious, theirs.join("out.log")).unwrap();
        fs::set_permissions(&theirs, fs::Permissions::from_mode(0o777)).unwrap();
        let error = LogFile::open(&theirs.join("out.log"), SMALL).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        // In a folder of our own it is our own will.
        fs::set_permissions(&theirs, fs::Permissions::from_mode(0o755)).unwrap();
        LogFile::open(&theirs.join("out.log"), SMALL).unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious\n");
    }

    #[test]
    fn a_fifo_is_written_to_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
        let error = LogFile::open(&path, SMALL).unwrap_err();
        assert_eq!(error.to_string(), "it is a FIFO or a socket that nobody reads");
        let nonblocking = OFlag::O_NONBLOCK.bits();
        let mut reader = fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(&path).unwrap();
        let mut log = LogFile::open(&path, SMALL).unwrap();
        log.write(b"one 45678\n").unwrap();
        log.write(b"two 45678\n").unwrap();
        let mut read = [0; 20];
        reader.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"one 45678\ntwo 45678\n");
        // Nobody reads on: lines are lost at some time, and nothing waits.
        assert!((0..100_000).any(|_| log.write(b"one 45678\n").is_err()));
    }

    #[test]
    fn a_file_that_is_gone_is_begun_anew_when_it_would_be_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.log");
        let mut log = LogFile::open(&path, SMALL).unwrap();
        log.write(b"one 45678\n").unwrap();
        fs::remove_file(&path).unwrap();
        log.write(b"two 45678\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two 45678\n");
        // Somebody else's file has the name now: it is not ours to put aside.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "theirs\n").unwrap();
        log.write(b"three 678\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs\nthree 678\n");
        assert!(!folder.path().join("out.log.1").exists());
    }

    #[test]
    fn a_file_that_cannot_be_put_aside_takes_all_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.log");
        // A folder of the name cannot be replaced by a file.
        fs::create_dir(folder.path().join("out.log.1")).unwrap();
        let rotation = Rotation { bytes_max: Some(10), files: 1 };
        let mut log = LogFile::open(&path, rotation).unwrap();
        let mut warnings = 0;
        for _ in 0..10 {
            warnings += usize::from(matches!(log.write(b"one 45678\n").unwrap(), Written::TooLong(_)));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "one 45678\n".repeat(10));
        assert!(warnings > 0);
        fs::remove_dir(folder.path().join("out.log.1")).unwrap();
        log.write(b"two 45678\n").unwrap();
        log.write(b"new 45678\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new 45678\n");
    }

    #[test]
    fn files_of_a_time_when_more_were_kept_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.log");
        for number in 1..=4 {
            fs::write(folder.path().join(format!("out.log.{number}")), "old\n").unwrap();
        }
        let mut log = LogFile::open(&path, SMALL).unwrap();
        log.write(b"one 45678\n").unwrap();
        log.write(b"two 45678\n").unwrap();
        let there = |number: u32| folder.path().join(format!("out.log.{number}")).exists();
        assert_eq!([1, 2, 3, 4].map(there), [true, true, false, false]);
    }
}
