//! The bus: the emitting side's handle, and the rooms below it.

mod backlog;
mod batch;
mod builder;
mod conflate;
mod core;
mod counters;
mod deliver;
mod discard;
mod emit;
mod emitted;
mod feed;
#[cfg(feature = "json")]
mod fields;
mod gaps;
mod global;
mod handles;
#[cfg(feature = "testing")]
mod inject;
mod iter;
mod ledger;
mod listeners;
mod membership;
mod nested;
mod observed;
mod overflow;
mod panics;
mod pass;
mod past;
mod publisher;
mod receive;
mod receive_batch;
mod retained;
mod role;
mod routing;
mod send;
mod stats;
mod store;
#[cfg(feature = "stream")]
mod stream;
mod subscribe;
mod subscriber;
mod subscription;
mod tap;
mod together;
mod traced;
mod view;
mod wait;
mod wake_ups;
mod wakers;
mod weak;

use std::fmt;

pub use backlog::{Backlog, BacklogLevel};
pub use batch::{Batch, Batched};
pub use builder::{
    BusBuilder, DEFAULT_CAPACITY, DEFAULT_MAX_CHAIN, DEFAULT_MAX_SUBSCRIBERS, DEFAULT_ROUTE_CACHE,
    MAX_CAPACITY,
};
pub use emitted::Emitted;
pub use feed::Inlet;
#[cfg(feature = "json")]
pub use fields::Fields;
pub use global::{global, global_or_default, set_global, take_global};
pub use handles::Closer;
pub use iter::{Beat, DEFAULT_HEARTBEAT, Heartbeats, IntoIter, Iter, TryIter};
pub use overflow::Overflow;
pub use panics::{CaughtPanic, PanicPlace};
pub use publisher::Publisher;
pub use receive::RecvFuture;
pub use receive_batch::RecvBatchFuture;
pub use retained::{DEFAULT_RETAINED, Retained, RetainedBuilder, Retention};
pub use role::{Consumer, Role};
pub use stats::{BusStats, SubscriptionStats};
#[cfg(feature = "tokio")]
pub use stream::TokioTimer;
#[cfg(feature = "stream")]
pub use stream::{EventStream, GapStream, HeartbeatStream, IdleTimer, NextFuture};
pub use subscribe::SubscriptionBuilder;
pub use subscription::Subscription;
pub use tap::TapGuard;
pub use view::{BusView, KnownTopics, PublisherStats, TapStats, TapTarget, TopicStats};
pub use wait::WaitFuture;
pub use wake_ups::WakeUps;
pub use weak::WeakBus;

use self::builder::Settings;
use self::core::Core;
use self::feed::{Held, let_go};
use self::subscriber::Ringer;
use crate::error::SubscribeError;
use crate::pattern::{IntoPatterns, Syntax};
use crate::sync::{Arc, Mutex};

/// The hub: any thread emits, every interested subscriber has its own bounded queue.
///
/// A handle; clones share one bus, and the bus closes when the last of them is dropped, whatever
/// publishers and subscriptions there are. Use a [`WeakBus`] where a handle must not keep it open,
/// above all in callbacks that the bus itself holds.
///
/// ```
/// use chanbus::Bus;
///
/// let bus = Bus::new();
/// let sub = bus.subscribe("scan.*")?;
///
/// bus.emit("scan.started", "/home")?;
/// bus.emit("ui.click", "not for us")?;
/// drop(bus);
///
/// let topics: Vec<String> = sub.iter().map(|event| event.topic().to_string()).collect();
/// assert_eq!(topics, ["scan.started"]);
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// # What an emit does
///
/// It waits for no consumer, for no change of the list of subscriptions, and for no lock that is
/// held while anybody's code runs. Step by step:
///
/// | Step | Cost |
/// |---|---|
/// | read the snapshot of subscriptions | a lock-free load; a [`Publisher`] compares one number instead |
/// | look the topic's route up | one hash look-up; a topic not seen since the last change is checked, matched and, if there is room, remembered |
/// | free what a change of subscriptions replaced | not here: the next change does, also where an emit was the last to use it |
/// | make the event | at most one allocation (none where a [`Publisher`] has a block at hand) and a clock read, if anybody listens; a source, metadata, extensions and a cause share one more, and bring their own texts and objects |
/// | ask filters | on this thread, panics caught |
/// | push | one queue push per match; under [`Overflow::Latest`] a short lock around a table look-up |
/// | wake | one wake-up per match whose consumer sleeps; this is the dearest step by far (one or two system calls, as a sleeper in a `Select` may be met at its list), and can be [handed on](WakeUps::Handed); a task's waker is called after all pushes, panics caught |
/// | pass it on to other buses (before wakers are called) | on this thread, where there are [derived](Bus::derive) buses or [pipes](Bus::pipe_to): each does all of this in its turn |
/// | run taps, drop what was pushed out | on this thread, panics caught |
///
/// A batch does each of these steps for all of its events before the next.
///
/// With a [`history`](BusBuilder::history), or on a topic that is [retained](Bus::retained), it also takes
/// a short lock to keep the event; a subscription that begins with what is kept copies it under that lock. Two rare
/// cases allocate once more: an emit that pushes out more than four different events, and one of more
/// than 512 matches that not all take. A queue is made for its first event (or for the first consumer that
/// waits), and a log of gaps for the first loss; that log may grow when a queue overflows at a new place.
///
/// The queues are crossbeam's bounded ones. A push claims a slot by one compare-and-swap and then
/// stamps it; a peer that meets a slot which is claimed and not yet stamped (its owner was
/// interrupted between two instructions) spins and then yields until it is. That, and the two short
/// locks named above (and those of subscriptions that [keep batches](SubscriptionBuilder::keep_batches)), are the moments in which an emit depends on another thread's progress.
///
/// # Emits from inside
///
/// Filters, taps, panic hooks and destructors may call anything on the bus. An event that a filter
/// emits is in every queue before the event that was being filtered; one that a tap or a destructor
/// emits is in every queue after it. (A [`history`](BusBuilder::history), and what is
/// [retained](Bus::retained), has them in the order in which the emits began, so there the filtered event
/// comes first.) Emits that lead to emits carry a
/// [`Cause`](crate::Cause), and a circle of them ends with
/// [`EmitError::ChainTooDeep`](crate::EmitError::ChainTooDeep).
pub struct Bus<T: Send + Sync + 'static>(Arc<Open<T>>);

/// What keeps a bus open.
struct Open<T: Send + Sync + 'static> {
    core: Arc<Core<T>>,
    /// Its subscriptions and taps keep it open, too.
    derived: bool,
    /// What feeds it.
    held: Mutex<Option<Held>>,
}

impl<T: Send + Sync + 'static> Open<T> {
    /// Lets go of what feeds it.
    fn let_go(&self) {
        let held = self.held.lock().take();
        if let Some(held) = held {
            let_go(held);
        }
    }
}

impl<T: Send + Sync + 'static> Drop for Open<T> {
    fn drop(&mut self) {
        self.core.close();
        self.let_go();
    }
}

impl<T: Send + Sync + 'static> Bus<T> {
    /// A bus with the default settings: see [`BusBuilder`].
    ///
    /// ```
    /// let bus: chanbus::Bus<u32> = chanbus::Bus::new();
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self::with(Settings::default(), None)
    }

    /// Begins a bus with other settings.
    ///
    /// ```
    /// let bus: chanbus::Bus<u32> = chanbus::Bus::builder().capacity(8).build()?;
    /// # Ok::<(), chanbus::BuildError>(())
    /// ```
    #[track_caller]
    pub fn builder() -> BusBuilder<T> {
        BusBuilder::new()
    }

    fn with(settings: Settings, ringer: Option<Ringer>) -> Self {
        Bus(Arc::new(Open {
            core: Arc::new(Core::new(settings, ringer)),
            derived: false,
            held: Mutex::new(None),
        }))
    }

    fn core(&self) -> &Arc<Core<T>> {
        &self.0.core
    }

    /// Subscribes with the bus's settings. Dropping the subscription unsubscribes.
    ///
    /// Takes a pattern as text or as [`Pattern`](crate::Pattern), or an array, slice or `Vec` of one
    /// of them; an event that several of them match comes once. In the default syntax `"*"` is one
    /// segment: for everything use `"**"` or [`subscribe_all`](Bus::subscribe_all).
    ///
    /// # Errors
    ///
    /// A text that is no pattern, an empty list, a bus with as many subscriptions as it may have, or
    /// a closed one.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let one = bus.subscribe("scan.*")?;
    /// let several = bus.subscribe(["scan.**", "ui.click"])?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn subscribe(
        &self,
        patterns: impl IntoPatterns,
    ) -> Result<Subscription<T>, SubscribeError> {
        self.subscription(patterns).subscribe()
    }

    /// Subscribes to every topic.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Bus::subscribe), patterns aside.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let all = bus.subscribe_all()?;
    /// bus.emit("any.thing", 1)?;
    /// assert_eq!(all.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn subscribe_all(&self) -> Result<Subscription<T>, SubscribeError> {
        self.subscribe(crate::Pattern::everything())
    }

    /// Begins a subscription with options of its own.
    ///
    /// ```
    /// # use chanbus::{Bus, Overflow};
    /// let bus: Bus<u32> = Bus::new();
    /// let sub = bus
    ///     .subscription(["scan.**", "ui.click"])
    ///     .name("panel")
    ///     .capacity(32)
    ///     .overflow(Overflow::Latest)
    ///     .filter(|event| *event.payload() > 10)
    ///     .subscribe()?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn subscription(&self, patterns: impl IntoPatterns) -> SubscriptionBuilder<'_, T> {
        SubscriptionBuilder::new(self, patterns.into_patterns(self.core().settings.syntax))
    }

    /// How text patterns are read: [`BusBuilder::syntax`].
    ///
    /// ```
    /// # use chanbus::{Bus, Syntax};
    /// assert_eq!(Bus::<u32>::new().syntax(), Syntax::Segmented);
    /// ```
    #[must_use]
    pub fn syntax(&self) -> Syntax {
        self.core().settings.syntax
    }

    /// The name it was given.
    ///
    /// ```
    /// let bus: chanbus::Bus<u32> = chanbus::Bus::builder().name("ui").build()?;
    /// assert_eq!(bus.name(), Some("ui"));
    /// # Ok::<(), chanbus::BuildError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.core().settings.name.as_deref()
    }

    /// Closes the bus for good. Returns `false` if it was closed before.
    ///
    /// From now on emits and subscriptions are errors, and taps, the history and what is
    /// [retained](Bus::retained) are let go of. Every subscription
    /// keeps what is queued: its iteration yields that, and then ends.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe_all()?;
    /// bus.emit("a", 1)?;
    /// assert!(bus.close());
    /// assert!(bus.emit("a", 2).unwrap_err().is_closed());
    /// assert_eq!(sub.iter().count(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn close(&self) -> bool {
        let closed = self.core().close();
        self.0.let_go();
        closed
    }

    /// Whether it was closed.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert!(!bus.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core().is_closed()
    }

    /// Closes all subscriptions, empties the history and what is retained, and zeroes the counters. The bus
    /// stays open, or closed, as it was; publishers and taps stay, and so do those who
    /// [retain](Bus::retained).
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe_all()?;
    /// bus.emit("a", 1)?;
    /// bus.reset();
    /// assert!(sub.is_closed());
    /// assert_eq!(bus.stats().emitted, 0);
    /// assert_eq!(bus.subscriber_count(), 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn reset(&self) {
        self.core().reset();
    }

    /// How many subscriptions are open.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// assert_eq!(bus.subscriber_count(), 1);
    /// drop(sub);
    /// assert_eq!(bus.subscriber_count(), 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn subscriber_count(&self) -> usize {
        self.core().registry.load().content.member_count()
    }

    /// A handle that does not keep the bus open.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let weak = bus.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(bus);
    /// assert!(weak.upgrade().is_none());
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> WeakBus<T> {
        WeakBus(Arc::downgrade(&self.0))
    }

    /// Whether both are handles of one bus.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert!(bus.same_bus(&bus.clone()));
    /// assert!(!bus.same_bus(&Bus::new()));
    /// ```
    #[must_use]
    pub fn same_bus(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T: Send + Sync + 'static> Clone for Bus<T> {
    fn clone(&self) -> Self {
        Bus(Arc::clone(&self.0))
    }
}

impl<T: Send + Sync + 'static> Default for Bus<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Bus<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.core().registry.load();
        f.debug_struct("Bus")
            .field("name", &self.name())
            .field("closed", &version.content.closed)
            .field("subscribers", &version.content.member_count())
            .field("taps", &version.content.tap_count())
            .finish_non_exhaustive()
    }
}
