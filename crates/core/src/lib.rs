//! The Gearman job queue as a deterministic state machine.

mod core;
mod event;
mod ids;
mod outbox;
mod outbuf;
mod persist;
mod settings;

pub use crate::core::Core;
pub use event::{Ended, Event, GivenBack};
pub use ids::{ConnId, Moment, Now, Ticket, UnixTime};
pub use outbox::Outbox;
pub use outbuf::Outbuf;
pub use persist::{Op, Record};
pub use settings::{
    Durability, FunctionOrder, HANDLE_PREFIX_BYTES_MAX, Limits, Settings, SettingsError, Wakeup,
};
