//! Gates: what keeps the jobs of a function from being started although workers are there: a pause, a cap,
//! a rate.
//!
//! From: policies; every start and end of a job. To: a gate that is open or shut, and woken workers when it
//! opens (I10). Never: lets more jobs run, or start, than the policy says.

use crate::core::Core;
use crate::event::Event;
use crate::function::FunctionKey;
use crate::ids::Moment;
use crate::line::Gate;
use crate::outbox::Outbox;
use crate::timers::Alarm;

impl Core {
    /// A function has another policy: its gate and its sleeping workers follow, its waiting jobs in portions.
    pub(crate) fn apply_policy(&mut self, function: FunctionKey, out: &mut dyn Outbox) {
        let entry = self.functions.get(function);
        let policy = self.rules.resolve(entry.name().as_bytes());
        if policy.expires != entry.policy.expires {
            self.chores.expiries.ask();
        }
        self.functions.get_mut(function).policy = policy;
        self.set_up_gate(function);
        out.note(Event::PolicyChanged { function: self.functions.name(function) });
        self.wake_all_ready(function, out);
    }

    /// Sets the gate of a function as its policy says.
    pub(crate) fn set_up_gate(&mut self, function: FunctionKey) {
        let policy = &self.functions.get(function).policy;
        let (paused, running_max, rate) = (policy.paused, policy.max_running, policy.rate);
        let before = self.jobs.line(function).gate.rate;
        self.jobs.set_gate(function, |gate| {
            gate.paused = paused;
            gate.running_max = running_max;
        });
        if before != rate {
            if let Some(at) = self.jobs.line(function).gate.rate_opens {
                self.timers.remove_alarm(at, Alarm::Gate(function));
            }
            let now = self.now.moment;
            self.jobs.set_gate(function, |gate| {
                gate.rate = rate;
                gate.rate_opens = None;
                gate.rate_spent = now;
            });
        }
    }

    /// A function is dropped: another may get its key, and finds an open gate.
    pub(crate) fn forget_gate(&mut self, function: FunctionKey) {
        if let Some(at) = self.jobs.line(function).gate.rate_opens {
            self.timers.remove_alarm(at, Alarm::Gate(function));
        }
        self.jobs.set_gate(function, |gate| *gate = Gate::default());
    }

    /// A job of the function was started: the rate may allow the next one only later.
    ///
    /// `rate_spent` is when the starts so far would be paid for at one each interval; a start is allowed
    /// while that is less than the burst ahead.
    pub(crate) fn spend_rate(&mut self, function: FunctionKey) {
        let gate = self.jobs.line(function).gate;
        let Some(rate) = gate.rate else { return };
        let now = self.now.moment;
        let spent = gate.rate_spent.max(now).after(rate.interval);
        let burst = rate.interval.saturating_mul(rate.burst.saturating_sub(1));
        let opens = Moment::new(spent.since_origin().saturating_sub(burst));
        let rate_opens = (opens > now).then_some(opens);
        self.jobs.set_gate(function, |gate| {
            gate.rate_spent = spent;
            gate.rate_opens = rate_opens;
        });
        if let Some(at) = rate_opens {
            self.timers.set_alarm(at, Alarm::Gate(function));
        }
    }

    /// The rate of a function allows a start again.
    pub(crate) fn rate_opens(&mut self, function: FunctionKey, at: Moment, out: &mut dyn Outbox) {
        if self.jobs.line(function).gate.rate_opens != Some(at) {
            return;
        }
        self.jobs.set_gate(function, |gate| gate.rate_opens = None);
        self.wake_if_ready(function, out);
    }

    /// A function of which jobs could not be started may have some for sleeping workers now.
    pub(crate) fn wake_if_ready(&mut self, function: FunctionKey, out: &mut dyn Outbox) {
        if self.jobs.line(function).is_ready() {
            self.wake(function, out);
        }
    }

    /// Many jobs of the function became ready at once.
    fn wake_all_ready(&mut self, function: FunctionKey, out: &mut dyn Outbox) {
        for _ in 0..self.jobs.line(function).room() {
            if !self.wake_one(function, out) {
                break;
            }
        }
    }

    /// Gives queued jobs, a portion of all, the time at which they expire by their policies of now.
    pub(crate) fn time_expiries(&mut self) {
        let Some(from) = self.chores.expiries.at() else { return };
        let (keys, next) = self.jobs.portion(from, self.settings.portion);
        for key in keys {
            // One whose time has come dies when the timers are looked at, which is at once.
            self.follow_expiry(key);
        }
        self.chores.expiries.go_on(next);
    }
}
