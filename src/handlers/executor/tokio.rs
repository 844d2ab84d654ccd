//! Handlers on a tokio runtime.

use std::cell::Cell;

use tokio::runtime::Handle;

use super::{ExecuteError, Executor, Job, SyncJob, Waiting};

thread_local! {
    /// Whether this thread is one for blocking work, and inside of a handler.
    static BLOCKING: Cell<bool> = const { Cell::new(false) };
}

/// Runs a job on a thread that may block.
fn run_blocking(job: SyncJob) {
    BLOCKING.set(true);
    // It catches what handlers throw.
    job.run();
    BLOCKING.set(false);
}

/// Runs async handlers as tasks of a tokio runtime, and sync ones on its threads for blocking work, so
/// that they cannot hold the runtime up.
///
/// A plain `emit` that waits for handlers is for threads outside of the runtime, and for sync handlers;
/// in a task it is [`EmitError::WouldBlock`](crate::EmitError::WouldBlock): use `emit_async` or
/// `emit_detached` there. Handlers that the runtime drops as it shuts down count as failed.
///
/// ```
/// use chanbus::{Emitter, Flow, Handlers};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), chanbus::Error> {
/// let handlers = Handlers::new();
/// handlers.on("a").handle_async(|_, _| async {
///     tokio::task::yield_now().await;
///     Ok(Flow::Continue)
/// })?;
/// let report = Emitter::tokio(&handlers).emit_async("a", 1).await?;
/// assert_eq!(report.called, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Tokio(Handle);

impl Tokio {
    /// On that runtime.
    ///
    /// ```
    /// let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    /// let executor = chanbus::Tokio::new(runtime.handle().clone());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn new(runtime: Handle) -> Self {
        Tokio(runtime)
    }

    /// On the runtime that this code runs in.
    ///
    /// # Panics
    ///
    /// It runs in none.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let executor = chanbus::Tokio::current();
    /// # }
    /// ```
    #[must_use]
    #[track_caller]
    pub fn current() -> Self {
        Tokio(Handle::current())
    }
}

impl Executor for Tokio {
    fn execute(&self, job: Job) -> Result<(), ExecuteError> {
        match job {
            Job::Sync(job) => drop(self.0.spawn_blocking(move || run_blocking(job))),
            Job::Async(job) => drop(self.0.spawn(job)),
        }
        Ok(())
    }

    fn name(&self) -> &str {
        "Tokio"
    }

    fn waiting(&self) -> Waiting {
        if BLOCKING.get() {
            // There may be no other thread for blocking work; tasks have their own.
            Waiting::HelpSync
        } else if Handle::try_current().is_ok() {
            Waiting::Refuse
        } else {
            Waiting::Block
        }
    }
}
