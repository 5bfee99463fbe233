//! The strings of the protocol, one type for each meaning.

use std::fmt;

macro_rules! wire_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name<'a>(&'a [u8]);

        impl<'a> $name<'a> {
            /// Wraps bytes as they stand on the wire.
            #[must_use]
            pub const fn new(bytes: &'a [u8]) -> Self {
                Self(bytes)
            }

            /// The bytes as they stand on the wire.
            #[must_use]
            pub const fn as_bytes(self) -> &'a [u8] {
                self.0
            }
        }

        impl<'a> From<&'a str> for $name<'a> {
            fn from(text: &'a str) -> Self {
                Self(text.as_bytes())
            }
        }

        impl<'a, const N: usize> From<&'a [u8; N]> for $name<'a> {
            fn from(bytes: &'a [u8; N]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.escape_ascii())
            }
        }

        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0.escape_ascii().to_string())
            }
        }
    };
}

wire_name! {
    /// The name of a function: any bytes, up to [`crate::limits::FUNCTION_BYTES_MAX`].
    Function
}

wire_name! {
    /// The unique a client gave its job, up to [`crate::limits::UNIQUE_BYTES_MAX`] bytes.
    ///
    /// Empty means absent: such jobs are never coalesced. `-` means the workload is the unique.
    Unique
}

wire_name! {
    /// The handle under which the server knows a job, for example `H:host:1`.
    Handle
}

wire_name! {
    /// The name a worker gave itself with `SET_CLIENT_ID`.
    ClientId
}

impl Unique<'_> {
    /// Whether the client gave none.
    #[must_use]
    pub const fn is_absent(self) -> bool {
        self.0.is_empty()
    }

    /// Whether the workload stands for the unique (`-`).
    #[must_use]
    pub const fn is_workload(self) -> bool {
        matches!(self.0, [b'-'])
    }
}

/// How urgent a job is within its function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Priority {
    /// Before all others (`SUBMIT_JOB_HIGH`, `SUBMIT_JOB_HIGH_BG`); stored as 0.
    High = 0,
    /// The usual one; stored as 1.
    Normal = 1,
    /// After all others (`SUBMIT_JOB_LOW`, `SUBMIT_JOB_LOW_BG`); stored as 2.
    Low = 2,
}

impl Priority {
    /// All priorities, the most urgent first.
    pub const ALL: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

    /// The priority stored as this number, 0 to 2.
    #[must_use]
    pub const fn from_stored(number: i64) -> Option<Priority> {
        match number {
            0 => Some(Priority::High),
            1 => Some(Priority::Normal),
            2 => Some(Priority::Low),
            _ => None,
        }
    }

    /// The name used in messages and listings: `high`, `normal` or `low`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }
}
