//! What a subscription says of itself: its settings, and its counters.

use std::panic::Location;

use super::Subscription;
use super::overflow::Overflow;
use crate::pattern::Pattern;
use crate::sync::Ordering;

impl<T: Send + Sync + 'static> Subscription<T> {
    /// Where in the source it was made: where [`Bus::subscribe`](crate::Bus::subscribe), or what stands on that,
    /// was called. A [shared](Subscription::share) handle has the place of the first.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let sub = bus.subscribe("a")?; let line = line!();
    /// assert_eq!((sub.location().file(), sub.location().line()), (file!(), line));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.member().location
    }

    /// What it asks for; empty after it was closed.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let sub = bus.subscribe(["a.*", "b"])?;
    /// assert_eq!(sub.patterns()[1].as_str(), "b");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn patterns(&self) -> Vec<Pattern> {
        let version = self.shared.core.registry.load();
        let patterns = version.content.patterns_of(self.member().id);
        patterns.map_or_else(Vec::new, |patterns| patterns.to_vec())
    }

    /// The name it was given.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let sub = bus.subscription("a").name("panel").subscribe()?;
    /// assert_eq!(sub.name(), Some("panel"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.member().name.as_deref()
    }

    /// Its number on its bus, as in [`BusStats`](crate::BusStats).
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let (a, b) = (bus.subscribe("a")?, bus.subscribe("a")?);
    /// assert_ne!(a.id(), b.id());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> u64 {
        self.member().id
    }

    /// How many events wait in it, replayed ones included.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// bus.emit("a", 1)?;
    /// assert_eq!(sub.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.member().mailbox.len()
    }

    /// Whether no event waits in it.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert!(bus.subscribe("a")?.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events its queue holds at most.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert_eq!(bus.subscribe("a")?.capacity(), chanbus::DEFAULT_CAPACITY);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.member().mailbox.capacity()
    }

    /// What it does when full.
    ///
    /// ```
    /// # use chanbus::{Bus, Overflow};
    /// let bus: Bus<u32> = Bus::new();
    /// assert_eq!(bus.subscribe("a")?.overflow(), Overflow::DropNewest);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn overflow(&self) -> Overflow {
        self.member().mailbox.overflow()
    }

    /// How many events matched its patterns: the sum of the four counters below.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// bus.emit("a", 1)?;
    /// assert_eq!(sub.matched(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn matched(&self) -> u64 {
        self.received() + self.dropped() + self.filtered() + self.conflated()
    }

    /// How many events were accepted and not pushed out since, taken or not.
    ///
    /// Exact while no other thread is in the middle of taking one.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// bus.emit("a", 1)?;
    /// assert_eq!(sub.received(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn received(&self) -> u64 {
        self.member().mailbox.received()
    }

    /// How many events were refused for want of room, or pushed out under
    /// [`Overflow::DropOldest`].
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscription("a").capacity(1).subscribe()?;
    /// bus.publisher("a")?.emit_batch([1, 2, 3])?;
    /// assert_eq!(sub.dropped(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn dropped(&self) -> u64 {
        // Relaxed: a statistic; who joined the publishers sees all that they counted.
        self.member()
            .mailbox
            .losses()
            .dropped
            .load(Ordering::Relaxed)
    }

    /// How many events its filter rejected, by saying no or by panicking.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscription("a").filter(|_| false).subscribe()?;
    /// bus.emit("a", 1)?;
    /// assert_eq!(sub.filtered(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn filtered(&self) -> u64 {
        // Relaxed: a statistic; who joined the publishers sees all that they counted.
        self.member()
            .mailbox
            .losses()
            .filtered
            .load(Ordering::Relaxed)
    }

    /// How many events were replaced by a newer one of their topic, under [`Overflow::Latest`].
    ///
    /// ```
    /// # use chanbus::{Bus, Overflow};
    /// let bus = Bus::new();
    /// let sub = bus.subscription("a").overflow(Overflow::Latest).subscribe()?;
    /// bus.publisher("a")?.emit_batch([1, 2, 3])?;
    /// assert_eq!((sub.conflated(), sub.len()), (2, 1));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn conflated(&self) -> u64 {
        // Relaxed: a statistic; who joined the publishers sees all that they counted.
        self.member()
            .mailbox
            .losses()
            .conflated
            .load(Ordering::Relaxed)
    }

    /// How many times its filter panicked; each counts as filtered, too, unless it was in a replay,
    /// none of whose events are counted.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscription("a").filter(|_| panic!()).subscribe()?;
    /// bus.emit("a", 1)?;
    /// assert_eq!((sub.filter_panics(), sub.filtered()), (1, 1));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn filter_panics(&self) -> u64 {
        // Relaxed: a statistic; who joined the publishers sees all that they counted.
        self.member()
            .mailbox
            .losses()
            .filter_panics
            .load(Ordering::Relaxed)
    }

    /// How many events were dropped since this was last asked (or reported as
    /// [`Beat::Missed`](crate::Beat::Missed)).
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscription("a").capacity(1).subscribe()?;
    /// bus.publisher("a")?.emit_batch([1, 2, 3])?;
    /// assert_eq!(sub.missed(), 2);
    /// assert_eq!(sub.missed(), 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use = "what is told here is not told again"]
    pub fn missed(&self) -> u64 {
        self.member().mailbox.missed()
    }
}
