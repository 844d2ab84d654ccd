//! A typed subscription as a stream.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::stream::{FusedStream, Stream};

use super::{AnyPayload, Typed, TypedEvent, TypedSubscription};
use crate::bus::EventStream;

impl<E: Typed> TypedSubscription<E> {
    /// This subscription as a stream of events, for async code under any runtime, or none. The stream is
    /// the guard now.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # use futures_lite::future::block_on;
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let mut ticks = bus.subscribe::<Tick>()?.into_stream();
    /// bus.emit(Tick(7))?;
    /// drop(bus);
    /// block_on(async {
    ///     while let Some(tick) = ticks.next().await {
    ///         assert_eq!(tick.0, 7);
    ///     }
    /// });
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
    pub fn into_stream(self) -> TypedStream<E> {
        TypedStream {
            stream: self.into_inner().into_stream(),
            payload: PhantomData,
        }
    }
}

/// A typed subscription as a stream; made by [`TypedSubscription::into_stream`]. It is an [`EventStream`],
/// with all that is said there.
///
/// ```
/// # use chanbus::{Typed, TypedBus};
/// # use futures_lite::{StreamExt, future::block_on};
/// # struct Tick(u32);
/// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
/// let bus = TypedBus::new();
/// let ticks = bus.subscribe::<Tick>()?.into_stream();
/// bus.publisher()?.emit_batch((0..4).map(Tick))?;
/// drop(bus);
/// let numbers: Vec<u32> = block_on(ticks.map(|tick| tick.0).collect());
/// assert_eq!(numbers, [0, 1, 2, 3]);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "streams do nothing unless polled, and dropping one unsubscribes"]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub struct TypedStream<E: Typed> {
    stream: EventStream<AnyPayload>,
    payload: PhantomData<fn() -> E>,
}

impl<E: Typed> TypedStream<E> {
    /// The next event, or `None` for the end. It may be dropped at any point, as
    /// [`EventStream::next`] may.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # use futures_lite::future::block_on;
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let mut ticks = bus.subscribe::<Tick>()?.into_stream();
    /// bus.emit(Tick(7))?;
    /// assert_eq!(block_on(ticks.next()).unwrap().0, 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub async fn next(&mut self) -> Option<TypedEvent<E>> {
        self.stream.next().await.map(TypedEvent::known)
    }

    /// The stream of erased events below: its subscription's counters, and, by
    /// [`with_gaps`](EventStream::with_gaps), gaps and keepalives.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?.into_stream();
    /// bus.emit(Tick(7))?;
    /// assert_eq!(ticks.as_stream().subscription().len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn as_stream(&self) -> &EventStream<AnyPayload> {
        &self.stream
    }

    /// The stream of erased events itself.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # use futures_lite::future::block_on;
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let mut beats = bus.subscribe::<Tick>()?.into_stream().into_inner().with_gaps();
    /// bus.emit(Tick(7))?;
    /// let event = block_on(beats.next()).unwrap().into_event().unwrap();
    /// assert!(event.payload().is::<Tick>());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn into_inner(self) -> EventStream<AnyPayload> {
        self.stream
    }

    /// The subscription back, for blocking receives. What is queued stays queued.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?.into_stream();
    /// bus.emit(Tick(7))?;
    /// assert_eq!(ticks.into_subscription().recv()?.0, 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn into_subscription(self) -> TypedSubscription<E> {
        TypedSubscription::known(self.stream.into_subscription())
    }
}

impl<E: Typed> Stream for TypedStream<E> {
    type Item = TypedEvent<E>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<TypedEvent<E>>> {
        let next = Pin::new(&mut self.stream).poll_next(context);
        next.map(|event| event.map(TypedEvent::known))
    }
}

impl<E: Typed> FusedStream for TypedStream<E> {
    fn is_terminated(&self) -> bool {
        self.stream.is_terminated()
    }
}

impl<E: Typed> fmt::Debug for TypedStream<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedStream").field(&self.stream).finish()
    }
}
