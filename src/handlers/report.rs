//! What an emit to handlers did.

use std::error::Error;
use std::fmt;

use super::failure::Failure;

/// What one emit to handlers did, after all of them have ended.
///
/// `matched = called + skipped`. Each failure counts in `failed`, and is in `errors`.
///
/// That of a batch is the sum over its events. A batch handler matches each event by itself, and each that it
/// is called with counts as called: with three events, it adds three. If that call fails, that is one failure.
///
/// ```
/// use chanbus::{Emitter, Handlers};
///
/// let handlers = Handlers::new();
/// handlers.on("a").call(|_| {})?;
/// handlers.on("**").filter(|event| *event.payload() > 10).call(|_| {})?;
///
/// let report = Emitter::inline(&handlers).emit("a", 7)?;
/// assert_eq!((report.matched, report.called, report.skipped), (2, 1, 1));
/// assert!(report.is_ok());
/// # Ok::<(), chanbus::Error>(())
/// ```
#[non_exhaustive]
pub struct Report<T> {
    /// Handlers whose patterns match the topic.
    pub matched: usize,
    /// Handlers that were called.
    pub called: usize,
    /// Failures: calls that returned an error or panicked, filters, callbacks and middleware that
    /// panicked, handlers that an executor refused or dropped.
    pub failed: usize,
    /// Handlers that were not called: a filter said no, propagation was stopped, the one call of a
    /// `once` was taken, it was removed meanwhile, or its executor refused it.
    pub skipped: usize,
    /// A handler stopped propagation; of a batch, that of at least one event.
    pub stopped: bool,
    /// A middleware blocked the event; no handler saw it. Of a batch, at least one event.
    pub blocked: bool,
    /// What failed, in the order in which it did.
    pub errors: Vec<Failure<T>>,
}

impl<T> Report<T> {
    pub(super) fn new() -> Self {
        Report {
            matched: 0,
            called: 0,
            failed: 0,
            skipped: 0,
            stopped: false,
            blocked: false,
            errors: Vec::new(),
        }
    }

    /// Adds what another event came to.
    pub(super) fn add(&mut self, mut other: Self) {
        self.matched += other.matched;
        self.called += other.called;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.stopped |= other.stopped;
        self.blocked |= other.blocked;
        self.errors.append(&mut other.errors);
    }

    /// Whether nothing failed.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let report = Emitter::inline(&Handlers::new()).emit("a", 7)?;
    /// assert!(report.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failed == 0
    }

    /// For those who want failures as an error.
    ///
    /// # Errors
    ///
    /// Something failed.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, _| Err("disk full".into()))?;
    /// let error = Emitter::inline(&handlers).emit("a", 7)?.into_result().unwrap_err();
    /// assert!(error.to_string().contains("disk full"));
    /// assert_eq!(error.report().called, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn into_result(self) -> Result<Self, HandlerErrors<T>> {
        if self.is_ok() {
            Ok(self)
        } else {
            Err(HandlerErrors(Box::new(self)))
        }
    }
}

impl<T> fmt::Debug for Report<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("matched", &self.matched)
            .field("called", &self.called)
            .field("failed", &self.failed)
            .field("skipped", &self.skipped)
            .field("stopped", &self.stopped)
            .field("blocked", &self.blocked)
            .field("errors", &self.errors)
            .finish()
    }
}

/// Handlers that failed for one event or one batch; made by [`Report::into_result`].
///
/// ```
/// # use chanbus::{Emitter, Handlers};
/// let handlers = Handlers::new();
/// handlers.on("a").name("x").handle(|_, _| Err("one".into()))?;
/// handlers.on("a").name("y").handle(|_, _| Err("two".into()))?;
/// let error = Emitter::inline(&handlers).emit("a", 7)?.into_result().unwrap_err();
/// assert_eq!(error.failures().len(), 2);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct HandlerErrors<T>(Box<Report<T>>);

impl<T> HandlerErrors<T> {
    /// What failed.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").name("x").handle(|_, _| Err("one".into()))?;
    /// # let error = Emitter::inline(&handlers).emit("a", 7)?.into_result().unwrap_err();
    /// assert_eq!(error.failures()[0].handler(), Some("x"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn failures(&self) -> &[Failure<T>] {
        &self.0.errors
    }

    /// The whole report.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, _| Err("one".into()))?;
    /// # let error = Emitter::inline(&handlers).emit("a", 7)?.into_result().unwrap_err();
    /// assert_eq!(error.report().failed, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn report(&self) -> &Report<T> {
        &self.0
    }

    /// The whole report, taken out.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, _| Err("one".into()))?;
    /// # let error = Emitter::inline(&handlers).emit("a", 7)?.into_result().unwrap_err();
    /// assert_eq!(error.into_report().failed, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn into_report(self) -> Report<T> {
        *self.0
    }
}

/// How many failed, and the first of them.
impl<T> fmt::Display for HandlerErrors<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0.errors {
            [only] => only.fmt(f),
            [first, rest @ ..] => write!(f, "{first} (and {} more failed)", rest.len()),
            [] => write!(f, "{} handlers failed", self.0.failed),
        }
    }
}

impl<T> fmt::Debug for HandlerErrors<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HandlerErrors").field(&self.0).finish()
    }
}

impl<T> Error for HandlerErrors<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.errors.first().and_then(Error::source)
    }
}
