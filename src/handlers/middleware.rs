//! What stands before and after all handlers: middleware, and those who hear of failures.

use std::fmt;
use std::panic::Location;

use super::core::Core;
use super::entry::OnFailure;
use super::failure::Failure;
use crate::event::Event;
use crate::shield::drop_shielded;
use crate::sync::{Arc, Weak};

/// Makes a payload of a failure.
pub(super) type ToPayload<T> = Box<dyn Fn(&Failure<T>) -> T + Send + Sync>;
/// A middleware's code.
pub(super) type Pass<T> = Box<dyn Fn(Event<T>) -> Option<Event<T>> + Send + Sync>;

/// Code that sees every event before handlers do.
pub(super) struct Middleware<T: Send + Sync + 'static> {
    pub(super) pass: Option<Pass<T>>,
    pub(super) location: &'static Location<'static>,
}

impl<T: Send + Sync + 'static> Drop for Middleware<T> {
    fn drop(&mut self) {
        drop_shielded(self.pass.take());
    }
}

/// Code that is told of every failure.
pub(super) struct OnError<T: Send + Sync + 'static> {
    pub(super) tell: Option<Tell<T>>,
}

pub(super) enum Tell<T: Send + Sync + 'static> {
    /// The user's closure.
    Call(OnFailure<T>),
    /// Makes an event of it.
    Event(ErrorEvents<T>),
}

/// See [`Handlers::errors_as_events`](super::Handlers::errors_as_events).
pub(super) struct ErrorEvents<T: Send + Sync + 'static> {
    pub(super) topic: crate::topic::Topic,
    pub(super) payload: ToPayload<T>,
}

impl<T: Send + Sync + 'static> Drop for OnError<T> {
    fn drop(&mut self) {
        drop_shielded(self.tell.take());
    }
}

/// Keeps a middleware or an error handler in place; dropping it takes that away.
///
/// It takes effect for events that begin after it. It does not keep the registry alive.
///
/// ```
/// use chanbus::{Emitter, Handlers};
///
/// let handlers = Handlers::new();
/// handlers.on("a").call(|_| {})?;
/// let guard = handlers.middleware(|_| None);
/// assert!(Emitter::inline(&handlers).emit("a", ())?.blocked);
/// drop(guard);
/// assert!(!Emitter::inline(&handlers).emit("a", ())?.blocked);
///
/// // One that is to stay as long as the registry.
/// handlers.middleware(|event| Some(event)).keep();
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "dropping the guard takes it away again; `.keep()` leaves it in place"]
pub struct HookGuard<T: Send + Sync + 'static> {
    core: Weak<Core<T>>,
    hook: Hook<T>,
}

/// What a guard guards.
pub(super) enum Hook<T: Send + Sync + 'static> {
    Middleware(Arc<Middleware<T>>),
    OnError(Arc<OnError<T>>),
    /// Left in place.
    Kept,
}

impl<T: Send + Sync + 'static> HookGuard<T> {
    pub(super) fn new(core: &Arc<Core<T>>, hook: Hook<T>) -> Self {
        HookGuard {
            core: Arc::downgrade(core),
            hook,
        }
    }

    /// Leaves it in place for as long as the registry lives.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// let handlers = Handlers::<u32>::new();
    /// handlers.on_error(|failure| eprintln!("{failure}")).keep();
    /// assert_eq!(handlers.stats().error_handlers, 1);
    /// ```
    pub fn keep(mut self) {
        self.hook = Hook::Kept;
    }
}

impl<T: Send + Sync + 'static> Drop for HookGuard<T> {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.remove_hook(&self.hook);
        }
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for HookGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.hook {
            Hook::Middleware(_) => "HookGuard(middleware)",
            Hook::OnError(_) => "HookGuard(error handler)",
            Hook::Kept => "HookGuard(kept)",
        })
    }
}
