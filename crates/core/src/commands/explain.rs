//! The command `explain`: why a job or a function does not move, and when it will.
//!
//! From: `commands.rs`. To: findings, each with its figures, the decisive one first.
//! Never: guesses: what it would have to look at for too long it calls "at least".

mod able;
mod near;
mod place;
mod words;

use super::{Reply, Rows};
use crate::core::Core;
use crate::function::FunctionKey;
use crate::job::{Job, JobKey, Kept, Running, State};
use crate::persist::Shelf;
use crate::suspect::worker_name;
use crate::timers::{Alarm, Due};
use able::Survey;
use geartrain_proto::command::{Bytes, CommandError, Explain, Explanation, Finding};
use geartrain_proto::{Function, Handle, Priority};
use near::nearest;
use words::{count, quote, span, verb};

/// How many timers are looked at for the first one of a function.
const TIMERS_MAX: usize = 20_000;

/// A finding.
fn finding(reason: &str, text: impl Into<String>) -> Finding {
    Finding { reason: reason.to_owned(), text: text.into() }
}

/// Whether a blocker stays until somebody does something, or workers are pardoned.
fn is_lasting(finding: &Finding) -> bool {
    matches!(finding.reason.as_str(), "not-assigning" | "paused" | "no-worker" | "suspended")
}

/// What keeps the jobs of a function from being started.
struct Blockers {
    findings: Vec<Finding>,
    /// Whether one of them stays until a person or a worker does something.
    lasting: bool,
}

impl Blockers {
    /// Whether there is one, of this name, and no other.
    fn are_only(&self, reason: &str) -> bool {
        matches!(self.findings.as_slice(), [only] if only.reason == reason)
    }
}

impl Core {
    pub(crate) fn explain(&self, arguments: &Explain) -> Result<Reply, CommandError> {
        let explanation = match (&arguments.handle, &arguments.function) {
            (Some(handle), None) => self.explain_handle(handle),
            (None, Some(function)) => self.explain_function(function),
            (Some(_), Some(_)) | (None, None) => {
                return Err(CommandError::new("explain takes a handle or a function, exactly one of both"));
            }
        };
        Ok(Rows::one(&explanation))
    }

    fn explain_handle(&self, handle: &Bytes) -> Explanation {
        let number = self.handles.number(Handle::new(handle.as_bytes()));
        let mut explanation = match number.and_then(|number| self.jobs.find(number)) {
            Some(key) => self.explain_job(key),
            None => self.explain_absent(number),
        };
        explanation.handle = Some(handle.clone());
        explanation
    }

    fn explain_job(&self, key: JobKey) -> Explanation {
        let job = self.jobs.get(key);
        let mut explanation = self.begin(job.function());
        let mut findings = Vec::new();
        match job.state() {
            State::Running(running) => findings.push(self.explain_running(job, running)),
            State::Delayed { .. } | State::Paused { .. } => {
                let wait = job.wait(self.now);
                findings.push(self.explain_delay(job, wait));
                let blockers = self.blockers(job.function());
                explanation.starts_in_ms = self.starts_after_delay(job, wait, &blockers);
                if blockers.lasting {
                    // What is only in the way for now may be gone when its time has come.
                    findings.extend(blockers.findings.into_iter().filter(is_lasting));
                }
            }
            State::Queued { .. } => {
                let place = self.place_of(key);
                let blockers = self.blockers(job.function());
                let is_next = place.exactly() == Some(0) && blockers.findings.is_empty();
                explanation.ahead = place.exactly();
                explanation.starts_in_ms =
                    if is_next { Some(0) } else { self.starts_in(job, place, &blockers) };
                findings.extend(blockers.findings);
                findings.push(self.explain_place(job, place, !blockers.lasting));
            }
        }
        if job.kept() == Kept::Writing {
            let text = "its record is not on disk yet: its client has no answer, but it may run all the same";
            findings.push(finding("not-written", text));
        }
        explanation.findings = findings;
        explanation
    }

    fn explain_function(&self, name: &Bytes) -> Explanation {
        let Some(function) = self.functions.find(Function::new(name.as_bytes())) else {
            let mut text = format!(
                "no function {} is known: none of its jobs waits or runs, and no worker was able to do it since \
                 the server started",
                quote(name.as_bytes())
            );
            let names = self.functions.iter().map(|(key, _)| self.functions.name(key).as_bytes());
            if let Some(near) = nearest(name.as_bytes(), names) {
                text.push_str(&format!(" (hint: is {} meant?)", quote(near)));
            }
            let findings = vec![finding("unknown", text)];
            return Explanation { function: name.clone(), findings, ..Explanation::default() };
        };
        let mut explanation = self.begin(function);
        let line = self.jobs.line(function);
        let findings = &mut explanation.findings;
        if line.queued() > 0 {
            let blockers = self.blockers(function);
            let reason = if blockers.findings.is_empty() { "next" } else { "queue" };
            let queue = finding(reason, self.describe_queue(function, &blockers));
            findings.extend(blockers.findings);
            findings.push(queue);
        } else {
            findings.extend(self.lasting_blockers(function));
        }
        let delayed = line.total() - line.queued() - line.running();
        if delayed > 0 {
            findings.push(finding("delayed", self.describe_delayed(function, delayed)));
        }
        if line.queued() == 0 && delayed == 0 {
            let text = format!("none of its jobs waits, {} run", line.running());
            // Nothing has to move, whatever would be in the way.
            findings.insert(0, finding("idle", text));
        }
        if self.functions.get(function).policy.draining {
            findings.push(finding(
                "draining",
                "it is being drained: its jobs run dry, and no new ones are taken",
            ));
        }
        if !self.writing.is_ready() {
            let text = "the store takes no changes: background jobs are refused (hint: see the server's log)";
            findings.push(finding("store", text));
        }
        explanation
    }

    /// An explanation that has the figures of the function and no findings.
    fn begin(&self, function: FunctionKey) -> Explanation {
        Explanation {
            function: Bytes::from(self.functions.name(function).as_bytes()),
            served_per_minute: self.served_per_minute(function),
            ..Explanation::default()
        }
    }

    fn explain_absent(&self, number: Option<u64>) -> Explanation {
        let Some(number) = number else {
            let prefix = &self.settings.handle_prefix;
            let text = format!("it is no handle of this server: these are {prefix}:NUMBER");
            return Explanation { findings: vec![finding("unknown", text)], ..Explanation::default() };
        };
        for (shelf, reason) in [(Shelf::Dead, "dead"), (Shelf::Finished, "finished")] {
            let Some(letter) = self.archive.shelf(shelf).get(number) else { continue };
            let ago = span(self.now.unix.since(letter.ended));
            let text = match shelf {
                Shelf::Dead => {
                    let error = self.archive.groups().get(&letter.group).map_or(&[][..], |it| &it.error);
                    let error = if error.is_empty() { String::new() } else { format!(" {}", quote(error)) };
                    format!(
                        "it is a dead letter for {ago}: {}{error}, group {} (hint: dead show, dead requeue)",
                        letter.how.name(),
                        letter.group
                    )
                }
                Shelf::Finished => format!("it ended {ago} ago: {}", letter.how.name()),
            };
            let function = Bytes::from(&*letter.function);
            return Explanation { function, findings: vec![finding(reason, text)], ..Explanation::default() };
        }
        let text = if self.writing.was_given(number) {
            "the job ended, or was never accepted: it neither waits nor runs, and is not kept"
        } else {
            "no job was given this handle yet"
        };
        Explanation { findings: vec![finding("unknown", text)], ..Explanation::default() }
    }

    fn explain_running(&self, job: &Job, running: &Running) -> Finding {
        let worker = self.conns.get(running.worker).map_or_else(Vec::new, worker_name);
        let mut text = format!(
            "it runs on worker {} for {}, attempt {}",
            quote(&worker),
            span(self.now.moment.since(running.started.moment)),
            self.attempt_of(job)
        );
        if running.denominator > 0 {
            text.push_str(&format!(", {} of {} done", running.numerator, running.denominator));
        }
        match running.deadline {
            Some(deadline) => {
                text.push_str(&format!(
                    ", and is taken from it in {}",
                    span(deadline.since(self.now.moment))
                ));
            }
            None => text.push_str(", without a time limit"),
        }
        finding("running", text)
    }

    fn explain_delay(&self, job: &Job, wait: std::time::Duration) -> Finding {
        if job.attempts() == 0 {
            return finding("delayed", format!("it waits for its time, which is in {}", span(wait)));
        }
        let last = job
            .last_outcome()
            .map_or_else(String::new, |how| format!(": the last one ended as {}", how.name()));
        let text = format!("it waits {} more before attempt {}{last}", span(wait), self.attempt_of(job));
        finding("retry-pause", text)
    }

    /// The number of the attempt that runs or comes next, and how many there may be.
    fn attempt_of(&self, job: &Job) -> String {
        let attempt = job.attempts().saturating_add(1);
        match self.functions.get(job.function()).policy.attempts {
            0 => attempt.to_string(),
            max => format!("{attempt} of {max}"),
        }
    }

    /// What is in the way of a function and stays until somebody does something.
    fn lasting_blockers(&self, function: FunctionKey) -> Vec<Finding> {
        let entry = self.functions.get(function);
        let mut findings = Vec::new();
        if !self.assigning {
            findings.push(finding("not-assigning", "the server is being shut down and starts no jobs"));
        }
        if entry.policy.paused {
            findings.push(finding("paused", "its function is paused (hint: resume it)"));
        }
        if entry.workers == 0 {
            let text = match entry.last_worker_left {
                Some(left) => {
                    format!(
                        "no worker is able to do it: the last one left {} ago",
                        span(self.now.unix.since(left))
                    )
                }
                None => "no worker is able to do it, and none was since the server started".to_owned(),
            };
            findings.push(finding("no-worker", text));
        }
        findings
    }

    /// All that is in the way of the jobs of a function that wait for a worker.
    fn blockers(&self, function: FunctionKey) -> Blockers {
        let mut findings = self.lasting_blockers(function);
        let mut lasting = !findings.is_empty();
        let line = self.jobs.line(function);
        if let Some(max) = line.gate.running_max.filter(|max| line.running() >= *max) {
            let running = line.running();
            let text = format!(
                "{} {}, which is as many as max-running {max} allows",
                count(running, "job"),
                verb(running, "runs", "run")
            );
            findings.push(finding("max-running", text));
        }
        if let (Some(rate), Some(opens)) = (line.gate.rate, line.gate.rate_opens) {
            let text = format!(
                "its rate is used up, one job every {}: the next may start in {}",
                span(rate.interval),
                span(opens.since(self.now.moment))
            );
            findings.push(finding("rate", text));
        }
        if self.functions.get(function).workers > 0 {
            let survey = Survey::new(self, function);
            lasting |= survey.are_all_suspended();
            survey.tell(self, &mut findings);
        }
        Blockers { findings, lasting }
    }

    fn describe_queue(&self, function: FunctionKey, blockers: &Blockers) -> String {
        let line = self.jobs.line(function);
        let [high, normal, low] = Priority::ALL.map(|priority| line.queue(priority).len);
        let mut text = format!(
            "{} for a worker ({high} high, {normal} normal, {low} low), {} run",
            if line.queued() == 1 {
                "1 job waits".to_owned()
            } else {
                format!("{} jobs wait", line.queued())
            },
            line.running()
        );
        let last = u64::from(line.queued()).saturating_sub(1);
        if let Some(time) = self.time_to_start(function, last, blockers) {
            let by = match self.rate_allows_in(function, last) {
                Some(by_rate) if by_rate == time => "by its rate",
                Some(_) | None => "at the pace of the last minute",
            };
            text.push_str(&format!("; {by} they are started within {}", span(time)));
        }
        text
    }

    fn describe_delayed(&self, function: FunctionKey, delayed: u32) -> String {
        let wait = |number: u64| {
            let job = self.jobs.find(number).map(|key| self.jobs.get(key))?;
            let is_meant = job.function() == function
                && matches!(job.state(), State::Delayed { .. } | State::Paused { .. });
            is_meant.then(|| job.wait(self.now))
        };
        let by_calendar = self.timers.calendar().iter().take(TIMERS_MAX).find_map(|(_, due)| {
            let Due::Job(number) = due else { return None };
            wait(number)
        });
        let by_pause = self.timers.alarms().iter().take(TIMERS_MAX).find_map(|(_, alarm)| {
            let Alarm::Pause(number) = alarm else { return None };
            wait(*number)
        });
        let first = [by_calendar, by_pause].into_iter().flatten().min();
        let waiting = if delayed == 1 {
            "1 job waits for its time".to_owned()
        } else {
            format!("{delayed} jobs wait for their time")
        };
        match first {
            Some(wait) => format!("{waiting}, the first for {} more", span(wait)),
            None => waiting,
        }
    }
}
