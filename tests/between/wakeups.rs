//! No wake-up is lost where batches are kept, and a take that is given up loses nothing (P7, P14, P15).

use std::thread;

use chanbus::{Bus, Event, Overflow, WakeUps};

use crate::common::{Dice, POLICIES, guarded};

#[test]
fn p15_no_wake_up_is_lost_where_batches_are_kept() {
    for round in 0..12_u64 {
        let handed = round % 2 == 0;
        guarded(move || {
            let wake_ups = if handed {
                WakeUps::Handed
            } else {
                WakeUps::Direct
            };
            let bus: Bus<(usize, u64)> = Bus::builder().wake_ups(wake_ups).build().unwrap();
            let capacity = [1, 2, 7, 200][(round / 2 % 4) as usize];
            let policy = POLICIES[(round % 3) as usize];
            let sub = bus
                .subscription("**")
                .keep_batches()
                .capacity(capacity)
                .overflow(policy)
                .subscribe()
                .unwrap();
            let consumers: Vec<_> = (0..6)
                .map(|kind| {
                    let sub = sub.share();
                    thread::spawn(move || {
                        let mut got: Vec<Event<(usize, u64)>> = Vec::new();
                        match kind {
                            0 => {
                                while let Ok(event) = sub.recv() {
                                    got.push(event);
                                }
                            }
                            1 => while sub.recv_batch(&mut got, 3).is_ok() {},
                            2 => while sub.recv_batch(&mut got, usize::MAX).is_ok() {},
                            3 => futures_lite::future::block_on(async {
                                while sub.recv_batch_async(&mut got, 100).await.is_ok() {}
                            }),
                            #[cfg(feature = "stream")]
                            4 => {
                                use futures_lite::StreamExt;
                                let mut stream = Box::pin(sub.into_stream());
                                futures_lite::future::block_on(async {
                                    while let Some(event) = stream.next().await {
                                        got.push(event);
                                    }
                                });
                            }
                            _ => loop {
                                let mut select = crossbeam_channel::Select::new();
                                sub.register(&mut select);
                                select.ready();
                                match sub.try_recv_batch(&mut got, 5) {
                                    Err(error) if error.is_closed() => break,
                                    _ => {}
                                }
                            },
                        }
                        got.len() as u64
                    })
                })
                .collect();
            let emitters: Vec<_> = (0..3)
                .map(|number| {
                    let bus = bus.clone();
                    thread::spawn(move || {
                        let mut dice = Dice::new(round * 100 + number as u64);
                        let publisher = bus.publisher("p").unwrap();
                        for next in 0..80 {
                            if dice.below(3) == 0 {
                                bus.emit("s", (number, next)).unwrap();
                            } else {
                                let count = dice.below(9);
                                publisher
                                    .emit_batch((0..count).map(|it| (number, it)))
                                    .unwrap();
                            }
                            dice.dawdle();
                        }
                    })
                })
                .collect();
            emitters.into_iter().for_each(|it| it.join().unwrap());
            // All is taken without a close: somebody is awake for what is left.
            while !sub.is_empty() {
                thread::yield_now();
            }
            bus.close();
            let got: u64 = consumers.into_iter().map(|it| it.join().unwrap()).sum();
            assert_eq!(got, sub.received());
            assert_eq!(
                bus.stats().matched(),
                sub.received() + sub.dropped() + sub.conflated()
            );
        });
    }
}

#[test]
fn p14_futures_of_batches_are_dropped_at_any_point() {
    guarded(|| {
        for round in 0..4 {
            let bus: Bus<u64> = Bus::builder().capacity(10_000).build().unwrap();
            let sub = bus.subscription("n").keep_batches().subscribe().unwrap();
            let takers: Vec<_> = (0..3)
                .map(|number| {
                    let sub = sub.share();
                    thread::spawn(move || {
                        let mut dice = Dice::new(round * 10 + number);
                        let mut got = Vec::new();
                        futures_lite::future::block_on(async {
                            loop {
                                let max = 1 + dice.below(5) as usize;
                                let mut spins = dice.below(3);
                                let given_up = futures_lite::future::or(
                                    async { Some(sub.recv_batch_async(&mut got, max).await) },
                                    async {
                                        while spins > 0 {
                                            spins -= 1;
                                            futures_lite::future::yield_now().await;
                                        }
                                        if number == 0 {
                                            std::future::pending::<()>().await;
                                        }
                                        None
                                    },
                                );
                                if let Some(Err(_)) = given_up.await {
                                    break;
                                }
                            }
                        });
                        got.len()
                    })
                })
                .collect();
            let publisher = bus.publisher("n").unwrap();
            let mut sent = 0;
            for batch in 0..200 {
                sent += batch % 5;
                publisher.emit_batch(0..batch % 5).unwrap();
            }
            while !sub.is_empty() {
                thread::yield_now();
            }
            bus.close();
            let got: usize = takers.into_iter().map(|it| it.join().unwrap()).sum();
            assert_eq!(got as u64, sent);
        }
    });
}

#[test]
fn p14_sleepers_among_who_take_whole_batches_and_parts() {
    // Nothing but tasks, all of which ask for one at a time or for a few.
    for wake_ups in [WakeUps::Direct, WakeUps::Handed] {
        guarded(move || {
            for round in 0..4_u64 {
                let bus: Bus<u64> = Bus::builder()
                    .wake_ups(wake_ups)
                    .capacity(64)
                    .build()
                    .unwrap();
                let derived = bus.filtered(|_| true);
                let sub = derived
                    .subscription("n")
                    .keep_batches()
                    .subscribe()
                    .unwrap();
                let takers: Vec<_> = (0..4_usize)
                    .map(|number| {
                        let sub = sub.share();
                        thread::spawn(move || {
                            let mut got = Vec::new();
                            match number {
                                0 | 1 => while sub.recv_batch(&mut got, 1).is_ok() {},
                                _ => {
                                    while sub.recv().is_ok_and(|it| {
                                        got.push(it);
                                        true
                                    }) {}
                                }
                            }
                            got.len()
                        })
                    })
                    .collect();
                let publisher = bus.publisher("n").unwrap();
                for batch in 0..100 {
                    publisher.emit_batch(0..1 + (batch + round) % 6).unwrap();
                    while !sub.is_empty() {
                        thread::yield_now();
                    }
                }
                drop((publisher, bus));
                let got: usize = takers.into_iter().map(|it| it.join().unwrap()).sum();
                assert_eq!(got as u64, sub.received());
                drop(derived);
            }
        });
    }
}

#[test]
fn p7_gaps_add_up_where_batches_are_kept() {
    guarded(|| {
        for policy in [Overflow::DropNewest, Overflow::DropOldest] {
            let bus: Bus<u64> = Bus::new();
            let sub = bus
                .subscription("n")
                .capacity(4)
                .overflow(policy)
                .keep_batches();
            let sub = sub.subscribe().unwrap();
            let emitter = {
                let publisher = bus.publisher("n").unwrap();
                thread::spawn(move || {
                    for round in 0..2_000 {
                        publisher
                            .emit_batch((0..6).map(|it| round * 6 + it))
                            .unwrap();
                    }
                })
            };
            let mut missed = 0;
            let mut got = 0;
            let mut buffer = Vec::new();
            while !emitter.is_finished() {
                missed += sub.missed();
                got += sub.try_recv_batch(&mut buffer, 3).unwrap_or(0) as u64;
            }
            emitter.join().unwrap();
            // One by one: every event has a token of its own.
            got += sub.try_iter().count() as u64;
            missed += sub.missed();
            assert_eq!(got + missed, 12_000);
        }
    });
}
