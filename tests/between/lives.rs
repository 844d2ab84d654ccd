//! Buses that come, go and end among events: nothing stays behind, nothing stays open (P6, P8, P9).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use chanbus::Bus;
use futures_lite::future::block_on;

use crate::common::{Census, Counted, Dice, POLICIES, guarded};
use crate::{Done, emit, payloads};

#[test]
fn p9_a_batch_that_nobody_wants_leaves_nothing() -> Done {
    let census = Census::new();
    let bus = Bus::new();
    emit(&bus, vec![("a", census.born()), ("b", census.born())]);
    bus.publisher("a")?
        .emit_batch((0..100).map(|_| census.born()))?;
    let derived = bus.filtered(|_| true);
    emit(&bus, vec![("a", census.born()), ("b", census.born())]);
    bus.publisher("a")?
        .emit_batch((0..100).map(|_| census.born()))?;
    assert_eq!(census.alive(), 0);
    drop(derived);
    Ok(())
}

#[test]
fn p9_derived_buses_that_come_and_go_under_emits_leave_nothing() {
    guarded(|| {
        let census = Census::new();
        let captures = Census::new();
        for round in 0..2 {
            let bus: Bus<Counted> = Bus::builder().capacity(16).build().unwrap();
            let other: Bus<Counted> = Bus::builder().capacity(16).build().unwrap();
            let stop = Arc::new(AtomicBool::new(false));
            let emitters: Vec<_> = (0..2)
                .map(|_| {
                    let (bus, stop, census) = (bus.clone(), Arc::clone(&stop), census.clone());
                    thread::spawn(move || {
                        let publisher = bus.publisher("a.b").unwrap();
                        while !stop.load(Ordering::Relaxed) {
                            let _ = bus.emit("a", census.born());
                            let _ = publisher.emit_batch((0..3).map(|_| census.born()));
                        }
                    })
                })
                .collect();
            let makers: Vec<_> = (0..2)
                .map(|seed| {
                    let (bus, other, captures) = (bus.clone(), other.clone(), captures.clone());
                    thread::spawn(move || {
                        let mut dice = Dice::new(round * 10 + seed);
                        for _ in 0..60 {
                            let held = captures.born();
                            let one = bus.filtered(move |_| {
                                let _ = &held;
                                true
                            });
                            let two = one.mapped(|event| event.map_payload(|_| 7_u8));
                            let three = Bus::merged([&one, &other]);
                            let pipe = one.pipe_to(&other, "a").unwrap();
                            let overflow = POLICIES[dice.below(3) as usize];
                            let sub = two
                                .subscription("**")
                                .overflow(overflow)
                                .capacity(1 + dice.below(3) as usize)
                                .keep_batches()
                                .subscribe()
                                .unwrap();
                            let subs = three.subscribe("**").unwrap();
                            dice.dawdle();
                            match dice.below(4) {
                                0 => drop((one, two, three, pipe, sub, subs)),
                                1 => {
                                    drop((pipe, sub, subs, three));
                                    drop((two, one));
                                }
                                2 => {
                                    one.close();
                                    drop(one);
                                    while sub.recv().is_ok() {}
                                    drop((subs, three, pipe));
                                }
                                _ => {
                                    drop((one, three));
                                    drop(two);
                                    dice.dawdle();
                                    drop((sub, subs, pipe));
                                }
                            }
                        }
                    })
                })
                .collect();
            makers.into_iter().for_each(|it| it.join().unwrap());
            stop.store(true, Ordering::Relaxed);
            emitters.into_iter().for_each(|it| it.join().unwrap());
            assert_eq!(captures.alive(), 0, "captures");
            assert_eq!(bus.stats().taps, 0);
            assert_eq!(census.alive(), 0, "payloads");
        }
    });
}

#[test]
fn p8_a_derived_bus_made_beside_the_end_of_its_parent_ends() {
    guarded(|| {
        for round in 0..200 {
            let bus: Bus<u32> = Bus::new();
            let other: Bus<u32> = Bus::new();
            let start = Arc::new(Barrier::new(2));
            let maker = {
                let (bus, other, start) = (bus.clone(), other.clone(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    let one = bus.filtered(|_| true);
                    let two = Bus::merged([&one, &other]);
                    let three = one.mapped(|event| event.clone());
                    let sub = three.subscribe("**");
                    (one, two, three, sub)
                })
            };
            start.wait();
            let mut dice = Dice::new(round);
            dice.dawdle();
            bus.close();
            other.close();
            let (one, two, three, sub) = maker.join().unwrap();
            assert!(one.is_closed() && two.is_closed() && three.is_closed());
            if let Ok(sub) = sub {
                assert!(sub.recv().is_err());
            }
        }
    });
}

#[test]
fn p9_typed_events_go_with_those_who_hold_them() {
    struct Made(#[expect(dead_code, reason = "counted as it goes")] Counted);
    impl chanbus::Typed for Made {
        const TOPIC: &'static str = "made";
    }
    let census = Census::new();
    let bus = chanbus::TypedBus::new();
    let kept = bus.bus().retained("**").unwrap();
    let sub = bus.subscribe::<Made>().unwrap();
    let watch = bus.bus().filtered(|_| true);
    let wild = watch.subscription("**").keep_batches().subscribe().unwrap();
    for _ in 0..300 {
        bus.emit(Made(census.born())).unwrap();
    }
    assert_eq!(wild.len(), 200);
    drop((sub, wild, watch));
    assert_eq!(census.alive(), 1);
    drop(kept);
    assert_eq!(census.alive(), 0);
}

#[test]
fn what_waits_for_an_event_keeps_a_derived_bus() -> Done {
    let bus: Bus<u32> = Bus::new();
    let future = bus.filtered(|_| true).wait_for_async("a", |_| true);
    bus.emit("a", 7)?;
    assert_eq!(*block_on(future).unwrap().payload(), 7);
    assert_eq!(bus.stats().taps, 0);
    #[cfg(feature = "stream")]
    {
        let stream = bus.filtered(|_| true).subscribe_all()?.into_stream();
        bus.emit("a", 8)?;
        drop(bus);
        let seen: Vec<_> = futures_lite::stream::block_on(stream).collect();
        assert_eq!(seen.len(), 1);
    }
    Ok(())
}

#[test]
fn a_subscription_that_is_closed_ends_a_derived_bus_at_once() -> Done {
    let bus: Bus<u32> = Bus::new();
    let sub = bus.filtered(|_| true).subscribe_all()?;
    bus.emit("a", 7)?;
    sub.closer().close();
    assert_eq!(bus.stats().taps, 0);
    assert_eq!(sub.iter().count(), 1);
    let derived = bus.filtered(|_| true);
    let sub = derived.subscribe_all()?;
    derived.close();
    assert_eq!(bus.stats().taps, 0);
    assert!(sub.recv().is_err());
    Ok(())
}

#[test]
fn p6_derived_buses_take_no_slot() {
    let bus: Bus<u32> = Bus::builder()
        .max_subscribers(1)
        .capacity(1)
        .build()
        .unwrap();
    let _sub = bus.subscribe("**").unwrap();
    let derived = bus.filtered(|_| true);
    let merged = Bus::merged([&bus, &derived]);
    let _pipe = bus.pipe_to(&merged, "**").unwrap();
    let sub = merged.subscribe("**").unwrap();
    assert!(merged.subscribe("**").is_err());
    bus.emit("n", 1).unwrap();
    assert_eq!(payloads(&sub), [1]);
    assert_eq!(merged.stats().repeated, 2);
}
