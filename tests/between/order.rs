//! What is emitted inside of an emit comes after it, and a batch stays one, on every bus it gets to (P3, P4).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use chanbus::{Bus, Event, Overflow, WeakBus};

use crate::{Done, emit, payloads};

#[test]
fn p3_what_a_tap_emits_comes_after_on_a_derived_bus_too() -> Done {
    let bus: Bus<u32> = Bus::new();
    let derived = bus.filtered(|_| true);
    let (near, far) = (bus.subscribe_all()?, derived.subscribe_all()?);
    let weak = bus.downgrade();
    let _tap = bus.tap("first", move |_| {
        weak.upgrade().unwrap().emit("second", 2).unwrap();
    })?;
    bus.emit("first", 1)?;
    assert_eq!(payloads(&near), [1, 2]);
    assert_eq!(payloads(&far), [1, 2]);
    Ok(())
}

struct Last(u32, Option<WeakBus<Last>>);

impl Drop for Last {
    fn drop(&mut self) {
        if let Some(bus) = self.1.take().and_then(|bus| bus.upgrade()) {
            let _ = bus.emit("end", Last(1_000, None));
        }
    }
}

fn mid_batch(topics: [&str; 2], count: u32) -> Vec<u32> {
    let bus: Bus<Last> = Bus::new();
    let _small = bus
        .subscription("a")
        .capacity(1)
        .overflow(Overflow::DropOldest)
        .subscribe()
        .unwrap();
    let all = bus.subscription("**").capacity(1_000).subscribe().unwrap();
    let narrow = bus
        .subscription(["b", "end"])
        .capacity(1_000)
        .subscribe()
        .unwrap();
    drop(all);
    bus.emit("a", Last(0, Some(bus.downgrade()))).unwrap();
    let mut batch = bus.start_batch();
    for n in 1..=count {
        batch.emit(topics[n as usize % 2], Last(n, None)).unwrap();
    }
    batch.commit().unwrap();
    narrow.try_iter().map(|event| event.payload().0).collect()
}

#[test]
fn p3_what_a_batch_pushes_out_emits_after_all_of_it() {
    // 1 on "b", 2 on "a" pushes out, 3 on "b".
    assert_eq!(mid_batch(["a", "b"], 3), [1, 3, 1_000]);
}

#[test]
fn p3_what_a_long_batch_pushes_out_emits_after_all_of_it() {
    let bus: Bus<Last> = Bus::new();
    let small = bus
        .subscription("a")
        .capacity(1)
        .overflow(Overflow::DropOldest)
        .subscribe()
        .unwrap();
    bus.emit("a", Last(0, Some(bus.downgrade()))).unwrap();
    let large = bus.subscription("**").capacity(1_000).subscribe().unwrap();
    let rows = (1..=100).map(|n| Last(n, None));
    bus.publisher("a").unwrap().emit_batch(rows).unwrap();
    let seen: Vec<u32> = large.try_iter().map(|event| event.payload().0).collect();
    assert_eq!(seen.last(), Some(&1_000), "{seen:?}");
    drop(small);
}

/// Emits when it is called.
struct Caller(WeakBus<u32>);

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.0.upgrade().unwrap().emit("n", 1_000).unwrap();
    }
}

#[test]
fn p3_what_a_waker_emits_comes_after_the_whole_batch() -> Done {
    let bus: Bus<u32> = Bus::new();
    let (all, woken) = (bus.subscribe_all()?, bus.subscribe("a")?);
    let waker = Waker::from(Arc::new(Caller(bus.downgrade())));
    let mut future = Box::pin(woken.recv_async());
    assert!(
        future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    emit(&bus, vec![("a", 1), ("b", 2)]);
    assert_eq!(payloads(&all), [1, 2, 1_000]);
    Ok(())
}

#[test]
fn p3_what_a_waker_emits_comes_after_on_a_derived_bus_too() {
    struct Wakes(chanbus::WeakBus<u32>, AtomicBool);
    impl std::task::Wake for Wakes {
        fn wake(self: Arc<Self>) {
            if !self.1.swap(true, Ordering::SeqCst) {
                self.0.upgrade().unwrap().emit("second", 2).unwrap();
            }
        }
    }
    let bus: Bus<u32> = Bus::new();
    let derived = bus.filtered(|_| true);
    let (near, far) = (
        bus.subscribe("**").unwrap(),
        derived.subscribe("**").unwrap(),
    );
    let other = bus.subscribe("first").unwrap();
    let waker = std::task::Waker::from(Arc::new(Wakes(bus.downgrade(), AtomicBool::new(false))));
    let mut future = Box::pin(other.recv_async());
    let mut context = std::task::Context::from_waker(&waker);
    assert!(std::future::Future::poll(future.as_mut(), &mut context).is_pending());
    bus.emit("first", 1).unwrap();
    assert_eq!(payloads(&near), [1, 2]);
    assert_eq!(payloads(&far), [1, 2]);
}

#[test]
fn p4_the_same_event_twice_in_a_batch_comes_to_a_derived_bus_as_twice_alone() {
    let bus: Bus<u32> = Bus::new();
    let derived = bus.filtered(|_| true);
    let (near, far) = (bus.subscribe("n").unwrap(), derived.subscribe("n").unwrap());
    let event = Event::new("n", 1).unwrap();
    bus.emit_event(event.clone()).unwrap();
    bus.emit_event(event.clone()).unwrap();
    assert_eq!((near.len(), far.len()), (2, 2), "alone");
    let mut batch = bus.start_batch();
    batch.push(event.clone());
    batch.push(event);
    batch.commit().unwrap();
    assert_eq!((near.len(), far.len()), (4, 4), "together");
}

#[test]
fn p4_a_pipe_to_itself_and_a_merge_with_itself_bring_each_event_once() {
    let bus: Bus<u32> = Bus::new();
    let _own = bus.pipe_to(&bus, "**").unwrap();
    let merged = Bus::merged([&bus, &bus]);
    let (near, far) = (
        bus.subscribe("**").unwrap(),
        merged.subscribe("**").unwrap(),
    );
    bus.emit("n", 1).unwrap();
    bus.publisher("n").unwrap().emit_batch([2, 3]).unwrap();
    assert_eq!(payloads(&near), [1, 2, 3]);
    assert_eq!(payloads(&far), [1, 2, 3]);
    assert_eq!(merged.stats().repeated, 3);
}

#[test]
fn all_that_a_batch_carries_survives_all_steps() -> Done {
    let bus: Bus<u32> = Bus::new();
    let first = bus.filtered(|_| true);
    let second = first.mapped(|event| event.map_payload(|n| n + 1));
    let topic = chanbus::Topic::new("moved").unwrap();
    let third = second.mapped(move |event| event.with_topic(topic.clone(), *event.payload()));
    let both = Bus::merged([&second, &third]);
    let _state = both.retained("**")?;
    let sub = both.subscription("**").keep_batches().subscribe()?;
    let cause = chanbus::Cause::of(&Event::new("why", ())?);
    let mut batch = bus.start_batch();
    for n in 0..3 {
        batch
            .event("a", n)
            .source("s")
            .metadata("k", n)
            .extension(7u8)
            .cause(cause.clone())
            .emit()?;
    }
    batch.commit()?;
    let late = both.subscription("**").with_retained().subscribe()?;
    let seen: Vec<_> = sub.try_iter().chain(late.try_iter()).collect();
    assert_eq!(seen.len(), 8);
    for event in seen {
        assert_eq!(event.source(), Some("s"));
        assert!(event.metadata("k").is_some());
        assert_eq!(event.extension::<u8>(), Some(&7));
        assert!(event.cause().is_some());
    }
    Ok(())
}
