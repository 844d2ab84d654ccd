//! What was published to a bus by one of those who stand on it, and is kept apart for them.
//!
//! Published events wait as they are until they are collected, when the bus says what they do. What is collected comes
//! before what is published: it is older. Both stand behind one lock, so that they are taken at one moment; no code
//! of the user's runs under it.

use std::panic::resume_unwind;

use parking_lot::Mutex;

use super::collected::Collected;
use super::error::PublishError;
use super::publish::{Crate, DeferredBus};
use super::queue::drop_all;
use crate::shield::caught;

pub(super) struct Kept<B: DeferredBus> {
    bus: B,
    waiting: Mutex<Waiting<B>>,
}

struct Waiting<B: DeferredBus> {
    collected: Vec<Collected<B::Event, B::Error>>,
    published: Vec<B::Event>,
    /// Whether the owner has gone, who would take it; under the lock, so that each event is refused or discarded.
    is_closed: bool,
}

impl<B: DeferredBus> Kept<B> {
    pub(super) fn new(bus: B) -> Self {
        Kept {
            bus,
            waiting: Mutex::new(Waiting::new()),
        }
    }

    pub(super) fn bus(&self) -> &B {
        &self.bus
    }

    pub(super) fn publish(&self, event: B::Event) -> Result<(), PublishError<B::Event>> {
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            return Err(PublishError::new(event));
        }
        waiting.published.push(event);
        Ok(())
    }

    pub(super) fn publish_all(
        &self,
        events: impl IntoIterator<Item = B::Event>,
    ) -> Result<(), PublishError<Vec<B::Event>>> {
        // The iterator is the user's: it runs before the lock is taken.
        let mut events: Vec<_> = events.into_iter().collect();
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            return Err(PublishError::new(events));
        }
        waiting.published.append(&mut events);
        Ok(())
    }

    /// The owner goes: from now on events are handed back.
    pub(super) fn close(&self) {
        self.waiting.lock().is_closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.waiting.lock().is_closed
    }

    /// Has the bus say now what the published events do; how many there were.
    pub(super) fn collect_aside(&self) -> usize {
        let mut collected = self.bus.collect();
        let published = std::mem::take(&mut self.waiting.lock().published);
        collected.extend(self.made(published));
        let count = collected.len();
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            // The owner has gone meanwhile, and with him goes this.
            drop(waiting);
            drop_all(collected);
            return 0;
        }
        waiting.collected.append(&mut collected);
        count
    }

    /// All there is: what was collected; then what is on the bus itself, which nobody else has run; then what was
    /// published here.
    pub(super) fn take(&self) -> Vec<Collected<B::Event, B::Error>> {
        let mut waiting = self.take_waiting();
        match caught(|| self.bus.collect()) {
            Ok(mut on_bus) => {
                let mut all = std::mem::take(&mut waiting.collected);
                all.append(&mut on_bus);
                all.extend(self.made(std::mem::take(&mut waiting.published)));
                all
            }
            // A bus of the user's own: its panic takes nothing along.
            Err(thrown) => {
                self.waiting.lock().put_back(waiting);
                resume_unwind(thrown)
            }
        }
    }

    /// What the bus makes of events; a panic of it is in what it makes.
    fn made(
        &self,
        events: Vec<B::Event>,
    ) -> impl Iterator<Item = Collected<B::Event, B::Error>> + '_ {
        let events = events.into_iter();
        events.map(|event| Collected::made(&self.bus, event))
    }

    /// Puts back what was taken, before what came since.
    pub(super) fn put_back(&self, items: Vec<Collected<B::Event, B::Error>>) {
        self.waiting.lock().put_back(Waiting {
            collected: items,
            published: Vec::new(),
            is_closed: false,
        });
    }

    /// Drops what was published here; what is on the bus itself stays.
    pub(super) fn discard(&self) {
        drop(self.take_waiting());
    }

    fn take_waiting(&self) -> Waiting<B> {
        let mut waiting = self.waiting.lock();
        Waiting {
            collected: std::mem::take(&mut waiting.collected),
            published: std::mem::take(&mut waiting.published),
            is_closed: waiting.is_closed,
        }
    }

    pub(super) fn len(&self) -> usize {
        let waiting = self.waiting.lock();
        waiting.collected.len() + waiting.published.len()
    }

    /// Whether nothing waits, and nobody else has a handle of the bus.
    pub(super) fn is_spent(&mut self) -> bool {
        self.len() == 0 && self.bus.is_spent(Crate(()))
    }
}

impl<B: DeferredBus> Waiting<B> {
    fn new() -> Self {
        Waiting {
            collected: Vec::new(),
            published: Vec::new(),
            is_closed: false,
        }
    }

    fn put_back(&mut self, mut taken: Waiting<B>) {
        taken.collected.append(&mut self.collected);
        taken.published.append(&mut self.published);
        self.collected.append(&mut taken.collected);
        self.published.append(&mut taken.published);
    }
}

/// After the bus: were it before, a bus that panics as it goes would do so beside an event that does.
impl<B: DeferredBus> Drop for Waiting<B> {
    fn drop(&mut self) {
        // One list, so that a destructor that panics keeps no other from going.
        let collected = std::mem::take(&mut self.collected).into_iter();
        let published = std::mem::take(&mut self.published);
        drop_all(
            collected
                .map(Collected::into_event)
                .chain(published)
                .collect(),
        );
    }
}
