//! An emit that is awaited.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::EmitError;
use crate::handlers::report::Report;

/// An emit that is on its way; made by [`Emitter::emit_async`](crate::Emitter::emit_async).
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
pub struct EmitFuture<T>(State<T>);

type Ended<T> = Result<Report<T>, EmitError<T>>;

enum State<T> {
    Running(Pin<Box<dyn Future<Output = Ended<T>> + Send>>),
    /// Boxed, so that a future is no larger than its usual state.
    Ended(Option<Box<Ended<T>>>),
}

impl<T> EmitFuture<T> {
    pub(super) fn running(running: impl Future<Output = Ended<T>> + Send + 'static) -> Self {
        EmitFuture(State::Running(Box::pin(running)))
    }

    pub(super) fn ended(ended: Ended<T>) -> Self {
        EmitFuture(State::Ended(Some(Box::new(ended))))
    }
}

// What it holds of the payload is behind a box.
impl<T> Unpin for EmitFuture<T> {}

impl<T> Future for EmitFuture<T> {
    type Output = Ended<T>;

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

impl<T> fmt::Debug for EmitFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmitFuture").finish_non_exhaustive()
    }
}
