//! Handlers that go with a value.

use std::fmt;

use super::core::Core;
use super::debug::trace;
use super::entry::HandlerId;
use crate::sync::{Arc, Weak};

/// Removes a handler when it is dropped; made by [`Handlers::guard`](super::Handlers::guard).
///
/// It does not keep the registry alive.
///
/// ```
/// # use chanbus::Handlers;
/// # let handlers = Handlers::<u32>::new();
/// let guard = handlers.guard(handlers.on("a").call(|_| {})?);
/// assert!(handlers.contains(guard.id()));
/// drop(guard);
/// assert!(handlers.is_empty());
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "dropping the guard removes the handler; `.keep()` leaves it in place"]
pub struct HandlerGuard<T: Send + Sync + 'static> {
    core: Weak<Core<T>>,
    id: HandlerId,
}

impl<T: Send + Sync + 'static> HandlerGuard<T> {
    pub(super) fn new(core: &Arc<Core<T>>, id: HandlerId) -> Self {
        HandlerGuard {
            core: Arc::downgrade(core),
            id,
        }
    }

    /// The handler.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// let id = handlers.on("a").call(|_| {})?;
    /// assert_eq!(handlers.guard(id).id(), id);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> HandlerId {
        self.id
    }

    /// Leaves the handler in place.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.guard(handlers.on("a").call(|_| {})?).keep();
    /// assert_eq!(handlers.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn keep(mut self) {
        self.core = Weak::new();
    }
}

impl<T: Send + Sync + 'static> Drop for HandlerGuard<T> {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.remove(self.id);
            trace!(core.debug.get(), id = %self.id, "a handler was removed by its guard");
        }
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for HandlerGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HandlerGuard").field(&self.id).finish()
    }
}

/// The guards of an object that registers several handlers, of whatever registries: they go with it.
///
/// ```
/// use std::sync::{Arc, Weak};
/// use chanbus::{Emitter, HandlerGuards, Handlers, PatternsError};
///
/// struct Users {
///     guards: HandlerGuards,
///     greeting: &'static str,
/// }
///
/// impl Users {
///     fn new(handlers: &Handlers<&'static str>) -> Result<Arc<Self>, PatternsError> {
///         let mut failed = Ok(());
///         let users = Arc::new_cyclic(|me: &Weak<Users>| {
///             let (mut guards, me) = (HandlerGuards::new(), me.clone());
///             // A weak handle: a strong one would keep the object alive by its own handler.
///             let added = handlers.on("user.created").call(move |event| {
///                 if let Some(me) = me.upgrade() {
///                     println!("{} {}", me.greeting, event.payload());
///                 }
///             });
///             match added {
///                 Ok(id) => guards.push(handlers.guard(id)),
///                 Err(error) => failed = Err(error),
///             }
///             Users { guards, greeting: "hello" }
///         });
///         failed.map(|()| users)
///     }
/// }
///
/// let handlers = Handlers::new();
/// let users = Users::new(&handlers)?;
/// assert_eq!(users.guards.len(), 1);
/// assert_eq!(Emitter::inline(&handlers).emit("user.created", "Ada")?.called, 1);
/// drop(users);
/// assert!(handlers.is_empty());
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Default)]
#[must_use = "dropping the guards removes the handlers"]
pub struct HandlerGuards(Vec<Box<dyn fmt::Debug + Send + Sync>>);

impl HandlerGuards {
    /// None yet.
    ///
    /// ```
    /// assert!(chanbus::HandlerGuards::new().is_empty());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a guard.
    ///
    /// ```
    /// # use chanbus::{HandlerGuards, Handlers};
    /// # let handlers = Handlers::<u32>::new();
    /// let mut guards = HandlerGuards::new();
    /// guards.push(handlers.guard(handlers.on("a").call(|_| {})?));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn push<T: Send + Sync + 'static>(&mut self, guard: HandlerGuard<T>) {
        self.0.push(Box::new(guard));
    }

    /// How many there are.
    ///
    /// ```
    /// assert_eq!(chanbus::HandlerGuards::new().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// assert!(chanbus::HandlerGuards::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes all their handlers, as dropping them does.
    ///
    /// ```
    /// # use chanbus::{HandlerGuards, Handlers};
    /// # let handlers = Handlers::<u32>::new();
    /// # let mut guards = HandlerGuards::new();
    /// guards.push(handlers.guard(handlers.on("a").call(|_| {})?));
    /// guards.clear();
    /// assert!(handlers.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<T: Send + Sync + 'static> Extend<HandlerGuard<T>> for HandlerGuards {
    fn extend<I: IntoIterator<Item = HandlerGuard<T>>>(&mut self, guards: I) {
        for guard in guards {
            self.push(guard);
        }
    }
}

impl<T: Send + Sync + 'static> FromIterator<HandlerGuard<T>> for HandlerGuards {
    fn from_iter<I: IntoIterator<Item = HandlerGuard<T>>>(guards: I) -> Self {
        let mut all = HandlerGuards::new();
        all.extend(guards);
        all
    }
}

impl fmt::Debug for HandlerGuards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HandlerGuards").field(&self.0).finish()
    }
}
