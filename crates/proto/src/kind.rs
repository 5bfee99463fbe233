//! Packet kinds: the numbers of the protocol, their names and the shape of their bodies.

use std::fmt;

macro_rules! kinds {
    ($($number:literal $variant:ident $name:literal $parts:literal $doc:literal,)*) => {
        /// The kind of a binary packet, 1 to 42, as numbered by the protocol.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum PacketKind {
            $(#[doc = $doc] $variant = $number,)*
        }

        impl PacketKind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &'static [PacketKind] = &[$(PacketKind::$variant,)*];

            /// The kind with this number on the wire, or `None` where the protocol has none.
            #[must_use]
            pub const fn from_wire(raw: u32) -> Option<PacketKind> {
                match raw {
                    $($number => Some(PacketKind::$variant),)*
                    _ => None,
                }
            }

            /// The name in the protocol's documents, for example `SUBMIT_JOB_BG`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(PacketKind::$variant => $name,)* }
            }

            /// How many NUL-separated parts the body has; the last part is the rest of the body.
            ///
            /// With 0 parts a body is read and ignored, as in the reference.
            #[must_use]
            pub const fn parts(self) -> usize {
                match self { $(PacketKind::$variant => $parts,)* }
            }
        }
    };
}

kinds! {
    1 CanDo "CAN_DO" 1 "Worker: I am able to do this function.",
    2 CantDo "CANT_DO" 1 "Worker: I am no longer able to do this function.",
    3 ResetAbilities "RESET_ABILITIES" 0 "Worker: I am able to do nothing.",
    4 PreSleep "PRE_SLEEP" 0 "Worker: wake me when there is a job for me.",
    5 Unused "UNUSED" 0 "Not used by the protocol.",
    6 Noop "NOOP" 0 "Server: wake up and grab.",
    7 SubmitJob "SUBMIT_JOB" 3 "Client: run this job and send me its result.",
    8 JobCreated "JOB_CREATED" 1 "Server: the job is accepted under this handle.",
    9 GrabJob "GRAB_JOB" 0 "Worker: give me a job.",
    10 NoJob "NO_JOB" 0 "Server: there is none.",
    11 JobAssign "JOB_ASSIGN" 3 "Server: run this job.",
    12 WorkStatus "WORK_STATUS" 3 "Worker, and relayed: progress of a job.",
    13 WorkComplete "WORK_COMPLETE" 2 "Worker, and relayed: the result of a job.",
    14 WorkFail "WORK_FAIL" 1 "Worker, and relayed: the job failed.",
    15 GetStatus "GET_STATUS" 1 "Client: how is the job with this handle?",
    16 EchoReq "ECHO_REQ" 1 "Anyone: send this back.",
    17 EchoRes "ECHO_RES" 1 "Server: sent back.",
    18 SubmitJobBg "SUBMIT_JOB_BG" 3 "Client: run this job in background.",
    19 Error "ERROR" 2 "Server: the request was refused.",
    20 StatusRes "STATUS_RES" 5 "Server: answer to GET_STATUS.",
    21 SubmitJobHigh "SUBMIT_JOB_HIGH" 3 "As SUBMIT_JOB, high priority.",
    22 SetClientId "SET_CLIENT_ID" 1 "Worker: this is my name in `workers`.",
    23 CanDoTimeout "CAN_DO_TIMEOUT" 2 "As CAN_DO, with a time limit for each job in milliseconds.",
    24 AllYours "ALL_YOURS" 0 "Never implemented by the reference.",
    25 WorkException "WORK_EXCEPTION" 2 "Worker, and relayed: the job failed with this exception.",
    26 OptionReq "OPTION_REQ" 1 "Anyone: switch this option on for the connection.",
    27 OptionRes "OPTION_RES" 1 "Server: the option is on.",
    28 WorkData "WORK_DATA" 2 "Worker, and relayed: a piece of the result.",
    29 WorkWarning "WORK_WARNING" 2 "Worker, and relayed: a warning.",
    30 GrabJobUniq "GRAB_JOB_UNIQ" 0 "As GRAB_JOB, and tell me the unique.",
    31 JobAssignUniq "JOB_ASSIGN_UNIQ" 4 "As JOB_ASSIGN, with the unique.",
    32 SubmitJobHighBg "SUBMIT_JOB_HIGH_BG" 3 "As SUBMIT_JOB_BG, high priority.",
    33 SubmitJobLow "SUBMIT_JOB_LOW" 3 "As SUBMIT_JOB, low priority.",
    34 SubmitJobLowBg "SUBMIT_JOB_LOW_BG" 3 "As SUBMIT_JOB_BG, low priority.",
    35 SubmitJobSched "SUBMIT_JOB_SCHED" 8 "Client: run in background once, when these calendar fields match.",
    36 SubmitJobEpoch "SUBMIT_JOB_EPOCH" 4 "Client: run in background at this second.",
    37 SubmitReduceJob "SUBMIT_REDUCE_JOB" 5 "As SUBMIT_JOB, with a reducer.",
    38 SubmitReduceJobBackground "SUBMIT_REDUCE_JOB_BACKGROUND" 5 "As SUBMIT_JOB_BG, with a reducer.",
    39 GrabJobAll "GRAB_JOB_ALL" 0 "As GRAB_JOB, and tell me unique and reducer.",
    40 JobAssignAll "JOB_ASSIGN_ALL" 5 "As JOB_ASSIGN, with unique and reducer.",
    41 GetStatusUnique "GET_STATUS_UNIQUE" 1 "Client: how is the job with this unique?",
    42 StatusResUnique "STATUS_RES_UNIQUE" 6 "Server: answer to GET_STATUS_UNIQUE.",
}

impl PacketKind {
    /// The number on the wire.
    #[must_use]
    pub const fn to_wire(self) -> u32 {
        self as u32
    }

    /// Whether a worker reports with this kind about a job it runs.
    ///
    /// Some workers in use send these with the magic of a response.
    #[must_use]
    pub const fn is_worker_report(self) -> bool {
        matches!(
            self,
            PacketKind::WorkStatus
                | PacketKind::WorkComplete
                | PacketKind::WorkFail
                | PacketKind::WorkException
                | PacketKind::WorkData
                | PacketKind::WorkWarning
        )
    }
}

impl fmt::Display for PacketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_1_to_42_without_a_gap() {
        let numbers: Vec<u32> = PacketKind::ALL.iter().map(|kind| kind.to_wire()).collect();
        assert_eq!(numbers, (1..=42).collect::<Vec<u32>>());
        for kind in PacketKind::ALL {
            assert_eq!(PacketKind::from_wire(kind.to_wire()), Some(*kind));
        }
        for raw in [0, 43, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            assert_eq!(PacketKind::from_wire(raw), None);
        }
    }
}
