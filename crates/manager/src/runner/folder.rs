//! Folders that others may write to, and what the manager touches in them.
//!
//! From: a path of the configuration. To: the folder it is in, held open, so that nobody turns it on the way.
//! Never: follows a link of somebody else than root and the manager's own user: where root writes is not for a worker
//! to say.

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::unistd::Uid;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

/// Most links on the way to a file, as the kernel has it.
const LINKS_MAX: u32 = 40;

/// A name in a folder that is held open.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) folder: OwnedFd,
    pub(crate) name: OsString,
}

impl Place {
    /// Goes to an absolute path, part by part; a link at its end is followed as well.
    ///
    /// # Errors
    /// When a part is missing or no folder, or a link of a user who is neither root nor the manager's own.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let root = openat(nix::fcntl::AT_FDCWD, "/", folder_flags(), Mode::empty())?;
        let mut folders = vec![root];
        let mut parts = parts_of(path);
        parts.reverse();
        let mut links = 0;
        while let Some(part) = parts.pop() {
            if part == ".." {
                // Above the root is the root.
                if folders.len() > 1 {
                    folders.pop();
                }
                continue;
            }
            let Some(folder) = folders.last() else { break };
            match fstatat(folder, part.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(stat) if kind(&stat) == SFlag::S_IFLNK => {
                    links += 1;
                    let target = followed(folder, &part, &stat, links)?;
                    if target.is_absolute() {
                        folders.truncate(1);
                    }
                    parts.extend(parts_of(&target).into_iter().rev());
                }
                Ok(_) if parts.is_empty() => return Self::in_last(folders, part),
                Err(Errno::ENOENT) if parts.is_empty() => return Self::in_last(folders, part),
                Ok(_) => {
                    let next = openat(folder, part.as_os_str(), folder_flags(), Mode::empty())?;
                    folders.push(next);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EISDIR.into())
    }

    fn in_last(mut folders: Vec<OwnedFd>, name: OsString) -> io::Result<Self> {
        folders.pop().map(|folder| Self { folder, name }).ok_or_else(|| Errno::ENOENT.into())
    }
}

fn folder_flags() -> OFlag {
    OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC
}

fn parts_of(path: &Path) -> Vec<OsString> {
    let part = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(part).collect()
}

/// Where a link leads, if it is one to be followed.
fn followed(folder: &OwnedFd, name: &OsStr, stat: &FileStat, links: u32) -> io::Result<PathBuf> {
    if links > LINKS_MAX {
        return Err(Errno::ELOOP.into());
    }
    if !is_trusted(stat.st_uid) {
        let text =
            format!("{} is a link of user {}, and not followed", Path::new(name).display(), stat.st_uid);
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(readlinkat(folder, name)?.into())
}

/// Whether a user is root, or the manager's own.
fn is_trusted(user: u32) -> bool {
    user == 0 || user == Uid::effective().as_raw()
}

fn may_others_write(stat: &FileStat) -> bool {
    Mode::from_bits_truncate(stat.st_mode).intersects(Mode::S_IWGRP | Mode::S_IWOTH)
}

/// Whether others than root and the manager's own user can change what is in this folder.
pub(crate) fn is_open_to_others(folder: &FileStat) -> bool {
    !is_trusted(folder.st_uid) || may_others_write(folder)
}

/// What kind of file it is.
pub(crate) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

/// Whether nobody but root and the manager's own user can change what is in a folder.
///
/// # Errors
/// When others can, or it is none.
pub(crate) fn check_own(path: &Path) -> io::Result<()> {
    let place = openat(nix::fcntl::AT_FDCWD, path, folder_flags() & !OFlag::O_NOFOLLOW, Mode::empty())?;
    let stat = fstat(&place)?;
    let refused = |text: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    if !is_trusted(stat.st_uid) {
        return refused(format!(
            "it is the folder of user {}, who could have it end any process",
            stat.st_uid
        ));
    }
    if may_others_write(&stat) {
        return refused("others may write there, and have it end any process (hint: chmod go-w)".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{chown, symlinkat};
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, lchown, symlink};

    fn name_of(path: &Path) -> io::Result<OsString> {
        Place::of(path).map(|place| place.name)
    }

    #[test]
    fn a_way_over_own_links_ends_where_they_lead() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir(path.join("real")).unwrap();
        symlink("real", path.join("link")).unwrap();
        symlink(path.join("real/./x.log"), path.join("real/over")).unwrap();
        assert_eq!(name_of(&path.join("link/../link/out.log")).unwrap(), "out.log");
        assert_eq!(name_of(&path.join("link/over")).unwrap(), "x.log");
        let place = Place::of(&path.join("link/over")).unwrap();
        symlinkat("mark", &place.folder, "marked").unwrap();
        assert!(path.join("real/marked").is_symlink(), "it is the folder the link leads to");
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("file"), "").unwrap();
        symlink("loop", path.join("loop")).unwrap();
        assert_eq!(name_of(&path.join("not/there")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(name_of(&path.join("file/below")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        assert_eq!(name_of(&path.join("loop")).unwrap_err().raw_os_error(), Some(Errno::ELOOP as i32));
        assert_eq!(name_of(Path::new("/..")).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }

    /// Only root can make a link of somebody else.
    #[test]
    fn a_link_of_somebody_else_leads_nowhere() {
        if !Uid::effective().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir(path.join("real")).unwrap();
        symlink("real", path.join("link")).unwrap();
        lchown(path.join("link"), Some(12_345), None).unwrap();
        let error = name_of(&path.join("link/out.log")).unwrap_err();
        assert_eq!(error.to_string(), "link is a link of user 12345, and not followed");
        assert!(name_of(&path.join("link")).is_err());
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        check_own(folder.path()).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o775)).unwrap();
        assert!(check_own(folder.path()).unwrap_err().to_string().starts_with("others may write there"));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        if Uid::effective().is_root() {
            chown(folder.path(), Some(Uid::from_raw(12_345)), None).unwrap();
            assert!(
                check_own(folder.path()).unwrap_err().to_string().starts_with("it is the folder of user")
            );
        }
    }
}
