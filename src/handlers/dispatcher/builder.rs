//! A dispatcher in the making.

use std::fmt;
use std::panic::Location;

use super::{Dispatcher, Phase, Shared, State, Watch};
use crate::bus::{Bus, DEFAULT_CAPACITY, Overflow, Role};
use crate::error::{PatternsError, SubscribeError};
use crate::handlers::Handlers;
use crate::handlers::context::Origin;
use crate::handlers::executor::{BlockOn, Chosen, Executor, Mode};
use crate::handlers::listing::consumers_of;
use crate::handlers::run::Scene;
use crate::pattern::{IntoPatterns, Pattern};
use crate::sync::{Arc, Condvar, Mutex};

/// A dispatcher in the making; made by [`Dispatcher::builder`].
///
/// | Setting | Default |
/// |---|---|
/// | [`executor`](DispatcherBuilder::executor) | [`BlockOn`]: on the dispatcher's thread, async handlers to their end |
/// | [`mode`](DispatcherBuilder::mode) | the executor's |
/// | [`max_in_flight`](DispatcherBuilder::max_in_flight) | 1 event |
/// | [`patterns`](DispatcherBuilder::patterns) | all topics |
/// | [`capacity`](DispatcherBuilder::capacity) | the bus's |
/// | [`overflow`](DispatcherBuilder::overflow) | the bus's |
/// | [`high_water`](DispatcherBuilder::high_water) | none |
/// | [`name`](DispatcherBuilder::name) | `dispatcher` |
///
/// ```
/// use chanbus::{Bus, Dispatcher, Handlers, Overflow, ThreadPool};
///
/// let bus = Bus::<u32>::new();
/// let dispatcher = Dispatcher::builder(&bus, &Handlers::new())
///     .executor(ThreadPool::new(4)?)
///     .capacity(10_000)
///     .overflow(Overflow::DropOldest)
///     .build()?;
/// dispatcher.start()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct DispatcherBuilder<'b, T: Send + Sync + 'static> {
    bus: &'b Bus<T>,
    handlers: Handlers<T>,
    executor: Chosen,
    mode: Option<Mode>,
    max_in_flight: usize,
    patterns: Option<Result<Vec<Pattern>, PatternsError>>,
    capacity: Option<usize>,
    overflow: Option<Overflow>,
    high_water: Option<usize>,
    low_water: Option<usize>,
    replay: usize,
    with_retained: bool,
    name: Arc<str>,
    location: &'static Location<'static>,
    debug: Option<bool>,
}

impl<'b, T: Send + Sync + 'static> DispatcherBuilder<'b, T> {
    #[track_caller]
    pub(super) fn new(bus: &'b Bus<T>, handlers: &Handlers<T>) -> Self {
        DispatcherBuilder {
            bus,
            handlers: handlers.clone(),
            executor: Chosen::new(BlockOn),
            mode: None,
            max_in_flight: 1,
            patterns: None,
            capacity: None,
            overflow: None,
            high_water: None,
            low_water: None,
            replay: 0,
            with_retained: false,
            name: "dispatcher".into(),
            location: Location::caller(),
            debug: None,
        }
    }

    /// Who runs the handlers.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers, ThreadPool};
    /// # let bus = Bus::<u32>::new();
    /// let pool = ThreadPool::new(2)?;
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).executor(pool).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn executor(mut self, executor: impl Executor) -> Self {
        self.executor = Chosen::new(executor);
        self
    }

    /// Which handlers of an event run together. On the dispatcher's own thread they are sequential.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers, Mode, ThreadPool};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new())
    ///     .executor(ThreadPool::new(2)?)
    ///     .mode(Mode::Concurrent)
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// How many events may be at their handlers at the same time. With one, each event's handlers have
    /// ended before the next event's begin. More need an executor with threads of its own, and events
    /// may overtake each other there. Those of a batch count as one. Zero counts as one.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers, ThreadPool};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new())
    ///     .executor(ThreadPool::new(2)?)
    ///     .max_in_flight(16)
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_in_flight(mut self, events: usize) -> Self {
        self.max_in_flight = events.max(1);
        self
    }

    /// Which topics it takes from the bus, in the bus's syntax; handlers' own patterns choose among them.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).patterns("chat.**").build()?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn patterns(mut self, patterns: impl IntoPatterns) -> Self {
        self.patterns = Some(patterns.into_patterns(self.bus.syntax()));
        self
    }

    /// How many events wait at most.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).capacity(10_000).build()?;
    /// assert_eq!(dispatcher.stats().capacity, 10_000);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = Some(events);
        self
    }

    /// What becomes of events that find the queue full.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers, Overflow};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new())
    ///     .overflow(Overflow::DropOldest)
    ///     .build()?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = Some(overflow);
        self
    }

    /// Says it on [`Bus::backlogs`] when so many events wait: see
    /// [`high_water`](crate::SubscriptionBuilder::high_water) of subscriptions.
    ///
    /// ```
    /// # use chanbus::{BacklogLevel, Bus, Dispatcher, Handlers};
    /// let bus = Bus::<u32>::new();
    /// let news = bus.backlogs().subscribe("**")?;
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).name("mailer").high_water(100).build()?;
    /// bus.publisher("order.placed")?.emit_batch(0..100)?;
    /// assert_eq!(news.recv()?.payload().name.as_deref(), Some("mailer"));
    ///
    /// dispatcher.start()?;
    /// let told = news.recv()?;
    /// assert_eq!((told.payload().level, told.payload().depth), (BacklogLevel::Low, 50));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn high_water(mut self, events: usize) -> Self {
        self.high_water = Some(events);
        self
    }

    /// How many wait at most when it is back: see [`low_water`](crate::SubscriptionBuilder::low_water) of
    /// subscriptions.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).high_water(100).low_water(0).build()?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn low_water(mut self, events: usize) -> Self {
        self.low_water = Some(events);
        self
    }

    /// Begins with the last `events` of the bus's history: see [`replay`](crate::SubscriptionBuilder::replay) of
    /// subscriptions.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Drain, Handlers};
    /// let bus = Bus::builder().history(10).build()?;
    /// bus.emit("n", 1)?;
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).replay(10).build()?;
    /// bus.emit("n", 2)?;
    /// dispatcher.start()?;
    /// dispatcher.stop(Drain::All)?;
    /// assert_eq!(dispatcher.stats().handled, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn replay(mut self, events: usize) -> Self {
        self.replay = events;
        self
    }

    /// Begins with what the bus has [retained](Bus::retained): see
    /// [`with_retained`](crate::SubscriptionBuilder::with_retained) of subscriptions.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Drain, Handlers};
    /// let bus = Bus::new();
    /// let _state = bus.retained("door.*")?;
    /// bus.emit("door.front", "open")?;
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).with_retained().build()?;
    /// dispatcher.start()?;
    /// dispatcher.stop(Drain::All)?;
    /// assert_eq!(dispatcher.stats().handled, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn with_retained(mut self) -> Self {
        self.with_retained = true;
        self
    }

    /// What its subscription and its thread are called.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).name("chat").build()?;
    /// assert_eq!(bus.stats().subscriptions[0].name.as_deref(), Some("chat"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Whether its events' way is traced at visible level: see [`set_debug`](crate::set_debug).
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).debug(true).build()?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn debug(mut self, on: bool) -> Self {
        self.debug = Some(on);
        self
    }

    /// Subscribes. Events wait from now on; [`start`](Dispatcher::start) has them handled.
    ///
    /// # Errors
    ///
    /// As a [subscription](crate::SubscriptionBuilder::subscribe).
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// let bus = Bus::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
    /// bus.emit("a", 1)?;
    /// assert_eq!(dispatcher.stats().queued, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn build(self) -> Result<Dispatcher<T>, SubscribeError> {
        let patterns = match self.patterns {
            Some(patterns) => patterns?,
            None => vec![Pattern::everything()],
        };
        let mut builder = self
            .bus
            .subscription(patterns)
            .name(self.name)
            .location(self.location)
            .role(Role::Dispatcher)
            .served_by(consumers_of(self.handlers.core()))
            .replay(self.replay)
            .keep_batches()
            .look_at_marks_by_hand();
        if self.with_retained {
            builder = builder.with_retained();
        }
        if let Some(capacity) = self.capacity {
            builder = builder.capacity(capacity);
        }
        if let Some(overflow) = self.overflow {
            builder = builder.overflow(overflow);
        }
        if let Some(events) = self.high_water {
            builder = builder.high_water(events);
        }
        if let Some(events) = self.low_water {
            builder = builder.low_water(events);
        }
        let sub = builder.subscribe()?;
        let watch = Watch::new();
        let core = Arc::clone(self.handlers.core());
        let mode = self.mode.unwrap_or_else(|| self.executor.mode());
        let scene = Scene {
            debug: self.debug,
            core,
            origin: Origin::Bus(self.bus.downgrade()),
            watch: Some(Arc::clone(&watch)),
            within: None,
            // Each start has its own.
            fate: None,
        };
        Ok(Dispatcher {
            shared: Arc::new(Shared {
                sub,
                scene,
                watch,
                executor: self.executor,
                mode,
                max_in_flight: self.max_in_flight,
                state: Mutex::new(State {
                    phase: Phase::Idle,
                    epoch: 0,
                    taken: 0,
                    in_flight: 0,
                    serving: false,
                    held_up: false,
                    ended: false,
                    thread: None,
                    nudge: None,
                    fate: Arc::default(),
                }),
                changed: Condvar::new(),
            }),
        })
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for DispatcherBuilder<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatcherBuilder")
            .field("executor", &self.executor.name())
            .field("mode", &self.mode)
            .field("max_in_flight", &self.max_in_flight)
            .field("capacity", &self.capacity.unwrap_or(DEFAULT_CAPACITY))
            .finish_non_exhaustive()
    }
}
