//! The Gearman job queue as a deterministic state machine: typed requests and the time go in, packets,
//! durable changes and events come out. No IO, no clock, no randomness.
//!
//! ```
//! use geartrain_core::{Answer, Core, Event, Now, Op, Outbox, ConnId, Settings, Ticket, Wanted};
//! use geartrain_proto::{Function, GrabKind, Priority, Request, Response, Submit, SubmitMode, Unique};
//!
//! /// Collects the kinds of packets that are sent.
//! #[derive(Default)]
//! struct Sent(Vec<(ConnId, &'static str)>);
//!
//! impl Outbox for Sent {
//!     fn send(&mut self, conn: ConnId, response: Response<'_>) {
//!         self.0.push((conn, response.kind().name()));
//!     }
//!     fn hold(&mut self, _: ConnId, _: Ticket, _: Answer<'_>) {}
//!     fn release(&mut self, _: ConnId, _: Ticket) {}
//!     fn replace(&mut self, _: ConnId, _: Ticket, _: Answer<'_>) {}
//!     fn text(&mut self, _: ConnId, _: &[u8]) {}
//!     fn persist(&mut self, _: Ticket, _: Op<'_>) {}
//!     fn read(&mut self, _: Ticket, _: Wanted, _: &[u64]) {}
//!     fn close(&mut self, _: ConnId) {}
//!     fn note(&mut self, _: Event<'_>) {}
//! }
//!
//! let mut core = Core::new(Settings::default())?;
//! let (mut sent, now) = (Sent::default(), Now::default());
//! let client = core.handle_connected(3, "127.0.0.1");
//! let worker = core.handle_connected(4, "127.0.0.1");
//! let function = Function::from("reverse");
//! let job = Submit {
//!     function,
//!     unique: Unique::from(""),
//!     priority: Priority::Normal,
//!     mode: SubmitMode::Foreground,
//!     reducer: None,
//!     workload: b"hello",
//! };
//! core.handle_request(now, client, &Request::Submit(job), &mut sent);
//! core.handle_request(now, worker, &Request::CanDo { function }, &mut sent);
//! core.handle_request(now, worker, &Request::Grab(GrabKind::Plain), &mut sent);
//! assert_eq!(sent.0, [(client, "JOB_CREATED"), (worker, "JOB_ASSIGN")]);
//! # Ok::<(), geartrain_core::SettingsError>(())
//! ```
//!
//! The way of a job: `submit.rs` takes it and `job.rs` puts it into the line of its function; `sleep.rs`
//! wakes a worker, `grab.rs` gives it the job, `work.rs` relays what the worker reports until the job ends.
//! `abilities.rs` gives a job back when its worker is lost, `timers.rs` does what is due, `durable.rs`
//! hands records to a store and holds answers until they are written.

mod abilities;
mod admin;
mod archive;
mod backlog;
mod blur;
mod calendar;
mod check;
mod chores;
mod commands;
mod conn;
mod core;
mod durable;
mod event;
mod function;
mod gate;
mod grab;
mod handle;
mod ids;
mod imports;
mod index;
mod job;
mod line;
mod lists;
mod meter;
mod numbers;
mod outbox;
mod outbuf;
mod persist;
mod place;
mod policy;
mod reads;
mod reload;
mod requeue;
mod retry;
mod rules;
mod schedule;
mod settings;
mod sleep;
mod status;
mod submit;
mod suspect;
mod timers;
mod work;

pub use crate::core::Core;
pub use calendar::{CalendarError, RECURRENCE_BYTES_MAX, Recurrence, SEARCH_YEARS, check_zone, next_sched};
pub use event::{Ended, Event};
pub use ids::{ConnId, Moment, Now, Ticket, UnixTime};
pub use outbox::{Answer, Outbox};
pub use outbuf::Outbuf;
pub use persist::{
    ATTEMPT_TEXT_BYTES_MAX, ATTEMPTS_KEPT, Attempt, Change, Document, DocumentKind, ERROR_BYTES_MAX, Found,
    LetterHead, Op, Outcome, OwnedAttempt, OwnedFound, OwnedRecord, OwnedShelving, Record, Shelf, Shelving,
    Stored, Wanted,
};
pub use policy::{Backoff, Keep, OnDuplicate, Policy, Rate, RetryOn};
pub use reload::{NewFile, ReloadError, Reloaded};
pub use rules::{FileRule, PolicyError, PolicyKey, check_rules};
pub use schedule::{SCHEDULE_NAME_BYTES_MAX, SCHEDULE_WORKLOAD_BYTES_MAX, check_schedule};
pub use settings::{
    Durability, FunctionOrder, HANDLE_PREFIX_BYTES_MAX, Limits, Settings, SettingsError, Wakeup,
};
