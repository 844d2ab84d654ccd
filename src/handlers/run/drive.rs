//! Who polls a future where there is no runtime.
//!
//! # Protocol
//!
//! *One who waits* polls, and parks in between. A wake raises `called` and unparks the thread, which polls
//! again only after it has taken `called` down. So a wake amid a poll is not lost, and a thread that was
//! unparked for something else goes back to sleep.
//!
//! *Where nobody waits*, whoever wakes polls. Who moves `state` away from idle is the only one to poll, and
//! to take the future out of its slot. A wake amid a poll has that one poll once more before it goes
//! back to idle. After the end it never does, so later wakes do nothing.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::handlers::turn::Turn;
use crate::sync::Ordering::AcqRel;
use crate::sync::{Arc, AtomicBool, Mutex};

/// Polls a future to its end on this thread, asleep in between.
pub(in crate::handlers) fn block_on<R>(future: impl Future<Output = R>) -> R {
    /// Wakes a thread, and remembers that it did: the thread may be busy, or asleep for something else.
    struct Bed {
        thread: Thread,
        called: AtomicBool,
    }

    impl Wake for Bed {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            // AcqRel: what was done before the call is seen by the poll after it.
            if !self.called.swap(true, AcqRel) {
                self.thread.unpark();
            }
        }
    }

    let bed = Arc::new(Bed {
        thread: thread::current(),
        called: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&bed));
    let mut cx = TaskContext::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut cx) {
            return result;
        }
        while !bed.called.swap(false, AcqRel) {
            thread::park();
        }
    }
}

/// A future that nobody waits for: whoever wakes it polls it.
type Detached = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Polls a future here, and from then on wherever it is woken.
///
/// Its polls must be short and free of the user's code, as they run inside of wakers:
/// [`fly`](super::fly()) for nobody is such a one, where its executor is.
pub(in crate::handlers) fn detach(future: Detached) {
    let driver = Arc::new(Driver {
        turn: Turn::queued(),
        future: Mutex::new(Some(future)),
    });
    driver.poll();
}

struct Driver {
    turn: Turn,
    /// Taken out for the poll, so that it runs under no lock; `None` after the end.
    future: Mutex<Option<Detached>>,
}

impl Wake for Driver {
    fn wake(self: Arc<Self>) {
        if self.turn.wake() {
            self.poll();
        }
    }
}

impl Driver {
    fn poll(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut cx = TaskContext::from_waker(&waker);
        loop {
            self.turn.begin();
            let Some(mut future) = self.future.lock().take() else {
                // It has ended; its turn never ends, so that nobody comes here again.
                return;
            };
            if future.as_mut().poll(&mut cx).is_ready() {
                return;
            }
            *self.future.lock() = Some(future);
            if self.turn.rest() {
                return;
            }
        }
    }
}
