//! The Gearman protocol: bytes to typed packets and back, without IO.
