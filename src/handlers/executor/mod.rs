//! Who runs handlers, on which thread (H8).

mod here;
mod job;
mod pool;
#[cfg(feature = "tokio")]
mod tokio;

use std::fmt;

pub use self::here::{BlockOn, Inline};
pub use self::job::{AsyncJob, ExecuteError, Job, SyncJob};
pub use self::pool::{ThreadPool, ThreadPoolBuilder, WhenFull};
#[cfg(feature = "tokio")]
pub use self::tokio::Tokio;

use crate::sync::Arc;

/// Runs handlers: takes jobs, and runs each once, somewhere, some time.
///
/// | Executor | Handlers run | Async handlers | Default mode |
/// |---|---|---|---|
/// | [`Inline`] | on the thread that emits, one after the other | refused (but by `emit_async`) | [`Sequential`](Mode::Sequential) |
/// | [`BlockOn`] | likewise | run to their end right there, no runtime | [`Sequential`](Mode::Sequential) |
/// | [`ThreadPool`] | on its threads | polled on its threads | [`Tiered`](Mode::Tiered) |
/// | `Tokio` (feature `tokio`) | sync ones on tokio's blocking threads | as tasks | [`Tiered`](Mode::Tiered) |
/// | any closure `Fn(Job)` | where it runs them | where it runs them | [`Tiered`](Mode::Tiered) |
///
/// One of your own has one method to write. A job that is dropped without being run counts as a failure
/// of its handler, so nothing waits for it for ever.
///
/// ```
/// use chanbus::{Emitter, Handlers, Job};
///
/// // One thread for each job.
/// let threads = |job: Job| {
///     std::thread::spawn(move || job.run());
/// };
/// let handlers = Handlers::new();
/// handlers.on("a").call(|event| println!("{event:?}"))?;
/// let report = Emitter::new(&handlers, threads).emit("a", 7)?;
/// assert_eq!(report.called, 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no executor",
    note = "executors are `Inline`, `BlockOn`, `ThreadPool`, `Tokio`, closures `Fn(Job)`, and an `Arc` of one",
    note = "they are taken by value: clone a `ThreadPool`, its clones share the threads"
)]
pub trait Executor: Send + Sync + 'static {
    /// Takes a job. It may run it before it returns, or hand it on.
    ///
    /// # Errors
    ///
    /// It does not take it: made by [`Job::refuse`]. The handler counts as failed, and others run.
    fn execute(&self, job: Job) -> Result<(), ExecuteError>;

    /// Takes a job as [`execute`](Executor::execute) does, for one who must not be held up, neither by a
    /// wait for room nor by the job itself: an emit that is awaited. A job that there is no room for comes
    /// back, to be run as part of that emit. Leads to `execute` unless told otherwise.
    ///
    /// # Errors
    ///
    /// As [`execute`](Executor::execute).
    fn offer(&self, job: Job) -> Result<Option<Job>, ExecuteError> {
        self.execute(job).map(|()| None)
    }

    /// What `Debug` and errors call it; the type's name unless told otherwise.
    fn name(&self) -> &str {
        let name = std::any::type_name::<Self>();
        if name.contains("closure") {
            "closure"
        } else {
            name
        }
    }

    /// Which handlers run together, where the emitter or dispatcher was not told.
    fn mode(&self) -> Mode {
        Mode::Tiered
    }

    /// What the current thread may do while it waits for handlers of this executor.
    fn waiting(&self) -> Waiting {
        Waiting::Block
    }
}

/// Which handlers of an event run together (H2).
///
/// Stopping propagation acts between steps: who runs together with the one that stops is not stopped. A
/// [batch handler](crate::On::handle_batch) is a step of its own in all of them, between those that come before
/// it and those that come after.
///
/// ```
/// use chanbus::{Emitter, Handlers, Mode, ThreadPool};
///
/// let pool = ThreadPool::new(2)?;
/// let handlers = Handlers::<u32>::new();
/// let emitter = Emitter::thread_pool(&handlers, &pool).mode(Mode::Concurrent);
/// assert_eq!(emitter.current_mode(), Mode::Concurrent);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// One after the other, in calling order; each is a step.
    Sequential,
    /// Those of equal priority together, priority after priority; each priority is a step.
    Tiered,
    /// All at once, then all monitors at once.
    Concurrent,
}

/// What a thread may do while it waits for handlers.
///
/// ```
/// use chanbus::{Executor, ThreadPool, Waiting};
///
/// // Seen from outside of the pool.
/// assert_eq!(ThreadPool::new(1)?.waiting(), Waiting::Block);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Waiting {
    /// Sleep until they have ended.
    Block,
    /// It is one of the executor's own threads, which would be missed: it runs those of the handlers that
    /// it waits for which nobody has begun, and sleeps only when all are begun.
    Help,
    /// The same, for sync handlers only: async ones have other threads to run on, and need those.
    HelpSync,
    /// Nothing: the handlers need this very thread to go on. The emit is an error.
    Refuse,
}

/// Why an executor did not take a job.
///
/// ```
/// use chanbus::{Emitter, FailureKind, Flow, Handlers, Refusal};
///
/// let handlers = Handlers::new();
/// handlers.on("a").handle_async(|_, _| async { Ok(Flow::Continue) })?;
/// let report = Emitter::inline(&handlers).emit("a", ())?;
/// let FailureKind::Refused(why) = report.errors[0].kind() else { panic!() };
/// assert!(matches!(why, Refusal::AsyncUnsupported { .. }));
/// assert!(why.to_string().contains("BlockOn"));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Refusal {
    /// The handler is async, and the executor cannot run those.
    AsyncUnsupported {
        /// The executor.
        executor: &'static str,
    },
    /// The executor's queue is full.
    QueueFull {
        /// How many jobs it holds.
        capacity: usize,
    },
    /// The executor was shut down.
    ShutDown,
    /// Something else.
    Other(Arc<str>),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::AsyncUnsupported { executor } => write!(
                f,
                "the executor `{executor}` cannot run async handlers: use `BlockOn`, `ThreadPool` or \
                 `Tokio`, or emit with `emit_async`"
            ),
            Refusal::QueueFull { capacity } => write!(
                f,
                "the executor's queue of {capacity} jobs is full: raise it with \
                 `ThreadPoolBuilder::queue`, or let emits wait or help with \
                 `ThreadPoolBuilder::when_full`"
            ),
            Refusal::ShutDown => f.write_str("the executor was shut down"),
            Refusal::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Refusal {}

/// What a closure that is an executor may return: nothing, or what [`Executor::execute`] returns.
///
/// ```
/// use chanbus::{Emitter, Handlers, Job, Refusal};
///
/// let handlers = Handlers::<u32>::new();
/// let takes_all = Emitter::new(&handlers, |job: Job| job.run());
/// let takes_none = Emitter::new(&handlers, |job: Job| Err(job.refuse(Refusal::ShutDown)));
/// # let _ = (takes_all, takes_none);
/// ```
pub trait Executed: sealed::Sealed {
    #[doc(hidden)]
    fn into_result(self) -> Result<(), ExecuteError>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for Result<(), super::ExecuteError> {}
}

impl Executed for () {
    fn into_result(self) -> Result<(), ExecuteError> {
        Ok(())
    }
}

impl Executed for Result<(), ExecuteError> {
    fn into_result(self) -> Result<(), ExecuteError> {
        self
    }
}

impl<F, R> Executor for F
where
    F: Fn(Job) -> R + Send + Sync + 'static,
    R: Executed,
{
    fn execute(&self, job: Job) -> Result<(), ExecuteError> {
        self(job).into_result()
    }
}

/// Shared executors are executors.
impl<E: Executor + ?Sized> Executor for Arc<E> {
    fn execute(&self, job: Job) -> Result<(), ExecuteError> {
        (**self).execute(job)
    }

    fn offer(&self, job: Job) -> Result<Option<Job>, ExecuteError> {
        (**self).offer(job)
    }

    fn name(&self) -> &str {
        (**self).name()
    }

    fn mode(&self) -> Mode {
        (**self).mode()
    }

    fn waiting(&self) -> Waiting {
        (**self).waiting()
    }
}

/// An executor, as an emitter or a dispatcher keeps it.
#[derive(Clone)]
pub(super) enum Chosen {
    /// On the thread at hand, without jobs.
    Here { block_on: bool },
    /// Somewhere else.
    There(Arc<dyn Executor>),
}

impl Chosen {
    pub(super) fn new<E: Executor>(executor: E) -> Self {
        let any: &dyn std::any::Any = &executor;
        if any.is::<Inline>() {
            Chosen::Here { block_on: false }
        } else if any.is::<BlockOn>() {
            Chosen::Here { block_on: true }
        } else {
            Chosen::There(Arc::new(executor))
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Chosen::Here { block_on: false } => "Inline",
            Chosen::Here { block_on: true } => "BlockOn",
            Chosen::There(executor) => executor.name(),
        }
    }

    pub(super) fn mode(&self) -> Mode {
        match self {
            Chosen::Here { .. } => Mode::Sequential,
            Chosen::There(executor) => executor.mode(),
        }
    }
}
