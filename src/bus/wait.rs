//! Waiting for one event.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::role::Role;
use super::subscriber::Waiter;
use super::{Bus, Subscription};
use crate::error::{RecvTimeoutError, SubscribeError, WaitError};
use crate::event::Event;
use crate::pattern::IntoPatterns;

impl<T: Send + Sync + 'static> Bus<T> {
    /// Waits for the first event from now on that matches the patterns and the predicate.
    ///
    /// It takes a subscription while it waits. The predicate runs on the emitting threads, like any
    /// filter, so an event that it wants cannot be lost to a full queue. A
    /// [`broadcast`](Bus::broadcast) counts only if its topic matches the patterns.
    ///
    /// An answer that comes before this call has begun is missed. To ask and wait for the answer,
    /// [`subscribe`](Bus::subscribe) first, then emit, then
    /// [`recv_timeout`](crate::Subscription::recv_timeout).
    ///
    /// # Errors
    ///
    /// The time ran out, the bus was closed, or the subscription was refused.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let emitter = bus.clone();
    /// let thread = std::thread::spawn(move || {
    ///     // Until somebody listens.
    ///     while emitter.emit("job.done", 7).is_ok_and(|emitted| emitted.delivered == 0) {
    ///         std::thread::yield_now();
    ///     }
    /// });
    /// let event = bus.wait_for("job.*", Duration::from_secs(10), |event| *event.payload() == 7)?;
    /// assert_eq!(event.topic(), "job.done");
    /// # thread.join().unwrap();
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn wait_for(
        &self,
        patterns: impl IntoPatterns,
        timeout: Duration,
        predicate: impl Fn(&Event<T>) -> bool + Send + Sync + 'static,
    ) -> Result<Event<T>, WaitError> {
        let sub = self.subscribe_to_wait(patterns, predicate)?;
        sub.recv_timeout(timeout).map_err(|error| match error {
            RecvTimeoutError::Timeout => WaitError::Timeout,
            RecvTimeoutError::Closed => WaitError::Closed,
        })
    }

    /// [`wait_for`](Bus::wait_for) in async code, without a limit on the time, which is the runtime's:
    /// `tokio::time::timeout(limit, bus.wait_for_async("a.*", |_| true))`.
    ///
    /// It subscribes in this call, not when it is first polled, so an event that is emitted in between
    /// is seen; and it gives the subscription up when it is ready, or dropped. It does not keep the bus
    /// open.
    ///
    /// # Errors
    ///
    /// When it is awaited: the bus was closed, or the subscription was refused.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// # use futures_lite::future::block_on;
    /// let bus = Bus::new();
    /// let done = bus.wait_for_async("job.*", |event| *event.payload() == 7);
    /// bus.emit("job.done", 6)?;
    /// bus.emit("job.done", 7)?;
    /// let event = block_on(done)?;
    /// assert_eq!(*event.payload(), 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn wait_for_async(
        &self,
        patterns: impl IntoPatterns,
        predicate: impl Fn(&Event<T>) -> bool + Send + Sync + 'static,
    ) -> WaitFuture<T> {
        WaitFuture {
            sub: self.subscribe_to_wait(patterns, predicate).map_err(Some),
            waiter: Waiter::default(),
        }
    }

    #[track_caller]
    fn subscribe_to_wait(
        &self,
        patterns: impl IntoPatterns,
        predicate: impl Fn(&Event<T>) -> bool + Send + Sync + 'static,
    ) -> Result<Subscription<T>, WaitError> {
        let patterns = patterns
            .into_patterns(self.core().settings.syntax)
            .map_err(SubscribeError::from)?;
        let wanted = patterns.clone();
        // A broadcast reaches every subscription; this one wants what its patterns say.
        let asked_for = move |event: &Event<T>| {
            let topic = event.topic();
            wanted.iter().any(|pattern| pattern.matches_checked(topic))
        };
        self.subscription(patterns)
            .name("wait_for")
            .role(Role::Waiter)
            .capacity(1)
            .overflow(super::Overflow::DropNewest)
            .filter(asked_for)
            .filter(predicate)
            .subscribe()
            .map_err(|error| match error {
                SubscribeError::Closed => WaitError::Closed,
                other => WaitError::Subscribe(other),
            })
    }
}

/// The event that was waited for; made by [`Bus::wait_for_async`].
///
/// ```
/// # use chanbus::{Bus, WaitError};
/// # use futures_lite::future::block_on;
/// let bus: Bus<u32> = Bus::new();
/// let never = bus.wait_for_async("a", |_| true);
/// assert_eq!(bus.subscriber_count(), 1);
/// drop(bus);
/// assert_eq!(block_on(never).unwrap_err(), WaitError::Closed);
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct WaitFuture<T: Send + Sync + 'static> {
    /// Until it is ready; then an error without a reason.
    sub: Result<Subscription<T>, Option<WaitError>>,
    waiter: Waiter,
}

impl<T: Send + Sync + 'static> WaitFuture<T> {
    fn end(&mut self) {
        if let Ok(sub) = &self.sub {
            sub.give_up(&mut self.waiter);
        }
        self.sub = Err(None);
    }
}

impl<T: Send + Sync + 'static> Future for WaitFuture<T> {
    type Output = Result<Event<T>, WaitError>;

    /// Polled again after it was ready, it says that it is closed.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { sub, waiter } = &mut *self;
        let found = match sub {
            Err(error) => Err(error.take().unwrap_or(WaitError::Closed)),
            Ok(sub) => match sub.poll_recv(waiter, context.waker()) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(event) => event.ok_or(WaitError::Closed),
            },
        };
        self.end();
        Poll::Ready(found)
    }
}

impl<T: Send + Sync + 'static> Drop for WaitFuture<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for WaitFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFuture")
            .field("sub", &self.sub)
            .finish_non_exhaustive()
    }
}
