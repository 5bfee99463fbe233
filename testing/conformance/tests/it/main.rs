//! All talks, held with each server.

#[cfg(test)]
mod talks;
