//! Packets from the server: typed, borrowed from whatever they are made of.

use crate::body::{MAGIC_RESPONSE, Reader, put_packet};
use crate::error::DecodeError;
use crate::kind::PacketKind;
use crate::names::{Function, Handle, Unique};

/// Progress of a job as a client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Whether the server knows the job: it waits or runs.
    pub known: bool,
    /// Whether a worker runs it.
    pub running: bool,
    /// Numerator of the last `WORK_STATUS`.
    pub numerator: u32,
    /// Denominator of the last `WORK_STATUS`.
    pub denominator: u32,
}

/// A packet from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the parts of the packet that each variant names")]
pub enum Response<'a> {
    /// `NOOP`.
    Noop,
    /// `JOB_CREATED`.
    JobCreated { handle: Handle<'a> },
    /// `NO_JOB`.
    NoJob,
    /// `JOB_ASSIGN`.
    JobAssign { handle: Handle<'a>, function: Function<'a>, workload: &'a [u8] },
    /// `JOB_ASSIGN_UNIQ`.
    JobAssignUniq { handle: Handle<'a>, function: Function<'a>, unique: Unique<'a>, workload: &'a [u8] },
    /// `JOB_ASSIGN_ALL`.
    JobAssignAll {
        handle: Handle<'a>,
        function: Function<'a>,
        unique: Unique<'a>,
        reducer: &'a [u8],
        workload: &'a [u8],
    },
    /// `WORK_STATUS`.
    WorkStatus { handle: Handle<'a>, numerator: &'a [u8], denominator: &'a [u8] },
    /// `WORK_COMPLETE`.
    WorkComplete { handle: Handle<'a>, result: &'a [u8] },
    /// `WORK_FAIL`; never with a NUL behind the handle, on which client libraries hang.
    WorkFail { handle: Handle<'a> },
    /// `WORK_EXCEPTION`.
    WorkException { handle: Handle<'a>, exception: &'a [u8] },
    /// `WORK_DATA`.
    WorkData { handle: Handle<'a>, data: &'a [u8] },
    /// `WORK_WARNING`.
    WorkWarning { handle: Handle<'a>, warning: &'a [u8] },
    /// `STATUS_RES`.
    StatusRes { handle: Handle<'a>, status: Status },
    /// `STATUS_RES_UNIQUE`; `clients` is how many wait for the result.
    StatusResUnique { unique: Unique<'a>, status: Status, clients: u32 },
    /// `ECHO_RES`.
    Echo { data: &'a [u8] },
    /// `OPTION_RES`.
    Option { name: &'a [u8] },
    /// `ERROR`.
    Error { code: &'a [u8], text: &'a [u8] },
}

impl<'a> Response<'a> {
    /// Reads the body of a packet from the server.
    ///
    /// # Errors
    /// When the kind is not one from the server, or the body has not the shape of its kind.
    #[expect(clippy::too_many_lines, reason = "one arm per packet")]
    pub fn decode(kind: PacketKind, body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(kind, body);
        Ok(match kind {
            PacketKind::Noop => Response::Noop,
            PacketKind::JobCreated => Response::JobCreated { handle: Handle::new(reader.rest_until_nul()) },
            PacketKind::NoJob => Response::NoJob,
            PacketKind::JobAssign => Response::JobAssign {
                handle: Handle::new(reader.part("handle")?),
                function: Function::new(reader.part("function")?),
                workload: reader.rest(),
            },
            PacketKind::JobAssignUniq => Response::JobAssignUniq {
                handle: Handle::new(reader.part("handle")?),
                function: Function::new(reader.part("function")?),
                unique: Unique::new(reader.part("unique")?),
                workload: reader.rest(),
            },
            PacketKind::JobAssignAll => Response::JobAssignAll {
                handle: Handle::new(reader.part("handle")?),
                function: Function::new(reader.part("function")?),
                unique: Unique::new(reader.part("unique")?),
                reducer: reader.part("reducer")?,
                workload: reader.rest(),
            },
            PacketKind::WorkStatus => Response::WorkStatus {
                handle: Handle::new(reader.part("handle")?),
                numerator: reader.part("numerator")?,
                denominator: reader.rest(),
            },
            PacketKind::WorkComplete => {
                Response::WorkComplete { handle: Handle::new(reader.part("handle")?), result: reader.rest() }
            }
            PacketKind::WorkFail => Response::WorkFail { handle: Handle::new(reader.rest_until_nul()) },
            PacketKind::WorkException => Response::WorkException {
                handle: Handle::new(reader.part("handle")?),
                exception: reader.rest(),
            },
            PacketKind::WorkData => {
                Response::WorkData { handle: Handle::new(reader.part("handle")?), data: reader.rest() }
            }
            PacketKind::WorkWarning => {
                Response::WorkWarning { handle: Handle::new(reader.part("handle")?), warning: reader.rest() }
            }
            PacketKind::StatusRes => Response::StatusRes {
                handle: Handle::new(reader.part("handle")?),
                status: Status {
                    known: number(kind, "known", reader.part("known")?)? != 0,
                    running: number(kind, "running", reader.part("running")?)? != 0,
                    numerator: number(kind, "numerator", reader.part("numerator")?)?,
                    denominator: number(kind, "denominator", reader.rest())?,
                },
            },
            PacketKind::StatusResUnique => Response::StatusResUnique {
                unique: Unique::new(reader.part("unique")?),
                status: Status {
                    known: number(kind, "known", reader.part("known")?)? != 0,
                    running: number(kind, "running", reader.part("running")?)? != 0,
                    numerator: number(kind, "numerator", reader.part("numerator")?)?,
                    denominator: number(kind, "denominator", reader.part("denominator")?)?,
                },
                clients: number(kind, "client count", reader.rest())?,
            },
            PacketKind::EchoRes => Response::Echo { data: reader.rest() },
            PacketKind::OptionRes => Response::Option { name: reader.rest() },
            PacketKind::Error => Response::Error { code: reader.part("code")?, text: reader.rest() },
            PacketKind::CanDo
            | PacketKind::CantDo
            | PacketKind::ResetAbilities
            | PacketKind::PreSleep
            | PacketKind::Unused
            | PacketKind::SubmitJob
            | PacketKind::GrabJob
            | PacketKind::GetStatus
            | PacketKind::EchoReq
            | PacketKind::SubmitJobBg
            | PacketKind::SubmitJobHigh
            | PacketKind::SetClientId
            | PacketKind::CanDoTimeout
            | PacketKind::AllYours
            | PacketKind::OptionReq
            | PacketKind::GrabJobUniq
            | PacketKind::SubmitJobHighBg
            | PacketKind::SubmitJobLow
            | PacketKind::SubmitJobLowBg
            | PacketKind::SubmitJobSched
            | PacketKind::SubmitJobEpoch
            | PacketKind::SubmitReduceJob
            | PacketKind::SubmitReduceJobBackground
            | PacketKind::GrabJobAll
            | PacketKind::GetStatusUnique => return Err(DecodeError::UnexpectedKind(kind)),
        })
    }

    /// The kind of packet this response is sent as.
    #[must_use]
    pub const fn kind(&self) -> PacketKind {
        match self {
            Response::Noop => PacketKind::Noop,
            Response::JobCreated { .. } => PacketKind::JobCreated,
            Response::NoJob => PacketKind::NoJob,
            Response::JobAssign { .. } => PacketKind::JobAssign,
            Response::JobAssignUniq { .. } => PacketKind::JobAssignUniq,
            Response::JobAssignAll { .. } => PacketKind::JobAssignAll,
            Response::WorkStatus { .. } => PacketKind::WorkStatus,
            Response::WorkComplete { .. } => PacketKind::WorkComplete,
            Response::WorkFail { .. } => PacketKind::WorkFail,
            Response::WorkException { .. } => PacketKind::WorkException,
            Response::WorkData { .. } => PacketKind::WorkData,
            Response::WorkWarning { .. } => PacketKind::WorkWarning,
            Response::StatusRes { .. } => PacketKind::StatusRes,
            Response::StatusResUnique { .. } => PacketKind::StatusResUnique,
            Response::Echo { .. } => PacketKind::EchoRes,
            Response::Option { .. } => PacketKind::OptionRes,
            Response::Error { .. } => PacketKind::Error,
        }
    }

    /// Appends the packet, header included.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = self.kind();
        let mut put = |parts: &[&[u8]]| put_packet(out, MAGIC_RESPONSE, kind, parts);
        match self {
            Response::Noop | Response::NoJob => put(&[]),
            Response::JobCreated { handle } | Response::WorkFail { handle } => put(&[handle.as_bytes()]),
            Response::JobAssign { handle, function, workload } => {
                put(&[handle.as_bytes(), function.as_bytes(), workload]);
            }
            Response::JobAssignUniq { handle, function, unique, workload } => {
                put(&[handle.as_bytes(), function.as_bytes(), unique.as_bytes(), workload]);
            }
            Response::JobAssignAll { handle, function, unique, reducer, workload } => {
                put(&[handle.as_bytes(), function.as_bytes(), unique.as_bytes(), reducer, workload]);
            }
            Response::WorkStatus { handle, numerator, denominator } => {
                put(&[handle.as_bytes(), numerator, denominator]);
            }
            Response::WorkComplete { handle, result: data }
            | Response::WorkException { handle, exception: data }
            | Response::WorkData { handle, data }
            | Response::WorkWarning { handle, warning: data } => put(&[handle.as_bytes(), data]),
            Response::StatusRes { handle, status } => {
                let mut numbers = Default::default();
                let [known, running, numerator, denominator] = decimals(status, &mut numbers);
                put(&[handle.as_bytes(), known, running, numerator, denominator]);
            }
            Response::StatusResUnique { unique, status, clients } => {
                let (mut numbers, mut count) = (Default::default(), itoa::Buffer::new());
                let [known, running, numerator, denominator] = decimals(status, &mut numbers);
                let clients = count.format(*clients).as_bytes();
                put(&[unique.as_bytes(), known, running, numerator, denominator, clients]);
            }
            Response::Echo { data } => put(&[data]),
            Response::Option { name } => put(&[name]),
            Response::Error { code, text } => put(&[code, text]),
        }
    }
}

fn decimals<'a>(
    status: &Status,
    [known, running, numerator, denominator]: &'a mut [itoa::Buffer; 4],
) -> [&'a [u8]; 4] {
    [
        known.format(u8::from(status.known)).as_bytes(),
        running.format(u8::from(status.running)).as_bytes(),
        numerator.format(status.numerator).as_bytes(),
        denominator.format(status.denominator).as_bytes(),
    ]
}

fn number(kind: PacketKind, part: &'static str, text: &[u8]) -> Result<u32, DecodeError> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.trim_end_matches('\0').parse().ok())
        .ok_or(DecodeError::MalformedPart { kind, part })
}
