//! An executor that runs one job at a time, when it is told to.
//!
//! # Protocol
//!
//! All is under one lock, held for a look or a move, never while a job runs or is dropped: both are the user's code. A
//! job is in one place at a time: in `ready`, in the hands of the thread that steps, or, if it is async and waits, in
//! `asleep` under its number, from where its waker moves it back to the end of `ready`. A wake while it is in
//! somebody's hands is noted in `again`, where that one finds it when he puts it down: so none is lost.
//!
//! The owner alone keeps the jobs; handlers, and the jobs themselves, hold handles that do not. So there is no circle, and
//! dropping the owner drops the jobs.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::handlers::{AsyncJob, ExecuteError, Executor, Job, Refusal, Waiting};
use crate::sync::{Arc, Condvar, Mutex, Weak, thread_number};

/// Keeps the jobs of handlers, and runs one at a time on the thread that says so: for tests in which the order of things
/// is yours, and the same each time.
///
/// Give its [`handle`](StepExecutor::handle) to an [`Emitter`](crate::Emitter) or a [`Dispatcher`](crate::Dispatcher); as
/// their [`Mode`](crate::Mode) says, handlers that run together wait here together, and
/// [`step_named`](StepExecutor::step_named) chooses among them. An async handler is polled once by a step; if it waits, its
/// next step comes when its waker was called. No thread of its own, no runtime.
///
/// Who emits and waits would wait for ever on the thread that is to step, so that is refused
/// ([`EmitError::WouldBlock`](crate::EmitError::WouldBlock)): use [`emit_detached`](crate::Emitter::emit_detached) or
/// [`emit_async`](crate::Emitter::emit_async). An emit from inside a step runs its handlers there and then.
///
/// ```
/// use chanbus::{Emitter, Handlers, StepExecutor};
///
/// let steps = StepExecutor::new();
/// let handlers = Handlers::new();
/// handlers.on("order.*").name("book").call(|_| {})?;
/// handlers.on("order.*").name("mail").call(|_| {})?;
/// let emitter = Emitter::new(&handlers, steps.handle());
///
/// emitter.emit_detached("order.placed", 7)?;
/// assert_eq!(steps.pending(), 2);
/// assert_eq!(steps.step_named("mail").unwrap().topic, "order.placed");
/// assert_eq!(steps.step().unwrap().handler.as_deref(), Some("book"));
/// assert!(steps.step().is_none());
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// With a dispatcher, whose events are taken one at a time, too:
///
/// ```
/// use chanbus::{Bus, Dispatcher, Handlers, StepExecutor};
///
/// let (bus, handlers, steps) = (Bus::new(), Handlers::new(), StepExecutor::new());
/// handlers.on("row").call(|_| {})?;
/// let dispatcher = Dispatcher::builder(&bus, &handlers).executor(steps.handle()).build()?;
/// bus.publisher("row")?.emit_batch([1, 2])?;
/// assert_eq!(dispatcher.step()?, 1);
/// assert!(dispatcher.step().is_err(), "the handlers of the first have not ended");
/// assert_eq!(steps.run_all().len(), 1);
/// assert_eq!(dispatcher.step()?, 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// Dropping it drops what waits, which counts as [lost](crate::FailureKind::Lost), and its handles refuse from then on.
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub struct StepExecutor(Arc<Steps>);

/// Brings jobs to a [`StepExecutor`]; made by [`StepExecutor::handle`].
///
/// ```
/// # use chanbus::{Emitter, Handlers, StepExecutor, StepHandle};
/// let steps = StepExecutor::new();
/// let handle: StepHandle = steps.handle();
/// let emitter = Emitter::<u32>::new(&Handlers::new(), handle.clone());
/// # let _ = emitter;
/// ```
#[derive(Clone)]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub struct StepHandle(Weak<Steps>);

struct Steps {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Item>,
    asleep: HashMap<u64, Item>,
    /// Those that were woken while they were in somebody's hands.
    again: HashSet<u64>,
    /// Those who step now, by their threads.
    inside: Vec<u64>,
    next: u64,
    closed: bool,
}

struct Item {
    number: u64,
    job: Job,
    /// Of an async one that was polled.
    waker: Option<Waker>,
}

/// A step that a [`StepExecutor`] did.
///
/// ```
/// # use chanbus::{Emitter, Handlers, Ran, StepExecutor};
/// let steps = StepExecutor::new();
/// let handlers = Handlers::new();
/// handlers.on("a").name("x").call(|_| {})?;
/// Emitter::new(&handlers, steps.handle()).emit_detached("a", 1)?;
/// let ran: Ran = steps.step().unwrap();
/// assert_eq!((ran.topic.as_str(), ran.handler.as_deref()), ("a", Some("x")));
/// assert!(ran.ended && !ran.is_async);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub struct Ran {
    /// The topic of the event.
    pub topic: String,
    /// The name of the handler, or of the first of them where several are one job
    /// ([`Mode::Sequential`](crate::Mode::Sequential)), if it has one.
    pub handler: Option<String>,
    /// Whether it is async.
    pub is_async: bool,
    /// Whether it has come to its end; an async one may wait for something.
    pub ended: bool,
}

impl StepExecutor {
    /// An executor without jobs.
    ///
    /// ```
    /// assert_eq!(chanbus::StepExecutor::new().pending(), 0);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        StepExecutor(Arc::new(Steps {
            state: Mutex::default(),
            news: Condvar::new(),
        }))
    }

    /// What is given to emitters and dispatchers, any number of them.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, StepExecutor};
    /// let steps = StepExecutor::new();
    /// let emitter = Emitter::<u32>::new(&Handlers::new(), steps.handle());
    /// # let _ = emitter;
    /// ```
    #[must_use]
    pub fn handle(&self) -> StepHandle {
        StepHandle(Arc::downgrade(&self.0))
    }

    /// How many jobs could be run now.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, StepExecutor};
    /// let steps = StepExecutor::new();
    /// let handlers = Handlers::new();
    /// handlers.on("a").call(|_| {})?;
    /// Emitter::new(&handlers, steps.handle()).emit_detached("a", 1)?;
    /// assert_eq!(steps.pending(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn pending(&self) -> usize {
        let state = self.0.state.lock();
        state.ready.iter().filter(|it| it.is_live()).count()
    }

    /// How many async jobs wait for something, a timer, say.
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers, StepExecutor};
    /// let steps = StepExecutor::new();
    /// let handlers = Handlers::new();
    /// handlers.on("a").handle_async(|_, _| async {
    ///     std::future::pending::<()>().await;
    ///     Ok(Flow::Continue)
    /// })?;
    /// Emitter::new(&handlers, steps.handle()).emit_detached("a", 1)?;
    /// assert!(!steps.step().unwrap().ended);
    /// assert_eq!((steps.pending(), steps.asleep()), (0, 1));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn asleep(&self) -> usize {
        self.0.state.lock().asleep.len()
    }

    /// Runs the job that has waited longest, on this thread; nothing if there is none.
    ///
    /// ```
    /// # use chanbus::StepExecutor;
    /// assert!(StepExecutor::new().step().is_none());
    /// ```
    pub fn step(&self) -> Option<Ran> {
        self.step_where(|_| true)
    }

    /// Runs the first job whose handler has that name; nothing if there is none.
    ///
    /// ```
    /// # use chanbus::StepExecutor;
    /// assert!(StepExecutor::new().step_named("mail").is_none());
    /// ```
    pub fn step_named(&self, handler: &str) -> Option<Ran> {
        self.step_where(|job| job.handler() == Some(handler))
    }

    /// Runs one job after the other until none is ready, those too that come meanwhile. An async handler that wakes itself
    /// for ever has it run for ever: [`run_up_to`](StepExecutor::run_up_to) does not.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, StepExecutor};
    /// let steps = StepExecutor::new();
    /// let handlers = Handlers::new();
    /// handlers.on("a").call(|_| {})?;
    /// let emitter = Emitter::new(&handlers, steps.handle());
    /// emitter.emit_detached("a", 1)?;
    /// emitter.emit_detached("a", 2)?;
    /// assert_eq!(steps.run_all().len(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn run_all(&self) -> Vec<Ran> {
        self.run_up_to(usize::MAX)
    }

    /// Runs so many jobs at most, one after the other.
    ///
    /// ```
    /// # use chanbus::StepExecutor;
    /// assert!(StepExecutor::new().run_up_to(10).is_empty());
    /// ```
    pub fn run_up_to(&self, jobs: usize) -> Vec<Ran> {
        let mut ran = Vec::new();
        while ran.len() < jobs {
            match self.step() {
                Some(one) => ran.push(one),
                None => break,
            }
        }
        ran
    }

    /// Waits until so many jobs are ready, which other threads bring: a dispatcher that was
    /// [started](crate::Dispatcher::start), say. `false`: they were not within that time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use chanbus::{Bus, Dispatcher, Drain, Handlers, StepExecutor};
    ///
    /// let (bus, handlers, steps) = (Bus::new(), Handlers::new(), StepExecutor::new());
    /// handlers.on("a").call(|_| {})?;
    /// let dispatcher = Dispatcher::builder(&bus, &handlers).executor(steps.handle()).build()?;
    /// dispatcher.start()?;
    /// bus.emit("a", 1)?;
    /// assert!(steps.wait_for(1, Duration::from_secs(10)));
    /// steps.step();
    /// dispatcher.stop(Drain::All)?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn wait_for(&self, jobs: usize, within: Duration) -> bool {
        let deadline = Instant::now().checked_add(within);
        let mut state = self.0.state.lock();
        loop {
            let ready = state.ready.iter().filter(|it| it.is_live());
            if ready.count() >= jobs {
                return true;
            }
            match deadline {
                None => self.0.news.wait(&mut state),
                Some(deadline) if Instant::now() >= deadline => return false,
                Some(deadline) => {
                    self.0.news.wait_until(&mut state, deadline);
                }
            }
        }
    }

    fn step_where(&self, wanted: impl Fn(&Job) -> bool) -> Option<Ran> {
        // Before the job is in nobody's hands: its waker may be called at any moment.
        let _inside = Inside::enter(&self.0);
        let (found, spent) = self.0.take(wanted);
        // Jobs that others have done: their destructors are not for the lock.
        drop(spent);
        let item = found?;
        let mut ran = Ran {
            topic: item.job.topic().to_owned(),
            handler: item.job.handler().map(str::to_owned),
            is_async: item.job.is_async(),
            ended: true,
        };
        match item.job {
            Job::Async(job) => ran.ended = self.0.poll(job, item.number, item.waker),
            job => job.run(),
        }
        Some(ran)
    }
}

impl Default for StepExecutor {
    fn default() -> Self {
        Self::new()
    }
}

impl Item {
    /// Running it does something: nobody else has begun it, who waited for it.
    fn is_live(&self) -> bool {
        self.waker.is_some() || !self.job.is_spent()
    }
}

impl Steps {
    /// The first that is wanted, and what was found to be done already.
    fn take(&self, wanted: impl Fn(&Job) -> bool) -> (Option<Item>, Vec<Item>) {
        let mut state = self.state.lock();
        let mut spent = Vec::new();
        let mut place = 0;
        while let Some(item) = state.ready.get(place) {
            if !item.is_live() {
                spent.extend(state.ready.remove(place));
            } else if wanted(&item.job) {
                return (state.ready.remove(place), spent);
            } else {
                place += 1;
            }
        }
        (None, spent)
    }

    /// Polls an async job once; whether it has ended.
    fn poll(self: &Arc<Self>, mut job: AsyncJob, number: u64, waker: Option<Waker>) -> bool {
        let alarm = || {
            let steps = Arc::downgrade(self);
            Waker::from(Arc::new(Alarm { steps, number }))
        };
        let waker = waker.unwrap_or_else(alarm);
        let polled = Pin::new(&mut job).poll(&mut Context::from_waker(&waker));
        let ended = matches!(polled, Poll::Ready(()));
        let mut back = (!ended).then(|| Item {
            number,
            job: Job::Async(job),
            waker: Some(waker),
        });
        let mut state = self.state.lock();
        let again = state.again.remove(&number);
        // One of a closed executor is dropped, outside of the lock.
        if !state.closed
            && let Some(item) = back.take()
        {
            match again {
                true => state.ready.push_back(item),
                false => drop(state.asleep.insert(number, item)),
            }
        }
        drop(state);
        self.news.notify_all();
        ended
    }
}

/// Wakes an async job.
struct Alarm {
    steps: Weak<Steps>,
    number: u64,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let Some(steps) = self.steps.upgrade() else {
            return;
        };
        let mut state = steps.state.lock();
        match state.asleep.remove(&self.number) {
            Some(item) => state.ready.push_back(item),
            // In somebody's hands, ready already, or at its end, where nobody asks.
            None if state.closed => {}
            None => {
                let ready = state.ready.iter().any(|it| it.number == self.number);
                if !ready && !state.inside.is_empty() {
                    state.again.insert(self.number);
                }
            }
        }
        drop(state);
        steps.news.notify_all();
    }
}

/// This thread is inside of a step.
struct Inside<'a>(&'a Steps);

impl<'a> Inside<'a> {
    fn enter(steps: &'a Steps) -> Self {
        steps.state.lock().inside.push(thread_number());
        Inside(steps)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        let me = thread_number();
        if let Some(place) = state.inside.iter().rposition(|it| *it == me) {
            state.inside.remove(place);
        }
        if state.inside.is_empty() {
            // What ended jobs were woken for.
            state.again.clear();
        }
    }
}

impl Executor for StepHandle {
    fn execute(&self, job: Job) -> Result<(), ExecuteError> {
        let Some(steps) = self.0.upgrade() else {
            return Err(job.refuse(Refusal::ShutDown));
        };
        let mut state = steps.state.lock();
        if state.closed {
            drop(state);
            return Err(job.refuse(Refusal::ShutDown));
        }
        let number = state.next;
        state.next += 1;
        state.ready.push_back(Item {
            number,
            job,
            waker: None,
        });
        drop(state);
        steps.news.notify_all();
        Ok(())
    }

    fn name(&self) -> &str {
        "StepExecutor"
    }

    fn waiting(&self) -> Waiting {
        let me = thread_number();
        let inside = |steps: Arc<Steps>| steps.state.lock().inside.contains(&me);
        match self.0.upgrade().is_some_and(inside) {
            true => Waiting::Help,
            false => Waiting::Refuse,
        }
    }
}

/// Drops what waits.
impl Drop for StepExecutor {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.closed = true;
        let ready = std::mem::take(&mut state.ready);
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        drop((ready, asleep));
    }
}

impl fmt::Debug for StepExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepExecutor")
            .field("pending", &self.pending())
            .field("asleep", &self.asleep())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StepHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepHandle").finish_non_exhaustive()
    }
}
