//! Submitting: every connection keeps a fixed number of submits unanswered.
//!
//! At the start each connection writes `in_flight` submits at once. When a read brings n answers, the next n
//! submits go out in one write, so the batches are those that the server makes by answering.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::dialect::{Dialect, Shape};
use crate::load::{Outbox, Script};
use crate::sample::Samples;
use crate::trouble::Trouble;

/// Submits, or echoes for the floor.
pub(crate) struct Submit {
    dialect: Dialect,
    shape: Option<Shape>,
    in_flight: u64,
    /// The number of the next job; it makes its unique.
    next: u64,
    end: u64,
    until: Option<Instant>,
    kept: u64,
    unanswered: u64,
    /// When the submits that are not answered yet were handed over, oldest first, per connection.
    sent: Vec<VecDeque<(Instant, u64)>>,
    pub(crate) samples: Samples,
}

impl Submit {
    /// Submits jobs `first` to `first + count`.
    pub(crate) fn new(dialect: Dialect, in_flight: u64, first: u64, count: u64) -> Self {
        Self {
            dialect,
            shape: None,
            in_flight,
            next: first,
            end: first + count,
            until: None,
            kept: 0,
            unanswered: 0,
            sent: Vec::new(),
            samples: Samples::default(),
        }
    }

    /// Submits jobs of this shape.
    pub(crate) fn of(mut self, shape: Shape) -> Self {
        self.shape = Some(shape);
        self
    }

    /// Submits nothing more after `time`, whatever is left.
    pub(crate) fn for_at_most(mut self, time: Duration) -> Self {
        self.until = Some(Instant::now() + time);
        self
    }

    /// Jobs the server said it keeps.
    pub(crate) fn kept(&self) -> u64 {
        self.kept
    }

    fn send(&mut self, link: usize, wanted: u64, now: Instant, outbox: &mut Outbox) {
        if self.until.is_some_and(|until| now >= until) {
            self.end = self.next;
        }
        let count = wanted.min(self.end - self.next);
        if count == 0 {
            return;
        }
        let out = outbox.to(link);
        for number in self.next..self.next + count {
            match self.shape {
                None => self.dialect.submit(number, out),
                Some(shape) => shape.submit(number, out),
            }
        }
        self.next += count;
        self.unanswered += count;
        if let Some(sent) = self.sent.get_mut(link) {
            sent.push_back((now, count));
        }
    }
}

impl Script for Submit {
    fn start(&mut self, outbox: &mut Outbox) {
        self.sent = vec![VecDeque::new(); outbox.len()];
        for link in 0..outbox.len() {
            self.send(link, self.in_flight, Instant::now(), outbox);
        }
    }

    fn receive(
        &mut self,
        link: usize,
        input: &[u8],
        now: Instant,
        outbox: &mut Outbox,
    ) -> Result<usize, Trouble> {
        let (count, used) = self.dialect.count_kept(input)?;
        let sent = self.sent.get_mut(link).ok_or_else(surplus)?;
        let mut left = count;
        while left > 0 {
            let (at, oldest) = sent.front_mut().ok_or_else(surplus)?;
            let answered = left.min(*oldest);
            self.samples.add(now.saturating_duration_since(*at), answered);
            left -= answered;
            *oldest -= answered;
            if *oldest == 0 {
                sent.pop_front();
            }
        }
        self.kept += count;
        self.unanswered -= count;
        self.send(link, count, now, outbox);
        Ok(used)
    }

    fn is_done(&self) -> bool {
        self.unanswered == 0 && self.next >= self.end
    }
}

fn surplus() -> Trouble {
    Trouble::Answer("more answers than submits".to_owned())
}
