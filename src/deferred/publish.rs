//! What one may do with a bus whose events are applied later: publish, and, for its owner, apply.

use std::fmt;
use std::sync::Arc;

use super::collected::Collected;
use super::commit::Commit;
use super::error::{ApplyErrorOf, PublishError};
use super::queue::drop_all;
use crate::BoxError;

/// Something to publish events to, which are applied later, by somebody else.
///
/// What a part of a program needs that only publishes: it cannot apply. Where types should not be named, a
/// `&dyn Publish<Event = E>` will do. It is implemented for references, `Arc` and `Box`, too.
///
/// ```
/// use chanbus::{BasicBus, Commit, DeferredBus, Effect, Publish, PublishError};
///
/// fn greet(bus: &impl Publish<Event = Effect>, name: &str) -> Result<(), PublishError<Effect>> {
///     let text = format!("hello, {name}");
///     bus.publish(Effect::new("greet", move |commit| {
///         if commit.is_real() {
///             println!("{text}");
///         }
///         Ok(())
///     }))
/// }
///
/// let bus = BasicBus::new();
/// greet(&bus, "world")?;
/// assert_eq!(bus.apply(Commit::Real)?.len(), 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub trait Publish {
    /// What is published.
    type Event: Send + Sync + 'static;

    /// Adds an event to those that the next apply runs.
    ///
    /// # Errors
    ///
    /// Nobody will ever apply it, as the owner has gone; the event comes back. Buses that own what is
    /// published to them never say so.
    ///
    /// ```
    /// use chanbus::{BasicBus, Effect, Publish};
    ///
    /// let bus = BasicBus::new();
    /// bus.publish(Effect::new("nothing", |_| Ok(())))?;
    /// assert_eq!(bus.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    fn publish(&self, event: Self::Event) -> Result<(), PublishError<Self::Event>>;

    /// Adds events in their order. On all buses of this crate, but for a [`MultiBus`](crate::MultiBus) and handles of one,
    /// no other thread's come in between.
    ///
    /// # Errors
    ///
    /// As [`publish`](Publish::publish); those that were not published come back.
    ///
    /// ```
    /// use chanbus::{BasicBus, Effect, Publish};
    ///
    /// let bus = BasicBus::new();
    /// bus.publish_all(["one", "two"].map(|label| Effect::new(label, |_| Ok(()))))?;
    /// assert_eq!(bus.len(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    fn publish_all(
        &self,
        events: impl IntoIterator<Item = Self::Event>,
    ) -> Result<(), PublishError<Vec<Self::Event>>>
    where
        Self: Sized,
    {
        // The iterator is the user's, and runs before anything is published.
        self.publish_list(events.into_iter().collect())
    }

    /// As [`publish_all`](Publish::publish_all), by a list: also by a `dyn Publish`.
    ///
    /// # Errors
    ///
    /// As [`publish`](Publish::publish); those that were not published come back.
    ///
    /// ```
    /// use chanbus::{BasicBus, Effect, Publish};
    ///
    /// let bus = BasicBus::new();
    /// let any: &dyn Publish<Event = Effect> = &bus;
    /// any.publish_list(vec![Effect::new("one", |_| Ok(()))])?;
    /// assert_eq!(bus.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    fn publish_list(&self, events: Vec<Self::Event>) -> Result<(), PublishError<Vec<Self::Event>>> {
        let mut events = events.into_iter();
        while let Some(event) = events.next() {
            if let Err(error) = self.publish(event) {
                let mut back = vec![error.into_inner()];
                back.extend(events);
                return Err(PublishError::new(back));
            }
        }
        Ok(())
    }
}

/// A bus that keeps what is published until its owner applies it.
///
/// Each event is run once: [`apply`](DeferredBus::apply) and [`collect`](DeferredBus::collect) first take all
/// that was published so far. So what an effect publishes while it runs belongs to the next apply. Two threads
/// that apply or collect at the same time have what each of them took, in order, and run it side by side.
///
/// Usually you need not implement this: implement [`ApplyEvent`](crate::ApplyEvent), which has one method, and
/// take a [`Deferred`](crate::Deferred) of it. Dropping the last handle of a bus discards what was not applied.
///
/// ```
/// use chanbus::{BasicBus, Commit, DeferredBus, Effect, Publish};
///
/// let bus = BasicBus::new();
/// bus.publish(Effect::new("charge the card", |_| Err("card expired".into())))?;
/// bus.publish(Effect::new("send the mail", |_| Ok(())))?;
///
/// let error = bus.apply(Commit::DryRun).unwrap_err();
/// assert_eq!(error.failed.event.label(), "charge the card");
/// assert_eq!(error.remaining[0].label(), "send the mail");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be applied from here",
    note = "a `DelayedBus` or `Wrapped` passes for a `DeferredBus` by `.as_deferred()`"
)]
pub trait DeferredBus: Publish {
    /// What an effect says when it fails.
    type Error: Into<BoxError> + fmt::Debug + fmt::Display + Send + Sync + 'static;

    /// What [`apply`](DeferredBus::apply) says that it applied; most often `Vec<Self::Event>`.
    type Applied: Send + Sync + 'static;

    /// Runs all that was published so far, in order, and takes it off the bus.
    ///
    /// Some buses collect instead, to run it later: see [`DelayedBus::as_deferred`](crate::DelayedBus::as_deferred).
    /// A dry run takes the events off, too: publish what it returns again to run it for real.
    ///
    /// # Errors
    ///
    /// The first effect that fails or panics stops it. Nothing is lost: the error has what was applied, what failed,
    /// and what remains. (As a [`chanbus::Error`](crate::Error) it is its text only.)
    ///
    /// ```
    /// use chanbus::{BasicBus, Commit, DeferredBus, Effect, Publish};
    ///
    /// let bus = BasicBus::new();
    /// bus.publish(Effect::new("write", |_| Ok(())))?;
    /// let tried = bus.apply(Commit::DryRun)?;
    /// assert!(bus.is_empty());
    ///
    /// bus.publish_all(tried)?;
    /// assert_eq!(bus.apply(Commit::Real)?.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    fn apply(&self, commit: Commit) -> Result<Self::Applied, ApplyErrorOf<Self>>;

    /// Takes all that was published so far off the bus, to be run later; prefer [`apply`](DeferredBus::apply).
    ///
    /// The bus is empty then. Nothing has run, and what is dropped of the result never will.
    /// [`DelayedBus`](crate::DelayedBus) and [`MultiBus`](crate::MultiBus) stand on this.
    ///
    /// ```
    /// use chanbus::{BasicBus, Commit, DeferredBus, Effect, Publish};
    ///
    /// let bus = BasicBus::new();
    /// bus.publish(Effect::new("later", |_| Ok(())))?;
    /// let mut collected = bus.collect();
    /// assert!(bus.apply(Commit::Real)?.is_empty());
    /// assert_eq!(collected[0].event().label(), "later");
    /// collected[0].run(Commit::Real).unwrap();
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use = "what is dropped is never run"]
    fn collect(&self) -> Vec<Collected<Self::Event, Self::Error>>;

    /// An empty bus that does with its events what this one does, if there can be one; nothing unless you say
    /// otherwise.
    ///
    /// What wraps a bus publishes there, so that several may wrap clones of one bus, and each runs or discards its own.
    /// Where there is none they share the events of the bus: who of them comes first runs or discards all.
    ///
    /// ```
    /// use chanbus::{BasicBus, DeferredBus, Effect, Publish};
    ///
    /// let bus = BasicBus::new();
    /// bus.publish(Effect::new("mail", |_| Ok(())))?;
    /// assert!(bus.apart().unwrap().is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    fn apart(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// Lets go of what was published, as who wraps the bus does: where that cannot be told from the rest, of all.
    #[doc(hidden)]
    fn let_go(&self, _: Crate) {
        drop_all(self.collect());
    }

    /// Whether this is the last handle, and nothing was published that is not applied: then a
    /// [`MultiBus`](crate::MultiBus) forgets it.
    #[doc(hidden)]
    fn is_spent(&mut self, _: Crate) -> bool {
        false
    }
}

/// Only this crate can make one, so that only it calls what asks for it; some of that is called under locks.
#[doc(hidden)]
#[derive(Debug)]
pub struct Crate(pub(super) ());

macro_rules! by_handle {
    ($($handle:ty, $apart:expr, $is_spent:expr;)*) => {$(
        impl<B: Publish + ?Sized> Publish for $handle {
            type Event = B::Event;

            fn publish(&self, event: B::Event) -> Result<(), PublishError<B::Event>> {
                (**self).publish(event)
            }

            fn publish_list(&self, events: Vec<B::Event>) -> Result<(), PublishError<Vec<B::Event>>> {
                (**self).publish_list(events)
            }
        }

        impl<B: DeferredBus> DeferredBus for $handle {
            type Error = B::Error;
            type Applied = B::Applied;

            fn apply(&self, commit: Commit) -> Result<B::Applied, ApplyErrorOf<B>> {
                (**self).apply(commit)
            }

            fn collect(&self) -> Vec<Collected<B::Event, B::Error>> {
                (**self).collect()
            }

            fn apart(&self) -> Option<Self> {
                let apart: fn(&Self) -> Option<Self> = $apart;
                apart(self)
            }

            fn let_go(&self, proof: Crate) {
                (**self).let_go(proof);
            }

            fn is_spent(&mut self, proof: Crate) -> bool {
                let is_spent: fn(&mut Self, Crate) -> bool = $is_spent;
                is_spent(self, proof)
            }
        }
    )*};
}

by_handle! {
    // Nobody would have the other one.
    &B, |_| None, |_, _| false;
    Arc<B>, |bus| (**bus).apart().map(Arc::new), |bus, proof| Arc::get_mut(bus).is_some_and(|bus| bus.is_spent(proof));
    Box<B>, |bus| (**bus).apart().map(Box::new), |bus, proof| (**bus).is_spent(proof);
}
