//! What the promises ask of every kind of bus: an end to emit at, an end to subscribe at, and one form of
//! subscription, whatever lies between.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chanbus::{Bus, BusBuilder, BusStats, Emitted, Overflow, PanicPlace, SubscribeError};

use crate::common::{Counted, Hooked};

/// What every kind carries: a clone is the same one, so that also a mapped event has it.
pub(crate) type Load = Arc<Parcel>;

/// The number of one emit, with what is told when it is freed.
pub(crate) struct Parcel {
    /// Who emitted it, where there are several.
    pub(crate) by: usize,
    pub(crate) number: u64,
    /// Not for subscribers: kinds that leave something out emit these as well.
    pub(crate) noise: bool,
    /// Both are here for their destructors.
    #[allow(dead_code)]
    pub(crate) counted: Option<Counted>,
    /// Called when it is freed.
    #[allow(dead_code)]
    pub(crate) at_end: Hooked,
}

impl Parcel {
    pub(crate) fn noise() -> Load {
        Arc::new(Parcel {
            noise: true,
            ..Parcel::bare(u64::MAX)
        })
    }

    pub(crate) fn bare(number: u64) -> Self {
        Parcel {
            by: 0,
            number,
            noise: false,
            counted: None,
            at_end: None,
        }
    }
}

/// A load that is but a number.
pub(crate) fn load(number: u64) -> Load {
    Arc::new(Parcel::bare(number))
}

pub(crate) type PanicSpy = Arc<dyn Fn(PanicPlace) + Send + Sync>;

/// How a bus is to be made.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) capacity: usize,
    pub(crate) overflow: Overflow,
    pub(crate) max_subscribers: usize,
    pub(crate) on_panic: Option<PanicSpy>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            capacity: 100,
            overflow: Overflow::DropNewest,
            max_subscribers: 64,
            on_panic: None,
        }
    }
}

impl Settings {
    pub(crate) fn of(capacity: usize, overflow: Overflow) -> Self {
        Settings {
            capacity,
            overflow,
            ..Settings::default()
        }
    }

    pub(crate) fn build<T: Send + Sync + 'static>(&self) -> Bus<T> {
        let builder: BusBuilder<T> = Bus::builder()
            .capacity(self.capacity)
            .overflow(self.overflow)
            .max_subscribers(self.max_subscribers);
        let builder = match self.on_panic.clone() {
            Some(spy) => builder.on_panic(move |panic| spy(panic.place())),
            None => builder,
        };
        builder.build().unwrap()
    }
}

pub(crate) type Filter = Box<dyn Fn(&Load) -> bool + Send + Sync>;

/// Which topics a subscription asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topics {
    All,
    One(usize),
    /// All, by several patterns that each match.
    Overlapping,
}

/// How to subscribe.
pub(crate) struct Options {
    pub(crate) topics: Topics,
    /// As the bus says, if `None`.
    pub(crate) capacity: Option<usize>,
    pub(crate) overflow: Option<Overflow>,
    pub(crate) filter: Option<Filter>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            topics: Topics::All,
            capacity: None,
            overflow: None,
            filter: None,
        }
    }
}

impl Options {
    pub(crate) fn filtered(filter: impl Fn(&Load) -> bool + Send + Sync + 'static) -> Self {
        Options {
            filter: Some(Box::new(filter)),
            ..Options::default()
        }
    }

    pub(crate) fn of(topics: Topics) -> Self {
        Options {
            topics,
            ..Options::default()
        }
    }
}

/// The emitting end of a bus. When it is dropped nothing keeps the bus open any more.
pub(crate) trait Source: Send + Sync {
    /// How many topics there are, numbered from 0.
    fn topics(&self) -> usize {
        TOPICS.len()
    }

    /// Whether what it returns speaks of the subscriptions at the other end.
    fn is_direct(&self) -> bool;

    /// The error is a bus that is closed.
    fn emit(&self, topic: usize, load: Load) -> Result<Emitted, Load>;

    /// As one batch.
    fn emit_batch(&self, loads: Vec<(usize, Load)>) -> Result<Emitted, Vec<Load>>;

    /// Whether a batch is emitted whole or not at all.
    fn emits_whole_batches(&self) -> bool {
        true
    }

    fn close(&self);

    /// How many events were emitted that no subscriber is to see.
    fn noise(&self) -> u64 {
        0
    }

    /// How many buses are fed from here and end when nobody uses them.
    fn children(&self) -> usize {
        0
    }
}

/// The end of a bus where one subscribes.
pub(crate) trait Sink: Send + Sync {
    fn subscribe(&self, options: Options) -> Result<Receiver, SubscribeError>;

    /// Calls `tap` at each event, while what it returns is held.
    fn tap(&self, tap: Box<dyn Fn(&Load) + Send + Sync>) -> Result<Box<dyn Any>, SubscribeError>;

    fn is_closed(&self) -> bool;

    /// Its numbers, while it is there.
    fn stats(&self) -> BusStats;
}

/// A bus of some kind.
pub(crate) struct Ends {
    pub(crate) from: Arc<dyn Source>,
    pub(crate) to: Arc<dyn Sink>,
}

/// Makes a bus of some kind.
pub(crate) type Kind = fn(&Settings) -> Ends;

/// What a subscriber sees of an event.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) topic: usize,
    pub(crate) load: Load,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    Empty,
    Closed,
}

/// The receiving end of a subscription.
pub(crate) trait Receive: Send + Sync {
    /// `None` at the end.
    fn recv(&self) -> Option<Seen>;
    fn try_recv(&self) -> Result<Seen, Tried>;
    /// Waits for one and takes what is there.
    fn recv_batch(&self, max: usize) -> Option<Vec<Seen>>;
    fn recv_async(&self) -> Pin<Box<dyn Future<Output = Option<Seen>> + Send + '_>>;
    fn len(&self) -> usize;
    fn counts(&self) -> Counts;
    fn filter_panics(&self) -> u64;
    fn missed(&self) -> u64;
    fn close(&self) -> bool;
    fn is_closed(&self) -> bool;
    fn share(&self) -> Receiver;
}

pub(crate) type Receiver = Box<dyn Receive>;

/// The five numbers of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) matched: u64,
    pub(crate) received: u64,
    pub(crate) dropped: u64,
    pub(crate) filtered: u64,
    pub(crate) conflated: u64,
}

impl Counts {
    pub(crate) fn add_up(&self) -> bool {
        self.matched == self.received + self.dropped + self.filtered + self.conflated
    }
}

/// The topics at the emitting end.
pub(crate) const TOPICS: [&str; 4] = ["t.0", "t.1", "t.2", "t.3"];

/// What waits, without waiting.
pub(crate) fn taken(sub: &dyn Receive) -> Vec<Seen> {
    std::iter::from_fn(|| sub.try_recv().ok()).collect()
}

/// The numbers of what waits.
pub(crate) fn numbers(sub: &dyn Receive) -> Vec<u64> {
    taken(sub).iter().map(|seen| seen.load.number).collect()
}

impl dyn Source {
    /// Emits numbers one by one, over all topics in turn.
    pub(crate) fn emit_all(&self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            let topic = number as usize % self.topics();
            assert!(self.emit(topic, load(number)).is_ok(), "it is closed");
        }
    }

    /// Emits numbers as one batch, over all topics in turn.
    pub(crate) fn emit_together(&self, numbers: impl IntoIterator<Item = u64>) -> Emitted {
        let topics = self.topics();
        let loads = numbers
            .into_iter()
            .map(|number| (number as usize % topics, load(number)));
        match self.emit_batch(loads.collect()) {
            Ok(emitted) => emitted,
            Err(_) => panic!("it is closed"),
        }
    }
}

impl Ends {
    pub(crate) fn emit_all(&self, numbers: impl IntoIterator<Item = u64>) {
        self.from.emit_all(numbers);
    }

    pub(crate) fn emit_batch(&self, numbers: impl IntoIterator<Item = u64>) -> Emitted {
        self.from.emit_together(numbers)
    }

    pub(crate) fn subscribe(&self) -> Receiver {
        self.to.subscribe(Options::default()).unwrap()
    }

    pub(crate) fn with(&self, options: Options) -> Receiver {
        self.to.subscribe(options).unwrap()
    }
}
