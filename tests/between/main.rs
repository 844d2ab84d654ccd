//! What may happen between buses, batches and those who take them: events that come by several ways, emits
//! inside of emits, ends and panics in the middle, and the sums of it all.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;

mod circles;
mod handlers;
mod inside;
mod lives;
mod order;
mod panics;
mod state;
mod sums;
mod takers;
mod wakeups;

use chanbus::{Bus, Error, Subscription};

type Done = Result<(), Error>;

fn payloads<T: Copy + Send + Sync + 'static>(sub: &Subscription<T>) -> Vec<T> {
    sub.try_iter().map(|event| *event.payload()).collect()
}

/// Emits them as one batch.
fn emit<T: Send + Sync + 'static>(bus: &Bus<T>, events: Vec<(&str, T)>) {
    let mut batch = bus.start_batch();
    for (topic, payload) in events {
        batch.emit(topic, payload).unwrap();
    }
    batch.commit().unwrap();
}
