//! Rings: all subscribers read the same slots, and each takes a clone of the value.

use super::{Emit, Open, Receive, used};
use crate::support::{CAPACITY, Payload};

/// A slow reader loses the oldest events.
pub(crate) struct TokioBroadcast;

impl Open for TokioBroadcast {
    const NAME: &'static str = "tokio broadcast";
    type Emitter = tokio::sync::broadcast::Sender<Payload>;
    type End = tokio::sync::broadcast::Receiver<Payload>;

    fn open(subscribers: usize) -> (Self::Emitter, Vec<Self::End>) {
        let sender = tokio::sync::broadcast::Sender::new(CAPACITY);
        let ends = (0..subscribers).map(|_| sender.subscribe()).collect();
        (sender, ends)
    }
}

impl Emit for tokio::sync::broadcast::Sender<Payload> {
    #[inline]
    fn emit(&mut self, payload: Payload) {
        assert!(self.send(payload).is_ok());
    }
}

impl Receive for tokio::sync::broadcast::Receiver<Payload> {
    #[inline]
    fn take(&mut self) -> bool {
        used(self.try_recv())
    }

    fn wait(&mut self) -> Option<u64> {
        self.blocking_recv().ok().map(|payload| payload[0])
    }
}

/// A slow reader makes the emitter wait, or fail.
pub(crate) struct AsyncBroadcast;

impl Open for AsyncBroadcast {
    const NAME: &'static str = "async-broadcast";
    type Emitter = async_broadcast::Sender<Payload>;
    type End = async_broadcast::Receiver<Payload>;

    fn open(subscribers: usize) -> (Self::Emitter, Vec<Self::End>) {
        let (sender, first) = async_broadcast::broadcast(CAPACITY);
        let mut ends = vec![first];
        ends.extend((1..subscribers).map(|_| sender.new_receiver()));
        (sender, ends)
    }
}

impl Emit for async_broadcast::Sender<Payload> {
    #[inline]
    fn emit(&mut self, payload: Payload) {
        assert!(self.try_broadcast(payload).is_ok());
    }
}

impl Receive for async_broadcast::Receiver<Payload> {
    #[inline]
    fn take(&mut self) -> bool {
        used(self.try_recv())
    }

    fn wait(&mut self) -> Option<u64> {
        self.recv_blocking().ok().map(|payload| payload[0])
    }
}

/// One emitter only. A slow reader makes it wait, or fail.
pub(crate) struct JonhooBus;

impl Open for JonhooBus {
    const NAME: &'static str = "jonhoo's bus";
    type Emitter = bus::Bus<Payload>;
    type End = bus::BusReader<Payload>;

    fn open(subscribers: usize) -> (Self::Emitter, Vec<Self::End>) {
        let mut bus = bus::Bus::new(CAPACITY);
        let ends = (0..subscribers).map(|_| bus.add_rx()).collect();
        (bus, ends)
    }
}

impl Emit for bus::Bus<Payload> {
    #[inline]
    fn emit(&mut self, payload: Payload) {
        assert!(self.try_broadcast(payload).is_ok());
    }
}

impl Receive for bus::BusReader<Payload> {
    #[inline]
    fn take(&mut self) -> bool {
        used(self.try_recv())
    }

    fn wait(&mut self) -> Option<u64> {
        self.recv().ok().map(|payload| payload[0])
    }
}
