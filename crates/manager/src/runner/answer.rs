//! Answering requests on the control socket.
//!
//! From: [`super::control`]. To: the planner, and back. Never: half an answer; each request gets its last line.

use super::life::Process;
use super::log::Level;
use super::output::Place;
use super::{Runner, Stream};
use crate::config::{Config, Diff};
use crate::limits::CONTROL_REQUESTS_AT_ONCE;
use crate::planner::{Command, Moment, Pick, PlaceStatus, PoolStatus, ProcessId, ProcessRole, Scale};
use crate::protocol::{ProcessStatus, ProgramStatus, Reply, Request, Status};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

/// A place, and the process in it.
type Picked = (Place, Option<ProcessId>);

impl Runner {
    pub(crate) fn handle_client(&mut self, now: Moment, client: u64) {
        self.control.read(&self.poll, client);
        for _ in 0..CONTROL_REQUESTS_AT_ONCE {
            let Some(request) = self.control.next_request(client) else { return };
            let reply = match request {
                Err(error) => Reply::Refused { error },
                Ok(request) => match self.answer(now, client, request) {
                    Ok(Some(reply)) => reply,
                    Ok(None) => continue,
                    Err(error) => Reply::Refused { error },
                },
            };
            self.control.send(client, &reply);
        }
    }

    /// The last reply to a request; `None` where replies go on.
    fn answer(&mut self, now: Moment, client: u64, request: Request) -> Result<Option<Reply>, String> {
        let command = match request {
            Request::Status => return Ok(Some(Reply::Status(Box::new(self.status(now))))),
            Request::Tail { what, lines, follow } => return self.tail(client, &what, lines, follow),
            Request::Reread => return self.reread().map(|(text, _)| Some(Reply::Done { text })),
            Request::Update => return self.update(now).map(|text| Some(Reply::Done { text })),
            Request::Start { what } => Command::Start(Pick::parse(&what)),
            Request::Stop { what, now: false } => Command::Stop(Pick::parse(&what)),
            Request::Stop { what, now: true } => Command::StopNow(Pick::parse(&what)),
            Request::Signal { what, signal } => {
                return self.signal(&what, &signal).map(|text| Some(Reply::Done { text }));
            }
            Request::Restart { what } => Command::Restart(Pick::parse(&what)),
            Request::Scale { program, to } => {
                let to = Scale::parse(&to).ok_or_else(|| format!("{to:?} is none of +2, -1, =8 and auto"))?;
                Command::Scale { program, to }
            }
            Request::Shutdown => {
                self.systemd.tell("STOPPING=1");
                Command::Shutdown
            }
        };
        let text = self.planner.handle_command(now, &command).map_err(|error| error.to_string())?;
        self.log.say(Level::Info, &format!("ctl: {text}"));
        // Also where nothing is to be done for it.
        self.record_wishes();
        Ok(Some(Reply::Done { text }))
    }

    fn tail(&mut self, client: u64, what: &str, lines: usize, follow: bool) -> Result<Option<Reply>, String> {
        let (pick, places) = self.picked(what)?;
        for (place, _) in places {
            for (stream, line) in self.outputs.last(&place, lines) {
                self.control.send(client, &line_of(&place, stream, line));
            }
        }
        if follow {
            self.control.follow(client, pick);
            self.outputs.has_followers = true;
            return Ok(None);
        }
        Ok(Some(Reply::Done { text: String::new() }))
    }

    /// The places that are meant, each with its process, where it has one.
    fn picked(&self, what: &str) -> Result<(Pick, Vec<Picked>), String> {
        let pick = Pick::parse(what);
        let pools = self.planner.status();
        let place = |pool: &PoolStatus, place: &PlaceStatus| {
            let main = place.processes.iter().find(|(_, role)| *role == ProcessRole::Main);
            ((pool.program.clone(), place.number), main.map(|(process, _)| *process))
        };
        let places: Vec<Picked> = pools
            .iter()
            .flat_map(|pool| pool.places.iter().map(|it| place(pool, it)))
            .filter(|(place, _)| pick.is_meant(&place.0, place.1))
            .collect();
        let is_known = match &pick {
            Pick::All => true,
            Pick::Program(name) => pools.iter().any(|pool| pool.program == *name),
            Pick::Place(..) => !places.is_empty(),
        };
        if !is_known {
            let names: Vec<&str> = pools.iter().map(|pool| pool.program.as_str()).collect();
            return Err(format!("there is no {what:?} (hint: there are {})", names.join(", ")));
        }
        Ok((pick, places))
    }

    /// Sends a signal; what becomes of it is for the process to know.
    fn signal(&mut self, what: &str, signal: &str) -> Result<String, String> {
        let name = signal.to_ascii_uppercase();
        let name = format!("SIG{}", name.trim_start_matches("SIG"));
        let signal: Signal =
            name.parse().map_err(|_| format!("{signal:?} is no signal (hint: HUP, USR1)"))?;
        let (_, places) = self.picked(what)?;
        let mut sent = 0_usize;
        for process in places.into_iter().filter_map(|(_, process)| process) {
            let Some(facts) = self.processes.get(&process).filter(|facts| !facts.has_ended()) else {
                continue;
            };
            facts
                .send(signal, false)
                .map_err(|error| format!("cannot send {signal} to pid {}: {}", facts.pid, error.desc()))?;
            sent += 1;
        }
        if sent == 0 {
            return Err(format!("{what} has no process"));
        }
        let text = format!("{signal} is sent to {what}, {sent} in all");
        self.log.say(Level::Info, &format!("ctl: {text}"));
        Ok(text)
    }

    /// Hands new lines to those who follow.
    pub(crate) fn tell_followers(&mut self) {
        if !self.outputs.has_followers {
            return;
        }
        let followers = self.control.followers();
        self.outputs.has_followers = !followers.is_empty();
        for followed in std::mem::take(&mut self.outputs.followed) {
            for (client, pick) in &followers {
                if pick.is_meant(&followed.place.0, followed.place.1) {
                    let reply = line_of(&followed.place, followed.stream, followed.line.clone());
                    self.control.send(*client, &reply);
                }
            }
        }
    }

    /// What the file would change.
    fn reread(&mut self) -> Result<(String, Config), String> {
        let new = (self.reread)()?;
        Ok((describe(&self.config.diff(&new)), new))
    }

    /// Takes the configuration file over.
    pub(crate) fn update(&mut self, now: Moment) -> Result<String, String> {
        if self.planner.is_ending() {
            return Err("the manager is shutting down".to_owned());
        }
        self.systemd.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_usec()));
        let updated = self.reread().map(|(text, new)| {
            let before = std::mem::replace(&mut self.config, new);
            let config = self.config.clone();
            self.configure();
            self.observe(now);
            self.record_patience(&before);
            self.planner.handle_config(now, &config);
            let pools = self.planner.status().into_iter();
            let places: BTreeSet<Place> = pools
                .flat_map(|pool| pool.places.into_iter().map(move |it| (pool.program.clone(), it.number)))
                .collect();
            self.outputs.retain(|place| places.contains(place));
            text
        });
        self.systemd.tell("READY=1");
        updated
    }

    fn status(&mut self, now: Moment) -> Status {
        // Figures of now, unless they were taken a moment ago.
        if self.processes.values().any(|it| it.sample.is_none_or(|it| now.since(it.at).as_millis() > 500)) {
            self.sample(now);
        }
        let pools = self.planner.status();
        Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            is_ending: self.planner.is_ending(),
            servers: self.server_states(),
            programs: pools.into_iter().map(|pool| self.program_status(now, pool)).collect(),
        }
    }

    fn program_status(&self, now: Moment, pool: PoolStatus) -> ProgramStatus {
        let process = |place: &PlaceStatus| self.process_status(now, &pool.program, place);
        ProgramStatus {
            processes: pool.places.iter().map(process).collect(),
            wanted: if pool.is_up { pool.wanted } else { 0 },
            by_hand: pool.is_by_hand,
            restart: pool.rollout,
            program: pool.program,
        }
    }

    fn process_status(&self, now: Moment, program: &str, place: &PlaceStatus) -> ProcessStatus {
        let since = now.since(place.since);
        let mut status = ProcessStatus {
            process: format!("{program}:{}", place.number),
            state: place.state.to_owned(),
            since_seconds: since.as_secs_f64(),
            since: u64::try_from(unix_now().saturating_sub(since.as_millis())).unwrap_or_default(),
            why: place.why.clone(),
            next_in_seconds: place.until.map(|until| until.since(now).as_secs_f64()),
            restarts: place.restarts,
            last_exit: place.last_end.clone(),
            ..ProcessStatus::default()
        };
        for (process, role) in &place.processes {
            let Some(facts) = self.processes.get(process) else { continue };
            match role {
                ProcessRole::Main => self.describe_process(now, *process, facts, &mut status),
                ProcessRole::Successor => status.beside = Some(format!("successor {}", facts.pid)),
                ProcessRole::Predecessor => status.beside = Some(format!("predecessor {}", facts.pid)),
            }
        }
        if place.state == "crash-looping" {
            let last = self.outputs.last(&(program.to_owned(), place.number), 10);
            status.last_lines = last.into_iter().map(|(_, line)| line).collect();
        }
        status
    }

    fn describe_process(&self, now: Moment, process: ProcessId, facts: &Process, status: &mut ProcessStatus) {
        let (functions, jobs) = self.matching.of(process);
        status.functions = functions.into_iter().map(str::to_owned).collect();
        status.jobs = jobs;
        status.pid = Some(facts.pid);
        status.uptime_seconds = Some(now.since(facts.spawned).as_secs_f64());
        if let Some(sample) = &facts.sample {
            status.cpu_percent = Some((sample.cpu_part * 1000.0).round() / 10.0);
            status.memory_bytes = Some(sample.memory);
        }
    }
}

fn line_of(place: &Place, stream: Stream, line: String) -> Reply {
    Reply::Line { process: format!("{}:{}", place.0, place.1), stream, line }
}

/// What changes, a line each.
fn describe(diff: &Diff) -> String {
    let mut lines = Vec::new();
    for key in &diff.manager {
        let when = if *key == "servers" { "changes" } else { "changes with the next start of the manager" };
        lines.push(format!("{key} {when}"));
    }
    lines.extend(diff.added.iter().map(|name| format!("{name} is new")));
    lines.extend(diff.removed.iter().map(|name| format!("{name} is gone: its processes end")));
    for (name, change) in &diff.changed {
        let keys = |keys: &[&str]| keys.join(", ");
        if !change.live.is_empty() {
            lines.push(format!("{name} changes without a restart: {}", keys(&change.live)));
        }
        if change.needs_restart() {
            lines
                .push(format!("{name} is restarted, one process after the other: {}", keys(&change.restart)));
        }
    }
    if lines.is_empty() { "nothing changes".to_owned() } else { lines.join("\n") }
}

fn unix_now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis())
}

/// The clock that systemd compares with, in microseconds.
fn monotonic_usec() -> u128 {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(std::time::Duration::from).unwrap_or_default().as_micros()
}
