//! Handlers on a tokio runtime.

use std::cell::Cell;

use tokio::runtime::Handle;

use super::{ExecuteError, Executor, Job, Waiting};

/// Runs async handlers as tasks of a tokio runtime, and sync ones on its threads for blocking work, so
/// that they cannot hold the runtime up.
///
/// A plain `emit` that waits for handlers is for threads outside of the runtime, and for sync handlers;
/// in a task it is [`EmitError::WouldBlock`](crate::EmitError::WouldBlock): use `emit_async` or
/// `emit_detached` there. (It cannot tell a task from other code inside of a runtime, such as a
/// `spawn_blocking` of your own, and refuses there, too.) Handlers that the runtime drops as it shuts down count as failed.
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

thread_local! {
    /// Whether this is a runtime's thread for blocking work, inside of a job of ours: so it may block.
    static BLOCKING: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, this thread is known for one that may block.
struct Blocking(bool);

impl Blocking {
    fn enter() -> Self {
        Blocking(BLOCKING.replace(true))
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        BLOCKING.set(self.0);
    }
}

impl Executor for Tokio {
    fn execute(&self, job: Job) -> Result<(), ExecuteError> {
        match job {
            Job::Sync(job) => drop(self.0.spawn_blocking(move || {
                let _blocking = Blocking::enter();
                job.run();
            })),
            Job::Async(job) => drop(self.0.spawn(job)),
        }
        Ok(())
    }

    fn name(&self) -> &str {
        "Tokio"
    }

    fn waiting(&self) -> Waiting {
        match Handle::try_current() {
            // One of its threads for blocking work, of which there may be no other; tasks have their own.
            Ok(runtime) if BLOCKING.get() && runtime.id() == self.0.id() => Waiting::HelpSync,
            // That of another runtime, which may wait for this one.
            Ok(_) if BLOCKING.get() => Waiting::Block,
            Ok(_) => Waiting::Refuse,
            Err(_) => Waiting::Block,
        }
    }
}
