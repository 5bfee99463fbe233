//! Spawning a process of a program.
//!
//! From: the planner's `Spawn`. To: a process in a session and a group of its own, with its output in pipes.
//! Never: leaves a descriptor, a blocked signal or a privilege of the manager in it.

use super::account::Account;
use super::descriptors;
use super::notify;
use super::proc;
use crate::config::{LogTarget, Program};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SigHandler, SigSet, Signal, killpg, signal};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, Uid, fchown, pipe2, setgid, setgroups, setsid, setuid};
use rustix::process::Resource;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

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
/// When there is no such folder or program, or the kernel has no process left.
pub(crate) fn spawn(
    program: &Program,
    account: Option<Arc<Account>>,
    place: &str,
    mark: &str,
) -> io::Result<Spawned> {
    let words = &program.command.words;
    let (first, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(first);
    command.args(arguments).current_dir(&program.directory).stdin(Stdio::null());
    set_environment(&mut command, program, account.as_deref());
    command.env(PLACE_VARIABLE, place).env(STATE_VARIABLE, mark);
    let user = account.as_ref().map(|who| who.user);
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
    prepare_child(&mut command, account, program.umask);
    let child = command.spawn().map_err(|error| explain(error, program))?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    // Its ends of the pipes: one descriptor there has to be for the look at it.
    drop(command);
    // It cannot be gone yet: nobody but us takes its exit status.
    let Some(stat) = proc::stat(pid) else {
        // Neither we nor the next manager would know it from another one of its number.
        killpg(Pid::from_raw(pid), Signal::SIGKILL)?;
        return Err(io::Error::other("it was spawned, but could not be looked at"));
    };
    let started = stat.started;
    Ok(Spawned { pid, started, stdout: stdout.ours, stderr })
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

fn set_environment(command: &mut Command, program: &Program, account: Option<&Account>) {
    for name in notify::VARIABLES {
        command.env_remove(name);
    }
    if let Some(entry) = account.and_then(|it| it.entry.as_ref()) {
        command.env("HOME", &entry.dir).env("USER", &entry.name).env("LOGNAME", &entry.name);
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
fn prepare_child(command: &mut Command, account: Option<Arc<Account>>, umask: Option<u32>) {
    let umask = umask.map(Mode::from_bits_truncate);
    let descriptors = descriptors::of_children();
    // SAFETY: the closure runs in the child of a process with threads, where only async-signal-safe calls are allowed.
    // It allocates nothing (the group list was made before, a failed call is a plain number), takes no lock, and makes
    // the system calls sigaction, sigprocmask, setsid, prlimit, umask, setgroups, setgid and setuid, all of them on
    // that list or plain calls of the kernel. The default disposition installs no handler, so that `signal` brings no
    // code of ours to run.
    unsafe {
        command.pre_exec(move || {
            for it in Signal::iterator() {
                // What the manager was started with, as under nohup, is no concern of the child. KILL and STOP are
                // refused, which is fine.
                let _refused = signal(it, SigHandler::SigDfl);
            }
            SigSet::empty().thread_set_mask()?;
            // The leader of a session can neither leave its group nor join another session's: a group is one worker
            // with its children, whoever they would like to be.
            setsid()?;
            if let Some(limit) = &descriptors {
                rustix::process::setrlimit(Resource::Nofile, *limit)?;
            }
            if let Some(umask) = umask {
                nix::sys::stat::umask(umask);
            }
            if let Some(who) = &account {
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
