//! A handle bound to one type: the fast way to emit its events.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::{AnyPayload, Typed, TypedBus, of_type, own_error};
use crate::bus::{Emitted, Publisher};
use crate::draft::EventDraft;
use crate::error::{EmitError, TopicError};

impl TypedBus {
    /// A handle bound to one type: the fast way to emit its events.
    ///
    /// # Errors
    ///
    /// The type's topic is none; the error names the type.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let sub = bus.subscribe::<Tick>()?;
    /// let ticks = bus.publisher::<Tick>()?;
    /// ticks.emit(Tick(7))?;
    /// assert_eq!(sub.recv()?.0, 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn publisher<E: Typed>(&self) -> Result<TypedPublisher<E>, TopicError> {
        Ok(TypedPublisher {
            publisher: self.bus.publisher(E::TOPIC).map_err(of_type::<E>)?,
            payload: PhantomData,
        })
    }
}

/// Emits events of one type: the fast way; made by [`TypedBus::publisher`].
///
/// A [`Publisher`] of the bus below, with all that it is: it does not keep the bus open, it can be sent to
/// another thread and cloned, and it uses the memory of its events again; but for the box of each payload,
/// which is allocated anew.
///
/// ```
/// # use chanbus::{Typed, TypedBus};
/// # struct Tick(u32);
/// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
/// let bus = TypedBus::new();
/// let sub = bus.subscribe::<Tick>()?;
/// let ticks = bus.publisher::<Tick>()?;
/// let other = ticks.clone();
/// std::thread::spawn(move || other.emit(Tick(1)).is_ok()).join().unwrap();
/// ticks.emit(Tick(2))?;
/// assert_eq!(sub.len(), 2);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct TypedPublisher<E: Typed> {
    publisher: Publisher<AnyPayload>,
    payload: PhantomData<fn(E)>,
}

impl<E: Typed> TypedPublisher<E> {
    /// Every event of this publisher will have that source.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let sub = bus.subscribe::<Tick>()?;
    /// bus.publisher::<Tick>()?.with_source("clock").emit(Tick(7))?;
    /// assert_eq!(sub.recv()?.as_event().source(), Some("clock"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Arc<str>>) -> Self {
        self.publisher = self.publisher.with_source(source);
        self
    }

    /// Emits an event to everybody who listens. Never waits.
    ///
    /// # Errors
    ///
    /// A closed bus, or a [chain](crate::Cause) that is too deep; the event comes back.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.publisher::<Tick>()?;
    /// ticks.emit(Tick(1))?;
    /// drop(bus);
    /// assert_eq!(ticks.emit(Tick(2)).unwrap_err().into_payload().0, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit(&self, event: E) -> Result<Emitted, EmitError<E>> {
        let emitted = self.publisher.emit(AnyPayload::new(event));
        emitted.map_err(own_error)
    }

    /// Emits an event, and waits up to `timeout` for room in the queues that have none: see
    /// [`Publisher::emit_within`].
    ///
    /// # Errors
    ///
    /// As [`emit`](TypedPublisher::emit).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.publisher::<Tick>()?;
    /// assert!(ticks.emit_within(Tick(7), Duration::from_secs(1))?.is_complete());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit_within(&self, event: E, timeout: Duration) -> Result<Emitted, EmitError<E>> {
        let emitted = self.publisher.emit_within(AnyPayload::new(event), timeout);
        emitted.map_err(own_error)
    }

    /// Emits many events at once: see [`Publisher::emit_batch`].
    ///
    /// # Errors
    ///
    /// A closed bus, or a chain that is too deep: none was emitted, and all come back.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let sub = bus.subscribe::<Tick>()?;
    /// let emitted = bus.publisher::<Tick>()?.emit_batch((0..100).map(Tick))?;
    /// assert_eq!((emitted.delivered, sub.len()), (100, 100));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit_batch(
        &self,
        events: impl IntoIterator<Item = E>,
    ) -> Result<Emitted, EmitError<Vec<E>>> {
        let emitted = self
            .publisher
            .emit_batch(events.into_iter().map(AnyPayload::new));
        emitted.map_err(|error| {
            error.map(|payloads| payloads.into_iter().map(AnyPayload::into_own).collect())
        })
    }

    /// Begins an event with metadata or extensions; its `emit` ends it.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus, Value};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let sub = bus.subscribe::<Tick>()?;
    /// bus.publisher::<Tick>()?.event(Tick(1)).metadata("trace", 7).emit()?;
    /// assert_eq!(sub.recv()?.as_event().metadata("trace"), Some(&Value::Int(7)));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn event(&self, event: E) -> EventDraft<'_, E, &TypedPublisher<E>> {
        // The publisher's own draft knows its source; the payload is erased when it is emitted.
        let draft = self.publisher.event(AnyPayload::new(()));
        draft.moved(self, |_| event)
    }

    /// The publisher of the bus below. What it emits need not be of this type.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let ticks = TypedBus::new().publisher::<Tick>()?;
    /// assert_eq!(ticks.as_publisher().topic(), "tick");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn as_publisher(&self) -> &Publisher<AnyPayload> {
        &self.publisher
    }
}

impl<E: Typed> EventDraft<'_, E, &TypedPublisher<E>> {
    /// Emits it.
    ///
    /// # Errors
    ///
    /// As [`TypedPublisher::emit`].
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// assert_eq!(bus.publisher::<Tick>()?.event(Tick(1)).metadata("n", 1).emit()?.matched, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit(self) -> Result<Emitted, EmitError<E>> {
        let publisher = &self.sink.publisher;
        let emitted = self.moved(publisher, AnyPayload::new).emit();
        emitted.map_err(own_error)
    }
}

impl<E: Typed> Clone for TypedPublisher<E> {
    fn clone(&self) -> Self {
        TypedPublisher {
            publisher: self.publisher.clone(),
            payload: PhantomData,
        }
    }
}

impl<E: Typed> fmt::Debug for TypedPublisher<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedPublisher")
            .field(&self.publisher)
            .finish()
    }
}
