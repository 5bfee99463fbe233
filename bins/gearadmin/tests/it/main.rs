//! gearadmin against real servers and servers that misbehave.

#[cfg(test)]
#[path = "../../../gearman/tests/it/support.rs"]
mod support;

#[cfg(test)]
mod daemon;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod listings;
#[cfg(test)]
mod moving;
#[cfg(test)]
mod script;
#[cfg(test)]
mod steering;
