//! Feeds handlers from a bus (H9).
//!
//! # Protocol
//!
//! A dispatcher has a subscription for life, and, between start and stop, a thread that takes events
//! from it and runs their handlers. Everything that both look at is under one lock, `state`, which is
//! held for a look, never while a handler runs or somebody waits.
//!
//! *Taking.* The thread takes an event under the lock, where it also sees whether it is still wanted: so
//! no event is taken after a stop has returned. Events of one batch are taken, handled and waited for together. Where there is none it sleeps until the subscription
//! has one, or somebody nudges it.
//!
//! *Epochs.* Each start begins a new epoch. A thread, and a run that was handed to an executor, belong to
//! theirs. A stop that gives up moves on to the next epoch: what belongs to an older one finds itself
//! detached, and touches nothing any more.
//!
//! *Stopping* sets a limit: so many events were accepted when it was called. The thread takes until
//! that many are taken or were pushed out, or none are left, and leaves; when the last run has ended too, the phase
//! goes to idle, and whoever waits for that is told.

mod books;
mod builder;
mod fate;
mod inside;
mod serve;
#[cfg(feature = "testing")]
mod single;
mod stats;
mod stop;

use std::fmt;
use std::thread::JoinHandle;

pub use self::books::RunningHandler;
pub(in crate::handlers) use self::books::{Shift, Watch};
pub use self::builder::DispatcherBuilder;
pub(in crate::handlers) use self::fate::Fate;
pub(in crate::handlers) use self::inside::{Inside, Whereabouts};
pub use self::stats::DispatcherStats;
pub use self::stop::{Drain, StopFuture, StopTimeout, Stopped};

use super::Handlers;
use super::executor::{Chosen, Mode};
use super::run::Scene;
use crate::bus::{Bus, Subscription};
use crate::sync::{Arc, Condvar, Mutex, Receiver, Sender, bounded};

/// Feeds the handlers of a registry from a bus.
///
/// It subscribes when it is built, so that events which are emitted before [`start`](Dispatcher::start)
/// wait in its queue; that is bounded, as every queue is, and what overflows is counted. It takes one slot
/// of the bus's limit, and does not keep the bus open: when that closes, what is queued is handled, and
/// the dispatcher has ended.
///
/// | Question | Answer |
/// |---|---|
/// | Which events? | those that match its patterns, by default all; handlers' own patterns choose among them |
/// | On which thread? | a thread of the dispatcher takes events; its [executor](DispatcherBuilder::executor) runs handlers, by default on that thread, async ones to their end |
/// | In which order? | events as its subscription has them, one after the other; with [`max_in_flight`](DispatcherBuilder::max_in_flight), so many at once |
/// | What of batches? | each is handed over whole, those of its events that match and had room: [`handle_batch`](crate::On::handle_batch). Single emits are never put together |
/// | What if a handler is slow? | events wait in the queue; [`running`](Dispatcher::running) names it |
/// | What if it never returns? | [`stop`](Dispatcher::stop) gives up at its deadline, and says who it was |
///
/// It can be asked for its [`stats`](Dispatcher::stats), stopped and started again, any time. Dropping it
/// unsubscribes; the event at hand is handled to its end, what is queued is not, and nobody waits. To
/// stop it from one of its own handlers, put it into an [`Arc`] and give the handler a weak handle; it finds
/// handlers that are registered after it was built:
///
/// ```
/// use std::sync::Arc;
/// use chanbus::{Bus, Dispatcher, Drain, Handlers};
///
/// let bus = Bus::new();
/// let handlers = Handlers::new();
/// let dispatcher = Arc::new(Dispatcher::builder(&bus, &handlers).build()?);
/// let weak = Arc::downgrade(&dispatcher);
/// handlers.on("quit").call(move |_| {
///     if let Some(dispatcher) = weak.upgrade() {
///         let _ = dispatcher.stop(Drain::Now);
///     }
/// })?;
/// dispatcher.start()?;
/// bus.emit("quit", ())?;
/// dispatcher.wait();
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// ```
/// use chanbus::{Bus, Dispatcher, Drain, Handlers};
///
/// let bus = Bus::new();
/// let handlers = Handlers::new();
/// handlers.on("job.*").call(|event| println!("{event:?}"))?;
///
/// let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
/// bus.emit("job.one", 1)?;
/// dispatcher.start()?;
/// bus.emit("job.two", 2)?;
/// let stopped = dispatcher.stop(Drain::All)?;
/// assert_eq!(stopped.left, 0);
/// assert_eq!(dispatcher.stats().called, 2);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct Dispatcher<T: Send + Sync + 'static> {
    shared: Arc<Shared<T>>,
}

pub(super) struct Shared<T: Send + Sync + 'static> {
    sub: Subscription<T>,
    scene: Scene<T>,
    watch: Arc<Watch>,
    executor: Chosen,
    mode: Mode,
    max_in_flight: usize,
    state: Mutex<State>,
    /// The phase has changed, or a run has ended.
    changed: Condvar,
}

struct State {
    phase: Phase,
    epoch: u64,
    /// Events that were taken since it was built, each of a batch.
    taken: u64,
    /// Runs of this epoch that have not ended; those of a batch are one.
    in_flight: usize,
    /// The thread of this epoch has not left.
    serving: bool,
    /// The thread of this epoch waits for a run to end, as no more are allowed in flight.
    held_up: bool,
    /// Its subscription has ended, and nothing is left.
    ended: bool,
    thread: Option<JoinHandle<()>>,
    /// Has the thread of this epoch look again. Each has a channel of its own, so that none takes what
    /// is meant for another.
    nudge: Option<Nudge>,
    /// What becomes of this epoch.
    fate: Arc<Fate>,
}

/// One is enough: it says "look again".
#[derive(Clone)]
struct Nudge(Sender<()>);

impl Nudge {
    fn new() -> (Self, Receiver<()>) {
        let (sender, receiver) = bounded(1);
        (Nudge(sender), receiver)
    }

    fn give(&self) {
        // Full: it was told already. Disconnected: it has left.
        let _ = self.0.try_send(());
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Running,
    /// Until so many events have left the queue.
    Stopping {
        limit: u64,
    },
}

impl<T: Send + Sync + 'static> Dispatcher<T> {
    /// A dispatcher from that bus to those handlers, in the making.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).capacity(1_000).build()?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn builder<'b>(bus: &'b Bus<T>, handlers: &Handlers<T>) -> DispatcherBuilder<'b, T> {
        DispatcherBuilder::new(bus, handlers)
    }

    /// Begins to take events, on a thread of its own.
    ///
    /// # Errors
    ///
    /// It runs already, or has not stopped yet; the bus has closed and all is handled; the system would
    /// not start a thread.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
    /// dispatcher.start()?;
    /// assert!(dispatcher.start().unwrap_err().is_running());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn start(&self) -> Result<(), StartError> {
        self.shared.start()
    }

    /// Whether it takes events: it was started, and neither stopped nor has its bus ended. It is false from
    /// the call of a stop on, not from its end: [`wait`](Dispatcher::wait) for that.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
    /// assert!(!dispatcher.is_running());
    /// dispatcher.start()?;
    /// assert!(dispatcher.is_running());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.shared.state.lock().phase == Phase::Running
    }

    /// The handlers that are inside of a call now, longest first; also those that a stop gave up on.
    ///
    /// See [`RunningHandler`] for an example.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
    /// assert!(dispatcher.running().is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn running(&self) -> Vec<RunningHandler> {
        self.shared.watch.running()
    }

    /// The handlers that it feeds.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
    /// assert!(dispatcher.handlers().is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn handlers(&self) -> Handlers<T> {
        Handlers::of(Arc::clone(&self.shared.scene.core))
    }

    /// The name that it was given, which is that of its subscription.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).name("chat").build()?;
    /// assert_eq!(dispatcher.name(), "chat");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        self.shared.sub.name().unwrap_or_default()
    }

    /// Waits until it does not run any more: its bus has closed and everything is handled, or somebody has
    /// stopped it. For the end of a program whose events have come to theirs.
    ///
    /// What handlers emit on a bus that has closed is refused: where they do, [`stop`](Dispatcher::stop)
    /// first, and close last. Called by one of its own handlers, it does not wait (see there).
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// let bus = Bus::new();
    /// let handlers = Handlers::new();
    /// let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    /// dispatcher.start()?;
    /// bus.emit("a", 1)?;
    /// drop(bus);
    /// dispatcher.wait();
    /// assert_eq!(dispatcher.stats().handled, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn wait(&self) {
        self.shared.wait();
    }
}

/// Unsubscribes. The thread is left to end by itself.
impl<T: Send + Sync + 'static> Drop for Dispatcher<T> {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Dispatcher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher")
            .field("name", &self.shared.sub.name())
            .field("executor", &self.shared.executor.name())
            .field("mode", &self.shared.mode)
            .field("queued", &self.shared.sub.len())
            .finish_non_exhaustive()
    }
}

/// A dispatcher that did not start.
///
/// ```
/// # use chanbus::{Bus, Dispatcher, Handlers, StartError};
/// let bus = Bus::<u32>::new();
/// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
/// bus.close();
/// assert_eq!(dispatcher.start(), Err(StartError::Closed));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// It runs already.
    Running,
    /// It was stopped, and something is still running.
    Stopping,
    /// Its bus has closed, and all is handled.
    Closed,
    /// The system would not start a thread.
    NoThread {
        /// What the system said.
        kind: std::io::ErrorKind,
    },
}

impl StartError {
    /// Whether it runs already.
    ///
    /// ```
    /// assert!(chanbus::StartError::Running.is_running());
    /// ```
    #[must_use]
    pub fn is_running(self) -> bool {
        self == StartError::Running
    }

    /// Whether its bus has closed.
    ///
    /// ```
    /// assert!(chanbus::StartError::Closed.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(self) -> bool {
        self == StartError::Closed
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Running => f.write_str("the dispatcher runs already"),
            StartError::Stopping => f.write_str(
                "the dispatcher is about to stop: wait for that with `Dispatcher::stop`, then start it",
            ),
            StartError::Closed => f.write_str(
                "the dispatcher's bus has closed, and stays so: build one on another bus",
            ),
            StartError::NoThread { kind } => {
                write!(f, "the dispatcher's thread could not be started ({kind})")
            }
        }
    }
}

impl std::error::Error for StartError {}
