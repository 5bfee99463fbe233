//! gearman against real servers, real workers, and servers that misbehave.

#[cfg(test)]
mod support;

#[cfg(test)]
mod client;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod worker;
