//! Restarts on a changed file or configuration.

use crate::manager::{Manager, wait_until};
use nix::sys::signal::Signal;
use std::fs;
use std::path::Path;

const WORKER: &str = "[program.w]\ncommand = 'sh worker.sh'\nprocesses = 3\nready-after = '1s'\n\
                      watch = ['worker.sh']\nwatch-settle = '200ms'\n";

fn good(folder: &Path) {
    fs::write(folder.join("worker.sh"), "exec sleep 1000\n").unwrap();
}

#[test]
fn a_broken_file_costs_one_process_and_a_mended_one_reaches_all() {
    let mut manager = Manager::start_with("", WORKER, good);
    for number in 0..3 {
        manager.wait_for(&format!("w:{number} starting -> running"));
    }
    let old = manager.pids("w");
    fs::write(manager.path("worker.sh"), "echo broken; exit 1\n").unwrap();
    manager.wait_for("worker.sh changed");
    manager.wait_for("w restart: held: the new process of w:0 ended before it was ready: exit code 1");
    // The first one may be in a pause just now.
    let now = manager.pids("w");
    assert!(old[1..].iter().all(|pid| now.contains(pid)), "the others stay as they are: {old:?} {now:?}");
    let table = manager.ctl(&["status", "w"]).out;
    assert!(table.contains("the others stay as they are"), "{table}");
    good(manager.folder.path());
    manager.wait_for("worker.sh changed");
    manager.wait_for("w restart: done: all processes are new");
    let new = manager.pids("w");
    assert!(new.len() == 3 && new.iter().all(|pid| !old.contains(pid)), "{old:?} {new:?}");
}

#[test]
fn a_deployment_that_turns_a_link_is_seen() {
    let programs = "[program.w]\ncommand = 'sh current/worker.sh'\nready-after = '100ms'\n\
                    watch = ['current/**/*.sh']\nwatch-settle = '200ms'\n";
    let mut manager = Manager::start_with("", programs, |folder| {
        for release in ["one", "two"] {
            fs::create_dir(folder.join(release)).unwrap();
            good(&folder.join(release));
        }
        std::os::unix::fs::symlink("one", folder.join("current")).unwrap();
    });
    manager.wait_for("w:0 starting -> running");
    std::os::unix::fs::symlink("two", manager.path("next")).unwrap();
    fs::rename(manager.path("next"), manager.path("current")).unwrap();
    manager.wait_for("w restart: done: all processes are new");
    // What is behind the link now is watched as well.
    good(&manager.path("two"));
    manager.wait_for("worker.sh changed");
    manager.wait_for("w restart: done: all processes are new");
}

#[test]
fn a_deployment_that_replaces_a_folder_is_seen_again_and_again() {
    let programs = "[program.w]\ncommand = 'sh current/src/worker.sh'\nready-after = '100ms'\n\
                    watch = ['current/src/*.sh']\nwatch-settle = '200ms'\n";
    let release = |folder: &Path| {
        fs::create_dir_all(folder.join("src")).unwrap();
        good(&folder.join("src"));
    };
    let mut manager = Manager::start_with("", programs, |folder| release(&folder.join("current")));
    manager.wait_for("w:0 starting -> running");
    // The whole folder by another one.
    release(&manager.path("new"));
    fs::rename(manager.path("current"), manager.path("old")).unwrap();
    fs::rename(manager.path("new"), manager.path("current")).unwrap();
    manager.wait_for("w restart: done: all processes are new");
    good(&manager.path("current/src"));
    manager.wait_for("worker.sh changed");
    manager.wait_for("w restart: done: all processes are new");
    // Removed, and copied anew a while later: nothing is started before it is there again.
    let pid = manager.pids("w");
    fs::remove_dir_all(manager.path("current")).unwrap();
    wait_until("the manager has taken it in", || manager.ctl(&["status"]).code == 0);
    assert_eq!(manager.pids("w"), pid);
    release(&manager.path("current"));
    manager.wait_for("w restart: done: all processes are new");
    assert!(!manager.has_said("held"));
}

#[test]
fn a_new_configuration_restarts_what_changed_and_nothing_else() {
    let same = "[program.same]\ncommand = 'sleep 1000'\nready-after = '0s'\n";
    let other = |time: u32| format!("[program.other]\ncommand = 'sleep {time}'\nready-after = '0s'\n");
    let mut manager = Manager::start(&(other(1000) + same));
    manager.wait_for("same:0 starting -> running");
    let (kept, old) = (manager.pids("same"), manager.pids("other"));
    manager.configure("", &(other(1001) + same + "[program.new]\ncommand = 'sleep 1000'\n"));
    let reread = manager.ctl(&["reread"]);
    let said = "new is new\nother is restarted, one process after the other: command\n";
    assert_eq!((reread.code, reread.out.as_str()), (0, said));
    assert_eq!(manager.pids("other"), old, "reread changes nothing");
    manager.signal(Signal::SIGHUP);
    manager.wait_for("SIGHUP: new is new");
    manager.wait_for("other restart: done");
    assert_ne!(manager.pids("other"), old);
    assert_eq!(manager.pids("same"), kept);
    assert_eq!(manager.ctl(&["reread"]).out, "nothing changes\n");
    manager.configure("", "[program.same]\ncommnd = 'x'\n");
    let update = manager.ctl(&["update"]);
    assert_eq!((update.code, update.out.as_str()), (2, ""));
    assert!(update.err.contains("commnd"), "{}", update.err);
    assert_eq!(manager.pids("same"), kept, "a wrong file changes nothing");
}
