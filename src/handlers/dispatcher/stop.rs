//! How a dispatcher comes to a stop.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::{Dispatcher, Fate, Phase, RunningHandler, Shared};
use crate::shield::{caught, discard, drop_shielded};
use crate::sync::{Arc, Mutex};

/// What is handled before a stop returns.
///
/// ```
/// # use std::time::Duration;
/// # use chanbus::{Bus, Dispatcher, Drain, Handlers};
/// # let bus = Bus::<u32>::new();
/// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
/// dispatcher.start()?;
/// dispatcher.stop(Drain::Within(Duration::from_secs(5)))?;
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Drain {
    /// What was queued when the stop was called, however long it takes; not what handlers emit meanwhile.
    All,
    /// The same, but no longer than that: then the stop gives up.
    Within(Duration),
    /// The events at hand; what is queued waits for the next start.
    Now,
}

/// What a stop came to.
///
/// ```
/// # use chanbus::{Bus, Dispatcher, Drain, Handlers};
/// # let bus = Bus::<u32>::new();
/// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
/// bus.emit("a", 1)?;
/// let stopped = dispatcher.stop(Drain::All)?;
/// assert_eq!(stopped.left, 1, "it was not running");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// Events that wait for the next start.
    pub left: usize,
    /// It was called by one of the dispatcher's own handlers, for whose end it cannot wait: the
    /// dispatcher stops when that, and what is to be drained, has ended.
    pub pending: bool,
}

/// A stop that gave up at its deadline, or on which another gave up. The dispatcher has stopped; handlers
/// that were still running are detached: nobody waits for them any more.
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use chanbus::{Bus, Dispatcher, Drain, Handlers};
///
/// let bus = Bus::new();
/// let handlers = Handlers::new();
/// let (leave, left) = mpsc::channel::<()>();
/// let left = std::sync::Mutex::new(left);
/// handlers.on("a").name("stuck").call(move |_| {
///     let _ = left.lock().unwrap().recv();
/// })?;
/// let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
/// dispatcher.start()?;
/// bus.emit("a", 1)?;
/// while dispatcher.running().is_empty() {
///     std::thread::yield_now();
/// }
/// let error = dispatcher.stop(Drain::Within(Duration::from_millis(10))).unwrap_err();
/// assert_eq!(error.stuck[0].name.as_deref(), Some("stuck"));
/// assert_eq!(dispatcher.stats().stuck, 1);
/// # drop(leave);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StopTimeout {
    /// Handlers that were running, longest first.
    pub stuck: Vec<RunningHandler>,
    /// Events that wait for the next start.
    pub left: usize,
}

impl fmt::Display for StopTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.stuck {
            [] if self.left == 0 => {
                f.write_str("the dispatcher handled all, but later than the stop allowed")
            }
            [] => write!(
                f,
                "the dispatcher was stopped before it had handled all: {} events are left",
                self.left
            ),
            [first, rest @ ..] => {
                write!(f, "the dispatcher was stopped while handlers ran: {first}")?;
                for handler in rest {
                    write!(f, ", {handler}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for StopTimeout {}

impl<T: Send + Sync + 'static> Dispatcher<T> {
    /// Stops: handles what was queued when it was called, waits for handlers that run, and returns.
    ///
    /// Events that are emitted meanwhile and afterwards wait, within the queue's bounds, for the next
    /// [`start`](Dispatcher::start): also those that handlers emit during the stop, so where handlers emit,
    /// start and stop again until [`left`](Stopped::left) is 0, and close the bus after that.
    ///
    /// Called by one of its own handlers it does not wait, but has the dispatcher stop after that, with no
    /// deadline. Its own handlers are those that it calls, with their filters, callbacks and middleware, and
    /// those that they wait for by an [`Emitter`](crate::Emitter), on whichever thread. A thread that a handler
    /// joins is not known to be inside: there `Drain::All` waits for ever, for itself; use
    /// [`Drain::Within`], or stop from elsewhere.
    /// Called on one that is stopped it does nothing. Two stops
    /// at a time both wait, for what the one that drains more drains.
    ///
    /// # Errors
    ///
    /// The deadline has passed, this stop's or that of another. Handlers that were running then are named
    /// and detached; they may go on, and a new start does not wait for them. Handlers of their events that
    /// were not called yet are skipped.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Drain, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
    /// dispatcher.start()?;
    /// bus.emit("a", 1)?;
    /// dispatcher.stop(Drain::All)?;
    /// bus.emit("a", 2)?;
    /// assert_eq!((dispatcher.stats().handled, dispatcher.stats().queued), (1, 1));
    /// dispatcher.start()?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn stop(&self, drain: Drain) -> Result<Stopped, StopTimeout> {
        self.shared.stop(drain)
    }

    /// [`stop`](Dispatcher::stop) for tasks: the stop begins at once, and the future waits for it.
    ///
    /// It needs no runtime: a thread waits in its place, and ends with the stop. Dropping the future does
    /// not call the stop off.
    ///
    /// # Errors
    ///
    /// As [`stop`](Dispatcher::stop); and if the system would not start a thread: then the stop goes on without
    /// anybody waiting for it.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Drain, Handlers};
    /// # use futures_lite::future::block_on;
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
    /// dispatcher.start()?;
    /// block_on(dispatcher.stop_async(Drain::All))?;
    /// assert!(!dispatcher.is_running());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn stop_async(&self, drain: Drain) -> StopFuture {
        let awaited = self.shared.begin_stop(drain);
        let outcome: Arc<Mutex<Outcome>> = Arc::default();
        let future = StopFuture(Arc::clone(&outcome));
        let Some(awaited) = awaited else {
            tell(&outcome, Ok(self.shared.not_waited()));
            return future;
        };
        let (shared, told) = (Arc::clone(&self.shared), Arc::clone(&outcome));
        let waiting = thread::Builder::new()
            .name("chanbus-stop".to_owned())
            .spawn(move || {
                let ended = shared.end_stop(&awaited);
                // It may hold the last of the dispatcher, with what that holds of the user's.
                drop_shielded(shared);
                tell(&told, ended);
            });
        if waiting.is_err() {
            // The stop goes on, and there is nobody to wait for it.
            tell(&outcome, Err(self.shared.not_settled()));
        }
        future
    }
}

/// Tells a future what its stop came to.
fn tell(outcome: &Mutex<Outcome>, result: Result<Stopped, StopTimeout>) {
    let waiting = {
        let mut outcome = outcome.lock();
        outcome.result = Some(result);
        outcome.waiting.take()
    };
    if let Some(waker) = waiting
        && let Err(thrown) = caught(|| waker.wake())
    {
        discard(thrown);
    }
}

/// An epoch whose end a stop waits for.
struct Awaited {
    epoch: u64,
    fate: Arc<Fate>,
    deadline: Option<Instant>,
}

impl<T: Send + Sync + 'static> Shared<T> {
    fn stop(&self, drain: Drain) -> Result<Stopped, StopTimeout> {
        match self.begin_stop(drain) {
            None => Ok(self.not_waited()),
            Some(awaited) => self.end_stop(&awaited),
        }
    }

    /// There was nothing to wait for, or a handler of its own called.
    fn not_waited(&self) -> Stopped {
        self.stopped(self.state.lock().phase != Phase::Idle)
    }

    fn stopped(&self, pending: bool) -> Stopped {
        Stopped {
            left: self.sub.len(),
            pending,
        }
    }

    /// Sets the limit; what to wait for, if there is anything.
    fn begin_stop(&self, drain: Drain) -> Option<Awaited> {
        let deadline = match drain {
            Drain::All | Drain::Now => None,
            Drain::Within(limit) => Instant::now().checked_add(limit),
        };
        let mut state = self.state.lock();
        let passed = self.passed(&state);
        let limit = match drain {
            Drain::Now => passed,
            _ => passed + self.sub.len() as u64,
        };
        let limit = match state.phase {
            Phase::Idle => return None,
            Phase::Running => limit,
            // Of two stops at a time, the one that drains more counts for both.
            Phase::Stopping { limit: before } => limit.max(before),
        };
        state.phase = Phase::Stopping { limit };
        if let Some(nudge) = &state.nudge {
            nudge.give();
        }
        // A handler cannot wait for its own end.
        (!self.watch.is_inside()).then(|| Awaited {
            epoch: state.epoch,
            fate: Arc::clone(&state.fate),
            deadline,
        })
    }

    /// Waits for the end, or gives up.
    fn end_stop(&self, awaited: &Awaited) -> Result<Stopped, StopTimeout> {
        let mut state = self.state.lock();
        // Others may end the epoch, and begin the next, before this looks again.
        while state.epoch == awaited.epoch && !awaited.fate.is_settled() {
            let Some(deadline) = awaited.deadline else {
                self.changed.wait(&mut state);
                continue;
            };
            let waited = self.changed.wait_until(&mut state, deadline);
            if waited.timed_out() && state.epoch == awaited.epoch && !awaited.fate.is_settled() {
                // On to the next epoch: what is of this one is detached.
                state.epoch += 1;
                state.fate.give_up();
                state.phase = Phase::Idle;
                state.in_flight = 0;
                state.serving = false;
                drop(state.thread.take());
                if let Some(nudge) = state.nudge.take() {
                    nudge.give();
                }
                let stuck = self.watch.detach_all();
                self.changed.notify_all();
                drop(state);
                let left = self.sub.len();
                return Err(StopTimeout { stuck, left });
            }
        }
        if !awaited.fate.is_settled() {
            // Somebody else gave up, or the dispatcher was dropped.
            drop(state);
            return Err(self.not_settled());
        }
        let mine = state.epoch == awaited.epoch;
        let thread = mine.then(|| state.thread.take()).flatten();
        drop(state);
        if let Some(thread) = thread {
            // It has said that it leaves, and catches all panics.
            let _ = thread.join();
        }
        Ok(self.stopped(false))
    }

    /// What runs although it is not waited for.
    fn not_settled(&self) -> StopTimeout {
        StopTimeout {
            stuck: self.watch.running(),
            left: self.sub.len(),
        }
    }

    pub(super) fn wait(&self) {
        if self.watch.is_inside() {
            return;
        }
        let mut state = self.state.lock();
        while state.phase != Phase::Idle {
            self.changed.wait(&mut state);
        }
    }

    /// The dispatcher has gone.
    pub(super) fn abandon(&self) {
        let mut state = self.state.lock();
        state.epoch += 1;
        state.phase = Phase::Idle;
        drop(state.thread.take());
        if let Some(nudge) = state.nudge.take() {
            nudge.give();
        }
        drop(state);
        self.changed.notify_all();
        self.sub.close();
        // What is queued would stay until the last run has ended.
        while let Ok(event) = self.sub.try_recv() {
            drop_shielded(event);
        }
        self.sub.look_at_marks();
    }
}

/// What a stop came to, and who waits for that.
#[derive(Default)]
struct Outcome {
    result: Option<Result<Stopped, StopTimeout>>,
    waiting: Option<Waker>,
}

/// A stop that is awaited; made by [`Dispatcher::stop_async`].
///
/// ```
/// # use chanbus::{Bus, Dispatcher, Drain, Handlers, StopFuture};
/// # use futures_lite::future::block_on;
/// # let bus = Bus::<u32>::new();
/// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
/// let stop: StopFuture = dispatcher.stop_async(Drain::All);
/// assert_eq!(block_on(stop)?.left, 0);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "the stop has begun; awaiting it waits for its end"]
pub struct StopFuture(Arc<Mutex<Outcome>>);

impl Future for StopFuture {
    type Output = Result<Stopped, StopTimeout>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = cx.waker().clone();
        let (result, before) = {
            let mut outcome = self.0.lock();
            match outcome.result.take() {
                None => (None, outcome.waiting.replace(waker)),
                told => (told, Some(waker)),
            }
        };
        // A waker's destructor is the user's.
        drop_shielded(before);
        match result {
            Some(result) => Poll::Ready(result),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for StopFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopFuture").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h9_a_stop_that_gave_up_says_what_was_left() {
        let said = |left| {
            let stuck = Vec::new();
            StopTimeout { stuck, left }.to_string()
        };
        assert!(said(3).ends_with("3 events are left"));
        assert!(said(0).starts_with("the dispatcher handled all, but later"));
    }
}
