//! Handlers that run together: one step of an event's way, cut into tasks.
//!
//! # Protocol
//!
//! A task is run by whoever claims it first: the executor that it was handed to, or the one who waits
//! for the step, where that is one of the executor's own threads and would starve it ([`Waiting::Help`]). Where
//! nobody waits, as for a detached event, the executor runs all.
//! The other finds it claimed and does nothing. So who waits never waits for a task that nobody has
//! begun.
//!
//! `left` counts tasks that have not ended. Every task ends exactly once, by the guard that its claimer
//! holds: after its run, in an unwinding, or when the executor drops it. Whoever counts to zero wakes
//! the one who waits, who has left a waker and looked at `left` again after that.
//!
//! [`Waiting::Help`]: crate::Waiting::Help

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker, ready};

use super::Run;
use super::batch_call::BatchCall;
use super::futures::AsyncCall;
use crate::cause::Cause;
use crate::handlers::context::Context;
use crate::handlers::executor::Refusal;
use crate::handlers::failure::FailureKind;
use crate::shield::{caught, discard, drop_shielded};
use crate::sync::Ordering::{AcqRel, Acquire};
use crate::sync::{Arc, AtomicBool, AtomicUsize, Mutex};

/// How many tasks of a step have not ended, and who waits for them.
pub(super) struct Step {
    left: AtomicUsize,
    waiting: Mutex<Option<Waker>>,
}

impl Step {
    pub(super) fn new(tasks: usize) -> Arc<Self> {
        Arc::new(Step {
            left: AtomicUsize::new(tasks),
            waiting: Mutex::new(None),
        })
    }

    pub(super) fn is_done(&self) -> bool {
        // Acquire: what the tasks did is seen by who goes on after them.
        self.left.load(Acquire) == 0
    }

    /// To be called when all have ended. Whoever calls this looks at [`is_done`](Step::is_done) after it.
    pub(super) fn wake_by(&self, waker: &Waker) {
        let mine = waker.clone();
        let before = self.waiting.lock().replace(mine);
        // A waker's destructor is the user's.
        drop_shielded(before);
    }

    fn end_one(&self) {
        // AcqRel: the last to end has seen what all others did, and passes it on.
        if self.left.fetch_sub(1, AcqRel) == 1 {
            let waker = self.waiting.lock().take();
            if let Some(waker) = waker
                && let Err(thrown) = caught(|| waker.wake())
            {
                discard(thrown);
            }
        }
    }
}

/// Ends a task, whichever way it is left.
struct Ending(Arc<Step>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end_one();
    }
}

/// A piece of work, as executors see it.
pub(in crate::handlers) trait Work: Send + Sync {
    /// Runs it here and now, if nobody has begun it.
    fn run(&self);
    /// Its run as a future.
    fn future(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    /// Whether somebody has begun it, so that to run it does nothing.
    fn is_claimed(&self) -> bool;
    /// It will not be run, unless somebody has begun it.
    fn refuse(&self, why: Option<Refusal>);
    fn topic(&self) -> &str;
    fn handler(&self) -> Option<&str>;
}

/// Some handlers in a row, or one that is async, or one with many events.
pub(super) struct Task<T: Send + Sync + 'static> {
    run: Arc<Run<T>>,
    places: Range<usize>,
    /// Whether propagation was stopped before this step; `None` if each handler is a step by itself.
    stopped: Option<bool>,
    /// The call, if it is one with many events, of which `run` is the first.
    together: Option<Arc<BatchCall<T>>>,
    claimed: AtomicBool,
    step: Arc<Step>,
}

impl<T: Send + Sync + 'static> Task<T> {
    pub(super) fn new(
        run: &Arc<Run<T>>,
        places: Range<usize>,
        stopped: Option<bool>,
        step: &Arc<Step>,
    ) -> Arc<Self> {
        Arc::new(Task {
            run: Arc::clone(run),
            places,
            stopped,
            together: None,
            claimed: AtomicBool::new(false),
            step: Arc::clone(step),
        })
    }

    /// One handler with many events.
    pub(super) fn together(call: &Arc<BatchCall<T>>, step: &Arc<Step>) -> Arc<Self> {
        let first = call.first();
        Arc::new(Task {
            run: Arc::clone(&first.run),
            places: first.place..first.place + 1,
            stopped: None,
            together: Some(Arc::clone(call)),
            claimed: AtomicBool::new(false),
            step: Arc::clone(step),
        })
    }

    pub(super) fn is_async(&self) -> bool {
        self.run.route.entries[self.places.start].is_async()
    }

    /// The one who gets the ending runs it.
    fn claim(&self) -> Option<Ending> {
        // AcqRel: orders nothing that `left` does not; who loses does nothing at all.
        (!self.claimed.swap(true, AcqRel)).then(|| Ending(Arc::clone(&self.step)))
    }

    fn stopped(&self) -> bool {
        self.stopped.unwrap_or_else(|| self.run.is_stopped())
    }
}

impl<T: Send + Sync + 'static> Work for Task<T> {
    fn run(&self) {
        let Some(_ending) = self.claim() else { return };
        if let Some(together) = &self.together {
            together.call();
            return;
        }
        let _inside = self.run.scene.enter();
        let mut context = Context::new(Arc::clone(&self.run), self.places.start);
        Cause::scope(&self.run.event, || {
            let mut called = 0;
            for place in self.places.clone() {
                context.stand_for(place);
                called += usize::from(self.run.call(&context, self.stopped()));
            }
            self.run.count_called(called);
        });
    }

    fn future(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(TaskFuture::new(self))
    }

    fn is_claimed(&self) -> bool {
        self.claimed.load(Acquire)
    }

    fn refuse(&self, why: Option<Refusal>) {
        let Some(_ending) = self.claim() else { return };
        if let Some(together) = &self.together {
            together.refuse(why.map_or(FailureKind::Lost, FailureKind::Refused));
            return;
        }
        let _inside = self.run.scene.enter();
        Cause::scope(&self.run.event, || {
            for place in self.places.clone() {
                let kind = why.clone().map_or(FailureKind::Lost, FailureKind::Refused);
                self.run.refuse(&self.run.route.entries[place], kind);
            }
        });
    }

    fn topic(&self) -> &str {
        self.run.event.topic()
    }

    fn handler(&self) -> Option<&str> {
        self.run.route.entries[self.places.start]
            .terms
            .name
            .as_deref()
    }
}

/// A task as a future; it is claimed when it is first polled.
pub(super) struct TaskFuture<T: Send + Sync + 'static> {
    task: Arc<Task<T>>,
    started: bool,
    // In this order: the call tells its end before the task ends.
    call: Option<AsyncCall<T>>,
    ending: Option<Ending>,
}

impl<T: Send + Sync + 'static> TaskFuture<T> {
    pub(super) fn new(task: Arc<Task<T>>) -> Self {
        TaskFuture {
            task,
            started: false,
            call: None,
            ending: None,
        }
    }
}

impl<T: Send + Sync + 'static> Future for TaskFuture<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = &mut *self;
        if !this.started {
            this.started = true;
            if !this.task.is_async() {
                this.task.run();
            } else if let Some(ending) = this.task.claim() {
                let task = &this.task;
                let call = AsyncCall::new(&task.run, task.places.start, task.stopped());
                this.call = Some(call);
                this.ending = Some(ending);
            }
        }
        if let Some(call) = &mut this.call {
            ready!(Pin::new(call).poll(cx));
        }
        this.call = None;
        this.ending = None;
        Poll::Ready(())
    }
}

impl<T: Send + Sync + 'static> Drop for TaskFuture<T> {
    fn drop(&mut self) {
        if !self.started {
            self.task.refuse(None);
        }
    }
}
