//! Subscribing to a type, tapping it, waiting for it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{AnyPayload, Typed, TypedBus, TypedEvent, TypedSubscription, pattern_of};
use crate::bus::{Overflow, SubscriptionBuilder, TapGuard};
use crate::error::SubscribeError;

impl TypedBus {
    /// Subscribes to the events of a type. Dropping the subscription unsubscribes.
    ///
    /// # Errors
    ///
    /// The type's topic is none (the error names the type), the bus has as many subscriptions as it may
    /// have, or is closed.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.emit(Tick(7))?;
    /// assert_eq!(ticks.recv()?.0, 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn subscribe<E: Typed>(&self) -> Result<TypedSubscription<E>, SubscribeError> {
        self.subscription().subscribe()
    }

    /// Begins a subscription to the events of a type, with options of its own.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let even = bus.subscription::<Tick>().capacity(8).filter(|tick| tick.0 % 2 == 0).subscribe()?;
    /// bus.publisher()?.emit_batch((0..4).map(Tick))?;
    /// assert_eq!((even.len(), even.filtered()), (2, 2));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn subscription<E: Typed>(&self) -> TypedSubscriptionBuilder<'_, E> {
        let subscription = match pattern_of::<E>() {
            // No closure: in one the caller's place would be lost. Its filter comes before any of the user's, so
            // that those see no other type either.
            Ok(topic) => {
                let subscription = self.bus.subscription(topic);
                Ok(subscription.filter(|event| event.payload().is::<E>()))
            }
            Err(error) => Err(error),
        };
        TypedSubscriptionBuilder {
            subscription,
            payload: PhantomData,
        }
    }

    /// Calls `tap` with every event of the type, on the emitting thread, until the guard is dropped: see
    /// [`Bus::tap`](crate::Bus::tap).
    ///
    /// # Errors
    ///
    /// The type's topic is none (the error names the type), or the bus is closed.
    ///
    /// ```
    /// # use std::sync::mpsc::channel;
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let (tell, told) = channel();
    /// let bus = TypedBus::new();
    /// let _tap = bus.tap::<Tick>(move |tick| {
    ///     let _ = tell.send(tick.0);
    /// })?;
    /// bus.emit(Tick(7))?;
    /// assert_eq!(told.recv().unwrap(), 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn tap<E: Typed>(
        &self,
        tap: impl Fn(&TypedEvent<E>) + Send + Sync + 'static,
    ) -> Result<TapGuard<AnyPayload>, SubscribeError> {
        self.bus.tap(pattern_of::<E>()?, move |event| {
            if event.payload().is::<E>() {
                tap(&TypedEvent::known(event.clone()));
            }
        })
    }
}

/// A subscription to a type in the making; made by [`TypedBus::subscription`].
///
/// ```
/// use chanbus::{Bus, Overflow, Typed, TypedBus};
///
/// struct Price { cents: u32 }
///
/// impl Typed for Price { const TOPIC: &'static str = "price"; }
///
/// let bus = TypedBus::over(Bus::builder().history(100).build()?);
/// let display = bus
///     .subscription::<Price>()
///     .name("display")
///     .capacity(1)
///     .overflow(Overflow::DropOldest)
///     .filter(|price| price.cents > 0)
///     .replay(1)
///     .subscribe()?;
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "a builder subscribes only by `subscribe`"]
pub struct TypedSubscriptionBuilder<'a, E: Typed> {
    subscription: Result<SubscriptionBuilder<'a, AnyPayload>, SubscribeError>,
    payload: PhantomData<fn() -> E>,
}

impl<'a, E: Typed> TypedSubscriptionBuilder<'a, E> {
    fn with(
        mut self,
        set: impl FnOnce(SubscriptionBuilder<'a, AnyPayload>) -> SubscriptionBuilder<'a, AnyPayload>,
    ) -> Self {
        self.subscription = self.subscription.map(set);
        self
    }

    /// A name, for people: it stands in statistics and in reports of panics.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let sub = TypedBus::new().subscription::<Tick>().name("panel").subscribe()?;
    /// assert_eq!(sub.as_subscription().name(), Some("panel"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn name(self, name: impl Into<Arc<str>>) -> Self {
        self.with(|subscription| subscription.name(name))
    }

    /// How many events its queue holds, exactly. The default is the bus's.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// assert!(bus.subscription::<Tick>().capacity(0).subscribe().is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn capacity(self, events: usize) -> Self {
        self.with(|subscription| subscription.capacity(events))
    }

    /// What its full queue does. The default is the bus's. As all its events have one topic,
    /// [`Overflow::Latest`] keeps the newest event of the type.
    ///
    /// ```
    /// # use chanbus::{Overflow, Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let latest = bus.subscription::<Tick>().overflow(Overflow::Latest).subscribe()?;
    /// bus.publisher()?.emit_batch((0..4).map(Tick))?;
    /// assert_eq!(latest.recv()?.0, 3);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn overflow(self, overflow: Overflow) -> Self {
        self.with(|subscription| subscription.overflow(overflow))
    }

    /// Lets through only events for which `filter` is true; several filters must all be. It runs on the
    /// emitting thread, and sees no event of another type.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let late = bus.subscription::<Tick>().filter(|tick| tick.0 > 2).subscribe()?;
    /// bus.publisher()?.emit_batch((0..4).map(Tick))?;
    /// assert_eq!(late.recv()?.0, 3);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn filter(self, filter: impl Fn(&TypedEvent<E>) -> bool + Send + Sync + 'static) -> Self {
        self.with(|subscription| {
            subscription.filter(move |event| filter(&TypedEvent::known(event.clone())))
        })
    }

    /// Begins with the last `events` of the type in the bus's history: see
    /// [`SubscriptionBuilder::replay`].
    ///
    /// ```
    /// # use chanbus::{Bus, Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::over(Bus::builder().history(100).build()?);
    /// bus.emit(Tick(7))?;
    /// assert_eq!(bus.subscription::<Tick>().replay(1).subscribe()?.recv()?.0, 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn replay(self, events: usize) -> Self {
        self.with(|subscription| subscription.replay(events))
    }

    /// Begins with the latest event of its topic, if the bus below retains that: see
    /// [`SubscriptionBuilder::with_retained`].
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let _state = bus.bus().retained(Tick::TOPIC)?;
    /// bus.emit(Tick(1))?;
    /// bus.emit(Tick(2))?;
    /// assert_eq!(bus.subscription::<Tick>().with_retained().subscribe()?.recv()?.0, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn with_retained(self) -> Self {
        self.with(SubscriptionBuilder::with_retained)
    }

    /// Keeps the events of a batch together, those of its type: see
    /// [`SubscriptionBuilder::keep_batches`].
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let sub = bus.subscription::<Tick>().keep_batches().subscribe()?;
    /// bus.emit(Tick(1))?;
    /// bus.publisher()?.emit_batch([Tick(2), Tick(3)])?;
    /// let mut buffer = Vec::new();
    /// assert_eq!(sub.recv_batch(&mut buffer, 100)?, 1);
    /// assert_eq!(sub.recv_batch(&mut buffer, 100)?, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn keep_batches(self) -> Self {
        self.with(SubscriptionBuilder::keep_batches)
    }

    /// The subscription. Dropping it unsubscribes.
    ///
    /// # Errors
    ///
    /// As [`TypedBus::subscribe`], or a capacity of zero or above [`MAX_CAPACITY`](crate::MAX_CAPACITY).
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let sub = TypedBus::new().subscription::<Tick>().subscribe()?;
    /// assert!(sub.is_closed());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn subscribe(self) -> Result<TypedSubscription<E>, SubscribeError> {
        self.subscription?.subscribe().map(TypedSubscription::known)
    }
}

impl<E: Typed> fmt::Debug for TypedSubscriptionBuilder<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedSubscriptionBuilder")
            .field(&self.subscription)
            .finish()
    }
}
