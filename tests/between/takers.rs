//! Those who take batches: whole, none lost, nobody left asleep, beside others who take in other ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use chanbus::{Bus, Overflow, WakeUps};
use futures_lite::future::block_on;

use crate::Done;
use crate::common::{HANG, POLICIES, guarded};

#[test]
fn h14_select_is_quiet_when_a_batch_was_taken() -> Done {
    let bus = Bus::new();
    let sub = bus.subscription("n").keep_batches().subscribe()?;
    bus.publisher("n")?.emit_batch(0..3)?;
    let mut buffer = Vec::new();
    assert_eq!(sub.recv_batch(&mut buffer, 10)?, 3);
    let mut select = crossbeam_channel::Select::new();
    sub.register(&mut select);
    assert!(select.try_ready().is_err(), "nothing is there");
    Ok(())
}

fn many_take(policy: Overflow, handed: bool) {
    guarded(move || {
        let ups = if handed {
            WakeUps::Handed
        } else {
            WakeUps::default()
        };
        for round in 0..4u64 {
            let bus: Bus<(u64, u64)> = Bus::builder().wake_ups(ups).build().unwrap();
            let sub = bus
                .subscription("**")
                .keep_batches()
                .capacity(5)
                .overflow(policy)
                .subscribe()
                .unwrap();
            let takers: Vec<_> = (0..3)
                .map(|n| {
                    let sub = sub.share();
                    thread::spawn(move || {
                        let mut taken = 0;
                        loop {
                            let mut buffer = Vec::new();
                            let got = if n == 0 {
                                block_on(sub.recv_batch_async(&mut buffer, 100))
                            } else {
                                sub.recv_batch(&mut buffer, 100)
                            };
                            let Ok(count) = got else { break };
                            assert_eq!(count, buffer.len());
                            if policy != Overflow::Latest {
                                let first = buffer[0].payload().0;
                                assert!(buffer.iter().all(|event| event.payload().0 == first));
                            }
                            taken += count as u64;
                        }
                        taken
                    })
                })
                .collect();
            let emitters: Vec<_> = (0..2u64)
                .map(|who| {
                    let bus = bus.clone();
                    thread::spawn(move || {
                        let mut matched = 0;
                        for n in 0..60 {
                            let mut batch = bus.start_batch();
                            for place in 0..(1 + (n + round) % 4) {
                                let topic = ["a", "b", "c", "d"][place as usize];
                                batch.emit(topic, (who * 1_000 + n, place)).unwrap();
                            }
                            matched += batch.commit().unwrap().matched as u64;
                        }
                        matched
                    })
                })
                .collect();
            let matched: u64 = emitters.into_iter().map(|it| it.join().unwrap()).sum();
            bus.close();
            let taken: u64 = takers.into_iter().map(|it| it.join().unwrap()).sum();

            assert_eq!(taken, sub.received());
            assert_eq!(matched, taken + sub.dropped() + sub.conflated());
        }
    });
}

#[test]
fn p8_p14_many_take_batches_in_every_way() {
    for policy in POLICIES {
        for handed in [false, true] {
            many_take(policy, handed);
        }
    }
}

#[test]
fn h14_a_batch_of_one_thread_is_never_mixed_with_another() {
    // recv beside recv_batch: what comes in one call is of one batch.
    guarded(|| {
        let mut mixed = 0;
        for _ in 0..3 {
            let bus: Bus<(u64, u64)> = Bus::builder().capacity(10_000).build().unwrap();
            let sub = bus.subscription("**").keep_batches().subscribe().unwrap();
            let done = Arc::new(AtomicBool::new(false));
            let takers: Vec<_> = (0..3)
                .map(|kind| {
                    let (sub, done) = (sub.share(), Arc::clone(&done));
                    thread::spawn(move || {
                        let mut mixed = 0;
                        while !done.load(Ordering::Relaxed) || !sub.is_empty() {
                            if kind == 0 {
                                let _ = sub.try_recv();
                                continue;
                            }
                            let mut buffer = Vec::new();
                            if sub.try_recv_batch(&mut buffer, 100).is_ok() {
                                let first = buffer[0].payload().0;
                                mixed +=
                                    usize::from(buffer.iter().any(|it| it.payload().0 != first));
                            }
                        }
                        mixed
                    })
                })
                .collect();
            let publisher = bus.publisher("n").unwrap();
            for batch in 0..300 {
                publisher.emit_batch((0..3).map(|it| (batch, it))).unwrap();
            }
            done.store(true, Ordering::Relaxed);
            mixed += takers
                .into_iter()
                .map(|it| it.join().unwrap())
                .sum::<usize>();
        }
        assert_eq!(mixed, 0, "events of two batches came in one call");
    });
}

#[test]
#[cfg(target_os = "linux")]
fn emits_that_wait_see_the_room_that_a_batch_leaves() {
    use crate::common::{HANG, spawn_asleep};

    for keep in [false, true] {
        guarded(move || {
            let bus: Bus<u32> = Bus::new();
            let builder = bus.subscription("n").capacity(3);
            let builder = if keep {
                builder.keep_batches()
            } else {
                builder
            };
            let sub = builder.subscribe().unwrap();
            bus.publisher("n").unwrap().emit_batch(0..3).unwrap();
            let waiting: Vec<_> = (0..3)
                .map(|n| {
                    let bus = bus.clone();
                    spawn_asleep(move || bus.emit_within("n", n, HANG).unwrap().delivered)
                })
                .collect();
            // One by one, those that wait may come in between.
            assert!(sub.try_recv_batch(&mut Vec::new(), 10).unwrap() >= 3);
            for emitter in waiting {
                assert_eq!(emitter.join().unwrap(), 1);
            }
        });
    }
}

#[test]
fn p1_an_emit_that_waits_does_not_wait_for_derived_buses() {
    let bus: Bus<u32> = Bus::new();
    let derived = bus.filtered(|_| true);
    let sub = derived.subscription("n").capacity(1).subscribe().unwrap();
    for number in 0..2 {
        bus.emit_within("n", number, HANG).unwrap();
    }
    assert_eq!((sub.len(), sub.dropped()), (1, 1));
}
