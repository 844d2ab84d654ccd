//! A bus with other settings than the defaults.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;

use super::Bus;
use super::overflow::Overflow;
use super::panics::{CaughtPanic, PanicHook};
use super::wake_ups::{WakeUps, start_ringer};
use crate::clock::Clock;
use crate::error::{BadCapacity, BuildError};
use crate::pattern::Syntax;
use crate::sync::Arc;

/// How many events a subscription's queue holds unless told otherwise: 200.
///
/// ```
/// # use chanbus::{Bus, DEFAULT_CAPACITY};
/// let bus: Bus<u32> = Bus::new();
/// assert_eq!(bus.subscribe_all()?.capacity(), DEFAULT_CAPACITY);
/// assert_eq!(DEFAULT_CAPACITY, 200);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub const DEFAULT_CAPACITY: usize = 200;
/// How many subscriptions a bus takes unless told otherwise: 64.
///
/// ```
/// # use chanbus::{Bus, DEFAULT_MAX_SUBSCRIBERS};
/// let bus: Bus<u32> = Bus::new();
/// assert_eq!(bus.stats().max_subscribers, DEFAULT_MAX_SUBSCRIBERS);
/// assert_eq!(DEFAULT_MAX_SUBSCRIBERS, 64);
/// ```
pub const DEFAULT_MAX_SUBSCRIBERS: usize = 64;
/// How many events may lead to one another unless told otherwise: 32.
///
/// ```
/// assert_eq!(chanbus::DEFAULT_MAX_CHAIN, 32);
/// ```
pub const DEFAULT_MAX_CHAIN: usize = 32;
/// For how many topics a bus keeps the way to their subscribers unless told otherwise: 16,384.
///
/// ```
/// assert_eq!(chanbus::DEFAULT_ROUTE_CACHE, 16_384);
/// ```
pub const DEFAULT_ROUTE_CACHE: usize = 16_384;
/// The most events that one queue can be asked to hold: 16,777,216.
///
/// A queue's memory is taken when it is made, so a size that no machine has is refused rather than
/// tried.
///
/// ```
/// # use chanbus::{BuildError, Bus, MAX_CAPACITY};
/// let error = Bus::<u32>::builder().capacity(MAX_CAPACITY + 1).build().unwrap_err();
/// assert_eq!(error, BuildError::CapacityTooLarge { capacity: MAX_CAPACITY + 1 });
/// ```
pub const MAX_CAPACITY: usize = 1 << 24;

/// What a bus was built with.
pub(super) struct Settings {
    pub(super) name: Option<Arc<str>>,
    /// Where in the source the bus was made.
    pub(super) location: &'static Location<'static>,
    pub(super) capacity: usize,
    pub(super) max_subscribers: usize,
    pub(super) overflow: Overflow,
    pub(super) syntax: Syntax,
    pub(super) history: usize,
    pub(super) max_chain: usize,
    pub(super) route_cache: usize,
    /// How many topics to remember.
    pub(super) observe_topics: usize,
    pub(super) wake_ups: WakeUps,
    pub(super) clock: Clock,
    pub(super) on_panic: Option<PanicHook>,
}

impl Settings {
    /// Those of a bus that is derived from one with these.
    #[track_caller]
    pub(super) fn derived(&self) -> Self {
        Settings {
            name: None,
            location: Location::caller(),
            history: 0,
            capacity: self.capacity,
            max_subscribers: self.max_subscribers,
            overflow: self.overflow,
            syntax: self.syntax,
            max_chain: self.max_chain,
            route_cache: self.route_cache,
            observe_topics: self.observe_topics,
            wake_ups: self.wake_ups,
            clock: self.clock.clone(),
            on_panic: self.on_panic.clone(),
        }
    }
}

impl Default for Settings {
    #[track_caller]
    fn default() -> Self {
        Settings {
            name: None,
            location: Location::caller(),
            capacity: DEFAULT_CAPACITY,
            max_subscribers: DEFAULT_MAX_SUBSCRIBERS,
            overflow: Overflow::default(),
            syntax: Syntax::default(),
            history: 0,
            max_chain: DEFAULT_MAX_CHAIN,
            route_cache: DEFAULT_ROUTE_CACHE,
            observe_topics: 0,
            wake_ups: WakeUps::default(),
            clock: Clock::default(),
            on_panic: None,
        }
    }
}

/// Builds a [`Bus`] with other settings than the defaults; made by [`Bus::builder`].
///
/// | Setting | Default |
/// |---|---|
/// | [`capacity`](BusBuilder::capacity) of each queue | [`DEFAULT_CAPACITY`], 200 events |
/// | [`max_subscribers`](BusBuilder::max_subscribers) | [`DEFAULT_MAX_SUBSCRIBERS`], 64 |
/// | [`overflow`](BusBuilder::overflow) | [`Overflow::DropNewest`] |
/// | [`syntax`](BusBuilder::syntax) of patterns given as text | [`Syntax::Segmented`] |
/// | [`history`](BusBuilder::history) | none |
/// | [`max_chain`](BusBuilder::max_chain) | [`DEFAULT_MAX_CHAIN`], 32 |
/// | [`route_cache`](BusBuilder::route_cache) | [`DEFAULT_ROUTE_CACHE`], 16,384 topics |
/// | [`observe_topics`](BusBuilder::observe_topics), to be seen later | none |
/// | [`wake_ups`](BusBuilder::wake_ups) | [`WakeUps::Direct`], whoever emits |
/// | [`clock`](BusBuilder::clock) | [`Clock::coarse`] |
/// | [`on_panic`](BusBuilder::on_panic) | nothing; panics are caught and counted all the same |
///
/// ```
/// use chanbus::{Bus, Overflow, Syntax};
///
/// let bus: Bus<String> = Bus::builder()
///     .name("ui")
///     .capacity(1_024)
///     .max_subscribers(256)
///     .overflow(Overflow::DropOldest)
///     .syntax(Syntax::Segmented)
///     .history(100)
///     .build()?;
/// assert_eq!(bus.name(), Some("ui"));
/// # Ok::<(), chanbus::BuildError>(())
/// ```
#[must_use = "a builder makes a bus only by `build`"]
pub struct BusBuilder<T> {
    settings: Settings,
    payload: PhantomData<fn(T)>,
}

impl<T: Send + Sync + 'static> BusBuilder<T> {
    #[track_caller]
    pub(super) fn new() -> Self {
        BusBuilder {
            settings: Settings::default(),
            payload: PhantomData,
        }
    }

    /// A name, for people: it stands in the bus's statistics and its `Debug`.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::builder().name("ui").build()?;
    /// assert_eq!(bus.name(), Some("ui"));
    /// # Ok::<(), chanbus::BuildError>(())
    /// ```
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.settings.name = Some(name.into());
        self
    }

    /// How many events each subscription's queue holds, exactly; a subscription can ask for another
    /// number. Zero, and more than [`MAX_CAPACITY`], are errors of [`build`](BusBuilder::build).
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::builder().capacity(8).build()?;
    /// assert_eq!(bus.subscribe_all()?.capacity(), 8);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn capacity(mut self, events: usize) -> Self {
        self.settings.capacity = events;
        self
    }

    /// How many subscriptions may be open at once. `wait_for` takes one while it waits; taps and
    /// further handles of one subscription take none. One more is
    /// [`SubscribeError::LimitReached`](crate::SubscribeError::LimitReached).
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::builder().max_subscribers(1).build()?;
    /// let first = bus.subscribe_all()?;
    /// assert!(bus.subscribe_all().unwrap_err().is_limit_reached());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn max_subscribers(mut self, subscriptions: usize) -> Self {
        self.settings.max_subscribers = subscriptions;
        self
    }

    /// What full queues do; a subscription can ask for another policy.
    ///
    /// ```
    /// # use chanbus::{Bus, Overflow};
    /// let bus: Bus<u32> = Bus::builder().overflow(Overflow::DropOldest).build()?;
    /// assert_eq!(bus.subscribe_all()?.overflow(), Overflow::DropOldest);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.settings.overflow = overflow;
        self
    }

    /// How patterns that are given as text read. A [`Pattern`](crate::Pattern) keeps its own syntax.
    ///
    /// ```
    /// # use chanbus::{Bus, Syntax};
    /// let bus = Bus::builder().syntax(Syntax::Flat).build()?;
    /// let everything = bus.subscribe("*")?;
    /// bus.emit("scan.file.found", 1)?;
    /// assert_eq!(everything.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn syntax(mut self, syntax: Syntax) -> Self {
        self.settings.syntax = syntax;
        self
    }

    /// How many of the last events to keep for subscriptions that ask for a
    /// [`replay`](crate::SubscriptionBuilder::replay). With a history every emit makes its event,
    /// wanted or not, and takes a short lock.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::builder().history(100).build()?;
    /// bus.emit("a", 1)?;
    /// let late = bus.subscription("a").replay(10).subscribe()?;
    /// assert_eq!(late.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn history(mut self, events: usize) -> Self {
        self.settings.history = events;
        self
    }

    /// How many events may lead to one another; an emit at the end of a longer chain is
    /// [`EmitError::ChainTooDeep`](crate::EmitError::ChainTooDeep). See [`Cause`](crate::Cause).
    ///
    /// ```
    /// # use chanbus::{Bus, Cause, Event};
    /// let bus = Bus::builder().max_chain(0).build()?;
    /// let event = Event::new("a", 1)?;
    /// let refused = Cause::scope(&event, || bus.emit("b", 2));
    /// assert!(refused.unwrap_err().is_chain_too_deep());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn max_chain(mut self, events: usize) -> Self {
        self.settings.max_chain = events;
        self
    }

    /// For how many topics to keep the way to their subscribers. It bounds memory; topics beyond
    /// it are looked up at every emit. After as many such look-ups the cache begins anew, and what it
    /// held is freed by later look-ups, a few topics at a time: no emit pays for all of it.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::builder().route_cache(256).build()?;
    /// # Ok::<(), chanbus::BuildError>(())
    /// ```
    pub fn route_cache(mut self, topics: usize) -> Self {
        self.settings.route_cache = topics;
        self
    }

    /// How many topics to remember for [`topology`](Bus::topology) and [`lint`](Bus::lint): the first so many on
    /// which anybody emits, or makes a publisher, from now on. Without it these know the topics since
    /// subscriptions last changed. A derived bus has the setting of the one that it is made of.
    ///
    /// An emit pays for it only where it looks for a topic's subscribers anew (once for each topic after each
    /// change of subscriptions, and for topics beyond the [`route_cache`](BusBuilder::route_cache)): a short
    /// lock. Memory is the topics' own.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::builder().observe_topics(100).build()?;
    /// bus.emit("a", 1)?;
    /// let _sub = bus.subscribe("b")?;
    /// assert_eq!(bus.view().topics().topics[0].topic, "a");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn observe_topics(mut self, topics: usize) -> Self {
        self.settings.observe_topics = topics;
        self
    }

    /// Who wakes consumers that sleep in a blocking receive: whoever emits, or a thread of the bus's
    /// own.
    ///
    /// ```
    /// # use chanbus::{Bus, WakeUps};
    /// let bus: Bus<u32> = Bus::builder().wake_ups(WakeUps::Handed).build()?;
    /// # Ok::<(), chanbus::BuildError>(())
    /// ```
    pub fn wake_ups(mut self, wake_ups: WakeUps) -> Self {
        self.settings.wake_ups = wake_ups;
        self
    }

    /// Where timestamps come from.
    ///
    /// ```
    /// # use chanbus::{Bus, Clock};
    /// let bus: Bus<u32> = Bus::builder().clock(Clock::exact()).build()?;
    /// # Ok::<(), chanbus::BuildError>(())
    /// ```
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Is called with every panic that the bus caught in a filter, a tap or a destructor (all are at
    /// [`PanicPlace`](crate::PanicPlace)), on the thread where it happened. A hook that panics itself is ignored.
    ///
    /// What it is given, a [`CaughtPanic`], says in one line what panicked, of whom, made where, at which topic, and what
    /// was said:
    ///
    /// ```
    /// # use chanbus::Bus;
    /// # fn log(line: &str) {
    /// #     assert!(line.starts_with("a filter of subscription 0 `even`, made at "), "{line}");
    /// #     assert!(line.ends_with(", panicked at topic `n`: no zero, please"), "{line}");
    /// # }
    /// let bus: Bus<u32> = Bus::builder().on_panic(|panic| log(&panic.to_string())).build()?;
    /// let _even = bus.subscription("n").name("even").filter(|_| panic!("no zero, please")).subscribe()?;
    /// bus.emit("n", 0)?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    ///
    /// ```text
    /// a filter of subscription 0 `even`, made at src/main.rs:4:19, panicked at topic `n`: no zero, please
    /// ```
    ///
    /// Under `panic = "abort"` nothing can be caught, and the process ends at the panic.
    pub fn on_panic(mut self, hook: impl Fn(&CaughtPanic<'_>) + Send + Sync + 'static) -> Self {
        self.settings.on_panic = Some(Arc::new(hook));
        self
    }

    /// The bus.
    ///
    /// # Errors
    ///
    /// A capacity of zero, or above [`MAX_CAPACITY`]; or the system gave no thread to wake consumers
    /// ([`WakeUps::Handed`]).
    ///
    /// ```
    /// # use chanbus::Bus;
    /// assert!(Bus::<u32>::builder().capacity(0).build().is_err());
    /// ```
    pub fn build(self) -> Result<Bus<T>, BuildError> {
        check_capacity(self.settings.capacity)?;
        let ringer = match self.settings.wake_ups {
            WakeUps::Direct => None,
            WakeUps::Handed => Some(start_ringer(self.settings.name.as_deref())?),
        };
        Ok(Bus::with(self.settings, ringer))
    }
}

pub(super) fn check_capacity(capacity: usize) -> Result<(), BadCapacity> {
    match capacity {
        0 => Err(BadCapacity::Zero),
        1..=MAX_CAPACITY => Ok(()),
        _ => Err(BadCapacity::TooLarge { capacity }),
    }
}

impl<T> fmt::Debug for BusBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.settings;
        f.debug_struct("BusBuilder")
            .field("name", &settings.name)
            .field("capacity", &settings.capacity)
            .field("max_subscribers", &settings.max_subscribers)
            .field("overflow", &settings.overflow)
            .field("syntax", &settings.syntax)
            .field("history", &settings.history)
            .field("max_chain", &settings.max_chain)
            .field("route_cache", &settings.route_cache)
            .field("observe_topics", &settings.observe_topics)
            .field("wake_ups", &settings.wake_ups)
            .field("clock", &settings.clock)
            .finish_non_exhaustive()
    }
}
