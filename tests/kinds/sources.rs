//! The ends of all kinds where one emits.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use chanbus::{Bus, Channel, EmitError, Emitted, Publisher, TapGuard, Typed, TypedBus};

use crate::kind::{Load, Parcel, Source, TOPICS};
use crate::sinks::Carries;

/// Emits on a bus event by event.
pub(crate) struct Emits {
    pub(crate) bus: Bus<Load>,
    /// Whether subscriptions are on this very bus.
    pub(crate) direct: bool,
    /// Counted, if something that is not meant for the other end is emitted with each load.
    pub(crate) noise: Option<AtomicU64>,
}

fn refused<T>(error: EmitError<T>) -> T {
    assert!(error.is_closed());
    error.into_payload()
}

/// One batch; the error is all of it.
fn batch_on(bus: &Bus<Load>, loads: Vec<(usize, Load)>) -> Result<Emitted, Vec<Load>> {
    let mut batch = bus.start_batch();
    for (topic, load) in loads {
        batch.emit(TOPICS[topic], load).map_err(refused).ok();
    }
    batch.commit().map_err(|error| {
        let events = refused(error).into_iter();
        let loads = events.map(|event| Arc::clone(event.payload()));
        loads.filter(|load| !load.noise).collect()
    })
}

impl Source for Emits {
    fn is_direct(&self) -> bool {
        self.direct
    }

    fn emit(&self, topic: usize, load: Load) -> Result<Emitted, Load> {
        if let Some(noise) = &self.noise
            && self.bus.emit(TOPICS[topic], Parcel::noise()).is_ok()
        {
            noise.fetch_add(1, Ordering::SeqCst);
        }
        self.bus.emit(TOPICS[topic], load).map_err(refused)
    }

    fn emit_batch(&self, loads: Vec<(usize, Load)>) -> Result<Emitted, Vec<Load>> {
        let Some(noise) = &self.noise else {
            return batch_on(&self.bus, loads);
        };
        let count = loads.len() as u64;
        let with_noise = |(topic, load)| [(topic, Parcel::noise()), (topic, load)];
        let emitted = batch_on(&self.bus, loads.into_iter().flat_map(with_noise).collect())?;
        noise.fetch_add(count, Ordering::SeqCst);
        Ok(emitted)
    }

    fn close(&self) {
        self.bus.close();
    }

    fn noise(&self) -> u64 {
        self.noise.as_ref().map_or(0, |n| n.load(Ordering::SeqCst))
    }

    fn children(&self) -> usize {
        if self.direct {
            return 0;
        }
        self.bus.stats().taps
    }
}

/// A bus that is piped, with the guard of it.
pub(crate) struct Piped {
    pub(crate) bus: Emits,
    pub(crate) target: Bus<Load>,
    pub(crate) _pipe: TapGuard<Load>,
}

impl Source for Piped {
    fn is_direct(&self) -> bool {
        false
    }

    fn emit(&self, topic: usize, load: Load) -> Result<Emitted, Load> {
        self.bus.emit(topic, load)
    }

    fn emit_batch(&self, loads: Vec<(usize, Load)>) -> Result<Emitted, Vec<Load>> {
        self.bus.emit_batch(loads)
    }

    /// Neither bus closes the other.
    fn close(&self) {
        self.bus.close();
        self.target.close();
    }
}

/// Emits on several buses in turn.
pub(crate) struct InTurn {
    pub(crate) buses: Vec<Bus<Load>>,
    pub(crate) turn: AtomicUsize,
}

impl InTurn {
    fn next(&self) -> &Bus<Load> {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        &self.buses[turn % self.buses.len()]
    }
}

impl Source for InTurn {
    fn is_direct(&self) -> bool {
        false
    }

    fn emit(&self, topic: usize, load: Load) -> Result<Emitted, Load> {
        self.next().emit(TOPICS[topic], load).map_err(refused)
    }

    fn emit_batch(&self, loads: Vec<(usize, Load)>) -> Result<Emitted, Vec<Load>> {
        batch_on(self.next(), loads)
    }

    fn close(&self) {
        for bus in &self.buses {
            bus.close();
        }
    }

    fn children(&self) -> usize {
        self.buses.iter().map(|bus| bus.stats().taps).sum()
    }
}

/// Emits by handles that are bound to one topic each, and belong to one thread at a time.
pub(crate) struct ByPublisher {
    pub(crate) bus: Bus<Load>,
    /// Those that are not in use.
    pub(crate) idle: Mutex<Vec<Publishers>>,
}

type Publishers = [Publisher<Load>; TOPICS.len()];

impl ByPublisher {
    fn with<R>(&self, emit: impl FnOnce(&Publishers) -> R) -> R {
        let idle = self.idle.lock().unwrap().pop();
        let own = idle.unwrap_or_else(|| TOPICS.map(|topic| self.bus.publisher(topic).unwrap()));
        let result = emit(&own);
        self.idle.lock().unwrap().push(own);
        result
    }
}

impl Source for ByPublisher {
    fn is_direct(&self) -> bool {
        true
    }

    fn emit(&self, topic: usize, load: Load) -> Result<Emitted, Load> {
        self.with(|publishers| publishers[topic].emit(load))
            .map_err(refused)
    }

    /// Runs of one topic together.
    fn emit_batch(&self, loads: Vec<(usize, Load)>) -> Result<Emitted, Vec<Load>> {
        let (mut emitted, mut left) = (Emitted::default(), Vec::new());
        let mut loads = loads.into_iter().peekable();
        while let Some((topic, first)) = loads.next() {
            let mut run = vec![first];
            while let Some((_, load)) = loads.next_if(|(next, _)| *next == topic) {
                run.push(load);
            }
            match self.with(|publishers| publishers[topic].emit_batch(run)) {
                Ok(more) => emitted += more,
                Err(error) => left.extend(refused(error)),
            }
        }
        if left.is_empty() {
            Ok(emitted)
        } else {
            Err(left)
        }
    }

    fn close(&self) {
        self.bus.close();
    }
}

/// Emits batches of one.
pub(crate) struct ByBatch(pub(crate) Bus<Load>);

impl Source for ByBatch {
    fn is_direct(&self) -> bool {
        true
    }

    fn emit(&self, topic: usize, load: Load) -> Result<Emitted, Load> {
        self.emit_batch(vec![(topic, load)])
            .map_err(|mut loads| loads.remove(0))
    }

    fn emit_batch(&self, loads: Vec<(usize, Load)>) -> Result<Emitted, Vec<Load>> {
        batch_on(&self.0, loads)
    }

    fn close(&self) {
        self.0.close();
    }
}

/// Emits all by outboxes, through savepoints.
pub(crate) struct ByOutbox(pub(crate) Bus<Load>);

impl Source for ByOutbox {
    fn is_direct(&self) -> bool {
        true
    }

    fn emit(&self, topic: usize, load: Load) -> Result<Emitted, Load> {
        self.emit_batch(vec![(topic, load)])
            .map_err(|mut loads| loads.remove(0))
    }

    fn emit_batch(&self, loads: Vec<(usize, Load)>) -> Result<Emitted, Vec<Load>> {
        let mut outbox = self.0.outbox();
        for (topic, load) in loads {
            let mut kept = outbox.savepoint();
            kept.emit(TOPICS[topic], load).map_err(refused).ok();
            // What is given up leaves no trace.
            let mut given_up = kept.savepoint();
            given_up.emit(TOPICS[topic], Parcel::noise()).ok();
            given_up.rollback();
            kept.commit();
        }
        match outbox.commit() {
            Ok(committed) => Ok(committed.emitted),
            Err(error) => {
                assert!(error.is_closed());
                let events = error.into_events().into_iter();
                Err(events.map(|event| Arc::clone(event.payload())).collect())
            }
        }
    }

    fn close(&self) {
        self.0.close();
    }
}

/// Publishes on a channel: to all, or by topic.
pub(crate) struct Publishes {
    pub(crate) channel: Channel<Load>,
    pub(crate) to_all: bool,
}

impl Source for Publishes {
    fn topics(&self) -> usize {
        if self.to_all { 1 } else { TOPICS.len() }
    }

    fn is_direct(&self) -> bool {
        true
    }

    fn emit(&self, topic: usize, load: Load) -> Result<Emitted, Load> {
        let emitted = match self.to_all {
            true => self.channel.publish(load),
            false => self.channel.publish_to(TOPICS[topic], load),
        };
        emitted.map_err(refused)
    }

    /// To all, one by one: a batch is for those who ask for its topics.
    fn emit_batch(&self, loads: Vec<(usize, Load)>) -> Result<Emitted, Vec<Load>> {
        if !self.to_all {
            return batch_on(self.channel.bus(), loads);
        }
        let mut emitted = Emitted::default();
        let mut loads = loads.into_iter().map(|(_, load)| load);
        while let Some(load) = loads.next() {
            match self.emit(0, load) {
                Ok(more) => emitted += more,
                Err(load) => return Err(std::iter::once(load).chain(loads).collect()),
            }
        }
        Ok(emitted)
    }

    fn emits_whole_batches(&self) -> bool {
        !self.to_all
    }

    fn close(&self) {
        self.channel.close();
    }
}

/// Loads of several types.
pub(crate) struct Of<const N: usize>(pub(crate) Load);

macro_rules! types {
    ($($number:literal)*) => { $(
        impl Typed for Of<$number> {
            const TOPIC: &'static str = TOPICS[$number];
        }
    )* };
}
types!(0 1 2 3);

/// Emits by type: of one, or of four.
pub(crate) struct ByType {
    pub(crate) bus: TypedBus,
    pub(crate) types: usize,
}

impl Source for ByType {
    fn topics(&self) -> usize {
        self.types
    }

    fn is_direct(&self) -> bool {
        true
    }

    fn emit(&self, topic: usize, load: Load) -> Result<Emitted, Load> {
        match topic {
            0 => self.bus.emit(Of::<0>(load)).map_err(|e| refused(e).0),
            1 => self.bus.emit(Of::<1>(load)).map_err(|e| refused(e).0),
            2 => self.bus.emit(Of::<2>(load)).map_err(|e| refused(e).0),
            _ => self.bus.emit(Of::<3>(load)).map_err(|e| refused(e).0),
        }
    }

    fn emit_batch(&self, loads: Vec<(usize, Load)>) -> Result<Emitted, Vec<Load>> {
        let mut batch = self.bus.start_batch();
        for (topic, load) in loads {
            let added = match topic {
                0 => batch.emit(Of::<0>(load)).is_ok(),
                1 => batch.emit(Of::<1>(load)).is_ok(),
                2 => batch.emit(Of::<2>(load)).is_ok(),
                _ => batch.emit(Of::<3>(load)).is_ok(),
            };
            assert!(added);
        }
        batch.commit().map_err(|error| {
            let events = refused(error).into_iter();
            events.map(|event| event.payload().load().clone()).collect()
        })
    }

    fn close(&self) {
        self.bus.close();
    }
}
