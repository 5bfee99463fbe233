//! Listening: addresses are bound, and accepted connections dealt to the threads in turn.
//!
//! From: [`crate::Config`]. To: [`crate::connection::serve`] on the thread whose turn it is.
//! Never: spins when descriptors run out, or takes more connections than are allowed.

mod accept;
mod bind;

pub(crate) use accept::{Dealer, accept};
pub use bind::{Address, BindError, Listeners};
pub(crate) use bind::{Listener, SocketFile, free_address};
