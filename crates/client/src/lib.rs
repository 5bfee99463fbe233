//! Talking to a Gearman job server.
