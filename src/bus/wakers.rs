//! Calls the wakers of tasks that wait, which are the user's code: behind shields.
//!
//! Who was called and goes passes its call on to the next. A waker may be what makes it go: one that drops
//! its own future, or polls it, there and then. So a call can lead to the next one inside of itself, and
//! that again, through all who share a subscription: see `nested.rs`. No lock is held meanwhile.

use std::task::Waker;

use super::core::Core;
use super::listeners::Member;
use super::nested::Nested;
use super::panics::{PanicHook, PanicPlace, shield};
use super::subscriber::Spent;
use crate::sync::Arc;
use crate::topic::Topic;

/// Calls so many of a subscription's consumers, if as many wait; and says so if too much waits.
pub(super) fn call_wakers<T>(
    member: &Member<T>,
    count: usize,
    topic: &Topic,
    on_panic: Option<&PanicHook>,
) {
    if member.mailbox.is_awaited() {
        for _ in 0..count {
            let Some(waker) = member.mailbox.call_next() else {
                break;
            };
            call(member, Some(topic), waker, on_panic);
        }
    }
    member.mailbox.see_mark();
}

fn call<T>(member: &Member<T>, topic: Option<&Topic>, waker: Waker, on_panic: Option<&PanicHook>) {
    let place = PanicPlace::Waker;
    shield(on_panic, place, topic, Some(member), || waker.wake());
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
                let place = PanicPlace::Waker;
                shield(self.on_panic(), place, None, Some(&**member), || {
                    drop(waker)
                });
            }
        }
    }

    /// Calls a waker in place of one who was called before; later, if too many calls led to this one.
    fn pass_on(self: &Arc<Self>, member: &Arc<Member<T>>, waker: Waker) {
        let nested = Nested::enter();
        if nested.is_too_deep() {
            let (core, member) = (Arc::clone(self), Arc::clone(member));
            nested.defer(move || call(&member, None, waker, core.on_panic()));
        } else {
            call(member, None, waker, self.on_panic());
        }
    }
}
