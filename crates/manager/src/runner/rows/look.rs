//! Finding out whose rows are.
//!
//! From: the connections of process groups. To: an owner for each row that has one.
//! Never: gives one row to two processes.
//!
//! A row with the port it comes from is that of the process group which has this connection. Rows without (of the
//! reference's server, of Unix sockets) are dealt out: a process takes rows that together have all of its functions,
//! came up after it was spawned, and come from an address it has a connection from. Which of several that start
//! together takes which is chance, so that nothing but readiness is read from them. Where addresses are not what they
//! seem, behind a proxy or a forwarded port, what is left of new rows is counted.

use super::{Claimant, LOOKS, Owner, Row, RowKey, Rows};
use crate::planner::{Moment, ProcessId, Sight};
use crate::runner::sockets::Sockets;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

/// How long a server may list a connection of a process that is gone: half a second.
const STALE: Duration = Duration::from_millis(500);

/// How long a process that no row fits is not looked at again while the rows stay the same: 2 seconds.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How our server prints the address of a peer on a Unix socket.
const UNIX: &str = "unix";

/// Rows that are nobody's, by function.
type Free = BTreeMap<String, BTreeSet<Rc<RowKey>>>;

impl Rows {
    /// Whether connections have to be looked at to know whose the rows are.
    pub(crate) fn is_look_due(&self, now: Moment, claimants: &[Claimant<'_>]) -> bool {
        if claimants.is_empty() {
            return false;
        }
        if self.strangers().next().is_some() {
            return true;
        }
        let is_open = |it: &Claimant<'_>| it.is_unready && !it.is_rest && !self.is_listed(it);
        let are_others = || !claimants.iter().map(|it| it.process).eq(self.looked_for.iter().copied());
        // Whoever had it may be gone from the server by now.
        let is_free = |row: &Row| {
            let freed = row.freed.filter(|freed| row.owner.is_none() && now.since(*freed) > STALE);
            freed.is_some_and(|freed| self.looked.is_none_or(|looked| looked <= freed + STALE))
        };
        claimants.iter().any(is_open)
            && (self.has_changed
                || are_others()
                || self.rows.values().any(is_free)
                || self.looked.is_none_or(|looked| now.since(looked) >= LOOK_AGAIN))
    }

    /// Addresses and ports that are looked for among our connections.
    fn strangers(&self) -> impl Iterator<Item = (&RowKey, u16)> {
        let is_unknown = |row: &Row| row.looks < LOOKS && !matches!(row.owner, Some(Owner::Exact(_)));
        let unknown = self.rows.iter().filter(move |(_, row)| is_unknown(row));
        unknown.filter_map(|(key, _)| Some((key, key.port?)))
    }

    /// Whether none of these connections is that of a row that is looked for.
    pub(crate) fn has_strangers(&self, sockets: &Sockets) -> bool {
        let is_ours = |(key, port): (&RowKey, u16)| {
            let address = key.address.parse::<IpAddr>().map(|ip| SocketAddr::new(ip.to_canonical(), port));
            address.is_ok_and(|address| sockets.group_at(address, self.port).is_some())
        };
        !self.strangers().all(is_ours)
    }

    /// The groups of processes that are not listed as they should be, each by its ports.
    pub(crate) fn unsettled(&self, claimants: &[Claimant<'_>]) -> BTreeSet<i32> {
        let is_settled = |it: &Claimant<'_>| {
            let exact = Some(Owner::Exact(it.process));
            !it.is_unready && self.is_listed(it) && self.of(it.process).all(|(_, row)| row.owner == exact)
        };
        claimants.iter().filter(|it| !is_settled(it)).map(|it| it.group).collect()
    }

    /// Finds out whose the rows are.
    pub(crate) fn look(&mut self, now: Moment, claimants: &[Claimant<'_>], sockets: &Sockets) {
        self.has_changed = false;
        self.looked = Some(now);
        self.looked_for = claimants.iter().map(|it| it.process).collect();
        self.find_exact(claimants, sockets);
        self.sort_rows();
        self.release(now, claimants, sockets);
        self.sort_rows();
        let mut free = self.free();
        for claimant in claimants.iter().filter(|it| !it.is_rest) {
            if !self.is_listed(claimant) {
                self.deal(now, claimant, sockets, &mut free);
            }
        }
        for claimant in claimants.iter().filter(|it| it.is_unready && !it.is_rest) {
            if !self.is_listed(claimant) {
                self.count(claimant, sockets, &mut free);
            }
            let sight = self.sight_of(claimant, sockets);
            self.sights.insert(claimant.process, sight);
        }
    }

    /// The rows that are nobody's, by function.
    fn free(&self) -> Free {
        let mut free = Free::new();
        for (key, row) in self.rows.iter().filter(|(_, row)| row.owner.is_none()) {
            let key = Rc::new(key.clone());
            for function in &row.functions {
                free.entry(function.clone()).or_default().insert(Rc::clone(&key));
            }
        }
        free
    }

    fn find_exact(&mut self, claimants: &[Claimant<'_>], sockets: &Sockets) {
        let groups: BTreeMap<i32, ProcessId> = claimants.iter().map(|it| (it.group, it.process)).collect();
        for (key, row) in &mut self.rows {
            let (Some(port), Ok(ip)) = (key.port, key.address.parse::<IpAddr>()) else { continue };
            if matches!(row.owner, Some(Owner::Exact(_))) {
                continue;
            }
            row.looks = row.looks.saturating_add(1);
            let group = sockets.group_at(SocketAddr::new(ip.to_canonical(), port), self.port);
            if let Some(owner) = group.and_then(|group| groups.get(&group)) {
                row.owner = Some(Owner::Exact(*owner));
                self.known.insert(*owner);
                self.has_matched = true;
            }
        }
    }

    /// Takes rows back that were dealt to a process with fewer connections, and those counted for one not ready.
    fn release(&mut self, now: Moment, claimants: &[Claimant<'_>], sockets: &Sockets) {
        let mut doubtful: BTreeSet<Owner> = BTreeSet::new();
        for claimant in claimants {
            let dealt = self.of(claimant.process).filter(|(key, row)| {
                row.owner == Some(Owner::Dealt(claimant.process)) && key.address.parse::<IpAddr>().is_ok()
            });
            if let Some(port) = self.port
                && dealt.count() > sockets.count(claimant.group, port, None)
            {
                doubtful.insert(Owner::Dealt(claimant.process));
            }
            if claimant.is_unready {
                doubtful.insert(Owner::Counted(claimant.process));
            }
        }
        for row in self.rows.values_mut() {
            let is_doubtful = row.owner.is_some_and(|owner| doubtful.contains(&owner));
            if is_doubtful {
                if matches!(row.owner, Some(Owner::Dealt(_))) {
                    // Whoever had it may be gone, and the number of the socket given again before the next answer.
                    row.freed = Some(now);
                }
                row.owner = None;
            }
        }
    }

    /// Gives rows without a port to a process that has none.
    fn deal(&mut self, now: Moment, claimant: &Claimant<'_>, sockets: &Sockets, free: &mut Free) {
        let is_its = |key: &RowKey, row: &Row| {
            let is_new = row.first_seen >= claimant.spawned;
            // The number of its socket was given again, and the server was never asked in between.
            let is_reused = row.freed.is_some_and(|freed| now.since(freed) > STALE);
            key.port.is_none() && (is_new || is_reused) && self.is_from(key, claimant.group, sockets)
        };
        let Some(keys) = self.pick(claimant, free, is_its) else { return };
        let connections = self.port.map_or(usize::MAX, |port| sockets.count(claimant.group, port, None));
        if keys.iter().filter(|key| key.address != UNIX).count() > connections {
            return;
        }
        self.has_matched |= !keys.is_empty();
        self.give(keys, Owner::Dealt(claimant.process), free);
    }

    /// Whether a group has a connection that the server sees from this address.
    fn is_from(&self, key: &RowKey, group: i32, sockets: &Sockets) -> bool {
        let Some(port) = self.port else { return true };
        match key.address.parse::<IpAddr>() {
            Ok(address) => sockets.count(group, port, Some(address.to_canonical())) > 0,
            // A Unix socket, whose other end nobody tells.
            Err(_) if key.address == UNIX => true,
            // The reference's server prints some addresses wrong.
            Err(_) => sockets.count(group, port, None) > 0,
        }
    }

    /// Gives rows from another address to a process that no row fits.
    fn count(&mut self, claimant: &Claimant<'_>, sockets: &Sockets, free: &mut Free) {
        let is_connected = self.is_connected(claimant.group, sockets);
        let new = self.pick(claimant, free, |_, row| row.is_news && row.first_seen >= claimant.spawned);
        if let Some(keys) = new {
            // Where addresses were never what they seem, this is as good as it gets.
            if is_connected && !self.has_matched && !keys.is_empty() {
                self.counted.insert(claimant.process);
            }
            self.give(keys, Owner::Counted(claimant.process), free);
        } else if is_connected && let Some(keys) = self.pick(claimant, free, |_, _| true) {
            self.give(keys, Owner::Counted(claimant.process), free);
        }
    }

    fn is_connected(&self, group: i32, sockets: &Sockets) -> bool {
        self.port.is_some_and(|port| sockets.count(group, port, None) > 0)
    }

    /// Rows that are nobody's and that together have the functions that a process is not listed with yet.
    fn pick(
        &self,
        claimant: &Claimant<'_>,
        free: &Free,
        fits: impl Fn(&RowKey, &Row) -> bool,
    ) -> Option<Vec<RowKey>> {
        let able = self.functions(claimant.process);
        let mut missing: BTreeSet<&str> =
            claimant.functions.iter().map(String::as_str).filter(|it| !able.contains(it)).collect();
        let inside = |row: &Row| row.functions.iter().filter(|it| claimant.functions.contains(it)).count();
        let there: BTreeSet<&RowKey> =
            claimant.functions.iter().filter_map(|it| free.get(it)).flatten().map(Rc::as_ref).collect();
        let mut rows: Vec<(usize, Reverse<usize>, Moment, &RowKey, &Row)> = there
            .into_iter()
            .filter_map(|key| Some((key, self.rows.get(key)?)))
            .filter(|(key, row)| fits(key, row))
            .map(|(key, row)| (inside(row), key, row))
            .map(|(inside, key, row)| {
                (row.functions.len() - inside, Reverse(inside), row.first_seen, key, row)
            })
            .collect();
        rows.sort_unstable_by_key(|(outside, inside, first_seen, key, _)| {
            (*outside, *inside, *first_seen, *key)
        });
        let mut picked = Vec::new();
        for (_, _, _, key, row) in rows {
            let before = missing.len();
            row.functions.iter().for_each(|it| {
                missing.remove(it.as_str());
            });
            if missing.len() < before {
                picked.push(key.clone());
            }
        }
        missing.is_empty().then_some(picked)
    }

    fn give(&mut self, keys: Vec<RowKey>, owner: Owner, free: &mut Free) {
        for key in keys {
            if let Some(row) = self.rows.get_mut(&key) {
                row.owner = Some(owner);
                if !matches!(owner, Owner::Counted(_)) {
                    row.freed = None;
                }
                for function in &row.functions {
                    if let Some(free) = free.get_mut(function) {
                        free.remove(&key);
                    }
                }
                self.owned.entry(owner.process()).or_default().push(key);
            }
        }
    }

    fn sight_of(&self, claimant: &Claimant<'_>, sockets: &Sockets) -> Sight {
        let functions = claimant.functions.join(", ");
        let counted = Some(Owner::Counted(claimant.process));
        if let Some((key, _)) = self.of(claimant.process).find(|(_, row)| row.owner == counted) {
            let from = &key.address;
            return Sight::Likely(format!(
                "{} lists a worker of {functions} from {from} that may be it (hint: servers, ready-within)",
                self.name
            ));
        }
        let able = self.functions(claimant.process);
        let missing: Vec<&str> =
            claimant.functions.iter().map(String::as_str).filter(|it| !able.contains(it)).collect();
        Sight::Unseen(if !able.is_empty() {
            format!("{} lists it without {}", self.name, missing.join(", "))
        } else if sockets.is_hidden(claimant.group) {
            "its connections cannot be seen (hint: run the manager as root)".to_owned()
        } else if self.is_connected(claimant.group, sockets) {
            format!("it is connected to {}, which lists no such worker of {functions}", self.name)
        } else {
            format!("it has no connection to {}", self.name)
        })
    }
}
