//! Inside of whose handlers a thread is, so that none waits for its own end.

use std::cell::RefCell;

use super::Watch;
use crate::sync::Arc;

thread_local! {
    /// Inside of whose handlers this thread is.
    static INSIDE: RefCell<Vec<Arc<Watch>>> = const { RefCell::new(Vec::new()) };
}

/// Inside of whose handlers an emit was made that is waited for there. Handlers that it calls on other
/// threads are inside of these, too: a stop that waited in one of them would wait for itself.
#[derive(Clone)]
pub(in crate::handlers) struct Whereabouts(Arc<[Arc<Watch>]>);

impl Whereabouts {
    /// Those of this thread, if it is inside of any.
    pub(in crate::handlers) fn of_this_thread() -> Option<Self> {
        let here = INSIDE.try_with(|inside| {
            let inside = inside.borrow();
            (!inside.is_empty()).then(|| inside.iter().cloned().collect())
        });
        // Without an answer the thread is about to end, and inside of none.
        here.ok().flatten().map(Whereabouts)
    }

    pub(in crate::handlers) fn enter(&self) -> Inside {
        Inside::enter(&self.0)
    }
}

/// While it lives, this thread is inside of so many dispatchers' handlers more.
pub(in crate::handlers) struct Inside(usize);

impl Inside {
    fn enter(watches: &[Arc<Watch>]) -> Self {
        let entered = INSIDE.try_with(|inside| inside.borrow_mut().extend_from_slice(watches));
        Inside(entered.map_or(0, |()| watches.len()))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // Scopes on one thread end in turn, so those that it entered are the last. Nothing of the user's is
        // dropped under the borrow: there is none in a dispatcher's books. Without an answer the thread is
        // about to end, and the list has gone.
        let _ = INSIDE.try_with(|inside| {
            let mut inside = inside.borrow_mut();
            let kept = inside.len() - self.0;
            inside.truncate(kept);
        });
    }
}

impl Watch {
    /// This thread goes into a handler.
    pub(in crate::handlers) fn enter(self: &Arc<Self>) -> Inside {
        Inside::enter(std::slice::from_ref(self))
    }

    /// Whether this thread is inside of one of the dispatcher's handlers.
    pub(super) fn is_inside(&self) -> bool {
        let me = |watch: &Arc<Watch>| std::ptr::eq(Arc::as_ptr(watch), self);
        let inside = INSIDE.try_with(|inside| inside.borrow().iter().any(me));
        inside.unwrap_or(false)
    }
}
