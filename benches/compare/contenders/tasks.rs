//! Receivers that are tasks: whatever waits without a thread. All under the same executor.

use std::future::Future;

use super::channels::ValueEmitter;
use super::own::{OwnEnd, PublisherEnd};
use super::{
    AsyncBroadcast, AsyncChannel, ByValue, Emit, Flume, Open, OwnPublisher, TokioBroadcast,
    TokioMpsc,
};
use crate::support::{CAPACITY, Payload};

/// A way to bring events to one task.
pub(crate) trait OpenTask {
    const NAME: &'static str;
    type Emitter: Emit;
    type Task: Await;

    fn open() -> (Self::Emitter, Self::Task);
}

pub(crate) trait Await: Send + 'static {
    /// The first word of the next payload; nothing once the emitting ends are gone.
    fn next(&mut self) -> impl Future<Output = Option<u64>>;
}

fn word(payload: Payload) -> u64 {
    payload[0]
}

/// The bus, by `recv_async`.
pub(crate) struct OwnFuture;

impl OpenTask for OwnFuture {
    const NAME: &'static str = "Publisher, recv_async";
    type Emitter = PublisherEnd;
    type Task = OwnEnd;

    fn open() -> (PublisherEnd, OwnEnd) {
        let (emitter, mut ends) = OwnPublisher::open(1);
        (emitter, ends.remove(0))
    }
}

impl Await for OwnEnd {
    async fn next(&mut self) -> Option<u64> {
        let event = self.subscription().recv_async().await.ok();
        event.map(|event| event.payload()[0])
    }
}

/// The bus, by a stream.
#[cfg(feature = "stream")]
pub(crate) struct OwnStream;

#[cfg(feature = "stream")]
impl OpenTask for OwnStream {
    const NAME: &'static str = "Publisher, stream";
    type Emitter = PublisherEnd;
    type Task = chanbus::EventStream<Payload>;

    fn open() -> (PublisherEnd, Self::Task) {
        let (emitter, mut ends) = OwnPublisher::open(1);
        (emitter, ends.remove(0).subscription().stream())
    }
}

#[cfg(feature = "stream")]
impl Await for chanbus::EventStream<Payload> {
    async fn next(&mut self) -> Option<u64> {
        let event = futures_lite::StreamExt::next(self).await;
        event.map(|event| event.payload()[0])
    }
}

macro_rules! by_value {
    ($($channel:ident: $receiver:ty = $open:expr, |$end:ident| $next:expr;)*) => {$(
        impl OpenTask for ByValue<$channel> {
            const NAME: &'static str = <Self as Open>::NAME;
            type Emitter = ValueEmitter<$channel>;
            type Task = $receiver;

            fn open() -> (Self::Emitter, Self::Task) {
                let (sender, receiver) = $open;
                (ValueEmitter(sender), receiver)
            }
        }

        impl Await for $receiver {
            async fn next(&mut self) -> Option<u64> {
                let $end = self;
                $next.map(word)
            }
        }
    )*};
}

by_value! {
    TokioMpsc: tokio::sync::mpsc::Receiver<Payload> =
        tokio::sync::mpsc::channel(CAPACITY), |end| end.recv().await;
    Flume: flume::Receiver<Payload> = flume::bounded(CAPACITY), |end| end.recv_async().await.ok();
    AsyncChannel: async_channel::Receiver<Payload> =
        async_channel::bounded(CAPACITY), |end| end.recv().await.ok();
}

impl OpenTask for TokioBroadcast {
    const NAME: &'static str = <Self as Open>::NAME;
    type Emitter = <Self as Open>::Emitter;
    type Task = <Self as Open>::End;

    fn open() -> (Self::Emitter, Self::Task) {
        let (emitter, mut ends) = <Self as Open>::open(1);
        (emitter, ends.remove(0))
    }
}

impl Await for tokio::sync::broadcast::Receiver<Payload> {
    async fn next(&mut self) -> Option<u64> {
        self.recv().await.ok().map(word)
    }
}

impl OpenTask for AsyncBroadcast {
    const NAME: &'static str = <Self as Open>::NAME;
    type Emitter = <Self as Open>::Emitter;
    type Task = <Self as Open>::End;

    fn open() -> (Self::Emitter, Self::Task) {
        let (emitter, mut ends) = <Self as Open>::open(1);
        (emitter, ends.remove(0))
    }
}

impl Await for async_broadcast::Receiver<Payload> {
    async fn next(&mut self) -> Option<u64> {
        self.recv().await.ok().map(word)
    }
}
