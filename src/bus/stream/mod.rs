//! Subscriptions as streams: [`Stream`] of events, with gaps, with keepalives.

mod beats;
mod next;
#[cfg(feature = "tokio")]
mod tokio;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::stream::{FusedStream, Stream};

use super::Subscription;
use super::subscriber::Waiter;
use crate::event::Event;
use crate::sync::Ordering::{Acquire, Relaxed};

pub use self::beats::{GapStream, HeartbeatStream, IdleTimer};
pub use self::next::NextFuture;
use self::next::Waiting;
#[cfg(feature = "tokio")]
pub use self::tokio::TokioTimer;

impl<T: Send + Sync + 'static> Subscription<T> {
    /// This subscription as a stream of events, for async code under any runtime, or none.
    ///
    /// The stream is the guard now: dropping it unsubscribes. What is queued stays queued, and
    /// counters go on; they are read through [`EventStream::subscription`].
    ///
    /// ```
    /// use futures_lite::future::block_on;
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut events = bus.subscribe("a")?.into_stream();
    /// bus.emit("a", 1)?;
    /// drop(bus);
    /// block_on(async {
    ///     while let Some(event) = events.next().await {
    ///         assert_eq!(*event.payload(), 1);
    ///     }
    /// });
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
    pub fn into_stream(self) -> EventStream<T> {
        EventStream {
            sub: self,
            waiter: Waiter::default(),
        }
    }

    /// A stream that [shares](Subscription::share) this subscription: each event goes to one of its
    /// handles, be they streams or not. It keeps the subscription alive.
    ///
    /// ```
    /// use futures_lite::{StreamExt, future::block_on};
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// bus.emit("a", 1)?;
    /// bus.emit("a", 2)?;
    /// assert_eq!(*sub.recv()?.payload(), 1);
    /// assert_eq!(*block_on(sub.stream().next()).unwrap().payload(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
    pub fn stream(&self) -> EventStream<T> {
        self.share().into_stream()
    }
}

/// A subscription as a stream of events; made by [`Subscription::into_stream`] and
/// [`Subscription::stream`].
///
/// It ends, for good, when the subscription is closed and what was queued has been taken. Overflow
/// does not end it. It needs no runtime: a task that waits is woken by the emit, and while nobody
/// waits an emit pays nothing for it.
///
/// Dropping it, or the future of [`next`](EventStream::next), at any point loses no event, and wakes
/// another consumer of the same subscription if this one was woken in vain.
///
/// It never yields to other tasks while events wait; a runtime's own means do that, if it must.
///
/// ```
/// use futures_lite::{StreamExt, future::block_on};
/// use chanbus::Bus;
///
/// let bus = Bus::new();
/// let sub = bus.subscribe("job")?;
/// let (mut one, mut other) = (sub.stream(), sub.into_stream());
/// bus.publisher("job")?.emit_batch(0..2)?;
/// bus.close();
/// block_on(async {
///     assert_eq!(*one.next().await.unwrap().payload(), 0);
///     assert_eq!(*other.next().await.unwrap().payload(), 1);
///     assert!(one.next().await.is_none() && other.next().await.is_none());
/// });
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// # Which `next` it is
///
/// [`next`](EventStream::next) is a method of the stream's own, so it is the one that is called on a stream
/// and on a `&mut` to it, also where a `StreamExt` of another crate's is imported. On a stream that is pinned
/// (`pin!`), boxed or adapted (`map`, `filter`, ...) `next` is that `StreamExt`'s. It loses no event either.
/// But one that is dropped leaves the stream waiting, as does who polls it by hand: it keeps its place in
/// the line of those who share the subscription, and may be called for an event that another could have
/// taken, until it is polled again or dropped. Streams are `Unpin`, all of this crate's, so there is no need to
/// pin or box them.
#[must_use = "streams do nothing unless polled, and dropping one unsubscribes"]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub struct EventStream<T: Send + Sync + 'static> {
    sub: Subscription<T>,
    waiter: Waiter,
}

impl<T: Send + Sync + 'static> EventStream<T> {
    /// The next event, or `None` for the end. Under the name of `StreamExt::next`, in whose place it comes, as
    /// it may be dropped at any point without holding up who shares the subscription: see
    /// [`NextFuture`].
    ///
    /// ```
    /// # use chanbus::Bus;
    /// # use futures_lite::future::block_on;
    /// let bus = Bus::new();
    /// let mut events = bus.subscribe("a")?.into_stream();
    /// bus.emit("a", 1)?;
    /// assert!(block_on(events.next()).is_some());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[allow(clippy::should_implement_trait, reason = "it is not an iterator's")]
    pub fn next(&mut self) -> NextFuture<'_, Self> {
        NextFuture::new(self)
    }

    /// The subscription: its counters, its name, [`close`](Subscription::close),
    /// [`closer`](Subscription::closer), [`share`](Subscription::share).
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let events = bus.subscribe("a")?.into_stream();
    /// bus.emit("a", 1)?;
    /// assert_eq!(events.subscription().len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn subscription(&self) -> &Subscription<T> {
        &self.sub
    }

    /// The subscription back, for blocking receives. What is queued stays queued.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let events = bus.subscribe("a")?.into_stream();
    /// bus.emit("a", 1)?;
    /// assert!(events.into_subscription().recv().is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn into_subscription(self) -> Subscription<T> {
        // Another handle, and this one is dropped, as it gives up its place then. It was told of the end
        // if this one was. Relaxed: nobody else has it yet.
        let sub = self.sub.share();
        sub.finished.store(self.is_finished(), Relaxed);
        sub
    }

    /// The events with the gaps between them, as [`Beat::Missed`](crate::Beat::Missed); and with
    /// keepalives, if it is [given a timer](GapStream::keepalive).
    ///
    /// ```
    /// use futures_lite::{StreamExt, future::block_on};
    /// use chanbus::{Beat, Bus};
    ///
    /// let bus = Bus::new();
    /// let sub = bus.subscription("n").capacity(2).subscribe()?;
    /// bus.publisher("n")?.emit_batch(0..5)?;
    /// bus.close();
    /// let beats: Vec<String> = block_on(
    ///     sub.into_stream()
    ///         .with_gaps()
    ///         .map(|beat| match beat {
    ///             Beat::Event(event) => event.payload().to_string(),
    ///             Beat::Missed(count) => format!("{count} missed"),
    ///             Beat::Keepalive => "idle".to_owned(),
    ///         })
    ///         .collect(),
    /// );
    /// assert_eq!(beats, ["0", "1", "3 missed"]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn with_gaps(self) -> GapStream<T> {
        GapStream::new(self)
    }

    fn is_finished(&self) -> bool {
        // Acquire: as `try_pop` has it.
        self.sub.finished.load(Acquire)
    }
}

impl<T: Send + Sync + 'static> Stream for EventStream<T> {
    type Item = Event<T>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event<T>>> {
        let Self { sub, waiter } = &mut *self;
        sub.poll_recv(waiter, context.waker())
    }
}

impl<T: Send + Sync + 'static> Waiting for EventStream<T> {
    fn give_up(&mut self) {
        // Nothing is to be done for one that has found its item.
        if self.waiter.enrolled {
            self.sub.give_up(&mut self.waiter);
        }
    }
}

impl<T: Send + Sync + 'static> FusedStream for EventStream<T> {
    fn is_terminated(&self) -> bool {
        self.is_finished()
    }
}

impl<T: Send + Sync + 'static> Drop for EventStream<T> {
    fn drop(&mut self) {
        self.sub.give_up(&mut self.waiter);
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventStream").field(&self.sub).finish()
    }
}
