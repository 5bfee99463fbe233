//! A queue in the plainest words: vectors that are searched from the front.
//!
//! It knows nothing of how `core` does it. It has no store, and wakes all sleepers, so that what every
//! connection gets is said exactly.

use geartrain_proto::{Function, GrabKind, Handle, Priority, Response, Status, Unique};

/// A packet for a connection, encoded.
pub(crate) type Sent = (usize, Vec<u8>);

#[derive(Default)]
pub(crate) struct Model {
    jobs: Vec<Job>,
    pub(crate) conns: Vec<Option<Conn>>,
    numbers: u64,
    places: u64,
    retries: u32,
    pub(crate) sent: Vec<Sent>,
}

struct Job {
    number: u64,
    place: u64,
    function: u8,
    unique: Vec<u8>,
    priority: Priority,
    workload: Vec<u8>,
    background: bool,
    waiters: Vec<usize>,
    worker: Option<usize>,
    progress: (u32, u32),
    attempts: u32,
}

#[derive(Default)]
pub(crate) struct Conn {
    /// The last registered is the last.
    abilities: Vec<u8>,
    sleeps: bool,
    exceptions: bool,
    exception_for: Option<u64>,
}

/// How a worker ends a job.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    Fail,
    Exception,
}

/// What a submit carries.
pub(crate) struct Submitted<'a> {
    pub(crate) function: u8,
    pub(crate) unique: &'a [u8],
    pub(crate) priority: Priority,
    pub(crate) workload: &'a [u8],
    pub(crate) background: bool,
}

pub(crate) fn function_name(function: u8) -> Vec<u8> {
    vec![b'f', b'0' + function]
}

fn handle(number: u64) -> Vec<u8> {
    format!("H:localhost:{number}").into_bytes()
}

impl Model {
    pub(crate) fn new(retries: u32, conns: usize) -> Self {
        Self { retries, conns: (0..conns).map(|_| None).collect(), ..Self::default() }
    }

    fn send(&mut self, conn: usize, response: &Response<'_>) {
        let mut bytes = Vec::new();
        response.encode(&mut bytes);
        self.sent.push((conn, bytes));
    }

    fn error(&mut self, conn: usize, code: &str, text: &str) {
        self.send(conn, &Response::Error { code: code.as_bytes(), text: text.as_bytes() });
    }

    fn conn(&mut self, conn: usize) -> &mut Conn {
        self.conns[conn].as_mut().expect("only open connections speak")
    }

    /// Every input but a failure forgets the exception before it.
    pub(crate) fn hear(&mut self, conn: usize) -> Option<u64> {
        self.conn(conn).exception_for.take()
    }

    pub(crate) fn submit(&mut self, conn: usize, new: &Submitted<'_>) {
        let same = |job: &&mut Job| {
            let by_workload =
                new.unique != b"-" || (job.workload == new.workload && !new.workload.is_empty());
            !new.unique.is_empty() && job.function == new.function && job.unique == new.unique && by_workload
        };
        if let Some(job) = self.jobs.iter_mut().find(same) {
            let number = job.number;
            if new.background {
                job.background = true;
            } else {
                job.waiters.push(conn);
            }
            return self.send(conn, &Response::JobCreated { handle: Handle::new(&handle(number)) });
        }
        self.numbers += 1;
        self.places += 1;
        let number = self.numbers;
        self.jobs.push(Job {
            number,
            place: self.places,
            function: new.function,
            unique: new.unique.to_vec(),
            priority: new.priority,
            workload: new.workload.to_vec(),
            background: new.background,
            waiters: if new.background { Vec::new() } else { vec![conn] },
            worker: None,
            progress: (0, 0),
            attempts: 0,
        });
        self.send(conn, &Response::JobCreated { handle: Handle::new(&handle(number)) });
        self.wake(new.function);
    }

    fn wake(&mut self, function: u8) {
        for index in 0..self.conns.len() {
            if let Some(conn) = &mut self.conns[index]
                && conn.sleeps
                && conn.abilities.contains(&function)
            {
                conn.sleeps = false;
                self.send(index, &Response::Noop);
            }
        }
    }

    /// The last registered function that has a waiting job; in it high before low, then who came first.
    fn best(&self, conn: usize) -> Option<usize> {
        let abilities = &self.conns[conn].as_ref()?.abilities;
        abilities.iter().rev().find_map(|function| {
            let waiting = self.jobs.iter().enumerate().filter(|(_, job)| job.function == *function);
            let waiting = waiting.filter(|(_, job)| job.worker.is_none());
            waiting.min_by_key(|(_, job)| (job.priority, job.place)).map(|(index, _)| index)
        })
    }

    pub(crate) fn grab(&mut self, conn: usize, kind: GrabKind) {
        self.conn(conn).sleeps = false;
        let Some(index) = self.best(conn) else { return self.send(conn, &Response::NoJob) };
        let job = &mut self.jobs[index];
        job.worker = Some(conn);
        job.progress = (0, 0);
        let (handle, function) = (handle(job.number), function_name(job.function));
        let (handle, function) = (Handle::new(&handle), Function::new(&function));
        let (unique, workload) = (job.unique.clone(), job.workload.clone());
        match kind {
            GrabKind::Plain => {
                self.send(conn, &Response::JobAssign { handle, function, workload: &workload })
            }
            GrabKind::Unique | GrabKind::All => {
                let unique = Unique::new(&unique);
                self.send(conn, &Response::JobAssignUniq { handle, function, unique, workload: &workload });
            }
        }
    }

    pub(crate) fn pre_sleep(&mut self, conn: usize) {
        let has_work = self.best(conn).is_some();
        self.conn(conn).sleeps = !has_work;
        if has_work {
            self.send(conn, &Response::Noop);
        }
    }

    pub(crate) fn can_do(&mut self, conn: usize, function: u8) {
        let peer = self.conn(conn);
        let known = peer.abilities.contains(&function);
        peer.abilities.retain(|ability| *ability != function);
        peer.abilities.push(function);
        let sleeps = peer.sleeps;
        if sleeps && !known {
            self.pre_sleep(conn);
        }
    }

    pub(crate) fn cant_do(&mut self, conn: usize, function: u8) {
        let peer = self.conn(conn);
        if !peer.abilities.contains(&function) {
            return;
        }
        peer.abilities.retain(|ability| *ability != function);
        self.give_back(conn, Some(function));
    }

    pub(crate) fn reset_abilities(&mut self, conn: usize) {
        self.conn(conn).abilities.clear();
        self.give_back(conn, None);
    }

    pub(crate) fn set_exceptions(&mut self, conn: usize) {
        self.conn(conn).exceptions = true;
        self.send(conn, &Response::Option { name: b"exceptions" });
    }

    fn give_back(&mut self, conn: usize, of: Option<u8>) {
        let is_lost =
            |job: &Job| job.worker == Some(conn) && of.is_none_or(|function| function == job.function);
        let mut numbers: Vec<u64> =
            self.jobs.iter().filter(|job| is_lost(job)).map(|job| job.number).collect();
        numbers.sort_unstable();
        for number in numbers {
            self.places += 1;
            let (place, retries) = (self.places, self.retries);
            let index = self.position(number);
            let job = &mut self.jobs[index];
            job.worker = None;
            job.attempts += 1;
            job.place = place;
            if retries > 0 && job.attempts >= retries {
                let job = self.jobs.remove(index);
                self.tell_failure(&job);
            } else if !job.background && job.waiters.is_empty() {
                self.jobs.remove(index);
            } else {
                let function = job.function;
                self.wake(function);
            }
        }
    }

    fn tell_failure(&mut self, job: &Job) {
        for waiter in &job.waiters {
            self.send(*waiter, &Response::WorkFail { handle: Handle::new(&handle(job.number)) });
        }
    }

    fn position(&self, number: u64) -> usize {
        self.jobs.iter().position(|job| job.number == number).expect("a job that was just seen")
    }

    fn owned(&self, conn: usize, number: u64) -> Option<usize> {
        self.jobs.iter().position(|job| job.number == number && job.worker == Some(conn))
    }

    pub(crate) fn status(&mut self, conn: usize, number: u64, numerator: u32) {
        let Some(index) = self.owned(conn, number) else {
            return self.error(conn, "JOB_NOT_FOUND", "Job given in work result not found");
        };
        self.jobs[index].progress = (numerator, 9);
        let text = numerator.to_string();
        for waiter in self.jobs[index].waiters.clone() {
            let handle = handle(number);
            let handle = Handle::new(&handle);
            self.send(
                waiter,
                &Response::WorkStatus { handle, numerator: text.as_bytes(), denominator: b"9" },
            );
        }
    }

    pub(crate) fn data(&mut self, conn: usize, number: u64, data: &[u8]) {
        let Some(index) = self.owned(conn, number) else {
            return self.error(conn, "JOB_NOT_FOUND", "Job does not exist on server");
        };
        for waiter in self.jobs[index].waiters.clone() {
            self.send(waiter, &Response::WorkData { handle: Handle::new(&handle(number)), data });
        }
    }

    pub(crate) fn end(&mut self, conn: usize, number: u64, end: End, exception_for: Option<u64>) {
        let Some(index) = self.owned(conn, number) else {
            let text = match end {
                End::Exception => "An exception was received for a job that does not exist",
                End::Complete | End::Fail => "Job given in work result not found",
            };
            if end != End::Fail || exception_for != Some(number) {
                self.error(conn, "JOB_NOT_FOUND", text);
            }
            return;
        };
        let job = self.jobs.remove(index);
        let handle = handle(number);
        let handle = Handle::new(&handle);
        for waiter in job.waiters {
            let wants = self.conns[waiter].as_ref().is_some_and(|peer| peer.exceptions);
            let response = match end {
                End::Complete => Response::WorkComplete { handle, result: b"r" },
                End::Exception if wants => Response::WorkException { handle, exception: b"e" },
                End::Fail | End::Exception => Response::WorkFail { handle },
            };
            self.send(waiter, &response);
        }
        if end == End::Exception {
            self.conn(conn).exception_for = Some(number);
        }
    }

    pub(crate) fn get_status(&mut self, conn: usize, number: u64) {
        let job = self.jobs.iter().find(|job| job.number == number);
        let status = job.map_or(Status::default(), |job| {
            let (numerator, denominator) = if job.worker.is_some() { job.progress } else { (0, 0) };
            Status { known: true, running: job.worker.is_some(), numerator, denominator }
        });
        self.send(conn, &Response::StatusRes { handle: Handle::new(&handle(number)), status });
    }

    pub(crate) fn cancel(&mut self, number: u64) -> &'static [u8] {
        let Some(index) = self.jobs.iter().position(|job| job.number == number) else {
            return b"ERR UNKNOWN_JOB\r\n";
        };
        let job = self.jobs.remove(index);
        self.tell_failure(&job);
        b"OK\r\n"
    }

    pub(crate) fn close(&mut self, conn: usize) {
        self.conns[conn] = None;
        for job in &mut self.jobs {
            job.waiters.retain(|waiter| *waiter != conn);
        }
        self.jobs.retain(|job| job.background || job.worker.is_some() || !job.waiters.is_empty());
        self.give_back(conn, None);
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }
}
