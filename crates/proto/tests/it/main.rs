//! What the protocol promises about any bytes: packets survive the wire, splits change nothing, and each
//! malformed input has its documented outcome.

#[cfg(test)]
mod commands;
#[cfg(test)]
mod generate;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod roundtrip;
#[cfg(test)]
mod split;
