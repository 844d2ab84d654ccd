//! The next item of a stream, by a future that may be dropped without a trace.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::stream::Stream;

/// A stream that holds a place among those who wait.
pub(crate) trait Waiting: Stream + Unpin {
    /// Gives the place up, and the waker there, if it waits; until it is polled again.
    fn give_up(&mut self);
}

/// The next item of a stream, or its end; made by [`EventStream::next`](crate::EventStream::next) and
/// its like on the other streams.
///
/// Dropped before it is ready, as `select!` and timeouts do, it loses nothing, and its stream waits no
/// longer: an event that comes meanwhile is for another consumer of the same subscription, if one waits.
/// The waker of its task goes with it. (A future that is given to [`mem::forget`](std::mem::forget)
/// keeps its place in the line, and the waker, until the stream is polled again or dropped.)
///
/// Polled again after it was ready, it takes the item after that.
///
/// ```
/// use futures_lite::future::{block_on, poll_once};
/// use chanbus::Bus;
///
/// let bus = Bus::new();
/// let mut events = bus.subscribe("a")?.into_stream();
/// block_on(async {
///     assert!(poll_once(events.next()).await.is_none());
///     bus.emit("a", 1)?;
///     assert_eq!(*events.next().await.unwrap().payload(), 1);
///     Ok(())
/// })
/// # .map_err(|error: chanbus::EmitError<i32>| panic!("{error}"));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "futures do nothing unless awaited"]
#[allow(private_bounds, reason = "for this crate's streams alone")]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub struct NextFuture<'a, S: Waiting>(&'a mut S);

#[allow(private_bounds, reason = "as above")]
impl<'a, S: Waiting> NextFuture<'a, S> {
    pub(super) fn new(stream: &'a mut S) -> Self {
        NextFuture(stream)
    }
}

impl<S: Waiting> Future for NextFuture<'_, S> {
    type Output = Option<S::Item>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut *self.0).poll_next(context)
    }
}

impl<S: Waiting> Drop for NextFuture<'_, S> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl<S: Waiting + fmt::Debug> fmt::Debug for NextFuture<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NextFuture").field(&self.0).finish()
    }
}
