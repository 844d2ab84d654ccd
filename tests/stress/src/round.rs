//! One round: a bus, those who use it, its end, and the account.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};

use chanbus::{Bus, Overflow, Pattern, Publisher, Subscription, WakeUps};

use crate::account::settle;
use crate::consume::{BLOCKING, WAYS, consume};
use crate::dice::Dice;
use crate::mischief::{churn, meddle};
use crate::parcel::{Parcel, filter, tap};
use crate::publish::publish;
use crate::reader::Reader;
use crate::world::{Odds, World};

pub(crate) const POLICIES: [Overflow; 3] =
    [Overflow::DropNewest, Overflow::DropOldest, Overflow::Latest];
pub(crate) const PATTERNS: [&str; 8] = ["**", "t.*", "t.0", "t.?", "u.**", "*.1.x", "v", "*.*"];

/// How a round ends, if nobody closes the bus before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Close,
    LastHandle,
    EachByItself,
}

/// What a round is made of; all of it follows from its seed.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) wake_ups: WakeUps,
    pub(crate) history: usize,
    pub(crate) route_cache: usize,
    pub(crate) publishers: u64,
    pub(crate) emits: u64,
    pub(crate) subscriptions: u64,
    pub(crate) churners: u64,
    pub(crate) taps: u64,
    pub(crate) odds: Odds,
    /// Somebody closes the bus under the publishers.
    pub(crate) closes: bool,
    pub(crate) ending: Ending,
}

impl Settings {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        Settings {
            wake_ups: dice.pick(&[WakeUps::Direct, WakeUps::Handed]),
            history: dice.pick(&[0, 0, 1, 4, 32]),
            route_cache: dice.pick(&[1, 2, 4, 1_024]),
            publishers: 1 + dice.below(4),
            emits: 50 + dice.below(600),
            subscriptions: 1 + dice.below(5),
            churners: dice.below(3),
            taps: dice.below(3),
            odds: Odds {
                panic: dice.pick(&[0, 7, 40]),
                nested: dice.pick(&[0, 9, 50]),
            },
            closes: dice.one_in(4),
            ending: dice.pick(&[Ending::Close, Ending::LastHandle, Ending::EachByItself]),
        }
    }
}

/// A subscription that stays for the whole round, and its consumers.
pub(crate) struct Steady {
    pub(crate) sub: Arc<Subscription<Parcel>>,
    pub(crate) patterns: Vec<Pattern>,
    /// Others change its patterns, and may close it.
    pub(crate) restless: bool,
    pub(crate) consumers: Vec<JoinHandle<Reader>>,
}

impl Steady {
    pub(crate) fn reader(&self, world: &Arc<World>, limit: usize) -> Reader {
        let patterns = (!self.restless).then(|| self.patterns.clone());
        Reader::new(world, self.sub.overflow(), patterns, limit)
    }
}

/// What is left of a round when everybody but the consumers has gone.
pub(crate) struct Remains {
    pub(crate) world: Arc<World>,
    pub(crate) steady: Vec<Steady>,
    pub(crate) publishers: Vec<Publisher<Parcel>>,
    pub(crate) settings: Settings,
}

/// Plays the round of this seed and checks it; how many events it emitted, and how many panics it saw.
pub(crate) fn play(seed: u64) -> (u64, u64) {
    let settings = Settings::draw(seed);
    let world = World::new(seed, settings.odds);
    let mut dice = Dice::new(seed ^ 0x5EED);
    let hooked = Arc::downgrade(&world);
    let built = Bus::<Parcel>::builder()
        .name("stress")
        .capacity(1 + dice.below(8) as usize)
        .overflow(dice.pick(&POLICIES))
        .wake_ups(settings.wake_ups)
        .history(settings.history)
        .route_cache(settings.route_cache)
        .on_panic(move |panic| {
            if let Some(world) = hooked.upgrade() {
                world.report(panic);
            }
        })
        .build();
    let Ok(bus) = built else {
        world.fail("the bus cannot be built");
    };
    world.set_bus(bus.downgrade());

    let steady: Vec<_> = (0..settings.subscriptions)
        .map(|_| subscribe(&world, &bus, &mut dice))
        .collect();
    let taps: Vec<_> = (0..settings.taps)
        .map(|_| bus.tap(dice.pick(&PATTERNS), tap(&world, dice.one_in(4))))
        .collect();
    let publishers = run(&world, &bus, &steady, &settings, &mut dice);
    drop(taps);

    let remains = Remains {
        world,
        steady,
        publishers,
        settings,
    };
    settle(remains, bus)
}

/// Lets everybody who emits or meddles do so, to their end.
fn run(
    world: &Arc<World>,
    bus: &Bus<Parcel>,
    steady: &[Steady],
    settings: &Settings,
    dice: &mut Dice,
) -> Vec<Publisher<Parcel>> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut others = Vec::new();
    for _ in 0..settings.churners {
        let (world, bus, stop) = (Arc::clone(world), bus.clone(), Arc::clone(&stop));
        let seed = dice.below(u64::MAX);
        others.push(thread::spawn(move || {
            world.guard("churner", || churn(&world, bus, &stop, seed));
        }));
    }
    {
        let (world, bus, stop) = (Arc::clone(world), bus.clone(), Arc::clone(&stop));
        let restless = steady.iter().filter(|steady| steady.restless);
        let restless: Vec<_> = restless.map(|steady| Arc::clone(&steady.sub)).collect();
        let (seed, closes) = (dice.below(u64::MAX), settings.closes);
        others.push(thread::spawn(move || {
            world.guard("meddler", || {
                meddle(&world, bus, &restless, closes, &stop, seed);
            });
        }));
    }
    let threads: Vec<_> = (0..settings.publishers)
        .map(|_| {
            let (world, bus) = (Arc::clone(world), bus.clone());
            let (emits, seed) = (settings.emits, dice.below(u64::MAX));
            thread::spawn(move || world.guard("publisher", || publish(&world, bus, emits, seed)))
        })
        .collect();
    let publishers = threads.into_iter().flat_map(|thread| join(world, thread));
    let publishers = publishers.collect();
    stop.store(true, Relaxed);
    others.into_iter().for_each(|thread| join(world, thread));
    publishers
}

pub(crate) fn join<R>(world: &World, thread: JoinHandle<R>) -> R {
    match thread.join() {
        Ok(result) => result,
        Err(_) => world.fail("P11: a panic came through"),
    }
}

fn subscribe(world: &Arc<World>, bus: &Bus<Parcel>, dice: &mut Dice) -> Steady {
    let mut patterns = vec![dice.pick(&PATTERNS)];
    if dice.one_in(2) {
        patterns.push(dice.pick(&PATTERNS));
    }
    let mut builder = bus.subscription(&patterns).name(patterns.join(" "));
    if dice.one_in(2) {
        builder = builder.capacity(1 + dice.below(8) as usize);
        builder = builder.overflow(dice.pick(&POLICIES));
    }
    if dice.one_in(2) {
        builder = builder.filter(filter(world, dice.below(99), dice.one_in(4)));
    }
    let Ok(sub) = builder.subscribe() else {
        world.fail("a subscription is refused");
    };
    let mut steady = Steady {
        patterns: sub.patterns(),
        sub: Arc::new(sub),
        restless: dice.one_in(3),
        consumers: Vec::new(),
    };
    for _ in 0..dice.below(4) {
        // Some leave early, perhaps just when they were to wake another.
        let limit = match dice.below(3) {
            0 => dice.below(60) as usize,
            _ => usize::MAX,
        };
        let mut reader = steady.reader(world, limit);
        let mut dice = Dice::new(dice.below(u64::MAX));
        // A handle of its own, or one that several threads use by reference.
        let (shared, own) = (Arc::clone(&steady.sub), dice.one_in(2));
        let way = dice.below(if own { WAYS } else { BLOCKING + 1 });
        steady.consumers.push(thread::spawn(move || {
            let world = Arc::clone(&reader.world);
            world.guard(&format!("consumer of way {way}"), || {
                if own {
                    let handle = shared.share();
                    drop(shared);
                    consume(&handle, way, &mut reader, &mut dice);
                } else {
                    consume(&shared, way, &mut reader, &mut dice);
                }
                reader
            })
        }));
    }
    steady
}
