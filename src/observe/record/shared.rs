//! What a recorder's thread and its owner both have: orders one way, counts and the end the other.

use std::io;
use std::time::{Duration, Instant};

use crate::sync::{Arc, AtomicBool, AtomicU64, Condvar, Mutex, Ordering};

/// What the thread is to do. It only ever goes down this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    Run,
    /// To write what is queued, and to end.
    Drain,
    /// To end.
    Now,
}

pub(super) struct Shared {
    control: Mutex<Control>,
    /// Is told of every change of that.
    changed: Condvar,
    // Relaxed, all of them: figures, each written by the recorder's thread alone. Who waited for its end sees them
    // as they were then, by the lock.
    pub(super) written: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// Whether the writer failed when it was last tried.
    pub(super) failing: AtomicBool,
    pub(super) full: AtomicBool,
    told: Mutex<Told>,
}

struct Control {
    order: Order,
    /// The thread has done its work.
    ended: bool,
    /// What kept it from doing all of it.
    failure: Option<Arc<io::Error>>,
}

/// The last things that went wrong.
#[derive(Clone, Default)]
pub(super) struct Told {
    pub(super) error: Option<Arc<io::Error>>,
    pub(super) refusal: Option<Arc<str>>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Shared {
            control: Mutex::new(Control {
                order: Order::Run,
                ended: false,
                failure: None,
            }),
            changed: Condvar::new(),
            written: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            full: AtomicBool::new(false),
            told: Mutex::default(),
        }
    }

    pub(super) fn order(&self, order: Order) {
        let mut control = self.control.lock();
        control.order = control.order.max(order);
        drop(control);
        self.changed.notify_all();
    }

    pub(super) fn ordered(&self) -> Order {
        self.control.lock().order
    }

    /// Waits for an order to end, so long at most.
    pub(super) fn wait_ordered(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let mut control = self.control.lock();
        while control.order == Order::Run {
            if self.changed.wait_until(&mut control, deadline).timed_out() {
                return;
            }
        }
    }

    pub(super) fn end(&self, failure: Option<Arc<io::Error>>) {
        let mut control = self.control.lock();
        control.ended = true;
        control.failure = failure;
        drop(control);
        self.changed.notify_all();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.control.lock().ended
    }

    /// What kept it from writing all.
    pub(super) fn failure(&self) -> Option<Arc<io::Error>> {
        self.control.lock().failure.clone()
    }

    /// Waits for the end; whether it came in time.
    pub(super) fn wait_ended(&self, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut control = self.control.lock();
        while !control.ended {
            match deadline {
                None => self.changed.wait(&mut control),
                Some(deadline) => {
                    if self.changed.wait_until(&mut control, deadline).timed_out() {
                        return control.ended;
                    }
                }
            }
        }
        true
    }

    pub(super) fn failed(&self, error: &Arc<io::Error>) {
        let before = self.told.lock().error.replace(Arc::clone(error));
        // It may hold an error of the user's, with a destructor.
        crate::shield::drop_shielded(before);
        // Relaxed: a figure, as all of them.
        self.failing.store(true, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, reason: &str) {
        // Relaxed: a figure, as all of them.
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.told.lock().refusal = Some(reason.into());
    }

    pub(super) fn told(&self) -> Told {
        self.told.lock().clone()
    }
}
