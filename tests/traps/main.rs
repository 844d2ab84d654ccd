//! Traps that other buses and channels fell into, as scenarios: when this, then that.
//!
//! Each test is named after the trap's number in the project's list and cites where it happened. Not
//! here, but beside the rest of deferred buses in `tests/deferred/`: 37 (effects that publish), and
//! 39 where events are deferred. What is asked of handlers (19 to 29, 35, 40) is in
//! `handlers` and `failures`; some
//! of it is asked of taps, too, beside the rest of the core.
//!
//! The patterns themselves (43, 45, 46, 47) have their tests beside the matcher; here they are asked
//! of a bus.

// Clippy lets tests do so, not the helpers beside them.
#![allow(clippy::unwrap_used)]

mod delivery;
mod failures;
mod handlers;
mod outcome;
mod reentrancy;
mod snapshot;
mod tasks;
mod wakeups;
#[path = "../rows/watch.rs"]
mod watch;

use std::time::Duration;

use chanbus::{Beat, Overflow, Subscription};

type Done = Result<(), chanbus::Error>;

const ALL_POLICIES: [Overflow; 3] = [Overflow::DropNewest, Overflow::DropOldest, Overflow::Latest];

/// Longer than any test lasts.
const LONG: Duration = Duration::from_secs(3_600);

fn payloads<T: Copy + Send + Sync + 'static>(sub: &Subscription<T>) -> Vec<T> {
    sub.try_iter().map(|event| *event.payload()).collect()
}

fn topics<T: Send + Sync + 'static>(sub: &Subscription<T>) -> Vec<String> {
    sub.try_iter()
        .map(|event| event.topic().to_string())
        .collect()
}

/// Events as numbers, gaps as how many are missing; `count` beats of them.
fn beats(sub: &Subscription<i64>, count: usize) -> Vec<Result<i64, u64>> {
    sub.heartbeats(LONG)
        .take(count)
        .map(|beat| match beat {
            Beat::Event(event) => Ok(*event.payload()),
            Beat::Missed(count) => Err(count),
            Beat::Keepalive => unreachable!("nobody waits for an hour"),
        })
        .collect()
}
