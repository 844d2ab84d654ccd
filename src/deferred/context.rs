//! The one context of a bus of side effects: held by one at a time.
//!
//! Who finds it held by another thread waits. Who holds it himself would wait for ever, and is told instead:
//! that is why the holder is written down beside the lock. He is the only one to whom it matters, and reads
//! what he himself has written.

use std::error::Error;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::thread::{self, ThreadId};

use crate::sync::{Mutex, MutexGuard};

pub(super) struct Slot<C> {
    holder: Mutex<Option<ThreadId>>,
    context: Mutex<C>,
}

impl<C> Slot<C> {
    pub(super) fn new(context: C) -> Self {
        Slot {
            holder: Mutex::new(None),
            context: Mutex::new(context),
        }
    }

    pub(super) fn hold(&self) -> Result<ContextGuard<'_, C>, ContextInUse> {
        let me = thread::current().id();
        if *self.holder.lock() == Some(me) {
            return Err(ContextInUse(()));
        }
        let context = self.context.lock();
        *self.holder.lock() = Some(me);
        Ok(ContextGuard {
            holder: &self.holder,
            context,
        })
    }

    pub(super) fn into_inner(self) -> C {
        self.context.into_inner()
    }
}

/// The context of a [`SideEffectsBus`](crate::SideEffectsBus), held by this thread: others wait for it until
/// this is dropped.
///
/// ```
/// # use chanbus::{ContextGuard, SideEffectsBus};
/// let bus = SideEffectsBus::new(String::new());
/// let mut text: ContextGuard<'_, String> = bus.context()?;
/// text.push_str("hello");
/// drop(text);
/// assert_eq!(&**bus.context()?, "hello");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "others wait while this is held"]
pub struct ContextGuard<'a, C> {
    holder: &'a Mutex<Option<ThreadId>>,
    context: MutexGuard<'a, C>,
}

impl<C> Deref for ContextGuard<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.context
    }
}

impl<C> DerefMut for ContextGuard<'_, C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.context
    }
}

impl<C> Drop for ContextGuard<'_, C> {
    fn drop(&mut self) {
        // Before the context itself is let go, which the next holder waits for.
        *self.holder.lock() = None;
    }
}

impl<C: fmt::Debug> fmt::Debug for ContextGuard<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// This very thread holds the context already, and would wait for itself.
///
/// ```
/// use chanbus::{Commit, DeferredBus, Publish, SideEffect, SideEffectsBus};
///
/// let bus = SideEffectsBus::new(0);
/// let inner = bus.clone();
/// bus.publish(SideEffect::new("look", move |_, _| {
///     let _ = inner.context()?;
///     Ok(())
/// }))?;
/// let error = bus.apply(Commit::Real).unwrap_err();
/// assert!(error.to_string().contains("this thread holds the context"));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextInUse(());

impl fmt::Display for ContextInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this thread holds the context already: use what the effect was given, or drop the guard \
             before",
        )
    }
}

impl Error for ContextInUse {}
