//! How each server is asked to keep a job, in its own protocol.
//!
//! The content is the same everywhere: 64 bytes of workload and 36 bytes of unique. Where a protocol knows no
//! unique, its bytes stand before the workload, so that every server moves and keeps 100 bytes.

use crate::packet::{self, ECHO_REQ, ECHO_RES, JOB_CREATED, SUBMIT_JOB_BG};
use crate::trouble::Trouble;

/// The function of the jobs.
pub(crate) const FUNCTION: &[u8] = b"resize";

/// The first 20 of the 36 bytes of a unique; 16 digits that differ in every job follow.
const UNIQUE_START: &[u8; 20] = b"9f1c2a7e-4b60-4d1c-a";

/// The shortest unique that differs in every job.
pub(crate) const UNIQUE_BYTES_MIN: usize = 16;

/// The longest unique of Gearman.
pub(crate) const UNIQUE_BYTES_MAX: usize = 64;

/// What stands before the digits of the longest unique; its end is that of 36 bytes.
const LONG_UNIQUE_START: &[u8; UNIQUE_BYTES_MAX - 16] = b"photos.example/2026/11/20/a/9f1c2a7e-4b60-4d1c-a";

/// A workload of 64 bytes.
pub(crate) const WORKLOAD: &[u8; 64] =
    b"{\"photo\":\"2026/11/20/00000001.jpg\",\"width\":1600,\"format\":\"webp\"}";

/// The language of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Gearman, as clients speak it.
    Gearman,
    /// `ECHO_REQ` with as many bytes as the submit of a job has.
    Echo,
    /// `put` of beanstalkd.
    Beanstalk,
    /// `LPUSH` of Redis.
    Redis,
}

/// The unique of job `number`: different for every number, spread over the digits as random ones are.
pub(crate) fn unique(number: u64) -> [u8; 36] {
    let mut unique = [0; 36];
    for (place, byte) in unique.iter_mut().zip(UNIQUE_START.iter().chain(&hex(spread(number)))) {
        *place = *byte;
    }
    unique
}

/// A workload of 256 bytes.
const LARGE_WORKLOAD: &[u8; 256] = b"\
    {\"photo\":\"s3://photos.example/2026/11/20/00000001.jpg\",\"to\":\"s3://photos.example/2026/\
    11/20/w1600/00000001.webp\",\"width\":1600,\"height\":1067,\"format\":\"webp\",\"quality\":82,\"sh\
    arpen\":0.4,\"strip\":true,\"owner\":\"5c1e7b02-91d4-4c1a-8f39-0b7f1f0f0a11\",\"asked\":\"20\"}";

/// How large the jobs are that a row submits, where they are not those of all servers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Length of the unique: 0, or [`UNIQUE_BYTES_MIN`] to [`UNIQUE_BYTES_MAX`].
    pub(crate) unique_bytes: usize,
}

impl Shape {
    /// Length of the workload.
    pub(crate) const WORKLOAD_BYTES: u64 = 256;

    /// Appends a background submit of job `number`.
    pub(crate) fn submit(self, number: u64, out: &mut Vec<u8>) {
        let mut longest = [0; UNIQUE_BYTES_MAX];
        for (place, byte) in longest.iter_mut().zip(LONG_UNIQUE_START.iter().chain(&hex(spread(number)))) {
            *place = *byte;
        }
        let unique = longest.get(UNIQUE_BYTES_MAX - self.unique_bytes..).unwrap_or_default();
        packet::request(SUBMIT_JOB_BG, &[FUNCTION, unique, LARGE_WORKLOAD], out);
    }

    /// Whether a worker was given the workload that was submitted, byte for byte.
    pub(crate) fn is_workload(workload: &[u8]) -> bool {
        workload == LARGE_WORKLOAD
    }
}

/// A bijection on 64 bits (the finisher of splitmix64).
fn spread(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn hex(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        if let [high, low] = pair {
            (*high, *low) = (digit(byte >> 4), digit(byte & 15));
        }
    }
    digits
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

impl Dialect {
    /// Appends the request that keeps job `number`.
    pub(crate) fn submit(self, number: u64, out: &mut Vec<u8>) {
        let unique = unique(number);
        match self {
            Self::Gearman => packet::request(SUBMIT_JOB_BG, &[FUNCTION, &unique, WORKLOAD], out),
            Self::Echo => packet::request(ECHO_REQ, &[FUNCTION, &unique, WORKLOAD], out),
            Self::Beanstalk => {
                out.extend_from_slice(b"put 0 0 600 100\r\n");
                out.extend_from_slice(&unique);
                out.extend_from_slice(WORKLOAD);
                out.extend_from_slice(b"\r\n");
            }
            Self::Redis => {
                out.extend_from_slice(b"*3\r\n$5\r\nLPUSH\r\n$6\r\nresize\r\n$100\r\n");
                out.extend_from_slice(&unique);
                out.extend_from_slice(WORKLOAD);
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Counts the whole answers to submits at the start of `input`, and their bytes.
    ///
    /// # Errors
    ///
    /// `Answer` when one of them says anything but that the job is kept.
    pub(crate) fn count_kept(self, input: &[u8]) -> Result<(u64, usize), Trouble> {
        let mut count = 0;
        let used = match self {
            Self::Gearman | Self::Echo => {
                let wanted = if self == Self::Echo { ECHO_RES } else { JOB_CREATED };
                packet::each_answer(input, |answer| {
                    count += 1;
                    if answer.kind == wanted { Ok(()) } else { Err(answer.unexpected()) }
                })?
            }
            Self::Beanstalk => each_line(input, |line| {
                count += 1;
                line.starts_with(b"INSERTED ")
            })?,
            Self::Redis => each_line(input, |line| {
                count += 1;
                line.starts_with(b":")
            })?,
        };
        Ok((count, used))
    }

    /// A request that every state of the server answers with something at once.
    pub(crate) fn ping(self) -> Vec<u8> {
        match self {
            Self::Gearman => b"version\r\n".to_vec(),
            Self::Echo => {
                let mut out = Vec::new();
                packet::request(ECHO_REQ, &[b"\n"], &mut out);
                out
            }
            Self::Beanstalk => b"list-tube-used\r\n".to_vec(),
            Self::Redis => b"PING\r\n".to_vec(),
        }
    }
}

/// Calls `accept` for each whole line, and says how many bytes they were.
fn each_line(input: &[u8], mut accept: impl FnMut(&[u8]) -> bool) -> Result<usize, Trouble> {
    let mut used = 0;
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        if !line.ends_with(b"\n") {
            break;
        }
        if !accept(line) {
            return Err(Trouble::Answer(String::from_utf8_lossy(line).trim_end().to_owned()));
        }
        used += line.len();
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_uniques_of_different_jobs_differ_and_have_36_bytes() {
        let uniques: HashSet<[u8; 36]> = (0..10_000).map(unique).collect();
        assert_eq!(uniques.len(), 10_000);
        assert!(uniques.iter().all(|unique| unique.iter().all(|byte| byte.is_ascii_graphic())));
    }

    #[test]
    fn a_shaped_submit_has_its_lengths_and_a_unique_of_its_own() {
        for unique_bytes in [0, UNIQUE_BYTES_MIN, 36, UNIQUE_BYTES_MAX] {
            let shape = Shape { unique_bytes };
            let mut seen = HashSet::new();
            for number in 0..100 {
                let mut submit = Vec::new();
                shape.submit(number, &mut submit);
                let body = packet::first(&submit, b"\0REQ").unwrap().unwrap().body;
                let fields: Vec<&[u8]> = body.splitn(3, |byte| *byte == 0).collect();
                assert_eq!((fields[0], fields[1].len()), (FUNCTION, unique_bytes));
                assert!(Shape::is_workload(fields[2]) && !Shape::is_workload(&fields[2][1..]));
                if unique_bytes == 36 {
                    assert_eq!(fields[1], unique(number));
                }
                seen.insert(fields[1].to_vec());
            }
            assert_eq!(seen.len(), if unique_bytes == 0 { 1 } else { 100 });
        }
    }

    #[test]
    fn a_submit_and_its_echo_have_the_same_length() {
        let (mut submit, mut echo) = (Vec::new(), Vec::new());
        Dialect::Gearman.submit(7, &mut submit);
        Dialect::Echo.submit(7, &mut echo);
        assert_eq!(submit.len(), 12 + 6 + 1 + 36 + 1 + 64);
        assert_eq!(submit.len(), echo.len());
        let first = packet::first(&submit, b"\0REQ").unwrap().unwrap();
        assert_eq!((first.kind, first.len()), (SUBMIT_JOB_BG, submit.len()));
    }

    #[test]
    fn answers_are_counted_up_to_the_last_whole_one() {
        assert_eq!(Dialect::Beanstalk.count_kept(b"INSERTED 1\r\nINSERTED 2\r\nINS").unwrap(), (2, 24));
        assert_eq!(Dialect::Redis.count_kept(b":1\r\n:").unwrap(), (1, 4));
        assert_eq!(Dialect::Redis.count_kept(b"").unwrap(), (0, 0));
    }

    #[test]
    fn a_refusal_is_an_error_with_its_text() {
        let refused = Dialect::Beanstalk.count_kept(b"DRAINING\r\n").unwrap_err();
        assert_eq!(refused.to_string(), "unexpected answer: DRAINING");
        let refused = Dialect::Gearman.count_kept(b"\0RES\0\0\0\x13\0\0\0\x0dQUEUE_ERROR\0x").unwrap_err();
        assert_eq!(refused.to_string(), "unexpected answer: ERROR QUEUE_ERROR x");
    }
}
