//! Reading numbers without holding what they are of.

use std::fmt;

use crate::sync::Arc;

/// Reads the numbers of a bus, a registry or a dispatcher, and keeps none of them open or alive: for those who
/// look in now and then, such as exporters of metrics. Made by [`Bus::stats_reader`](crate::Bus::stats_reader),
/// [`Handlers::stats_reader`](crate::Handlers::stats_reader) and
/// [`Dispatcher::stats_reader`](crate::Dispatcher::stats_reader); clones read the same.
///
/// ```
/// use chanbus::Bus;
///
/// let bus = Bus::new();
/// let reader = bus.stats_reader();
/// let sub = bus.subscribe("a")?;
/// bus.emit("a", 1)?;
/// drop((bus, sub));
/// let last = reader.read().unwrap();
/// assert_eq!((last.closed, last.emitted, last.received), (true, 1, 1));
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct StatsReader<S>(Arc<dyn Fn() -> Option<S> + Send + Sync>);

impl<S> StatsReader<S> {
    pub(crate) fn new(read: impl Fn() -> Option<S> + Send + Sync + 'static) -> Self {
        StatsReader(Arc::new(read))
    }

    /// The numbers now; `None` if what it read has gone. A bus's numbers never go: those of a bus that
    /// has closed can be read to the end.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// let handlers = Handlers::<u32>::new();
    /// let reader = handlers.stats_reader();
    /// assert_eq!(reader.read().unwrap().events, 0);
    /// drop(handlers);
    /// assert!(reader.read().is_none());
    /// ```
    #[must_use]
    pub fn read(&self) -> Option<S> {
        (self.0)()
    }
}

impl<S> Clone for StatsReader<S> {
    fn clone(&self) -> Self {
        StatsReader(Arc::clone(&self.0))
    }
}

impl<S> fmt::Debug for StatsReader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatsReader").finish_non_exhaustive()
    }
}
