//! What can be sent: names that arrive as they are, sizes that fit, combinations that have a packet.

use super::error::InvalidSubmit;
use crate::limits::UNIQUE_BYTES_MAX;
use geartrain_proto::limits::{FUNCTION_BYTES_MAX, HANDLE_BYTES_MAX, REDUCER_BYTES_MAX};
use geartrain_proto::{Handle, Priority, Submit, SubmitMode, Unique};

/// Most bytes of what a request carries beside its names, whose limits leave far more than this difference.
const DATA_BYTES_MAX: usize = u32::MAX as usize - 64 * 1024;

pub(crate) fn check(submit: &Submit<'_>) -> Result<(), InvalidSubmit> {
    if submit.function.as_bytes().is_empty() {
        return Err(InvalidSubmit::NoFunction);
    }
    check_name("function", submit.function.as_bytes(), FUNCTION_BYTES_MAX)?;
    check_unique(submit.unique)?;
    if let Some(reducer) = submit.reducer {
        check_name("reducer", reducer.name, REDUCER_BYTES_MAX)?;
        check_name("aggregate of the reducer", reducer.aggregate, REDUCER_BYTES_MAX)?;
    }
    match (submit.mode, submit.reducer.is_some(), submit.priority) {
        (SubmitMode::Epoch(_), true, _) => {
            return Err(InvalidSubmit::NoSuchPacket("a job with a reducer for a given time"));
        }
        (SubmitMode::Epoch(_), false, Priority::High | Priority::Low) => {
            return Err(InvalidSubmit::NoSuchPacket("a job for a given time with a priority"));
        }
        (SubmitMode::Foreground | SubmitMode::Background, true, Priority::High | Priority::Low) => {
            return Err(InvalidSubmit::NoSuchPacket("a job with a reducer and a priority"));
        }
        (_, _, Priority::Normal) | (SubmitMode::Foreground | SubmitMode::Background, false, _) => {}
    }
    check_len(submit.workload.len())
}

pub(super) fn check_unique(unique: Unique<'_>) -> Result<(), InvalidSubmit> {
    check_name("unique", unique.as_bytes(), UNIQUE_BYTES_MAX)
}

pub(super) fn check_handle(handle: Handle<'_>) -> Result<(), InvalidSubmit> {
    check_name("handle", handle.as_bytes(), HANDLE_BYTES_MAX)
}

pub(super) fn check_len(bytes: usize) -> Result<(), InvalidSubmit> {
    if bytes > DATA_BYTES_MAX {
        return Err(InvalidSubmit::BodyTooLarge { bytes, max: DATA_BYTES_MAX });
    }
    Ok(())
}

fn check_name(part: &'static str, name: &[u8], max: usize) -> Result<(), InvalidSubmit> {
    if name.len() > max {
        return Err(InvalidSubmit::TooLong { part, bytes: name.len(), max });
    }
    // Without a branch for each byte: names are short, and hardly any has one.
    if name.iter().fold(false, |has_nul, byte| has_nul | (*byte == 0)) {
        return Err(InvalidSubmit::Nul { part, name: name.escape_ascii().to_string() });
    }
    Ok(())
}
