//! The forms of iteration over a typed subscription.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;

use super::{AnyPayload, Typed, TypedEvent, TypedSubscription};
use crate::bus::{IntoIter, Iter, TryIter};
use crate::event::Event;

/// Iterates over the events of one type, as `I` does over events of any; made by
/// [`TypedSubscription::iter`], [`TypedSubscription::try_iter`], and `into_iter` of a subscription or of a
/// reference to one.
///
/// ```
/// # use chanbus::{Typed, TypedBus};
/// # struct Tick(u32);
/// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
/// let bus = TypedBus::new();
/// let ticks = bus.subscribe::<Tick>()?;
/// bus.publisher()?.emit_batch((0..4).map(Tick))?;
/// drop(bus);
/// let numbers: Vec<u32> = ticks.iter().map(|tick| tick.0).collect();
/// assert_eq!(numbers, [0, 1, 2, 3]);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "iterators do nothing unless used"]
pub struct TypedIter<I, E: Typed> {
    events: I,
    payload: PhantomData<fn() -> E>,
}

impl<I, E: Typed> TypedIter<I, E> {
    /// Over the events of a typed subscription.
    pub(super) fn known(events: I) -> Self {
        TypedIter {
            events,
            payload: PhantomData,
        }
    }
}

impl<I: Iterator<Item = Event<AnyPayload>>, E: Typed> Iterator for TypedIter<I, E> {
    type Item = TypedEvent<E>;

    fn next(&mut self) -> Option<TypedEvent<E>> {
        self.events.next().map(TypedEvent::known)
    }
}

impl<I, E> FusedIterator for TypedIter<I, E>
where
    I: FusedIterator<Item = Event<AnyPayload>>,
    E: Typed,
{
}

impl<I: fmt::Debug, E: Typed> fmt::Debug for TypedIter<I, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedIter").field(&self.events).finish()
    }
}

impl<E: Typed> TypedSubscription<E> {
    /// Iterates over events, asleep between them, until the subscription is closed and empty. What
    /// `for event in &sub` does.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.emit(Tick(7))?;
    /// drop(bus);
    /// for tick in &ticks {
    ///     assert_eq!(tick.0, 7);
    /// }
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn iter(&self) -> TypedIter<Iter<'_, AnyPayload>, E> {
        TypedIter::known(self.as_subscription().iter())
    }

    /// Iterates over the events that are there, and ends when there is none.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.emit(Tick(7))?;
    /// assert_eq!(ticks.try_iter().count(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn try_iter(&self) -> TypedIter<TryIter<'_, AnyPayload>, E> {
        TypedIter::known(self.as_subscription().try_iter())
    }
}

impl<'a, E: Typed> IntoIterator for &'a TypedSubscription<E> {
    type Item = TypedEvent<E>;
    type IntoIter = TypedIter<Iter<'a, AnyPayload>, E>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<E: Typed> IntoIterator for TypedSubscription<E> {
    type Item = TypedEvent<E>;
    type IntoIter = TypedIter<IntoIter<AnyPayload>, E>;

    fn into_iter(self) -> Self::IntoIter {
        TypedIter::known(self.into_inner().into_iter())
    }
}
