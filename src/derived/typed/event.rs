//! An event whose payload is known to be of one type.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use super::{AnyPayload, Typed};
use crate::event::Event;

/// An event of one type; what a [`TypedSubscription`](crate::TypedSubscription) yields. It derefs to its
/// payload.
///
/// A handle of one pointer, like the [`Event`] that it is: cloning it copies no payload. Topic, timestamp,
/// source, metadata, extensions and cause are that event's: see [`as_event`](TypedEvent::as_event).
/// (They are no methods here, so that those of the payload's type are not hidden.)
///
/// ```
/// use chanbus::{Typed, TypedBus, Value};
///
/// struct UserCreated {
///     id: u32,
/// }
///
/// impl Typed for UserCreated {
///     const TOPIC: &'static str = "user.created";
/// }
///
/// let bus = TypedBus::new();
/// let created = bus.subscribe::<UserCreated>()?;
/// bus.event(UserCreated { id: 7 }).metadata("trace", 17).emit()?;
///
/// let event = created.recv()?;
/// assert_eq!(event.id, 7);
/// assert_eq!(event.as_event().topic(), "user.created");
/// assert_eq!(event.as_event().metadata("trace"), Some(&Value::Int(17)));
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// Any event can be asked whether it is one, such as those of a subscription to everything:
///
/// ```
/// use chanbus::{AnyPayload, Event, Typed, TypedEvent};
///
/// #[derive(Debug)]
/// struct Tick(u32);
///
/// impl Typed for Tick {
///     const TOPIC: &'static str = "tick";
/// }
///
/// let event = Event::new("tick", AnyPayload::new(Tick(7)))?;
/// let tick: TypedEvent<Tick> = event.try_into().unwrap();
/// assert_eq!(tick.0, 7);
///
/// let other = Event::new("tick", AnyPayload::new("tick"))?;
/// let refused = TypedEvent::<Tick>::try_from(other).unwrap_err();
/// assert_eq!(refused.payload().type_name(), "&str");
/// # Ok::<(), chanbus::TopicError>(())
/// ```
pub struct TypedEvent<E: Typed> {
    /// Its payload is an `E`: whoever makes one of these has seen to that, and no payload ever changes.
    event: Event<AnyPayload>,
    payload: PhantomData<fn() -> E>,
}

impl<E: Typed> TypedEvent<E> {
    /// An event whose payload is known to be one.
    pub(super) fn known(event: Event<AnyPayload>) -> Self {
        debug_assert!(event.payload().is::<E>());
        TypedEvent {
            event,
            payload: PhantomData,
        }
    }

    /// The payload, as by deref.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.emit(Tick(7))?;
    /// assert_eq!(ticks.recv()?.payload().0, 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn payload(&self) -> &E {
        match self.event.payload().downcast_ref() {
            Some(payload) => payload,
            None => unreachable!("a typed event of {:?}", self.event.payload()),
        }
    }

    /// The event: its topic, timestamp, source, metadata, extensions and cause.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.event(Tick(7)).source("clock").emit()?;
    /// assert_eq!(ticks.recv()?.as_event().source(), Some("clock"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn as_event(&self) -> &Event<AnyPayload> {
        &self.event
    }

    /// The event itself, for a bus or a function that takes such events.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let (near, far) = (TypedBus::new(), TypedBus::new());
    /// let (here, there) = (near.subscribe::<Tick>()?, far.subscribe::<Tick>()?);
    /// near.emit(Tick(7))?;
    /// far.bus().emit_event(here.recv()?.into_event())?;
    /// assert_eq!(there.recv()?.0, 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn into_event(self) -> Event<AnyPayload> {
        self.event
    }

    /// The payload itself, if this is the last handle of the event.
    ///
    /// # Errors
    ///
    /// Another handle exists; the event comes back.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.emit(Tick(7))?;
    /// let event = ticks.recv()?;
    /// let other = event.clone();
    /// let event = event.try_into_payload().err().unwrap();
    /// drop(other);
    /// assert_eq!(event.try_into_payload().ok().unwrap().0, 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn try_into_payload(self) -> Result<E, Self> {
        match self.event.try_into_payload() {
            Ok(payload) => Ok(payload.into_own()),
            Err(event) => Err(Self::known(event)),
        }
    }
}

/// The event comes back if its payload is of another type. Its topic is not looked at.
impl<E: Typed> TryFrom<Event<AnyPayload>> for TypedEvent<E> {
    type Error = Event<AnyPayload>;

    fn try_from(event: Event<AnyPayload>) -> Result<Self, Event<AnyPayload>> {
        if event.payload().is::<E>() {
            Ok(Self::known(event))
        } else {
            Err(event)
        }
    }
}

impl<E: Typed> Deref for TypedEvent<E> {
    type Target = E;

    fn deref(&self) -> &E {
        self.payload()
    }
}

impl<E: Typed> Clone for TypedEvent<E> {
    fn clone(&self) -> Self {
        Self::known(self.event.clone())
    }
}

impl<E: Typed + fmt::Debug> fmt::Debug for TypedEvent<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedEvent")
            .field("topic", &self.event.topic().as_str())
            .field("payload", self.payload())
            .finish_non_exhaustive()
    }
}
