//! The receiving end: it owns its place on the bus, and gives it up when dropped.

use std::fmt;
use std::time::{Duration, Instant};

use super::core::Core;
use super::emit::deadline_after;
use super::iter;
use super::listeners::Member;
use super::subscriber::{Popped, Spent};
use crate::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::event::Event;
use crate::sync::{Arc, AtomicBool, Select};

/// The receiving end of a subscription, and its guard: dropping the last handle of it unsubscribes.
///
/// | To take events | |
/// |---|---|
/// | `for event in &sub`, [`iter`](Subscription::iter) | until the subscription is closed and empty |
/// | [`recv`](Subscription::recv), [`recv_timeout`](Subscription::recv_timeout), [`recv_deadline`](Subscription::recv_deadline) | one, asleep until it comes |
/// | [`try_recv`](Subscription::try_recv), [`try_iter`](Subscription::try_iter) | what is there |
/// | [`recv_batch`](Subscription::recv_batch), [`try_recv_batch`](Subscription::try_recv_batch) | what is there; the first waits for one |
/// | [`heartbeats`](Subscription::heartbeats) | events, gaps and signs of life in between |
/// | [`recv_async`](Subscription::recv_async), [`recv_batch_async`](Subscription::recv_batch_async) | one, or a batch, in async code |
/// | `into_stream`, `stream` (feature `stream`) | as a `Stream`, with gaps and keepalives |
/// | [`register`](Subscription::register) | beside other channels, in crossbeam's `Select` |
///
/// Several threads and tasks may take from one subscription, by reference or by [`share`](Subscription::share);
/// each event goes to one of them.
///
/// # Counters
///
/// `matched = received + dropped + filtered + conflated`, once publishers are joined. All of them
/// count live events; what a replay brought is counted by none.
///
/// ```
/// use chanbus::Bus;
///
/// let bus = Bus::new();
/// let sub = bus.subscription("n").capacity(2).subscribe()?;
/// bus.publisher("n")?.emit_batch(0..5)?;
/// assert_eq!((sub.received(), sub.dropped(), sub.len()), (2, 3, 2));
/// assert_eq!(sub.matched(), 5);
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// # When it is dropped
///
/// With its last handle it leaves the bus, and what is queued and what its filter captured are
/// freed there and then; no later emit is needed. (A filter that an emit is inside of goes when that
/// emit leaves it.)
#[must_use = "dropping the subscription unsubscribes"]
pub struct Subscription<T: Send + Sync + 'static> {
    pub(super) shared: Arc<Shared<T>>,
    /// The same as in `shared`, a step nearer for every take.
    pub(super) member: Arc<Member<T>>,
    /// This handle was told of the end, and stays there.
    pub(super) finished: AtomicBool,
}

/// What the handles of one subscription share; the last to drop it unsubscribes.
pub(super) struct Shared<T: Send + Sync + 'static> {
    pub(super) core: Arc<Core<T>>,
    pub(super) member: Arc<Member<T>>,
}

impl<T: Send + Sync + 'static> Drop for Shared<T> {
    fn drop(&mut self) {
        let (core, member) = (&self.core, &self.member);
        core.remove_member(member);
        member.mailbox.abandon(&mut |event: Event<T>| {
            core.discard_event(event);
        });
        for waker in member.mailbox.take_wakers() {
            core.see_to(member, Spent::Drop(waker));
        }
        if let Some(filter) = &member.filter {
            core.discard(filter.clear());
        }
        if let Some(served_by) = &member.served_by {
            core.discard(served_by.clear());
        }
        core.registry.frozen(|_, ledger| ledger.settle(member));
        core.tell_gone(member);
    }
}

impl<T: Send + Sync + 'static> Subscription<T> {
    pub(super) fn new(core: Arc<Core<T>>, member: Arc<Member<T>>) -> Self {
        Subscription {
            member: Arc::clone(&member),
            shared: Arc::new(Shared { core, member }),
            finished: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(super) fn member(&self) -> &Member<T> {
        &self.member
    }

    /// Takes the next event, asleep until there is one.
    ///
    /// # Errors
    ///
    /// The subscription is closed and empty; then it is so for ever.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// bus.emit("a", 1)?;
    /// bus.close();
    /// assert!(sub.recv().is_ok());
    /// assert!(sub.recv().is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[inline]
    pub fn recv(&self) -> Result<Event<T>, RecvError> {
        match self.member().mailbox.pop(&self.finished, None) {
            Popped::Message(event) => Ok(event),
            Popped::Empty | Popped::Ended => Err(RecvError),
        }
    }

    /// Takes the next event if there is one now.
    ///
    /// # Errors
    ///
    /// Nothing waits, or the subscription is closed and empty.
    ///
    /// ```
    /// # use chanbus::{Bus, TryRecvError};
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// assert_eq!(sub.try_recv().unwrap_err(), TryRecvError::Empty);
    /// bus.emit("a", 1)?;
    /// assert!(sub.try_recv().is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[inline]
    pub fn try_recv(&self) -> Result<Event<T>, TryRecvError> {
        match self.member().mailbox.try_pop(&self.finished) {
            Popped::Message(event) => Ok(event),
            Popped::Empty => Err(TryRecvError::Empty),
            Popped::Ended => Err(TryRecvError::Closed),
        }
    }

    /// Takes the next event, asleep for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Nothing came in time, or the subscription is closed and empty.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// assert!(sub.recv_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[inline]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Event<T>, RecvTimeoutError> {
        self.recv_deadline(deadline_after(timeout))
    }

    /// Takes the next event, asleep until `deadline` at the latest: for a limit on several receives
    /// together.
    ///
    /// # Errors
    ///
    /// Nothing came in time, or the subscription is closed and empty.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// bus.publisher("a")?.emit_batch([1, 2])?;
    /// let deadline = Instant::now() + Duration::from_millis(5);
    /// let mut count = 0;
    /// while sub.recv_deadline(deadline).is_ok() {
    ///     count += 1;
    /// }
    /// assert_eq!(count, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[inline]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<Event<T>, RecvTimeoutError> {
        match self.member().mailbox.pop(&self.finished, Some(deadline)) {
            Popped::Message(event) => Ok(event),
            Popped::Empty => Err(RecvTimeoutError::Timeout),
            Popped::Ended => Err(RecvTimeoutError::Closed),
        }
    }

    /// Iterates over events, asleep between them, until the subscription is closed and empty. What
    /// `for event in &sub` does.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// bus.emit("a", 1)?;
    /// drop(bus);
    /// for event in &sub {
    ///     assert_eq!(*event.payload(), 1);
    /// }
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn iter(&self) -> iter::Iter<'_, T> {
        iter::Iter::new(self)
    }

    /// Iterates over the events that are there, and ends when there is none.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// bus.emit("a", 1)?;
    /// assert_eq!(sub.try_iter().count(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn try_iter(&self) -> iter::TryIter<'_, T> {
        iter::TryIter::new(self)
    }

    /// Iterates over events, gaps, and keepalives after each `idle` without anything.
    ///
    /// See [`Beat`](crate::Beat). An `idle` of zero gives a keepalive whenever nothing waits.
    ///
    /// ```
    /// use chanbus::{Beat, Bus};
    ///
    /// let bus = Bus::new();
    /// let sub = bus.subscription("n").capacity(2).subscribe()?;
    /// bus.publisher("n")?.emit_batch(0..5)?;
    /// bus.close();
    /// let beats: Vec<String> = sub
    ///     .heartbeats(chanbus::DEFAULT_HEARTBEAT)
    ///     .map(|beat| match beat {
    ///         Beat::Event(event) => event.payload().to_string(),
    ///         Beat::Missed(count) => format!("{count} missed"),
    ///         Beat::Keepalive => "idle".to_owned(),
    ///     })
    ///     .collect();
    /// assert_eq!(beats, ["0", "1", "3 missed"]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn heartbeats(&self, idle: Duration) -> iter::Heartbeats<'_, T> {
        iter::Heartbeats::new(self, idle)
    }

    /// Adds "an event waits, or the end has come" to a `Select` of crossbeam-channel 0.5, and returns its
    /// index.
    ///
    /// Then [`Select::ready`], [`Select::try_ready`] or one of its kind says when; take the event by
    /// [`try_recv`](Subscription::try_recv), which may find that another handle was faster. It is
    /// ready at once if replayed events wait, and after the end. What is ready then stays ready in
    /// that `Select`: to sleep with one that you keep, take what was replayed first, and
    /// [remove](crossbeam_channel::Select::remove) a subscription that has ended. (`Select::select`
    /// is not for it: it would have to be completed on a channel that stays inside, and panics if it
    /// is not.)
    ///
    /// ```
    /// use crossbeam_channel::{Select, unbounded};
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// let (_sender, numbers) = unbounded::<u32>();
    /// bus.emit("a", 1)?;
    ///
    /// let mut select = Select::new();
    /// let ours = sub.register(&mut select);
    /// select.recv(&numbers);
    /// assert_eq!(select.ready(), ours);
    /// assert!(sub.try_recv().is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    ///
    /// [`Select`]: crossbeam_channel::Select
    /// [`Select::ready`]: crossbeam_channel::Select::ready
    /// [`Select::try_ready`]: crossbeam_channel::Select::try_ready
    pub fn register<'a>(&'a self, select: &mut Select<'a>) -> usize {
        self.member().mailbox.register(&self.finished, select)
    }

    /// Sleeps until a receive may find something; `false` when the deadline passed.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> bool {
        self.member().mailbox.wait(&self.finished, deadline)
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("overflow", &self.overflow())
            .field("closed", &self.is_closed())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}
