//! Channels: one for each subscriber, by hand.
//!
//! For one subscriber the payload is moved through; for many they share it in an `Arc`, as a payload
//! cannot be copied in general.

use std::marker::PhantomData;
use std::sync::Arc;

use super::{Emit, Open, Receive, used};
use crate::support::{CAPACITY, Payload};

/// A bounded channel.
pub(crate) trait Channel: Sized + 'static {
    /// As a contender that moves values, and as one that shares them.
    const VALUE: &'static str;
    const ARC: &'static str;
    type Tx<V: Send + 'static>: Clone + Send + 'static;
    type Rx<V: Send + 'static>: Send + 'static;

    fn open<V: Send + 'static>(capacity: usize) -> (Self::Tx<V>, Self::Rx<V>);
    /// Whether there was room.
    fn push<V: Send + 'static>(sender: &Self::Tx<V>, value: V) -> bool;
    /// Whether there was something. It is used here and not handed on, which would be copies more.
    fn take<V: Send + 'static>(receiver: &mut Self::Rx<V>) -> bool;
    fn wait<V: Send + 'static>(receiver: &mut Self::Rx<V>) -> Option<V>;
}

/// One subscriber, the payload moved.
pub(crate) struct ByValue<C>(PhantomData<C>);

/// Any number of subscribers, one allocation for all.
pub(crate) struct ByArc<C>(PhantomData<C>);

pub(crate) struct ValueEmitter<C: Channel>(pub(super) C::Tx<Payload>);

pub(crate) struct ArcEmitter<C: Channel>(Vec<C::Tx<Arc<Payload>>>);

pub(crate) struct End<C: Channel, V: Send + 'static>(C::Rx<V>);

impl<C: Channel> Open for ByValue<C> {
    const NAME: &'static str = C::VALUE;
    type Emitter = ValueEmitter<C>;
    type End = End<C, Payload>;

    fn open(subscribers: usize) -> (Self::Emitter, Vec<Self::End>) {
        assert_eq!(subscribers, 1, "a value has one owner");
        let (sender, receiver) = C::open(CAPACITY);
        (ValueEmitter(sender), vec![End(receiver)])
    }
}

impl<C: Channel> Open for ByArc<C> {
    const NAME: &'static str = C::ARC;
    type Emitter = ArcEmitter<C>;
    type End = End<C, Arc<Payload>>;

    fn open(subscribers: usize) -> (Self::Emitter, Vec<Self::End>) {
        let (senders, ends) = (0..subscribers)
            .map(|_| {
                let (sender, receiver) = C::open(CAPACITY);
                (sender, End(receiver))
            })
            .unzip();
        (ArcEmitter(senders), ends)
    }
}

impl<C: Channel> Emit for ValueEmitter<C> {
    #[inline]
    fn emit(&mut self, payload: Payload) {
        assert!(C::push(&self.0, payload));
    }
}

impl<C: Channel> Emit for ArcEmitter<C> {
    #[inline]
    fn emit(&mut self, payload: Payload) {
        let event = Arc::new(payload);
        for sender in &self.0 {
            assert!(C::push(sender, Arc::clone(&event)));
        }
    }
}

impl<C: Channel, V: FirstWord> Receive for End<C, V> {
    #[inline]
    fn take(&mut self) -> bool {
        C::take(&mut self.0)
    }

    fn wait(&mut self) -> Option<u64> {
        C::wait(&mut self.0).map(|value| value.first_word())
    }
}

// Not derived, which would ask for channels that can be cloned, not for their ends.
impl<C: Channel> Clone for ValueEmitter<C> {
    fn clone(&self) -> Self {
        ValueEmitter(self.0.clone())
    }
}

impl<C: Channel> Clone for ArcEmitter<C> {
    fn clone(&self) -> Self {
        ArcEmitter(self.0.clone())
    }
}

impl<C: Channel, V: Send + 'static> Clone for End<C, V>
where
    C::Rx<V>: Clone,
{
    fn clone(&self) -> Self {
        End(self.0.clone())
    }
}

pub(crate) trait FirstWord: Send + 'static {
    fn first_word(&self) -> u64;
}

impl FirstWord for Payload {
    fn first_word(&self) -> u64 {
        self[0]
    }
}

impl FirstWord for Arc<Payload> {
    fn first_word(&self) -> u64 {
        self[0]
    }
}

pub(crate) struct Crossbeam;

impl Channel for Crossbeam {
    const VALUE: &'static str = "raw value";
    const ARC: &'static str = "Arc loop";
    type Tx<V: Send + 'static> = crossbeam_channel::Sender<V>;
    type Rx<V: Send + 'static> = crossbeam_channel::Receiver<V>;

    fn open<V: Send + 'static>(capacity: usize) -> (Self::Tx<V>, Self::Rx<V>) {
        crossbeam_channel::bounded(capacity)
    }

    #[inline]
    fn push<V: Send + 'static>(sender: &Self::Tx<V>, value: V) -> bool {
        sender.try_send(value).is_ok()
    }

    #[inline]
    fn take<V: Send + 'static>(receiver: &mut Self::Rx<V>) -> bool {
        used(receiver.try_recv())
    }

    fn wait<V: Send + 'static>(receiver: &mut Self::Rx<V>) -> Option<V> {
        receiver.recv().ok()
    }
}

pub(crate) struct Flume;

impl Channel for Flume {
    const VALUE: &'static str = "flume";
    const ARC: &'static str = "flume";
    type Tx<V: Send + 'static> = flume::Sender<V>;
    type Rx<V: Send + 'static> = flume::Receiver<V>;

    fn open<V: Send + 'static>(capacity: usize) -> (Self::Tx<V>, Self::Rx<V>) {
        flume::bounded(capacity)
    }

    #[inline]
    fn push<V: Send + 'static>(sender: &Self::Tx<V>, value: V) -> bool {
        sender.try_send(value).is_ok()
    }

    #[inline]
    fn take<V: Send + 'static>(receiver: &mut Self::Rx<V>) -> bool {
        used(receiver.try_recv())
    }

    fn wait<V: Send + 'static>(receiver: &mut Self::Rx<V>) -> Option<V> {
        receiver.recv().ok()
    }
}

pub(crate) struct Kanal;

impl Channel for Kanal {
    const VALUE: &'static str = "kanal";
    const ARC: &'static str = "kanal";
    type Tx<V: Send + 'static> = kanal::Sender<V>;
    type Rx<V: Send + 'static> = kanal::Receiver<V>;

    fn open<V: Send + 'static>(capacity: usize) -> (Self::Tx<V>, Self::Rx<V>) {
        kanal::bounded(capacity)
    }

    #[inline]
    fn push<V: Send + 'static>(sender: &Self::Tx<V>, value: V) -> bool {
        // `Ok(false)` is a full queue.
        sender.try_send(value).is_ok_and(|sent| sent)
    }

    #[inline]
    fn take<V: Send + 'static>(receiver: &mut Self::Rx<V>) -> bool {
        // `Ok(None)` is an empty queue.
        match receiver.try_recv() {
            Ok(Some(value)) => used(Ok::<V, ()>(value)),
            Ok(None) | Err(_) => false,
        }
    }

    fn wait<V: Send + 'static>(receiver: &mut Self::Rx<V>) -> Option<V> {
        receiver.recv().ok()
    }
}

pub(crate) struct TokioMpsc;

impl Channel for TokioMpsc {
    const VALUE: &'static str = "tokio mpsc";
    const ARC: &'static str = "tokio mpsc";
    type Tx<V: Send + 'static> = tokio::sync::mpsc::Sender<V>;
    type Rx<V: Send + 'static> = tokio::sync::mpsc::Receiver<V>;

    fn open<V: Send + 'static>(capacity: usize) -> (Self::Tx<V>, Self::Rx<V>) {
        tokio::sync::mpsc::channel(capacity)
    }

    #[inline]
    fn push<V: Send + 'static>(sender: &Self::Tx<V>, value: V) -> bool {
        sender.try_send(value).is_ok()
    }

    #[inline]
    fn take<V: Send + 'static>(receiver: &mut Self::Rx<V>) -> bool {
        used(receiver.try_recv())
    }

    fn wait<V: Send + 'static>(receiver: &mut Self::Rx<V>) -> Option<V> {
        receiver.blocking_recv()
    }
}

pub(crate) struct AsyncChannel;

impl Channel for AsyncChannel {
    const VALUE: &'static str = "async-channel";
    const ARC: &'static str = "async-channel";
    type Tx<V: Send + 'static> = async_channel::Sender<V>;
    type Rx<V: Send + 'static> = async_channel::Receiver<V>;

    fn open<V: Send + 'static>(capacity: usize) -> (Self::Tx<V>, Self::Rx<V>) {
        async_channel::bounded(capacity)
    }

    #[inline]
    fn push<V: Send + 'static>(sender: &Self::Tx<V>, value: V) -> bool {
        sender.try_send(value).is_ok()
    }

    #[inline]
    fn take<V: Send + 'static>(receiver: &mut Self::Rx<V>) -> bool {
        used(receiver.try_recv())
    }

    fn wait<V: Send + 'static>(receiver: &mut Self::Rx<V>) -> Option<V> {
        receiver.recv_blocking().ok()
    }
}
