//! Panics in users' code stay where they are: caught, reported, and the rest is served (P11).

use std::any::Any;
use std::fmt;

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

/// A panic in a user's code that the bus caught; handed to the hook set by
/// [`BusBuilder::on_panic`](crate::BusBuilder::on_panic).
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
    subscription: Option<&'a str>,
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

    /// The name of the subscription, if it was a filter and has a name.
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
        self.subscription
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
            .field("subscription", &self.subscription)
            .field("message", &self.message())
            .finish()
    }
}

/// The user's hook for panics, which a bus and those derived from it share.
pub(super) type PanicHook = Arc<dyn Fn(&CaughtPanic<'_>) + Send + Sync>;

/// Runs the user's code so that a panic ends here, reported; `None` if it panicked.
pub(super) fn shield<R>(
    hook: Option<&PanicHook>,
    place: PanicPlace,
    topic: Option<&Topic>,
    subscription: Option<&str>,
    act: impl FnOnce() -> R,
) -> Option<R> {
    match caught(act) {
        Ok(result) => Some(result),
        Err(payload) => {
            report(hook, place, topic, subscription, payload);
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
    subscription: Option<&str>,
    payload: Box<dyn Any + Send>,
) {
    if let Some(hook) = hook {
        let panic = CaughtPanic {
            place,
            topic,
            subscription,
            payload: &*payload,
        };
        // There is nobody to tell of a hook that panics itself.
        if let Err(thrown) = caught(|| hook(&panic)) {
            // Not even dropped: it was thrown by code that panics at anything.
            std::mem::forget(thrown);
        }
    }
    discard(payload);
}
