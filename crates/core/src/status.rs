//! Status: what a client that asks by handle or unique is told.
//!
//! From: `GET_STATUS`, `GET_STATUS_UNIQUE`. To: `STATUS_RES`, `STATUS_RES_UNIQUE`, always one.

use crate::core::Core;
use crate::ids::ConnId;
use crate::job::{Job, JobKey};
use crate::outbox::Outbox;
use geartrain_proto::{Handle, Response, Status, Unique};

impl Core {
    pub(crate) fn get_status(&self, conn: ConnId, handle: Handle<'_>, out: &mut dyn Outbox) {
        let key = self.handles.number(handle).and_then(|number| self.jobs.find(number));
        let status = key.map_or(Status::default(), |key| status_of(self.jobs.get(key)));
        out.send(conn, Response::StatusRes { handle, status });
    }

    pub(crate) fn get_status_unique(&self, conn: ConnId, unique: Unique<'_>, out: &mut dyn Outbox) {
        let job = self.find_by_unique(unique).map(|key| self.jobs.get(key));
        let status = job.map_or(Status::default(), status_of);
        let clients = job.map_or(0, |job| u32::try_from(job.waiters().len()).unwrap_or(u32::MAX));
        out.send(conn, Response::StatusResUnique { unique, status, clients });
    }

    /// The live job with this unique, in the function that came to be first; `-` names none.
    fn find_by_unique(&self, unique: Unique<'_>) -> Option<JobKey> {
        if unique.is_absent() || unique.is_workload() {
            return None;
        }
        self.functions.iter().find_map(|(function, _)| self.jobs.find_live(function, unique, &[]))
    }
}

fn status_of(job: &Job) -> Status {
    let (numerator, denominator) =
        job.running().map_or((0, 0), |running| (running.numerator, running.denominator));
    Status { known: true, running: job.running().is_some(), numerator, denominator }
}
