//! Executors that run handlers on the thread at hand.

use super::{ExecuteError, Executor, Job, Mode, Refusal};

/// Calls handlers on the thread that emits, one after the other; async ones it refuses.
///
/// ```
/// use chanbus::{Emitter, Handlers, Inline};
///
/// let handlers = Handlers::new();
/// let here = std::thread::current().id();
/// handlers.on("a").call(move |_| assert_eq!(std::thread::current().id(), here))?;
/// assert!(Emitter::new(&handlers, Inline).emit("a", 1)?.is_ok());
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Inline;

impl Executor for Inline {
    fn execute(&self, job: Job) -> Result<(), ExecuteError> {
        if job.is_async() {
            return Err(job.refuse(Refusal::AsyncUnsupported { executor: "Inline" }));
        }
        job.run();
        Ok(())
    }

    fn name(&self) -> &str {
        "Inline"
    }

    fn mode(&self) -> Mode {
        Mode::Sequential
    }
}

/// Calls handlers on the thread that emits, one after the other, and runs async ones to their end there,
/// asleep while they wait. It needs no runtime, and brings none: what needs one (tokio's timers, say)
/// needs it here, too.
///
/// ```
/// use chanbus::{BlockOn, Emitter, Flow, Handlers};
///
/// let handlers = Handlers::new();
/// handlers.on("a").handle_async(|event, _| async move {
///     println!("{}", event.payload());
///     Ok(Flow::Continue)
/// })?;
/// assert_eq!(Emitter::new(&handlers, BlockOn).emit("a", 1)?.called, 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct BlockOn;

impl Executor for BlockOn {
    fn execute(&self, job: Job) -> Result<(), ExecuteError> {
        job.run();
        Ok(())
    }

    fn name(&self) -> &str {
        "BlockOn"
    }

    fn mode(&self) -> Mode {
        Mode::Sequential
    }
}
