//! Taking handlers away (H7).

use super::Handlers;
use super::debug::trace;
use super::entry::HandlerId;
use super::guard::HandlerGuard;
use crate::pattern::{IntoPatterns, Pattern};

/// # Removing
///
/// Whatever is removed is gone for all events that begin after the removal has returned; and events that
/// are on their way do not call it any more, unless its call has begun. Nobody waits for calls that have
/// begun. What a handler captured is dropped before the removal returns, or, while events that found it are
/// on their way, when the last of them has passed, by the thread that ends it.
///
/// Handlers that [`replace_group`](Handlers::replace_group) swaps out are still called by events that are
/// on their way, as those see all of the old group.
impl<T: Send + Sync + 'static> Handlers<T> {
    /// Removes one handler; whether it was there.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// let id = handlers.on("a").call(|_| {})?;
    /// assert!(handlers.remove(id));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn remove(&self, id: HandlerId) -> bool {
        let was = self.core.remove(id);
        trace!(self.core.debug.get(), id = %id, was, "a handler was removed");
        was
    }

    /// A guard that removes the handler when it is dropped.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// let guard = handlers.guard(handlers.on("a").call(|_| {})?);
    /// drop(guard);
    /// assert!(handlers.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn guard(&self, id: HandlerId) -> HandlerGuard<T> {
        HandlerGuard::new(&self.core, id)
    }

    /// Takes one pattern of one handler away, in the registry's syntax; whether it had it. With its last
    /// pattern a handler goes. An event that is on its way still finds a handler that has patterns left.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// let id = handlers.on(["a", "b"]).call(|_| {})?;
    /// assert!(handlers.off(id, "a"));
    /// assert!(!handlers.off(id, "a"));
    /// assert!(handlers.contains(id));
    /// assert!(handlers.off(id, "b"));
    /// assert!(!handlers.contains(id));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn off(&self, id: HandlerId, pattern: impl IntoPatterns) -> bool {
        let patterns = self.read(pattern);
        let count = |pattern| self.core.remove_pattern(pattern, Some(id));
        let count: usize = patterns.iter().map(count).sum();
        trace!(self.core.debug.get(), id = %id, ?patterns, count, "patterns of a handler were removed");
        count > 0
    }

    /// Takes a pattern away from all handlers that have it, as [`off`](Handlers::off); how many had it.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on(["a", "b"]).call(|_| {})?;
    /// handlers.on("a").call(|_| {})?;
    /// assert_eq!(handlers.remove_pattern("a"), 2);
    /// assert_eq!(handlers.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn remove_pattern(&self, pattern: impl IntoPatterns) -> usize {
        let patterns = self.read(pattern);
        let count = |pattern| self.core.remove_pattern(pattern, None);
        let count = patterns.iter().map(count).sum();
        trace!(
            self.core.debug.get(),
            ?patterns,
            count,
            "patterns were removed"
        );
        count
    }

    /// Removes all handlers of that name; how many there were.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").name("x").call(|_| {})?;
    /// assert_eq!(handlers.remove_named("x"), 1);
    /// assert_eq!(handlers.remove_named("x"), 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn remove_named(&self, name: &str) -> usize {
        let count = self.core.remove_those(|names| names.named(name));
        trace!(
            self.core.debug.get(),
            name, count, "handlers were removed by name"
        );
        count
    }

    /// Removes all handlers of a group; how many there were, 0 if nobody knows it.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").group("chat").call(|_| {})?;
    /// assert_eq!(handlers.remove_group("chat"), 1);
    /// assert_eq!(handlers.remove_group("chat"), 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn remove_group(&self, group: &str) -> usize {
        let count = self.core.remove_those(|names| names.grouped(group));
        trace!(
            self.core.debug.get(),
            group, count, "a group of handlers was removed"
        );
        count
    }

    /// Removes all handlers that a module of the program registered by [`on!`](crate::on), and those of the
    /// modules inside it; how many there were.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").module("bot::chat::greet").call(|_| {})?;
    /// handlers.on("a").module("bot::chatter").call(|_| {})?;
    /// assert_eq!(handlers.remove_module("bot::chat"), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn remove_module(&self, path: &str) -> usize {
        let count = self.core.remove_those(|names| names.of_module(path));
        trace!(
            self.core.debug.get(),
            path, count, "the handlers of a module were removed"
        );
        count
    }

    /// Removes all handlers; how many there were. Middleware and error handlers stay.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").call(|_| {})?;
    /// assert_eq!(handlers.clear(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn clear(&self) -> usize {
        let count = self.core.clear();
        trace!(self.core.debug.get(), count, "all handlers were removed");
        count
    }

    /// A text that is no pattern is nobody's pattern.
    pub(super) fn read(&self, patterns: impl IntoPatterns) -> Vec<Pattern> {
        let read = patterns.into_patterns(self.core.settings.syntax);
        read.unwrap_or_default()
    }
}
