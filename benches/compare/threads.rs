//! Two threads that run side by side, each on a core of its own where the system allows it.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Runs both at once, the first on this thread.
///
/// The affinity of this thread is put back, as threads that are made later inherit it.
pub(crate) fn side_by_side<A, B: Send>(
    first: impl FnOnce() -> A,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    thread::scope(|scope| {
        let second = scope.spawn(|| {
            let _pinned = Pinned::to(1);
            second()
        });
        let _pinned = Pinned::to(0);
        let first = first();
        match second.join() {
            Ok(second) => (first, second),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Where two threads wait for each other. They spin, as waking one up takes longer than many a chunk.
pub(crate) struct Gate(AtomicUsize);

impl Gate {
    pub(crate) fn new() -> Self {
        Gate(AtomicUsize::new(0))
    }

    pub(crate) fn meet(&self) {
        // What was done before the gate is seen behind it, by both.
        let ticket = self.0.fetch_add(1, Ordering::AcqRel);
        let both = (ticket / 2 + 1) * 2;
        spin_until(|| self.0.load(Ordering::Acquire) >= both);
    }
}

/// By then the other thread has panicked, and would be waited for in vain.
const PATIENCE: Duration = Duration::from_secs(60);

/// Spins, and lets others run if it takes long: on a machine of one core nothing would come of it.
pub(crate) fn spin_until(mut done: impl FnMut() -> bool) {
    let mut spins = 0_u32;
    let mut since = None;
    while !done() {
        spins += 1;
        if spins == 10_000 {
            spins = 0;
            thread::yield_now();
            let since = since.get_or_insert_with(Instant::now);
            assert!(since.elapsed() < PATIENCE, "the other thread does not come");
        }
        spin_loop();
    }
}

/// This thread stays on one core as long as the value lives.
#[cfg(target_os = "linux")]
pub(crate) struct Pinned(Option<nix::sched::CpuSet>);

#[cfg(target_os = "linux")]
impl Pinned {
    /// The core with that number among those allowed. Does nothing if there are not as many.
    pub(crate) fn to(number: usize) -> Self {
        use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};

        Pinned(sched_getaffinity(this_thread()).ok().and_then(|allowed| {
            let mut cores =
                (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
            let mut one = CpuSet::new();
            one.set(cores.nth(number)?).ok()?;
            sched_setaffinity(this_thread(), &one).ok()?;
            Some(allowed)
        }))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // If it fails, the thread stays where it is: slower at worst.
            let _ = nix::sched::sched_setaffinity(this_thread(), before);
        }
    }
}

#[cfg(target_os = "linux")]
fn this_thread() -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(0)
}

/// Elsewhere the system decides.
#[cfg(not(target_os = "linux"))]
pub(crate) struct Pinned;

#[cfg(not(target_os = "linux"))]
impl Pinned {
    pub(crate) fn to(_number: usize) -> Self {
        Pinned
    }
}
