//! Rounds of handlers: emitters and dispatchers over every executor, handlers that come, go, fail, wait
//! and emit, starts and stops; and the account.
//!
//! When a round is over:
//!
//! - H3: every failure was reported once, and no other;
//! - H4: what is called once was called once;
//! - H7: a handler that stayed was called once for every event, whoever came and went;
//! - H9: every event that the dispatcher's queue took was handled once;
//! - reports add up, and no capture, payload or failure is alive.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;
use std::time::Duration;

use chanbus::{
    BlockOn, BoxError, Bus, Context, Dispatcher, Drain, Emitter, Event, Flow, HandlerId, Handlers,
    Job, Mode, Priority, ThreadPool, WhenFull,
};
use futures_lite::future::yield_now;

use crate::dice::{Dice, chance};

/// What all of a round count into.
#[derive(Default)]
struct Sums {
    events: AtomicU64,
    failures: AtomicU64,
    reported: AtomicU64,
    once: AtomicU64,
    alive: AtomicU64,
}

/// Something that must go in the end.
struct Alive(Arc<Sums>);

impl Alive {
    fn new(sums: &Arc<Sums>) -> Self {
        sums.alive.fetch_add(1, SeqCst);
        Alive(Arc::clone(sums))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, SeqCst);
    }
}

struct Parcel {
    id: u64,
    /// How many emits led to it.
    depth: u64,
    _alive: Alive,
}

struct Round {
    seed: u64,
    sums: Arc<Sums>,
    handlers: Handlers<Parcel>,
    mode: Mode,
    /// One event in so many leads to another; one call in so many fails.
    nested: u64,
    fails: u64,
    publishers: u64,
    emits: u64,
    churners: u64,
}

impl Round {
    fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            eprintln!("\nFAILED: {} (handlers, seed {})", what(), self.seed);
            exit(1);
        }
    }

    fn parcel(&self, id: u64, depth: u64) -> Parcel {
        Parcel {
            id,
            depth,
            _alive: Alive::new(&self.sums),
        }
    }
}

/// Whom the handlers run by.
fn pool(dice: &mut Dice) -> Option<ThreadPool> {
    let builder = ThreadPool::builder(1 + dice.below(3) as usize)
        .queue(1 + dice.below(8) as usize)
        .when_full(dice.pick(&[WhenFull::RunHere, WhenFull::Wait]));
    builder.build().ok()
}

fn thread_each(job: Job) {
    thread::spawn(move || job.run());
}

/// Plays the round of this seed; how many events there were, and how many failures.
pub(crate) fn play(seed: u64) -> (u64, u64) {
    let mut dice = Dice::new(seed ^ 0xA11);
    let sums = Arc::new(Sums::default());
    let round = Arc::new(Round {
        seed,
        handlers: Handlers::new(),
        mode: dice.pick(&[Mode::Sequential, Mode::Tiered, Mode::Concurrent]),
        nested: dice.pick(&[0, 9, 40]),
        fails: dice.pick(&[0, 7, 40]),
        publishers: 1 + dice.below(3),
        emits: 20 + dice.below(200),
        churners: dice.below(3),
        sums: Arc::clone(&sums),
    });
    let steady = steady(&round, &mut dice);
    {
        let (reported, alive) = (Arc::clone(&sums), Alive::new(&sums));
        let told = round.handlers.on_error(move |_| {
            let _captured = &alive;
            reported.reported.fetch_add(1, SeqCst);
        });
        told.keep();
    }
    let handled = if dice.one_in(2) {
        direct(&round, &mut dice)
    } else {
        dispatched(&round, &mut dice)
    };
    settle(&round, &steady, handled);
    let seen = (sums.events.load(SeqCst), sums.failures.load(SeqCst));
    drop(round);
    // A pool's threads drop their last job after they have told its end.
    while sums.alive.load(SeqCst) > 0 {
        thread::yield_now();
    }
    seen
}

/// Handlers that stay for the whole round, of every kind.
fn steady(round: &Arc<Round>, dice: &mut Dice) -> Vec<HandlerId> {
    let mut ids = Vec::new();
    for number in 0..1 + dice.below(4) {
        let priority = Priority::from(dice.below(3) as i32);
        let (weak, alive) = (Arc::downgrade(round), Alive::new(&round.sums));
        let on = round.handlers.on(["**", "t.*"]).priority(priority);
        let id = if dice.one_in(2) {
            on.handle(move |event, ctx| {
                let _captured = &alive;
                let Some(round) = weak.upgrade() else {
                    return Ok(Flow::Continue);
                };
                answer(&round, number, event, ctx)?;
                fail(&round, number, event)
            })
        } else {
            on.handle_async(move |event, ctx| {
                let (weak, alive) = (weak.clone(), weak.upgrade().map(|r| Alive::new(&r.sums)));
                let _captured = &alive;
                async move {
                    let _held = alive;
                    let Some(round) = weak.upgrade() else {
                        return Ok(Flow::Continue);
                    };
                    yield_now().await;
                    if chance(event.payload().id, number, round.nested) && event.payload().depth < 2
                    {
                        let parcel = round.parcel(event.payload().id, event.payload().depth + 1);
                        if ctx.emit_async("t.nested", parcel).await.is_ok() {
                            round.sums.events.fetch_add(1, SeqCst);
                        }
                    }
                    yield_now().await;
                    fail(&round, number, &event)
                }
            })
        };
        ids.extend(id);
    }
    let (once, alive) = (Arc::clone(&round.sums), Alive::new(&round.sums));
    let added = round
        .handlers
        .on(["t.*", "**", "t.?"])
        .once()
        .call(move |_| {
            let _captured = &alive;
            once.once.fetch_add(1, SeqCst);
        });
    round.check(added.is_ok(), || "a handler is refused".to_owned());
    ids
}

/// Leads to another event, now and then.
fn answer(
    round: &Round,
    number: u64,
    event: &Event<Parcel>,
    ctx: &Context<Parcel>,
) -> Result<(), BoxError> {
    let parcel = event.payload();
    if chance(parcel.id, number, round.nested) && parcel.depth < 2 {
        let next = round.parcel(parcel.id, parcel.depth + 1);
        if ctx.emit("t.nested", next).is_ok() {
            round.sums.events.fetch_add(1, SeqCst);
        }
    }
    Ok(())
}

/// Fails now and then, one way or the other.
fn fail(round: &Round, number: u64, event: &Event<Parcel>) -> Result<Flow, BoxError> {
    let id = event.payload().id;
    if !chance(id, 16 + number, round.fails) {
        return Ok(Flow::Continue);
    }
    round.sums.failures.fetch_add(1, SeqCst);
    if chance(id, 32 + number, 2) {
        return Err("on purpose".into());
    }
    std::panic::resume_unwind(Box::new("on purpose"));
}

/// Everybody who emits, and everybody who meddles, to their end.
///
/// Not by scoped threads: how those end is something that ThreadSanitizer does not see in a standard
/// library that is not built for it.
fn everybody(
    round: &Arc<Round>,
    dice: &mut Dice,
    emit: impl Fn(&Round, &str, u64) + Send + Sync + 'static,
) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut churners = Vec::new();
    for _ in 0..round.churners {
        let (round, stop, seed) = (Arc::clone(round), Arc::clone(&stop), dice.below(u64::MAX));
        churners.push(thread::spawn(move || churn(&round, &stop, seed)));
    }
    let emit = Arc::new(emit);
    let mut publishers = Vec::new();
    for publisher in 0..round.publishers {
        let (round, emit) = (Arc::clone(round), Arc::clone(&emit));
        publishers.push(thread::spawn(move || {
            for number in 0..round.emits {
                let topic = if number % 3 == 0 { "t.0" } else { "u" };
                emit(&round, topic, publisher << 32 | number);
            }
        }));
    }
    join(round, publishers);
    stop.store(true, Relaxed);
    join(round, churners);
}

fn join(round: &Round, threads: Vec<thread::JoinHandle<()>>) {
    for thread in threads {
        round.check(thread.join().is_ok(), || {
            "H3: a panic came through".to_owned()
        });
    }
}

/// Emits to handlers directly; how many events they must have seen.
fn direct(round: &Arc<Round>, dice: &mut Dice) -> u64 {
    let pool = pool(dice);
    let emitter = match (dice.below(3), &pool) {
        (0, Some(pool)) => Emitter::thread_pool(&round.handlers, pool),
        (1, _) => Emitter::new(&round.handlers, thread_each),
        _ => Emitter::blocking(&round.handlers),
    };
    let emitter = emitter.mode(round.mode);
    everybody(round, dice, move |round, topic, id| {
        let parcel = round.parcel(id, 0);
        let report = match id % 3 {
            0 => futures_lite::future::block_on(emitter.emit_async(topic, parcel)),
            _ => emitter.emit(topic, parcel),
        };
        match report {
            Ok(report) => {
                round.sums.events.fetch_add(1, SeqCst);
                round.check(report.matched == report.called + report.skipped, || {
                    format!("a report does not add up: {report:?}")
                });
            }
            Err(error) => round.check(false, || format!("an emit is refused: {error}")),
        }
    });
    if let Some(pool) = pool {
        pool.shutdown();
    }
    round.sums.events.load(SeqCst)
}

/// Emits on a bus whose dispatcher starts and stops; how many events it handled.
fn dispatched(round: &Arc<Round>, dice: &mut Dice) -> u64 {
    let bus = Bus::new();
    let pool = pool(dice);
    let builder = Dispatcher::builder(&bus, &round.handlers)
        .capacity(1 + dice.below(64) as usize)
        .max_in_flight(1 + dice.below(4) as usize)
        .mode(round.mode);
    let built = match (dice.below(3), &pool) {
        (0, Some(pool)) => builder.executor(pool.clone()),
        (1, _) => builder.executor(thread_each),
        _ => builder.executor(BlockOn),
    }
    .build();
    let Ok(dispatcher) = built else {
        round.check(false, || "a dispatcher is refused".to_owned());
        return 0;
    };
    let dispatcher = Arc::new(dispatcher);
    let restless = Arc::new(AtomicBool::new(true));
    let starter = {
        let mut dice = Dice::new(dice.below(u64::MAX));
        let (dispatcher, restless) = (Arc::clone(&dispatcher), Arc::clone(&restless));
        thread::spawn(move || {
            while restless.load(Relaxed) {
                let _ = dispatcher.start();
                dice.dawdle();
                let _ = match dice.below(3) {
                    0 => dispatcher.stop(Drain::Now),
                    1 => dispatcher.stop(Drain::Within(Duration::from_secs(50))),
                    _ => futures_lite::future::block_on(dispatcher.stop_async(Drain::All)),
                };
                dice.dawdle();
            }
        })
    };
    let emits = bus.clone();
    everybody(round, dice, move |round, topic, id| {
        if emits.emit(topic, round.parcel(id, 0)).is_ok() {
            round.sums.events.fetch_add(1, SeqCst);
        }
    });
    restless.store(false, Relaxed);
    join(round, vec![starter]);
    // The rest. What that leads to comes before the queue is empty again, or overflows.
    while dispatcher.stats().queued > 0 {
        let _ = dispatcher.start();
        let _ = dispatcher.stop(Drain::All);
    }
    let _ = dispatcher.start();
    drop(bus);
    dispatcher.wait();
    let stats = dispatcher.stats();
    let emitted = round.sums.events.load(SeqCst);
    round.check(stats.handled + stats.dropped == emitted, || {
        format!("H9: {emitted} events emitted, but\n{stats}")
    });
    round.check(stats.in_flight == 0 && stats.stuck == 0, || {
        format!("H9: {stats}")
    });
    drop(dispatcher);
    if let Some(pool) = pool {
        pool.shutdown();
    }
    stats.handled
}

/// Registers handlers and takes them away again, in every way there is.
fn churn(round: &Round, stop: &AtomicBool, seed: u64) {
    let mut dice = Dice::new(seed);
    let group = format!("churn {seed}");
    let handlers = &round.handlers;
    while !stop.load(Relaxed) {
        let alive = Alive::new(&round.sums);
        let on = handlers.on(["**", "t.0"]).name(&*group).group(&*group);
        let added = on.call(move |_| {
            let _captured = &alive;
        });
        let Ok(id) = added else { return };
        dice.dawdle();
        match dice.below(7) {
            0 => drop(handlers.guard(id)),
            1 => round.check(handlers.remove_named(&group) == 1, || {
                "H7: by name".to_owned()
            }),
            2 => round.check(handlers.remove_group(&group) == 1, || {
                "H7: by group".to_owned()
            }),
            3 => {
                round.check(handlers.off(id, "t.0"), || "H7: by pattern".to_owned());
                round.check(handlers.off(id, "**"), || {
                    "H7: by its last pattern".to_owned()
                });
            }
            4 => {
                let swapped = handlers.replace_group(&group, |handlers| {
                    handlers.on("**").name("new").call(|_| {}).map(drop)
                });
                let counts = swapped.map(|swapped| (swapped.removed, swapped.added));
                round.check(counts == Ok((1, 1)), || format!("H7: {counts:?}"));
                round.check(handlers.remove_group(&group) == 1, || {
                    "H7: the new".to_owned()
                });
            }
            5 => {
                let guard = handlers.middleware(Some);
                dice.dawdle();
                drop(guard);
                round.check(handlers.remove(id), || "H7: by id".to_owned());
            }
            _ => round.check(handlers.remove(id), || "H7: by id".to_owned()),
        }
        round.check(!handlers.contains(id), || {
            "H7: it is still there".to_owned()
        });
    }
}

fn settle(round: &Round, steady: &[HandlerId], handled: u64) {
    for id in steady {
        let called = round.handlers.get(*id).map(|info| info.called);
        round.check(called == Some(handled), || {
            format!("a handler was called {called:?} times for {handled} events")
        });
    }
    let sums = &round.sums;
    let once = sums.once.load(SeqCst);
    round.check(once == u64::from(handled > 0), || {
        format!("H4: the call of one was made {once} times")
    });
    let (failed, reported) = (sums.failures.load(SeqCst), sums.reported.load(SeqCst));
    let counted = round.handlers.stats().failed;
    round.check(failed == reported && failed == counted, || {
        format!("H3: {failed} failures, {reported} reported, {counted} counted")
    });
}
