//! Threads that publish, apply, collect aside, fail and end, and exact sums of what became of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use chanbus::{BoxError, Collected, Commit, Deferred, DeferredBus, MultiBus, Publish, Wrapped};
use parking_lot::Mutex;

use crate::common::{Census, Counted, Dice, guarded, soaked};

/// The publisher's number, that of its event, and what says whether it is alive.
struct Stamped(
    usize,
    u32,
    #[expect(dead_code, reason = "it goes with the event")] Counted,
);

impl Stamped {
    fn key(&self) -> (usize, u32) {
        (self.0, self.1)
    }
}

const PUBLISHERS: usize = 3;
const EVENTS: u32 = 200;

/// How often each event ran.
#[derive(Default)]
struct Ends {
    ran: HashMap<(usize, u32), usize>,
}

type Part = Deferred<
    chanbus::FromFn<Stamped, Box<dyn Fn(&Stamped, Commit) -> Result<(), BoxError> + Send + Sync>>,
>;

/// Counts each run that does not fail; fails every seventh event's first run.
fn part(ends: &Arc<Mutex<Ends>>) -> Part {
    let ends = Arc::clone(ends);
    let failed = Mutex::new(HashMap::new());
    Deferred::from_fn(Box::new(move |event: &Stamped, _| {
        if event.1.is_multiple_of(7) && failed.lock().insert(event.key(), ()).is_none() {
            match event.1 % 2 {
                0 => return Err("not yet".into()),
                _ => panic!("not yet"),
            }
        }
        *ends.lock().ran.entry(event.key()).or_default() += 1;
        Ok(())
    }))
}

/// Publishes all its events, in one way or another, and says how many came back.
fn publisher(number: usize, handle: &Wrapped<Part>, census: &Census) -> usize {
    let mut dice = Dice::new(number as u64 + 1);
    let mut back = 0;
    let mut next = 0;
    while next < EVENTS {
        let count = (1 + dice.below(3) as u32).min(EVENTS - next);
        let events: Vec<_> = (next..next + count)
            .map(|event| Stamped(number, event, census.born()))
            .collect();
        next += count;
        back += match handle.publish_all(events) {
            Ok(()) => 0,
            Err(error) => error.into_inner().len(),
        };
        if dice.below(4) == 0 {
            handle.as_deferred().apply(Commit::Real).unwrap();
        }
        dice.dawdle();
    }
    back
}

/// Applies until told, and publishes again what an error hands back.
fn applier(multi: &MultiBus, number: u64, over: &AtomicBool) {
    let mut dice = Dice::new(100 + number);
    loop {
        // Relaxed: the last round comes after the joins.
        let last = over.load(Ordering::Relaxed);
        let said = match dice.below(2) {
            0 => multi
                .apply(Commit::Real)
                .map(drop)
                .map_err(|error| error.into_unapplied()),
            _ => Collected::run_all(multi.collect(), Commit::Real)
                .map(drop)
                .map_err(|error| error.into_unapplied()),
        };
        if let Err(events) = said {
            multi.publish_all(events).unwrap();
        } else if last {
            return;
        }
    }
}

#[test]
fn d2_each_event_runs_once_whoever_publishes_applies_and_collects_beside() {
    for round in 0..soaked(20) {
        guarded(move || {
            let ends = Arc::new(Mutex::new(Ends::default()));
            let census = Census::new();
            let (multi, inner) = (MultiBus::new(), MultiBus::new());
            drop(multi.wrap(inner.clone()));
            let over = Arc::new(AtomicBool::new(false));
            let appliers: Vec<_> = (0..2)
                .map(|number| {
                    // One of them has the inner bus only.
                    let multi = if number == 0 {
                        multi.clone()
                    } else {
                        inner.clone()
                    };
                    let over = Arc::clone(&over);
                    thread::spawn(move || applier(&multi, number + round, &over))
                })
                .collect();
            let publishers: Vec<_> = (0..PUBLISHERS)
                .map(|number| {
                    let handle = match number {
                        0 => multi.wrap(part(&ends)),
                        _ => inner.orchestrator().wrap(part(&ends)),
                    };
                    let census = census.clone();
                    thread::spawn(move || publisher(number, &handle, &census))
                })
                .collect();
            for thread in publishers {
                assert_eq!(thread.join().unwrap(), 0);
            }
            over.store(true, Ordering::Relaxed);
            for thread in appliers {
                thread.join().unwrap();
            }
            // What one of them had in hand when the other saw nothing.
            while let Err(error) = multi.apply(Commit::Real) {
                multi.publish_all(error.into_unapplied()).unwrap();
            }
            let ends = ends.lock();
            assert_eq!(
                ends.ran.len(),
                PUBLISHERS * EVENTS as usize,
                "round {round}"
            );
            assert!(ends.ran.values().all(|times| *times == 1), "round {round}");
            assert_eq!(census.alive(), 0, "round {round}");
        });
    }
}

#[test]
fn d5_an_owner_that_goes_meanwhile_leaves_each_event_run_or_handed_back_or_discarded() {
    for round in 0..soaked(50) {
        guarded(move || {
            let ends = Arc::new(Mutex::new(Ends::default()));
            let census = Census::new();
            let multi = MultiBus::new();
            let start = Arc::new(Barrier::new(PUBLISHERS + 1));
            let back = Arc::new(AtomicUsize::new(0));
            let publishers: Vec<_> = (0..PUBLISHERS)
                .map(|number| {
                    let handle = multi.wrap(Deferred::from_fn({
                        let ends = Arc::clone(&ends);
                        move |event: &Stamped, _| {
                            *ends.lock().ran.entry(event.key()).or_default() += 1;
                            Ok(())
                        }
                    }));
                    let (census, start) = (census.clone(), Arc::clone(&start));
                    let back = Arc::clone(&back);
                    thread::spawn(move || {
                        start.wait();
                        for event in 0..EVENTS {
                            let stamped = Stamped(number, event, census.born());
                            if handle.publish(stamped).is_err() {
                                back.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                        // It keeps nothing alive.
                        handle
                    })
                })
                .collect();
            start.wait();
            Dice::new(round).dawdle();
            let applied = multi.apply(Commit::Real).unwrap().len();
            drop(multi);
            let handles: Vec<_> = (publishers.into_iter())
                .map(|thread| thread.join().unwrap())
                .collect();
            let ends = ends.lock();
            assert_eq!(ends.ran.len(), applied);
            assert!(ends.ran.values().all(|times| *times == 1));
            assert!(applied + back.load(Ordering::Relaxed) <= PUBLISHERS * EVENTS as usize);
            assert_eq!(census.alive(), 0, "round {round}: nothing stays behind");
            assert_eq!(handles.len(), PUBLISHERS);
        });
    }
}

#[test]
fn d1_each_publishing_threads_events_run_in_its_order() {
    guarded(|| {
        let seen = Arc::new(Mutex::new(HashMap::new()));
        let bus = Deferred::from_fn({
            let seen = Arc::clone(&seen);
            move |(publisher, number): &(usize, u32), _| {
                let before = seen.lock().insert(*publisher, *number);
                match before {
                    Some(before) if before >= *number => Err("out of order".into()),
                    _ => Ok(()),
                }
            }
        });
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                let bus = bus.clone();
                thread::spawn(move || {
                    for number in 1..=soaked(2_000) as u32 {
                        match number % 2 {
                            0 => bus.publish((publisher, number)).unwrap(),
                            _ => bus.publish_all([(publisher, number)]).unwrap(),
                        }
                    }
                })
            })
            .collect();
        let mut count = 0;
        while publishers.iter().any(|thread| !thread.is_finished()) {
            count += bus.apply(Commit::Real).unwrap().len();
        }
        count += bus.apply(Commit::Real).unwrap().len();
        assert_eq!(count as u64, PUBLISHERS as u64 * soaked(2_000));
    });
}
