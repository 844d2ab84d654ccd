//! The receiving end of a subscription to one type.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use super::{AnyPayload, Typed, TypedEvent};
use crate::bus::{Closer, Subscription};
use crate::error::{RecvError, RecvTimeoutError, TryRecvError};

/// The receiving end of a subscription to one type, and its guard; made by
/// [`TypedBus::subscribe`](crate::TypedBus::subscribe) and
/// [`TypedBus::subscription`](crate::TypedBus::subscription).
///
/// A [`Subscription`] of the bus below, whose events come as [`TypedEvent`]s. It never yields an event of
/// another type: those count as [filtered](TypedSubscription::filtered). What is missing here
/// (heartbeats, `Select`, other counters) is at [`as_subscription`](TypedSubscription::as_subscription),
/// whose events are the same ones, erased.
///
/// ```
/// use chanbus::{AnyPayload, Typed, TypedBus};
///
/// struct Tick(u32);
///
/// impl Typed for Tick { const TOPIC: &'static str = "tick"; }
///
/// let bus = TypedBus::new();
/// let ticks = bus.subscribe::<Tick>()?;
/// bus.bus().emit("tick", AnyPayload::new("not a Tick"))?;
/// bus.emit(Tick(7))?;
/// drop(bus);
/// let numbers: Vec<u32> = ticks.iter().map(|tick| tick.0).collect();
/// assert_eq!(numbers, [7]);
/// assert_eq!(ticks.filtered(), 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "dropping the subscription unsubscribes"]
pub struct TypedSubscription<E: Typed> {
    /// It has the filter that lets only this type pass.
    sub: Subscription<AnyPayload>,
    payload: PhantomData<fn() -> E>,
}

impl<E: Typed> TypedSubscription<E> {
    /// A subscription whose filter lets only this type pass.
    pub(super) fn known(sub: Subscription<AnyPayload>) -> Self {
        TypedSubscription {
            sub,
            payload: PhantomData,
        }
    }

    /// Takes the next event, asleep until there is one.
    ///
    /// # Errors
    ///
    /// The subscription is closed and empty; then it is so for ever.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.emit(Tick(7))?;
    /// bus.close();
    /// assert_eq!(ticks.recv()?.0, 7);
    /// assert!(ticks.recv().is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn recv(&self) -> Result<TypedEvent<E>, RecvError> {
        self.sub.recv().map(TypedEvent::known)
    }

    /// Takes the next event if there is one now.
    ///
    /// # Errors
    ///
    /// Nothing waits, or the subscription is closed and empty.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// assert!(bus.subscribe::<Tick>()?.try_recv().err().unwrap().is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn try_recv(&self) -> Result<TypedEvent<E>, TryRecvError> {
        self.sub.try_recv().map(TypedEvent::known)
    }

    /// Takes the next event, asleep for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Nothing came in time, or the subscription is closed and empty.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// assert!(ticks.recv_timeout(Duration::from_millis(1)).err().unwrap().is_timeout());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn recv_timeout(&self, timeout: Duration) -> Result<TypedEvent<E>, RecvTimeoutError> {
        self.sub.recv_timeout(timeout).map(TypedEvent::known)
    }

    /// Takes the next event, asleep until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// Nothing came in time, or the subscription is closed and empty.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// assert!(ticks.recv_deadline(Instant::now()).is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn recv_deadline(&self, deadline: Instant) -> Result<TypedEvent<E>, RecvTimeoutError> {
        self.sub.recv_deadline(deadline).map(TypedEvent::known)
    }

    /// Waits for one event, then takes what is there, `max` in all; appends them to `buffer` and
    /// says how many. `max` of zero takes none and does not wait. One that
    /// [keeps batches](crate::TypedSubscriptionBuilder::keep_batches) gives one batch at a time.
    ///
    /// # Errors
    ///
    /// The subscription is closed and empty.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.publisher()?.emit_batch((0..100).map(Tick))?;
    /// let mut buffer = Vec::new();
    /// assert_eq!(ticks.recv_batch(&mut buffer, 64)?, 64);
    /// assert_eq!(buffer[63].0, 63);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn recv_batch(
        &self,
        buffer: &mut Vec<TypedEvent<E>>,
        max: usize,
    ) -> Result<usize, RecvError> {
        // By way of a list of its own: the subscription knows what belongs together.
        let mut events = Vec::new();
        let count = self.sub.recv_batch(&mut events, max)?;
        buffer.extend(events.into_iter().map(TypedEvent::known));
        Ok(count)
    }

    /// Takes the next event, in async code. Dropping the future at any point loses nothing: see
    /// [`Subscription::recv_async`].
    ///
    /// # Errors
    ///
    /// The subscription is closed and empty; then it is so for ever.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # use futures_lite::future::block_on;
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.emit(Tick(7))?;
    /// assert_eq!(block_on(ticks.recv_async())?.0, 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub async fn recv_async(&self) -> Result<TypedEvent<E>, RecvError> {
        // The inner future has the event only when it is ready, and then so is this one.
        self.sub.recv_async().await.map(TypedEvent::known)
    }

    /// Another handle of this subscription: each event goes to one of them.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// let worker = ticks.share();
    /// bus.publisher()?.emit_batch((0..2).map(Tick))?;
    /// assert_eq!((ticks.recv()?.0, worker.recv()?.0), (0, 1));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn share(&self) -> Self {
        Self::known(self.sub.share())
    }

    /// A handle that closes this subscription from elsewhere.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// ticks.closer().close();
    /// assert!(ticks.recv().is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn closer(&self) -> Closer<AnyPayload> {
        self.sub.closer()
    }

    /// Closes the subscription; what is queued stays to be taken. Returns `false` if it was closed before.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.emit(Tick(7))?;
    /// assert!(ticks.close());
    /// assert_eq!(ticks.iter().count(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn close(&self) -> bool {
        self.sub.close()
    }

    /// Whether it, or its bus, was closed. Events may still wait in it.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// assert!(!bus.subscribe::<Tick>()?.is_closed());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sub.is_closed()
    }

    /// Drops this handle, in a word that says why.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// bus.subscribe::<Tick>()?.unsubscribe();
    /// assert_eq!(bus.subscriber_count(), 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn unsubscribe(self) {
        drop(self);
    }

    /// How many events wait in it.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.emit(Tick(7))?;
    /// assert_eq!(ticks.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.sub.len()
    }

    /// Whether no event waits in it.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// assert!(TypedBus::new().subscribe::<Tick>()?.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sub.is_empty()
    }

    /// How many events were accepted and not pushed out since, taken or not.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.emit(Tick(7))?;
    /// assert_eq!(ticks.received(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn received(&self) -> u64 {
        self.sub.received()
    }

    /// How many events were refused for want of room, or pushed out.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscription::<Tick>().capacity(1).subscribe()?;
    /// bus.publisher()?.emit_batch((0..3).map(Tick))?;
    /// assert_eq!(ticks.dropped(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.sub.dropped()
    }

    /// How many events were of another type, or rejected by its own filters.
    ///
    /// ```
    /// # use chanbus::{AnyPayload, Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// assert_eq!(bus.bus().emit("tick", AnyPayload::new(7))?.filtered, 1);
    /// assert_eq!((ticks.filtered(), ticks.len()), (1, 0));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn filtered(&self) -> u64 {
        self.sub.filtered()
    }

    /// How many events were dropped since this was last asked.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscription::<Tick>().capacity(1).subscribe()?;
    /// bus.publisher()?.emit_batch((0..3).map(Tick))?;
    /// assert_eq!((ticks.missed(), ticks.missed()), (2, 0));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use = "what is told here is not told again"]
    pub fn missed(&self) -> u64 {
        self.sub.missed()
    }

    /// The subscription on the bus below: its other counters, heartbeats, and `Select`. What is taken from
    /// it is taken from this one.
    ///
    /// ```
    /// # use chanbus::{Beat, Typed, TypedBus, TypedEvent};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.emit(Tick(7))?;
    /// let mut beats = ticks.as_subscription().heartbeats(chanbus::DEFAULT_HEARTBEAT);
    /// let event = beats.next().and_then(Beat::into_event).unwrap();
    /// assert_eq!(TypedEvent::<Tick>::try_from(event).unwrap().0, 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn as_subscription(&self) -> &Subscription<AnyPayload> {
        &self.sub
    }

    /// The subscription on the bus below itself. It goes on to ask for this type only.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let sub = bus.subscribe::<Tick>()?.into_inner();
    /// bus.emit(Tick(7))?;
    /// assert!(sub.recv()?.payload().is::<Tick>());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn into_inner(self) -> Subscription<AnyPayload> {
        self.sub
    }
}

impl<E: Typed> fmt::Debug for TypedSubscription<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedSubscription").field(&self.sub).finish()
    }
}
