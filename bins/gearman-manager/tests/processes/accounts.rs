//! Who processes are. Only root can be another; CI is root.

use crate::manager::Manager;
use nix::unistd::Uid;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// A folder in which everybody may make files.
fn open_to_all(folder: &Path) {
    let all = folder.join("all");
    fs::create_dir(&all).unwrap();
    fs::set_permissions(all, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

const SHOW: &str = "command = 'touch made; echo I am $(id -u) $(id -g) of $(id -G), mask $(umask), home $HOME, $USER; \
                    exec sleep 1000'\nshell = true\ndirectory = 'all'\n";

#[test]
fn processes_are_who_the_configuration_says_and_their_files_too() {
    if !Uid::effective().is_root() {
        return;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let nobody: Vec<&str> =
        passwd.lines().find(|line| line.starts_with("nobody:")).unwrap().split(':').collect();
    let (uid, gid, home) = (nobody[2], nobody[3], nobody[5]);
    let programs = format!("[program.w]\n{SHOW}user = 'nobody'\numask = '0027'\n");
    let mut manager = Manager::start_with("", &programs, open_to_all);
    manager.wait_for(&format!("w:0 I am {uid} {gid} of {gid}, mask 0027, home {home}, nobody"));
    manager.wait_for("w:0 starting -> running");
    let made = manager.path("all/made").metadata().unwrap();
    assert_eq!((made.uid().to_string(), made.gid().to_string()), (uid.to_owned(), gid.to_owned()));
    assert_eq!(made.mode() & 0o777, 0o640);
}

#[test]
fn a_group_and_numbers_without_an_account_do_as_well() {
    if !Uid::effective().is_root() {
        return;
    }
    let programs = format!(
        "[program.number]\n{SHOW}user = '12345'\ngroup = '54321'\n\
         [program.group]\ncommand = 'id -G'\ngroup = '54321'\n\
         [program.alone]\ncommand = 'id -u'\nuser = '12345'\n"
    );
    let mut manager = Manager::start_with("", &programs, open_to_all);
    for said in [
        "user 12345 has no group of its own (hint: key group)",
        "number:0 I am 12345 54321 of 54321",
        "group:0 54321",
        "number:0 starting -> running",
    ] {
        manager.wait_for_any(said);
    }
    let made = manager.path("all/made").metadata().unwrap();
    assert_eq!((made.uid(), made.gid()), (12_345, 54_321));
}

#[test]
fn a_user_that_is_not_there_is_said_at_the_start_and_by_its_program() {
    let mut manager = Manager::start(
        "[program.w]\ncommand = 'sleep 1000'\nuser = 'nobody-at-all'\nbackoff-first = '10ms'\ncrash-loop-exits = 2\n",
    );
    manager.wait_for_any("ERROR there is no user nobody-at-all");
    manager
        .wait_for("-> crash-looping: the last one ended: cannot be started: there is no user nobody-at-all");
}
