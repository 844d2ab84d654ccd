//! A subscription in the making.

use std::collections::VecDeque;
use std::fmt;

use super::builder::check_capacity;
use super::core::Core;
use super::deliver::accepts;
use super::overflow::Overflow;
use super::past::Past;
use super::routing::{Filter, Member};
use super::subscriber::Mailbox;
use super::{Bus, Subscription};
use crate::cause::Cause;
use crate::error::{PatternsError, SubscribeError};
use crate::event::Event;
use crate::pattern::Pattern;
use crate::sync::{Arc, AtomicU64, Hook, Mutex};

/// A subscription in the making; made by [`Bus::subscription`].
///
/// ```
/// use chanbus::{Bus, Overflow};
///
/// let bus: Bus<String> = Bus::builder().history(100).build()?;
/// let sub = bus
///     .subscription(["scan.**", "ui.click"])
///     .name("panel")
///     .capacity(32)
///     .overflow(Overflow::Latest)
///     .filter(|event| event.payload().starts_with("suggestion"))
///     .replay(10)
///     .subscribe()?;
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "a builder subscribes only by `subscribe`"]
pub struct SubscriptionBuilder<'a, T: Send + Sync + 'static> {
    bus: &'a Bus<T>,
    patterns: Result<Vec<Pattern>, PatternsError>,
    name: Option<Arc<str>>,
    capacity: usize,
    overflow: Overflow,
    filter: Option<Box<Filter<T>>>,
    replay: usize,
    keep_batches: bool,
    with_retained: bool,
}

impl<'a, T: Send + Sync + 'static> SubscriptionBuilder<'a, T> {
    pub(super) fn new(bus: &'a Bus<T>, patterns: Result<Vec<Pattern>, PatternsError>) -> Self {
        let settings = &bus.core().settings;
        SubscriptionBuilder {
            bus,
            patterns,
            name: None,
            capacity: settings.capacity,
            overflow: settings.overflow,
            filter: None,
            replay: 0,
            keep_batches: false,
            with_retained: false,
        }
    }

    /// A name, for people: it stands in statistics and in reports of panics.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert_eq!(bus.subscription("a").name("panel").subscribe()?.name(), Some("panel"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many events its queue holds, exactly. The default is the bus's.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert_eq!(bus.subscription("a").capacity(3).subscribe()?.capacity(), 3);
    /// assert!(bus.subscription("a").capacity(0).subscribe().is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// What its full queue does. The default is the bus's.
    ///
    /// ```
    /// # use chanbus::{Bus, Overflow};
    /// let bus = Bus::new();
    /// let sub = bus.subscription("a").overflow(Overflow::Latest).subscribe()?;
    /// bus.publisher("a")?.emit_batch([1, 2, 3])?;
    /// assert_eq!(*sub.recv()?.payload(), 3);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Lets through only events for which `filter` is true; several filters must all be.
    ///
    /// Filters run on the emitting thread, after the patterns and before any queue has the event, so
    /// they should be short. What they reject counts as filtered. A panic counts as a rejection.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscription("n").filter(|event| event.payload() % 2 == 0).subscribe()?;
    /// bus.publisher("n")?.emit_batch(1..=4)?;
    /// let even: Vec<i32> = sub.try_iter().map(|event| *event.payload()).collect();
    /// assert_eq!(even, [2, 4]);
    /// assert_eq!(sub.filtered(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn filter(mut self, filter: impl Fn(&Event<T>) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(match self.filter {
            None => Box::new(filter),
            Some(first) => Box::new(move |event: &Event<T>| first(event) && filter(event)),
        });
        self
    }

    /// Begins with the last `events` of the bus's history that match patterns and filter.
    ///
    /// They come before all live events and outside of the capacity, with no gap, duplicate or
    /// inversion between the two. A bus without a [`history`](crate::BusBuilder::history) replays
    /// nothing. Replayed events are not among those that [`Subscription::received`] counts.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::builder().history(10).build()?;
    /// for n in 0..20 {
    ///     bus.emit("n", n)?;
    /// }
    /// let sub = bus.subscription("n").replay(2).subscribe()?;
    /// bus.emit("n", 20)?;
    /// let seen: Vec<i32> = sub.try_iter().map(|event| *event.payload()).collect();
    /// assert_eq!(seen, [18, 19, 20]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn replay(mut self, events: usize) -> Self {
        self.replay = events;
        self
    }

    /// Keeps the events of a batch together: [`recv_batch`](Subscription::recv_batch) and its kin then give
    /// one batch at a time, that is all events of one [`Bus::batch`], of one
    /// [`emit_batch`](crate::Publisher::emit_batch) or of a derived bus's share of one, that match and have room; an
    /// event that was emitted alone is a batch of one.
    ///
    /// A batch is put into the queue in one step, so nobody sees it half done. But each event takes its slot as
    /// ever, so a batch that has not room for all of it is cut, and looks like a shorter one: give a capacity of
    /// several of the largest batches, and ask [`missed`](Subscription::missed) after a take. Other ways to receive
    /// take one event at a time, and what a subscription begins with comes one by one. It costs a short lock for
    /// each push and take. Where several handles receive asynchronously, a batch may come in two parts, never mixed with another. Under
    /// [`Overflow::Latest`] an event that replaces another goes with the batch of that one.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscription("row.*").keep_batches().subscribe()?;
    /// bus.emit("row.added", 1)?;
    /// let mut batch = bus.start_batch();
    /// batch.emit("row.added", 2)?;
    /// batch.emit("row.removed", 1)?;
    /// batch.commit()?;
    ///
    /// let mut buffer = Vec::new();
    /// assert_eq!(sub.recv_batch(&mut buffer, 100)?, 1);
    /// assert_eq!(sub.recv_batch(&mut buffer, 100)?, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn keep_batches(mut self) -> Self {
        self.keep_batches = true;
        self
    }

    /// Begins with the state: the latest event of each topic that the bus
    /// [retains](crate::Bus::retained) and that matches patterns and filter, then goes on with the changes.
    ///
    /// They come in the order in which they were emitted, each topic once however many
    /// [`Retained`](crate::Retained) keep it, before all live events and outside of the capacity and of
    /// what the [`overflow`](SubscriptionBuilder::overflow) policy does. Between the two there is no gap,
    /// duplicate or inversion: of each topic comes what was retained last, then every change after it.
    /// Events that it begins with are not among those that [`Subscription::received`] counts.
    ///
    /// Where nothing is retained it begins with nothing; so on a derived bus, unless that retains itself. What it
    /// begins with is not marked: right after this, [`try_iter`](Subscription::try_iter) yields it, and
    /// perhaps the first changes. What is retained when this subscribes is what counts:
    /// [`set_patterns`](crate::Subscription::set_patterns) brings nothing of the past. With
    /// [`replay`](SubscriptionBuilder::replay) it begins with both, in the order in which they were
    /// emitted: an event that is among the last of the history, and the latest of its topic, comes once.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let _state = bus.retained("sensor.*")?;
    /// bus.emit("sensor.roof", 20)?;
    /// bus.emit("sensor.cellar", 12)?;
    /// bus.emit("sensor.roof", 21)?;
    ///
    /// let late = bus.subscription("sensor.*").with_retained().subscribe()?;
    /// bus.emit("sensor.cellar", 13)?;
    /// let seen: Vec<_> = late.try_iter().map(|event| *event.payload()).collect();
    /// assert_eq!(seen, [12, 21, 13]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn with_retained(mut self) -> Self {
        self.with_retained = true;
        self
    }

    /// The subscription. Dropping it unsubscribes.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, an empty list, a capacity of zero or above
    /// [`MAX_CAPACITY`](crate::MAX_CAPACITY), a bus with as many subscriptions as it may have, or a
    /// closed one.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let sub = bus.subscription(["a", "b.*"]).subscribe()?;
    /// assert!(bus.subscription("a..b").subscribe().is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn subscribe(self) -> Result<Subscription<T>, SubscribeError> {
        let patterns: Arc<[Pattern]> = self.patterns?.into();
        check_capacity(self.capacity)?;
        let core = self.bus.core();
        let id = core.next_id();
        let keeper = self.bus.keeper();
        let member = || Member {
            id,
            name: self.name,
            filter: self.filter.map(Hook::new),
            mailbox: match self.keep_batches {
                true => Mailbox::of_batches(self.capacity, self.overflow, core.bell()),
                false => Mailbox::new(self.capacity, self.overflow, core.bell()),
            },
            keeps: Mutex::new(keeper),
            epoch: AtomicU64::new(0),
        };
        let mut past = Vec::new();
        let wanted = (
            self.replay > 0 && core.past.has_history(),
            self.with_retained,
        );
        let member = if wanted != (false, false) {
            core.add_member(&patterns, member, |store| {
                past = core.past.copy_and(&patterns, wanted, store);
            })?
        } else {
            core.add_member(&patterns, member, |store| store())?
        };
        // From here on the subscription's own drop undoes all, also if a filter below panics.
        let sub = Subscription::new(Arc::clone(core), member);
        replay(core, &sub, &patterns, past, self.replay);
        Ok(sub)
    }
}

/// Puts past events that match in front of the live ones: the last `count` of the history, and all that
/// are the latest of their topic.
fn replay<T: Send + Sync + 'static>(
    core: &Core<T>,
    sub: &Subscription<T>,
    patterns: &[Pattern],
    past: Vec<Past<T>>,
    count: usize,
) {
    let mut front = VecDeque::new();
    let mut left = count;
    for past in past.into_iter().rev() {
        let Past { event, .. } = past;
        if !past.is_latest && left == 0 {
            core.discard_event(event);
            continue;
        }
        let matches = patterns
            .iter()
            .any(|pattern| pattern.matches_checked(event.topic()));
        let wanted = matches
            && Cause::scope(&event, || accepts(sub.member(), &event, core.on_panic()))
                .unwrap_or(false);
        if wanted {
            left -= usize::from(past.is_recent && left > 0);
            front.push_front(event);
        } else {
            core.discard_event(event);
        }
    }
    if !front.is_empty() {
        sub.member().mailbox.set_front(front);
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for SubscriptionBuilder<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionBuilder")
            .field("patterns", &self.patterns)
            .field("name", &self.name)
            .field("capacity", &self.capacity)
            .field("overflow", &self.overflow)
            .field("filter", &self.filter.is_some())
            .field("replay", &self.replay)
            .field("keep_batches", &self.keep_batches)
            .field("with_retained", &self.with_retained)
            .finish()
    }
}
