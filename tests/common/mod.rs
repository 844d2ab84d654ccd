//! What the tests of the promises share. Each test binary uses its own part of it.
#![allow(dead_code)]

pub(crate) mod counting;
pub(crate) mod places;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use chanbus::Overflow;

/// How long something may take before it counts as a hang.
pub(crate) const HANG: Duration = Duration::from_secs(30);

/// Every overflow policy.
pub(crate) const POLICIES: [Overflow; 3] =
    [Overflow::DropNewest, Overflow::DropOldest, Overflow::Latest];

/// So many rounds, or, for those who have the time, `CHANBUS_SOAK` times as many.
pub(crate) fn soaked(rounds: u64) -> u64 {
    let soak = std::env::var("CHANBUS_SOAK").ok();
    rounds * soak.and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Runs `body` on a thread of its own and fails, instead of hanging, when it does not come back.
pub(crate) fn guarded<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, is_done) = channel();
    let thread = thread::spawn(move || {
        let result = body();
        let _ = done.send(());
        result
    });
    if is_done.recv_timeout(HANG) == Err(RecvTimeoutError::Timeout) {
        panic!("still not done after {HANG:?}");
    }
    // Otherwise it is done, or it panicked and dropped the sender.
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Counts how many of its payloads are alive.
#[derive(Clone, Default)]
pub(crate) struct Census(Arc<AtomicUsize>);

impl Census {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn alive(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// One more that is alive, until it is dropped.
    pub(crate) fn born(&self) -> Counted {
        self.0.fetch_add(1, Ordering::SeqCst);
        Counted(self.clone())
    }
}

/// Counted by its [`Census`] while it is alive.
pub(crate) struct Counted(Census);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Calls a closure when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A payload whose destructor is a closure, or nothing.
pub(crate) type Hooked = Option<OnDrop<Box<dyn FnMut() + Send + Sync>>>;

pub(crate) fn hooked(act: impl FnMut() + Send + Sync + 'static) -> Hooked {
    Some(OnDrop(Box::new(act)))
}

/// Numbers that look random and are the same on every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % limit
    }

    /// Passes a moment of a length that differs from call to call, up to some microseconds.
    pub(crate) fn dawdle(&mut self) {
        for _ in 0..self.below(400) {
            std::hint::spin_loop();
        }
    }
}

/// The kernel's number of this thread, for [`wait_asleep`].
#[cfg(target_os = "linux")]
pub(crate) fn thread_number() -> i32 {
    nix::unistd::gettid().as_raw()
}

/// Returns once the thread sleeps in the kernel, as one that is blocked does and one that spins does not.
#[cfg(target_os = "linux")]
pub(crate) fn wait_asleep(thread: i32) {
    loop {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat"))
            .expect("the thread lives");
        // The state comes after the name, which may itself hold anything.
        let state = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.trim_start().chars().next());
        if state == Some('S') {
            return;
        }
        thread::yield_now();
    }
}

/// Runs `body` on a new thread and returns once it sleeps in there.
#[cfg(target_os = "linux")]
pub(crate) fn spawn_asleep<R: Send + 'static>(
    body: impl FnOnce() -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    let (tell, told) = channel();
    let thread = thread::spawn(move || {
        let _ = tell.send(thread_number());
        body()
    });
    wait_asleep(told.recv().expect("the thread began"));
    thread
}

/// Holds the first thread that passes until it is opened; later ones pass freely.
#[derive(Clone)]
pub(crate) struct Gate(Arc<GateParts>);

struct GateParts {
    passed: AtomicUsize,
    entered: (
        crossbeam_channel::Sender<()>,
        crossbeam_channel::Receiver<()>,
    ),
    opened: (
        crossbeam_channel::Sender<()>,
        crossbeam_channel::Receiver<()>,
    ),
}

impl Gate {
    pub(crate) fn new() -> Self {
        Gate(Arc::new(GateParts {
            passed: AtomicUsize::new(0),
            entered: crossbeam_channel::bounded(1),
            opened: crossbeam_channel::bounded(1),
        }))
    }

    pub(crate) fn pass(&self) {
        if self.0.passed.fetch_add(1, Ordering::SeqCst) == 0 {
            self.0.entered.0.send(()).expect("it holds both ends");
            self.0.opened.1.recv().expect("it holds both ends");
        }
    }

    /// Returns once a thread is held.
    pub(crate) fn wait_held(&self) {
        let held = self.0.entered.1.recv_timeout(HANG);
        held.expect("somebody comes to the gate");
    }

    pub(crate) fn open(&self) {
        self.0.opened.0.send(()).expect("it holds both ends");
    }
}
