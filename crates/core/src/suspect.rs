//! Bad workers: one that fails job after job which others then complete gets no more jobs for a while.
//!
//! From: attempts that failed, and completed jobs. To: a suspension, which `grab.rs` and `sleep.rs` respect,
//! and its end. Never: suspects anyone for a job that nobody completes.
//!
//! A worker is known by its client id, else by its address, since it comes back with another connection.

use crate::conn::{Conn, Sleep};
use crate::core::Core;
use crate::event::Event;
use crate::ids::{ConnId, Moment};
use crate::outbox::Outbox;
use crate::timers::Alarm;
use std::collections::{BTreeMap, BTreeSet};

/// How many workers are watched at once; of further ones nothing is remembered.
pub(crate) const SUSPECTS_MAX: usize = 10_000;

/// What is remembered of workers that failed.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    by_identity: BTreeMap<Box<[u8]>, Suspect>,
    /// Who failed a job that is still in the queue.
    by_job: BTreeMap<u64, BTreeSet<Box<[u8]>>>,
    /// Suspensions, by the number of their alarm.
    suspended: BTreeMap<u64, Box<[u8]>>,
    last_suspension: u64,
}

#[derive(Debug, Default)]
struct Suspect {
    /// Jobs it failed since it last completed one.
    failed: BTreeSet<u64>,
    /// How many of them others completed.
    completed_by_others: u32,
    suspended_until: Option<Moment>,
}

/// By what a worker is known again.
pub(crate) fn identity(peer: &Conn) -> &[u8] {
    if peer.client_id.is_empty() { peer.address.as_bytes() } else { &peer.client_id }
}

/// A worker as people are told of it: its address, and its client id where it has one.
pub(crate) fn worker_name(peer: &Conn) -> Vec<u8> {
    if peer.client_id.is_empty() {
        return peer.address.as_bytes().to_vec();
    }
    [peer.address.as_bytes(), b" ", &peer.client_id].concat()
}

impl Suspects {
    pub(crate) fn suspended_until(&self, identity: &[u8]) -> Option<Moment> {
        if self.suspended.is_empty() {
            return None;
        }
        self.by_identity.get(identity)?.suspended_until
    }

    /// Jobs in a row that a worker failed and others completed.
    pub(crate) fn failures(&self, identity: &[u8]) -> u32 {
        self.by_identity.get(identity).map_or(0, |suspect| suspect.completed_by_others)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_identity.len()
    }

    /// Forgets what a worker failed before it completed a job, unless it is suspended.
    fn acquit(&mut self, identity: &[u8]) {
        let Some(suspect) = self.by_identity.get_mut(identity) else { return };
        for number in std::mem::take(&mut suspect.failed) {
            if let Some(who) = self.by_job.get_mut(&number) {
                who.remove(identity);
                if who.is_empty() {
                    self.by_job.remove(&number);
                }
            }
        }
        suspect.completed_by_others = 0;
        if suspect.suspended_until.is_none() {
            self.by_identity.remove(identity);
        }
    }
}

impl Core {
    /// Whether a worker gets no jobs, since it failed too many.
    pub(crate) fn is_suspended(&self, peer: &Conn) -> bool {
        self.suspects.suspended_until(identity(peer)).is_some()
    }

    /// A worker did not finish this job.
    pub(crate) fn suspect(&mut self, worker: ConnId, number: u64) {
        if self.settings.bad_worker_after == 0 {
            return;
        }
        let Some(peer) = self.conns.get(worker) else { return };
        let identity = identity(peer);
        let suspects = &mut self.suspects;
        if !suspects.by_identity.contains_key(identity) {
            if suspects.by_identity.len() >= SUSPECTS_MAX {
                return;
            }
            suspects.by_identity.insert(identity.into(), Suspect::default());
        }
        let Some(suspect) = suspects.by_identity.get_mut(identity) else { return };
        // More are not needed for a verdict, and a job that fails for ever must not fill the memory.
        if suspect.failed.len() < self.settings.bad_worker_after as usize * 2 {
            suspect.failed.insert(number);
            suspects.by_job.entry(number).or_default().insert(identity.into());
        }
    }

    /// A worker completed this job: those who failed it before are the worse for it.
    pub(crate) fn credit(&mut self, worker: ConnId, number: u64, out: &mut dyn Outbox) {
        if self.suspects.by_identity.is_empty() {
            return;
        }
        let Some(peer) = self.conns.get(worker) else { return };
        let completer: Box<[u8]> = identity(peer).into();
        self.suspects.acquit(&completer);
        for identity in self.suspects.by_job.remove(&number).unwrap_or_default() {
            let Some(suspect) = self.suspects.by_identity.get_mut(&identity) else { continue };
            suspect.failed.remove(&number);
            suspect.completed_by_others += 1;
            if suspect.completed_by_others >= self.settings.bad_worker_after {
                self.suspend(&identity, out);
            }
        }
    }

    /// A job is gone, so nobody will complete it.
    pub(crate) fn forget_suspicion(&mut self, number: u64) {
        if self.suspects.by_job.is_empty() {
            return;
        }
        for identity in self.suspects.by_job.remove(&number).unwrap_or_default() {
            let Some(suspect) = self.suspects.by_identity.get_mut(&identity) else { continue };
            suspect.failed.remove(&number);
            let is_clean = suspect.failed.is_empty() && suspect.completed_by_others == 0;
            if is_clean && suspect.suspended_until.is_none() {
                self.suspects.by_identity.remove(&identity);
            }
        }
    }

    fn suspend(&mut self, identity: &[u8], out: &mut dyn Outbox) {
        let until = self.now.moment.after(self.settings.bad_worker_pause);
        let Some(suspect) = self.suspects.by_identity.get_mut(identity) else { return };
        if suspect.suspended_until.is_some() {
            return;
        }
        suspect.suspended_until = Some(until);
        let failures = suspect.completed_by_others;
        self.suspects.last_suspension += 1;
        let serial = self.suspects.last_suspension;
        self.suspects.suspended.insert(serial, identity.into());
        self.timers.set_alarm(until, Alarm::Suspension(serial));
        out.note(Event::Suspended { worker: identity, failures, pause: self.settings.bad_worker_pause });
        // What they were woken for is left to others (I10).
        for conn in self.conns_of(identity) {
            let sleep = self.conns.get(conn).map_or(Sleep::Awake, |peer| peer.sleep);
            if let Sleep::Woken { .. } = sleep {
                self.set_sleep(conn, Sleep::Awake);
                self.wake_instead_of(sleep, out);
            }
        }
    }

    /// A suspension is over: its worker starts anew.
    pub(crate) fn end_suspension(&mut self, serial: u64, out: &mut dyn Outbox) {
        let Some(identity) = self.suspects.suspended.remove(&serial) else { return };
        if let Some(suspect) = self.suspects.by_identity.get_mut(&identity) {
            suspect.suspended_until = None;
        }
        self.suspects.acquit(&identity);
        out.note(Event::Unsuspended { worker: &identity });
        for conn in self.conns_of(&identity) {
            if self.conns.get(conn).is_some_and(|peer| peer.sleep == Sleep::Sleeping) {
                self.pre_sleep(conn, out);
            }
        }
    }

    fn conns_of(&self, wanted: &[u8]) -> Vec<ConnId> {
        self.conns.iter().filter(|(_, peer)| identity(peer) == wanted).map(|(conn, _)| conn).collect()
    }
}
