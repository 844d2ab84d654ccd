//! An emit that is awaited.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::EmitError;
use crate::handlers::report::Report;

/// An emit that is on its way; made by [`Emitter::emit_async`](crate::Emitter::emit_async) and, with `P` the
/// events of a batch, by [`EmitterBatch::commit_async`](crate::EmitterBatch::commit_async).
///
/// ```
/// # use chanbus::{EmitFuture, Emitter, Handlers};
/// # use futures_lite::future::block_on;
/// let emitter = Emitter::inline(&Handlers::new());
/// let emit: EmitFuture<u32> = emitter.emit_async("a", 7);
/// assert_eq!(block_on(emit)?.matched, 0);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "handlers are called as it is polled"]
pub struct EmitFuture<T, P = T>(State<T, P>);

type Ended<T, P> = Result<Report<T>, EmitError<P>>;

enum State<T, P> {
    Running(Pin<Box<dyn Future<Output = Ended<T, P>> + Send>>),
    /// Boxed, so that a future is no larger than its usual state.
    Ended(Option<Box<Ended<T, P>>>),
}

impl<T, P> EmitFuture<T, P> {
    pub(super) fn running(running: impl Future<Output = Ended<T, P>> + Send + 'static) -> Self {
        EmitFuture(State::Running(Box::pin(running)))
    }

    pub(super) fn ended(ended: Ended<T, P>) -> Self {
        EmitFuture(State::Ended(Some(Box::new(ended))))
    }
}

// What it holds of the payload is behind a box.
impl<T, P> Unpin for EmitFuture<T, P> {}

impl<T, P> Future for EmitFuture<T, P> {
    type Output = Ended<T, P>;

    /// Ready once; polled after that it is pending for ever.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Running(future) => {
                let ended = ready!(future.as_mut().poll(cx));
                // An async block that has ended panics if it is polled again.
                self.0 = State::Ended(None);
                Poll::Ready(ended)
            }
            State::Ended(ended) => match ended.take() {
                Some(ended) => Poll::Ready(*ended),
                None => Poll::Pending,
            },
        }
    }
}

impl<T, P> fmt::Debug for EmitFuture<T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmitFuture").finish_non_exhaustive()
    }
}
