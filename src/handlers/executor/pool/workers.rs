//! The threads of a pool, and what they share with its handles.
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
//! *Woken while it is polled.* Its [`Turn`](crate::handlers::turn::Turn) says so, and the worker puts it back itself.
//!
//! *Shut down.* No job is taken any more but from workers, whose jobs go on with what was begun; they run what
//! is queued and what was suspended, until all have ended, then leave. A suspended job that is never woken keeps its pool from that, so a
//! shutdown can be given a limit; after that, what has not ended is dropped, which tells its handlers.

use std::collections::{HashMap, VecDeque};
use std::thread::JoinHandle;

use super::WhenFull;
use super::task::{Again, Task};
use crate::handlers::executor::{AsyncJob, SyncJob};
use crate::shield::{caught, discard};
use crate::sync::Ordering::Acquire;
use crate::sync::{Arc, Condvar, Mutex};

/// What handles and threads share.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// Something is ready, or the phase has changed.
    pub(super) work: Condvar,
    /// There is room in the queue.
    pub(super) room: Condvar,
    /// All jobs have ended.
    pub(super) ended: Condvar,
    pub(super) capacity: usize,
    pub(super) when_full: WhenFull,
    pub(super) count: usize,
}

pub(super) struct State {
    pub(super) ready: VecDeque<Item>,
    /// Async jobs that wait for their wakers, by address.
    pub(super) suspended: HashMap<usize, Arc<Task>>,
    pub(super) running: usize,
    /// Threads that have not left.
    pub(super) serving: usize,
    pub(super) waiting_for_room: usize,
    pub(super) phase: Phase,
    pub(super) threads: Vec<JoinHandle<()>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Open,
    /// Shut down; what it has is done.
    Draining,
    /// What has not begun is not done.
    Over,
}

/// Something that a worker can do at once.
pub(super) enum Item {
    Sync(SyncJob),
    Async(Arc<Task>),
}

impl Item {
    /// Whether running it would do nothing.
    pub(super) fn is_idle(&self) -> bool {
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
    pub(super) fn held(&self) -> usize {
        self.ready.len() + self.suspended.len()
    }

    /// Takes out what a waiting worker has run itself: there is nothing left to do about it.
    pub(super) fn take_idle(&mut self) -> Vec<Item> {
        let (idle, ready) = std::mem::take(&mut self.ready)
            .into_iter()
            .partition(Item::is_idle);
        self.ready = ready;
        Vec::from_iter::<VecDeque<_>>(idle)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.held() == 0 && self.running == 0
    }
}

thread_local! {
    /// The pool that this thread belongs to, by address.
    static POOL: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Shared {
    pub(super) fn new(threads: usize, capacity: usize, when_full: WhenFull) -> Self {
        Shared {
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
            capacity,
            when_full,
            count: threads,
        }
    }

    pub(super) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub(super) fn is_worker(&self) -> bool {
        POOL.get() == self.address()
    }

    /// Puts a woken job where workers find it.
    pub(super) fn ready_again(&self, task: Arc<Task>) {
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
pub(super) fn serve(shared: &Arc<Shared>) {
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

/// Ends the pool when the last handle goes; the threads have handles of `Shared` only.
pub(super) struct Owner(pub(super) Arc<Shared>);

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
