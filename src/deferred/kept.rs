//! A bus and what was published to it by those who stand on it: a `DelayedBus`, a part of a `MultiBus`.
//!
//! Where the bus can be had [apart](DeferredBus::apart), empty, what is published goes to that one, so that several
//! may stand on clones of one bus without taking each other's events. Else it goes to the bus itself.
//!
//! What was collected before comes before what is on the buses: it is older. The lock is held to take, to add and to
//! get hold of the buses, never while code of the user's runs. When the owner goes, the buses go out of here,
//! whoever still has a handle; so nobody goes on publishing to where nobody applies. (Who is publishing at that very
//! moment was just in time, and goes with the rest.)

use std::panic::resume_unwind;

use super::collected::Collected;
use super::error::PublishError;
use super::publish::{Crate, DeferredBus};
use super::queue::{drop_all, each};
use crate::shield::{caught, discard};
use crate::sync::{Arc, Mutex};

pub(super) struct Kept<B: DeferredBus>(Mutex<State<B>>);

struct State<B: DeferredBus> {
    /// Nothing when the owner has gone.
    buses: Option<Arc<Buses<B>>>,
    collected: Items<B>,
}

impl<B: DeferredBus> State<B> {
    /// Drops all of it, also where destructors panic.
    fn go(self) {
        let collected = caught(|| drop_all(self.collected));
        let buses = caught(|| drop(self.buses));
        each([collected, buses], |dropped| {
            dropped.unwrap_or_else(|thrown| resume_unwind(thrown))
        });
    }
}

type Items<B> = Vec<Collected<<B as super::Publish>::Event, <B as DeferredBus>::Error>>;

struct Buses<B> {
    bus: B,
    apart: Option<B>,
}

impl<B: DeferredBus> Buses<B> {
    /// Where to publish.
    fn to(&self) -> &B {
        self.apart.as_ref().unwrap_or(&self.bus)
    }

    /// Adds what is on the bus itself, which nobody else has run, and then what was published here. If one of them
    /// panics, what came before it is there.
    fn collect(&self, all: &mut Items<B>) {
        all.append(&mut self.bus.collect());
        if let Some(apart) = &self.apart {
            all.append(&mut apart.collect());
        }
    }
}

impl<B: DeferredBus> Kept<B> {
    pub(super) fn new(bus: B) -> Self {
        let apart = bus.apart();
        Kept(Mutex::new(State {
            buses: Some(Arc::new(Buses { bus, apart })),
            collected: Vec::new(),
        }))
    }

    fn buses(&self) -> Option<Arc<Buses<B>>> {
        self.0.lock().buses.clone()
    }

    pub(super) fn is_ended(&self) -> bool {
        self.0.lock().buses.is_none()
    }

    pub(super) fn publish(&self, event: B::Event) -> Result<(), PublishError<B::Event>> {
        match self.buses() {
            Some(buses) => buses.to().publish(event),
            None => Err(PublishError::new(event)),
        }
    }

    pub(super) fn publish_list(
        &self,
        events: Vec<B::Event>,
    ) -> Result<(), PublishError<Vec<B::Event>>> {
        match self.buses() {
            Some(buses) => buses.to().publish_list(events),
            None => Err(PublishError::new(events)),
        }
    }

    /// Collects what was published here, to be taken later; how much that was. What others have on the bus itself stays
    /// theirs until the owner takes it. Nothing once he has gone.
    pub(super) fn collect_aside(&self) -> usize {
        let Some(buses) = self.buses() else { return 0 };
        let mut collected = buses.to().collect();
        let count = collected.len();
        let late = {
            let mut state = self.0.lock();
            // Or the owner went meanwhile.
            if state.buses.is_some() {
                state.collected.append(&mut collected);
            }
            collected
        };
        let count = if late.is_empty() { count } else { 0 };
        drop_all(late);
        count
    }

    /// All there is: what was collected, then what was published since.
    pub(super) fn take(&self) -> Items<B> {
        let (mut collected, buses) = {
            let mut state = self.0.lock();
            (std::mem::take(&mut state.collected), state.buses.clone())
        };
        let Some(buses) = buses else { return collected };
        match caught(|| buses.collect(&mut collected)) {
            Ok(()) => collected,
            // A bus of the user's own: its panic takes nothing along.
            Err(thrown) => {
                self.put_back(collected);
                resume_unwind(thrown)
            }
        }
    }

    /// Puts back what was taken, before what came since.
    pub(super) fn put_back(&self, mut items: Items<B>) {
        let mut state = self.0.lock();
        items.append(&mut state.collected);
        state.collected = items;
    }

    /// The owner of a part goes: what was published here goes too, and the bus out of here.
    pub(super) fn end(&self) {
        let left = self.take_out();
        if let Some(buses) = left.buses.as_deref().filter(|buses| buses.apart.is_none()) {
            // It cannot tell what was published here from the rest. A bus of the user's own, whose panic is nothing
            // to the owner of others.
            if let Err(thrown) = caught(|| buses.bus.let_go(Crate(()))) {
                discard(thrown);
            }
        }
        left.go();
    }

    fn take_out(&self) -> State<B> {
        let nothing = State {
            buses: None,
            collected: Vec::new(),
        };
        std::mem::replace(&mut *self.0.lock(), nothing)
    }

    /// How much was collected and not taken.
    pub(super) fn collected(&self) -> usize {
        self.0.lock().collected.len()
    }

    /// Whether nothing waits, and nobody else has a handle of the bus.
    pub(super) fn is_spent(&mut self) -> bool {
        let State { buses, collected } = self.0.get_mut();
        let spent = |buses: &mut Arc<Buses<B>>| {
            Arc::get_mut(buses).is_some_and(|buses| {
                let apart = buses.apart.as_mut();
                apart.is_none_or(|apart| apart.is_spent(Crate(()))) && buses.bus.is_spent(Crate(()))
            })
        };
        collected.is_empty() && buses.as_mut().is_none_or(spent)
    }
}

/// What a `DelayedBus` has of it: when the last of its handles goes, views of it must not go on publishing to where
/// nobody applies.
pub(super) struct Owned<B: DeferredBus>(Arc<Kept<B>>);

impl<B: DeferredBus> Owned<B> {
    pub(super) fn new(bus: B) -> Self {
        Owned(Arc::new(Kept::new(bus)))
    }

    pub(super) fn kept(&self) -> &Arc<Kept<B>> {
        &self.0
    }
}

impl<B: DeferredBus> Drop for Owned<B> {
    fn drop(&mut self) {
        self.0.take_out().go();
    }
}

/// When the last handle goes, of a bus that nobody has ended.
impl<B: DeferredBus> Drop for Kept<B> {
    fn drop(&mut self) {
        self.take_out().go();
    }
}
