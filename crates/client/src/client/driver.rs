//! The task of one connection: reads, writes what others could not, and keeps the time limits.

use super::link::{Link, Turn};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::time::{Instant, Sleep, sleep_until};

pub(super) struct Driver {
    link: Arc<Link>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Who is woken when the connection is not held any more; empty between turns.
    wakers: Vec<Waker>,
}

impl Driver {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link, timer: None, wakers: Vec::new() }
    }

    fn turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let at = match self.link.turn(context, &mut self.wakers) {
                Turn::Over => return Poll::Ready(()),
                Turn::Wait { check_at: None } => return Poll::Pending,
                Turn::Wait { check_at: Some(at) } => at,
            };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if timer.deadline() != at {
                timer.as_mut().reset(at);
            }
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            // What came in time counts, whether it was read or not.
            let now = Instant::now();
            if !self.link.take_over(now) {
                self.link.check(now, &mut self.wakers);
            }
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let turn = self.turn(context);
        self.wakers.drain(..).for_each(Waker::wake);
        turn
    }
}

/// A runtime that shuts down drops its tasks: nobody would be told any more.
impl Drop for Driver {
    fn drop(&mut self) {
        self.link.close("its runtime was shut down");
    }
}
