//! A pool of threads for handlers: its handle. Its threads are in `workers.rs`.

mod builder;
mod task;
mod workers;

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

pub use self::builder::ThreadPoolBuilder;

use self::task::Task;
use self::workers::{Item, Owner, Phase, Shared};
use super::{ExecuteError, Executor, Job, Refusal, Waiting};
use crate::shield::drop_shielded;
use crate::sync::Arc;

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
        ThreadPoolBuilder::new(threads)
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

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
