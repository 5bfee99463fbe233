//! The library against real servers: this project's, and gearmand as Debian ships it.

#[cfg(test)]
mod client;
#[cfg(test)]
mod support;
#[cfg(test)]
mod together;
#[cfg(test)]
mod worker;
