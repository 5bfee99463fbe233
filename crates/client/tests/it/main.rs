//! The library against real servers: this project's, and gearmand as Debian ships it.

#[cfg(test)]
mod client;
#[cfg(test)]
mod worker;
