//! What executors are handed.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Refusal;
use crate::handlers::run::{Work, block_on};
use crate::sync::Arc;

/// A handler that is to be called for an event, or some in a row.
///
/// Run it by [`run`](Job::run) wherever a thread has time, or match on it and await the async ones. A job
/// may turn out to be done already, by one who waits for it and would otherwise have starved its
/// executor; then running it does nothing.
///
/// ```
/// use chanbus::{Emitter, Handlers, Job};
///
/// let handlers = Handlers::new();
/// handlers.on("a").name("x").call(|_| {})?;
/// let emitter = Emitter::new(&handlers, |job: Job| {
///     println!("{:?} for {}", job.handler(), job.topic());
///     job.run();
/// });
/// assert_eq!(emitter.emit("a", 1)?.called, 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "a job that is dropped counts as a failure of its handler"]
#[non_exhaustive]
pub enum Job {
    /// To be called: it may take its time, and block.
    Sync(SyncJob),
    /// To be awaited.
    Async(AsyncJob),
}

/// A [`Job`] that is called.
///
/// ```
/// use chanbus::{Emitter, Handlers, Job};
///
/// let handlers = Handlers::new();
/// handlers.on("a").call(|_| {})?;
/// let emitter = Emitter::new(&handlers, |job: Job| match job {
///     Job::Sync(job) => job.run(),
///     other => other.run(),
/// });
/// assert_eq!(emitter.emit("a", 1)?.called, 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "a job that is dropped counts as a failure of its handler"]
pub struct SyncJob(Option<Arc<dyn Work>>);

/// A [`Job`] that is awaited: a future, to be polled to its end.
///
/// ```
/// use chanbus::{Emitter, Flow, Handlers, Job};
///
/// let handlers = Handlers::new();
/// handlers.on("a").handle_async(|_, _| async { Ok(Flow::Continue) })?;
/// let emitter = Emitter::new(&handlers, |job: Job| match job {
///     Job::Async(future) => drop(std::thread::spawn(|| smol::block_on(future))),
///     other => other.run(),
/// });
/// assert_eq!(emitter.emit("a", 1)?.called, 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "a job that is dropped counts as a failure of its handler"]
pub struct AsyncJob {
    work: Arc<dyn Work>,
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Job {
    pub(in crate::handlers) fn new(work: Arc<dyn Work>, is_async: bool) -> Self {
        if is_async {
            let future = Arc::clone(&work).future();
            Job::Async(AsyncJob { work, future })
        } else {
            Job::Sync(SyncJob(Some(work)))
        }
    }

    /// Runs it here and now; an async one to its end, on this thread.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, Job};
    /// # let handlers = Handlers::new();
    /// # handlers.on("a").call(|_| {})?;
    /// let emitter = Emitter::new(&handlers, |job: Job| job.run());
    /// assert_eq!(emitter.emit("a", 1)?.called, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn run(self) {
        match self {
            Job::Sync(job) => job.run(),
            Job::Async(job) => block_on(job),
        }
    }

    /// Does not run it: to be returned by an executor that cannot.
    ///
    /// ```
    /// use chanbus::{Emitter, Handlers, Job, Refusal};
    ///
    /// let handlers = Handlers::new();
    /// handlers.on("a").call(|_| {})?;
    /// let emitter = Emitter::new(&handlers, |job: Job| Err(job.refuse(Refusal::Other("not today".into()))));
    /// let report = emitter.emit("a", 1)?;
    /// assert!(report.errors[0].to_string().contains("not today"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use = "the executor returns it"]
    pub fn refuse(self, why: Refusal) -> ExecuteError {
        ExecuteError { job: self, why }
    }

    /// Whether it is to be awaited.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, Job};
    /// # let handlers = Handlers::new();
    /// # handlers.on("a").call(|_| {})?;
    /// let emitter = Emitter::new(&handlers, |job: Job| {
    ///     assert!(!job.is_async());
    ///     job.run();
    /// });
    /// # assert!(emitter.emit("a", 1)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_async(&self) -> bool {
        matches!(self, Job::Async(_))
    }

    /// The topic of the event.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, Job};
    /// # let handlers = Handlers::new();
    /// # handlers.on("a").call(|_| {})?;
    /// let emitter = Emitter::new(&handlers, |job: Job| {
    ///     assert_eq!(job.topic(), "a");
    ///     job.run();
    /// });
    /// # assert!(emitter.emit("a", 1)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn topic(&self) -> &str {
        self.work().map_or("", |work| work.topic())
    }

    /// The name of the handler, or of the first of them, if it has one.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, Job};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").name("x").call(|_| {})?;
    /// let emitter = Emitter::new(&handlers, |job: Job| {
    ///     assert_eq!(job.handler(), Some("x"));
    ///     job.run();
    /// });
    /// # assert!(emitter.emit("a", 1)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn handler(&self) -> Option<&str> {
        self.work().and_then(|work| work.handler())
    }

    /// Whether somebody else has begun it, one who waits for it and helps: running it does nothing then. To be asked
    /// before an async one is polled, which begins it.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, Job};
    /// # let handlers = Handlers::new();
    /// # handlers.on("a").call(|_| {})?;
    /// let emitter = Emitter::new(&handlers, |job: Job| {
    ///     assert!(!job.is_spent());
    ///     job.run();
    /// });
    /// # assert!(emitter.emit("a", 1)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_spent(&self) -> bool {
        match self {
            Job::Sync(job) => job.is_claimed(),
            Job::Async(job) => job.is_claimed(),
        }
    }

    fn work(&self) -> Option<&Arc<dyn Work>> {
        match self {
            Job::Sync(job) => job.0.as_ref(),
            Job::Async(job) => Some(&job.work),
        }
    }
}

impl SyncJob {
    /// Whether somebody else has run it, or does.
    pub(super) fn is_claimed(&self) -> bool {
        self.0.as_ref().is_none_or(|work| work.is_claimed())
    }

    /// Runs it here and now.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, Job};
    /// # let handlers = Handlers::new();
    /// # handlers.on("a").call(|_| {})?;
    /// let emitter = Emitter::new(&handlers, |job: Job| match job {
    ///     Job::Sync(job) => job.run(),
    ///     other => other.run(),
    /// });
    /// # assert!(emitter.emit("a", 1)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn run(mut self) {
        if let Some(work) = self.0.take() {
            work.run();
        }
    }
}

impl Drop for SyncJob {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work.refuse(None);
        }
    }
}

impl AsyncJob {
    /// Whether somebody has begun it: another, if this was not polled yet.
    pub(super) fn is_claimed(&self) -> bool {
        self.work.is_claimed()
    }
}

impl Future for AsyncJob {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.future.as_mut().poll(cx)
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("topic", &self.topic())
            .field("handler", &self.handler())
            .field("is_async", &self.is_async())
            .finish()
    }
}

impl fmt::Debug for SyncJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncJob").finish_non_exhaustive()
    }
}

impl fmt::Debug for AsyncJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncJob").finish_non_exhaustive()
    }
}

/// A job that an executor did not take; made by [`Job::refuse`].
///
/// ```
/// use chanbus::{ExecuteError, Executor, Job, Refusal};
///
/// struct Never;
///
/// impl Executor for Never {
///     fn execute(&self, job: Job) -> Result<(), ExecuteError> {
///         Err(job.refuse(Refusal::ShutDown))
///     }
/// }
/// # let handlers = chanbus::Handlers::new();
/// # handlers.on("a").call(|_| {}).unwrap();
/// # assert_eq!(chanbus::Emitter::new(&handlers, Never).emit("a", 1).unwrap().failed, 1);
/// ```
pub struct ExecuteError {
    job: Job,
    why: Refusal,
}

impl ExecuteError {
    /// Why.
    ///
    /// ```
    /// use chanbus::{ExecuteError, Refusal};
    ///
    /// fn is_over(error: &ExecuteError) -> bool {
    ///     matches!(error.reason(), Refusal::ShutDown)
    /// }
    /// ```
    #[must_use]
    pub fn reason(&self) -> &Refusal {
        &self.why
    }

    /// The job, to try another executor.
    ///
    /// ```
    /// use chanbus::{Executor, Job, ThreadPool};
    ///
    /// let pool = ThreadPool::new(1)?;
    /// let either = move |job: Job| {
    ///     if let Err(refused) = pool.execute(job) {
    ///         refused.into_job().run();
    ///     }
    /// };
    /// # let handlers = chanbus::Handlers::new();
    /// # handlers.on("a").call(|_| {})?;
    /// # assert_eq!(chanbus::Emitter::new(&handlers, either).emit("a", 1)?.called, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_job(self) -> Job {
        self.job
    }

    /// Tells the job's handlers.
    pub(in crate::handlers) fn settle(self) {
        if let Some(work) = self.job.work() {
            work.refuse(Some(self.why));
        }
    }
}

impl fmt::Display for ExecuteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl fmt::Debug for ExecuteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecuteError")
            .field("job", &self.job)
            .field("why", &self.why)
            .finish()
    }
}

impl Error for ExecuteError {}
