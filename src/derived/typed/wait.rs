//! Waiting for one event of a type.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{AnyPayload, Typed, TypedBus, TypedEvent, pattern_of};
use crate::bus::WaitFuture;
use crate::error::WaitError;
use crate::event::Event;

impl TypedBus {
    /// Waits for the first event of the type, from now on, that `predicate` wants: see
    /// [`Bus::wait_for`](crate::Bus::wait_for).
    ///
    /// # Errors
    ///
    /// The time ran out, the bus was closed, or the subscription was refused, as for a type whose topic is
    /// none.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let error = bus.wait_for::<Tick>(Duration::from_millis(1), |tick| tick.0 == 7).err().unwrap();
    /// assert!(error.is_timeout());
    /// ```
    #[track_caller]
    pub fn wait_for<E: Typed>(
        &self,
        timeout: Duration,
        predicate: impl Fn(&TypedEvent<E>) -> bool + Send + Sync + 'static,
    ) -> Result<TypedEvent<E>, WaitError> {
        let event = self
            .bus
            .wait_for(pattern_of::<E>()?, timeout, wanted(predicate))?;
        Ok(TypedEvent::known(event))
    }

    /// [`wait_for`](TypedBus::wait_for) in async code, without a limit on the time: see
    /// [`Bus::wait_for_async`](crate::Bus::wait_for_async). It subscribes in this call.
    ///
    /// # Errors
    ///
    /// When it is awaited: the bus was closed, or the subscription was refused.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # use futures_lite::future::block_on;
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let seventh = bus.wait_for_async::<Tick>(|tick| tick.0 == 7);
    /// bus.publisher()?.emit_batch((0..10).map(Tick))?;
    /// assert_eq!(block_on(seventh)?.0, 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn wait_for_async<E: Typed>(
        &self,
        predicate: impl Fn(&TypedEvent<E>) -> bool + Send + Sync + 'static,
    ) -> TypedWaitFuture<E> {
        // No closure: in one the caller's place would be lost.
        let wait = match pattern_of::<E>() {
            Ok(topic) => Ok(self.bus.wait_for_async(topic, wanted(predicate))),
            Err(error) => Err(error),
        };
        TypedWaitFuture {
            wait: wait.map_err(|error| Some(error.into())),
            payload: PhantomData,
        }
    }
}

/// Whether an event of any type is one that the user wants.
fn wanted<E: Typed>(
    predicate: impl Fn(&TypedEvent<E>) -> bool + Send + Sync + 'static,
) -> impl Fn(&Event<AnyPayload>) -> bool + Send + Sync + 'static {
    move |event| event.payload().is::<E>() && predicate(&TypedEvent::known(event.clone()))
}

/// The event that was waited for; made by [`TypedBus::wait_for_async`].
///
/// ```
/// # use chanbus::{Typed, TypedBus, WaitError};
/// # use futures_lite::future::block_on;
/// # struct Tick(u32);
/// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
/// let bus = TypedBus::new();
/// let never = bus.wait_for_async::<Tick>(|_| true);
/// drop(bus);
/// assert_eq!(block_on(never).err(), Some(WaitError::Closed));
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct TypedWaitFuture<E: Typed> {
    /// An error is told once.
    wait: Result<WaitFuture<AnyPayload>, Option<WaitError>>,
    payload: PhantomData<fn() -> E>,
}

impl<E: Typed> Future for TypedWaitFuture<E> {
    type Output = Result<TypedEvent<E>, WaitError>;

    /// Polled again after it was ready, it says that it is closed.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.wait {
            Ok(wait) => Pin::new(wait).poll(context).map_ok(TypedEvent::known),
            Err(error) => Poll::Ready(Err(error.take().unwrap_or(WaitError::Closed))),
        }
    }
}

impl<E: Typed> fmt::Debug for TypedWaitFuture<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedWaitFuture")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
