//! Keepalives by tokio's clock.

use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::{EventStream, HeartbeatStream, IdleTimer};

/// tokio's clock as an [`IdleTimer`]; made by [`EventStream::heartbeats`].
///
/// ```
/// # use chanbus::TokioTimer;
/// # use std::time::Duration;
/// let timer = TokioTimer::new(Duration::from_secs(5));
/// assert_eq!(timer.idle(), Duration::from_secs(5));
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokioTimer(Duration);

impl TokioTimer {
    /// A timer of that idle time.
    ///
    /// ```
    /// # use chanbus::TokioTimer;
    /// let timer = TokioTimer::new(chanbus::DEFAULT_HEARTBEAT);
    /// assert_eq!(timer.idle(), chanbus::DEFAULT_HEARTBEAT);
    /// ```
    #[must_use]
    pub fn new(idle: Duration) -> Self {
        TokioTimer(idle)
    }

    /// How long nothing must come.
    ///
    /// ```
    /// # use chanbus::TokioTimer;
    /// # use std::time::Duration;
    /// assert_eq!(TokioTimer::new(Duration::ZERO).idle(), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn idle(&self) -> Duration {
        self.0
    }
}

impl IdleTimer for TokioTimer {
    type Sleep = Sleep;

    fn start(&mut self) -> Sleep {
        sleep(self.0)
    }

    /// A sleep belongs to the runtime that began it, and panics when that has gone, or never ends when
    /// nobody runs it. The runtime of now cannot be told from that one (its id may be used again), so the
    /// rest is slept by the runtime of now, whichever it is.
    fn renew(&mut self, running: &Sleep) -> Option<Sleep> {
        // Never more than the idle time: a clock that was paused may have been ahead of this one.
        let latest = Instant::now().checked_add(self.0);
        let deadline = running.deadline();
        Some(sleep_until(
            latest.map_or(deadline, |latest| deadline.min(latest)),
        ))
    }
}

impl<T: Send + Sync + 'static> EventStream<T> {
    /// Events, gaps, and keepalives after each `idle` without anything, by tokio's clock: what
    /// [`Subscription::heartbeats`](crate::Subscription::heartbeats) is for threads. It may go from one
    /// runtime to another, also while an idle time is under way, which goes on there.
    ///
    /// # Panics
    ///
    /// When it is polled outside of a tokio runtime with time enabled and has nothing to say. What there
    /// is to say it says anywhere.
    ///
    /// ```
    /// use std::time::Duration;
    /// use futures_lite::StreamExt;
    /// use chanbus::{Beat, Bus};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let bus: Bus<u32> = Bus::new();
    /// let mut beats = bus.subscribe("a")?.into_stream().heartbeats(Duration::from_millis(1));
    /// assert!(matches!(beats.next().await, Some(Beat::Keepalive)));
    /// # Ok::<(), chanbus::Error>(())
    /// # }).unwrap();
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub fn heartbeats(self, idle: Duration) -> HeartbeatStream<T, TokioTimer> {
        self.with_gaps().keepalive(TokioTimer(idle))
    }
}
