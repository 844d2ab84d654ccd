//! Passing events on to another bus, on the emitting thread: what derived buses are made of.
//!
//! An event is passed on when it is in all queues of its bus, before wakers and taps there are called: so what
//! those emit comes after it on other buses, too. All events of a batch go together, and are a batch there.
//! Where one emit comes to a bus by several ways, three things are seen to:
//!
//! - A bus that the event came by ([`Way`]) does not get it again, nor what was made of it: so circles of
//!   buses end.
//! - The very same event enters a bus once, even if several buses on its way pass it on to that one
//!   ([`Known`]); others that were made of it enter each.
//! - A thread is inside of so many steps at most, as each stands on the one before on its stack.
//!
//! Nothing is passed on in the scope of a [`Cause`]: on the other bus the event has its own cause, as here.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::panic::Location;

use smallvec::SmallVec;

use super::core::Core;
use super::feed::Inlet;
use super::listeners::TapKind;
use super::panics::{Owner, PanicHook, PanicPlace, shield};
use super::traced;
use super::{Bus, TapGuard};
use crate::cause::Cause;
use crate::error::SubscribeError;
use crate::event::Event;
use crate::pattern::IntoPatterns;
use crate::sync::Hook;

/// How many buses long a way may be, with all those on the thread's stack that led to it.
const LONGEST: usize = 100;

thread_local! {
    /// How many steps from bus to bus this thread is inside of.
    static STANDING: Cell<usize> = const { Cell::new(0) };
}

/// One such step, until it is dropped.
struct Step;

impl Step {
    fn enter() -> Self {
        STANDING.set(STANDING.get() + 1);
        Step
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        STANDING.set(STANDING.get() - 1);
    }
}

/// The events of one emit or batch that a bus is to be passed, in order.
pub(super) type Passed<T> = SmallVec<[Event<T>; 1]>;

/// By which buses events have come to the one that they are on.
pub(super) struct Way<'a> {
    /// The last of them.
    bus: u64,
    before: Option<&'a Way<'a>>,
    /// Which events have been where, if these are the ones that came.
    known: Option<&'a Known>,
}

impl Way<'_> {
    fn contains(&self, bus: u64) -> bool {
        let mut way = Some(self);
        while let Some(step) = way {
            if step.bus == bus {
                return true;
            }
            way = step.before;
        }
        false
    }

    pub(super) fn known(&self) -> Option<&Known> {
        self.known
    }
}

/// Which bus has which event, by the number of the bus and the address of the event, which nobody lets go of
/// while this is in use.
#[derive(Default)]
pub(super) struct Known(RefCell<Pairs>);

#[derive(Default)]
struct Pairs {
    few: SmallVec<[(u64, usize); 4]>,
    /// Those beyond that. Most ways have none.
    many: Option<HashSet<(u64, usize), foldhash::fast::RandomState>>,
}

/// How many pairs are looked through one by one.
const FEW: usize = 16;

impl Known {
    /// Whether this bus has this event.
    fn contains(&self, bus: u64, event: usize) -> bool {
        let pairs = self.0.borrow();
        let pair = (bus, event);
        pairs.few.contains(&pair) || pairs.many.as_ref().is_some_and(|many| many.contains(&pair))
    }

    fn add(&self, bus: u64, event: usize) {
        let mut pairs = self.0.borrow_mut();
        let pair = (bus, event);
        if pairs.few.len() < FEW {
            pairs.few.push(pair);
        } else {
            pairs.many.get_or_insert_default().insert(pair);
        }
    }
}

/// Events that a bus has, on their way to another one.
pub(super) struct Tapped<'a, T> {
    pub(super) events: &'a [Event<T>],
    pub(super) way: Option<&'a Way<'a>>,
    pub(super) known: &'a Known,
    pub(super) on_panic: Option<&'a PanicHook>,
    /// What passes them on, whose predicate or mapping may panic.
    pub(super) tap: &'a dyn Owner,
}

impl<T: Send + Sync + 'static> Tapped<'_, T> {
    /// What `act` makes of each event, in its scope; what is left out or panics is counted there.
    fn each<R>(
        &self,
        there: &Core<impl Sized>,
        act: impl Fn(&Event<T>) -> Option<R>,
    ) -> SmallVec<[R; 1]> {
        let mut panics = 0;
        let one = |event: &Event<T>| {
            let topic = Some(event.topic());
            let place = PanicPlace::Derivation;
            Cause::scope(event, || {
                shield(self.on_panic, place, topic, Some(self.tap), || act(event)).unwrap_or_else(
                    || {
                        panics += 1;
                        None
                    },
                )
            })
        };
        let made: SmallVec<[R; 1]> = self.events.iter().filter_map(one).collect();
        let left_out = self.events.len() - made.len() - panics;
        there.fed().left_out(left_out, panics);
        made
    }

    /// Passes on the events that `keep` says.
    fn pass(&self, here: u64, there: &Core<T>, keep: impl Fn(&Event<T>) -> bool) {
        if !self.may_go(here, there) {
            return;
        }
        let _step = Step::enter();
        let id = there.number();
        let mut events = self.each(there, |event| keep(event).then(|| event.clone()));
        let kept = events.len();
        // All are looked for before any is added: a batch may hold one twice.
        events.retain(|event| !self.known.contains(id, event.address()));
        for event in &events {
            self.known.add(id, event.address());
        }
        there.fed().repeated(kept - events.len());
        there.take_in(events, &self.way_on(here, Some(self.known)));
    }

    /// Passes on what `map` makes of the events.
    fn pass_mapped<U: Send + Sync + 'static>(
        &self,
        here: u64,
        there: &Core<U>,
        map: impl Fn(&Event<T>) -> Option<Event<U>>,
    ) {
        if self.may_go(here, there) {
            let _step = Step::enter();
            there.take_in(self.each(there, map), &self.way_on(here, None));
        }
    }

    fn way_on<'w>(&'w self, here: u64, known: Option<&'w Known>) -> Way<'w> {
        Way {
            bus: here,
            before: self.way,
            known,
        }
    }

    fn may_go<U>(&self, here: u64, there: &Core<U>) -> bool {
        let id = there.number();
        if id == here || self.way.is_some_and(|way| way.contains(id)) {
            there.fed().repeated(self.events.len());
            return false;
        }
        if STANDING.get() >= LONGEST {
            there.fed().refused(self.events.len());
            return false;
        }
        true
    }
}

impl<T: Send + Sync + 'static> Bus<T> {
    /// Passes events on to another bus, as they are, while `keep` says so and the guard lives: what
    /// [`filtered`](Bus::filtered) and [`pipe_to`](Bus::pipe_to) are made of.
    ///
    /// It happens on the emitting thread, when an event is in all queues here, and before
    /// [taps](Bus::tap) are called. The events of a batch are a batch there. `keep` is
    /// called in the scope of the event's [`Cause`]; a panic in it leaves the event out, and is
    /// reported. What `inlet` leads to is not kept open, nor is this bus, unless it is a
    /// [derived](Bus::derive) one.
    ///
    /// An event never comes to a bus that it came by, and enters each bus once, even if several pass
    /// it on to that one: both count as [`repeated`](crate::BusStats::repeated). A way of more than 100
    /// buses is too long; what comes so far, to a bus that is closed, or to one whose
    /// [limit](crate::BusBuilder::max_chain) its chain of causes exceeds, counts as
    /// [`refused`](crate::BusStats::refused).
    ///
    /// # Errors
    ///
    /// A text that is no pattern, an empty list, or a closed bus.
    ///
    /// ```
    /// # use chanbus::{Bus, Inlet};
    /// let (sensors, alarms) = (Bus::new(), Bus::new());
    /// let guard = sensors.pass_on("temperature.*", &Inlet::to(&alarms), |event| *event.payload() > 90)?;
    /// let sub = alarms.subscribe_all()?;
    /// sensors.emit("temperature.oven", 80)?;
    /// sensors.emit("temperature.oven", 95)?;
    /// assert_eq!(sub.len(), 1);
    /// assert_eq!(alarms.stats().left_out, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn pass_on(
        &self,
        patterns: impl IntoPatterns,
        inlet: &Inlet<T>,
        keep: impl Fn(&Event<T>) -> bool + Send + Sync + 'static,
    ) -> Result<TapGuard<T>, SubscribeError> {
        let (there, location) = inlet.there(Location::caller());
        let (here, inlet) = (self.core().number(), inlet.clone());
        let pass = move |tapped: Tapped<'_, T>| tapped.pass(here, inlet.core(), &keep);
        let kind = TapKind::Pass(Hook::new(Box::new(pass)), there);
        self.add_tap(patterns, location, kind)
    }

    /// Passes on what `map` makes of events, if anything, while the guard lives: what
    /// [`mapped`](Bus::mapped) is made of. As [`pass_on`](Bus::pass_on) else; but two
    /// mappings of one event are two events: both enter a bus.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, an empty list, or a closed bus.
    ///
    /// ```
    /// # use chanbus::{Bus, Inlet};
    /// let (raw, lengths) = (Bus::<String>::new(), Bus::<usize>::new());
    /// let guard = raw.pass_on_mapped("line.*", &Inlet::to(&lengths), |event| {
    ///     Some(event.map_payload(String::len))
    /// })?;
    /// let sub = lengths.subscribe("line.read")?;
    /// raw.emit("line.read", "four".to_owned())?;
    /// assert_eq!(*sub.recv()?.payload(), 4);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn pass_on_mapped<U: Send + Sync + 'static>(
        &self,
        patterns: impl IntoPatterns,
        inlet: &Inlet<U>,
        map: impl Fn(&Event<T>) -> Option<Event<U>> + Send + Sync + 'static,
    ) -> Result<TapGuard<T>, SubscribeError> {
        let (there, location) = inlet.there(Location::caller());
        let (here, inlet) = (self.core().number(), inlet.clone());
        let pass = move |tapped: Tapped<'_, T>| tapped.pass_mapped(here, inlet.core(), &map);
        let kind = TapKind::Pass(Hook::new(Box::new(pass)), there);
        self.add_tap(patterns, location, kind)
    }
}

impl<T> Core<T> {
    /// Emits what another bus passes on.
    fn take_in(&self, mut events: Passed<T>, way: &Way<'_>) {
        let too_deep = |event: &Event<T>| {
            let cause = event.cause();
            cause.is_some_and(|cause| cause.depth() > self.settings.max_chain)
        };
        if events.iter().any(too_deep) {
            let (deep, taken) = events.into_iter().partition(too_deep);
            self.refuse_passed::<Passed<T>>(deep);
            events = taken;
        }
        if events.len() > 1 {
            let emit = |events| self.emit_together(events, Some(way));
            let events = events.into_vec();
            let emitted = if traced::is_on() {
                let (topics, count) = (traced::topics_of(&events), events.len());
                self.told(&topics, count, || emit(events))
            } else {
                emit(events)
            };
            if let Err(error) = emitted {
                self.refuse_passed(error.into_payload());
            }
        } else if let Some(event) = events.pop() {
            let emitted = if traced::is_on() {
                let topic = event.topic().clone();
                self.told(&topic, 1, || self.send_event_by(event, way))
            } else {
                self.send_event_by(event, way)
            };
            match emitted {
                Ok(_) => self.unbound.add(1),
                Err(error) => self.refuse_passed([error.into_payload()]),
            }
        }
    }

    #[cold]
    fn refuse_passed<I: IntoIterator<Item = Event<T>>>(&self, events: I) {
        for event in events {
            self.fed().refused(1);
            self.discard_unseen(event);
        }
    }
}
