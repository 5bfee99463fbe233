//! Draining: workers take jobs and finish them, each finish and the next grab in one write.
//!
//! The result is empty. Where a protocol has no finishing (Redis `RPOP`), taking is all there is.

use std::time::Instant;

use crate::dialect::{Dialect, FUNCTION, Shape};
use crate::load::{Outbox, Script};
use crate::packet::{self, CAN_DO, GRAB_JOB, JOB_ASSIGN, NO_JOB, WORK_COMPLETE};
use crate::sample::Samples;
use crate::trouble::Trouble;

/// Takes exactly `total` jobs, with `in_flight` grabs unanswered on each connection.
pub(crate) struct Drain {
    dialect: Dialect,
    shape: Option<Shape>,
    in_flight: u64,
    total: u64,
    asked: u64,
    taken: u64,
    /// When the latest grab of each connection was sent.
    asked_at: Vec<Instant>,
    pub(crate) samples: Samples,
}

impl Drain {
    pub(crate) fn new(dialect: Dialect, in_flight: u64, total: u64) -> Self {
        Self {
            dialect,
            shape: None,
            in_flight,
            total,
            asked: 0,
            taken: 0,
            asked_at: Vec::new(),
            samples: Samples::default(),
        }
    }

    /// Every job must have the workload of this shape.
    pub(crate) fn of(mut self, shape: Shape) -> Self {
        self.shape = Some(shape);
        self
    }

    fn ask(&mut self, out: &mut Vec<u8>) {
        if self.asked < self.total {
            self.asked += 1;
            match self.dialect {
                Dialect::Gearman | Dialect::Echo => packet::request(GRAB_JOB, &[], out),
                Dialect::Beanstalk => out.extend_from_slice(b"reserve\r\n"),
                Dialect::Redis => out.extend_from_slice(b"*2\r\n$4\r\nRPOP\r\n$6\r\nresize\r\n"),
            }
        }
    }
}

impl Script for Drain {
    fn start(&mut self, outbox: &mut Outbox) {
        self.asked_at = vec![Instant::now(); outbox.len()];
        for link in 0..outbox.len() {
            let out = outbox.to(link);
            if self.dialect == Dialect::Gearman {
                packet::request(CAN_DO, &[FUNCTION], out);
            }
            for _ in 0..self.in_flight {
                self.ask(out);
            }
        }
    }

    fn receive(
        &mut self,
        link: usize,
        input: &[u8],
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<usize, Trouble> {
        let mut used = 0;
        let mut taken = 0;
        while let Some((answer, length)) = next_answer(self.dialect, input.get(used..).unwrap_or_default())? {
            used += length;
            match answer {
                Answer::Finished => {}
                Answer::Nothing => {
                    return Err(Trouble::Lost { missing: self.total - self.taken, of: self.total });
                }
                Answer::Job { handle, workload } => {
                    if self.shape.is_some() && !Shape::is_workload(workload) {
                        let length = workload.len();
                        return Err(Trouble::Answer(format!("another workload, of {length} bytes")));
                    }
                    taken += 1;
                    self.taken += 1;
                    let out = outbox.to(link);
                    match self.dialect {
                        Dialect::Gearman => packet::request(WORK_COMPLETE, &[handle, b""], out),
                        Dialect::Beanstalk => {
                            out.extend_from_slice(b"delete ");
                            out.extend_from_slice(handle);
                            out.extend_from_slice(b"\r\n");
                        }
                        Dialect::Redis | Dialect::Echo => {}
                    }
                    self.ask(out);
                }
            }
        }
        if let Some(at) = self.asked_at.get_mut(link)
            && taken > 0
        {
            self.samples.add(now.saturating_duration_since(*at), taken);
            *at = now;
        }
        Ok(used)
    }

    fn is_done(&self) -> bool {
        self.taken == self.total
    }
}

/// What a server says to a worker that takes and finishes.
#[derive(Debug, PartialEq, Eq)]
enum Answer<'a> {
    /// A job; only Gearman's workload is looked at.
    Job { handle: &'a [u8], workload: &'a [u8] },
    /// There is no job.
    Nothing,
    /// An earlier job is finished.
    Finished,
}

/// The first whole answer and its length, or nothing while it is incomplete.
fn next_answer(dialect: Dialect, input: &[u8]) -> Result<Option<(Answer<'_>, usize)>, Trouble> {
    if matches!(dialect, Dialect::Gearman | Dialect::Echo) {
        let Some(packet) = packet::answer(input)? else { return Ok(None) };
        return match packet.kind {
            JOB_ASSIGN => {
                let handle = packet.first_field();
                let workload = packet.body.splitn(3, |byte| *byte == 0).nth(2).unwrap_or_default();
                Ok(Some((Answer::Job { handle, workload }, packet.len())))
            }
            NO_JOB => Ok(Some((Answer::Nothing, packet.len()))),
            _ => Err(packet.unexpected()),
        };
    }
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    let line = input.get(..end).unwrap_or_default().trim_ascii_end();
    let (handle, length) = match line.split(|byte| *byte == b' ').collect::<Vec<_>>().as_slice() {
        [b"DELETED"] => return Ok(Some((Answer::Finished, end + 1))),
        [b"$-1"] => return Ok(Some((Answer::Nothing, end + 1))),
        [b"RESERVED", handle, length] => (*handle, *length),
        [word] if word.starts_with(b"$") => (&b""[..], word.get(1..).unwrap_or_default()),
        _ => return Err(Trouble::Answer(String::from_utf8_lossy(line).into_owned())),
    };
    let length: usize = std::str::from_utf8(length)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| Trouble::Answer(String::from_utf8_lossy(line).into_owned()))?;
    let whole = end + 1 + length + 2;
    Ok((input.len() >= whole).then_some((Answer::Job { handle, workload: b"" }, whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job<'a>(handle: &'a [u8], workload: &'a [u8]) -> Answer<'a> {
        Answer::Job { handle, workload }
    }

    #[test]
    fn a_job_without_its_workload_is_not_taken_for_one() {
        let mut drain = Drain::new(Dialect::Gearman, 1, 1).of(Shape { unique_bytes: 36 });
        let wire = b"\0RES\0\0\0\x0b\0\0\0\x07H:1\0f\0x";
        let taken = drain.receive(0, wire, Instant::now(), &mut Outbox::default());
        assert_eq!(taken.unwrap_err().to_string(), "unexpected answer: another workload, of 1 bytes");
    }

    #[test]
    fn answers_of_line_protocols_are_read_whole() {
        let reserved = b"RESERVED 17 4\r\nabcd\r\nDELETED\r\n";
        for cut in 0..21 {
            assert_eq!(next_answer(Dialect::Beanstalk, &reserved[..cut]).unwrap(), None, "cut at {cut}");
        }
        assert_eq!(next_answer(Dialect::Beanstalk, reserved).unwrap(), Some((job(b"17", b""), 21)));
        assert_eq!(next_answer(Dialect::Beanstalk, &reserved[21..]).unwrap(), Some((Answer::Finished, 9)));
        assert_eq!(next_answer(Dialect::Redis, b"$4\r\nabcd\r\n").unwrap(), Some((job(b"", b""), 10)));
        assert_eq!(next_answer(Dialect::Redis, b"$-1\r\n").unwrap(), Some((Answer::Nothing, 5)));
        assert!(next_answer(Dialect::Redis, b"-ERR no\r\n").is_err());
    }

    #[test]
    fn an_assigned_job_is_known_by_its_handle() {
        let wire = b"\0RES\0\0\0\x0b\0\0\0\x07H:1\0f\0x";
        assert_eq!(next_answer(Dialect::Gearman, wire).unwrap(), Some((job(b"H:1", b"x"), 19)));
        assert_eq!(next_answer(Dialect::Gearman, &wire[..18]).unwrap(), None);
    }
}
