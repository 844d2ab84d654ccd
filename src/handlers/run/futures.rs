//! One call of an async handler, as a future that catches what it throws.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use super::Run;
use super::calls::Begun;
use crate::cause::Cause;
use crate::handlers::context::Context;
use crate::handlers::entry::{Callback, Entry, Flow, Outcome, Running};
use crate::handlers::failure::FailureKind;
use crate::shield::{Thrown, caught, discard, drop_shielded};
use crate::sync::Arc;

/// An async handler's call. It begins when it is first polled. Dropped before its end, it says so.
pub(super) struct AsyncCall<T: Send + Sync + 'static> {
    run: Arc<Run<T>>,
    place: usize,
    stopped: bool,
    state: State,
}

enum State {
    New,
    Running {
        future: Running,
        begun: Begun,
        cause: Cause,
    },
    Done,
}

impl<T: Send + Sync + 'static> AsyncCall<T> {
    pub(super) fn new(run: &Arc<Run<T>>, place: usize, stopped: bool) -> Self {
        AsyncCall {
            run: Arc::clone(run),
            place,
            stopped,
            state: State::New,
        }
    }

    fn entry(&self) -> &Entry<T> {
        &self.run.route.entries[self.place]
    }

    /// Calls the user's closure, which makes the future.
    fn start(&mut self) {
        let run = Arc::clone(&self.run);
        let entry = &run.route.entries[self.place];
        let Some(begun) = Cause::scope(&run.event, || run.begin(entry, self.stopped)) else {
            self.state = State::Done;
            return;
        };
        run.count_called(1);
        let made = caught(|| {
            Cause::scope(&run.event, || match &entry.callback {
                Callback::Async(handle) => {
                    let context = Context::new(Arc::clone(&run), self.place);
                    Some(handle(run.event.clone(), context))
                }
                _ => None,
            })
        });
        self.state = match made {
            Ok(Some(future)) => State::Running {
                future,
                begun,
                cause: Cause::of(&run.event),
            },
            Ok(None) => {
                run.end(entry, begun, Ok(Ok(Flow::Continue)));
                State::Done
            }
            Err(thrown) => {
                Cause::scope(&run.event, || run.end(entry, begun, Err(thrown)));
                State::Done
            }
        };
    }

    fn end(&mut self, outcome: Result<Outcome, Thrown>) {
        if let State::Running { future, begun, .. } =
            std::mem::replace(&mut self.state, State::Done)
        {
            // What it holds is the user's; it goes before the end is told.
            let dropped = caught(|| drop(future));
            let outcome = match (outcome, dropped) {
                (Ok(_), Err(thrown)) => Err(thrown),
                (outcome, Err(thrown)) => {
                    discard(thrown);
                    outcome
                }
                (outcome, Ok(())) => outcome,
            };
            Cause::scope(&self.run.event, || {
                self.run.end(self.entry(), begun, outcome)
            });
        }
    }
}

impl<T: Send + Sync + 'static> Future for AsyncCall<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = &mut *self;
        let _inside = this.run.scene.enter();
        if matches!(this.state, State::New) {
            this.start();
        }
        let State::Running { future, cause, .. } = &mut this.state else {
            return Poll::Ready(());
        };
        let polled = caught(|| cause.enter(|| future.as_mut().poll(cx)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(outcome)) => {
                this.end(Ok(outcome));
                Poll::Ready(())
            }
            Err(thrown) => {
                this.end(Err(thrown));
                Poll::Ready(())
            }
        }
    }
}

impl<T: Send + Sync + 'static> Drop for AsyncCall<T> {
    fn drop(&mut self) {
        if matches!(self.state, State::Done) {
            return;
        }
        let run = Arc::clone(&self.run);
        let _inside = run.scene.enter();
        match std::mem::replace(&mut self.state, State::Done) {
            State::New => Cause::scope(&run.event, || {
                run.refuse(self.entry(), FailureKind::Lost);
            }),
            State::Running { future, begun, .. } => Cause::scope(&run.event, || {
                drop_shielded(future);
                run.end_with(self.entry(), begun, Err(FailureKind::Lost));
            }),
            State::Done => {}
        }
    }
}
