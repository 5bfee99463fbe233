//! Clients against real servers, each test over this project's server and over the reference, and against
//! servers that misbehave.

mod admin;
mod background;
mod blocking;
mod cancelled;
mod examples;
mod foreground;
mod left_alone;
mod limits;
mod misbehaving;
mod quick;
mod servers;
mod sets;
mod support;
