//! An async job of a pool.

use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

use super::workers::{Phase, Shared};
use crate::handlers::executor::AsyncJob;
use crate::handlers::turn::Turn;
use crate::shield::{caught, discard, drop_shielded};
use crate::sync::Ordering::Release;
use crate::sync::{Arc, AtomicBool, Mutex};

/// An async job of the pool.
pub(super) struct Task {
    pool: Arc<Shared>,
    /// Taken out while it is polled; `None` after its end.
    pub(super) job: Mutex<Option<AsyncJob>>,
    /// It was polled here; else who has claimed it is somebody else.
    pub(super) begun: AtomicBool,
    turn: Turn,
}

/// Was woken while it was polled.
pub(super) struct Again(pub(super) Arc<Task>);

impl Task {
    pub(super) fn new(pool: &Arc<Shared>, job: AsyncJob) -> Arc<Self> {
        Arc::new(Task {
            pool: Arc::clone(pool),
            job: Mutex::new(Some(job)),
            begun: AtomicBool::new(false),
            turn: Turn::queued(),
        })
    }

    /// Polls it once; it comes back if it is to be polled again at once.
    pub(super) fn poll(self: Arc<Self>, shared: &Shared) -> Option<Again> {
        let mut job = self.job.lock().take()?;
        // Release: who sees it in the queue again sees this.
        self.begun.store(true, Release);
        self.turn.begin();
        let waker = Waker::from(Arc::clone(&self));
        let polled = caught(|| {
            let mut cx = Context::from_waker(&waker);
            Pin::new(&mut job).poll(&mut cx)
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

    pub(super) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Drops the job, which tells its handlers.
    pub(super) fn give_up(&self) {
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
