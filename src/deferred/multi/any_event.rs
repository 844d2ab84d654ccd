//! An event of a bus of whatever type.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Weak};

use super::part::Part;
use crate::deferred::error::PublishError;

/// An event of one of the buses in a [`MultiBus`](crate::MultiBus).
///
/// ```
/// use chanbus::{Commit, Deferred, DeferredBus, MultiBus, Publish};
///
/// let multi = MultiBus::new();
/// let numbers = multi.wrap(Deferred::from_fn(|_: &u32, _| Ok(())));
/// numbers.publish(7)?;
/// let applied = multi.apply(Commit::DryRun)?;
/// let event = applied.iter().next().unwrap();
/// assert_eq!(event.downcast_ref::<u32>(), Some(&7));
/// assert!(!event.is::<String>());
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct AnyEvent {
    /// Of the part that it is of.
    number: u64,
    kind: &'static str,
    label: Option<Arc<str>>,
    /// As long as there are events of a part, it is not spent: they may be published again.
    part: Weak<dyn Part>,
    event: Box<dyn Any + Send + Sync>,
}

impl AnyEvent {
    pub(super) fn new(
        part: &Arc<dyn Part>,
        label: Option<Arc<str>>,
        event: Box<dyn Any + Send + Sync>,
    ) -> Self {
        AnyEvent {
            number: part.number(),
            kind: part.kind(),
            label,
            part: Arc::downgrade(part),
            event,
        }
    }

    /// The event, if it is one of this type.
    ///
    /// ```
    /// use chanbus::{Deferred, DeferredBus, MultiBus, Publish};
    ///
    /// let multi = MultiBus::new();
    /// multi.wrap(Deferred::from_fn(|_: &u32, _| Ok(()))).publish(7)?;
    /// assert_eq!(multi.collect()[0].event().downcast_ref(), Some(&7_u32));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn downcast_ref<E: Any>(&self) -> Option<&E> {
        self.innermost().own()
    }

    /// The event itself, if it is one of this type.
    ///
    /// # Errors
    ///
    /// It is of another; it comes back.
    ///
    /// ```
    /// use chanbus::{Deferred, DeferredBus, MultiBus, Publish};
    ///
    /// let multi = MultiBus::new();
    /// multi.wrap(Deferred::from_fn(|_: &String, _| Ok(()))).publish("seven".to_owned())?;
    /// let event = multi.collect().remove(0).into_event();
    /// let event = event.downcast::<u32>().unwrap_err();
    /// assert_eq!(event.downcast::<String>().unwrap(), "seven");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn downcast<E: Any>(self) -> Result<E, AnyEvent> {
        let AnyEvent {
            number,
            kind,
            label,
            part,
            event,
        } = self;
        let back = |event| AnyEvent {
            number,
            kind,
            label,
            part,
            event,
        };
        match event.downcast::<AnyEvent>() {
            Ok(inner) => inner.downcast().map_err(|inner| back(Box::new(inner))),
            Err(event) => event.downcast().map(|event| *event).map_err(back),
        }
    }

    /// Whether it is one of this type.
    ///
    /// ```
    /// use chanbus::{Deferred, DeferredBus, MultiBus, Publish};
    ///
    /// let multi = MultiBus::new();
    /// multi.wrap(Deferred::from_fn(|_: &u32, _| Ok(()))).publish(7)?;
    /// assert!(multi.collect()[0].event().is::<u32>());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is<E: Any>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }

    /// What its bus calls it, if anything: see [`ApplyEvent::label`](crate::ApplyEvent::label).
    ///
    /// ```
    /// use chanbus::{BasicBus, Commit, DeferredBus, Effect, MultiBus, Publish};
    ///
    /// let multi = MultiBus::new();
    /// multi.wrap(BasicBus::new()).publish(Effect::new("mail ann", |_| Ok(())))?;
    /// let applied = multi.apply(Commit::Real)?;
    /// let done: Vec<_> = applied.iter().filter_map(|event| event.label()).collect();
    /// assert_eq!(done, ["mail ann"]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// The type of the bus that it is of, for people to read: as [`std::any::type_name`] says it.
    ///
    /// ```
    /// use chanbus::{BasicBus, DeferredBus, Effect, MultiBus, Publish};
    ///
    /// let multi = MultiBus::new();
    /// multi.wrap(BasicBus::new()).publish(Effect::new("mail", |_| Ok(())))?;
    /// assert!(multi.collect()[0].event().bus_type().contains("RunEffect"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn bus_type(&self) -> &'static str {
        self.innermost().kind
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// What it holds itself, be it an event of a bus inside.
    pub(super) fn own<E: Any>(&self) -> Option<&E> {
        self.event.downcast_ref()
    }

    /// The event in the innermost of buses within buses.
    pub(super) fn innermost(&self) -> &AnyEvent {
        let mut event = self;
        while let Some(inner) = event.own::<AnyEvent>() {
            event = inner;
        }
        event
    }

    /// The event as the part of this number has it, if it is or was of that part.
    pub(super) fn of_part(&self, number: u64) -> Option<&AnyEvent> {
        let mut event = self;
        while event.number != number {
            event = event.own::<AnyEvent>()?;
        }
        Some(event)
    }

    /// Publishes it again, to the part that it is of.
    pub(super) fn publish_to(self, part: &dyn Part) -> Result<(), PublishError<AnyEvent>> {
        let AnyEvent {
            number,
            kind,
            label,
            part: own,
            event,
        } = self;
        part.publish(event).map_err(|event| {
            PublishError::new(AnyEvent {
                number,
                kind,
                label,
                part: own,
                event,
            })
        })
    }
}

impl fmt::Debug for AnyEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyEvent")
            .field("label", &self.label)
            .field("bus_type", &self.bus_type())
            .finish_non_exhaustive()
    }
}
