//! A subscription in the making.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;

use super::backlog::Marks;
use super::builder::check_capacity;
use super::core::Core;
use super::deliver::accepts;
use super::listeners::{Filter, Member};
use super::overflow::Overflow;
use super::past::Past;
use super::role::{Consumer, Role, ServedBy};
use super::subscriber::Mailbox;
use super::{Bus, Subscription};
use crate::cause::Cause;
use crate::error::{PatternsError, SubscribeError};
use crate::event::Event;
use crate::pattern::Pattern;
use crate::sync::{Arc, Hook, Mutex};

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
    location: &'static Location<'static>,
    capacity: usize,
    overflow: Overflow,
    role: Role,
    served_by: Option<Box<ServedBy>>,
    filter: Option<Box<Filter<T>>>,
    replay: usize,
    keep_batches: bool,
    with_retained: bool,
    marks: Option<Marks>,
    marks_by_hand: bool,
}

impl<'a, T: Send + Sync + 'static> SubscriptionBuilder<'a, T> {
    #[track_caller]
    pub(super) fn new(bus: &'a Bus<T>, patterns: Result<Vec<Pattern>, PatternsError>) -> Self {
        let settings = &bus.core().settings;
        SubscriptionBuilder {
            bus,
            patterns,
            name: None,
            location: Location::caller(),
            capacity: settings.capacity,
            overflow: settings.overflow,
            role: Role::default(),
            served_by: None,
            filter: None,
            replay: 0,
            keep_batches: false,
            with_retained: false,
            marks: None,
            marks_by_hand: false,
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

    /// Where in the source it belongs to; by default where [`Bus::subscription`], or what stands on it, was
    /// called. For those who subscribe for somebody else, whose place is the one to know: take it by
    /// [`Location::caller`] in a function that is `#[track_caller]`.
    ///
    /// ```
    /// use std::panic::Location;
    /// # use chanbus::{Bus, SubscribeError, Subscription};
    ///
    /// #[track_caller]
    /// fn panel(bus: &Bus<u32>) -> Result<Subscription<u32>, SubscribeError> {
    ///     let location = Location::caller();
    ///     let subscribe = || bus.subscription("scan.*").location(location).subscribe();
    ///     subscribe()
    /// }
    ///
    /// let sub = panel(&Bus::new())?; let line = line!();
    /// assert_eq!(sub.location().line(), line);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn location(mut self, location: &'static Location<'static>) -> Self {
        self.location = location;
        self
    }

    /// What it is for, for those who look: [`Role::Subscriber`] unless told otherwise. It changes nothing else.
    ///
    /// ```
    /// # use chanbus::{Bus, Role};
    /// let bus: Bus<u32> = Bus::new();
    /// let sub = bus.subscription("a").role(Role::Bridge).subscribe()?;
    /// assert_eq!(bus.stats().subscriptions[0].role, Role::Bridge);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// Who takes from it in the name of others, for those who look: `tell` is called when somebody asks for the
    /// bus's [topology](Bus::topology), on that thread and under no lock, and never by an emit. A panic in it is
    /// caught and reported. It is dropped with the subscription.
    ///
    /// ```
    /// # use chanbus::{Bus, Consumer};
    /// let bus: Bus<u32> = Bus::new();
    /// let sub = bus
    ///     .subscription("job.**")
    ///     .served_by(|| {
    ///         let mut worker = Consumer::default();
    ///         worker.name = Some("worker 1".into());
    ///         vec![worker]
    ///     })
    ///     .subscribe()?;
    /// let topology = bus.topology();
    /// let consumers = &topology.buses[0].stats.subscriptions[0].consumers;
    /// assert_eq!(consumers[0].name.as_deref(), Some("worker 1"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn served_by(mut self, tell: impl Fn() -> Vec<Consumer> + Send + Sync + 'static) -> Self {
        self.served_by = Some(Box::new(tell));
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

    /// Says it on [`Bus::backlogs`] when `events` wait in the queue, and again when no more wait than a
    /// [`low_water`](SubscriptionBuilder::low_water) mark, half of that unless told otherwise.
    ///
    /// So who falls behind is heard of before events are dropped; but for what comes at once and is more than the room that
    /// is left, as a batch may be: it is said when all of that is in the queue, or dropped. Each of the two is said once for each time that it
    /// happens, in turn; who goes away while behind is said to be back. What a subscription begins with (a replay, what is
    /// retained) does not count. Every emit to a subscription with a mark looks at how much waits, and so does
    /// every take; others pay nothing.
    ///
    /// ```
    /// # use chanbus::{BacklogLevel, Bus};
    /// let bus: Bus<u32> = Bus::builder().name("shop").build()?;
    /// let news = bus.backlogs().subscribe("**")?;
    ///
    /// let slow = bus.subscription("order.*").name("mailer").capacity(8).high_water(6).subscribe()?;
    /// bus.publisher("order.placed")?.emit_batch(0..6)?;
    /// let told = news.recv()?;
    /// assert_eq!((told.payload().level, told.payload().depth), (BacklogLevel::High, 6));
    ///
    /// slow.try_iter().take(3).count();
    /// let told = news.recv()?;
    /// assert_eq!((told.payload().level, told.payload().depth), (BacklogLevel::Low, 3));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn high_water(mut self, events: usize) -> Self {
        self.marks.get_or_insert_default().high = events;
        self
    }

    /// How many events wait at most when it has [fallen behind](SubscriptionBuilder::high_water) and is back: half
    /// of the high-water mark, rounded down, unless told otherwise. It must be below that; 0 means that it has read all.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let sub = bus.subscription("a").high_water(100).low_water(0).subscribe()?;
    /// assert!(bus.subscription("a").high_water(100).low_water(100).subscribe().is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn low_water(mut self, events: usize) -> Self {
        self.marks.get_or_insert_default().low = Some(events);
        self
    }

    /// Takes do not look at its [mark](SubscriptionBuilder::high_water), as they are made under a lock, where what is told
    /// must not run the user's code: [`look_at_marks`](Subscription::look_at_marks) does, afterwards.
    pub(crate) fn look_at_marks_by_hand(mut self) -> Self {
        self.marks_by_hand = true;
        self
    }

    /// The subscription. Dropping it unsubscribes.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, an empty list, a capacity of zero or above
    /// [`MAX_CAPACITY`](crate::MAX_CAPACITY), a high-water mark that is never reached or a low one that is not below
    /// it, a bus with as many subscriptions as it may have, or a closed one.
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
        if let Some(marks) = self.marks {
            marks.check(self.capacity)?;
        }
        let core = self.bus.core();
        let id = core.next_id();
        let keeper = self.bus.keeper();
        let (name, location) = (self.name.clone(), self.location);
        let member = || Member {
            id,
            mailbox: {
                let mailbox = match self.keep_batches {
                    true => Mailbox::of_batches(self.capacity, self.overflow, core.bell()),
                    false => Mailbox::new(self.capacity, self.overflow, core.bell()),
                };
                match self.marks {
                    Some(marks) => {
                        let who = (id, &self.name, self.location);
                        marks.on(mailbox, core, who, self.marks_by_hand)
                    }
                    None => mailbox,
                }
            },
            name: self.name,
            location: self.location,
            role: self.role,
            served_by: self.served_by.map(Hook::new),
            filter: self.filter.map(Hook::new),
            keeps: Mutex::new(keeper),
            #[cfg(feature = "tracing")]
            told: super::traced::Told::of(core),
        };
        let mut past = Vec::new();
        let wanted = (
            self.replay > 0 && core.past.has_history(),
            self.with_retained,
        );
        let added = if wanted != (false, false) {
            core.add_member(&patterns, member, |store| {
                past = core.past.copy_and(&patterns, wanted, store);
            })
        } else {
            core.add_member(&patterns, member, |store| store())
        };
        let member = added.inspect_err(|error| {
            core.tell_not_subscribed(name.as_deref(), location, error);
        })?;
        // From here on the subscription's own drop undoes all, also if a filter below panics.
        let sub = Subscription::new(Arc::clone(core), member);
        replay(core, &sub, &patterns, past, self.replay);
        core.tell_subscribed(sub.member(), &patterns);
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
            .field("location", &self.location)
            .field("capacity", &self.capacity)
            .field("overflow", &self.overflow)
            .field("filter", &self.filter.is_some())
            .field("replay", &self.replay)
            .field("keep_batches", &self.keep_batches)
            .field("with_retained", &self.with_retained)
            .field("marks", &self.marks)
            .finish()
    }
}
