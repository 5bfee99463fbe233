//! Slots in every state, and what is left of them.

use super::*;
use crate::session::client::{Report, Sent};
use bytes::Bytes;
use std::collections::HashSet;

fn limits(now: Instant) -> Limits {
    let limit = Duration::from_secs(10);
    Limits { answer_by: now + Duration::from_secs(60), ends_by: now + limit, limit }
}

fn news(slots: &mut Slots, key: Key) -> Option<News> {
    match slots.poll(key, &Context::from_waker(Waker::noop()), &mut None) {
        Poll::Ready((news, _)) => Some(news),
        Poll::Pending => None,
    }
}

#[test]
fn all_jobs_of_a_connection_together_hold_no_more_than_their_limit() {
    let now = Instant::now();
    let (mut slots, mut wakers) = (Slots::new(1000, 3000), Vec::new());
    let piece = || Report::Data(Bytes::from_static(&[0; 700]));
    let keys: Vec<Key> = (0..5).map(|_| slots.insert(Want::Stream, limits(now), For::Itself)).collect();
    for key in &keys {
        slots.created(*key, OwnedHandle::default(), &mut wakers);
        assert!(matches!(news(&mut slots, *key), Some(News::Created(_))));
        // One is read at once, and so it is nobody's burden.
        slots.report(*key, piece(), &mut wakers);
        if *key == keys[0] {
            news(&mut slots, *key);
        }
    }
    let told: Vec<_> = keys.iter().map(|key| news(&mut slots, *key)).collect();
    let overrun = Some(News::Overrun(Held::OfConnection));
    assert_eq!(told[0], None);
    assert!(told[1..4].iter().all(|news| matches!(news, Some(News::Report(Report::Data(_))))), "{told:?}");
    assert_eq!(told[4], overrun, "it came last");
    // A result counts as well.
    slots.report(keys[0], piece(), &mut wakers);
    slots.report(keys[1], piece(), &mut wakers);
    slots.report(keys[2], piece(), &mut wakers);
    slots.end(keys[3], News::Report(Report::Complete(Bytes::from_static(&[0; 3000]))), &mut wakers);
    assert_eq!(news(&mut slots, keys[3]), overrun);
}

#[test]
fn what_came_in_time_is_read_behind_the_time_limit() {
    let now = Instant::now();
    let (mut slots, mut wakers) = (Slots::new(1000, 3000), Vec::new());
    let key = slots.insert(Want::Stream, limits(now), For::Itself);
    slots.created(key, OwnedHandle::default(), &mut wakers);
    slots.report(key, Report::Data(Bytes::from_static(b"in time")), &mut wakers);
    slots.sweep(now + Duration::from_secs(10), now, &mut wakers);
    let told: Vec<_> = std::iter::from_fn(|| news(&mut slots, key)).collect();
    assert!(matches!(told[..], [News::Created(_), News::Report(_), News::TimedOut { .. }]), "{told:?}");
}

#[test]
fn those_whose_time_is_over_are_told_before_the_connection_is_given_up() {
    let now = Instant::now();
    let (mut slots, mut wakers) = (Slots::new(1000, 3000), Vec::new());
    let limits = Limits { answer_by: now, ends_by: now, limit: Duration::ZERO };
    let key = slots.insert(Want::Answer, limits, For::Itself);
    assert_eq!(slots.sweep(now, now, &mut wakers), Sweep::Unanswered);
    assert!(matches!(news(&mut slots, key), Some(News::TimedOut { .. })));
}

#[test]
fn what_a_burst_left_is_not_looked_through_for_ever() {
    let now = Instant::now();
    let (mut slots, mut wakers) = (Slots::new(1000, 3000), Vec::new());
    let keys: Vec<Key> = (0..10_000).map(|_| slots.insert(Want::Answer, limits(now), For::Itself)).collect();
    for key in keys {
        slots.end(key, News::Lost(Sent::Not), &mut wakers);
        news(&mut slots, key);
    }
    assert_eq!((slots.len(), slots.slots.len()), (0, 0));
}

#[test]
fn a_reader_whose_time_is_over_is_told_once_and_its_job_goes_on() {
    let now = Instant::now();
    let (mut slots, mut wakers) = (Slots::new(1000, 1_000_000), Vec::new());
    let key = slots.insert(Want::Result, limits(now), For::Itself);
    slots.created(key, OwnedHandle::default(), &mut wakers);
    assert_eq!(slots.sweep(now, now, &mut wakers), Sweep::Next(Some(now + Duration::from_secs(10))));
    assert_eq!(news(&mut slots, key), None);
    assert_eq!(slots.sweep(now + Duration::from_secs(10), now, &mut wakers), Sweep::Next(None));
    assert_eq!(wakers.len(), 1);
    assert!(matches!(
        news(&mut slots, key),
        Some(News::TimedOut { doing: "waiting for the job to end", .. })
    ));
    assert_eq!((slots.len(), slots.waiting(), slots.abandoned()), (1, 0, 1), "the session knows it still");
    slots.report(key, Report::Data(Bytes::from_static(b"late")), &mut wakers);
    slots.end(key, News::Report(Report::Fail), &mut wakers);
    assert_eq!((slots.len(), slots.waiting(), slots.abandoned()), (0, 0, 0));
}

#[test]
fn an_answer_that_is_owed_too_long_is_noticed_though_nobody_waits_for_it() {
    let now = Instant::now();
    let (mut slots, mut wakers) = (Slots::new(1000, 1_000_000), Vec::new());
    let key = slots.insert(Want::Answer, limits(now), For::Itself);
    slots.abandon(key);
    let minute = now + Duration::from_secs(60);
    assert_eq!(slots.sweep(now, now, &mut wakers), Sweep::Next(Some(minute)));
    let later = minute + Duration::from_secs(5);
    assert_eq!(slots.sweep(minute, later, &mut wakers), Sweep::Next(Some(later)), "it says other things");
    assert_eq!(slots.sweep(now + Duration::from_secs(60), now, &mut wakers), Sweep::Unanswered);
}

#[test]
fn progress_that_nobody_reads_is_held_to_the_limit_as_well() {
    let (mut slots, mut wakers) = (Slots::new(1_000_000, 1_000_000), Vec::new());
    let key = slots.insert(Want::Stream, limits(Instant::now()), For::Itself);
    slots.created(key, OwnedHandle::default(), &mut wakers);
    for numerator in 0..100_000 {
        slots.report(key, Report::Status { numerator, denominator: 100_000 }, &mut wakers);
    }
    assert_eq!(news(&mut slots, key), Some(News::Overrun(Held::OfJob)));
    assert!(slots.slots[0].news.capacity() < 100_000);
}

/// Whatever session and readers do in whatever order: when both are through, nothing is left.
#[test]
#[expect(clippy::too_many_lines, reason = "one arm per step")]
fn slots_are_free_when_session_and_reader_are_through() {
    let mut random = fastrand::Rng::with_seed(11);
    let now = Instant::now();
    for _ in 0..500 {
        let (mut slots, mut wakers) = (Slots::new(100, 1_000_000), Vec::new());
        // What session and readers still know of each key, and how many of a set have had their last news.
        let mut session: Vec<(Key, bool)> = Vec::new();
        let mut readers: Vec<Key> = Vec::new();
        let mut set = slots.add_set();
        let (mut seats, mut ended) = (0, HashSet::new());
        let mut told = Vec::new();
        for _ in 0..200 {
            match random.u8(..10) {
                0 | 1 => {
                    let want = [Want::Answer, Want::Result, Want::Stream][random.usize(..3)];
                    let is_in_set = want != Want::Stream && random.bool();
                    let reader = if is_in_set { For::Set(set, seats) } else { For::Itself };
                    let key = slots.insert(want, limits(now), reader);
                    session.push((key, want != Want::Answer));
                    if is_in_set {
                        seats += 1;
                    } else {
                        readers.push(key);
                    }
                }
                8 => {
                    let context = Context::from_waker(Waker::noop());
                    told.clear();
                    let collected = slots.collect(set, &context, &mut told, &mut None);
                    assert_eq!(collected.is_ready(), !told.is_empty());
                    for Told { seat, last, .. } in &told {
                        assert!(!ended.contains(seat), "nothing follows the last");
                        if *last != Last::No {
                            ended.insert(*seat);
                        }
                    }
                }
                9 if random.u8(..8) == 0 => {
                    drop(slots.remove_set(set));
                    set = slots.add_set();
                    (seats, ended) = (0, HashSet::new());
                }
                2 if !session.is_empty() => {
                    let at = random.usize(..session.len());
                    let (key, is_job) = session[at];
                    slots.created(key, OwnedHandle::default(), &mut wakers);
                    if is_job {
                        // A second JOB_CREATED does not come.
                        session.swap_remove(at);
                        for _ in 0..random.u8(..4) {
                            let piece = Bytes::from_static(&[0; 60]);
                            slots.report(key, Report::Data(piece), &mut wakers);
                        }
                        if random.bool() {
                            slots.end(key, News::Report(Report::Fail), &mut wakers);
                        } else {
                            slots.end(key, News::Lost(Sent::Accepted), &mut wakers);
                        }
                    } else {
                        session.swap_remove(at);
                    }
                }
                3 if !session.is_empty() => {
                    let (key, _) = session.swap_remove(random.usize(..session.len()));
                    slots.end(key, News::Lost(Sent::Unanswered), &mut wakers);
                }
                4 if !readers.is_empty() => {
                    slots.abandon(readers.swap_remove(random.usize(..readers.len())));
                }
                5 if !readers.is_empty() => {
                    let at = random.usize(..readers.len());
                    let polled = slots.poll(readers[at], &Context::from_waker(Waker::noop()), &mut None);
                    if matches!(polled, Poll::Ready((_, Last::Yes(_)))) {
                        readers.swap_remove(at);
                    }
                }
                6 => drop(slots.sweep(now + Duration::from_secs(10), now, &mut wakers)),
                _ => {}
            }
        }
        for (key, _) in session {
            slots.end(key, News::Lost(Sent::Unanswered), &mut wakers);
        }
        for key in readers {
            slots.abandon(key);
        }
        // Each of the set has its last news exactly once, unless it was told a time limit before.
        told.clear();
        let collected = slots.collect(set, &Context::from_waker(Waker::noop()), &mut told, &mut None);
        assert_eq!(collected.is_ready(), !told.is_empty());
        ended.extend(told.iter().filter(|told| told.last != Last::No).map(|told| told.seat));
        assert_eq!(ended.len(), seats);
        drop(slots.remove_set(set));
        assert_eq!((slots.len(), slots.waiting(), slots.abandoned(), slots.held_bytes), (0, 0, 0, 0));
    }
}
