//! Receiving in async code: futures that need no runtime of any kind.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::Subscription;
use super::subscriber::{Popped, Waiter};
use crate::error::RecvError;
use crate::event::Event;

impl<T: Send + Sync + 'static> Subscription<T> {
    /// Takes the next event, in async code: waits for it without a thread, under any runtime.
    ///
    /// The event is taken when the future is ready, and not before: dropping it at any point, as
    /// `select!` and timeouts do, loses nothing, and wakes another who waits if it was woken itself.
    /// For many events there is `into_stream` (feature `stream`).
    ///
    /// A limit on the time is the runtime's: `tokio::time::timeout(limit, sub.recv_async())`.
    ///
    /// # Errors
    ///
    /// The subscription is closed and empty; then it is so for ever.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// # use futures_lite::future::block_on;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("a")?;
    /// bus.emit("a", 1)?;
    /// bus.close();
    /// block_on(async {
    ///     assert!(sub.recv_async().await.is_ok());
    ///     assert!(sub.recv_async().await.is_err());
    /// });
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn recv_async(&self) -> RecvFuture<'_, T> {
        RecvFuture(Polled::new(self))
    }

    /// Takes the next event, `None` for the end; or the waiter is called when there is one.
    pub(super) fn poll_recv(&self, waiter: &mut Waiter, waker: &Waker) -> Poll<Option<Event<T>>> {
        let (core, member) = (&self.shared.core, &self.member);
        let mut spent = |spent| core.see_to(member, spent);
        match member
            .mailbox
            .poll_pop(&self.finished, waiter, waker, &mut spent)
        {
            Popped::Message(event) => Poll::Ready(Some(event)),
            Popped::Empty => Poll::Pending,
            Popped::Ended => Poll::Ready(None),
        }
    }

    /// Waits no more, for now; if it was called and there is more, the call goes to the next.
    #[cfg(feature = "stream")]
    pub(super) fn leave(&self, waiter: &mut Waiter) {
        let (core, member) = (&self.shared.core, &self.member);
        member
            .mailbox
            .leave(waiter, &mut |spent| core.see_to(member, spent));
    }

    /// Ends what [`poll_recv`](Subscription::poll_recv) began.
    pub(super) fn give_up(&self, waiter: &mut Waiter) {
        let (core, member) = (&self.shared.core, &self.member);
        member
            .mailbox
            .give_up(waiter, &mut |spent| core.see_to(member, spent));
    }
}

/// A subscription, and who waits for it while this lives.
pub(super) struct Polled<'a, T: Send + Sync + 'static> {
    pub(super) sub: &'a Subscription<T>,
    waiter: Waiter,
}

impl<'a, T: Send + Sync + 'static> Polled<'a, T> {
    pub(super) fn new(sub: &'a Subscription<T>) -> Self {
        Polled {
            sub,
            waiter: Waiter::default(),
        }
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Event<T>, RecvError>> {
        let polled = self.sub.poll_recv(&mut self.waiter, context.waker());
        polled.map(|event| event.ok_or(RecvError))
    }
}

impl<T: Send + Sync + 'static> Drop for Polled<'_, T> {
    fn drop(&mut self) {
        self.sub.give_up(&mut self.waiter);
    }
}

/// The next event, when there is one; made by [`Subscription::recv_async`].
///
/// Polled again after it was ready, it takes the one after that.
///
/// ```
/// # use chanbus::Bus;
/// # use futures_lite::future::{block_on, or, ready};
/// let bus: Bus<u32> = Bus::new();
/// let sub = bus.subscribe("a")?;
/// // Given up, and nothing is lost.
/// let given_up = block_on(or(async { sub.recv_async().await.ok() }, ready(None)));
/// assert!(given_up.is_none());
/// bus.emit("a", 1)?;
/// assert_eq!(*block_on(sub.recv_async())?.payload(), 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct RecvFuture<'a, T: Send + Sync + 'static>(Polled<'a, T>);

impl<T: Send + Sync + 'static> Future for RecvFuture<'_, T> {
    type Output = Result<Event<T>, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(context)
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for RecvFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecvFuture").field(self.0.sub).finish()
    }
}
