//! Events that come by several ways, or come back: each once, in order, and not for ever.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use chanbus::{Bus, Event, Inlet, Subscription, TapGuard};

use crate::Done;
use crate::common::guarded;

#[test]
fn p4_a_bus_made_during_an_emit_is_not_taken_for_one_that_went() {
    // A -> D1, A -> B; while A passes on to B, D1 has gone and B gets a bus of its own.
    type Made = Option<(Bus<u32>, Subscription<u32>)>;
    let mut lost = 0;
    for _ in 0..50 {
        let a: Bus<u32> = Bus::new();
        let b: Bus<u32> = Bus::new();
        let d1 = a.filtered(|_| true);
        let d1_holder = Arc::new(Mutex::new(Some(d1)));
        let made: Arc<Mutex<Made>> = Arc::default();
        let (holder, out, from) = (Arc::clone(&d1_holder), Arc::clone(&made), b.clone());
        let _pipe = a
            .pass_on("**", &Inlet::to(&b), move |_| {
                drop(holder.lock().unwrap().take());
                let d2 = from.filtered(|_| true);
                let sub = d2.subscribe("**").unwrap();
                *out.lock().unwrap() = Some((d2, sub));
                true
            })
            .unwrap();
        a.emit("n", 1).unwrap();
        let (d2, sub) = made.lock().unwrap().take().unwrap();
        if sub.len() != 1 {
            assert_eq!(d2.stats().repeated, 1);
            lost += 1;
        }
    }
    assert_eq!(lost, 0);
}

#[test]
fn h10_a_mapping_that_forgets_the_cause_does_not_recurse_for_ever() {
    let depth = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&depth);
    guarded(move || {
        let bus: Bus<u32> = Bus::new();
        let ready = Event::new("m", 1).unwrap();
        let derived = bus.mapped(move |_| ready.clone());
        let weak = bus.downgrade();
        let _tap = derived
            .tap("**", move |_| {
                if seen.fetch_add(1, Ordering::SeqCst) < 300 {
                    let _ = weak.upgrade().unwrap().emit("n", 1);
                }
            })
            .unwrap();
        bus.emit("n", 0).unwrap();
    });
    assert!(depth.load(Ordering::SeqCst) < 100, "{depth:?}");
}

#[test]
fn h10_a_chain_too_deep_for_a_bus_is_refused_there_and_counted() -> Done {
    let bus: Bus<u32> = Bus::new();
    let strict: Bus<u32> = Bus::builder().max_chain(0).build()?;
    let sub = strict.subscribe_all()?;
    let _pipe = bus.pipe_to(&strict, "**")?;
    let first = Event::new("first", 1)?;
    chanbus::Cause::scope(&first, || bus.emit("second", 2))?;
    // As `strict.emit_event` of the very same event would be.
    assert_eq!((sub.len(), strict.stats().refused), (0, 1));
    Ok(())
}

#[test]
fn h10_a_circle_by_taps_on_a_derived_bus_ends() -> Done {
    let bus: Bus<u32> = Bus::new();
    let derived = bus.mapped(|event| event.with_payload(event.payload() + 1));
    let weak = bus.downgrade();
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let _tap = derived.tap("**", move |event| {
        let again = weak.upgrade().unwrap().emit("a", *event.payload());
        if again.is_err() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    })?;
    bus.emit("a", 0)?;
    assert_eq!(refused.load(Ordering::SeqCst), 1);
    assert_eq!(derived.stats().emitted, 33);
    Ok(())
}

#[test]
fn p4_pipes_in_circles_bring_each_event_once_under_emits_from_all() {
    guarded(|| {
        const BUSES: usize = 4;
        const EACH: u64 = 200;
        let buses: Vec<Bus<(usize, u64)>> = (0..BUSES)
            .map(|_| Bus::builder().capacity(10_000).build().unwrap())
            .collect();
        let mut guards = Vec::new();
        for from in 0..BUSES {
            for to in 0..BUSES {
                guards.push(buses[from].pipe_to(&buses[to], "**").unwrap());
            }
        }
        let subs: Vec<_> = buses
            .iter()
            .map(|bus| bus.subscribe("**").unwrap())
            .collect();
        let start = Arc::new(Barrier::new(BUSES));
        let threads: Vec<_> = buses
            .iter()
            .cloned()
            .enumerate()
            .map(|(number, bus)| {
                let start = Arc::clone(&start);
                thread::spawn(move || {
                    start.wait();
                    let publisher = bus.publisher("n").unwrap();
                    let mut next = 0;
                    while next < EACH {
                        if next % 3 == 0 && next + 4 <= EACH {
                            publisher
                                .emit_batch((next..next + 4).map(|it| (number, it)))
                                .unwrap();
                            next += 4;
                        } else {
                            bus.emit("m", (number, next)).unwrap();
                            next += 1;
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|it| it.join().unwrap());
        for sub in &subs {
            let mut next = [0; BUSES];
            for event in sub.try_iter() {
                let (from, number) = *event.payload();
                assert_eq!(number, next[from]);
                next[from] += 1;
            }
            assert_eq!(next, [EACH; BUSES]);
        }
        let _: Vec<TapGuard<_>> = guards;
    });
}

#[test]
fn p3_threads_keep_their_order_through_diamonds_one_by_one() {
    guarded(|| {
        let bus: Bus<(usize, u64)> = Bus::builder().capacity(10_000).build().unwrap();
        let side = bus.filtered(|event| event.payload().1 % 2 == 0);
        let other = bus.mapped(|event| event.clone());
        let merged = Bus::merged([&side, &other, &bus]);
        let sub = merged
            .subscription("**")
            .keep_batches()
            .subscribe()
            .unwrap();
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                let bus = bus.clone();
                thread::spawn(move || {
                    for number in 0..300 {
                        bus.emit("n", (thread, number)).unwrap();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|it| it.join().unwrap());
        let mut next = [0; 3];
        let mut count = 0;
        for event in sub.try_iter() {
            let (thread, number) = *event.payload();
            assert!(number + 1 >= next[thread]);
            next[thread] = number + 1;
            count += 1;
        }
        let stats = merged.stats();
        assert_eq!(count + stats.repeated, 900 * 2 + 450);
    });
}
