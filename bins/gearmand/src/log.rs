//! Opening the log, as the reference does when its file cannot be had.

use crate::resolve::LogPlan;
use anyhow::Result;
use geartrain_server::{Log, LogTarget};

/// Opens the log; standard error stands in for a file that cannot be opened, and says so when a person
/// named that file.
pub(crate) fn open(plan: &LogPlan) -> Result<Log> {
    match Log::open(plan.level, plan.target.clone(), plan.syslog) {
        Ok(log) => Ok(log),
        Err(error) => {
            let log = Log::open(plan.level, LogTarget::Stderr, plan.syslog)?;
            if plan.asked {
                log.talk(format_args!("{error}, logging to stderr"));
            }
            Ok(log)
        }
    }
}
