//! Tells when the wall clock was set, so that nobody has to look at it again and again.
//!
//! From: the kernel, which cancels a timer of the wall clock when that clock jumps (`timerfd_create(2)`,
//! `TFD_TIMER_CANCEL_ON_SET`; also after a sleep of the machine). To: [`crate::timer`].
//! Never: ticks.

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A timer that never runs out and is cancelled by a jump of the clock.
pub(crate) struct ClockJumps(AsyncFd<Fd>);

/// `TimerFd` as tokio wants to have it.
struct Fd(TimerFd);

impl AsRawFd for Fd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl ClockJumps {
    /// Starts watching; to be called on the runtime.
    ///
    /// # Errors
    /// Where the kernel (or a sandbox in its place) does not offer this timer.
    pub(crate) fn watch() -> io::Result<Self> {
        let timer =
            TimerFd::new(ClockId::CLOCK_REALTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        timer.set(
            Expiration::OneShot(TimeSpec::new(i64::MAX, 0)),
            TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET,
        )?;
        #[expect(unsafe_code, reason = "tokio cannot see that the descriptor stays open and the same")]
        // SAFETY: `as_raw_fd` gives the descriptor that `Fd` owns, the same at each call, and nothing closes it
        // before `AsyncFd` drops `Fd`.
        let timer = unsafe { AsyncFd::register_with_interest(Fd(timer), Interest::READABLE) };
        Ok(Self(timer.map_err(|error| error.into_parts().1)?))
    }

    /// Waits for the next jump.
    pub(crate) async fn next(&self) {
        // The descriptor is registered for as long as it lives, so waiting for it cannot fail.
        if let Ok(mut ready) = self.0.readable().await {
            // Takes the cancellation; the timer stays armed for the next one.
            self.0.get_ref().0.wait().ok();
            ready.clear_ready();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::time::Duration;
    use tokio::runtime::Builder;
    use tokio::time::timeout;

    #[test]
    fn nothing_is_told_while_the_clock_runs_on() {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let jumps = ClockJumps::watch().expect("the kernel offers it");
            let told = timeout(Duration::from_millis(50), jumps.next()).await;
            assert!(told.is_err(), "the timer would never sleep");
        });
    }

    /// The kernel reports a jump by a read that fails, and the timer stays armed. The clock cannot be set in a test;
    /// that the timer is one that is cancelled then can be seen.
    #[test]
    fn the_timer_is_one_that_a_jump_cancels() {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _entered = runtime.enter();
        let jumps = ClockJumps::watch().expect("the kernel offers it");
        let info = format!("/proc/self/fdinfo/{}", jumps.0.get_ref().as_raw_fd());
        let info = std::fs::read_to_string(info).expect("what the kernel knows of it");
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        assert_eq!(field("clockid:"), Some("0"), "of the wall clock: {info}");
        // TFD_TIMER_ABSTIME and TFD_TIMER_CANCEL_ON_SET.
        assert_eq!(field("settime flags:"), Some("03"), "{info}");
    }
}
