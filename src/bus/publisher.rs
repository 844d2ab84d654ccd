//! A handle bound to one topic, its route already resolved.

use std::cell::Cell;
use std::fmt;
use std::mem::needs_drop;
use std::panic::Location;
use std::time::{Duration, Instant};

use super::core::Core;
use super::deliver::{deliver_batch, deliver_plainly};
use super::emit::deadline_after;
use super::emitted::Emitted;
use super::ledger::{EmitCount, Ledger};
use super::routing::Route;
use super::send::Details;
use super::traced;
use crate::cause::Cause;
use crate::draft::EventDraft;
use crate::error::{EmitError, TopicError};
use crate::event::{Event, EventPool, Extras};
use crate::sync::Arc;
use crate::sync::Ordering::Relaxed;
use crate::topic::Topic;

// Aligned, as publishers of several threads may lie side by side, and each emit writes to its own.
/// Emits on one topic: the fast way.
///
/// The topic is checked once, and the route to its subscribers is kept: an emit compares one number
/// to see whether subscriptions have changed, where [`Bus::emit`](crate::Bus::emit) loads a snapshot
/// and looks the topic up.
///
/// It does not keep its bus open. It can be sent to another thread and cloned, one for each thread;
/// it cannot be shared by reference between threads (it is not `Sync`), as what it keeps is its own.
/// Where a shared handle is needed there is [`Bus`](crate::Bus).
///
/// The blocks of its events come back to it when their last handle is dropped, and are used again,
/// so an emit allocates only when none is at hand. It keeps 256 blocks at most, or 64 KiB if that is
/// less, without payloads, until it is dropped; events beyond those in flight at once are allocated
/// and freed one by one.
///
/// The emptied queue of a subscription that has gone may be kept until the publishers that emitted to
/// it have emitted once more and subscriptions have changed again, as no emit frees it; never a
/// payload or a filter.
///
/// ```
/// use chanbus::Bus;
///
/// let bus = Bus::new();
/// let sub = bus.subscribe("scan.**")?;
/// let progress = bus.publisher("scan.progress")?;
///
/// let other = progress.clone();
/// std::thread::spawn(move || other.emit(1)).join().unwrap()?;
/// progress.emit(2)?;
/// assert_eq!(sub.len(), 2);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[repr(align(128))]
pub struct Publisher<T: Send + Sync + 'static> {
    core: Arc<Core<T>>,
    /// Makes its events, in blocks that come back to it with the topic still in them.
    events: EventPool<T>,
    source: Option<Arc<str>>,
    /// Taken out while an emit uses it, so that an emit from inside finds none and resolves its own.
    route: Cell<Option<Kept<T>>>,
    /// Neither a source nor a history: its events need nothing but topic, time and payload.
    is_bare: bool,
    /// The generation in which nobody listens: then an emit is over after one comparison.
    silent: Cell<u64>,
    count: EmitCount,
}

struct Kept<T> {
    generation: u64,
    route: Arc<Route<T>>,
}

impl<T: Send + Sync + 'static> Publisher<T> {
    #[track_caller]
    pub(super) fn new(core: &Arc<Core<T>>, topic: &str) -> Result<Self, TopicError> {
        let topic = core
            .registry
            .route(&core.registry.load(), topic)?
            .topic
            .clone();
        Ok(Self::bound(
            Arc::clone(core),
            topic,
            None,
            Location::caller(),
        ))
    }

    fn bound(
        core: Arc<Core<T>>,
        topic: Topic,
        source: Option<Arc<str>>,
        location: &'static Location<'static>,
    ) -> Self {
        let listed = topic.clone();
        let add = |ledger: &mut Ledger<T>| ledger.add_publisher(listed, location);
        let count = core.registry.frozen(|_, ledger| add(ledger));
        // A copy of its own: a count of handles that several publishers write costs more than a push.
        let topic = topic.copied();
        Publisher {
            is_bare: source.is_none() && !core.past.has_history(),
            core,
            events: EventPool::new(topic),
            source,
            route: Cell::new(None),
            silent: Cell::new(u64::MAX),
            count,
        }
    }

    /// Every event of this publisher will have that source.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe_all()?;
    /// bus.publisher("a")?.with_source("import").emit(1)?;
    /// assert_eq!(sub.recv()?.source(), Some("import"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Arc<str>>) -> Self {
        self.source = Some(source.into());
        self.is_bare = false;
        self
    }

    /// The topic it emits on.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert_eq!(bus.publisher("a.b")?.topic(), "a.b");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn topic(&self) -> &Topic {
        self.events.topic()
    }

    /// Emits an event to everybody who listens. Never waits.
    ///
    /// # Errors
    ///
    /// A closed bus, or a [chain](crate::Cause) that is too deep; the payload comes back.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let ticks = bus.publisher("tick")?;
    /// ticks.emit(1)?;
    /// drop(bus);
    /// assert_eq!(ticks.emit(2).unwrap_err().into_payload(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[inline]
    pub fn emit(&self, payload: T) -> Result<Emitted, EmitError<T>> {
        if traced::is_on() {
            return self.told(1, || self.emit_plainly(payload));
        }
        self.emit_plainly(payload)
    }

    #[inline(always)]
    fn emit_plainly(&self, payload: T) -> Result<Emitted, EmitError<T>> {
        if self.is_bare && !Cause::is_set() {
            // Where nobody listens there is no event.
            if self.silent.get() == self.core.registry.generation() && !needs_drop::<T>() {
                self.counted(1);
                return Ok(Emitted::default());
            }
            return self.emit_bare(payload);
        }
        self.emit_by(payload, None)
    }

    /// The common case, by itself, so that it is compiled without the others: no source, no cause,
    /// no history, a route that is known and that only needs pushes.
    #[inline(never)]
    fn emit_bare(&self, payload: T) -> Result<Emitted, EmitError<T>> {
        match self.route.take() {
            Some(kept)
                if kept.generation == self.core.registry.generation() && kept.route.plain =>
            {
                let (topic, route) = (self.topic(), &*kept.route);
                let matched = route.members.len();
                let handles = self.events.shares(payload, self.core.now(), matched);
                let partly = deliver_plainly(topic, route, handles, self.core.on_panic());
                self.route.set(Some(kept));
                self.counted(1);
                match partly {
                    None => Ok(Emitted::to_all(matched)),
                    Some(emitted) => Ok(emitted),
                }
            }
            kept => {
                self.route.set(kept);
                self.emit_by(payload, None)
            }
        }
    }

    /// Emits, and waits up to `timeout` for room in the queues that have none, as
    /// [`Bus::emit_within`](crate::Bus::emit_within) does: flow control for those who prefer a
    /// slower publisher to a lost event.
    ///
    /// Only queues that refuse the new event are waited for, so under
    /// [`DropOldest`](crate::Overflow::DropOldest) and [`Latest`](crate::Overflow::Latest) a slow
    /// consumer does not hold the publisher up (unless more topics are pending than a `Latest` queue
    /// holds).
    ///
    /// # Errors
    ///
    /// As [`emit`](Publisher::emit).
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let rows = bus.subscription("import.row").capacity(1).subscribe()?;
    /// let reader = std::thread::spawn(move || rows.iter().count());
    /// let row = bus.publisher("import.row")?;
    /// for number in 0..100 {
    ///     assert!(row.emit_within(number, Duration::from_secs(10))?.is_complete());
    /// }
    /// drop(bus);
    /// assert_eq!(reader.join().unwrap(), 100);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit_within(&self, payload: T, timeout: Duration) -> Result<Emitted, EmitError<T>> {
        let patience = Some(deadline_after(timeout));
        if traced::is_on() {
            return self.told(1, || self.emit_by(payload, patience));
        }
        self.emit_by(payload, patience)
    }

    /// Emits, and tells what came of it.
    #[cold]
    fn told<P>(
        &self,
        events: usize,
        act: impl FnOnce() -> Result<Emitted, EmitError<P>>,
    ) -> Result<Emitted, EmitError<P>> {
        self.core.told(self.topic(), events, act)
    }

    fn emit_by(&self, payload: T, patience: Option<Instant>) -> Result<Emitted, EmitError<T>> {
        let cause = match self.core.cause() {
            Ok(cause) => cause,
            Err(cause) => return Err(self.core.too_deep(cause, payload)),
        };
        if self.core.past.has_history() {
            return self.emit_kept(payload, cause, patience);
        }
        let Some(kept) = self.current() else {
            return Err(EmitError::Closed(payload));
        };
        if kept.route.retained {
            self.route.set(Some(kept));
            return self.emit_kept(payload, cause, patience);
        }
        let emitted = if kept.route.is_empty() {
            self.silent.set(kept.generation);
            self.core.discard_unmatched(self.topic(), cause, payload);
            Emitted::default()
        } else {
            let event = self.make(payload, self.core.now(), self.extras(cause));
            self.core
                .send_on(self.topic(), &kept.route, event, patience)
        };
        self.route.set(Some(kept));
        self.counted(1);
        Ok(emitted)
    }

    /// [`emit_by`](Publisher::emit_by) where the event is kept, in a history or in a store.
    #[inline(never)]
    fn emit_kept(
        &self,
        payload: T,
        cause: Option<Cause>,
        patience: Option<Instant>,
    ) -> Result<Emitted, EmitError<T>> {
        let event = self.make(payload, self.core.now(), self.extras(cause));
        let emitted = self
            .core
            .send_kept(event, patience)
            .map_err(|error| error.map(|event| self.core.payload_of(event)))?;
        self.counted(1);
        Ok(emitted)
    }

    /// Whether its events are kept, in a history or in a store.
    fn is_kept(&self) -> bool {
        if self.core.past.has_history() {
            return true;
        }
        let kept = self.current();
        let retained = kept.as_ref().is_some_and(|kept| kept.route.retained);
        self.route.set(kept);
        retained
    }

    /// Emits many events at once: one look at the subscriptions, and the order kept.
    ///
    /// The items are collected first, so nothing is emitted if their iterator panics, and all of
    /// them see the same subscriptions. Each takes its slot in the queues as a single emit would.
    ///
    /// # Errors
    ///
    /// A closed bus, or a chain that is too deep: none was emitted, and all items come back.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("row")?;
    /// let emitted = bus.publisher("row")?.emit_batch(0..100)?;
    /// assert_eq!(emitted.delivered, 100);
    /// assert_eq!(sub.len(), 100);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit_batch(
        &self,
        items: impl IntoIterator<Item = T>,
    ) -> Result<Emitted, EmitError<Vec<T>>> {
        let items: Vec<T> = items.into_iter().collect();
        if traced::is_on() {
            return self.told(items.len(), || self.emit_items(items));
        }
        self.emit_items(items)
    }

    fn emit_items(&self, items: Vec<T>) -> Result<Emitted, EmitError<Vec<T>>> {
        let cause = match self.core.cause() {
            Ok(cause) => cause,
            Err(cause) => return Err(self.core.too_deep(cause, items)),
        };
        let extras = self.extras(cause);
        let nanos = self.core.now();
        if self.is_kept() {
            let events = items
                .into_iter()
                .map(|item| self.make(item, nanos, extras.clone()))
                .collect();
            // It counts them itself.
            return self.core.emit_together(events, None).map_err(|error| {
                error.map(|events: Vec<Event<T>>| {
                    events
                        .into_iter()
                        .map(|event| self.core.payload_of(event))
                        .collect()
                })
            });
        }
        let Some(kept) = self.current() else {
            return Err(EmitError::Closed(items));
        };
        let count = items.len() as u64;
        let (topic, route) = (self.topic(), &*kept.route);
        let items = items.into_iter();
        let emitted = if route.plain && extras.is_none() && !route.keeps_batches {
            let events = items.map(|item| self.events.shares(item, nanos, route.members.len()));
            deliver_batch(topic, route, events, self.core.on_panic())
        } else {
            let events = items
                .map(|item| self.make(item, nanos, extras.clone()))
                .collect();
            self.core
                .send_runs(&[(topic, route, count as usize)], events, None)
        };
        self.route.set(Some(kept));
        self.counted(count);
        Ok(emitted)
    }

    /// Begins an event with metadata or extensions; its `emit` ends it.
    ///
    /// ```
    /// # use chanbus::{Bus, Value};
    /// let bus = Bus::new();
    /// let sub = bus.subscribe_all()?;
    /// bus.publisher("a")?.event(1).metadata("trace", 7).emit()?;
    /// assert_eq!(sub.recv()?.metadata("trace"), Some(&Value::Int(7)));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn event(&self, payload: T) -> EventDraft<'_, T, &Publisher<T>> {
        let draft = EventDraft::new(self, self.topic(), payload);
        match &self.source {
            None => draft,
            Some(source) => draft.source(Arc::clone(source)),
        }
    }

    #[inline]
    fn make(&self, payload: T, nanos: u64, extras: Option<Arc<Extras>>) -> Event<T> {
        self.events.event(payload, nanos, extras)
    }

    fn extras(&self, cause: Option<Cause>) -> Option<Arc<Extras>> {
        match &self.source {
            None => Extras::caused(cause),
            Some(source) => Some(Arc::new(Extras {
                source: Some(Arc::clone(source)),
                cause,
                ..Extras::default()
            })),
        }
    }

    /// The route as it is now; `None` if the bus is closed.
    fn current(&self) -> Option<Kept<T>> {
        let kept = self.route.take();
        let generation = self.core.registry.generation();
        match kept {
            Some(kept) if kept.generation == generation => Some(kept),
            stale => {
                // Not freed here: it may be the last to hold a queue that is large.
                if let Some(stale) = stale {
                    self.core.registry.retire(stale.route);
                }
                self.resolve()
            }
        }
    }

    #[cold]
    fn resolve(&self) -> Option<Kept<T>> {
        let version = self.core.registry.load();
        if version.content.closed {
            return None;
        }
        let found = self.core.registry.route(&version, self.topic()).ok()?;
        Some(Kept {
            generation: version.generation(),
            route: Arc::clone(&found.route),
        })
    }

    #[inline]
    fn counted(&self, events: u64) {
        // Not a read-modify-write: nobody else writes it. Relaxed: a statistic.
        self.count.store(self.count.load(Relaxed) + events, Relaxed);
    }
}

impl<T: Send + Sync + 'static> EventDraft<'_, T, &Publisher<T>> {
    /// Emits it.
    ///
    /// # Errors
    ///
    /// As [`Publisher::emit`].
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// assert_eq!(bus.publisher("a")?.event(1).metadata("n", 1).emit()?.matched, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit(self) -> Result<Emitted, EmitError<T>> {
        let details = Details {
            extras: self.extras,
            nanos: self.nanos,
            patience: None,
        };
        self.sink.core.emit_with(self.topic, self.payload, details)
    }
}

impl<T: Send + Sync + 'static> Clone for Publisher<T> {
    fn clone(&self) -> Self {
        let place = |ledger: &mut Ledger<T>| ledger.location_of(&self.count);
        let place = self.core.registry.frozen(|_, ledger| place(ledger));
        Publisher::bound(
            Arc::clone(&self.core),
            self.topic().clone(),
            self.source.clone(),
            // It is listed as long as it is there.
            place.unwrap_or(Location::caller()),
        )
    }
}

impl<T: Send + Sync + 'static> Drop for Publisher<T> {
    fn drop(&mut self) {
        self.core
            .registry
            .frozen(|_, ledger| ledger.remove_publisher(&self.count));
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Publisher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("topic", &self.topic().as_str())
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
