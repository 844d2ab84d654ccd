//! State on a bus: the latest event of each topic, for those who come later.

use std::fmt;

use super::Bus;
use super::core::Core;
use super::feed::Keeper;
use super::store::Store;
use crate::error::{PatternsError, SubscribeError};
use crate::event::Event;
use crate::pattern::{IntoPatterns, Pattern};
use crate::sync::Arc;

/// How many topics a [`Retained`] holds the latest event of, unless told otherwise.
///
/// ```
/// # use chanbus::{Bus, DEFAULT_RETAINED};
/// let bus: Bus<u32> = Bus::new();
/// assert_eq!(bus.retained("**")?.capacity(), DEFAULT_RETAINED);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub const DEFAULT_RETAINED: usize = 1_000;

/// What a full [`Retained`] does with an event of a topic that it does not hold. Topics that it holds go on
/// changing, full or not.
///
/// ```
/// use chanbus::{Bus, Retention};
///
/// let bus = Bus::new();
/// let first = bus.retention("**").capacity(1).retain()?;
/// let last = bus.retention("**").capacity(1).when_full(Retention::ForgetOldest).retain()?;
/// bus.emit("a", 1)?;
/// bus.emit("b", 2)?;
/// assert_eq!((first.len(), first.refused()), (1, 1));
/// assert!(first.get("a").is_some());
/// assert_eq!((last.len(), last.forgotten()), (1, 1));
/// assert!(last.get("b").is_some());
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Retention {
    /// Does not keep the new topic, and counts the event as [`refused`](Retained::refused). What is held
    /// stays complete: for a known set of topics.
    #[default]
    RefuseNew,
    /// Forgets the topic that changed longest ago, and counts it as [`forgotten`](Retained::forgotten): for
    /// topics that come and go.
    ForgetOldest,
}

impl<T: Send + Sync + 'static> Bus<T> {
    /// Keeps the latest event of each topic that a pattern matches, until the guard is dropped: state, for
    /// subscriptions that begin [with it](crate::SubscriptionBuilder::with_retained), and for whoever asks
    /// the [`Retained`] itself.
    ///
    /// It holds up to [`DEFAULT_RETAINED`] topics and refuses more; for other bounds and another policy there
    /// is [`retention`](Bus::retention). An emit that begins after this returned is kept, by whichever way
    /// it is emitted, and whether anybody listens or not. It is no subscription and takes no slot of the
    /// bus's limit.
    ///
    /// An emit on a topic that is retained makes its event, wanted or not, and takes a short lock, for some
    /// look-ups of its topic (a batch, of each of its topics); other emits pay nothing. What an event
    /// replaces is dropped when the new one is in every queue, on the emitting thread.
    ///
    /// Publishers that emit on one topic at once have no order in any queue, and so none here: the state
    /// of that topic is one of theirs, and each subscription has that one and those after it.
    ///
    /// An event is kept before filters are asked about it, so what a filter emits on the same topic is kept after it,
    /// though it comes to the queues before it.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, an empty list, or a closed bus.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let state = bus.retained("lamp.*")?;
    /// bus.emit("lamp.hall", "on")?;
    /// bus.emit("lamp.hall", "off")?;
    /// assert_eq!(*state.get("lamp.hall").unwrap().payload(), "off");
    ///
    /// let late = bus.subscription("lamp.*").with_retained().subscribe()?;
    /// assert_eq!(*late.recv()?.payload(), "off");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn retained(&self, patterns: impl IntoPatterns) -> Result<Retained<T>, SubscribeError> {
        self.retention(patterns).retain()
    }

    /// Begins a [`Retained`] with bounds of its own.
    ///
    /// ```
    /// # use chanbus::{Bus, Retention};
    /// let bus: Bus<u32> = Bus::new();
    /// let state = bus
    ///     .retention(["sensor.**", "lamp.*"])
    ///     .capacity(20_000)
    ///     .when_full(Retention::ForgetOldest)
    ///     .retain()?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn retention(&self, patterns: impl IntoPatterns) -> RetainedBuilder<'_, T> {
        RetainedBuilder {
            bus: self,
            patterns: patterns.into_patterns(self.core().settings.syntax),
            capacity: DEFAULT_RETAINED,
            when_full: Retention::default(),
        }
    }
}

/// A [`Retained`] in the making; made by [`Bus::retention`].
///
/// ```
/// # use chanbus::Bus;
/// let bus: Bus<u32> = Bus::new();
/// let state = bus.retention("sensor.*").capacity(50).retain()?;
/// assert_eq!(state.capacity(), 50);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "a builder retains only by `retain`"]
pub struct RetainedBuilder<'a, T: Send + Sync + 'static> {
    bus: &'a Bus<T>,
    patterns: Result<Vec<Pattern>, PatternsError>,
    capacity: usize,
    when_full: Retention,
}

impl<T: Send + Sync + 'static> RetainedBuilder<'_, T> {
    /// Of how many topics to keep the latest event. The default is [`DEFAULT_RETAINED`]. Nothing is
    /// allocated ahead.
    ///
    /// A subscription that begins [with what is retained](crate::SubscriptionBuilder::with_retained) looks at
    /// all of them under the lock that emits on retained topics take (unless it asks for exact topics
    /// only): with very many topics those emits wait for it that long.
    ///
    /// ```
    /// # use chanbus::{Bus, SubscribeError};
    /// let bus: Bus<u32> = Bus::new();
    /// let error = bus.retention("a").capacity(0).retain().unwrap_err();
    /// assert_eq!(error, SubscribeError::ZeroRetained);
    /// assert!(error.to_string().contains("RetainedBuilder::capacity"));
    /// ```
    pub fn capacity(mut self, topics: usize) -> Self {
        self.capacity = topics;
        self
    }

    /// What to do with one topic more. The default is [`Retention::RefuseNew`].
    ///
    /// ```
    /// # use chanbus::{Bus, Retention};
    /// let bus: Bus<u32> = Bus::new();
    /// let state = bus.retention("a").when_full(Retention::ForgetOldest).retain()?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn when_full(mut self, policy: Retention) -> Self {
        self.when_full = policy;
        self
    }

    /// Keeps from now on, until the guard is dropped.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, an empty list, a capacity of zero, or a closed bus.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let state = bus.retention("a").capacity(1).retain()?;
    /// bus.close();
    /// assert!(bus.retention("a").capacity(1).retain().unwrap_err().is_closed());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn retain(self) -> Result<Retained<T>, SubscribeError> {
        let patterns: Arc<[Pattern]> = self.patterns?.into();
        if self.capacity == 0 {
            return Err(SubscribeError::ZeroRetained);
        }
        let core = Arc::clone(self.bus.core());
        let id = core.next_id();
        let store = Store::new(self.capacity, self.when_full);
        core.add_store(id, store, Arc::clone(&patterns))?;
        Ok(Retained {
            core,
            id,
            patterns,
            capacity: self.capacity,
            when_full: self.when_full,
            _keeps: self.bus.keeper(),
        })
    }
}

/// The latest event of each topic that it asks for; made by [`Bus::retained`].
///
/// A guard: dropping it ends the keeping, and drops what it holds there and then. It does not keep the
/// bus open, unless that is a [derived](Bus::derive) one. Closing the bus, or [resetting](Bus::reset) it, empties it.
///
/// ```
/// # use chanbus::Bus;
/// let bus = Bus::new();
/// let state = bus.retained("sensor.*")?;
/// bus.emit("sensor.roof", 20)?;
/// bus.emit("sensor.cellar", 12)?;
/// bus.emit("sensor.roof", 21)?;
///
/// let latest: Vec<_> = state.latest().iter().map(|event| *event.payload()).collect();
/// assert_eq!(latest, [12, 21]);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "dropping the guard drops what is retained"]
pub struct Retained<T: Send + Sync + 'static> {
    core: Arc<Core<T>>,
    id: u64,
    patterns: Arc<[Pattern]>,
    capacity: usize,
    when_full: Retention,
    /// A derived bus lives as long as what it retains is held.
    _keeps: Option<Keeper>,
}

impl<T: Send + Sync + 'static> Retained<T> {
    fn with<R: Default>(&self, act: impl FnOnce(&mut Store<T>) -> R) -> R {
        self.core.past.with(self.id, act).unwrap_or_default()
    }

    /// The latest event of a topic.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let state = bus.retained("a.*")?;
    /// bus.emit("a.b", 1)?;
    /// assert_eq!(*state.get("a.b").unwrap().payload(), 1);
    /// assert!(state.get("a.c").is_none());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn get(&self, topic: impl AsRef<str>) -> Option<Event<T>> {
        let topic = topic.as_ref();
        self.with(|store| store.get(topic).map(|(_, event)| event.clone()))
    }

    /// The latest event of each topic, in the order in which they were emitted: the topic that changed
    /// longest ago comes first.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let state = bus.retained("*")?;
    /// bus.emit("a", 1)?;
    /// bus.emit("b", 2)?;
    /// bus.emit("a", 3)?;
    /// let topics: Vec<_> = state.latest().iter().map(|event| event.topic().to_string()).collect();
    /// assert_eq!(topics, ["b", "a"]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn latest(&self) -> Vec<Event<T>> {
        self.with(|store| store.events().cloned().collect())
    }

    /// How many topics it holds the latest event of.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let state = bus.retained("*")?;
    /// bus.emit("a", 1)?;
    /// bus.emit("a", 2)?;
    /// assert_eq!(state.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.with(|store| store.len())
    }

    /// Whether it holds none.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert!(bus.retained("*")?.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many topics it holds at most.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert_eq!(bus.retention("*").capacity(7).retain()?.capacity(), 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// What it does when it is full.
    ///
    /// ```
    /// # use chanbus::{Bus, Retention};
    /// let bus: Bus<u32> = Bus::new();
    /// assert_eq!(bus.retained("*")?.when_full(), Retention::RefuseNew);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn when_full(&self) -> Retention {
        self.when_full
    }

    /// What it asks for.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert_eq!(bus.retained(["a", "b.*"])?.patterns()[1].as_str(), "b.*");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Forgets a topic, for state that has ended; its last event comes back. The next event of the topic is
    /// kept again, if there is room.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let state = bus.retained("session.*")?;
    /// bus.emit("session.7", "open")?;
    /// assert_eq!(*state.forget("session.7").unwrap().payload(), "open");
    /// assert!(state.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn forget(&self, topic: impl AsRef<str>) -> Option<Event<T>> {
        let topic = topic.as_ref();
        self.with(|store| store.forget(topic))
    }

    /// Forgets all topics; it goes on with the next events.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let state = bus.retained("*")?;
    /// bus.emit("a", 1)?;
    /// state.clear();
    /// assert!(state.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn clear(&self) {
        let events = self.core.past.with(self.id, Store::take);
        for event in events.into_iter().flatten() {
            self.core.discard_event(event);
        }
    }

    /// How many events were not kept, as their topic was new and there was no room.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let state = bus.retention("*").capacity(1).retain()?;
    /// bus.batch(|batch| {
    ///     batch.emit("a", 1)?;
    ///     batch.emit("b", 2)?;
    ///     batch.emit("b", 3)?;
    ///     Ok::<_, chanbus::BatchError<i32, chanbus::Error>>(())
    /// })?;
    /// assert_eq!(state.refused(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.with(|store| store.refused)
    }

    /// How many topics were forgotten to make room for others.
    ///
    /// ```
    /// # use chanbus::{Bus, Retention};
    /// let bus = Bus::new();
    /// let state = bus.retention("*").capacity(1).when_full(Retention::ForgetOldest).retain()?;
    /// bus.emit("a", 1)?;
    /// bus.emit("b", 2)?;
    /// assert_eq!(state.forgotten(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.with(|store| store.forgotten)
    }
}

impl<T: Send + Sync + 'static> Drop for Retained<T> {
    fn drop(&mut self) {
        self.core.remove_store(self.id);
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Retained<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns: Vec<&str> = self.patterns.iter().map(Pattern::as_str).collect();
        f.debug_struct("Retained")
            .field("patterns", &patterns)
            // `None` while an emit keeps its event: this waits for nobody.
            .field(
                "len",
                &self.core.past.try_with(self.id, |store| store.len()),
            )
            .field("capacity", &self.capacity)
            .field("when_full", &self.when_full)
            .finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for RetainedBuilder<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetainedBuilder")
            .field("patterns", &self.patterns)
            .field("capacity", &self.capacity)
            .field("when_full", &self.when_full)
            .finish()
    }
}
