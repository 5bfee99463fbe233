//! Text commands: what people and scripts ask on the Gearman port.
//!
//! From: `Core::handle_admin`. To: one reply each, byte for byte as the reference's, its mix of line ends
//! included; the lists are in `lists.rs`.

use crate::chores::{DROPS_MAX, Drop};
use crate::core::Core;
use crate::event::Ended;
use crate::function::FunctionKey;
use crate::ids::ConnId;
use crate::job::JobKey;
use crate::lists::Table;
use crate::outbox::{Answer, Outbox};
use geartrain_proto::{AdminCommand, DropWaiting, Function, Handle, Priority, Refusal, Response};

impl Core {
    pub(crate) fn admin(&mut self, conn: ConnId, command: &AdminCommand<'_>, out: &mut dyn Outbox) {
        let reply = match *command {
            AdminCommand::Status => return self.list(conn, Table::Functions, out),
            AdminCommand::PriorityStatus => return self.list(conn, Table::Priorities, out),
            AdminCommand::Workers => return self.list(conn, Table::Workers, out),
            AdminCommand::ShowJobs => return self.list(conn, Table::Jobs, out),
            AdminCommand::ShowUniqueJobs => return self.list(conn, Table::Uniques, out),
            AdminCommand::CancelJob(handle) => self.cancel_job(handle, out),
            AdminCommand::CreateFunction(name) => match self.function_for(name) {
                Some(_) => b"OK\r\n".to_vec(),
                None => b"ERR too many functions\r\n".to_vec(),
            },
            AdminCommand::DropFunction { function, waiting } => {
                return self.drop_function(conn, function, waiting, out);
            }
            AdminCommand::MaxQueue { function, bounds } => {
                if let Some(key) = self.functions.find(function) {
                    self.functions.get_mut(key).bounds = bounds;
                }
                b"OK\r\n".to_vec()
            }
            AdminCommand::GetPid => format!("OK {}\n", self.settings.pid).into_bytes(),
            AdminCommand::Verbose => format!("OK {}\n", self.settings.verbose).into_bytes(),
            AdminCommand::Version => format!("OK {}\n", self.settings.version).into_bytes(),
            AdminCommand::Refused(refusal) => refuse(refusal),
            AdminCommand::Typed(ref command) => return self.handle_command(conn, command.as_ref(), out),
        };
        out.text(conn, &reply);
    }

    fn cancel_job(&mut self, handle: Handle<'_>, out: &mut dyn Outbox) -> Vec<u8> {
        let key = self.handles.number(handle).and_then(|number| self.jobs.find(number));
        match key {
            Some(key) => {
                self.cancel(key, out);
                b"OK\r\n".to_vec()
            }
            None => b"ERR UNKNOWN_JOB\r\n".to_vec(),
        }
    }

    /// Ends a job at once; its clients get one `WORK_FAIL`, its worker is not told.
    pub(crate) fn cancel(&mut self, key: JobKey, out: &mut dyn Outbox) {
        let job = self.end(key, Ended::Cancelled, out);
        let handle = self.handles.text(job.number());
        for waiter in job.waiters() {
            out.send(*waiter, Response::WorkFail { handle: handle.as_handle() });
        }
    }

    fn drop_function(
        &mut self,
        conn: ConnId,
        name: Function<'_>,
        waiting: DropWaiting,
        out: &mut dyn Outbox,
    ) {
        let place = self.reads.next_ticket();
        let before = self.writing.next_number();
        let mut chore = Drop { function: name.as_bytes().into(), before, at: 0, conn, place };
        let has_jobs = self.functions.find(name).is_some_and(|function| self.jobs.line(function).total() > 0);
        let reply = if self.functions.find(name).is_none() {
            Some(b"ERR function not found\r\n".to_vec())
        } else if has_jobs && waiting == DropWaiting::Refuse {
            Some(IN_USE.to_vec())
        } else if self.chores.drops.len() >= DROPS_MAX {
            Some(b"ERR too many functions are being dropped\r\n".to_vec())
        } else {
            self.drop_jobs(&mut chore, out)
        };
        match reply {
            Some(reply) => out.text(conn, &reply),
            None => {
                out.hold(conn, place, Answer::Text(b"OK\r\n"));
                self.chores.drops.push_back(chore);
            }
        }
    }

    /// Cancels a portion of the jobs of a function that is dropped, and drops it where none is left: the answer
    /// then. A function that gets workers meanwhile, or further jobs, stays.
    pub(crate) fn drop_jobs(&mut self, chore: &mut Drop, out: &mut dyn Outbox) -> Option<Vec<u8>> {
        let Some(function) = self.functions.find(Function::new(&chore.function)) else {
            return Some(b"OK\r\n".to_vec());
        };
        let line = self.jobs.line(function);
        if self.functions.get(function).workers > 0 || line.running() > 0 {
            return Some(IN_USE.to_vec());
        }
        let room = self.cancel_queued(function, chore, out);
        if room == 0 {
            return None;
        }
        // Those that wait for their time stand in no list.
        if self.jobs.line(function).delayed() > 0 {
            let (keys, next) = self.jobs.portion(chore.at, room);
            for key in keys {
                let job = self.jobs.get(key);
                if job.function() == function && job.number() < chore.before {
                    self.cancel(key, out);
                }
            }
            if let Some(next) = next.filter(|_| self.jobs.line(function).delayed() > 0) {
                chore.at = next;
                return None;
            }
        }
        if self.jobs.line(function).total() > 0 {
            return Some(IN_USE.to_vec());
        }
        self.forget_gate(function);
        self.functions.remove(function);
        Some(b"OK\r\n".to_vec())
    }

    /// A job that is not new came to this function: it was moved, requeued or joined. Where the function is being
    /// dropped it stays, with all jobs that it has now, since that one's number says that it is meant.
    pub(crate) fn keep_function(&mut self, function: FunctionKey, out: &mut dyn Outbox) {
        if self.chores.drops.is_empty() {
            return;
        }
        let name = self.functions.name(function).as_bytes();
        self.chores.drops.retain(|chore| {
            let stays = *chore.function == *name;
            if stays {
                out.replace(chore.conn, chore.place, Answer::Text(IN_USE));
            }
            !stays
        });
    }

    /// Cancels the first jobs in the line of a function that is dropped: how many more a portion has room for.
    fn cancel_queued(&mut self, function: FunctionKey, chore: &Drop, out: &mut dyn Outbox) -> usize {
        let mut room = self.settings.portion;
        for priority in Priority::ALL {
            // Jobs that were submitted since stand behind those that are meant.
            let is_meant = |key: &JobKey| self.jobs.get(*key).number() < chore.before;
            let keys: Vec<JobKey> =
                self.jobs.queue(function, priority).take_while(is_meant).take(room).collect();
            room -= keys.len();
            for key in keys {
                self.cancel(key, out);
            }
        }
        room
    }
}

/// Why a function is not dropped, as the reference says it.
const IN_USE: &[u8] = b"ERR there are still connected workers or executing clients\r\n";

/// The reference runs the words of these together.
fn refuse(refusal: Refusal<'_>) -> Vec<u8> {
    match refusal {
        Refusal::UnknownCommand(word) => {
            [b"ERR UNKNOWN_COMMAND Unknown+server+command", word, b"\r\n"].concat()
        }
        Refusal::UnknownShow => b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n".to_vec(),
        Refusal::UnknownCancel => b"ERR UNKNOWN_ERROR\r\n".to_vec(),
        Refusal::Incomplete(command) => format!(
            "ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+{command}\r\n"
        )
        .into_bytes(),
    }
}
