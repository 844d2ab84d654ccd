//! Panics in users' code stay where they are: caught, reported, and the rest is served (P11).

use std::any::Any;
use std::fmt;
use std::panic::Location;

#[cfg(feature = "tracing")]
use super::traced::{Panics, tell_panic};
use crate::error::Plain;
use crate::event::{Event, Extras};
use crate::shield::{caught, discard, said};
use crate::sync::Arc;
use crate::topic::Topic;

/// Which code of the user's panicked.
///
/// ```
/// # use chanbus::{Bus, PanicPlace};
/// # use std::sync::mpsc;
/// let (places, place) = mpsc::channel();
/// let bus = Bus::builder().on_panic(move |panic| places.send(panic.place()).unwrap()).build()?;
/// let _tap = bus.tap("a", |_| panic!())?;
/// bus.emit("a", 1)?;
/// assert_eq!(place.recv().unwrap(), PanicPlace::Tap);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PanicPlace {
    /// A subscription's filter; the event counts as filtered there.
    Filter,
    /// A tap.
    Tap,
    /// The predicate or the mapping of a derived bus; the event is not passed on.
    Derivation,
    /// The waker of a task that waits for an event: its call, or its destructor.
    Waker,
    /// The destructor of a payload, an extension, a callback or a stream's timer that the bus let go of.
    Destructor,
    /// What says who takes from a subscription, for those who look: [`served_by`](crate::SubscriptionBuilder::served_by).
    Consumers,
    /// What listens to `tracing` (feature `tracing`), as the bus told it of something.
    Tracing,
    /// A hook of an [`Outbox`](crate::Outbox) that was dropped, so that nobody else hears of it.
    Hook,
}

#[cfg(feature = "tracing")]
impl PanicPlace {
    /// How many there are.
    pub(super) const COUNT: usize = PanicPlace::Hook as usize + 1;
}

/// What it is, in a few words for people.
///
/// ```
/// assert_eq!(chanbus::PanicPlace::Filter.to_string(), "a filter");
/// ```
impl fmt::Display for PanicPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PanicPlace::Filter => "a filter",
            PanicPlace::Tap => "a tap",
            PanicPlace::Derivation => "a predicate or a mapping",
            PanicPlace::Waker => "a waker",
            PanicPlace::Destructor => "a destructor",
            PanicPlace::Consumers => "what says who takes",
            PanicPlace::Tracing => "what listens to tracing",
            PanicPlace::Hook => "a hook of an outbox",
        })
    }
}

/// Who has code of the user's that may panic. Asked only when it did, so that a call of that code pays for a
/// pointer alone.
pub(super) trait Owner {
    fn whose(&self) -> Whose<'_>;
}

/// Whose code panicked, as far as that is known.
#[derive(Clone, Copy, Default)]
pub(super) struct Whose<'a> {
    pub(super) subscription: Option<u64>,
    pub(super) tap: Option<u64>,
    pub(super) name: Option<&'a str>,
    /// Where in the source that was made.
    pub(super) location: Option<&'static Location<'static>>,
    /// What `tracing` was told of its panics.
    #[cfg(feature = "tracing")]
    pub(super) told: Option<&'a Panics>,
}

impl Owner for Whose<'_> {
    fn whose(&self) -> Whose<'_> {
        *self
    }
}

/// A panic in a user's code that the bus caught; handed to the hook set by
/// [`BusBuilder::on_panic`](crate::BusBuilder::on_panic).
///
/// Its `Display` is a line for people, with all that is known: what panicked, of which subscription or tap, made where,
/// at which topic, and what it said.
///
/// ```
/// use std::sync::mpsc;
/// use chanbus::{Bus, PanicPlace};
///
/// let (reports, reported) = mpsc::channel();
/// let bus = Bus::builder()
///     .on_panic(move |panic| {
///         let _ = reports.send((panic.place(), panic.message().to_owned()));
///     })
///     .build()?;
/// let sub = bus.subscription("n").filter(|_| panic!("no filter today")).subscribe()?;
/// let emitted = bus.emit("n", 1)?;
/// assert_eq!(emitted.filtered, 1);
/// assert_eq!(reported.recv().unwrap(), (PanicPlace::Filter, "no filter today".to_owned()));
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct CaughtPanic<'a> {
    place: PanicPlace,
    topic: Option<&'a Topic>,
    whose: Whose<'a>,
    payload: &'a (dyn Any + Send),
}

impl CaughtPanic<'_> {
    /// Whose code it was.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::builder()
    ///     .on_panic(|panic| {
    ///         assert_eq!(panic.place(), chanbus::PanicPlace::Filter);
    ///     })
    ///     .build()?;
    /// let _sub = bus.subscription("a").name("panel").filter(|_| panic!("no")).subscribe()?;
    /// bus.emit("a", 1)?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn place(&self) -> PanicPlace {
        self.place
    }

    /// The topic of the event at hand, if there was one.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::builder()
    ///     .on_panic(|panic| {
    ///         assert_eq!(panic.topic().unwrap(), "a");
    ///     })
    ///     .build()?;
    /// let _sub = bus.subscription("a").name("panel").filter(|_| panic!("no")).subscribe()?;
    /// bus.emit("a", 1)?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn topic(&self) -> Option<&Topic> {
        self.topic
    }

    /// The name of the subscription whose code it was, if it was one's and it has a name.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::builder()
    ///     .on_panic(|panic| {
    ///         assert_eq!(panic.subscription(), Some("panel"));
    ///     })
    ///     .build()?;
    /// let _sub = bus.subscription("a").name("panel").filter(|_| panic!("no")).subscribe()?;
    /// bus.emit("a", 1)?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn subscription(&self) -> Option<&str> {
        self.whose.name
    }

    /// The number of the subscription whose code it was, as [`SubscriptionStats`](crate::SubscriptionStats) have it, if
    /// it was one's.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::builder()
    ///     .on_panic(|panic| {
    ///         assert_eq!(panic.subscription_id(), Some(0));
    ///     })
    ///     .build()?;
    /// let sub = bus.subscription("a").filter(|_| panic!("no")).subscribe()?;
    /// assert_eq!(sub.id(), 0);
    /// bus.emit("a", 1)?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn subscription_id(&self) -> Option<u64> {
        self.whose.subscription
    }

    /// The number of the tap, pipe or derived bus whose code it was, as [`TapStats`](crate::TapStats) have it, if it was
    /// one's.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::builder()
    ///     .on_panic(|panic| {
    ///         assert_eq!(panic.tap_id(), Some(0));
    ///     })
    ///     .build()?;
    /// let _tap = bus.tap("a", |_| panic!("no"))?;
    /// bus.emit("a", 1)?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn tap_id(&self) -> Option<u64> {
        self.whose.tap
    }

    /// Where in the source the subscription or the tap was made; of a derived bus, where it was derived. `None` where
    /// that is not known, as for the destructor of a payload.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::builder()
    ///     .on_panic(|panic| {
    ///         assert_eq!(panic.location().unwrap().file(), file!());
    ///     })
    ///     .build()?;
    /// let _tap = bus.tap("a", |_| panic!("no"))?;
    /// bus.emit("a", 1)?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.whose.location
    }

    /// What the panic said, or `"a value that is no text"`.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::builder()
    ///     .on_panic(|panic| {
    ///         assert_eq!(panic.message(), "no");
    ///     })
    ///     .build()?;
    /// let _sub = bus.subscription("a").name("panel").filter(|_| panic!("no")).subscribe()?;
    /// bus.emit("a", 1)?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn message(&self) -> &str {
        said(self.payload)
    }

    /// What the panic was thrown with.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::builder()
    ///     .on_panic(|panic| {
    ///         assert!(panic.payload().is::<&str>());
    ///     })
    ///     .build()?;
    /// let _sub = bus.subscription("a").name("panel").filter(|_| panic!("no")).subscribe()?;
    /// bus.emit("a", 1)?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn payload(&self) -> &(dyn Any + Send) {
        self.payload
    }
}

impl fmt::Debug for CaughtPanic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaughtPanic")
            .field("place", &self.place)
            .field("topic", &self.topic.map(Topic::as_str))
            .field("subscription", &self.whose.name)
            .field("subscription_id", &self.whose.subscription)
            .field("tap_id", &self.whose.tap)
            .field("location", &self.whose.location)
            .field("message", &self.message())
            .finish()
    }
}

/// On one line, whatever names and messages have in them.
impl fmt::Display for CaughtPanic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        let Whose {
            subscription, name, ..
        } = self.whose;
        if subscription.is_some() || name.is_some() {
            f.write_str(" of subscription")?;
        }
        if let Some(number) = subscription {
            write!(f, " {number}")?;
        }
        if let Some(number) = self.whose.tap {
            write!(f, ", number {number}")?;
        }
        if let Some(name) = name {
            write!(f, " `{}`", Plain(name))?;
        }
        if let Some(location) = self.whose.location {
            let (file, line, column) = (location.file(), location.line(), location.column());
            write!(f, ", made at {}:{line}:{column},", Plain(file))?;
        }
        f.write_str(" panicked")?;
        if let Some(topic) = self.topic {
            write!(f, " at topic `{topic}`")?;
        }
        write!(f, ": {}", Plain(self.message()))
    }
}

/// The user's hook for panics, which a bus and those derived from it share.
pub(super) type PanicHook = Arc<dyn Fn(&CaughtPanic<'_>) + Send + Sync>;

/// Runs the user's code so that a panic ends here, reported; `None` if it panicked.
pub(super) fn shield<R>(
    hook: Option<&PanicHook>,
    place: PanicPlace,
    topic: Option<&Topic>,
    owner: Option<&dyn Owner>,
    act: impl FnOnce() -> R,
) -> Option<R> {
    match caught(act) {
        Ok(result) => Some(result),
        Err(payload) => {
            report(hook, place, topic, owner, payload);
            None
        }
    }
}

/// Drops a handle of an event. If it is the last, payload and extensions go one by one, each behind
/// a shield of its own: two destructors that panic at once would end the process.
#[inline]
pub(super) fn drop_event<T>(hook: Option<&PanicHook>, topic: Option<&Topic>, event: Event<T>) {
    if event.has_extensions() {
        drop_parts(hook, topic, event);
    } else {
        shield(hook, PanicPlace::Destructor, topic, None, || drop(event));
    }
}

#[cold]
fn drop_parts<T>(hook: Option<&PanicHook>, topic: Option<&Topic>, event: Event<T>) {
    if let Some((payload, extras)) = event.into_parts() {
        shield(hook, PanicPlace::Destructor, topic, None, || drop(payload));
        drop_extras(hook, topic, extras.and_then(Arc::into_inner));
    }
}

/// Drops what went with a payload, each object behind a shield of its own.
pub(super) fn drop_extras(hook: Option<&PanicHook>, topic: Option<&Topic>, extras: Option<Extras>) {
    let extensions = extras.map(|extras| extras.extensions);
    for extension in extensions.into_iter().flatten() {
        shield(hook, PanicPlace::Destructor, topic, None, || {
            drop(extension)
        });
    }
}

#[cold]
fn report(
    hook: Option<&PanicHook>,
    place: PanicPlace,
    topic: Option<&Topic>,
    owner: Option<&dyn Owner>,
    payload: Box<dyn Any + Send>,
) {
    let panic = CaughtPanic {
        place,
        topic,
        whose: owner.map(Owner::whose).unwrap_or_default(),
        payload: &*payload,
    };
    #[cfg(feature = "tracing")]
    tell_panic(hook, &panic, panic.whose);
    if let Some(hook) = hook {
        // There is nobody to tell of a hook that panics itself.
        if let Err(thrown) = caught(|| hook(&panic)) {
            // Not even dropped: it was thrown by code that panics at anything.
            std::mem::forget(thrown);
        }
    }
    discard(payload);
}
