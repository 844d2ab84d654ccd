//! Derived buses: what section "Derived buses" of the docs of `Bus::derive` promises.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use chanbus::{
    Bus, Cause, Dispatcher, Drain, Event, Handlers, Overflow, PanicPlace, Subscription, Topic,
    Value, WakeUps,
};

type Done = Result<(), chanbus::Error>;

fn payloads<T: Copy + Send + Sync + 'static>(sub: &Subscription<T>) -> Vec<T> {
    sub.try_iter().map(|event| *event.payload()).collect()
}

#[test]
fn filtered_passes_the_very_same_events() -> Done {
    let bus = Bus::new();
    let all = bus.subscribe_all()?;
    let even = bus.filtered(|event| event.payload() % 2 == 0);
    let sub = even.subscribe("n")?;
    for n in 0..4 {
        bus.emit("n", n)?;
    }
    let seen: Vec<Event<i32>> = sub.try_iter().collect();
    let there: Vec<Event<i32>> = all.try_iter().collect();
    assert!(seen[0].ptr_eq(&there[0]) && seen[1].ptr_eq(&there[2]));
    assert_eq!(seen.len(), 2);
    Ok(())
}

#[test]
fn mapped_keeps_what_an_event_carries() -> Done {
    let bus = Bus::new();
    let name = Topic::new("renamed")?;
    let derived = bus
        .mapped(|event: &Event<i32>| event.map_payload(ToString::to_string))
        .filtered(|event| event.payload() != "0")
        .mapped(move |event| event.with_topic(name.clone(), event.payload().len()));
    let sub = derived.subscribe("renamed")?;
    let time = UNIX_EPOCH + Duration::from_secs(9);
    let cause = Cause::of(&Event::new("why", ())?);
    let draft = bus.event("n", 100).source("test").metadata("k", 1);
    draft
        .extension(vec![7_u8])
        .timestamp(time)
        .cause(cause)
        .emit()?;
    let event = sub.recv()?;
    assert_eq!(*event.payload(), 3);
    assert_eq!(event.source(), Some("test"));
    assert_eq!(event.metadata("k"), Some(&Value::Int(1)));
    assert_eq!(event.extension::<Vec<u8>>().unwrap(), &[7]);
    assert_eq!(event.timestamp(), time);
    assert_eq!(event.cause().unwrap().topic(), "why");
    assert_eq!(event.cause().unwrap().depth(), 1);
    Ok(())
}

#[test]
fn it_lives_while_somebody_uses_it_and_ends_at_once_after() -> Done {
    let bus: Bus<i32> = Bus::new();
    // A subscription, through a chain of buses without a handle.
    let sub = bus
        .filtered(|_| true)
        .mapped(|event| event.clone())
        .subscribe("n")?;
    assert_eq!(bus.stats().taps, 1);
    bus.emit("n", 1)?;
    assert_eq!(payloads(&sub), [1]);
    let shared = sub.share();
    drop(sub);
    assert_eq!(bus.stats().taps, 1);
    drop(shared);
    assert_eq!(bus.stats().taps, 0);
    // A handle.
    let handle = bus.filtered(|_| true);
    let clone = handle.clone();
    drop(handle);
    assert_eq!(bus.stats().taps, 1);
    drop(clone);
    assert_eq!(bus.stats().taps, 0);
    // A tap, a stream's worth of subscription, a dispatcher.
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let guard = bus.filtered(|_| true).tap("n", move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    })?;
    bus.emit("n", 2)?;
    drop(guard);
    bus.emit("n", 3)?;
    assert_eq!((seen.load(Ordering::Relaxed), bus.stats().taps), (1, 0));
    // A child keeps it, too; closing the child lets go of all.
    let child = bus.filtered(|_| true).filtered(|_| true);
    assert_eq!(bus.stats().taps, 1);
    child.close();
    assert_eq!(bus.stats().taps, 0);
    // A subscription that is closed does not keep it, though it is held.
    let sub = bus.filtered(|_| true).subscribe("n")?;
    bus.emit("n", 4)?;
    assert!(sub.close());
    assert_eq!(bus.stats().taps, 0);
    assert_eq!(payloads(&sub), [4]);
    Ok(())
}

#[test]
fn p8_it_closes_with_its_parent_and_drains() -> Done {
    let bus = Bus::new();
    let derived = bus
        .filtered(|_| true)
        .mapped(|event: &Event<i32>| event.clone());
    let sub = derived.subscribe("n")?;
    bus.emit("n", 1)?;
    // It does not keep its parent open.
    drop(bus);
    assert!(derived.is_closed() && sub.is_closed());
    assert!(derived.subscribe("n").is_err());
    assert_eq!(sub.iter().count(), 1);
    // Of a closed bus it is a closed bus.
    assert!(derived.filtered(|_| true).is_closed());
    assert!(Bus::<u8>::merged(Vec::<Bus<u8>>::new()).is_closed());
    Ok(())
}

#[test]
fn merged_closes_with_the_last() -> Done {
    let (a, b) = (Bus::new(), Bus::new());
    let both = Bus::merged([&a, &b, &a]);
    let sub = both.subscribe("**")?;
    a.emit("a", 1)?;
    b.emit("b", 2)?;
    drop(a);
    assert!(!both.is_closed());
    b.emit("b", 3)?;
    drop(b);
    assert!(both.is_closed());
    assert_eq!(payloads(&sub), [1, 2, 3]);
    Ok(())
}

#[test]
fn p5_losses_are_counted_where_they_happen() -> Done {
    let bus = Bus::builder().capacity(100).build()?;
    let all = bus.subscribe("n")?;
    let odd = bus.filtered(|event| event.payload() % 2 == 1);
    let newest = odd.subscription("n").capacity(2).subscribe()?;
    let latest = odd
        .subscription("n")
        .capacity(2)
        .overflow(Overflow::Latest)
        .subscribe()?;
    let picky = odd
        .subscription("n")
        .filter(|event| *event.payload() > 5)
        .subscribe()?;
    for n in 0..10 {
        assert_eq!(bus.emit("n", n)?.matched, 1);
    }
    assert_eq!((all.received(), bus.stats().dropped), (10, 0));
    let stats = odd.stats();
    assert_eq!((stats.emitted, stats.left_out), (5, 5));
    assert_eq!((newest.received(), newest.dropped()), (2, 3));
    assert_eq!((latest.received(), latest.conflated()), (1, 4));
    assert_eq!((picky.received(), picky.filtered()), (2, 3));
    assert_eq!(stats.matched(), 15);
    assert_eq!(picky.capacity(), 100);
    odd.reset();
    assert_eq!((odd.stats().left_out, odd.stats().emitted), (0, 0));
    Ok(())
}

#[test]
fn p11_panics_leave_an_event_out_and_are_reported() -> Done {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&reports);
    let bus: Bus<i32> = Bus::builder()
        .on_panic(move |panic| {
            let topic = panic.topic().map(ToString::to_string);
            told.lock().unwrap().push((panic.place(), topic));
        })
        .build()?;
    let derived = bus.filtered(|event| {
        assert!(*event.payload() != 1, "no ones");
        true
    });
    let sub = derived.subscribe("n")?;
    for n in 0..3 {
        bus.emit("n", n)?;
    }
    bus.publisher("n")?.emit_batch(0..3)?;
    assert_eq!(payloads(&sub), [0, 2, 0, 2]);
    assert_eq!(derived.stats().filter_panics, 2);
    let one = (PanicPlace::Derivation, Some("n".to_owned()));
    assert_eq!(*reports.lock().unwrap(), [one.clone(), one]);
    // What it panicked with further down goes to the same hook.
    let _tap = derived.tap("n", |_| panic!("no taps"))?;
    bus.emit("n", 0)?;
    assert_eq!(reports.lock().unwrap()[2].0, PanicPlace::Tap);
    Ok(())
}

#[test]
fn pipes_in_circles_and_meshes_bring_each_event_once_to_each() -> Done {
    let buses: Vec<Bus<i32>> = (0..4).map(|_| Bus::new()).collect();
    let subs: Vec<_> = buses
        .iter()
        .map(|bus| bus.subscribe("**").unwrap())
        .collect();
    let mut guards = Vec::new();
    for from in &buses {
        for to in &buses {
            // To itself as well.
            guards.push(from.pipe_to(to, "**")?);
        }
    }
    for (n, bus) in buses.iter().enumerate() {
        bus.emit("n", n as i32)?;
        bus.publisher("row")?
            .emit_batch(10 * n as i32..10 * n as i32 + 3)?;
        bus.batch(|batch| {
            batch.emit("x", 100)?;
            batch.emit("y", 200)?;
            batch.emit("x", 300)?;
            Ok::<_, chanbus::BatchError<i32, chanbus::Error>>(())
        })?;
    }
    for sub in &subs {
        let mut seen = payloads(sub);
        assert_eq!(seen.len(), 4 * 7);
        seen.sort_unstable();
        assert_eq!(seen[..8], [0, 0, 1, 1, 2, 2, 3, 10]);
    }
    assert!(buses.iter().all(|bus| bus.stats().repeated > 0));
    drop(guards);
    buses[0].emit("n", 1)?;
    assert_eq!(subs[1].len(), 0);
    Ok(())
}

#[test]
fn circles_through_mappings_end_and_diamonds_do_not_lose() -> Done {
    let bus: Bus<i32> = Bus::new();
    let more = bus.mapped(|event| event.map_payload(|n| n + 1));
    let _back = more.pipe_to(&bus, "**")?;
    let sub = bus.subscribe("n")?;
    bus.emit("n", 0)?;
    assert_eq!(payloads(&sub), [0]);

    // The same event by two ways comes once; two that were made of it come both.
    let (low, high) = (
        bus.filtered(|e| *e.payload() < 10),
        bus.filtered(|e| *e.payload() > 5),
    );
    let merged = Bus::merged([&low, &high]).subscribe("n")?;
    let (one, two) = (
        bus.mapped(Event::clone),
        bus.mapped(|e| e.map_payload(|n| -n)),
    );
    let made = Bus::merged([one, two]).subscribe("n")?;
    for n in [1, 7, 20] {
        bus.emit("n", n)?;
    }
    assert_eq!(payloads(&merged), [1, 7, 20]);
    assert_eq!(payloads(&made), [1, -1, 7, -7, 20, -20]);
    bus.publisher("n")?.emit_batch([1, 7, 20])?;
    assert_eq!(payloads(&merged), [1, 7, 20]);
    assert_eq!(payloads(&made), [1, 7, 20, -1, -7, -20]);
    Ok(())
}

#[test]
fn p13_an_event_goes_far_but_not_for_ever_and_long_chains_end_on_a_small_stack() {
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    let chained = thread.spawn(|| {
        let bus: Bus<usize> = Bus::new();
        let mut chain = vec![bus.clone()];
        for _ in 0..5_000 {
            let next = chain[chain.len() - 1].filtered(|_| true);
            chain.push(next);
        }
        let subs: Vec<_> = [1, 50, 100, 101, 5_000]
            .map(|at| chain[at].subscribe("n").unwrap())
            .into();
        bus.emit("n", 1).unwrap();
        let seen: Vec<usize> = subs.iter().map(Subscription::len).collect();
        assert_eq!(seen, [1, 1, 1, 0, 0]);
        assert_eq!(chain[101].stats().refused, 1);
        // Half of the chain ends from below, the rest from above.
        drop(subs);
        let middle = chain[2_500].downgrade();
        chain.truncate(2_500);
        assert!(middle.upgrade().is_none());
        let last = chain[2_499].clone();
        drop(chain);
        bus.close();
        assert!(last.is_closed());
    });
    chained.unwrap().join().unwrap();
}

#[test]
fn p10_whatever_is_called_inside_of_a_derivation() -> Done {
    let bus: Bus<i32> = Bus::new();
    let weak = bus.downgrade();
    // It emits where it comes from, subscribes, and makes and ends other buses.
    let derived = bus.filtered(move |event| {
        let bus = weak.upgrade().unwrap();
        let other = bus.filtered(|_| true);
        let sub = other.subscribe("n").unwrap();
        if *event.payload() > 0 {
            bus.emit("n", event.payload() - 1).unwrap();
            // That one, and those that it led to.
            assert_eq!(sub.len() as i32, *event.payload());
        }
        true
    });
    let sub = derived.subscribe("n")?;
    bus.emit("n", 3)?;
    assert_eq!(payloads(&sub), [0, 1, 2, 3]);
    assert_eq!(bus.stats().taps, 1);
    // One that answers itself for ever comes to the limit of chains.
    let weak = bus.downgrade();
    let circle = bus.filtered(move |_| weak.upgrade().unwrap().emit("n", 0).is_ok());
    let sub = circle.subscribe("n")?;
    bus.emit("n", 0)?;
    assert!(sub.len() <= 33 && !sub.is_empty());
    // One that passes the very same event back by hand, too.
    let hand: Bus<i32> = Bus::new();
    let weak = hand.downgrade();
    let _tap = hand.filtered(|_| true).tap("n", move |event| {
        let _ = weak.upgrade().unwrap().emit_event(event.clone());
    })?;
    let seen = hand.subscribe("n")?;
    hand.emit("n", 0)?;
    assert!((2..=64).contains(&seen.len()));
    Ok(())
}

#[test]
fn it_ends_from_inside_of_itself() -> Done {
    let bus: Bus<i32> = Bus::new();
    let slot = Arc::new(Mutex::new(None));
    let inside = Arc::clone(&slot);
    let derived = bus.filtered(move |_| {
        let taken: Option<Bus<i32>> = inside.lock().unwrap().take();
        drop(taken);
        true
    });
    *slot.lock().unwrap() = Some(derived.clone());
    let weak = derived.downgrade();
    drop(derived);
    bus.emit("n", 1)?;
    assert!(weak.upgrade().is_none());
    assert_eq!(bus.stats().taps, 0);
    Ok(())
}

#[test]
fn a_dispatcher_takes_it_as_its_source() -> Done {
    let bus = Bus::new();
    let handlers = Handlers::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    handlers
        .on("alert")
        .call(move |event: &Event<i32>| log.lock().unwrap().push(*event.payload()))?;
    let dispatcher =
        Dispatcher::builder(&bus.filtered(|event| *event.payload() > 1), &handlers).build()?;
    dispatcher.start()?;
    for n in 0..4 {
        bus.emit("alert", n)?;
    }
    dispatcher.stop(Drain::All).unwrap();
    assert_eq!(*seen.lock().unwrap(), [2, 3]);
    dispatcher.start()?;
    drop(bus);
    dispatcher.wait();
    drop(dispatcher);
    Ok(())
}

#[test]
fn it_has_no_thread_and_the_settings_of_its_parent() -> Done {
    let bus: Bus<i32> = Bus::builder()
        .name("parent")
        .max_subscribers(1)
        .overflow(Overflow::DropOldest)
        .wake_ups(WakeUps::Handed)
        .history(3)
        .build()?;
    let derived = bus.filtered(|_| true);
    let sub = derived.subscribe("n")?;
    assert_eq!(derived.name(), None);
    assert_eq!(sub.overflow(), Overflow::DropOldest);
    assert!(derived.subscribe("n").unwrap_err().is_limit_reached());
    // Neither of them takes a slot of the parent.
    assert_eq!(bus.subscriber_count(), 0);
    let reader = std::thread::spawn(move || sub.recv().map(|event| *event.payload()));
    bus.emit("n", 5)?;
    assert_eq!(reader.join().unwrap(), Ok(5));
    Ok(())
}

#[test]
fn what_it_retains_keeps_it_open() -> Done {
    let bus = Bus::new();
    let state = bus.filtered(|event| *event.payload() > 1).retained("**")?;
    bus.emit("a", 1)?;
    bus.emit("a", 2)?;
    assert_eq!(state.get("a").map(|event| *event.payload()), Some(2));
    drop(state);
    assert_eq!(bus.stats().taps, 0);
    Ok(())
}

#[test]
fn p3_a_batch_by_two_ways_comes_in_two_parts_and_nothing_comes_before_it() -> Done {
    let bus = Bus::new();
    let (even, odd) = (
        bus.filtered(|n| n.payload() % 2 == 0),
        bus.filtered(|n| n.payload() % 2 == 1),
    );
    let sub = Bus::merged([even, odd])
        .subscription("n")
        .keep_batches()
        .subscribe()?;
    bus.publisher("n")?.emit_batch(0..6)?;
    bus.emit("n", 6)?;
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    while sub.try_recv_batch(&mut batch, usize::MAX).is_ok() {
        batches.push(
            batch
                .drain(..)
                .map(|event| *event.payload())
                .collect::<Vec<i32>>(),
        );
    }
    assert_eq!(batches, [vec![0, 2, 4], vec![1, 3, 5], vec![6]]);
    Ok(())
}

#[test]
fn a_broadcast_is_one_where_it_was_emitted() -> Done {
    let bus = Bus::new();
    let here = bus.subscribe("other")?;
    let derived = bus.filtered(|_| true);
    let (there, asked) = (derived.subscribe("other")?, derived.subscribe("topic")?);
    bus.broadcast("topic", 1)?;
    assert_eq!((here.len(), there.len(), asked.len()), (1, 0, 1));
    let table = derived.stats().to_string();
    assert!(!table.contains("left out"));
    Ok(())
}

#[test]
fn p11_what_feeds_it_may_panic_as_it_goes() -> Done {
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in the destructor of what feeds it");
        }
    }

    type End = fn(Bus<i32>) -> bool;
    let ends: [End; 2] = [
        |derived| derived.close(),
        |derived| {
            drop(derived);
            true
        },
    ];
    for end in ends {
        let bus: Bus<i32> = Bus::new();
        let derived = bus.derive(|inlet| (Bomb, bus.pass_on("**", inlet, |_| true)));
        assert!(end(derived));
        assert_eq!(bus.stats().taps, 0);
    }
    Ok(())
}

#[test]
fn p3_what_is_passed_on_to_a_bus_with_a_history_is_in_it() -> Done {
    let (bus, kept) = (Bus::<i32>::new(), Bus::builder().history(2).build()?);
    let _pipe = bus.pipe_to(&kept, "**")?;
    for number in 0..3 {
        bus.emit("n", number)?;
    }
    assert_eq!(
        payloads(&kept.subscription("n").replay(3).subscribe()?),
        [1, 2]
    );
    Ok(())
}
