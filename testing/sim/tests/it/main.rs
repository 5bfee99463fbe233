//! Seeds that hold, and that hold in the same way each time.

#[cfg(test)]
mod seeds;
