//! Emits to handlers directly, without a bus or a queue.

mod batch;
mod emit;
mod future;
mod way;

use std::fmt;

pub use self::batch::EmitterBatch;
pub use self::future::EmitFuture;

use super::Handlers;
use super::core::Core;
use super::debug;
use super::executor::{BlockOn, Chosen, Executor, Inline, Mode, ThreadPool};
use crate::bus::DEFAULT_MAX_CHAIN;
use crate::clock::Clock;
use crate::sync::Arc;

/// Emits to the handlers of a registry directly: no bus, no queue, and the emit says what they did.
///
/// A cheap handle that erases its executor, so one function takes any emitter. Emitters come and go while
/// the handlers stay registered; several may serve one registry.
///
/// | To | Use |
/// |---|---|
/// | have the handlers ended when the emit returns | [`emit`](Emitter::emit) |
/// | the same in a task, without blocking it | [`emit_async`](Emitter::emit_async) |
/// | hand the event over and go on | [`emit_detached`](Emitter::emit_detached) |
/// | emit many at once, or all or none | [`batch`](Emitter::batch), [`start_batch`](Emitter::start_batch) |
/// | give it a source, metadata, extensions | [`event`](Emitter::event) |
///
/// Which handlers run on which thread is the executor's: see [`Executor`]. In which order is theirs: see
/// [`Priority`](crate::Priority) and [`Mode`].
///
/// An emit from inside a handler is handled to its end before it returns, there as elsewhere. It carries
/// the event as its [`Cause`](crate::Cause), and is refused where the chain of those is too deep.
///
/// ```
/// use chanbus::{Emitter, Handlers};
///
/// fn greet(emitter: &Emitter<&'static str>) -> Result<(), chanbus::Error> {
///     let report = emitter.emit("user.joined", "Ada")?;
///     assert_eq!(report.called, 1);
///     Ok(())
/// }
///
/// let handlers = Handlers::new();
/// handlers.on("user.*").call(|event| println!("hello {}", event.payload()))?;
/// greet(&Emitter::inline(&handlers))?;
/// greet(&Emitter::thread_pool(&handlers, &chanbus::ThreadPool::new(2)?))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Emitter<T: Send + Sync + 'static>(Arc<Setup<T>>);

struct Setup<T: Send + Sync + 'static> {
    core: Arc<Core<T>>,
    executor: Chosen,
    mode: Option<Mode>,
    max_chain: usize,
    clock: Clock,
    debug: Option<bool>,
}

impl<T: Send + Sync + 'static> Clone for Setup<T> {
    fn clone(&self) -> Self {
        Setup {
            core: Arc::clone(&self.core),
            executor: self.executor.clone(),
            clock: self.clock.clone(),
            ..*self
        }
    }
}

impl<T: Send + Sync + 'static> Emitter<T> {
    /// An emitter whose handlers run by that executor, which may be a closure.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, Inline};
    /// let handlers = Handlers::<u32>::new();
    /// let emitter = Emitter::new(&handlers, Inline);
    /// # let _ = emitter;
    /// ```
    pub fn new(handlers: &Handlers<T>, executor: impl Executor) -> Self {
        Emitter(Arc::new(Setup {
            core: Arc::clone(handlers.core()),
            executor: Chosen::new(executor),
            mode: None,
            max_chain: DEFAULT_MAX_CHAIN,
            clock: Clock::default(),
            debug: None,
        }))
    }

    /// An emitter with a registry of its own: see [`handlers`](Emitter::handlers).
    ///
    /// ```
    /// # use chanbus::{Emitter, Inline};
    /// let emitter = Emitter::with_executor(Inline);
    /// emitter.handlers().on("a").call(|_| {})?;
    /// assert_eq!(emitter.emit("a", 1)?.called, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn with_executor(executor: impl Executor) -> Self {
        Self::new(&Handlers::new(), executor)
    }

    /// Handlers run on the emitting thread: [`Inline`].
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let report = Emitter::inline(&Handlers::new()).emit("a", 1)?;
    /// assert_eq!(report.matched, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn inline(handlers: &Handlers<T>) -> Self {
        Self::new(handlers, Inline)
    }

    /// Handlers run on the emitting thread, async ones to their end: [`BlockOn`].
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle_async(|_, _| async { Ok(Flow::Continue) })?;
    /// assert_eq!(Emitter::blocking(&handlers).emit("a", 1)?.called, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn blocking(handlers: &Handlers<T>) -> Self {
        Self::new(handlers, BlockOn)
    }

    /// Handlers run on the threads of a pool, which stays its owner's.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, ThreadPool};
    /// let pool = ThreadPool::new(2)?;
    /// let emitter = Emitter::thread_pool(&Handlers::new(), &pool);
    /// assert_eq!(emitter.emit("a", 1)?.called, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn thread_pool(handlers: &Handlers<T>, pool: &ThreadPool) -> Self {
        Self::new(handlers, pool.clone())
    }

    /// Handlers run on the tokio runtime that this code runs in.
    ///
    /// # Panics
    ///
    /// It runs in none: give `Tokio::new` a runtime's handle.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), chanbus::Error> {
    /// let handlers = Handlers::new();
    /// handlers.on("a").call(|_| {})?;
    /// assert_eq!(Emitter::tokio(&handlers).emit_async("a", 1).await?.called, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn tokio(handlers: &Handlers<T>) -> Self {
        Self::new(handlers, super::executor::Tokio::current())
    }

    /// Which handlers run together; the executor's own mode unless told otherwise. On
    /// [`Inline`] and [`BlockOn`] a plain emit is sequential whatever the mode; `emit_async` obeys it.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, Mode};
    /// let emitter = Emitter::<u32>::inline(&Handlers::new()).mode(Mode::Concurrent);
    /// assert_eq!(emitter.current_mode(), Mode::Concurrent);
    /// ```
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        self.with(|setup| setup.mode = Some(mode))
    }

    /// How many events may lead to one another; [`DEFAULT_MAX_CHAIN`] unless told otherwise.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, ctx| {
    ///     ctx.emit("a", ())?;
    ///     Ok(chanbus::Flow::Continue)
    /// })?;
    /// assert!(Emitter::inline(&handlers).max_chain(4).emit("a", ())?.is_ok());
    /// let last = handlers.last_failures();
    /// assert!(last[0].to_string().contains("a > a > a > a > a"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn max_chain(self, events: usize) -> Self {
        self.with(|setup| setup.max_chain = events)
    }

    /// Where timestamps come from; the [coarse clock](Clock::coarse) unless told otherwise.
    ///
    /// ```
    /// # use chanbus::{Clock, Emitter, Handlers};
    /// let emitter = Emitter::<u32>::inline(&Handlers::new()).clock(Clock::exact());
    /// # let _ = emitter;
    /// ```
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        self.with(|setup| setup.clock = clock)
    }

    /// Whether its events' way is traced at visible level: see [`set_debug`](crate::set_debug).
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let emitter = Emitter::<u32>::inline(&Handlers::new()).debug(true);
    /// assert!(emitter.is_debug());
    /// ```
    #[must_use]
    pub fn debug(self, on: bool) -> Self {
        self.with(|setup| setup.debug = Some(on))
    }

    fn with(self, set: impl FnOnce(&mut Setup<T>)) -> Self {
        let mut setup = Arc::unwrap_or_clone(self.0);
        set(&mut setup);
        Emitter(Arc::new(setup))
    }

    /// Its registry.
    ///
    /// ```
    /// # use chanbus::{Emitter, Inline};
    /// let emitter = Emitter::<u32>::with_executor(Inline);
    /// assert!(emitter.handlers().is_empty());
    /// ```
    #[must_use]
    pub fn handlers(&self) -> Handlers<T> {
        Handlers::of(Arc::clone(&self.0.core))
    }

    /// Which handlers run together.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, Mode};
    /// assert_eq!(Emitter::<u32>::inline(&Handlers::new()).current_mode(), Mode::Sequential);
    /// ```
    #[must_use]
    pub fn current_mode(&self) -> Mode {
        self.0.mode.unwrap_or_else(|| self.0.executor.mode())
    }

    /// Whether its events' way is traced at visible level: its own setting, else the registry's, else
    /// that of all, else the default.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// assert!(!Emitter::<u32>::inline(&Handlers::new()).debug(false).is_debug());
    /// ```
    #[must_use]
    pub fn is_debug(&self) -> bool {
        debug::is_on(self.0.debug.or_else(|| self.0.core.debug.get()))
    }
}

impl<T: Send + Sync + 'static> Clone for Emitter<T> {
    fn clone(&self) -> Self {
        Emitter(Arc::clone(&self.0))
    }
}

/// Names its executor.
impl<T: Send + Sync + 'static> fmt::Debug for Emitter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("executor", &self.0.executor.name())
            .field("mode", &self.current_mode())
            .finish_non_exhaustive()
    }
}
