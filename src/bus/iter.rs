//! The forms of iteration over a subscription.

use std::fmt;
use std::iter::FusedIterator;
use std::time::Duration;

use super::Subscription;
use super::emit::deadline_after;
use crate::error::TryRecvError;
use crate::event::Event;

/// How often [`heartbeats`](Subscription::heartbeats) are usually asked for: every 5 seconds.
///
/// ```
/// assert_eq!(chanbus::DEFAULT_HEARTBEAT, std::time::Duration::from_secs(5));
/// ```
pub const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(5);

/// Iterates over events, asleep between them, until the end; made by [`Subscription::iter`].
///
/// ```
/// # use chanbus::Bus;
/// let bus: Bus<u32> = Bus::new();
/// let sub = bus.subscribe_all()?;
/// bus.close();
/// let mut events = sub.iter();
/// assert!(events.next().is_none() && events.next().is_none());
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "iterators do nothing unless used"]
pub struct Iter<'a, T: Send + Sync + 'static> {
    sub: &'a Subscription<T>,
}

impl<'a, T: Send + Sync + 'static> Iter<'a, T> {
    pub(super) fn new(sub: &'a Subscription<T>) -> Self {
        Iter { sub }
    }
}

impl<T: Send + Sync + 'static> Iterator for Iter<'_, T> {
    type Item = Event<T>;

    fn next(&mut self) -> Option<Event<T>> {
        self.sub.recv().ok()
    }
}

impl<T: Send + Sync + 'static> FusedIterator for Iter<'_, T> {}

impl<'a, T: Send + Sync + 'static> IntoIterator for &'a Subscription<T> {
    type Item = Event<T>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// Iterates over the events that are there; made by [`Subscription::try_iter`].
///
/// ```
/// # use chanbus::Bus;
/// let bus = Bus::new();
/// let sub = bus.subscribe_all()?;
/// bus.emit("a", 1)?;
/// let mut events = sub.try_iter();
/// assert!(events.next().is_some() && events.next().is_none());
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "iterators do nothing unless used"]
pub struct TryIter<'a, T: Send + Sync + 'static> {
    sub: &'a Subscription<T>,
}

impl<'a, T: Send + Sync + 'static> TryIter<'a, T> {
    pub(super) fn new(sub: &'a Subscription<T>) -> Self {
        TryIter { sub }
    }
}

impl<T: Send + Sync + 'static> Iterator for TryIter<'_, T> {
    type Item = Event<T>;

    fn next(&mut self) -> Option<Event<T>> {
        self.sub.try_recv().ok()
    }
}

/// Iterates over events like [`Iter`], and owns the subscription; made by
/// [`IntoIterator::into_iter`].
///
/// ```
/// use chanbus::Bus;
///
/// let bus = Bus::new();
/// let sub = bus.subscribe("a")?;
/// bus.emit("a", 1)?;
/// drop(bus);
/// let payloads: Vec<i32> = sub.into_iter().map(|event| *event.payload()).collect();
/// assert_eq!(payloads, [1]);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "iterators do nothing unless used"]
pub struct IntoIter<T: Send + Sync + 'static> {
    sub: Subscription<T>,
}

impl<T: Send + Sync + 'static> Iterator for IntoIter<T> {
    type Item = Event<T>;

    fn next(&mut self) -> Option<Event<T>> {
        self.sub.recv().ok()
    }
}

impl<T: Send + Sync + 'static> FusedIterator for IntoIter<T> {}

impl<T: Send + Sync + 'static> IntoIterator for Subscription<T> {
    type Item = Event<T>;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { sub: self }
    }
}

/// What [`Subscription::heartbeats`] yields: an event, or something about events.
///
/// Gaps and keepalives are variants of their own, never events that somebody could emit.
///
/// ```
/// use chanbus::{Beat, Bus};
///
/// let bus = Bus::new();
/// let sub = bus.subscribe("a")?;
/// bus.emit("a", 1)?;
/// let beat = sub.heartbeats(chanbus::DEFAULT_HEARTBEAT).next().unwrap();
/// assert_eq!(beat.into_event().map(|event| *event.payload()), Some(1));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug)]
pub enum Beat<T> {
    /// An event.
    Event(Event<T>),
    /// Nothing came for as long as was asked for; the subscription is alive.
    Keepalive,
    /// So many events were dropped here.
    ///
    /// The sum is exact: all that [`dropped`](Subscription::dropped) counts is reported once, here
    /// or by [`missed`](Subscription::missed). The place is exact when nothing is emitted or taken
    /// at the same moment; otherwise it is between the neighbouring takes.
    Missed(u64),
}

impl<T> Beat<T> {
    /// The event, if it is one.
    ///
    /// ```
    /// # use chanbus::Beat;
    /// assert!(Beat::<u32>::Keepalive.into_event().is_none());
    /// ```
    #[must_use]
    pub fn into_event(self) -> Option<Event<T>> {
        match self {
            Beat::Event(event) => Some(event),
            _ => None,
        }
    }
}

impl<T> Clone for Beat<T> {
    fn clone(&self) -> Self {
        match self {
            Beat::Event(event) => Beat::Event(event.clone()),
            Beat::Keepalive => Beat::Keepalive,
            Beat::Missed(count) => Beat::Missed(*count),
        }
    }
}

/// Iterates over events, gaps and keepalives; made by [`Subscription::heartbeats`].
///
/// It holds no event: dropping it at any point loses none.
///
/// ```
/// use std::time::Duration;
/// # use chanbus::{Beat, Bus};
/// let bus: Bus<u32> = Bus::new();
/// let sub = bus.subscribe_all()?;
/// let mut beats = sub.heartbeats(Duration::from_millis(1));
/// assert!(matches!(beats.next(), Some(Beat::Keepalive)));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "iterators do nothing unless used"]
pub struct Heartbeats<'a, T: Send + Sync + 'static> {
    sub: &'a Subscription<T>,
    idle: Duration,
    /// It said that there is no more. A late publisher may still count a drop after that, which
    /// [`Subscription::missed`] tells.
    ended: bool,
}

impl<'a, T: Send + Sync + 'static> Heartbeats<'a, T> {
    pub(super) fn new(sub: &'a Subscription<T>, idle: Duration) -> Self {
        Heartbeats {
            sub,
            idle,
            ended: false,
        }
    }
}

impl<T: Send + Sync + 'static> Iterator for Heartbeats<'_, T> {
    type Item = Beat<T>;

    fn next(&mut self) -> Option<Beat<T>> {
        if self.ended {
            return None;
        }
        let mailbox = &self.sub.member().mailbox;
        let deadline = deadline_after(self.idle);
        loop {
            // Replayed events come before all that could be missing among the live ones.
            if !mailbox.has_front() {
                match mailbox.due_gap() {
                    0 => {}
                    count => {
                        mailbox.pass_on();
                        return Some(Beat::Missed(count));
                    }
                }
            }
            match self.sub.try_recv() {
                Ok(event) => return Some(Beat::Event(event)),
                Err(TryRecvError::Closed) => {
                    // Whatever is not reported yet is due before the end.
                    let count = self.sub.missed();
                    self.ended = count == 0;
                    return (count > 0).then_some(Beat::Missed(count));
                }
                Err(TryRecvError::Empty) => {}
            }
            // Asleep without taking: a gap that comes up meanwhile goes before its event.
            if !self.sub.wait(Some(deadline)) {
                return Some(Beat::Keepalive);
            }
        }
    }
}

impl<T: Send + Sync + 'static> FusedIterator for Heartbeats<'_, T> {}

macro_rules! debug_by_subscription {
    ($($name:literal $type:ty),* $(,)?) => {
        $(impl<T: Send + Sync + 'static> fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple($name).field(&self.sub).finish()
            }
        })*
    };
}

debug_by_subscription!(
    "Iter" Iter<'_, T>,
    "TryIter" TryIter<'_, T>,
    "IntoIter" IntoIter<T>,
    "Heartbeats" Heartbeats<'_, T>,
);
