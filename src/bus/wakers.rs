//! Calls the wakers of tasks that wait, which are the user's code: behind shields.
//!
//! # Calls that are passed on
//!
//! Who was called and goes passes its call on to the next. A waker may be what makes it go: one that drops
//! its own future, or polls it, there and then. So a call can lead to the next one inside of itself, and
//! that again, through all who share a subscription, and no stack is deep enough for all of them.
//!
//! A few calls therefore stand on one another. Those that come beyond wait in a list of the thread's, and
//! the innermost call that was made sees to them when its waker has returned, one after the other: each
//! adds its own successor to the list rather than to the stack. That some are still made at once keeps
//! it from mattering to wakers that block until another consumer has moved.
//!
//! Whatever a waker does, the list is empty again before the thread has left its innermost call, as no
//! panic gets past a shield. No lock is held meanwhile, and the list is not borrowed while a waker is
//! called or dropped.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::task::Waker;

use super::core::Core;
use super::panics::{PanicHook, PanicPlace, shield};
use super::routing::Member;
use super::subscriber::Spent;
use crate::cause::Cause;
use crate::sync::Arc;
use crate::topic::Topic;

/// How many calls may stand on one another on a thread.
const NESTED: usize = 16;

/// A call that waits for its turn, of whichever bus.
type Passed = Box<dyn FnOnce()>;

thread_local! {
    /// How many do now.
    static CALLS: Cell<usize> = const { Cell::new(0) };
    /// Those that wait. Without a destructor, so that it is there to the very end of the thread, where
    /// destructors of other thread-locals may drop futures. Nothing leaks: it is left empty.
    static PASSED: ManuallyDrop<RefCell<VecDeque<Passed>>> =
        const { ManuallyDrop::new(RefCell::new(VecDeque::new())) };
}

/// Calls so many of a subscription's consumers, if as many wait.
pub(super) fn call_wakers<T>(
    member: &Member<T>,
    count: usize,
    topic: &Topic,
    on_panic: Option<&PanicHook>,
) {
    if !member.mailbox.is_awaited() {
        return;
    }
    for _ in 0..count {
        let Some(waker) = member.mailbox.call_next() else {
            break;
        };
        call(member, Some(topic), waker, on_panic);
    }
}

fn call<T>(member: &Member<T>, topic: Option<&Topic>, waker: Waker, on_panic: Option<&PanicHook>) {
    let name = member.name.as_deref();
    shield(on_panic, PanicPlace::Waker, topic, name, || waker.wake());
}

impl<T> Core<T> {
    /// Lets no more in, and wakes all consumers. Returns `false` if it was closed before.
    pub(super) fn close_mailbox(&self, member: &Member<T>) -> bool {
        let closed = member.mailbox.close();
        while let Some(waker) = member.mailbox.call_next() {
            call(member, None, waker, self.on_panic());
        }
        closed
    }
}

impl<T: 'static> Core<T> {
    /// Sees to a waker that a mailbox has no more use for.
    pub(super) fn see_to(self: &Arc<Self>, member: &Arc<Member<T>>, spent: Spent) {
        match spent {
            Spent::Call(waker) => self.pass_on(member, waker),
            Spent::Drop(waker) => {
                let name = member.name.as_deref();
                shield(self.on_panic(), PanicPlace::Waker, None, name, || {
                    drop(waker)
                });
            }
        }
    }

    /// Calls a waker in place of one who was called before; later, if too many calls led to this one.
    fn pass_on(self: &Arc<Self>, member: &Arc<Member<T>>, waker: Waker) {
        let outer = CALLS.get();
        if outer == NESTED {
            let (core, member) = (Arc::clone(self), Arc::clone(member));
            defer(move || call(&member, None, waker, core.on_panic()));
            return;
        }
        // Nothing between here and the end unwinds: see `shield`.
        CALLS.set(outer + 1);
        call(member, None, waker, self.on_panic());
        if outer + 1 == NESTED {
            make_deferred();
        }
        CALLS.set(outer);
    }
}

/// Has a call wait for its turn. What it emits then has the cause that it would have had now.
#[cold]
fn defer(call: impl FnOnce() + 'static) {
    let passed: Passed = match Cause::current() {
        None => Box::new(call),
        Some(cause) => Box::new(move || cause.enter(call)),
    };
    PASSED.with(|waiting| waiting.borrow_mut().push_back(passed));
}

#[cold]
fn make_deferred() {
    while let Some(passed) = PASSED.with(|waiting| waiting.borrow_mut().pop_front()) {
        // For what goes with it, as the last handle of a bus may; the call has its own shield.
        shield(None, PanicPlace::Waker, None, None, passed);
    }
    // Its memory.
    PASSED.with(|waiting| drop(waiting.take()));
}
