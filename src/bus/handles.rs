//! Further handles of a subscription, what it asks for, and how it ends.

use std::fmt;

use super::Subscription;
use super::core::Core;
use super::listeners::Member;
use crate::error::SubscribeError;
use crate::pattern::IntoPatterns;
use crate::sync::{Arc, AtomicBool, Weak};

impl<T: Send + Sync + 'static> Subscription<T> {
    /// Another handle of this subscription: each event goes to one of them.
    ///
    /// Handles take no further slot of the bus's limit. Every handle sees the end.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("job")?;
    /// let workers: Vec<_> = (0..2)
    ///     .map(|_| {
    ///         let jobs = sub.share();
    ///         std::thread::spawn(move || jobs.iter().count())
    ///     })
    ///     .collect();
    /// drop(sub);
    /// bus.publisher("job")?.emit_batch(0..10)?;
    /// drop(bus);
    /// let done: usize = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
    /// assert_eq!(done, 10);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn share(&self) -> Self {
        Subscription {
            shared: Arc::clone(&self.shared),
            member: Arc::clone(&self.member),
            finished: AtomicBool::new(false),
        }
    }

    /// A handle that closes this subscription from elsewhere: for Ctrl-C, or for the thread that
    /// ends another's loop. It does not keep the subscription alive.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// let closer = sub.closer();
    /// let reader = std::thread::spawn(move || sub.iter().count());
    /// closer.close();
    /// assert_eq!(reader.join().unwrap(), 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn closer(&self) -> Closer<T> {
        Closer {
            core: Arc::downgrade(&self.shared.core),
            member: Arc::downgrade(&self.member),
        }
    }

    /// Closes the subscription: it leaves the bus and frees its slot, later emits do not match it,
    /// and what is queued stays to be taken; then iteration ends, for every handle. Returns `false`
    /// if it was closed before.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// bus.emit("a", 1)?;
    /// sub.close();
    /// bus.emit("a", 2)?;
    /// assert_eq!(sub.iter().count(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn close(&self) -> bool {
        self.shared.core.close_member(&self.member)
    }

    /// Drops this handle, in a word that says why. If it is the last, the subscription leaves the
    /// bus, and what is queued is dropped.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// bus.subscribe("a")?.unsubscribe();
    /// assert_eq!(bus.subscriber_count(), 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn unsubscribe(self) {
        drop(self);
    }

    /// Whether it, or its bus, was closed. Events may still wait in it.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// assert!(!sub.is_closed());
    /// bus.close();
    /// assert!(sub.is_closed());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.member().mailbox.is_closed()
    }

    /// Changes what it asks for, in one step: an emit sees the old patterns or the new ones. What is
    /// queued stays.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, an empty list (the patterns stay as they were), or
    /// [`SubscribeError::Ended`].
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("a.*")?;
    /// sub.set_patterns(["b.*", "c"])?;
    /// assert_eq!(bus.emit("a.x", 1)?.matched, 0);
    /// assert_eq!(bus.emit("b.x", 1)?.matched, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn set_patterns(&self, patterns: impl IntoPatterns) -> Result<(), SubscribeError> {
        let core = &self.shared.core;
        let patterns = patterns.into_patterns(core.settings.syntax)?;
        core.set_patterns(&self.shared.member, patterns.into())
    }
}

/// Closes a subscription from elsewhere; made by [`Subscription::closer`].
///
/// ```
/// use chanbus::Bus;
///
/// let bus: Bus<u32> = Bus::new();
/// let sub = bus.subscribe("a")?;
/// let closer = sub.closer();
/// assert!(closer.close());
/// assert!(sub.is_closed());
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct Closer<T: Send + Sync + 'static> {
    // Never the part whose drop unsubscribes: a closer that looks just then would put that off, and
    // do it on its own thread, `Debug` included.
    core: Weak<Core<T>>,
    member: Weak<Member<T>>,
}

impl<T: Send + Sync + 'static> Closer<T> {
    /// [`Subscription::close`]; `false` if it was closed before, or is gone.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// assert!(sub.closer().close());
    /// assert!(!sub.closer().close());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn close(&self) -> bool {
        match (self.core.upgrade(), self.member.upgrade()) {
            (Some(core), Some(member)) => core.close_member(&member),
            _ => false,
        }
    }

    /// Whether the subscription was closed, or is gone.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let closer = bus.subscribe("a")?.closer();
    /// assert!(closer.is_closed());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.member
            .upgrade()
            .is_none_or(|member| member.mailbox.is_closed())
    }
}

impl<T: Send + Sync + 'static> Clone for Closer<T> {
    fn clone(&self) -> Self {
        Closer {
            core: Weak::clone(&self.core),
            member: Weak::clone(&self.member),
        }
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Closer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closer")
            .field("closed", &self.is_closed())
            .finish()
    }
}
