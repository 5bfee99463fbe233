//! Abilities: what a worker says it is able to do, and takes back.
//!
//! From: `CAN_DO`, `CAN_DO_TIMEOUT`, `CANT_DO`, `RESET_ABILITIES`; the ends of connections.
//! To: silence, as in the reference; a `NOOP` where a sleeping worker became able to do a waiting job; jobs
//! given back where a worker is no longer able to do what it runs.

use crate::conn::Sleep;
use crate::core::Core;
use crate::function::FunctionKey;
use crate::ids::ConnId;
use crate::job::JobKey;
use crate::outbox::Outbox;
use crate::persist::Outcome;
use geartrain_proto::{ClientId, ErrorCode, Function, Response, limits::CLIENT_ID_BYTES_MAX};
use std::time::Duration;

/// Shortest time limit of `CAN_DO_TIMEOUT`; a shorter one is raised to it, as in the reference.
const TIMEOUT_MIN: Duration = Duration::from_secs(1);

impl Core {
    /// Registers a function; registering it again moves it to the front and changes its time limit.
    pub(crate) fn can_do(&mut self, conn: ConnId, name: Function<'_>, timeout_ms: u64, out: &mut dyn Outbox) {
        let Some(function) = self.function_for(name) else {
            return Self::refuse(conn, ErrorCode::QueueError, "too many functions", out);
        };
        let timeout = (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms).max(TIMEOUT_MIN));
        let Some(peer) = self.conns.get_mut(conn) else { return };
        if let Some(ability) = peer.ability_mut(function, &self.hash) {
            ability.timeout = timeout;
            return peer.rank_first(function, &self.hash);
        }
        if peer.abilities().len() >= self.settings.limits.abilities_max {
            return Self::refuse(conn, ErrorCode::QueueError, "too many abilities of one worker", out);
        }
        peer.add_ability(function, timeout, &self.hash);
        let sleeps = peer.sleep == Sleep::Sleeping;
        self.functions.get_mut(function).workers += 1;
        if sleeps {
            // The reference lets a worker sleep on that becomes able to do a waiting job.
            self.pre_sleep(conn, out);
        }
    }

    pub(crate) fn cant_do(&mut self, conn: ConnId, name: Function<'_>, out: &mut dyn Outbox) {
        let Some(function) = self.functions.find(name) else { return };
        let Some(peer) = self.conns.get_mut(conn) else { return };
        if !peer.remove_ability(function, &self.hash) {
            return;
        }
        self.remove_worker(function);
        self.give_back_all(conn, Some(function), out);
        self.wake_for_unable(conn, Some(function), out);
    }

    pub(crate) fn reset_abilities(&mut self, conn: ConnId, out: &mut dyn Outbox) {
        let Some(peer) = self.conns.get_mut(conn) else { return };
        for ability in peer.take_abilities() {
            self.remove_worker(ability.function);
        }
        self.give_back_all(conn, None, out);
        self.wake_for_unable(conn, None, out);
    }

    /// A worker that was woken for a function and is no longer able to do it leaves the job to another.
    fn wake_for_unable(&mut self, conn: ConnId, lost: Option<FunctionKey>, out: &mut dyn Outbox) {
        let Some(sleep) = self.conns.get(conn).map(|peer| peer.sleep) else { return };
        if let Sleep::Woken { function, .. } = sleep
            && lost.is_none_or(|lost| lost == function)
        {
            self.wake_instead_of(sleep, out);
        }
    }

    /// Takes from a worker the jobs of one function, or all, in the order in which they were submitted.
    fn give_back_all(&mut self, conn: ConnId, of: Option<FunctionKey>, out: &mut dyn Outbox) {
        let Some(peer) = self.conns.get(conn) else { return };
        let lost = |key: &&JobKey| of.is_none_or(|function| self.jobs.get(**key).function() == function);
        let mut keys: Vec<JobKey> = peer.running.iter().filter(lost).copied().collect();
        keys.sort_by_key(|key| self.order_back(*key));
        for key in keys {
            self.attempt_failed(key, Outcome::Unable, b"", out);
        }
    }

    pub(crate) fn set_client_id(&mut self, conn: ConnId, id: ClientId<'_>, out: &mut dyn Outbox) {
        let Some(peer) = self.conns.get_mut(conn) else { return };
        let kept = id.as_bytes().get(..CLIENT_ID_BYTES_MAX).unwrap_or(id.as_bytes());
        peer.client_id = kept.into();
        let sleep = peer.sleep;
        if matches!(sleep, Sleep::Woken { .. })
            && self.conns.get(conn).is_some_and(|it| self.is_suspended(it))
        {
            // Under its other name it gets no jobs: what it was woken for is left to others (I10).
            self.set_sleep(conn, Sleep::Awake);
            return self.wake_instead_of(sleep, out);
        }
        let Some(peer) = self.conns.get(conn) else { return };
        if peer.sleep == Sleep::Sleeping && self.suspects.len() > 0 {
            // Under its other name it may have been passed over when a worker was woken (I10).
            self.pre_sleep(conn, out);
        }
    }

    /// `OPTION_REQ`: there is one option, `exceptions`, in any case; it is echoed as it was sent.
    pub(crate) fn option(&mut self, conn: ConnId, name: &[u8], out: &mut dyn Outbox) {
        if !name.eq_ignore_ascii_case(b"exceptions") {
            let text = "Server does not recognize given option";
            return Self::refuse(conn, ErrorCode::UnknownOption, text, out);
        }
        if let Some(peer) = self.conns.get_mut(conn) {
            peer.exceptions = true;
        }
        out.send(conn, Response::Option { name });
    }
}
