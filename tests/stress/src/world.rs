//! What all threads of one round share: the census, the sums of all emits, and provoked panics.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::exit;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64};
use std::sync::{Arc, OnceLock};

use chanbus::{CaughtPanic, EmitError, Emitted, PanicPlace, WeakBus};

use crate::dice::chance;
use crate::parcel::{Fuse, Parcel};

pub(crate) const TOPICS: [&str; 6] = ["t.0", "t.1", "t.2", "u.0", "u.1.x", "v"];

/// Whose code numbers an event: within one lane of one thread, numbers ascend in order of emission.
#[derive(Clone, Copy)]
pub(crate) enum Lane {
    Main,
    Filter,
    Tap,
    Waker,
    Destructor,
}

const LANES: u32 = 5;

/// How likely trouble is in this round: one in so many, or never for zero.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Odds {
    pub(crate) panic: u64,
    pub(crate) nested: u64,
}

/// What was thrown on purpose. Without a size, so that one that is forgotten leaks nothing.
struct Provoked;

/// Counts by place: filter, tap, waker, destructor.
#[derive(Default)]
pub(crate) struct Panics([AtomicU64; 4]);

impl Panics {
    fn add(&self, place: PanicPlace) {
        self.0[index(place)].fetch_add(1, Relaxed);
    }

    pub(crate) fn of(&self, place: PanicPlace) -> u64 {
        self.0[index(place)].load(Relaxed)
    }

    pub(crate) fn all(&self) -> u64 {
        self.0.iter().map(|count| count.load(Relaxed)).sum()
    }
}

fn index(place: PanicPlace) -> usize {
    match place {
        PanicPlace::Filter => 0,
        PanicPlace::Tap => 1,
        PanicPlace::Waker => 2,
        _ => 3,
    }
}

/// What emits said that they did, added up. Relaxed: read after all threads were joined, and nothing
/// that a sanitizer should see is to be ordered by it.
#[derive(Default)]
pub(crate) struct Sums {
    pub(crate) emits: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) matched: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) filtered: AtomicU64,
    pub(crate) evicted: AtomicU64,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) odds: Odds,
    bus: OnceLock<WeakBus<Parcel>>,
    threads: AtomicU32,
    pub(crate) sums: Sums,
    /// How many events were emitted on each topic, broadcasts apart.
    pub(crate) by_topic: [AtomicU64; TOPICS.len()],
    pub(crate) broadcasts: AtomicU64,
    pub(crate) parcels: AtomicI64,
    pub(crate) captures: AtomicI64,
    pub(crate) wakers: AtomicI64,
    pub(crate) provoked: Panics,
    pub(crate) reported: Panics,
    pub(crate) caught: Panics,
}

thread_local! {
    /// The number of this thread; `None` for threads that only receive and so must not emit.
    static NUMBER: Cell<Option<u32>> = const { Cell::new(None) };
    static NESTED: Cell<bool> = const { Cell::new(false) };
    static COUNTS: Cell<[u32; LANES as usize]> = const { Cell::new([0; LANES as usize]) };
}

impl World {
    pub(crate) fn new(seed: u64, odds: Odds) -> Arc<Self> {
        Arc::new(World {
            seed,
            odds,
            ..World::default()
        })
    }

    pub(crate) fn set_bus(&self, bus: WeakBus<Parcel>) {
        let _ = self.bus.set(bus);
    }

    /// From here on this thread emits: it is done before the bus closes, so its sums are exact.
    pub(crate) fn enter(&self) {
        NUMBER.set(Some(self.threads.fetch_add(1, Relaxed)));
        COUNTS.set([0; LANES as usize]);
    }

    /// The next parcel of this thread.
    pub(crate) fn parcel(self: &Arc<Self>, lane: Lane, topic: usize, broadcast: bool) -> Parcel {
        let thread = NUMBER.get().unwrap_or(u32::MAX / LANES);
        let mut counts = COUNTS.get();
        counts[lane as usize] += 1;
        COUNTS.set(counts);
        let id = u64::from(thread * LANES + lane as u32) << 32 | u64::from(counts[lane as usize]);
        let fuse = if chance(id, 1, self.odds.panic) {
            Fuse::Panics
        } else if matches!(lane, Lane::Main) && chance(id, 2, self.odds.nested) {
            Fuse::Emits
        } else {
            Fuse::None
        };
        Parcel::new(Arc::clone(self), id, topic, broadcast, fuse)
    }

    /// Emits from inside a filter, a tap, a waker or a destructor; not from inside of such an emit.
    pub(crate) fn nested(self: &Arc<Self>, lane: Lane, topic: usize) {
        let emits = NUMBER.try_with(Cell::get).ok().flatten().is_some();
        if !emits || NESTED.get() || std::thread::panicking() {
            return;
        }
        if let Some(bus) = self.bus.get().and_then(WeakBus::upgrade) {
            NESTED.set(true);
            let parcel = self.parcel(lane, topic, false);
            self.note_one(topic, bus.emit(TOPICS[topic], parcel));
            NESTED.set(false);
        }
    }

    /// Notes what an emit of one parcel did; `false` if the bus is closed.
    pub(crate) fn note_one(
        &self,
        topic: usize,
        result: Result<Emitted, EmitError<Parcel>>,
    ) -> bool {
        match result {
            Ok(emitted) => {
                self.note(emitted, 1);
                self.by_topic[topic].fetch_add(1, Relaxed);
                true
            }
            Err(error) => {
                self.refused(&error, 1);
                self.discard(error.into_payload());
                false
            }
        }
    }

    pub(crate) fn note(&self, emitted: Emitted, events: u64) {
        let sum = emitted.delivered + emitted.dropped + emitted.filtered;
        if emitted.matched != sum {
            self.fail(&format!("P5: an emit does not add up: {emitted:?}"));
        }
        let sums = &self.sums;
        sums.emits.fetch_add(events, Relaxed);
        for (sum, count) in [
            (&sums.matched, emitted.matched),
            (&sums.delivered, emitted.delivered),
            (&sums.dropped, emitted.dropped),
            (&sums.filtered, emitted.filtered),
            (&sums.evicted, emitted.evicted),
        ] {
            sum.fetch_add(count as u64, Relaxed);
        }
    }

    pub(crate) fn refused<T>(&self, error: &EmitError<T>, events: u64) {
        if !error.is_closed() {
            self.fail("an emit was refused though its bus is open");
        }
        self.sums.refused.fetch_add(events, Relaxed);
    }

    /// Panics on purpose, past the process's panic hook.
    pub(crate) fn provoke(&self, place: PanicPlace) {
        if !std::thread::panicking() {
            self.provoked.add(place);
            resume_unwind(Box::new(Provoked));
        }
    }

    /// What the bus tells its hook.
    pub(crate) fn report(&self, panic: &CaughtPanic<'_>) {
        if !panic.payload().is::<Provoked>() {
            self.fail(&format!("P11: a panic that nobody provoked: {panic:?}"));
        }
        self.reported.add(panic.place());
        // A hook that panics itself is ignored.
        if panic.place() == PanicPlace::Tap {
            resume_unwind(Box::new(Provoked));
        }
    }

    /// Runs what may drop the user's values here, outside of the bus, and so panic here.
    pub(crate) fn catch<R>(&self, place: PanicPlace, act: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(act)) {
            Ok(result) => Some(result),
            Err(thrown) if thrown.is::<Provoked>() => {
                self.caught.add(place);
                None
            }
            Err(thrown) => resume_unwind(thrown),
        }
    }

    pub(crate) fn discard<V>(&self, value: V) {
        self.catch(PanicPlace::Destructor, || drop(value));
    }

    /// Ends the process: whatever is wrong, the other threads may wait for one another for ever.
    pub(crate) fn fail(&self, message: &str) -> ! {
        eprintln!("\nFAILED in the round of seed {}: {message}", self.seed);
        eprintln!("{:?}", crate::round::Settings::draw(self.seed));
        exit(1);
    }

    /// Runs a thread's work; whatever panics through it is a broken promise, told with its name.
    pub(crate) fn guard<R>(&self, name: &str, work: impl FnOnce() -> R) -> R {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|thrown| {
            let provoked = thrown.is::<Provoked>();
            self.fail(&format!(
                "P11: a panic came through in a {name} (provoked: {provoked})"
            ))
        })
    }

    pub(crate) fn check(&self, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.fail(&message());
        }
    }
}
