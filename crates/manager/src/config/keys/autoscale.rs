//! The keys of `[program.NAME.autoscale]`.

use super::{DAY, Effect, Key, MILLISECOND, decimal, number, or_none, time};
use crate::config::Autoscale;
use std::time::Duration;

/// The keys of `[program.NAME.autoscale]`.
pub const AUTOSCALE: &[Key<Autoscale>] = &[
    Key {
        name: "target-wait",
        help: "How long a job should wait at most",
        takes: "a time from 100ms to 1d",
        default: "\"5s\"",
        example: "\"2s\"",
        effect: Effect::Live,
        set: |scale, given| {
            scale.target_wait = given.time(100 * MILLISECOND..=DAY)?;
            Some(())
        },
        show: |scale| time(scale.target_wait),
    },
    Key {
        name: "up-per-minute",
        help: "Most processes added in a minute",
        takes: "a number from 1 to 1000",
        default: "10",
        example: "20",
        effect: Effect::Live,
        set: |scale, given| {
            scale.up_per_minute = given.number(1..=1000)?;
            Some(())
        },
        show: |scale| number(scale.up_per_minute),
    },
    Key {
        name: "down-per-minute",
        help: "Most processes taken away in a minute",
        takes: "a number from 1 to 1000",
        default: "2",
        example: "1",
        effect: Effect::Live,
        set: |scale, given| {
            scale.down_per_minute = given.number(1..=1000)?;
            Some(())
        },
        show: |scale| number(scale.down_per_minute),
    },
    Key {
        name: "idle",
        help: "How long there must have been too many processes before any is taken away",
        takes: "a time from 0s to 1d",
        default: "\"1m\"",
        example: "\"5m\"",
        effect: Effect::Live,
        set: |scale, given| {
            scale.idle = given.time(Duration::ZERO..=DAY)?;
            Some(())
        },
        show: |scale| time(scale.idle),
    },
    Key {
        name: "load-max",
        help: "Load of the machine, of one minute and divided by its cores, over which none is added; in a container with a limit on processors also twice the part of the minute in which something in it waited for one",
        takes: "a number from 0.1 to 100, or \"none\"",
        default: "1.5",
        example: "0.8",
        effect: Effect::Live,
        set: |scale, given| {
            scale.load_max = given.or_none(|given| given.decimal(0.1..=100.0))?;
            Some(())
        },
        show: |scale| or_none(scale.load_max, decimal),
    },
    Key {
        name: "memory-max",
        help: "Part of the memory in use (that is not available), of the machine or of the container's limit, over which none is added",
        takes: "a number from 0.1 to 1, or \"none\"",
        default: "0.9",
        example: "0.8",
        effect: Effect::Live,
        set: |scale, given| {
            scale.memory_max = given.or_none(|given| given.decimal(0.1..=1.0))?;
            Some(())
        },
        show: |scale| or_none(scale.memory_max, decimal),
    },
];
