//! How a bridge comes to its end.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::sync::{Condvar, Mutex, unique_number};

thread_local! {
    /// The bridge whose thread this is.
    static INSIDE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// What the bridge's thread is to do. It only ever goes down this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    Run,
    /// To send what waits, to deliver what has come, and to end.
    Drain,
    /// To end.
    Now,
}

/// What a stop of a [`Bridge`](crate::Bridge) came to.
///
/// ```
/// # use chanbus::{Bridge, Bus, Drain};
/// # let bus: Bus<u32> = Bus::new();
/// // No server is there.
/// let bridge = Bridge::builder(&bus).servers(["nats://127.0.0.1:1"]).export("a").start()?;
/// bus.emit("a", 1)?;
/// assert_eq!(bridge.stop(Drain::Now)?.left, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BridgeStopped {
    /// Events that were not sent, and never will be.
    pub left: u64,
    /// It was called on the bridge's own thread, by a filter or a tap of an event that came, for whose end
    /// it cannot wait: the bridge stops after that. Or, of [`Drain::Now`](crate::Drain::Now), that thread has been
    /// inside the user's code, a filter, a tap or the codec, for longer than a second.
    pub pending: bool,
}

/// A stop that gave up at its deadline. The bridge stops all the same, with nothing more sent.
///
/// ```
/// # use std::time::Duration;
/// # use chanbus::{Bridge, Bus, Drain};
/// # let bus: Bus<u32> = Bus::new();
/// // No server is there.
/// let bridge = Bridge::builder(&bus).servers(["nats://127.0.0.1:1"]).export("a").start()?;
/// bus.emit("a", 1)?;
/// let error = bridge.stop(Drain::Within(Duration::from_millis(10))).unwrap_err();
/// assert_eq!(error.left, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BridgeStopTimeout {
    /// Events that were not sent, and never will be.
    pub left: u64,
    /// Messages that were sent and not confirmed: the server may have had them, or not.
    pub in_doubt: u64,
}

impl fmt::Display for BridgeStopTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the bridge was stopped before all was sent: {} events are left, {} more are in doubt",
            self.left, self.in_doubt
        )
    }
}

impl Error for BridgeStopTimeout {}

/// The order to end, and the news that it was done.
pub(super) struct Ending {
    order: watch::Sender<Order>,
    ended: Mutex<bool>,
    told: Condvar,
    number: u64,
}

impl Ending {
    pub(super) fn new() -> Self {
        Ending {
            order: watch::Sender::new(Order::Run),
            ended: Mutex::new(false),
            told: Condvar::new(),
            number: unique_number(),
        }
    }

    pub(super) fn orders(&self) -> watch::Receiver<Order> {
        self.order.subscribe()
    }

    pub(super) fn order(&self, order: Order) {
        self.order.send_if_modified(|now| {
            let more = order > *now;
            if more {
                *now = order;
            }
            more
        });
    }

    /// Runs what the bridge's own threads do: a stop in there cannot wait for the end of it.
    pub(super) fn inside<R>(&self, act: impl FnOnce() -> R) -> R {
        struct Restore(Option<u64>);

        impl Drop for Restore {
            fn drop(&mut self) {
                INSIDE.set(self.0);
            }
        }

        let _restore = Restore(INSIDE.replace(Some(self.number)));
        act()
    }

    pub(super) fn ended(&self) {
        *self.ended.lock() = true;
        self.told.notify_all();
    }

    /// Whether the caller is in there.
    pub(super) fn is_inside(&self) -> bool {
        INSIDE.get() == Some(self.number)
    }

    /// Waits for the end; whether it came in time.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut ended = self.ended.lock();
        while !*ended {
            match deadline {
                None => self.told.wait(&mut ended),
                Some(deadline) => {
                    if self.told.wait_until(&mut ended, deadline).timed_out() {
                        return *ended;
                    }
                }
            }
        }
        true
    }
}
