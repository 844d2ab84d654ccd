//! What the benchmarks of the bus share: the payload, and the contenders written by hand.
//!
//! Two yardsticks stand beside the bus, both over `crossbeam-channel`, whose queues it uses itself:
//!
//! - the **Arc loop**: `try_send(arc.clone())` into one queue per subscriber. It is what people write
//!   before they look for a bus, and does the same work for many: one allocation, one push each.
//! - the **raw value**: one queue, the payload moved through it. No allocation, so it is the floor
//!   for one subscriber.
//!
//! Neither has topics, patterns, counters or an end of stream; the distance is what those cost.

// Each benchmark is a crate of its own and uses a part of this.
#![allow(dead_code)]

pub(crate) mod callbacks;
pub(crate) mod scene;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chanbus::{Bus, Subscription};
use criterion::Criterion;
use crossbeam_channel::{Receiver, Sender, bounded};

/// 32 bytes: a few fields, as events have; small enough that moving it is not what is measured.
pub(crate) type Payload = [u64; 4];

pub(crate) const PAYLOAD: Payload = [1, 2, 3, 4];

/// Slots of every queue, on the bus and off it.
pub(crate) const CAPACITY: usize = 256;

/// Short enough that all benchmarks of the bus run in minutes. For a closer look give criterion's
/// own options: `cargo bench --bench emit -- --measurement-time 5 --sample-size 100`.
pub(crate) fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
}

/// The value; a benchmark whose set-up fails measures nothing.
pub(crate) fn must<V, E: Debug>(result: Result<V, E>) -> V {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

/// A bus with room for `subscribers`, each with `capacity` slots.
pub(crate) fn bus(subscribers: usize, capacity: usize) -> Bus<Payload> {
    let builder = Bus::builder().capacity(capacity);
    must(builder.max_subscribers(subscribers).build())
}

/// Takes one event from each subscription.
pub(crate) fn take_each(subscriptions: &[Subscription<Payload>]) {
    for subscription in subscriptions {
        must(subscription.try_recv());
    }
}

/// Runs `act` so many times, and leaves out of the sum what `clear` takes after every `chunk` of them:
/// for acts that fill queues, where the draining is not what is measured.
pub(crate) fn timed_in_chunks(
    iterations: u64,
    chunk: u64,
    mut act: impl FnMut(u64),
    mut clear: impl FnMut(),
) -> Duration {
    let mut sum = Duration::ZERO;
    let mut next = 0;
    while next < iterations {
        let end = iterations.min(next + chunk);
        let start = Instant::now();
        (next..end).for_each(&mut act);
        sum += start.elapsed();
        clear();
        next = end;
    }
    sum
}

/// The Arc loop.
pub(crate) struct ArcLoop {
    senders: Vec<Sender<Arc<Payload>>>,
    receivers: Vec<Receiver<Arc<Payload>>>,
}

impl ArcLoop {
    pub(crate) fn new(subscribers: usize) -> Self {
        let (senders, receivers) = (0..subscribers).map(|_| bounded(CAPACITY)).unzip();
        ArcLoop { senders, receivers }
    }

    pub(crate) fn emit(&self, payload: Payload) {
        let event = Arc::new(payload);
        for sender in &self.senders {
            must(sender.try_send(Arc::clone(&event)));
        }
    }

    pub(crate) fn take_each(&self) {
        for receiver in &self.receivers {
            must(receiver.try_recv());
        }
    }

    pub(crate) fn drain(&self) {
        for receiver in &self.receivers {
            receiver.try_iter().for_each(drop);
        }
    }
}
