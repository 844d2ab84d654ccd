//! crossbeam-channel's bounded queue (0.5.17, `flavors/array.rs`), step by step on loom's atomics.
//!
//! The orderings are crossbeam's. Two things differ. crossbeam spins where the values that it loaded
//! do not fit together: some are old, or a peer has claimed a place and not stamped it yet. Here the
//! thread sleeps until the peer has stamped, and then yields, after which loom shows it no old value
//! again: a round that has no effect is not tried over and over. And laps are counted without end.

use std::cell::Cell;
use std::time::Instant;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, fence};
use loom::thread::yield_now;

use super::Ordering::{self, Acquire, Relaxed, Release, SeqCst};
use super::atomic::Watch;
use super::sleepers::{Sleepers, sleep};
use super::{Select, Signal};

pub(crate) struct Queue<M> {
    /// Twice the number of places that were taken from.
    head: Word,
    /// Twice the number of places that were given out to be filled.
    tail: Word,
    slots: Box<[Slot<M>]>,
    /// How far head and tail go round the slots.
    lap: usize,
    receivers: Sleepers,
    senders: Sleepers,
    /// Those who would spin.
    spinners: Sleepers,
    fences: Watch,
}

struct Slot<M> {
    /// The tail that may fill it; one more when it is full.
    stamp: Word,
    message: UnsafeCell<Option<M>>,
}

/// An atomic, and beside it what it is now, whatever a thread may see of it.
struct Word {
    watch: Watch,
    value: AtomicUsize,
    now: Cell<usize>,
}

impl Word {
    fn new(value: usize) -> Self {
        Word {
            watch: Watch::new(),
            value: AtomicUsize::new(value),
            now: Cell::new(value),
        }
    }

    /// A first look, which takes no turn: what comes of it does.
    fn look(&self, order: Ordering) -> usize {
        self.value.load(order)
    }

    fn load(&self, order: Ordering) -> usize {
        self.watch.access();
        self.value.load(order)
    }

    fn advance(&self, from: usize, to: usize) -> Result<(), usize> {
        self.watch.access();
        self.value.compare_exchange(from, to, SeqCst, Relaxed)?;
        self.now.set(to);
        Ok(())
    }

    fn store(&self, value: usize, order: Ordering) {
        self.value.store(value, order);
        self.now.set(value);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimedOut;

impl<M> Queue<M> {
    pub(crate) fn new(capacity: usize) -> Self {
        let slot = |index| Slot {
            stamp: Word::new(2 * index),
            message: UnsafeCell::new(None),
        };
        Queue {
            head: Word::new(0),
            tail: Word::new(0),
            slots: (0..capacity).map(slot).collect(),
            lap: 2 * capacity,
            receivers: Sleepers::default(),
            senders: Sleepers::default(),
            spinners: Sleepers::default(),
            fences: Watch::new(),
        }
    }

    fn slot(&self, place: usize) -> &Slot<M> {
        &self.slots[place / 2 % self.slots.len()]
    }

    pub(crate) fn try_push(&self, message: M) -> Result<(), M> {
        let mut tail = self.tail.look(Relaxed);
        loop {
            let slot = self.slot(tail);
            let stamp = slot.stamp.look(Acquire);
            if stamp == tail {
                let Err(other) = self.tail.advance(tail, tail + 2) else {
                    // SAFETY: the place is ours until it is stamped.
                    slot.message
                        .with_mut(|place| unsafe { *place = Some(message) });
                    self.stamp(slot, tail + 1);
                    self.receivers.wake_one();
                    return Ok(());
                };
                tail = other;
                continue;
            }
            if stamp + self.lap == tail + 1 {
                self.fence();
                if self.head.load(Relaxed) + self.lap == tail {
                    return Err(message);
                }
            }
            self.spin(|| {
                let tail = self.tail.now.get();
                let stamp = self.slot(tail).stamp.now.get();
                let full = stamp + self.lap == tail + 1 && self.head.now.get() + self.lap == tail;
                stamp == tail || full
            });
            tail = self.tail.look(Relaxed);
        }
    }

    pub(crate) fn try_pop(&self) -> Option<M> {
        let mut head = self.head.look(Relaxed);
        loop {
            let slot = self.slot(head);
            let stamp = slot.stamp.look(Acquire);
            if stamp == head + 1 {
                let Err(other) = self.head.advance(head, head + 2) else {
                    // SAFETY: the place is ours until it is stamped.
                    let message = slot.message.with_mut(|place| unsafe { (*place).take() });
                    self.stamp(slot, head + self.lap);
                    self.senders.wake_one();
                    return message;
                };
                head = other;
                continue;
            }
            if stamp == head {
                self.fence();
                if self.tail.load(Relaxed) == head {
                    return None;
                }
            }
            self.spin(|| {
                let head = self.head.now.get();
                let stamp = self.slot(head).stamp.now.get();
                let empty = stamp == head && self.tail.now.get() == head;
                stamp == head + 1 || empty
            });
            head = self.head.look(Relaxed);
        }
    }

    /// loom does not try fences in all orders of its own accord.
    fn fence(&self) {
        self.fences.access();
        fence(SeqCst);
    }

    /// Waits until nobody is at work where the next look goes.
    fn spin(&self, settled: impl Fn() -> bool) {
        while !settled() {
            sleep(&[&self.spinners]);
        }
        yield_now();
    }

    fn stamp(&self, slot: &Slot<M>, stamp: usize) {
        slot.stamp.store(stamp, Release);
        self.spinners.wake_all();
    }

    /// A deadline has always passed.
    pub(crate) fn pop(&self, deadline: Option<Instant>) -> Result<M, TimedOut> {
        loop {
            if let Some(message) = self.try_pop() {
                return Ok(message);
            }
            if deadline.is_some() {
                return Err(TimedOut);
            }
            if self.head.now == self.tail.now {
                sleep(&[&self.receivers]);
            } else {
                // As crossbeam, it looks whether the queue is empty once more, and sees that it is not.
                yield_now();
            }
        }
    }

    pub(crate) fn wait_readable(&self, _: Option<Instant>) -> bool {
        unimplemented!("no model waits without taking")
    }

    /// The deadline never passes.
    pub(crate) fn wait_writable(&self, signal: &Signal, _: Instant) -> bool {
        while !signal.is_raised() && self.head.now.get() + self.lap == self.tail.now.get() {
            sleep(&[&self.senders, &signal.watchers]);
        }
        true
    }

    /// A figure: models rely on it only when all other threads have gone.
    pub(crate) fn len(&self) -> usize {
        (self.tail.now.get() - self.head.now.get()) / 2
    }

    /// As crossbeam does its length: both, and the tail once more.
    pub(crate) fn waiting(&self) -> usize {
        loop {
            let tail = self.tail.load(SeqCst);
            let head = self.head.load(SeqCst);
            if self.tail.load(SeqCst) == tail {
                return (tail - head) / 2;
            }
            yield_now();
        }
    }

    /// Two loads, as crossbeam does it.
    pub(crate) fn is_empty(&self) -> bool {
        self.fence();
        let head = self.head.load(SeqCst);
        self.fence();
        self.tail.load(SeqCst) == head
    }

    pub(crate) fn register<'a>(&'a self, _: &mut Select<'a>) -> usize {
        unimplemented!("no model selects")
    }
}
