//! One registered handler: what it is, and what is counted about it.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::time::Duration;

use super::context::Context;
use super::failure::{BoxError, Failure};
use super::priority::Priority;
use crate::event::Event;
use crate::shield::drop_shielded;
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::{Arc, AtomicBool, AtomicU64, thread_number};
use crate::tally::Stripe;

/// Names one registered handler, in this process and for ever: ids are not used again.
///
/// ```
/// # use chanbus::Handlers;
/// let handlers = Handlers::<u32>::new();
/// let id = handlers.on("a").call(|_| {})?;
/// assert!(handlers.contains(id));
/// assert!(handlers.remove(id));
/// assert!(!handlers.remove(id));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandlerId(pub(super) u64);

impl HandlerId {
    pub(super) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // Relaxed: only distinctness counts, and that ids grow along one thread.
        HandlerId(NEXT.fetch_add(1, Relaxed))
    }
}

impl fmt::Display for HandlerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Whether an event goes on to handlers of later priorities.
///
/// ```
/// use chanbus::{Emitter, Flow, Handlers, Priority};
///
/// let handlers = Handlers::new();
/// handlers.on("a").priority(Priority::HIGH).handle(|_, _| Ok(Flow::Stop))?;
/// handlers.on("a").call(|_| unreachable!())?;
/// let report = Emitter::inline(&handlers).emit("a", ())?;
/// assert!(report.stopped);
/// assert_eq!((report.called, report.skipped), (1, 1));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// It does.
    Continue,
    /// It does not, but to monitors.
    Stop,
}

/// What a handler says when it has ended.
pub(super) type Outcome = Result<Flow, BoxError>;
/// A handler that is on its way.
pub(super) type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

pub(super) type Filter<T> = Box<dyn Fn(&Event<T>) -> bool + Send + Sync>;
pub(super) type Call<T> = Box<dyn Fn(&Event<T>) + Send + Sync>;
pub(super) type Handle<T> = Box<dyn Fn(&Event<T>, &Context<T>) -> Outcome + Send + Sync>;
pub(super) type HandleBatch<T> = Box<dyn Fn(&[Event<T>], &Context<T>) -> Outcome + Send + Sync>;
pub(super) type HandleAsync<T> = Box<dyn Fn(Event<T>, Context<T>) -> Running + Send + Sync>;
pub(super) type OnFailure<T> = Box<dyn Fn(&Failure<T>) + Send + Sync>;

/// The user's code.
pub(super) enum Callback<T: Send + Sync + 'static> {
    Call(Call<T>),
    Handle(Handle<T>),
    Async(HandleAsync<T>),
    Batch(HandleBatch<T>),
    /// Dropped: only in an entry that is just being dropped itself.
    Gone,
}

impl<T: Send + Sync + 'static> Callback<T> {
    /// Calls it if an event is all it takes.
    #[inline]
    pub(super) fn call(&self, event: &Event<T>) {
        if let Callback::Call(call) = self {
            call(event);
        }
    }
}

/// Of which kind a handler is.
///
/// ```
/// # use chanbus::{HandlerKind, Handlers};
/// let handlers = Handlers::<u32>::new();
/// let id = handlers.on("a").call(|_| {})?;
/// assert_eq!(handlers.get(id).unwrap().kind, HandlerKind::Sync);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandlerKind {
    /// Registered by `call` or `handle`.
    Sync,
    /// Registered by `handle_async`.
    Async,
    /// Registered by `handle_batch` or `handle_batch_with`.
    Batch,
}

/// What a handler was registered with, beside its code.
pub(super) struct Terms<T: Send + Sync + 'static> {
    pub(super) name: Option<Arc<str>>,
    pub(super) group: Option<Arc<str>>,
    pub(super) module: Option<&'static str>,
    pub(super) priority: Priority,
    pub(super) location: &'static Location<'static>,
    pub(super) filters: Vec<Filter<T>>,
    pub(super) once: bool,
    pub(super) on_success: Option<Call<T>>,
    pub(super) on_failure: Option<OnFailure<T>>,
}

/// One registered handler, shared by the registry and by those who are about to call it.
pub(super) struct Entry<T: Send + Sync + 'static> {
    pub(super) id: HandlerId,
    pub(super) terms: Terms<T>,
    pub(super) callback: Callback<T>,
    pub(super) counts: Counts,
    claimed: AtomicBool,
    removed: AtomicBool,
}

/// What is counted about one handler.
#[derive(Default)]
pub(super) struct Counts {
    /// Every call adds to it, mostly the same thread's.
    pub(super) called: Stripe,
    pub(super) failed: AtomicU64,
    pub(super) skipped: AtomicU64,
    timed: Stripe,
    nanos: Stripe,
    longest: AtomicU64,
}

impl Counts {
    /// Adds how long one call took.
    pub(super) fn took(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let me = thread_number();
        self.timed.add_by(me, 1);
        self.nanos.add_by(me, nanos);
        // Relaxed: a statistic; looked at first, as it seldom rises.
        if nanos > self.longest.load(Relaxed) {
            self.longest.fetch_max(nanos, Relaxed);
        }
    }

    pub(super) fn mean(&self) -> Duration {
        Duration::from_nanos(self.nanos.sum() / self.timed.sum().max(1))
    }

    pub(super) fn max(&self) -> Duration {
        Duration::from_nanos(self.longest.load(Relaxed))
    }
}

impl<T: Send + Sync + 'static> Entry<T> {
    pub(super) fn new(terms: Terms<T>, callback: Callback<T>) -> Self {
        Entry {
            id: HandlerId::next(),
            terms,
            callback,
            counts: Counts::default(),
            claimed: AtomicBool::new(false),
            removed: AtomicBool::new(false),
        }
    }

    pub(super) fn is_async(&self) -> bool {
        matches!(self.callback, Callback::Async(_))
    }

    pub(super) fn is_batch(&self) -> bool {
        matches!(self.callback, Callback::Batch(_))
    }

    /// By which handlers are sorted.
    pub(super) fn key(&self) -> (Priority, HandlerId) {
        (self.terms.priority, self.id)
    }

    pub(super) fn kind(&self) -> HandlerKind {
        match self.callback {
            Callback::Async(_) => HandlerKind::Async,
            Callback::Batch(_) => HandlerKind::Batch,
            Callback::Call(_) | Callback::Handle(_) | Callback::Gone => HandlerKind::Sync,
        }
    }

    /// There is nothing to it but a call: no filter, no context, no callback, no claim.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.callback, Callback::Call(_))
            && self.terms.filters.is_empty()
            && !self.terms.once
            && self.terms.on_success.is_none()
            && self.terms.on_failure.is_none()
    }

    /// The one who gets `true` calls it (H4).
    pub(super) fn claim(&self) -> bool {
        // AcqRel: whoever loses sees what the winner did before; cheap beside the call.
        !self.claimed.swap(true, AcqRel)
    }

    /// Whether somebody was here before, so that a filter need not be asked.
    pub(super) fn is_claimed(&self) -> bool {
        // Relaxed: a hint; `claim` decides.
        self.claimed.load(Relaxed)
    }

    /// No call begins after this, but for those that have looked already.
    pub(super) fn mark_removed(&self) {
        // Release: pairs with `is_removed`, so that who does not call it sees what was done before.
        self.removed.store(true, Release);
    }

    #[inline]
    pub(super) fn is_removed(&self) -> bool {
        self.removed.load(Acquire)
    }
}

/// What closures have captured is the user's, and may panic when it goes: each by itself, as two panics
/// at once would end the process.
impl<T: Send + Sync + 'static> Drop for Entry<T> {
    fn drop(&mut self) {
        drop_shielded(std::mem::replace(&mut self.callback, Callback::Gone));
        drop_shielded(self.terms.on_success.take());
        drop_shielded(self.terms.on_failure.take());
        for filter in self.terms.filters.drain(..) {
            drop_shielded(filter);
        }
    }
}
