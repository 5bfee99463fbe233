//! What people ask for.
//!
//! From: the control socket. To: pools and places. Never: half of a command; what is refused changed nothing.

use super::Planner;
use super::event::Event;
use super::moment::Moment;
use super::pool::Pool;
use super::slot::{Context, Fate, Slot};
use super::state::State;
use crate::config::ProgramName;
use crate::limits::PROCESSES_MAX;
use std::fmt;
use thiserror::Error;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start what does not run; a crash loop is tried again.
    Start(Pick),
    /// Stop, and leave stopped.
    Stop(Pick),
    /// The same, without patience: what is there is killed, jobs or not.
    StopNow(Pick),
    /// Replace processes by new ones, the first one as a canary; start what does not run.
    Restart(Pick),
    /// Change the number of processes.
    Scale {
        /// The program.
        program: String,
        /// To what.
        to: Scale,
    },
    /// Stop all, then end the manager.
    Shutdown,
}

/// Which processes are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// Those of all programs.
    All,
    /// Those of one program.
    Program(String),
    /// The one in this place of a program.
    Place(String, u32),
}

/// A number of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// So many more, or fewer.
    By(i64),
    /// So many.
    To(u32),
    /// As the configuration and autoscaling have it.
    Auto,
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// No such program.
    #[error("there is no program {name:?} (hint: {known})")]
    NoProgram {
        /// The name as given.
        name: String,
        /// The programs that are there.
        known: String,
    },
    /// No such place.
    #[error("{program} has no process {number} (hint: {known})")]
    NoPlace {
        /// The program.
        program: String,
        /// The number as given.
        number: u32,
        /// The numbers that are there.
        known: String,
    },
    /// The number is out of the program's range.
    #[error("{program} cannot have {wanted} processes: {allowed}")]
    OutOfRange {
        /// The program.
        program: String,
        /// The number asked for.
        wanted: i64,
        /// What is allowed.
        allowed: String,
    },
    /// It has to wait for another process.
    #[error(
        "{program}:{number} is not restarted: it, or too many others of its program, are being replaced already \
         (hint: ctl status {program})"
    )]
    Busy {
        /// The program.
        program: String,
        /// The number.
        number: u32,
    },
    /// The manager is about to end.
    #[error("the manager is shutting down")]
    Ending,
}

impl Pick {
    /// Reads `all`, `NAME` or `NAME:NUMBER`.
    ///
    /// A program's name has no colon, so that nothing is ambiguous.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text == "all" {
            return Self::All;
        }
        match text.rsplit_once(':').and_then(|(name, number)| Some((name, number.parse().ok()?))) {
            Some((name, number)) => Self::Place(name.to_owned(), number),
            None => Self::Program(text.to_owned()),
        }
    }
}

impl Pick {
    /// Whether this place of a program is meant.
    #[must_use]
    pub fn is_meant(&self, program: &str, place: u32) -> bool {
        match self {
            Self::All => true,
            Self::Program(name) => name == program,
            Self::Place(name, number) => name == program && *number == place,
        }
    }
}

impl Scale {
    /// Reads `+2`, `-1`, `=8`, `8` or `auto`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "auto" {
            return Some(Self::Auto);
        }
        let number =
            |digits: &str| digits.bytes().all(|it| it.is_ascii_digit()).then(|| digits.parse().ok())?;
        match text.split_at_checked(1)? {
            ("+", digits) => number(digits).map(|by: u32| Self::By(i64::from(by))),
            ("-", digits) => number(digits).map(|by: u32| Self::By(-i64::from(by))),
            ("=", digits) => number(digits).map(Self::To),
            _ => number(text).map(Self::To),
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(by) => write!(f, "{by:+}"),
            Self::To(to) => write!(f, "={to}"),
            Self::Auto => f.write_str("auto"),
        }
    }
}

impl Planner {
    /// Carries a command out, and says what is under way.
    ///
    /// # Errors
    /// When it names nothing that is there, or a number out of its range; nothing changed then.
    pub fn handle_command(&mut self, now: Moment, command: &Command) -> Result<String, CommandError> {
        let is_end = matches!(command, Command::Shutdown | Command::StopNow(_));
        if self.is_ending() && !is_end {
            return Err(CommandError::Ending);
        }
        let done = match command {
            Command::Start(pick) => self.for_each(now, pick, "started", start)?,
            Command::Stop(pick) => self.for_each(now, pick, "told to stop", stop)?,
            Command::StopNow(pick) => self.stop_now(now, pick)?,
            Command::Restart(pick) => self.restart(now, pick)?,
            Command::Scale { program, to } => self.scale(program, *to)?,
            Command::Shutdown => {
                self.handle_shutdown(now, "asked for by ctl");
                "shutting down".to_owned()
            }
        };
        self.advance(now);
        Ok(done)
    }

    fn pool(&mut self, name: &str) -> Result<&mut Pool, CommandError> {
        if self.pools.get(name).is_none_or(|pool| pool.is_removed) {
            let names: Vec<&str> = self.pools.keys().map(ProgramName::as_str).collect();
            let known = match names.as_slice() {
                [] => "there are none".to_owned(),
                names => format!("there are {}", names.join(", ")),
            };
            return Err(CommandError::NoProgram { name: name.to_owned(), known });
        }
        self.pools.get_mut(name).ok_or(CommandError::Ending)
    }

    /// Does something to each place that is meant.
    fn for_each(
        &mut self,
        now: Moment,
        pick: &Pick,
        what: &str,
        act: fn(&mut Context<'_>, &mut Slot),
    ) -> Result<String, CommandError> {
        let is_start = what == "started";
        let names: Vec<String> = match pick {
            Pick::All => {
                self.pools.values().filter(|it| !it.is_removed).map(|it| it.name.to_string()).collect()
            }
            Pick::Program(name) | Pick::Place(name, _) => vec![name.clone()],
        };
        for name in &names {
            self.pool(name)?;
            let (floor, pools) = (&mut self.floor, &mut self.pools);
            let Some(pool) = pools.get_mut(name.as_str()) else { continue };
            match pick {
                Pick::All | Pick::Program(_) => {
                    pool.is_up = is_start;
                    pool.was_ready &= is_start;
                    let (mut cx, slots) = pool.split(now, floor);
                    slots.values_mut().filter(|it| it.fate != Fate::Remove).for_each(|it| act(&mut cx, it));
                }
                Pick::Place(_, number) => {
                    check_place(pool, *number)?;
                    if is_start && !pool.is_up {
                        // One place of a program that is stopped: the others stay as they are.
                        pool.is_up = true;
                        pool.slots
                            .values_mut()
                            .filter(|it| it.fate == Fate::Keep)
                            .for_each(|it| it.fate = Fate::Stopped);
                    }
                    let (mut cx, slots) = pool.split(now, floor);
                    if let Some(slot) = slots.get_mut(number) {
                        act(&mut cx, slot);
                    }
                }
            }
        }
        Ok(describe(pick, what))
    }

    /// Stops, and waits no longer for whatever leaves: in these places, in such that are to be no more, and what is
    /// left of groups and of programs.
    fn stop_now(&mut self, now: Moment, pick: &Pick) -> Result<String, CommandError> {
        let stopped = self.for_each(now, pick, "killed", stop);
        let is_any = self.hurry(now, pick);
        // A program or a place may be no more, while not all of its processes are gone.
        if is_any { Ok(describe(pick, "killed")) } else { stopped }
    }

    /// Waits no longer for what was told to leave; whether there is any.
    pub(crate) fn hurry(&mut self, now: Moment, pick: &Pick) -> bool {
        let places = self.pools.values_mut().flat_map(|pool| {
            let name = &pool.name;
            pool.slots.values_mut().filter(|slot| pick.is_meant(name.as_str(), slot.number))
        });
        let leaves = places.flat_map(Slot::leaves_mut);
        let rests =
            self.floor.remains.values_mut().filter(|rest| pick.is_meant(rest.program.as_str(), rest.slot));
        let mut is_any = false;
        for leave in leaves.chain(rests.map(|rest| &mut rest.leave)) {
            leave.hurry(now);
            is_any = true;
        }
        is_any
    }

    fn restart(&mut self, now: Moment, pick: &Pick) -> Result<String, CommandError> {
        if let Pick::Place(name, number) = pick {
            self.pool(name)?;
            let Some(pool) = self.pools.get_mut(name.as_str()) else { return Err(CommandError::Ending) };
            check_place(pool, *number)?;
            let is_start = |slot: &Slot| slot.state.process().is_none() || slot.is_held();
            if pool.slots.get(number).is_some_and(is_start) {
                return self.for_each(now, pick, "started", start);
            }
            if !pool.begin_replace(now, &mut self.floor, *number, "restart by hand") {
                return Err(CommandError::Busy { program: name.clone(), number: *number });
            }
            return Ok(format!("{name}:{number} is replaced"));
        }
        let names: Vec<String> = match pick {
            Pick::All => self.pools.values().filter(|it| it.is_up).map(|it| it.name.to_string()).collect(),
            Pick::Program(name) | Pick::Place(name, _) => vec![name.clone()],
        };
        for name in &names {
            if !self.pool(name)?.is_up {
                self.for_each(now, &Pick::Program(name.clone()), "started", start)?;
                continue;
            }
            let (floor, pools) = (&mut self.floor, &mut self.pools);
            let Some(pool) = pools.get_mut(name.as_str()) else { continue };
            pool.begin_rollout(now, floor, "asked for by hand");
            let (mut cx, slots) = pool.split(now, floor);
            // Those that were stopped by hand, or did what they were to do, run again.
            let is_empty = |slot: &&mut Slot| matches!(slot.fate, Fate::Stopped | Fate::Over);
            slots.values_mut().filter(is_empty).for_each(|it| start(&mut cx, it));
        }
        Ok(match pick {
            Pick::All => "all programs are restarted, one process after the other".to_owned(),
            Pick::Program(name) | Pick::Place(name, _) => {
                format!("{name} is restarted, one process after the other")
            }
        })
    }

    fn scale(&mut self, program: &str, to: Scale) -> Result<String, CommandError> {
        let pool = self.pool(program)?;
        let processes = pool.program.processes;
        let is_fixed = processes.min == processes.max;
        let before = pool.count;
        let wanted = match to {
            Scale::By(by) => i64::from(before).saturating_add(by),
            Scale::To(to) => i64::from(to),
            Scale::Auto => i64::from(before.clamp(processes.min, processes.max)),
        };
        let (min, max) = if is_fixed { (0, PROCESSES_MAX) } else { (processes.min, processes.max) };
        let count = u32::try_from(wanted).ok().filter(|wanted| (min..=max).contains(wanted));
        let Some(count) = count else {
            let allowed = match is_fixed {
                true => format!("allowed are 0 to {PROCESSES_MAX}"),
                false => format!("its configuration allows {min} to {max}"),
            };
            return Err(CommandError::OutOfRange { program: program.to_owned(), wanted, allowed });
        };
        pool.count = count;
        pool.is_by_hand = to != Scale::Auto;
        pool.scaling.forget();
        let event = Event::Scaled {
            program: program.to_owned(),
            from: before,
            to: count,
            why: format!("by hand ({to})"),
        };
        self.floor.note(event);
        Ok(format!("{program} is to have {count} processes; there were {before}"))
    }
}

fn describe(pick: &Pick, what: &str) -> String {
    match pick {
        Pick::All => format!("all programs are {what}"),
        Pick::Program(name) => format!("{name} is {what}"),
        Pick::Place(name, number) => format!("{name}:{number} is {what}"),
    }
}

fn check_place(pool: &Pool, number: u32) -> Result<(), CommandError> {
    if pool.slots.contains_key(&number) {
        return Ok(());
    }
    let numbers: Vec<String> = pool.slots.keys().map(ToString::to_string).collect();
    let known = match numbers.as_slice() {
        [] => "it has none".to_owned(),
        numbers => format!("it has {}", numbers.join(", ")),
    };
    Err(CommandError::NoPlace { program: pool.name.to_string(), number, known })
}

fn start(cx: &mut Context<'_>, slot: &mut Slot) {
    slot.fate = Fate::Keep;
    match slot.state {
        // Also where one is being given up: the next one is wanted, whatever that one did.
        State::Exited
        | State::CrashLooping
        | State::Backoff { .. }
        | State::Stopping(_)
        | State::Draining(_) => slot.release(cx, "started by hand"),
        State::Starting(_) | State::Running(_) => {}
    }
}

fn stop(cx: &mut Context<'_>, slot: &mut Slot) {
    slot.fate = Fate::Stopped;
    slot.stop(cx, "stopped by hand");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_their_sign() {
        for (text, scale) in [
            ("+2", Some(Scale::By(2))),
            ("-1", Some(Scale::By(-1))),
            ("=8", Some(Scale::To(8))),
            ("8", Some(Scale::To(8))),
            ("auto", Some(Scale::Auto)),
            ("", None),
            ("+", None),
            ("=", None),
            ("+-1", None),
            ("x", None),
            ("99999999999", None),
        ] {
            assert_eq!(Scale::parse(text), scale, "{text}");
        }
    }

    #[test]
    fn one_process_is_named_by_its_number() {
        assert_eq!(Pick::parse("all"), Pick::All);
        assert_eq!(Pick::parse("mail"), Pick::Program("mail".to_owned()));
        assert_eq!(Pick::parse("mail:3"), Pick::Place("mail".to_owned(), 3));
        assert_eq!(Pick::parse("mail:x"), Pick::Program("mail:x".to_owned()));
    }
}
