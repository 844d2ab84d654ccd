//! The one door to atomics, snapshots, locks and queues.
//!
//! Every file with a concurrent protocol (`registry.rs`, `bus/subscriber/`) takes its
//! primitives from here and from nowhere else, so that a model checker can run the very same source
//! on a twin of this module. Nothing here knows about events, topics or buses.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::sync::LazyLock;
use std::time::Instant;

use arc_swap::{ArcSwap, ArcSwapOption};
use crossbeam_channel::TrySendError;

pub(crate) use crossbeam_channel::{Receiver, RecvTimeoutError, Select, Sender, bounded};
pub(crate) use once_cell::race::OnceBox;
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
pub(crate) use std::sync::{Arc, OnceLock, Weak};

/// A cell whose every access is a call, so that a model checker can watch them.
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        UnsafeCell(std::cell::UnsafeCell::new(value))
    }

    /// For reading. What may be done with the pointer is the caller's argument.
    #[inline]
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    /// For writing. What may be done with the pointer is the caller's argument.
    #[inline]
    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

/// A number that no other call gets, in this process and for ever.
pub(crate) fn unique_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Relaxed: only distinctness counts.
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A number of this thread's own, above zero and never used again.
#[inline]
pub(crate) fn thread_number() -> u64 {
    thread_local!(static NUMBER: Cell<u64> = const { Cell::new(0) });

    #[cold]
    fn first() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // Relaxed: only distinctness counts.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        NUMBER.set(number);
        number
    }

    match NUMBER.get() {
        0 => first(),
        number => number,
    }
}

/// A value on a cache line of its own, so that its writers do not slow its neighbours' readers.
///
/// 128 bytes: x86 fetches lines in pairs, and some ARM cores have lines of that size.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A shared value that readers see whole while writers replace it.
///
/// Readers never wait: a load neither blocks nor is blocked by a store. This type is the only place
/// that names `arc-swap`, so its strategy can be exchanged here alone.
pub(crate) struct Snapshot<T>(ArcSwap<T>);

impl<T> Snapshot<T> {
    pub(crate) fn new(value: T) -> Self {
        Snapshot(ArcSwap::from_pointee(value))
    }

    /// The value as it is now; stays valid, and unchanged, while the guard lives.
    pub(crate) fn load(&self) -> impl Deref<Target = Arc<T>> {
        self.0.load()
    }

    /// Replaces the value. The old one comes back so that the caller chooses where it is freed.
    pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
        self.0.swap(value)
    }
}

/// A callback that can be taken away while others are inside it.
///
/// [`clear`](Hook::clear) frees it there and then, or, when a call is running, when that call leaves.
pub(crate) struct Hook<F: ?Sized>(ArcSwapOption<Box<F>>);

impl<F: ?Sized> Hook<F> {
    pub(crate) fn new(callback: Box<F>) -> Self {
        Hook(ArcSwapOption::from_pointee(callback))
    }

    /// Runs `call` on the callback, or returns `None` when it was cleared before.
    pub(crate) fn with<R>(&self, call: impl FnOnce(&F) -> R) -> Option<R> {
        let guard = self.0.load();
        guard.as_ref().map(|callback| call(callback))
    }

    /// Takes the callback away: no call begins after this returns.
    ///
    /// The callback's captures are user values, so the caller drops what comes back where a
    /// panicking destructor does no harm.
    pub(crate) fn clear(&self) -> Option<Arc<Box<F>>> {
        self.0.swap(None)
    }
}

/// A bounded queue that holds both of its ends, so it never disconnects.
pub(crate) struct Queue<M> {
    sender: Sender<M>,
    receiver: Receiver<M>,
}

/// Why a wait ended without a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimedOut;

impl<M> Queue<M> {
    /// A queue of exactly `capacity` slots; `capacity` must be positive.
    pub(crate) fn new(capacity: usize) -> Self {
        let (sender, receiver) = crossbeam_channel::bounded(capacity);
        Queue { sender, receiver }
    }

    /// Pushes without waiting; a full queue hands the message back.
    ///
    /// A push or a pop that did something is a sequentially consistent update of the queue's own words,
    /// and one that found the queue full or empty has passed a full fence since the caller's last
    /// store. So of two threads, one that pushes or pops and then loads a flag (`SeqCst`), another
    /// that stores the flag and then finds the queue full or empty, one sees the other. It is what
    /// crossbeam's own sleepers rest on: a receiver registers and then looks whether the queue is empty,
    /// a sender pushes and then looks whether a receiver is registered, with no other fence in between.
    #[inline]
    pub(crate) fn try_push(&self, message: M) -> Result<(), M> {
        self.sender.try_send(message).map_err(|error| match error {
            TrySendError::Full(message) | TrySendError::Disconnected(message) => message,
        })
    }

    /// Takes the oldest message, if there is one.
    #[inline]
    pub(crate) fn try_pop(&self) -> Option<M> {
        self.receiver.try_recv().ok()
    }

    /// Takes the oldest message, asleep until there is one or the deadline has passed.
    pub(crate) fn pop(&self, deadline: Option<Instant>) -> Result<M, TimedOut> {
        match deadline {
            // The queue holds its own sender, so `recv` cannot report a disconnection.
            None => self.receiver.recv().map_err(|_| TimedOut),
            Some(deadline) => match self.receiver.recv_deadline(deadline) {
                Ok(message) => Ok(message),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(TimedOut),
            },
        }
    }

    /// Sleeps until a pop may succeed, without taking anything; `false` when the deadline passed.
    pub(crate) fn wait_readable(&self, deadline: Option<Instant>) -> bool {
        let mut select = Select::new();
        select.recv(&self.receiver);
        ready(&mut select, deadline).is_some()
    }

    /// Sleeps until a push may succeed or `signal` is raised; `false` when the deadline passed.
    pub(crate) fn wait_writable(&self, signal: &Signal, deadline: Instant) -> bool {
        let mut select = Select::new();
        select.send(&self.sender);
        select.recv(&signal.raised);
        ready(&mut select, Some(deadline)).is_some()
    }

    /// A figure of this moment.
    pub(crate) fn len(&self) -> usize {
        self.receiver.len()
    }

    /// The same for who acts on it: after a full fence it has all pushes and takes that came before a full fence of
    /// those who see what this thread wrote before its own.
    pub(crate) fn waiting(&self) -> usize {
        self.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.receiver.capacity().unwrap_or(usize::MAX)
    }

    /// Adds this queue's receiving side to a `Select` of the user's.
    pub(crate) fn register<'a>(&'a self, select: &mut Select<'a>) -> usize {
        select.recv(&self.receiver)
    }
}

fn ready(select: &mut Select<'_>, deadline: Option<Instant>) -> Option<usize> {
    match deadline {
        None => Some(select.ready()),
        Some(deadline) => select.ready_deadline(deadline).ok(),
    }
}

impl<M> fmt::Debug for Queue<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Queue({}/{})", self.len(), self.capacity())
    }
}

/// Raised once; wakes every [`Queue::wait_writable`] that watches it, also those that come later.
pub(crate) struct Signal {
    keep: Mutex<Option<Sender<()>>>,
    raised: Receiver<()>,
}

impl Signal {
    pub(crate) fn new() -> Self {
        let (sender, raised) = crossbeam_channel::bounded(1);
        Signal {
            keep: Mutex::new(Some(sender)),
            raised,
        }
    }

    pub(crate) fn raise(&self) {
        // A disconnected receiver is ready for ever.
        drop(self.keep.lock().take());
    }
}

/// Adds an operation that is always ready to a `Select` of the user's.
pub(crate) fn register_ready(select: &mut Select<'_>) -> usize {
    static READY: LazyLock<Receiver<()>> = LazyLock::new(|| crossbeam_channel::bounded(1).1);
    select.recv(&READY)
}

/// Orders everything before it with everything after it, for every thread that does the same.
pub(crate) fn fence_full() {
    fence(Ordering::SeqCst);
}
