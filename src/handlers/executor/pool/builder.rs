//! A pool in the making.

use std::io;
use std::thread;

use super::workers::{Owner, Shared, serve};
use super::{ThreadPool, WhenFull};
use crate::sync::Arc;

/// How many jobs a pool's queue holds unless told otherwise.
const DEFAULT_QUEUE: usize = 1_024;

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
    pub(super) fn new(threads: usize) -> Self {
        ThreadPoolBuilder {
            threads,
            name: "chanbus-pool".to_owned(),
            queue: DEFAULT_QUEUE,
            when_full: WhenFull::default(),
        }
    }

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
        let shared = Arc::new(Shared::new(self.threads, self.queue, self.when_full));
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
