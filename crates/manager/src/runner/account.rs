//! Who processes are to be.
//!
//! From: the users and groups of the configuration. To: [`super::spawn`], and the control socket.
//! Never: asks the machine's directory of users for one that it knows: that may take long, and a spawn waits for it.

use crate::config::Program;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::sync::Arc;

/// Who a process is to be.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) user: Uid,
    pub(crate) group: Gid,
    pub(crate) groups: Vec<Gid>,
    /// What the directory of users has of it, where a user is named.
    pub(crate) entry: Option<User>,
}

/// The accounts of all programs, looked up when a configuration is taken over.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    known: BTreeMap<Names, Arc<Account>>,
}

/// Keys `user` and `group` of a program.
type Names = (Option<String>, Option<String>);

impl Accounts {
    /// Looks up what these programs name; what cannot be found, a sentence each.
    ///
    /// An account that was known stays as it was where the directory does not answer.
    pub(crate) fn look_up<'p>(&mut self, programs: impl Iterator<Item = &'p Program>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut looked_up: BTreeMap<Names, ()> = BTreeMap::new();
        for program in programs {
            let names = (program.user.clone(), program.group.clone());
            if names == (None, None) || looked_up.insert(names.clone(), ()).is_some() {
                continue;
            }
            match look_up(&names) {
                Ok(account) => {
                    self.known.insert(names, Arc::new(account));
                }
                Err(error) => wrong.push(error.to_string()),
            }
        }
        wrong
    }

    /// Who a process of a program is to be; `None`: who the manager is.
    ///
    /// # Errors
    /// When there is no such user or group.
    pub(crate) fn of(&mut self, program: &Program) -> io::Result<Option<Arc<Account>>> {
        let names = (program.user.clone(), program.group.clone());
        if names == (None, None) {
            return Ok(None);
        }
        if let Some(account) = self.known.get(&names) {
            return Ok(Some(Arc::clone(account)));
        }
        // It was not there before: it may be by now.
        let account = Arc::new(look_up(&names)?);
        self.known.insert(names, Arc::clone(&account));
        Ok(Some(account))
    }
}

fn look_up((user, group): &Names) -> io::Result<Account> {
    let group = group.as_deref().map(group_of).transpose()?;
    let Some(name) = user else {
        let group = group.unwrap_or_else(Gid::effective);
        return Ok(Account { user: Uid::effective(), group, groups: vec![group], entry: None });
    };
    let (user, entry) = user_of(name)?;
    let own_group = entry.as_ref().map(|entry| entry.gid);
    let group = group
        .or(own_group)
        .ok_or_else(|| missing(format!("user {name} has no group of its own (hint: key group)")))?;
    let groups = match &entry {
        Some(entry) => getgrouplist(&CString::new(entry.name.as_bytes())?, group)
            .map_err(|error| io::Error::other(format!("the groups of user {name}: {}", error.desc())))?,
        None => vec![group],
    };
    Ok(Account { user, group, groups, entry })
}

/// A user by name or number; a number needs no account.
pub(crate) fn user_of(name: &str) -> io::Result<(Uid, Option<User>)> {
    if let Some(entry) = User::from_name(name)? {
        return Ok((entry.uid, Some(entry)));
    }
    let uid = name.parse().map_err(|_| missing(format!("there is no user {name}")))?;
    Ok((Uid::from_raw(uid), User::from_uid(Uid::from_raw(uid))?))
}

/// A group by name or number.
pub(crate) fn group_of(name: &str) -> io::Result<Gid> {
    if let Some(group) = Group::from_name(name)? {
        return Ok(group.gid);
    }
    name.parse().map(Gid::from_raw).map_err(|_| missing(format!("there is no group {name}")))
}

fn missing(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(user: Option<&str>, group: Option<&str>) -> Program {
        let mut program = Program::new("/".into());
        program.user = user.map(str::to_owned);
        program.group = group.map(str::to_owned);
        program
    }

    #[test]
    fn accounts_are_looked_up_once_and_what_is_missing_is_said() {
        let mut accounts = Accounts::default();
        let programs = [
            program(None, None),
            program(Some("root"), None),
            program(Some("0"), Some("7")),
            program(Some("nobody-at-all"), None),
            program(Some("nobody-at-all"), None),
            program(None, Some("no-group-at-all")),
        ];
        let wrong = accounts.look_up(programs.iter());
        assert_eq!(wrong, ["there is no user nobody-at-all", "there is no group no-group-at-all"]);
        assert!(accounts.of(&programs[0]).unwrap().is_none());
        let root = accounts.of(&programs[1]).unwrap().unwrap();
        assert_eq!((root.user.as_raw(), root.group.as_raw()), (0, 0));
        let other = accounts.of(&programs[2]).unwrap().unwrap();
        assert_eq!((other.user.as_raw(), other.group.as_raw()), (0, 7));
        assert!(Arc::ptr_eq(&root, &accounts.of(&programs[1]).unwrap().unwrap()));
        assert!(accounts.of(&programs[3]).is_err());
    }
}
