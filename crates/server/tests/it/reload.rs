//! The configuration file, taken in while the server serves.

use crate::world::World;
use geartrain_core::{FileRule, Reloaded};
use geartrain_disk::Disk;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Whoever waits for signals beside it sees them before a large file is taken in, and may end the server there.
#[test]
fn a_reload_gives_way_between_its_steps_and_may_be_left_there() {
    // Before all is loaded there is one step.
    let world = World::on(&Disk::new(10));
    let mut client = world.connect();
    client.send_bytes(b"create function f\r\n");
    assert_eq!(client.line(), "OK\r\n");
    let values = vec![("paused".to_owned(), "true".to_owned())];
    let rules = [FileRule { pattern: b"f".to_vec(), values }];
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut left = pin!(world.server().reload(&rules, &[]));
        assert!(left.as_mut().poll(&mut context).is_pending());
    }
    client.expect_alive();
    let reloaded = {
        let mut whole = pin!(world.server().reload(&[], &[]));
        let mut steps = 0;
        loop {
            match whole.as_mut().poll(&mut context) {
                Poll::Ready(reloaded) => break reloaded.unwrap(),
                Poll::Pending => steps += 1,
            }
            client.expect_alive();
            assert!(steps < 100, "it ends");
        }
    };
    assert_eq!(reloaded, Reloaded { functions: 1, schedules: 0 }, "what the one that was left had paused");
    world.stop();
}
