//! The bus that most are: a queue of events, and what applies them.

use std::any::type_name;
use std::fmt;
use std::sync::Arc;

use super::apply_event::ApplyEvent;
use super::collected::Collected;
use super::commit::Commit;
use super::error::{ApplyError, EffectError, Failed, PublishError};
use super::publish::{Crate, DeferredBus, Publish};
use super::queue::Queue;
use crate::shield::{caught, discard, drop_shielded};

/// A bus that keeps events until they are applied, by what it was made with.
///
/// A cheap handle: clones are the same bus. Any thread publishes.
///
/// ```
/// use chanbus::{BoxError, Commit, Deferred, DeferredBus, Publish};
///
/// let numbers = Deferred::from_fn(|number: &i32, commit| {
///     if *number < 0 {
///         return Err("negative".into());
///     }
///     if commit.is_real() {
///         println!("{number}");
///     }
///     Ok(())
/// });
/// let other = numbers.clone();
/// std::thread::spawn(move || other.publish_all([1, 2])).join().unwrap()?;
/// assert_eq!(numbers.apply(Commit::Real)?, [1, 2]);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct Deferred<A: ApplyEvent> {
    inner: Arc<Inner<A>>,
}

struct Inner<A: ApplyEvent> {
    applier: Arc<A>,
    queue: Queue<A::Event>,
}

impl<A: ApplyEvent> Deferred<A> {
    /// A bus whose events are applied by `applier`.
    ///
    /// ```
    /// use chanbus::{BoxError, Commit, Deferred, DeferredBus, ApplyEvent};
    ///
    /// struct Nothing;
    ///
    /// impl ApplyEvent for Nothing {
    ///     type Event = u32;
    ///     type Error = BoxError;
    ///
    ///     fn apply_event(&self, _: &u32, _: Commit) -> Result<(), BoxError> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// assert!(Deferred::by(Nothing).apply(Commit::Real)?.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn by(applier: A) -> Self {
        let inner = Inner {
            applier: Arc::new(applier),
            queue: Queue::new(),
        };
        Deferred {
            inner: Arc::new(inner),
        }
    }

    /// What applies the events.
    ///
    /// ```
    /// # use chanbus::{ApplyEvent, BoxError, Commit, Deferred};
    /// # struct Named(&'static str);
    /// # impl ApplyEvent for Named {
    /// #     type Event = u32;
    /// #     type Error = BoxError;
    /// #     fn apply_event(&self, _: &u32, _: Commit) -> Result<(), BoxError> { Ok(()) }
    /// # }
    /// assert_eq!(Deferred::by(Named("disk")).applier().0, "disk");
    /// ```
    #[must_use]
    pub fn applier(&self) -> &A {
        &self.inner.applier
    }

    /// How many events wait to be applied.
    ///
    /// ```
    /// # use chanbus::{Deferred, Publish};
    /// let bus = Deferred::from_fn(|_: &u32, _| Ok(()));
    /// bus.publish(7)?;
    /// assert_eq!(bus.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.queue.len()
    }

    /// Whether none does.
    ///
    /// ```
    /// # use chanbus::Deferred;
    /// assert!(Deferred::from_fn(|_: &u32, _| Ok(())).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the applier back, if this is the last handle; events that were not applied are dropped.
    pub(super) fn into_applier(self) -> Result<A, Self> {
        let inner = Arc::try_unwrap(self.inner).map_err(|inner| Deferred { inner })?;
        let Inner { applier, queue } = inner;
        match Arc::try_unwrap(applier) {
            Ok(applier) => {
                // The applier is asked for: it comes, whatever events do as they go.
                drop_shielded(queue);
                Ok(applier)
            }
            // What was collected and not yet run holds it, too; then all stays as it was.
            Err(applier) => Err(Deferred {
                inner: Arc::new(Inner { applier, queue }),
            }),
        }
    }
}

impl<A: ApplyEvent> Publish for Deferred<A> {
    type Event = A::Event;

    fn publish(&self, event: A::Event) -> Result<(), PublishError<A::Event>> {
        self.inner.queue.push(event);
        Ok(())
    }

    fn publish_list(&self, events: Vec<A::Event>) -> Result<(), PublishError<Vec<A::Event>>> {
        self.inner.queue.extend(events);
        Ok(())
    }
}

impl<A: ApplyEvent> DeferredBus for Deferred<A> {
    type Error = A::Error;
    type Applied = Vec<A::Event>;

    fn apply(&self, commit: Commit) -> Result<Vec<A::Event>, ApplyError<A::Event, A::Error>> {
        let applier = &self.inner.applier;
        let mut events = self.inner.queue.take().into_iter();
        let mut applied = Vec::with_capacity(events.len());
        while let Some(event) = events.next() {
            let error = match caught(|| applier.apply_event(&event, commit)) {
                Ok(Ok(())) => {
                    applied.push(event);
                    continue;
                }
                Ok(Err(error)) => EffectError::Failed(error),
                Err(thrown) => EffectError::thrown(thrown),
            };
            let label = label_of(&**applier, &event);
            let failed = Failed::new(event, label, error);
            return Err(ApplyError::new(applied, failed, events.collect()));
        }
        Ok(applied)
    }

    fn collect(&self) -> Vec<Collected<A::Event, A::Error>> {
        let applier = &self.inner.applier;
        let collected = |event| {
            let label = label_of(&**applier, &event);
            let later = |event: &A::Event| Arc::clone(applier).collect_event(event);
            Collected::made(event, label, later)
        };
        self.inner.queue.take().into_iter().map(collected).collect()
    }

    fn apart(&self) -> Option<Self> {
        Some(Deferred {
            inner: Arc::new(Inner {
                applier: Arc::clone(&self.inner.applier),
                queue: Queue::new(),
            }),
        })
    }

    fn is_spent(&mut self, _: Crate) -> bool {
        // Unique, so that nobody publishes between the two questions.
        Arc::get_mut(&mut self.inner).is_some_and(|inner| inner.queue.len() == 0)
    }
}

/// What an event is called: nothing, if that panics, as it is only for errors.
fn label_of<A: ApplyEvent>(applier: &A, event: &A::Event) -> Option<Arc<str>> {
    caught(|| applier.label(event)).unwrap_or_else(|thrown| {
        discard(thrown);
        None
    })
}

impl<A: ApplyEvent> Clone for Deferred<A> {
    fn clone(&self) -> Self {
        Deferred {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<A: ApplyEvent> fmt::Debug for Deferred<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred")
            .field("applier", &type_name::<A>())
            .field("len", &self.len())
            .finish()
    }
}
