//! The bus and its peers, behind one interface.
//!
//! All move the same payload of 32 bytes into queues or rings of the same capacity, and each
//! subscriber takes every event. What is called on the clock is marked `#[inline]`, so that a thin
//! wrapper costs nobody anything.

mod channels;
mod own;
mod rings;
mod tasks;

pub(crate) use channels::{AsyncChannel, ByArc, ByValue, Crossbeam, Flume, Kanal, TokioMpsc};
pub(crate) use own::{OwnHanded, OwnPublisher, OwnTopic};
pub(crate) use rings::{AsyncBroadcast, JonhooBus, TokioBroadcast};
#[cfg(feature = "stream")]
pub(crate) use tasks::OwnStream;
pub(crate) use tasks::{Await, OpenTask, OwnFuture};

use crate::support::{PAYLOAD, Payload};

/// A way to bring events from one to many.
pub(crate) trait Open {
    const NAME: &'static str;
    type Emitter: Emit;
    type End: Receive;

    /// One emitting end, and a receiving end for each subscriber.
    fn open(subscribers: usize) -> (Self::Emitter, Vec<Self::End>);
}

pub(crate) trait Emit: Send + 'static {
    /// To all subscribers; each has room.
    fn emit(&mut self, payload: Payload);

    /// One after the other, unless there is a better way.
    fn emit_batch(&mut self, events: usize) {
        for _ in 0..events {
            self.emit(*std::hint::black_box(&PAYLOAD));
        }
    }
}

pub(crate) trait Receive: Send + 'static {
    /// Takes an event if there is one.
    fn take(&mut self) -> bool;

    /// Sleeps until there is an event, and gives the first word of its payload; nothing once the
    /// emitting ends are gone.
    fn wait(&mut self) -> Option<u64>;
}

/// Looks at what was taken, if anything was, and drops it.
#[inline]
fn used<V, E>(taken: Result<V, E>) -> bool {
    match taken {
        Ok(value) => {
            drop(std::hint::black_box(value));
            true
        }
        Err(_) => false,
    }
}

/// Takes all there is from all; how much it was.
pub(crate) fn drain(ends: &mut [impl Receive]) -> usize {
    ends.iter_mut()
        .map(|end| {
            std::iter::repeat_with(|| end.take())
                .take_while(|taken| *taken)
                .count()
        })
        .sum()
}
