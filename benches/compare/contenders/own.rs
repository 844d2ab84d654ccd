//! The bus itself, in its fast way and in its plain one.

use std::hint::black_box;

use chanbus::{Bus, Publisher, Subscription, WakeUps};

use super::{Emit, Open, Receive, used};
use crate::support::{self, CAPACITY, PAYLOAD, Payload, must};

const TOPIC: &str = "scan.progress";

/// `Publisher`: topic checked and route resolved beforehand.
pub(crate) struct OwnPublisher;

/// As `OwnPublisher`, on a bus whose own thread wakes consumers.
pub(crate) struct OwnHanded;

/// `bus.emit(&str)`: looks the topic up each time.
pub(crate) struct OwnTopic;

#[derive(Clone)]
pub(crate) struct PublisherEnd {
    publisher: Publisher<Payload>,
    /// A publisher does not keep its bus open.
    _bus: Bus<Payload>,
}

#[derive(Clone)]
pub(crate) struct TopicEnd(Bus<Payload>);

pub(crate) struct OwnEnd(Subscription<Payload>);

impl OwnEnd {
    pub(super) fn subscription(&self) -> &Subscription<Payload> {
        &self.0
    }
}

fn open(subscribers: usize) -> (Bus<Payload>, Vec<OwnEnd>) {
    with_ends(support::bus(subscribers, CAPACITY), subscribers)
}

fn with_ends(bus: Bus<Payload>, subscribers: usize) -> (Bus<Payload>, Vec<OwnEnd>) {
    let ends = (0..subscribers)
        .map(|_| OwnEnd(must(bus.subscribe(TOPIC))))
        .collect();
    (bus, ends)
}

impl Open for OwnPublisher {
    const NAME: &'static str = "Publisher";
    type Emitter = PublisherEnd;
    type End = OwnEnd;

    fn open(subscribers: usize) -> (PublisherEnd, Vec<OwnEnd>) {
        let (bus, ends) = open(subscribers);
        let publisher = must(bus.publisher(TOPIC));
        (
            PublisherEnd {
                publisher,
                _bus: bus,
            },
            ends,
        )
    }
}

impl Open for OwnHanded {
    const NAME: &'static str = "Publisher, handed";
    type Emitter = PublisherEnd;
    type End = OwnEnd;

    fn open(subscribers: usize) -> (PublisherEnd, Vec<OwnEnd>) {
        let bus = Bus::builder()
            .capacity(CAPACITY)
            .max_subscribers(subscribers)
            .wake_ups(WakeUps::Handed);
        let (bus, ends) = with_ends(must(bus.build()), subscribers);
        let publisher = must(bus.publisher(TOPIC));
        let emitter = PublisherEnd {
            publisher,
            _bus: bus,
        };
        (emitter, ends)
    }
}

impl Open for OwnTopic {
    const NAME: &'static str = "emit(&str)";
    type Emitter = TopicEnd;
    type End = OwnEnd;

    fn open(subscribers: usize) -> (TopicEnd, Vec<OwnEnd>) {
        let (bus, ends) = open(subscribers);
        (TopicEnd(bus), ends)
    }
}

impl Emit for PublisherEnd {
    #[inline]
    fn emit(&mut self, payload: Payload) {
        must(self.publisher.emit(payload));
    }

    #[inline]
    fn emit_batch(&mut self, events: usize) {
        must(
            self.publisher
                .emit_batch((0..events).map(|_| *black_box(&PAYLOAD))),
        );
    }
}

impl Emit for TopicEnd {
    #[inline]
    fn emit(&mut self, payload: Payload) {
        must(self.0.emit(black_box(TOPIC), payload));
    }
}

impl Receive for OwnEnd {
    #[inline]
    fn take(&mut self) -> bool {
        used(self.0.try_recv())
    }

    fn wait(&mut self) -> Option<u64> {
        self.0.recv().ok().map(|event| event.payload()[0])
    }
}

impl Clone for OwnEnd {
    fn clone(&self) -> Self {
        OwnEnd(self.0.share())
    }
}
