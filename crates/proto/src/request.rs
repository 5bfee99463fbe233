//! Packets to the server: typed, borrowed from the buffer they were read into.

use crate::body::{MAGIC_REQUEST, Reader, lenient_number, put_packet};
use crate::error::DecodeError;
use crate::kind::PacketKind;
use crate::limits::{FUNCTION_BYTES_MAX, REDUCER_BYTES_MAX, UNIQUE_BYTES_MAX};
use crate::names::{ClientId, Function, Handle, Priority, Unique};

/// What all submits have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submit<'a> {
    /// The function to run.
    pub function: Function<'a>,
    /// The unique; empty when absent.
    pub unique: Unique<'a>,
    /// How urgent it is.
    pub priority: Priority,
    /// Whether the client waits for the result.
    pub mode: SubmitMode,
    /// The reducer of `SUBMIT_REDUCE_JOB*`, and the fourth part that the server ignores.
    pub reducer: Option<Reducer<'a>>,
    /// What the worker gets.
    pub workload: &'a [u8],
}

/// Whether a client waits for the result of its job, and when the job may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitMode {
    /// The client stays and gets all that the worker sends.
    Foreground,
    /// The client only gets the handle; the job is durable.
    Background,
    /// As background, not before this second (Unix time); a time in the past means now.
    Epoch(i64),
}

/// What `SUBMIT_REDUCE_JOB*` carries beyond a usual submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reducer<'a> {
    /// Name of the function that puts the results together, up to 64 bytes.
    pub name: &'a [u8],
    /// A fourth part that every client sends and the server ignores.
    pub aggregate: &'a [u8],
}

/// The calendar fields of `SUBMIT_JOB_SCHED`; an empty field matches any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar<'a> {
    /// Minute, 0 to 59.
    pub minute: &'a [u8],
    /// Hour, 0 to 23.
    pub hour: &'a [u8],
    /// Day of the month, 1 to 31.
    pub day: &'a [u8],
    /// Month, 1 to 12.
    pub month: &'a [u8],
    /// Day of the week, 0 (Monday) to 6 (Sunday).
    pub weekday: &'a [u8],
}

/// What a worker wants to be told about the job it grabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrabKind {
    /// `GRAB_JOB`: handle, function, workload.
    Plain,
    /// `GRAB_JOB_UNIQ`: the unique as well.
    Unique,
    /// `GRAB_JOB_ALL`: unique and reducer as well.
    All,
}

/// A packet to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the parts of the packet that each variant names")]
pub enum Request<'a> {
    /// `CAN_DO`; the function may be empty.
    CanDo { function: Function<'a> },
    /// `CAN_DO_TIMEOUT`; the limit is in milliseconds, 0 means none.
    CanDoTimeout { function: Function<'a>, timeout_ms: u64 },
    /// `CANT_DO`.
    CantDo { function: Function<'a> },
    /// `RESET_ABILITIES`.
    ResetAbilities,
    /// `PRE_SLEEP`.
    PreSleep,
    /// `SUBMIT_JOB*`, `SUBMIT_JOB_EPOCH` and `SUBMIT_REDUCE_JOB*`.
    Submit(Submit<'a>),
    /// `SUBMIT_JOB_SCHED`.
    SubmitSched { function: Function<'a>, unique: Unique<'a>, calendar: Calendar<'a>, workload: &'a [u8] },
    /// `GRAB_JOB`, `GRAB_JOB_UNIQ`, `GRAB_JOB_ALL`.
    Grab(GrabKind),
    /// `WORK_STATUS`: the numbers as text, relayed as they came.
    WorkStatus { handle: Handle<'a>, numerator: &'a [u8], denominator: &'a [u8] },
    /// `WORK_COMPLETE`.
    WorkComplete { handle: Handle<'a>, result: &'a [u8] },
    /// `WORK_FAIL`.
    WorkFail { handle: Handle<'a> },
    /// `WORK_EXCEPTION`.
    WorkException { handle: Handle<'a>, exception: &'a [u8] },
    /// `WORK_DATA`.
    WorkData { handle: Handle<'a>, data: &'a [u8] },
    /// `WORK_WARNING`.
    WorkWarning { handle: Handle<'a>, warning: &'a [u8] },
    /// `GET_STATUS`.
    GetStatus { handle: Handle<'a> },
    /// `GET_STATUS_UNIQUE`.
    GetStatusUnique { unique: Unique<'a> },
    /// `ECHO_REQ`.
    Echo { data: &'a [u8] },
    /// `OPTION_REQ`.
    Option { name: &'a [u8] },
    /// `SET_CLIENT_ID`.
    SetClientId { id: ClientId<'a> },
    /// `ALL_YOURS`.
    AllYours,
}

impl<'a> Request<'a> {
    /// Reads the body of a packet to the server.
    ///
    /// # Errors
    /// When the kind is not one to the server, or the body has not the shape of its kind.
    pub fn decode(kind: PacketKind, body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(kind, body);
        Ok(match kind {
            PacketKind::CanDo => Request::CanDo { function: function(reader.rest())? },
            PacketKind::CantDo => Request::CantDo { function: function(reader.rest())? },
            PacketKind::CanDoTimeout => Request::CanDoTimeout {
                function: function(reader.part("function")?)?,
                timeout_ms: timeout_ms(reader.rest()),
            },
            PacketKind::ResetAbilities => Request::ResetAbilities,
            PacketKind::PreSleep => Request::PreSleep,
            PacketKind::SubmitJob => submit(reader, Priority::Normal, SubmitMode::Foreground)?,
            PacketKind::SubmitJobHigh => submit(reader, Priority::High, SubmitMode::Foreground)?,
            PacketKind::SubmitJobLow => submit(reader, Priority::Low, SubmitMode::Foreground)?,
            PacketKind::SubmitJobBg => submit(reader, Priority::Normal, SubmitMode::Background)?,
            PacketKind::SubmitJobHighBg => submit(reader, Priority::High, SubmitMode::Background)?,
            PacketKind::SubmitJobLowBg => submit(reader, Priority::Low, SubmitMode::Background)?,
            PacketKind::SubmitJobEpoch => submit_epoch(reader)?,
            PacketKind::SubmitReduceJob => submit_reduce(reader, SubmitMode::Foreground)?,
            PacketKind::SubmitReduceJobBackground => submit_reduce(reader, SubmitMode::Background)?,
            PacketKind::SubmitJobSched => submit_sched(reader)?,
            PacketKind::GrabJob => Request::Grab(GrabKind::Plain),
            PacketKind::GrabJobUniq => Request::Grab(GrabKind::Unique),
            PacketKind::GrabJobAll => Request::Grab(GrabKind::All),
            PacketKind::WorkStatus => Request::WorkStatus {
                handle: Handle::new(reader.part("handle")?),
                numerator: reader.part("numerator")?,
                denominator: reader.rest_until_nul(),
            },
            PacketKind::WorkComplete => {
                let (handle, result) = reader.part_and_rest();
                Request::WorkComplete { handle: Handle::new(handle), result }
            }
            PacketKind::WorkException => {
                let (handle, exception) = reader.part_and_rest();
                Request::WorkException { handle: Handle::new(handle), exception }
            }
            PacketKind::WorkData => {
                let (handle, data) = reader.part_and_rest();
                Request::WorkData { handle: Handle::new(handle), data }
            }
            PacketKind::WorkWarning => {
                let (handle, warning) = reader.part_and_rest();
                Request::WorkWarning { handle: Handle::new(handle), warning }
            }
            PacketKind::WorkFail => Request::WorkFail { handle: Handle::new(reader.rest_until_nul()) },
            PacketKind::GetStatus => Request::GetStatus { handle: Handle::new(reader.rest_until_nul()) },
            PacketKind::GetStatusUnique => Request::GetStatusUnique { unique: unique(reader.rest())? },
            PacketKind::EchoReq => Request::Echo { data: reader.rest() },
            PacketKind::OptionReq => Request::Option { name: reader.rest_until_nul() },
            PacketKind::SetClientId => Request::SetClientId { id: ClientId::new(reader.rest()) },
            PacketKind::AllYours => Request::AllYours,
            PacketKind::Unused
            | PacketKind::Noop
            | PacketKind::JobCreated
            | PacketKind::NoJob
            | PacketKind::JobAssign
            | PacketKind::EchoRes
            | PacketKind::Error
            | PacketKind::StatusRes
            | PacketKind::OptionRes
            | PacketKind::JobAssignUniq
            | PacketKind::JobAssignAll
            | PacketKind::StatusResUnique => return Err(DecodeError::UnexpectedKind(kind)),
        })
    }

    /// The kind of packet this request is sent as.
    #[must_use]
    pub const fn kind(&self) -> PacketKind {
        match self {
            Request::CanDo { .. } => PacketKind::CanDo,
            Request::CanDoTimeout { .. } => PacketKind::CanDoTimeout,
            Request::CantDo { .. } => PacketKind::CantDo,
            Request::ResetAbilities => PacketKind::ResetAbilities,
            Request::PreSleep => PacketKind::PreSleep,
            Request::Submit(submit) => submit.kind(),
            Request::SubmitSched { .. } => PacketKind::SubmitJobSched,
            Request::Grab(GrabKind::Plain) => PacketKind::GrabJob,
            Request::Grab(GrabKind::Unique) => PacketKind::GrabJobUniq,
            Request::Grab(GrabKind::All) => PacketKind::GrabJobAll,
            Request::WorkStatus { .. } => PacketKind::WorkStatus,
            Request::WorkComplete { .. } => PacketKind::WorkComplete,
            Request::WorkFail { .. } => PacketKind::WorkFail,
            Request::WorkException { .. } => PacketKind::WorkException,
            Request::WorkData { .. } => PacketKind::WorkData,
            Request::WorkWarning { .. } => PacketKind::WorkWarning,
            Request::GetStatus { .. } => PacketKind::GetStatus,
            Request::GetStatusUnique { .. } => PacketKind::GetStatusUnique,
            Request::Echo { .. } => PacketKind::EchoReq,
            Request::Option { .. } => PacketKind::OptionReq,
            Request::SetClientId { .. } => PacketKind::SetClientId,
            Request::AllYours => PacketKind::AllYours,
        }
    }

    /// Appends the packet, header included.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = self.kind();
        let mut put = |parts: &[&[u8]]| put_packet(out, MAGIC_REQUEST, kind, parts);
        match self {
            Request::CanDo { function } | Request::CantDo { function } => put(&[function.as_bytes()]),
            Request::CanDoTimeout { function, timeout_ms } => {
                put(&[function.as_bytes(), timeout_ms.to_string().as_bytes()]);
            }
            Request::ResetAbilities | Request::PreSleep | Request::Grab(_) | Request::AllYours => put(&[]),
            Request::Submit(submit) => submit.put(put),
            Request::SubmitSched { function, unique, calendar, workload } => put(&[
                function.as_bytes(),
                unique.as_bytes(),
                calendar.minute,
                calendar.hour,
                calendar.day,
                calendar.month,
                calendar.weekday,
                workload,
            ]),
            Request::WorkStatus { handle, numerator, denominator } => {
                put(&[handle.as_bytes(), numerator, denominator]);
            }
            Request::WorkComplete { handle, result: data }
            | Request::WorkException { handle, exception: data }
            | Request::WorkData { handle, data }
            | Request::WorkWarning { handle, warning: data } => put(&[handle.as_bytes(), data]),
            Request::WorkFail { handle } | Request::GetStatus { handle } => put(&[handle.as_bytes()]),
            Request::GetStatusUnique { unique } => put(&[unique.as_bytes()]),
            Request::Echo { data } => put(&[data]),
            Request::Option { name } => put(&[name]),
            Request::SetClientId { id } => put(&[id.as_bytes()]),
        }
    }
}

impl Submit<'_> {
    const fn kind(&self) -> PacketKind {
        match (self.mode, self.reducer.is_some(), self.priority) {
            (SubmitMode::Epoch(_), _, _) => PacketKind::SubmitJobEpoch,
            (SubmitMode::Foreground, true, _) => PacketKind::SubmitReduceJob,
            (SubmitMode::Background, true, _) => PacketKind::SubmitReduceJobBackground,
            (SubmitMode::Foreground, false, Priority::High) => PacketKind::SubmitJobHigh,
            (SubmitMode::Foreground, false, Priority::Normal) => PacketKind::SubmitJob,
            (SubmitMode::Foreground, false, Priority::Low) => PacketKind::SubmitJobLow,
            (SubmitMode::Background, false, Priority::High) => PacketKind::SubmitJobHighBg,
            (SubmitMode::Background, false, Priority::Normal) => PacketKind::SubmitJobBg,
            (SubmitMode::Background, false, Priority::Low) => PacketKind::SubmitJobLowBg,
        }
    }

    fn put(&self, mut put: impl FnMut(&[&[u8]])) {
        let (function, unique) = (self.function.as_bytes(), self.unique.as_bytes());
        match (self.mode, self.reducer) {
            (SubmitMode::Epoch(second), _) => {
                put(&[function, unique, second.to_string().as_bytes(), self.workload]);
            }
            (_, Some(reducer)) => put(&[function, unique, reducer.name, reducer.aggregate, self.workload]),
            (_, None) => put(&[function, unique, self.workload]),
        }
    }
}

fn function(bytes: &[u8]) -> Result<Function<'_>, DecodeError> {
    if bytes.len() > FUNCTION_BYTES_MAX {
        return Err(DecodeError::FunctionTooLong { len: bytes.len(), max: FUNCTION_BYTES_MAX });
    }
    Ok(Function::new(bytes))
}

fn unique(bytes: &[u8]) -> Result<Unique<'_>, DecodeError> {
    if bytes.len() > UNIQUE_BYTES_MAX {
        return Err(DecodeError::UniqueTooLong);
    }
    Ok(Unique::new(bytes))
}

/// Milliseconds of `CAN_DO_TIMEOUT`; anything that is not a positive number means no limit.
fn timeout_ms(text: &[u8]) -> u64 {
    u64::try_from(lenient_number(text).unwrap_or(0)).unwrap_or(0)
}

fn submit<'a>(
    mut body: Reader<'a>,
    priority: Priority,
    mode: SubmitMode,
) -> Result<Request<'a>, DecodeError> {
    let function = function(body.part("function")?)?;
    let unique = unique(body.part("unique")?)?;
    Ok(Request::Submit(Submit { function, unique, priority, mode, reducer: None, workload: body.rest() }))
}

fn submit_epoch(mut body: Reader<'_>) -> Result<Request<'_>, DecodeError> {
    let function = function(body.part("function")?)?;
    let unique = unique(body.part("unique")?)?;
    let second = lenient_number(body.part("epoch")?).ok_or(DecodeError::EpochOutOfRange)?;
    Ok(Request::Submit(Submit {
        function,
        unique,
        priority: Priority::Normal,
        mode: SubmitMode::Epoch(second),
        reducer: None,
        workload: body.rest(),
    }))
}

fn submit_reduce(mut body: Reader<'_>, mode: SubmitMode) -> Result<Request<'_>, DecodeError> {
    let function = function(body.part("function")?)?;
    let unique = unique(body.part("unique")?)?;
    let name = body.part("reducer")?;
    if name.len() > REDUCER_BYTES_MAX {
        return Err(DecodeError::ReducerTooLong);
    }
    let aggregate = body.part("aggregate")?;
    Ok(Request::Submit(Submit {
        function,
        unique,
        priority: Priority::Normal,
        mode,
        reducer: Some(Reducer { name, aggregate }),
        workload: body.rest(),
    }))
}

fn submit_sched(mut body: Reader<'_>) -> Result<Request<'_>, DecodeError> {
    Ok(Request::SubmitSched {
        function: function(body.part("function")?)?,
        unique: unique(body.part("unique")?)?,
        calendar: Calendar {
            minute: body.part("minute")?,
            hour: body.part("hour")?,
            day: body.part("day")?,
            month: body.part("month")?,
            weekday: body.part("weekday")?,
        },
        workload: body.rest(),
    })
}
