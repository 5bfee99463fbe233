//! The process itself: descriptors, user, core files, process id file.

use crate::resolve::Resolved;
use anyhow::{Context, Result, anyhow, bail};
use geartrain_server::connections_for;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::unistd::{Uid, User, initgroups, setgid, setuid};
use std::ffi::CString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Prepares the process, before it has threads.
pub(crate) fn prepare(resolved: &mut Resolved) -> Result<()> {
    let process = &resolved.process;
    let descriptors = allow_descriptors(process.file_descriptors)?;
    let fitting = connections_for(descriptors);
    if let Some(max) = process.connections_max.filter(|max| *max > fitting) {
        bail!(
            "connections-max of {max} does not fit under {descriptors} file descriptors (hint: raise file-descriptors)"
        );
    }
    resolved.server.connections_max = resolved.server.connections_max.min(fitting);
    if process.coredump {
        allow_core_files()?;
    }
    process.user.as_deref().map_or(Ok(()), become_user)
}

/// Sets the limit of file descriptors, and returns it.
fn allow_descriptors(wanted: Option<u64>) -> Result<usize> {
    let (soft, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).context("could not read the limit of file descriptors")?;
    let wanted = wanted.unwrap_or(hard);
    if wanted != soft {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).with_context(|| {
            format!("could not allow {wanted} file descriptors (the hard limit is {hard})")
        })?;
    }
    Ok(usize::try_from(wanted).unwrap_or(usize::MAX))
}

fn allow_core_files() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE).context("could not read the limit of core files")?;
    let wanted = if Uid::effective().is_root() { RLIM_INFINITY } else { hard };
    setrlimit(Resource::RLIMIT_CORE, wanted, wanted).context("could not allow core files")
}

fn become_user(name: &str) -> Result<()> {
    let user = User::from_name(name)
        .with_context(|| format!("could not look up user {name}"))?
        .ok_or_else(|| anyhow!("user {name} does not exist"))?;
    if !Uid::effective().is_root() {
        if Uid::effective() == user.uid {
            return Ok(());
        }
        bail!("must be root to switch to user {name}");
    }
    let c_name = CString::new(name).context("the user's name has a NUL")?;
    initgroups(&c_name, user.gid).with_context(|| format!("could not take the groups of {name}"))?;
    setgid(user.gid).with_context(|| format!("could not take the group of {name}"))?;
    setuid(user.uid).with_context(|| format!("could not become {name}"))
}

/// A process id file, removed at the end.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes it; nobody ever sees it empty.
    pub(crate) fn write(path: &Path) -> Result<Self> {
        let failed = || format!("could not write process id file {}", path.display());
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", std::process::id()));
        let new = PathBuf::from(name);
        // Left by a process of the same number that was killed; a link that somebody put there goes as well.
        fs::remove_file(&new).ok();
        let written = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o744)
            .open(&new)
            .and_then(|mut file| writeln!(file, "{}", std::process::id()))
            .and_then(|()| fs::rename(&new, path));
        if written.is_err() {
            // The first error is the one to tell.
            fs::remove_file(&new).ok();
        }
        written.with_context(failed)?;
        Ok(Self(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another server may have put its own there.
        if fs::read_to_string(&self.0).is_ok_and(|text| text.trim() == std::process::id().to_string()) {
            fs::remove_file(&self.0).ok();
        }
    }
}
