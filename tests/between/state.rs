//! Retained state beside batches and derived buses.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use chanbus::{Bus, TryRecvError};
use futures_lite::future::block_on;

use crate::common::{Census, Counted, Dice, guarded};
use crate::{Done, emit, payloads};

#[test]
fn retained_on_a_derived_bus_follows_it_and_keeps_it_open() -> Done {
    let bus: Bus<u32> = Bus::new();
    let derived = bus.mapped(|event| event.with_payload(event.payload() * 10));
    let state = derived.retained("**")?;
    emit(&bus, vec![("a", 1), ("b", 2), ("a", 3)]);
    let seen: Vec<u32> = state
        .latest()
        .iter()
        .map(|event| *event.payload())
        .collect();
    assert_eq!(seen, [20, 30]);
    let late = derived.subscription("**").with_retained().subscribe()?;
    drop(derived);
    bus.emit("a", 4)?;
    assert_eq!(payloads(&late), [20, 30, 40]);
    drop(late);
    bus.emit("a", 5)?;
    assert_eq!(*state.get("a").unwrap().payload(), 50);
    drop(state);
    assert_eq!(bus.stats().taps, 0);
    Ok(())
}

#[test]
fn h14_replayed_and_retained_come_before_batches() -> Done {
    let bus = Bus::builder().history(10).build()?;
    let _state = bus.retained("**")?;
    emit(&bus, vec![("a", 1), ("a", 2), ("b", 3)]);
    let sub = bus
        .subscription("**")
        .keep_batches()
        .replay(1)
        .with_retained()
        .subscribe()?;
    emit(&bus, vec![("a", 4), ("b", 5)]);
    let mut taken = Vec::new();
    loop {
        let mut buffer = Vec::new();
        match sub.try_recv_batch(&mut buffer, 100) {
            Ok(_) => taken.push(
                buffer
                    .iter()
                    .map(|event| *event.payload())
                    .collect::<Vec<_>>(),
            ),
            Err(TryRecvError::Empty) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(taken, [vec![2], vec![3], vec![4, 5]]);
    let sub = bus
        .subscription("**")
        .keep_batches()
        .with_retained()
        .subscribe()?;
    emit(&bus, vec![("a", 6), ("b", 7)]);
    let mut buffer = Vec::new();
    assert_eq!(block_on(sub.recv_batch_async(&mut buffer, 100))?, 1);
    assert_eq!(block_on(sub.recv_batch_async(&mut buffer, 100))?, 1);
    assert_eq!(block_on(sub.recv_batch_async(&mut buffer, 100))?, 2);
    Ok(())
}

#[test]
fn p3_state_then_changes_join_on_derived_buses_and_in_batches() {
    guarded(|| {
        for round in 0..3 {
            let history = [0, 3, 50][(round % 3) as usize];
            let bus: Bus<u64> = Bus::builder()
                .history(history)
                .capacity(100_000)
                .max_subscribers(10_000)
                .build()
                .unwrap();
            let derived = bus.filtered(|_| true);
            let kept = bus.retained("**").unwrap();
            let far_kept = derived.retained("k.*").unwrap();
            const KEYS: u64 = 4;
            let stop = Arc::new(AtomicBool::new(false));
            let emitters: Vec<_> = (0..2)
                .map(|owner| {
                    let (bus, stop) = (bus.clone(), Arc::clone(&stop));
                    thread::spawn(move || {
                        // Each key has one publisher, whose values count up.
                        let mut value = 0;
                        while !stop.load(Ordering::Relaxed) && value < 40_000 {
                            value += 1;
                            if value % 3 == 0 {
                                let mut batch = bus.start_batch();
                                for key in 0..KEYS {
                                    batch.emit(format!("k.{owner}{key}"), value).unwrap();
                                }
                                batch.commit().unwrap();
                            } else {
                                for key in 0..KEYS {
                                    bus.emit(format!("k.{owner}{key}"), value).unwrap();
                                }
                            }
                        }
                    })
                })
                .collect();
            while far_kept.len() < 8 {
                thread::yield_now();
            }
            for number in 0..24 {
                let from = if number % 2 == 0 { &bus } else { &derived };
                let builder = from.subscription("k.*").with_retained();
                let builder = if number % 3 == 0 {
                    builder.replay(5)
                } else {
                    builder
                };
                let builder = if number % 4 < 2 {
                    builder.keep_batches()
                } else {
                    builder
                };
                let sub = builder.subscribe().unwrap();
                let mut seen: HashMap<String, u64> = HashMap::new();
                for _ in 0..40 {
                    for event in sub.try_iter().take(1_000) {
                        let value = *event.payload();
                        let before = seen.insert(event.topic().to_string(), value);
                        if let Some(before) = before {
                            assert_eq!(value, before + 1, "{} {number}", event.topic());
                        }
                    }
                }
                assert_eq!(sub.dropped(), 0);
            }
            stop.store(true, Ordering::Relaxed);
            emitters.into_iter().for_each(|it| it.join().unwrap());
            assert_eq!(kept.len(), 8);
            assert_eq!(far_kept.len(), 8);
        }
    });
}

#[test]
fn p9_stores_that_come_and_go_under_emits_leave_nothing() {
    guarded(|| {
        let census = Census::new();
        for history in [0, 3] {
            let bus: Bus<Counted> = Bus::builder().history(history).build().unwrap();
            let source: Bus<Counted> = Bus::new();
            let _pipe = source.pipe_to(&bus, "**").unwrap();
            let stop = Arc::new(AtomicBool::new(false));
            let emitters: Vec<_> = [bus.clone(), source.clone()]
                .into_iter()
                .map(|bus| {
                    let (stop, census) = (Arc::clone(&stop), census.clone());
                    thread::spawn(move || {
                        let publisher = bus.publisher("t.0").unwrap();
                        let mut number = 0_u64;
                        while !stop.load(Ordering::Relaxed) {
                            number += 1;
                            bus.emit(format!("t.{}", number % 5), census.born())
                                .unwrap();
                            publisher.emit_batch((0..3).map(|_| census.born())).unwrap();
                        }
                    })
                })
                .collect();
            let makers: Vec<_> = (0..2)
                .map(|seed| {
                    let bus = bus.clone();
                    thread::spawn(move || {
                        let mut dice = Dice::new(seed + 7);
                        for _ in 0..80 {
                            let capacity = 1 + dice.below(4) as usize;
                            let kept = bus.retention(["t.*", "t.0"]).capacity(capacity);
                            let kept = kept.retain().unwrap();
                            dice.dawdle();
                            let sub = bus.subscription("**").with_retained().subscribe().unwrap();
                            let _ = kept.forget("t.0");
                            if dice.below(3) == 0 {
                                kept.clear();
                            }
                            assert!(kept.len() <= capacity);
                            if dice.below(2) == 0 {
                                drop((kept, sub));
                            } else {
                                drop((sub, kept));
                            }
                        }
                    })
                })
                .collect();
            makers.into_iter().for_each(|it| it.join().unwrap());
            stop.store(true, Ordering::Relaxed);
            emitters.into_iter().for_each(|it| it.join().unwrap());
            assert_eq!(bus.stats().retained, 0);
            bus.close();
            assert_eq!(census.alive(), 0);
        }
    });
}

#[test]
fn p3_state_through_a_pipe_joins_a_history() {
    guarded(|| {
        let source: Bus<u64> = Bus::new();
        let bus: Bus<u64> = Bus::builder()
            .history(20)
            .capacity(100_000)
            .build()
            .unwrap();
        let _pipe = source.pipe_to(&bus, "**").unwrap();
        let _kept = bus.retained("**").unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let emitter = {
            let (source, stop) = (source.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                let mut value = 0;
                while !stop.load(Ordering::Relaxed) && value < 50_000 {
                    let mut batch = source.start_batch();
                    for _ in 0..3 {
                        value += 1;
                        batch.emit("k", value).unwrap();
                    }
                    batch.commit().unwrap();
                    value += 1;
                    source.emit("k", value).unwrap();
                }
            })
        };
        for number in 0..60 {
            let sub = bus.subscription("k").with_retained().replay(number % 25);
            let sub = sub.subscribe().unwrap();
            let mut before = None;
            for _ in 0..20 {
                for event in sub.try_iter() {
                    let value = *event.payload();
                    if let Some(before) = before.replace(value) {
                        assert_eq!(value, before + 1);
                    }
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
        emitter.join().unwrap();
    });
}
