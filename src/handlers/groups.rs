//! Handlers that come and go together: groups, and modules that can be loaded again.

use super::Handlers;
use super::debug::trace;
use super::roster::{Seat, Stage};
use crate::sync::{Arc, Mutex};

/// A part of a program that registers handlers of its own, and can be unloaded and loaded again while
/// events flow. Any function `fn(&Handlers<T>)` does for simpler cases.
///
/// Only handlers belong to it. Middleware and error handlers that it adds take effect at once, also if
/// registering then fails, and stay when it is unloaded: keep their guards in the module, or add them
/// elsewhere.
///
/// ```
/// use chanbus::{Emitter, Handlers, Module, PatternsError};
///
/// struct Chat;
///
/// impl Module<String> for Chat {
///     fn name(&self) -> &str {
///         "chat"
///     }
///
///     fn register(&self, handlers: &Handlers<String>) -> Result<(), PatternsError> {
///         handlers.on("twitch.chat.*").name("greet").call(|event| println!("{event:?}"))?;
///         handlers.on("**").name("log").call(|event| println!("{event:?}"))?;
///         Ok(())
///     }
/// }
///
/// let handlers = Handlers::new();
/// assert_eq!(handlers.load(&Chat)?.added, 2);
/// let again = handlers.load(&Chat)?;
/// assert_eq!((again.removed, again.added), (2, 2));
/// assert_eq!(handlers.unload(&Chat), 2);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub trait Module<T: Send + Sync + 'static> {
    /// Its name, which is the group of its handlers.
    fn name(&self) -> &str;

    /// Registers its handlers. They are added when this returns, all at once.
    ///
    /// # Errors
    ///
    /// A text that is no pattern; then none are added.
    fn register(&self, handlers: &Handlers<T>) -> Result<(), crate::PatternsError>;
}

/// What [`Handlers::replace_group`] did.
///
/// ```
/// # use chanbus::Handlers;
/// # let handlers = Handlers::<u32>::new();
/// let replaced = handlers.replace_group("chat", |h| h.on("a").call(|_| {}).map(drop))?;
/// assert_eq!((replaced.removed, replaced.added), (0, 1));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replaced {
    /// Handlers of the group that went.
    pub removed: usize,
    /// Handlers that came.
    pub added: usize,
}

/// Ends a stage, also where the user's code panics.
struct Over<T: Send + Sync + 'static>(Stage<T>);

impl<T: Send + Sync + 'static> Over<T> {
    /// What waited.
    fn end(&self) -> Vec<Seat<T>> {
        self.0.lock().take().unwrap_or_default()
    }
}

impl<T: Send + Sync + 'static> Drop for Over<T> {
    fn drop(&mut self) {
        drop(self.end());
    }
}

impl<T: Send + Sync + 'static> Handlers<T> {
    /// The same registry, by a handle whose registrations belong to that group if they do not say
    /// otherwise.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// let chat = handlers.in_group("chat");
    /// chat.on("a").call(|_| {})?;
    /// assert_eq!(handlers.remove_group("chat"), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn in_group(&self, group: impl Into<Arc<str>>) -> Self {
        Handlers {
            group: Some(group.into()),
            ..self.clone()
        }
    }

    /// Swaps a whole group at once (H7): every event sees either all of the old handlers or all of the
    /// new, none falls between. So an event that is on its way still calls old ones after this has returned.
    ///
    /// `register` is given this registry by a handle whose registrations belong to the group unless they
    /// say otherwise, and wait until it returns. Everything else that it does takes effect at once.
    ///
    /// # Errors
    ///
    /// That of `register`; then the group stays as it was. So it does if `register` panics.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").group("chat").call(|_| println!("old"))?;
    /// let replaced = handlers.replace_group("chat", |handlers| {
    ///     handlers.on("a").call(|_| println!("new"))?;
    ///     handlers.on("b").call(|_| println!("new"))?;
    ///     Ok::<(), chanbus::PatternsError>(())
    /// })?;
    /// assert_eq!((replaced.removed, replaced.added), (1, 2));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn replace_group<E>(
        &self,
        group: &str,
        register: impl FnOnce(&Handlers<T>) -> Result<(), E>,
    ) -> Result<Replaced, E> {
        let stage = Arc::new(Mutex::new(Some(Vec::new())));
        let staged = Handlers {
            core: Arc::clone(&self.core),
            group: Some(group.into()),
            stage: Some(Arc::clone(&stage)),
        };
        // Whichever way this ends, what a clone of the handle registers later waits for nothing.
        let over = Over(stage);
        register(&staged)?;
        let seats = over.end();
        let added = seats.len();
        let removed = self.core.replace_group(group, seats);
        trace!(
            self.core.debug.get(),
            group, removed, added, "a group was replaced"
        );
        Ok(Replaced { removed, added })
    }

    /// Adds a module's handlers, all at once; if it was loaded before, they replace those.
    ///
    /// # Errors
    ///
    /// That of its [`register`](Module::register); then its handlers stay as they were.
    ///
    /// ```
    /// # use chanbus::{Handlers, Module, PatternsError};
    /// struct Chat;
    /// # impl Module<u32> for Chat {
    /// #     fn name(&self) -> &str { "chat" }
    /// #     fn register(&self, handlers: &Handlers<u32>) -> Result<(), PatternsError> {
    /// #         handlers.on("a").call(|_| {}).map(drop)
    /// #     }
    /// # }
    /// let handlers = Handlers::<u32>::new();
    /// assert_eq!(handlers.load(&Chat)?.added, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn load<M: Module<T> + ?Sized>(
        &self,
        module: &M,
    ) -> Result<Replaced, crate::PatternsError> {
        self.replace_group(module.name(), |handlers| module.register(handlers))
    }

    /// Removes a module's handlers; how many there were.
    ///
    /// ```
    /// # use chanbus::{Handlers, Module, PatternsError};
    /// struct Chat;
    /// # impl Module<u32> for Chat {
    /// #     fn name(&self) -> &str { "chat" }
    /// #     fn register(&self, handlers: &Handlers<u32>) -> Result<(), PatternsError> {
    /// #         handlers.on("a").call(|_| {}).map(drop)
    /// #     }
    /// # }
    /// let handlers = Handlers::<u32>::new();
    /// handlers.load(&Chat)?;
    /// assert_eq!(handlers.unload(&Chat), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn unload<M: Module<T> + ?Sized>(&self, module: &M) -> usize {
        self.remove_group(module.name())
    }
}
