//! What a `MultiBus` has applied.

use std::fmt;

use super::any_event::AnyEvent;
use super::wrapped::Wrapped;
use crate::deferred::publish::DeferredBus;

/// What a [`MultiBus`](crate::MultiBus) has applied, in the order in which it ran.
///
/// ```
/// use chanbus::{Commit, Deferred, DeferredBus, MultiBus, Publish};
///
/// let multi = MultiBus::new();
/// let texts = multi.wrap(Deferred::from_fn(|_: &&str, _| Ok(())));
/// let numbers = multi.wrap(Deferred::from_fn(|_: &u32, _| Ok(())));
/// numbers.publish(1)?;
/// texts.publish_all(["a", "b"])?;
///
/// let tried = multi.apply(Commit::DryRun)?;
/// assert_eq!(tried.len(), 3);
/// assert_eq!(tried.events_of(&texts), [&"a", &"b"]);
/// assert_eq!(tried.events_of(&numbers), [&1]);
///
/// // Once more, and for real.
/// multi.publish_all(tried)?;
/// assert_eq!(multi.apply(Commit::Real)?.len(), 3);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Default)]
pub struct Applied {
    events: Vec<AnyEvent>,
}

impl Applied {
    pub(super) fn new(events: Vec<AnyEvent>) -> Self {
        Applied { events }
    }

    /// The events of one bus, wherever in the tree of buses it is, in their order; none of a bus that was not in it.
    ///
    /// ```
    /// use chanbus::{Commit, Deferred, DeferredBus, MultiBus, Publish};
    ///
    /// let (outer, inner) = (MultiBus::new(), MultiBus::new());
    /// let inside = outer.wrap(inner.clone());
    /// let numbers = inner.wrap(Deferred::from_fn(|_: &u32, _| Ok(())));
    /// numbers.publish_all([1, 2])?;
    /// let applied = outer.apply(Commit::Real)?;
    /// assert_eq!(applied.events_of(&numbers), [&1, &2]);
    /// assert_eq!(applied.events_of(&inside).len(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn events_of<B: DeferredBus + Send + Sync + 'static>(
        &self,
        bus: &Wrapped<B>,
    ) -> Vec<&B::Event> {
        self.events
            .iter()
            .filter_map(|event| event.of_part(bus.number())?.own())
            .collect()
    }

    /// How many there are.
    ///
    /// ```
    /// # use chanbus::Applied;
    /// assert_eq!(Applied::default().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    ///
    /// ```
    /// # use chanbus::Applied;
    /// assert!(Applied::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// All events, of whatever bus.
    ///
    /// ```
    /// use chanbus::{BasicBus, Commit, DeferredBus, Effect, MultiBus, Publish};
    ///
    /// let multi = MultiBus::new();
    /// multi.wrap(BasicBus::new()).publish(Effect::new("mail", |_| Ok(())))?;
    /// for event in multi.apply(Commit::Real)?.iter() {
    ///     if let Some(effect) = event.downcast_ref::<Effect>() {
    ///         println!("done: {}", effect.label());
    ///     }
    /// }
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn iter(&self) -> std::slice::Iter<'_, AnyEvent> {
        self.events.iter()
    }
}

impl IntoIterator for Applied {
    type Item = AnyEvent;
    type IntoIter = std::vec::IntoIter<AnyEvent>;

    fn into_iter(self) -> Self::IntoIter {
        self.events.into_iter()
    }
}

impl<'a> IntoIterator for &'a Applied {
    type Item = &'a AnyEvent;
    type IntoIter = std::slice::Iter<'a, AnyEvent>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applied").field("len", &self.len()).finish()
    }
}
