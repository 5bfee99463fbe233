//! The line of connections that sent more than one turn serves: one of them has its turn at a time.
//!
//! From: a connection whose turn ended before its messages did. To: its waker, when its next turn comes.
//! Never: keeps a connection waiting that sends what one turn serves. A thousand workers that register ten
//! thousand functions each stand here, and a client's submit passes between two of their turns.

use geartrain_core::ConnId;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::Waker;

/// The line of one thread.
#[derive(Debug, Default)]
struct Line {
    serving: Option<ConnId>,
    waiting: VecDeque<(ConnId, Waker)>,
}

thread_local! {
    static LINE: RefCell<Line> = RefCell::default();
}

impl Line {
    fn call_next(&mut self) {
        self.serving = self.waiting.pop_front().map(|(conn, waker)| {
            waker.wake();
            conn
        });
    }
}

/// Enters the line, unless the connection is in it; whether it is its turn.
pub(super) fn enter(conn: ConnId, waker: &Waker) -> bool {
    LINE.with_borrow_mut(|line| {
        if *line.serving.get_or_insert(conn) == conn {
            return true;
        }
        match line.waiting.iter_mut().find(|(waiting, _)| *waiting == conn) {
            Some((_, known)) => known.clone_from(waker),
            None => line.waiting.push_back((conn, waker.clone())),
        }
        false
    })
}

/// Ends a turn of a connection that has more: it goes to the end of the line.
pub(super) fn go_to_end(conn: ConnId, waker: &Waker) {
    LINE.with_borrow_mut(|line| {
        line.waiting.push_back((conn, waker.clone()));
        line.call_next();
    });
}

/// Leaves the line.
pub(super) fn leave(conn: ConnId) {
    LINE.with_borrow_mut(|line| {
        if line.serving == Some(conn) {
            line.call_next();
        } else {
            line.waiting.retain(|(waiting, _)| *waiting != conn);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use geartrain_core::{Core, Settings};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Debug, Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn turns_go_round_and_nobody_is_forgotten() {
        let mut core = Core::new(Settings::default()).unwrap();
        let [a, b, c] = [(); 3].map(|()| core.handle_connected(3, "127.0.0.1"));
        let counts: [Arc<Count>; 3] = Default::default();
        let [wake_a, wake_b, wake_c] = counts.each_ref().map(|count| Waker::from(Arc::clone(count)));
        let woken = || counts.each_ref().map(|count| count.0.load(Ordering::Relaxed));

        assert!(enter(a, &wake_a));
        assert!(!enter(b, &wake_b));
        assert!(!enter(c, &wake_c));
        assert!(!enter(b, &wake_b), "asking again is no second place");
        go_to_end(a, &wake_a);
        assert_eq!(woken(), [0, 1, 0]);
        assert!(enter(b, &wake_b));
        leave(c);
        leave(b);
        assert_eq!(woken(), [1, 1, 0]);
        assert!(enter(a, &wake_a));
        go_to_end(a, &wake_a);
        assert_eq!(woken(), [2, 1, 0], "alone in the line, it is next");
        leave(a);
        assert!(enter(c, &wake_c));
        leave(c);
    }
}
