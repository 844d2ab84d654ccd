//! A pool of threads for handlers.
//!
//! # Protocol
//!
//! One lock guards the queue, and is held for a push or a pop, never while a job runs. A worker takes
//! the oldest job and runs it; where there is none it sleeps. An async job is polled by a worker until
//! it waits for something; it then leaves the worker, and its waker puts it back at the queue's end. So
//! a job that waits occupies no thread. Suspended jobs keep their place among the `capacity`: what is
//! queued or suspended together is bounded.
//!
//! *Jobs that a waiting worker ran itself* stay in the queue, where running them does nothing. Who finds
//! the queue full takes them out first, so that they keep nothing out.
//!
//! *Woken while it is polled.* Its [`Turn`] says so, and the worker puts it back itself.
//!
//! *Shut down.* No job is taken any more but from workers, whose jobs go on with what was begun; they run what
//! is queued and what was suspended, until all have ended, then leave. A suspended job that is never woken keeps its pool from that, so a
//! shutdown can be given a limit; after that, what has not ended is dropped, which tells its handlers.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{AsyncJob, ExecuteError, Executor, Job, Refusal, SyncJob, Waiting};
use crate::handlers::turn::Turn;
use crate::shield::{caught, discard, drop_shielded};
use crate::sync::Ordering::{Acquire, Release};
use crate::sync::{Arc, AtomicBool, Condvar, Mutex};

/// How many jobs a pool's queue holds unless told otherwise.
const DEFAULT_QUEUE: usize = 1_024;

/// Threads that run handlers, with a bounded queue before them.
///
/// A cheap handle: clones share the threads, so several emitters and dispatchers can. It belongs to who
/// made it: an emitter that is dropped leaves it alone, [`shutdown`](ThreadPool::shutdown) ends it, and
/// so does dropping the last handle, without waiting.
///
/// Async handlers are polled by the same threads, and occupy none while they wait. A handler that emits
/// on its own pool and waits does not starve it: it runs those handlers itself that no thread has begun.
/// It takes no other jobs meanwhile, so that a lock which it holds is safe from them; where the handlers
/// that it waits for need the handlers of other events, a pool needs another thread.
///
/// ```
/// use chanbus::{Emitter, Handlers, ThreadPool};
///
/// let pool = ThreadPool::new(4)?;
/// let handlers = Handlers::new();
/// handlers.on("a").call(|_| println!("{:?}", std::thread::current().name()))?;
/// let report = Emitter::thread_pool(&handlers, &pool).emit("a", 7)?;
/// assert_eq!(report.called, 1);
/// pool.shutdown();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ThreadPool {
    shared: Arc<Shared>,
    /// Ends the pool with the last handle.
    _owner: Arc<Owner>,
}

/// What an emit does with a job that finds a pool's queue full.
///
/// ```
/// use chanbus::{ThreadPool, WhenFull};
///
/// let pool = ThreadPool::builder(1).queue(16).when_full(WhenFull::Refuse).build()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// It runs the job itself, on its own thread. Nothing is lost, nobody waits for room, and who emits
    /// too fast is slowed down. An async job is run to its end, or, where the emit is awaited, as part of it.
    #[default]
    RunHere,
    /// It waits for room; one of the pool's own threads, and an emit that is awaited, runs the job itself
    /// instead.
    Wait,
    /// The job is refused: its handler counts as failed ([`Refusal::QueueFull`]).
    Refuse,
}

/// A pool with other settings than the defaults; made by [`ThreadPool::builder`].
///
/// | Setting | Default |
/// |---|---|
/// | [`name`](ThreadPoolBuilder::name) | `chanbus-pool` |
/// | [`queue`](ThreadPoolBuilder::queue) | 1,024 jobs |
/// | [`when_full`](ThreadPoolBuilder::when_full) | [`WhenFull::RunHere`] |
///
/// ```
/// let pool = chanbus::ThreadPool::builder(2).name("mail").build()?;
/// assert_eq!(pool.threads(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug, Clone)]
pub struct ThreadPoolBuilder {
    threads: usize,
    name: String,
    queue: usize,
    when_full: WhenFull,
}

impl ThreadPoolBuilder {
    /// The threads' name; each has its number after it.
    ///
    /// ```
    /// let pool = chanbus::ThreadPool::builder(1).name("mail").build()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        // The system's names end at a zero.
        self.name = name.into().replace('\0', "");
        self
    }

    /// How many jobs may be queued or suspended. Async jobs that threads have in hand come on top.
    ///
    /// ```
    /// let pool = chanbus::ThreadPool::builder(1).queue(16).build()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn queue(mut self, jobs: usize) -> Self {
        self.queue = jobs;
        self
    }

    /// What becomes of a job that finds the queue full.
    ///
    /// ```
    /// # use chanbus::WhenFull;
    /// let pool = chanbus::ThreadPool::builder(1).when_full(WhenFull::Wait).build()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.when_full = policy;
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// No thread, or no room for a job, was asked for; or the system would not start a thread.
    ///
    /// ```
    /// assert!(chanbus::ThreadPool::builder(0).build().is_err());
    /// ```
    pub fn build(self) -> io::Result<ThreadPool> {
        if self.threads == 0 {
            return Err(invalid(
                "a pool of 0 threads would run nothing: give it at least 1",
            ));
        }
        if self.queue == 0 {
            return Err(invalid(
                "a queue of 0 jobs takes none: give `queue` at least 1",
            ));
        }
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                ready: VecDeque::new(),
                suspended: HashMap::new(),
                running: 0,
                serving: 0,
                waiting_for_room: 0,
                phase: Phase::Open,
                threads: Vec::new(),
            }),
            work: Condvar::new(),
            room: Condvar::new(),
            ended: Condvar::new(),
            capacity: self.queue,
            when_full: self.when_full,
            count: self.threads,
        });
        let pool = ThreadPool {
            _owner: Arc::new(Owner(Arc::clone(&shared))),
            shared,
        };
        for number in 0..self.threads {
            let shared = Arc::clone(&pool.shared);
            // If one cannot be started, the pool is dropped, which ends the others.
            let thread = thread::Builder::new()
                .name(format!("{}-{number}", self.name))
                .spawn(move || serve(&shared))?;
            let mut state = pool.shared.state.lock();
            state.serving += 1;
            state.threads.push(thread);
        }
        Ok(pool)
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

impl ThreadPool {
    /// A pool of so many threads, with the default settings.
    ///
    /// # Errors
    ///
    /// No threads were asked for, or the system would not start one.
    ///
    /// ```
    /// let pool = chanbus::ThreadPool::new(4)?;
    /// assert_eq!(pool.threads(), 4);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(threads: usize) -> io::Result<Self> {
        Self::builder(threads).build()
    }

    /// A pool with other settings.
    ///
    /// ```
    /// let pool = chanbus::ThreadPool::builder(2).queue(64).build()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder(threads: usize) -> ThreadPoolBuilder {
        ThreadPoolBuilder {
            threads,
            name: "chanbus-pool".to_owned(),
            queue: DEFAULT_QUEUE,
            when_full: WhenFull::default(),
        }
    }

    /// How many threads it has.
    ///
    /// ```
    /// assert_eq!(chanbus::ThreadPool::new(3)?.threads(), 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn threads(&self) -> usize {
        self.shared.count
    }

    /// How many jobs are queued or suspended.
    ///
    /// ```
    /// assert_eq!(chanbus::ThreadPool::new(1)?.queued(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.state.lock().held()
    }

    /// Takes no more jobs, waits until those that it has are done, with all that they lead to on this pool,
    /// and ends the threads. Emits that other threads wait for should have ended before: their later
    /// steps are refused.
    ///
    /// Called by one of its own threads, it waits for nothing. A second call waits as the first does.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, ThreadPool};
    /// let pool = ThreadPool::new(1)?;
    /// pool.shutdown();
    ///
    /// let handlers = Handlers::new();
    /// handlers.on("a").call(|_| {})?;
    /// let report = Emitter::thread_pool(&handlers, &pool).emit("a", 7)?;
    /// assert_eq!((report.called, report.failed), (0, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(&self) {
        self.shut_down(None);
    }

    /// [`shutdown`](ThreadPool::shutdown), with a limit to the waiting; whether all was done in time.
    ///
    /// Called by one of its own threads, it waits for nothing and drops nothing. Jobs that have not begun by
    /// then, and suspended ones, are dropped, which counts as a failure of
    /// their handlers; threads that are inside of a handler leave the pool when that returns.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let pool = chanbus::ThreadPool::new(1)?;
    /// assert!(pool.shutdown_timeout(Duration::from_secs(5)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown_timeout(&self, limit: Duration) -> bool {
        self.shut_down(Instant::now().checked_add(limit))
    }

    fn shut_down(&self, deadline: Option<Instant>) -> bool {
        let shared = &self.shared;
        let mut state = shared.state.lock();
        state.phase = state.phase.max(Phase::Draining);
        shared.work.notify_all();
        shared.room.notify_all();
        if shared.is_worker() {
            return false;
        }
        while !state.is_idle() {
            match deadline {
                None => shared.ended.wait(&mut state),
                Some(deadline) => {
                    if shared.ended.wait_until(&mut state, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        let done = state.is_idle();
        if !done {
            state.phase = Phase::Over;
            shared.work.notify_all();
        }
        let (ready, suspended) = if done {
            Default::default()
        } else {
            let ready = std::mem::take(&mut state.ready);
            (ready, std::mem::take(&mut state.suspended))
        };
        if !done {
            // Whoever waits for the end has it now, but for what runs.
            shared.ended.notify_all();
        }
        let threads = std::mem::take(&mut state.threads);
        drop(state);
        for item in ready {
            drop_shielded(item);
        }
        for task in suspended.into_values() {
            task.give_up();
        }
        if done {
            for thread in threads {
                // A worker catches all panics.
                let _ = thread.join();
            }
            // Another shutdown may have taken the threads; all have left when this says so.
            let mut state = shared.state.lock();
            while state.serving > 0 {
                shared.ended.wait(&mut state);
            }
        }
        done
    }
}

impl ThreadPool {
    /// Queues a job, or hands it back where there is no room; waits for room if it may.
    fn push(&self, job: Job, may_wait: bool) -> Result<Option<Job>, ExecuteError> {
        let shared = &self.shared;
        // Goes after the lock: it may be the last to hold an event.
        let mut _idle = Vec::new();
        let mut state = shared.state.lock();
        if state.held() >= shared.capacity {
            _idle = state.take_idle();
        }
        while may_wait && state.phase == Phase::Open && state.held() >= shared.capacity {
            state.waiting_for_room += 1;
            shared.room.wait(&mut state);
            state.waiting_for_room -= 1;
        }
        // What its own threads hand it belongs to what it has begun.
        let is_rest = state.phase == Phase::Draining && shared.is_worker();
        if state.phase != Phase::Open && !is_rest {
            return Err(job.refuse(Refusal::ShutDown));
        }
        if state.held() < shared.capacity {
            let item = match job {
                Job::Sync(job) => Item::Sync(job),
                Job::Async(job) => Item::Async(Task::new(shared, job)),
            };
            state.ready.push_back(item);
            drop(state);
            shared.work.notify_one();
            return Ok(None);
        }
        drop(state);
        if shared.when_full == WhenFull::Refuse {
            let capacity = shared.capacity;
            return Err(job.refuse(Refusal::QueueFull { capacity }));
        }
        Ok(Some(job))
    }
}

impl Executor for ThreadPool {
    fn execute(&self, job: Job) -> Result<(), ExecuteError> {
        let may_wait = self.shared.when_full == WhenFull::Wait && !self.shared.is_worker();
        if let Some(job) = self.push(job, may_wait)? {
            job.run();
        }
        Ok(())
    }

    fn offer(&self, job: Job) -> Result<Option<Job>, ExecuteError> {
        self.push(job, false)
    }

    fn name(&self) -> &str {
        "ThreadPool"
    }

    fn waiting(&self) -> Waiting {
        if self.shared.is_worker() {
            Waiting::Help
        } else {
            Waiting::Block
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("threads", &self.shared.count)
            .field("capacity", &self.shared.capacity)
            .field("when_full", &self.shared.when_full)
            .finish_non_exhaustive()
    }
}

/// What handles and threads share.
struct Shared {
    state: Mutex<State>,
    /// Something is ready, or the phase has changed.
    work: Condvar,
    /// There is room in the queue.
    room: Condvar,
    /// All jobs have ended.
    ended: Condvar,
    capacity: usize,
    when_full: WhenFull,
    count: usize,
}

struct State {
    ready: VecDeque<Item>,
    /// Async jobs that wait for their wakers, by address.
    suspended: HashMap<usize, Arc<Task>>,
    running: usize,
    /// Threads that have not left.
    serving: usize,
    waiting_for_room: usize,
    phase: Phase,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    /// Shut down; what it has is done.
    Draining,
    /// What has not begun is not done.
    Over,
}

/// Something that a worker can do at once.
enum Item {
    Sync(SyncJob),
    Async(Arc<Task>),
}

impl Item {
    /// Whether running it would do nothing.
    fn is_idle(&self) -> bool {
        match self {
            Item::Sync(job) => job.is_claimed(),
            Item::Async(task) => {
                let job = task.job.lock();
                !task.begun.load(Acquire) && job.as_ref().is_none_or(AsyncJob::is_claimed)
            }
        }
    }
}

impl State {
    /// What counts against the capacity.
    fn held(&self) -> usize {
        self.ready.len() + self.suspended.len()
    }

    /// Takes out what a waiting worker has run itself: there is nothing left to do about it.
    fn take_idle(&mut self) -> Vec<Item> {
        let (idle, ready) = std::mem::take(&mut self.ready)
            .into_iter()
            .partition(Item::is_idle);
        self.ready = ready;
        Vec::from_iter::<VecDeque<_>>(idle)
    }

    fn is_idle(&self) -> bool {
        self.held() == 0 && self.running == 0
    }
}

thread_local! {
    /// The pool that this thread belongs to, by address.
    static POOL: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Shared {
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn is_worker(&self) -> bool {
        POOL.get() == self.address()
    }

    /// Puts a woken job where workers find it.
    fn ready_again(&self, task: Arc<Task>) {
        let mut state = self.state.lock();
        state.suspended.remove(&task.address());
        let over = state.phase == Phase::Over;
        if !over {
            state.ready.push_back(Item::Async(Arc::clone(&task)));
        }
        drop(state);
        if over {
            task.give_up();
        }
        self.work.notify_one();
    }
}

/// A worker's life.
fn serve(shared: &Arc<Shared>) {
    POOL.set(shared.address());
    work(shared);
    shared.state.lock().serving -= 1;
    shared.ended.notify_all();
}

fn work(shared: &Arc<Shared>) {
    let mut state = shared.state.lock();
    loop {
        if state.phase == Phase::Over {
            break;
        }
        let Some(item) = state.ready.pop_front() else {
            if state.phase == Phase::Draining && state.is_idle() {
                break;
            }
            shared.work.wait(&mut state);
            continue;
        };
        state.running += 1;
        if state.waiting_for_room > 0 {
            shared.room.notify_one();
        }
        drop(state);
        let suspended = match item {
            Item::Sync(job) => {
                // A job catches what handlers throw; this is for what may come beside them.
                if let Err(thrown) = caught(|| job.run()) {
                    discard(thrown);
                }
                None
            }
            Item::Async(task) => task.poll(shared),
        };
        state = shared.state.lock();
        if let Some(Again(task)) = suspended {
            if state.phase == Phase::Over {
                // Nobody would take it from the queue any more.
                drop(state);
                task.give_up();
                state = shared.state.lock();
            } else {
                state.ready.push_back(Item::Async(task));
            }
        }
        state.running -= 1;
        if state.is_idle() {
            shared.ended.notify_all();
            if state.phase != Phase::Open {
                shared.work.notify_all();
            }
        }
    }
}

/// An async job of the pool.
struct Task {
    pool: Arc<Shared>,
    /// Taken out while it is polled; `None` after its end.
    job: Mutex<Option<AsyncJob>>,
    /// It was polled here; else who has claimed it is somebody else.
    begun: AtomicBool,
    turn: Turn,
}

/// Was woken while it was polled.
struct Again(Arc<Task>);

impl Task {
    fn new(pool: &Arc<Shared>, job: AsyncJob) -> Arc<Self> {
        Arc::new(Task {
            pool: Arc::clone(pool),
            job: Mutex::new(Some(job)),
            begun: AtomicBool::new(false),
            turn: Turn::queued(),
        })
    }

    /// Polls it once; it comes back if it is to be polled again at once.
    fn poll(self: Arc<Self>, shared: &Shared) -> Option<Again> {
        let mut job = self.job.lock().take()?;
        // Release: who sees it in the queue again sees this.
        self.begun.store(true, Release);
        self.turn.begin();
        let waker = Waker::from(Arc::clone(&self));
        let polled = caught(|| {
            let mut cx = Context::from_waker(&waker);
            std::pin::Pin::new(&mut job).poll(&mut cx)
        });
        match polled {
            Ok(Poll::Pending) => {}
            ended => {
                if let Err(thrown) = ended {
                    discard(thrown);
                }
                // What it held is the user's.
                drop_shielded(job);
                return None;
            }
        }
        *self.job.lock() = Some(job);
        // Listed before it can be woken, which takes it off the list.
        let listed = Arc::clone(&self);
        shared.state.lock().suspended.insert(self.address(), listed);
        let rests = self.turn.rest();
        let mut state = shared.state.lock();
        if !rests {
            state.suspended.remove(&self.address());
            return Some(Again(Arc::clone(&self)));
        }
        if state.phase == Phase::Over {
            state.suspended.remove(&self.address());
            drop(state);
            self.give_up();
        }
        None
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Drops the job, which tells its handlers.
    fn give_up(&self) {
        let job = self.job.lock().take();
        drop_shielded(job);
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if self.turn.wake() {
            let pool = Arc::clone(&self.pool);
            pool.ready_again(self);
        }
    }
}

/// Ends the pool when the last handle goes; the threads have handles of `Shared` only.
struct Owner(Arc<Shared>);

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.phase = state.phase.max(Phase::Draining);
        // Not joined: they leave when they are done.
        let threads = std::mem::take(&mut state.threads);
        drop(state);
        drop(threads);
        self.0.work.notify_all();
        self.0.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::handlers::{Emitter, Flow, Handlers, Priority};

    #[test]
    fn h8_a_shutdown_lets_events_that_have_begun_come_to_their_end() {
        let pool = ThreadPool::new(1).unwrap();
        let handlers = Handlers::new();
        let (leave, left) = mpsc::channel::<()>();
        let left = std::sync::Mutex::new(left);
        let first = handlers.on("a").priority(Priority::HIGH);
        first
            .handle(move |_, ctx| {
                left.lock().unwrap().recv()?;
                ctx.emit("b", ())?;
                Ok(Flow::Continue)
            })
            .unwrap();
        handlers.on(["a", "b"]).call(|_| {}).unwrap();
        let last = handlers.on("a").priority(Priority::LOW);
        last.handle_async(|_, _| async { Ok(Flow::Continue) })
            .unwrap();
        let emitter = Emitter::thread_pool(&handlers, &pool);
        emitter.emit_detached("a", ()).unwrap();

        let owner = pool.clone();
        let shutdown = thread::spawn(move || owner.shutdown());
        while pool.shared.state.lock().phase == Phase::Open {
            thread::yield_now();
        }
        assert_eq!(emitter.emit("b", ()).unwrap().failed, 1, "a new event");
        leave.send(()).unwrap();
        shutdown.join().unwrap();
        let stats = handlers.stats();
        assert_eq!((stats.called, stats.failed), (4, 1), "{stats}");
    }
}
