//! What a worker's session says: jobs, refusals, and servers that do not keep to the protocol.

use bytes::Bytes;
use geartrain_proto::{DecodeError, Function, Handle, Response, Step, decode_response};
use std::sync::Arc;
use thiserror::Error;

/// What a server said to a worker.
#[derive(Debug)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// A grab was answered with a job (`JOB_ASSIGN`, `JOB_ASSIGN_UNIQ`, `JOB_ASSIGN_ALL`).
    Assigned(AssignedJob),
    /// A grab was answered with `NO_JOB`; after the last one the session sleeps.
    NoJob,
    /// A grab was answered with `ERROR`; it counts as [`WorkerEvent::NoJob`].
    GrabRefused {
        /// The code word.
        code: String,
        /// The reason in words.
        text: String,
    },
    /// The server refused something (`ERROR`). It does not say what: mostly it is a report of a job that it has
    /// given to another worker or cancelled.
    Refused {
        /// The code word, as in `JOB_NOT_FOUND`.
        code: String,
        /// The reason in words.
        text: String,
    },
}

/// A job that is to be done; its parts share the memory of one packet.
#[derive(Debug)]
#[non_exhaustive]
pub struct AssignedJob {
    /// Names the job in reports.
    pub key: JobKey,
    /// The function, one of those registered.
    pub function: Arc<str>,
    /// The unique; empty when the client gave none, or the server does not tell.
    pub unique: Bytes,
    /// The function that puts the results together, for jobs of `SUBMIT_REDUCE_JOB*`; otherwise empty.
    pub reducer: Bytes,
    /// What the client sent.
    pub workload: Bytes,
}

/// Names a job in hand: its handle, and which assignment of it this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobKey {
    pub(super) handle: Bytes,
    pub(super) assignment: u64,
}

impl JobKey {
    /// The handle, by which the server knows the job.
    #[must_use]
    pub fn handle(&self) -> Handle<'_> {
        Handle::new(&self.handle)
    }
}

/// How a server broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WorkerSessionError {
    /// What came is no packet.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// A packet came that is not for workers.
    #[error("packet {kind} is not for workers")]
    Unexpected {
        /// Its name.
        kind: &'static str,
    },
    /// Something was answered that was not asked.
    #[error("packet {answer} came without being asked for")]
    Unasked {
        /// The name of the packet.
        answer: &'static str,
    },
    /// A job of a function was assigned that is not registered.
    #[error("a job of function {function:?} came, which is not registered")]
    UnknownFunction {
        /// The function, escaped where it is no text.
        function: String,
    },
    /// A job came without a handle.
    #[error("a job came without a handle")]
    NoHandle,
    /// The server knows no kind of grab.
    #[error("the server refused to be asked for jobs: {code}: {text}")]
    GrabRefused {
        /// The code word.
        code: String,
        /// The reason in words.
        text: String,
    },
}

/// Takes a `JOB_ASSIGN*` apart; its parts point into `packet`. The assignment and the name of the function are
/// for the session to fill in.
pub(super) fn assigned(packet: &Bytes) -> Result<(Function<'_>, AssignedJob), WorkerSessionError> {
    // The caller has seen that it is whole, well formed and of this kind; anything else would be a bug here.
    let unexpected = WorkerSessionError::Unexpected { kind: "JOB_ASSIGN" };
    let Step::Complete { message, .. } = decode_response(packet, u32::MAX) else { return Err(unexpected) };
    #[expect(clippy::wildcard_enum_match_arm, reason = "the session sorts packets, this reads one sort")]
    let (handle, function, unique, reducer, workload): (_, _, _, &[u8], _) = match message? {
        Response::JobAssign { handle, function, workload } => (handle, function, &[][..], &[], workload),
        Response::JobAssignUniq { handle, function, unique, workload } => {
            (handle, function, unique.as_bytes(), &[], workload)
        }
        Response::JobAssignAll { handle, function, unique, reducer, workload } => {
            (handle, function, unique.as_bytes(), reducer, workload)
        }
        _ => return Err(unexpected),
    };
    let handle = handle.as_bytes();
    if handle.is_empty() {
        return Err(WorkerSessionError::NoHandle);
    }
    let job = AssignedJob {
        key: JobKey { handle: packet.slice_ref(handle), assignment: 0 },
        function: Arc::default(),
        unique: packet.slice_ref(unique),
        reducer: packet.slice_ref(reducer),
        workload: packet.slice_ref(workload),
    };
    Ok((function, job))
}
