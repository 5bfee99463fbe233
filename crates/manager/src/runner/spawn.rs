//! Spawning a process of a program.
//!
//! From: the planner's `Spawn`. To: a process in a group of its own, with its output in pipes.
//! Never: leaves a descriptor, a blocked signal or a privilege of the manager in it.

use super::notify;
use super::proc;
use crate::config::{LogTarget, Program};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Group, Uid, User, fchown, getgrouplist, pipe2, setgid, setgroups, setuid};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// The variable that says which place a process has, as `mail:0`.
pub const PLACE_VARIABLE: &str = "GEARMAN_MANAGER_PROCESS";

/// The variable that says which manager it belongs to, by the mark of its state folder.
pub(crate) const STATE_VARIABLE: &str = "GEARMAN_MANAGER_STATE";

#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) pid: i32,
    /// When, in ticks after the machine's start: with the pid, its identity.
    pub(crate) started: u64,
    pub(crate) stdout: OwnedFd,
    /// Without, it goes where standard output goes.
    pub(crate) stderr: Option<OwnedFd>,
}

/// Spawns a process.
///
/// # Errors
/// When there is no such user, folder or program, or the kernel has no process left.
pub(crate) fn spawn(program: &Program, place: &str, mark: &str) -> io::Result<Spawned> {
    let words = &program.command.words;
    let (first, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(first);
    command.args(arguments).current_dir(&program.directory).stdin(Stdio::null()).process_group(0);
    let credentials = credentials(program)?;
    set_environment(&mut command, program, credentials.as_ref());
    command.env(PLACE_VARIABLE, place).env(STATE_VARIABLE, mark);
    let user = credentials.as_ref().map(|who| who.user);
    let stdout = output_pipe(user)?;
    command.stdout(stdout.child.try_clone()?);
    let stderr = match program.stderr {
        LogTarget::Stdout => {
            command.stderr(stdout.child);
            None
        }
        LogTarget::Manager | LogTarget::Nowhere | LogTarget::File(_) => {
            let stderr = output_pipe(user)?;
            command.stderr(stderr.child);
            Some(stderr.ours)
        }
    };
    prepare_child(&mut command, credentials, program.umask);
    let child = command.spawn().map_err(|error| explain(error, program))?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    // It cannot be gone yet: nobody but us takes its exit status.
    let started = proc::stat(pid).map_or(0, |stat| stat.started);
    Ok(Spawned { pid, started, stdout: stdout.ours, stderr })
}

/// The user that processes of a program are.
///
/// # Errors
/// When there is no such user.
pub(crate) fn user(program: &Program) -> io::Result<u32> {
    let named = program.user.as_deref().map(user_of).transpose()?;
    Ok(named.map_or_else(Uid::effective, |(user, _)| user).as_raw())
}

/// An error with the name of what is missing: the kernel's is the same for program and folder.
fn explain(error: io::Error, program: &Program) -> io::Error {
    let first = program.command.words.first().map_or("", String::as_str);
    if error.kind() == io::ErrorKind::NotFound && !program.directory.is_dir() {
        return io::Error::new(error.kind(), format!("there is no folder {}", program.directory.display()));
    }
    let reason = error.raw_os_error().map_or_else(|| error.to_string(), reason_of);
    io::Error::new(error.kind(), format!("{first}: {reason}"))
}

fn reason_of(code: i32) -> String {
    nix::errno::Errno::from_raw(code).desc().to_lowercase()
}

struct Pipe {
    ours: OwnedFd,
    child: OwnedFd,
}

/// A pipe of which the child holds both ends: when the manager is killed, the child's output waits in it for the
/// next manager, and does not end the child with SIGPIPE.
///
/// It belongs to the child's user, who may open it again, as `/dev/stdout`.
fn output_pipe(user: Option<Uid>) -> io::Result<Pipe> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    if Uid::effective().is_root() {
        fchown(&write, user, None)?;
    }
    fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let path = format!("/proc/self/fd/{}", write.as_raw_fd());
    let both = OpenOptions::new().read(true).write(true).open(path)?;
    Ok(Pipe { ours: read, child: both.into() })
}

/// Who a process is to be.
struct Credentials {
    user: Uid,
    group: Gid,
    groups: Vec<Gid>,
    /// The account, where a user is named.
    account: Option<User>,
}

fn credentials(program: &Program) -> io::Result<Option<Credentials>> {
    let group = program.group.as_deref().map(group_of).transpose()?;
    let Some(name) = &program.user else {
        let with_group = group.map(|group| Credentials {
            user: Uid::effective(),
            group,
            groups: vec![group],
            account: None,
        });
        return Ok(with_group);
    };
    let (user, account) = user_of(name)?;
    let own_group = account.as_ref().map(|account| account.gid);
    let missing = || missing(format!("user {name} has no group of its own (hint: key group)"));
    let group = group.or(own_group).ok_or_else(missing)?;
    let groups = match &account {
        Some(account) => getgrouplist(&CString::new(account.name.as_bytes())?, group)?,
        None => vec![group],
    };
    Ok(Some(Credentials { user, group, groups, account }))
}

/// A user by name or number; a number needs no account.
fn user_of(name: &str) -> io::Result<(Uid, Option<User>)> {
    if let Some(account) = User::from_name(name)? {
        return Ok((account.uid, Some(account)));
    }
    let uid = name.parse().map_err(|_| missing(format!("there is no user {name}")))?;
    Ok((Uid::from_raw(uid), User::from_uid(Uid::from_raw(uid))?))
}

fn group_of(name: &str) -> io::Result<Gid> {
    if let Some(group) = Group::from_name(name)? {
        return Ok(group.gid);
    }
    name.parse().map(Gid::from_raw).map_err(|_| missing(format!("there is no group {name}")))
}

fn missing(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, text)
}

fn set_environment(command: &mut Command, program: &Program, credentials: Option<&Credentials>) {
    for name in notify::VARIABLES {
        command.env_remove(name);
    }
    if let Some(account) = credentials.and_then(|it| it.account.as_ref()) {
        command.env("HOME", &account.dir).env("USER", &account.name).env("LOGNAME", &account.name);
    }
    let mut variables: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in program.environment_of_file.iter().chain(&program.environment) {
        variables.insert(name, value);
    }
    command.envs(variables);
}

/// What the child does between fork and exec.
#[expect(
    unsafe_code,
    reason = "only there can user, mask and signals be set; each call is a plain system call"
)]
fn prepare_child(command: &mut Command, credentials: Option<Credentials>, umask: Option<u32>) {
    let umask = umask.map(Mode::from_bits_truncate);
    // SAFETY: the closure runs in the child of a process with threads, where only async-signal-safe calls are
    // allowed. It allocates nothing (the group list was made before, a failed call is a plain number), takes no
    // lock, and makes the system calls sigaction, sigprocmask, umask, setgroups, setgid and setuid, all of them on
    // that list. The default disposition installs no handler, so that `signal` brings no code of ours to run.
    unsafe {
        command.pre_exec(move || {
            for it in Signal::iterator() {
                // What the manager was started with, as under nohup, is no concern of the child. KILL and STOP are
                // refused, which is fine.
                let _refused = signal(it, SigHandler::SigDfl);
            }
            SigSet::empty().thread_set_mask()?;
            if let Some(umask) = umask {
                nix::sys::stat::umask(umask);
            }
            if let Some(who) = &credentials {
                // Without the privilege it only works for who one is already, which is then fine.
                if Uid::effective().is_root() {
                    setgroups(&who.groups)?;
                }
                setgid(who.group)?;
                setuid(who.user)?;
            }
            Ok(())
        });
    }
}
