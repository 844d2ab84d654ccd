//! The ways to receive many events at once, in a thread or in a task.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Subscription;
use super::receive::Polled;
use super::subscriber::Popped;
use crate::error::{RecvError, TryRecvError};
use crate::event::Event;

impl<T: Send + Sync + 'static> Subscription<T> {
    /// Waits for one event, then takes what is there, `max` in all; appends them to `buffer` and
    /// says how many. `max` of zero takes none and does not wait.
    ///
    /// A subscription that [keeps batches](crate::SubscriptionBuilder::keep_batches) gives one batch at a
    /// time: what is left of one that is longer than `max` comes next.
    ///
    /// # Errors
    ///
    /// The subscription is closed and empty.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("n")?;
    /// bus.publisher("n")?.emit_batch(0..100)?;
    /// let mut buffer = Vec::new();
    /// assert_eq!(sub.recv_batch(&mut buffer, 64)?, 64);
    /// assert_eq!(sub.recv_batch(&mut buffer, 64)?, 36);
    /// assert_eq!(buffer.len(), 100);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn recv_batch(&self, buffer: &mut Vec<Event<T>>, max: usize) -> Result<usize, RecvError> {
        if max == 0 {
            return Ok(0);
        }
        let mailbox = &self.member().mailbox;
        if !mailbox.keeps_batches() {
            return Ok(self.take_with(self.recv()?, buffer, max));
        }
        loop {
            match self.try_recv_batch(buffer, max) {
                Ok(count) => return Ok(count),
                Err(TryRecvError::Closed) => return Err(RecvError),
                Err(TryRecvError::Empty) => {}
            }
            mailbox.wait(&self.finished, None);
        }
    }

    /// Takes what is there, at most `max` events; appends them to `buffer` and says how many. Never
    /// waits for an event. `max` of zero takes none.
    ///
    /// A subscription that [keeps batches](crate::SubscriptionBuilder::keep_batches) gives one batch at a
    /// time.
    ///
    /// # Errors
    ///
    /// There is none, or the subscription is closed and empty.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("n")?;
    /// let mut buffer = Vec::new();
    /// assert!(sub.try_recv_batch(&mut buffer, 64).unwrap_err().is_empty());
    /// bus.publisher("n")?.emit_batch(0..3)?;
    /// assert_eq!(sub.try_recv_batch(&mut buffer, 64)?, 3);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn try_recv_batch(
        &self,
        buffer: &mut impl Extend<Event<T>>,
        max: usize,
    ) -> Result<usize, TryRecvError> {
        if max == 0 {
            return Ok(0);
        }
        let mailbox = &self.member().mailbox;
        if !mailbox.keeps_batches() {
            return Ok(self.take_with(self.try_recv()?, buffer, max));
        }
        match mailbox.try_pop_batch(&self.finished, max) {
            Popped::Message((first, joined)) => {
                let count = 1 + joined.len();
                buffer.extend([first]);
                buffer.extend(joined);
                Ok(count)
            }
            Popped::Empty => Err(TryRecvError::Empty),
            Popped::Ended => Err(TryRecvError::Closed),
        }
    }

    /// Waits for one event, then takes what is there, `max` in all; appends them to `buffer` and
    /// says how many. `max` of zero takes none and does not wait.
    ///
    /// Events are taken when the future is ready, and not before. A subscription that [keeps
    /// batches](crate::SubscriptionBuilder::keep_batches) gives one batch at a time.
    ///
    /// # Errors
    ///
    /// The subscription is closed and empty.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// # use futures_lite::future::block_on;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("n")?;
    /// bus.publisher("n")?.emit_batch(0..100)?;
    /// let mut buffer = Vec::new();
    /// assert_eq!(block_on(sub.recv_batch_async(&mut buffer, 64))?, 64);
    /// assert_eq!(block_on(sub.recv_batch_async(&mut buffer, 64))?, 36);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn recv_batch_async<'a>(
        &'a self,
        buffer: &'a mut Vec<Event<T>>,
        max: usize,
    ) -> RecvBatchFuture<'a, T> {
        RecvBatchFuture {
            polled: Polled::new(self),
            buffer,
            max,
        }
    }

    /// Takes what there is beside this event, which was taken just now.
    fn take_with(&self, first: Event<T>, buffer: &mut impl Extend<Event<T>>, max: usize) -> usize {
        buffer.extend([first]);
        if self.member().mailbox.keeps_batches() {
            // It may have been in the middle of a batch, whose rest another handle takes just now.
            return 1;
        }
        let mut count = 1;
        buffer.extend(self.try_iter().take(max - 1).inspect(|_| count += 1));
        count
    }
}

/// What is there, when there is something; made by [`Subscription::recv_batch_async`].
///
/// ```
/// # use chanbus::Bus;
/// # use futures_lite::future::block_on;
/// let bus: Bus<u32> = Bus::new();
/// let sub = bus.subscribe("a")?;
/// assert_eq!(block_on(sub.recv_batch_async(&mut Vec::new(), 0))?, 0);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct RecvBatchFuture<'a, T: Send + Sync + 'static> {
    polled: Polled<'a, T>,
    buffer: &'a mut Vec<Event<T>>,
    max: usize,
}

impl<T: Send + Sync + 'static> Future for RecvBatchFuture<'_, T> {
    type Output = Result<usize, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self {
            polled,
            buffer,
            max,
        } = &mut *self;
        if *max == 0 {
            return Poll::Ready(Ok(0));
        }
        if polled.sub.member().mailbox.keeps_batches() {
            match polled.sub.try_recv_batch(*buffer, *max) {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(TryRecvError::Closed) => return Poll::Ready(Err(RecvError)),
                Err(TryRecvError::Empty) => {}
            }
        }
        polled
            .poll(context)
            .map_ok(|first| polled.sub.take_with(first, *buffer, *max))
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for RecvBatchFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvBatchFuture")
            .field("sub", self.polled.sub)
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}
