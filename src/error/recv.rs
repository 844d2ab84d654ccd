//! What can come instead of an event.

use std::error::Error;
use std::fmt;

use super::SubscribeError;

/// The subscription is closed and nothing is left in it.
///
/// ```
/// use chanbus::{Bus, RecvError};
///
/// let bus: Bus<u32> = Bus::new();
/// let sub = bus.subscribe_all()?;
/// bus.close();
/// assert_eq!(sub.recv().unwrap_err(), RecvError);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecvError;

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the subscription is closed and empty, and stays so: subscribe anew for more events",
        )
    }
}

impl Error for RecvError {}

/// No event at once.
///
/// ```
/// use chanbus::{Bus, TryRecvError};
///
/// let bus: Bus<u32> = Bus::new();
/// let sub = bus.subscribe_all()?;
/// assert_eq!(sub.try_recv().unwrap_err(), TryRecvError::Empty);
/// bus.close();
/// assert!(sub.try_recv().unwrap_err().is_closed());
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryRecvError {
    /// Nothing waits now.
    Empty,
    /// Nothing waits, and nothing will come.
    Closed,
}

impl TryRecvError {
    /// Whether nothing will come any more.
    ///
    /// ```
    /// assert!(chanbus::TryRecvError::Closed.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(self) -> bool {
        self == TryRecvError::Closed
    }

    /// Whether there may be one later.
    ///
    /// ```
    /// assert!(chanbus::TryRecvError::Empty.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == TryRecvError::Empty
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryRecvError::Empty => {
                f.write_str("no event waits: ask again later, or wait for one with `recv`")
            }
            TryRecvError::Closed => RecvError.fmt(f),
        }
    }
}

impl Error for TryRecvError {}

/// No event in time.
///
/// ```
/// use std::time::Duration;
/// use chanbus::{Bus, RecvTimeoutError};
///
/// let bus: Bus<u32> = Bus::new();
/// let sub = bus.subscribe_all()?;
/// let error = sub.recv_timeout(Duration::from_millis(1)).unwrap_err();
/// assert_eq!(error, RecvTimeoutError::Timeout);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecvTimeoutError {
    /// Nothing came in time.
    Timeout,
    /// Nothing waits, and nothing will come.
    Closed,
}

impl RecvTimeoutError {
    /// Whether nothing will come any more.
    ///
    /// ```
    /// assert!(chanbus::RecvTimeoutError::Closed.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(self) -> bool {
        self == RecvTimeoutError::Closed
    }

    /// Whether the time ran out.
    ///
    /// ```
    /// assert!(chanbus::RecvTimeoutError::Timeout.is_timeout());
    /// ```
    #[must_use]
    pub fn is_timeout(self) -> bool {
        self == RecvTimeoutError::Timeout
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvTimeoutError::Timeout => f.write_str(
                "no event came in time: wait longer, or see by `Bus::stats` what was emitted",
            ),
            RecvTimeoutError::Closed => RecvError.fmt(f),
        }
    }
}

impl Error for RecvTimeoutError {}

/// [`Bus::wait_for`](crate::Bus::wait_for) ended without the event.
///
/// ```
/// use std::time::Duration;
/// use chanbus::Bus;
///
/// let bus: Bus<u32> = Bus::new();
/// let error = bus.wait_for("a.*", Duration::from_millis(1), |_| true).unwrap_err();
/// assert!(error.is_timeout());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// It did not come in time.
    Timeout,
    /// The bus was closed while waiting.
    Closed,
    /// Waiting takes a subscription, and that was refused.
    Subscribe(SubscribeError),
}

impl WaitError {
    /// Whether the time ran out.
    ///
    /// ```
    /// assert!(chanbus::WaitError::Timeout.is_timeout());
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, WaitError::Timeout)
    }

    /// Whether the bus was closed, before or while waiting.
    ///
    /// ```
    /// assert!(chanbus::WaitError::Closed.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(
            self,
            WaitError::Closed | WaitError::Subscribe(SubscribeError::Closed)
        )
    }
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitError::Timeout => RecvTimeoutError::Timeout.fmt(f),
            WaitError::Closed => f.write_str(
                "the bus was closed while waiting: keep a `Bus` handle until the event has come",
            ),
            WaitError::Subscribe(error) => error.fmt(f),
        }
    }
}

impl Error for WaitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The text is already the inner error's, so its source is too.
            WaitError::Subscribe(error) => error.source(),
            _ => None,
        }
    }
}

impl From<SubscribeError> for WaitError {
    fn from(error: SubscribeError) -> Self {
        WaitError::Subscribe(error)
    }
}
