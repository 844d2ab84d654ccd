//! A bus for those who think in types: each type of event has its topic.

mod batch;
mod event;
mod iter;
mod payload;
mod publisher;
#[cfg(feature = "stream")]
mod stream;
mod subscribe;
mod subscription;
mod wait;

use std::any::type_name;
use std::fmt;
use std::time::Duration;

pub use batch::TypedBatch;
pub use event::TypedEvent;
pub use iter::TypedIter;
pub use payload::AnyPayload;
pub use publisher::TypedPublisher;
#[cfg(feature = "stream")]
pub use stream::TypedStream;
pub use subscribe::TypedSubscriptionBuilder;
pub use subscription::TypedSubscription;
pub use wait::TypedWaitFuture;

use crate::bus::{Bus, Emitted};
use crate::draft::EventDraft;
use crate::error::{EmitError, SubscribeError, TopicError};
use crate::pattern::Pattern;
use crate::topic::Topic;

/// A type of event, and the topic on which its events are emitted on a [`TypedBus`].
///
/// The topic must keep the rules of a [`Topic`]. One that does not is an error of every emit, publisher and
/// subscription, which names the type; nothing panics.
///
/// ```
/// use chanbus::{Typed, TypedBus};
///
/// struct UserCreated {
///     id: u32,
/// }
///
/// impl Typed for UserCreated {
///     const TOPIC: &'static str = "user created";
/// }
///
/// let error = TypedBus::new().emit(UserCreated { id: 7 }).unwrap_err();
/// assert!(error.is_bad_topic());
/// assert!(error.to_string().contains("UserCreated"));
/// assert_eq!(error.into_payload().id, 7);
/// ```
pub trait Typed: Send + Sync + 'static {
    /// The topic of its events.
    const TOPIC: &'static str;
}

/// A bus on which events are emitted and subscribed to by their types: a thin view over a
/// [`Bus`] of [`AnyPayload`].
///
/// Wrong types cannot reach a subscriber. Its subscription asks for the type's topic and, by a
/// [filter](crate::SubscriptionBuilder::filter), for the type: what somebody else emits there, by the
/// [`bus`](TypedBus::bus) below or because two types claim one topic, counts as
/// [filtered](TypedSubscription::filtered), and each of them gets its own.
///
/// It is a handle, like the bus: clones share it, and the bus closes when the last handle of either kind is
/// dropped. [`new`](TypedBus::new) takes the defaults of a bus (64 subscriptions, queues of 200
/// events), [`over`](TypedBus::over) a bus that was built with other settings.
///
/// ```
/// use chanbus::{Typed, TypedBus};
///
/// struct UserCreated { id: u32 }
/// struct UserDeleted { id: u32 }
///
/// impl Typed for UserCreated { const TOPIC: &'static str = "user.created"; }
/// impl Typed for UserDeleted { const TOPIC: &'static str = "user.deleted"; }
///
/// let bus = TypedBus::new();
/// let created = bus.subscribe::<UserCreated>()?;
/// let audit = bus.bus().subscribe("user.*")?;
///
/// bus.emit(UserCreated { id: 7 })?;
/// bus.emit(UserDeleted { id: 7 })?;
/// drop(bus);
///
/// for event in &created {
///     assert_eq!(event.id, 7);
/// }
/// let mut gone = Vec::new();
/// for event in &audit {
///     if let Some(deleted) = event.payload().downcast_ref::<UserDeleted>() {
///         gone.push(deleted.id);
///     }
/// }
/// assert_eq!(gone, [7]);
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// # What it costs
///
/// An emit is one of the bus below, and a box for the payload: one allocation more than on a
/// `Bus<UserCreated>`, also if nobody listens (none for a type of size zero). A subscription's filter compares
/// one type id for each event, on the emitting thread, and so does each deref of an event.
///
/// # Handlers
///
/// [`Handlers`](crate::Handlers) of `AnyPayload` are called for the events of the bus below, and downcast:
///
/// ```
/// use chanbus::{AnyPayload, Dispatcher, Drain, Flow, Handlers, Typed, TypedBus};
/// # use std::sync::mpsc::channel;
/// # let (tell, told) = channel();
/// struct Tick(u32);
///
/// impl Typed for Tick { const TOPIC: &'static str = "tick"; }
///
/// let handlers = Handlers::<AnyPayload>::new();
/// handlers.on(Tick::TOPIC).handle(move |event, _ctx| {
///     if let Some(Tick(number)) = event.payload().downcast_ref() {
///         tell.send(*number)?;
///     }
///     Ok(Flow::Continue)
/// })?;
///
/// let bus = TypedBus::new();
/// let dispatcher = Dispatcher::builder(bus.bus(), &handlers).build()?;
/// dispatcher.start()?;
/// bus.emit(Tick(7))?;
/// dispatcher.stop(Drain::All)?;
/// assert_eq!(told.recv()?, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TypedBus {
    bus: Bus<AnyPayload>,
}

impl TypedBus {
    /// A view over a bus of its own, with the default settings.
    ///
    /// ```
    /// let bus = chanbus::TypedBus::new();
    /// assert_eq!(bus.subscriber_count(), 0);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self::over(Bus::new())
    }

    /// A view over that bus.
    ///
    /// ```
    /// use chanbus::{Bus, TypedBus};
    ///
    /// let bus = TypedBus::over(Bus::builder().name("users").history(100).build()?);
    /// assert_eq!(bus.bus().name(), Some("users"));
    /// # Ok::<(), chanbus::BuildError>(())
    /// ```
    #[must_use]
    pub fn over(bus: Bus<AnyPayload>) -> Self {
        TypedBus { bus }
    }

    /// The bus below, on which events of all types are: for subscriptions by patterns, statistics,
    /// dispatchers.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let everything = bus.bus().subscribe_all()?;
    /// bus.emit(Tick(7))?;
    /// assert!(everything.recv()?.payload().is::<Tick>());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn bus(&self) -> &Bus<AnyPayload> {
        &self.bus
    }

    /// Emits an event on its type's topic. Never waits.
    ///
    /// # Errors
    ///
    /// As [`Bus::emit`]; the event comes back. A bad topic is that of the type, which the error names.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// assert_eq!(bus.emit(Tick(7))?.delivered, 1);
    /// bus.close();
    /// assert_eq!(bus.emit(Tick(8)).unwrap_err().into_payload().0, 8);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit<E: Typed>(&self, event: E) -> Result<Emitted, EmitError<E>> {
        let emitted = self.bus.emit(E::TOPIC, AnyPayload::new(event));
        emitted.map_err(own_error)
    }

    /// Emits an event, and waits up to `timeout` for room in the queues that have none: see
    /// [`Bus::emit_within`].
    ///
    /// # Errors
    ///
    /// As [`emit`](TypedBus::emit).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// assert!(bus.emit_within(Tick(7), Duration::from_secs(1))?.is_complete());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit_within<E: Typed>(
        &self,
        event: E,
        timeout: Duration,
    ) -> Result<Emitted, EmitError<E>> {
        let emitted = self
            .bus
            .emit_within(E::TOPIC, AnyPayload::new(event), timeout);
        emitted.map_err(own_error)
    }

    /// Begins an event with a source, metadata or extensions; its `emit` ends it.
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
    pub fn event<E: Typed>(&self, event: E) -> EventDraft<'_, E, &TypedBus> {
        EventDraft::new(self, E::TOPIC, event)
    }

    /// How many subscriptions are open on the bus below, typed or not.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let _ticks = bus.subscribe::<Tick>()?;
    /// let _all = bus.bus().subscribe_all()?;
    /// assert_eq!(bus.subscriber_count(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn subscriber_count(&self) -> usize {
        self.bus.subscriber_count()
    }

    /// Closes the bus for good: see [`Bus::close`]. Returns `false` if it was closed before.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.emit(Tick(7))?;
    /// assert!(bus.close());
    /// assert_eq!(ticks.iter().count(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn close(&self) -> bool {
        self.bus.close()
    }

    /// Whether it was closed.
    ///
    /// ```
    /// assert!(!chanbus::TypedBus::new().is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.bus.is_closed()
    }
}

impl<E: Typed> EventDraft<'_, E, &TypedBus> {
    /// Emits it.
    ///
    /// # Errors
    ///
    /// As [`TypedBus::emit`].
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// assert_eq!(TypedBus::new().event(Tick(7)).metadata("n", 1).emit()?.matched, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit(self) -> Result<Emitted, EmitError<E>> {
        let bus = &self.sink.bus;
        let emitted = self.moved(bus, AnyPayload::new).emit();
        emitted.map_err(own_error)
    }
}

impl Default for TypedBus {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl From<Bus<AnyPayload>> for TypedBus {
    fn from(bus: Bus<AnyPayload>) -> Self {
        Self::over(bus)
    }
}

impl fmt::Debug for TypedBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedBus").field(&self.bus).finish()
    }
}

/// What the bus handed back of an emit, as it was given.
fn own_error<E: Typed>(error: EmitError<AnyPayload>) -> EmitError<E> {
    match error.map(AnyPayload::into_own) {
        EmitError::BadTopic { error, payload } => EmitError::BadTopic {
            error: of_type::<E>(error),
            payload,
        },
        other => other,
    }
}

fn of_type<E>(error: TopicError) -> TopicError {
    error.of_type(type_name::<E>())
}

/// What asks for the type's topic and nothing else.
fn pattern_of<E: Typed>() -> Result<Pattern, SubscribeError> {
    // By way of the topic: a text with wildcards is a pattern, and no event would ever match it alone.
    let topic = Topic::new(E::TOPIC).map_err(of_type::<E>)?;
    Ok(Pattern::new(topic)?)
}
