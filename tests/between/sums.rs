//! What is counted on a bus and on those derived from it adds up, however events come and whoever goes (P5).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use chanbus::Bus;

use crate::Done;
use crate::common::{Census, Counted, Dice, POLICIES, guarded};

#[test]
fn p5_a_close_while_events_are_passed_on_loses_no_count() {
    guarded(|| {
        for round in 0..40 {
            let bus: Bus<u64> = Bus::new();
            let derived = bus.filtered(|event| event.payload() % 7 != 0);
            let sub = derived.subscription("**").capacity(3).subscribe().unwrap();
            let emitters: Vec<_> = (0..2)
                .map(|_| {
                    let bus = bus.clone();
                    thread::spawn(move || {
                        let mut sent = 0;
                        for number in 0..100 {
                            let batch = [number, number + 1, number + 2];
                            sent += match number % 3 {
                                0 => bus.emit("n", number).map_or(0, |_| 1),
                                _ => {
                                    let publisher = bus.publisher("n").unwrap();
                                    publisher.emit_batch(batch).map_or(0, |_| 3)
                                }
                            };
                        }
                        sent
                    })
                })
                .collect();
            let mut dice = Dice::new(round);
            dice.dawdle();
            if round % 2 == 0 {
                derived.close();
            } else {
                bus.close();
            }
            let mut got = 0;
            while sub.recv().is_ok() {
                got += 1;
            }
            let sent: u64 = emitters.into_iter().map(|it| it.join().unwrap()).sum();
            let stats = derived.stats();
            if round % 2 == 1 {
                assert!(stats.emitted + stats.left_out + stats.refused <= sent);
            }
            assert_eq!(
                sub.received() + sub.dropped() + sub.filtered(),
                derived.stats().matched(),
            );
            assert_eq!(sub.received(), got);
        }
    });
}

#[test]
fn p5_emitted_on_derived_buses_adds_up() {
    guarded(|| {
        for policy in POLICIES {
            for keep in [false, true] {
                let bus: Bus<u64> = Bus::builder().capacity(2).build().unwrap();
                let derived = bus.filtered(|event| event.payload() % 5 != 0);
                let builder = derived.subscription("**").overflow(policy).capacity(1);
                let builder = if keep {
                    builder.keep_batches()
                } else {
                    builder
                };
                let sub = builder
                    .filter(|event| event.payload() % 3 != 0)
                    .subscribe()
                    .unwrap();
                let own = if keep {
                    bus.subscription("**")
                        .overflow(policy)
                        .capacity(1)
                        .keep_batches()
                } else {
                    bus.subscription("**").overflow(policy).capacity(1)
                };
                let own = own.subscribe().unwrap();
                let delivered = Arc::new(AtomicU64::new(0));
                let threads: Vec<_> = (0..3)
                    .map(|thread| {
                        let (bus, delivered) = (bus.clone(), Arc::clone(&delivered));
                        thread::spawn(move || {
                            for number in 0..60_u64 {
                                let mut batch = bus.start_batch();
                                for at in 0..4 {
                                    let topic = format!("t.{}", (number + at + thread) % 3);
                                    batch.emit(topic, number + at).unwrap();
                                }
                                let emitted = batch.commit().unwrap();
                                assert_eq!(
                                    emitted.matched,
                                    emitted.delivered + emitted.dropped + emitted.filtered
                                );
                                assert_eq!(emitted.matched, 4);
                                delivered.fetch_add(emitted.delivered as u64, Ordering::SeqCst);
                                delivered.fetch_sub(emitted.evicted as u64, Ordering::SeqCst);
                            }
                        })
                    })
                    .collect();
                threads.into_iter().for_each(|it| it.join().unwrap());
                let all = 3 * 60 * 4;
                assert_eq!(
                    own.received() + own.dropped() + own.conflated(),
                    all,
                    "{policy:?}"
                );
                assert_eq!(
                    own.received(),
                    delivered.load(Ordering::SeqCst),
                    "{policy:?} {keep}"
                );
                assert_eq!(own.len() as u64, own.received());
                let stats = derived.stats();
                assert_eq!(stats.emitted + stats.left_out, all);
                assert_eq!(
                    sub.received() + sub.dropped() + sub.conflated() + sub.filtered(),
                    stats.emitted
                );
            }
        }
    });
}

#[test]
fn p5_p9_huge_batches_of_many_topics_are_counted_and_freed() {
    guarded(|| {
        let census = Census::new();
        for policy in POLICIES {
            let bus: Bus<Counted> = Bus::builder().capacity(10).build().unwrap();
            let derived = bus.filtered(|_| true);
            let _retained = derived.retention("**").capacity(50).retain().unwrap();
            let sub = derived.subscription("**").overflow(policy).keep_batches();
            let sub = sub.subscribe().unwrap();
            let plain = bus.subscription("**").overflow(policy).subscribe().unwrap();
            let mut batch = bus.start_batch();
            for number in 0..5_000 {
                batch
                    .emit(format!("t.{}", number % 1_000), census.born())
                    .unwrap();
            }
            batch.commit().unwrap();
            assert_eq!((sub.len(), plain.len()), (10, 10));
            for sub in [&sub, &plain] {
                assert_eq!(sub.received() + sub.dropped() + sub.conflated(), 5_000);
            }
            drop((sub, plain, derived));
            bus.close();
            drop(bus);
        }
        assert_eq!(census.alive(), 0);
    });
}

#[test]
fn p5_p9_subscriptions_end_in_the_middle_of_batches() {
    guarded(|| {
        let census = Census::new();
        for round in 0..45 {
            let bus: Bus<Counted> = Bus::builder().capacity(5).build().unwrap();
            let derived = bus.filtered(|_| true);
            let policy = POLICIES[(round % 3) as usize];
            let builder = derived.subscription("**").overflow(policy).keep_batches();
            let sub = builder.subscribe().unwrap();
            let share = sub.share();
            let start = Arc::new(Barrier::new(4));
            let emitters: Vec<_> = (0..2)
                .map(|_| {
                    let (bus, census, start) = (bus.clone(), census.clone(), Arc::clone(&start));
                    let derived = derived.clone();
                    thread::spawn(move || {
                        start.wait();
                        for number in 0..20 {
                            let mut batch = match number % 2 {
                                0 => bus.start_batch(),
                                _ => derived.start_batch(),
                            };
                            for it in 0..10 {
                                batch.emit(["a", "b"][it % 2], census.born()).unwrap();
                            }
                            let Ok(emitted) = batch.commit() else {
                                break;
                            };
                            assert_eq!(
                                emitted.matched,
                                emitted.delivered + emitted.dropped + emitted.filtered
                            );
                        }
                    })
                })
                .collect();
            let reader = {
                let start = Arc::clone(&start);
                thread::spawn(move || {
                    start.wait();
                    let mut buffer = Vec::new();
                    let mut got = 0;
                    while let Ok(count) = share.recv_batch(&mut buffer, 4) {
                        got += count;
                        buffer.clear();
                    }
                    got
                })
            };
            start.wait();
            let mut dice = Dice::new(round);
            dice.dawdle();
            match round % 3 {
                0 => {
                    sub.close();
                }
                1 => {
                    bus.close();
                    sub.close();
                }
                _ => {
                    derived.close();
                }
            }
            let got = reader.join().unwrap() as u64;
            for emitter in emitters {
                emitter.join().unwrap();
            }
            assert_eq!(sub.received(), got, "{round}");
            assert_eq!(sub.len(), 0);
            let stats = derived.stats();
            assert_eq!(
                stats.matched(),
                stats.received + stats.dropped + stats.filtered + stats.conflated
            );
            drop((sub, derived, bus));
            assert_eq!(census.alive(), 0, "{round}");
        }
    });
}

#[test]
fn reset_zeroes_what_a_derived_bus_counts_and_it_goes_on() -> Done {
    let bus: Bus<u32> = Bus::new();
    let derived = bus.filtered(|event| match event.payload() {
        0 => panic!("zero"),
        n => n % 2 == 0,
    });
    for n in 0..4 {
        bus.emit("a", n)?;
    }
    let stats = derived.stats();
    assert_eq!(
        (stats.emitted, stats.left_out, stats.filter_panics),
        (1, 2, 1)
    );
    derived.reset();
    let stats = derived.stats();
    assert_eq!(
        (stats.emitted, stats.left_out, stats.filter_panics),
        (0, 0, 0)
    );
    bus.reset();
    let sub = derived.subscribe_all()?;
    bus.emit("a", 2)?;
    assert_eq!(sub.len(), 1);
    Ok(())
}
