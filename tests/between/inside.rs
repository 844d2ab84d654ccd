//! Destructors, buffers, predicates and taps may take, end and close from inside (P10).

use std::sync::{Arc, Mutex, OnceLock};

use chanbus::{Bus, Event, Inlet, Overflow, Subscription, TapGuard};

use crate::common::{Census, Counted, guarded};
use crate::{Done, payloads};

/// Lets go of all that it is given.
struct Sink;

impl<E> Extend<E> for Sink {
    fn extend<I: IntoIterator<Item = E>>(&mut self, iter: I) {
        iter.into_iter().for_each(drop);
    }
}

/// Takes from the subscription itself when it is dropped.
struct Taker(Option<Arc<OnceLock<Subscription<Taker>>>>);

impl Drop for Taker {
    fn drop(&mut self) {
        if let Some(sub) = self.0.take() {
            let _ = sub.get().unwrap().try_recv_batch(&mut Vec::new(), 1);
        }
    }
}

#[test]
fn p10_a_destructor_inside_of_a_receive_of_a_batch_takes_from_the_same_subscription() {
    guarded(|| {
        let bus = Bus::new();
        let place = Arc::new(OnceLock::new());
        let sub = bus.subscription("n").keep_batches().subscribe().unwrap();
        let _ = place.set(sub.share());
        let mut batch = bus.start_batch();
        for _ in 0..3 {
            batch.emit("n", Taker(Some(Arc::clone(&place)))).unwrap();
        }
        batch.commit().unwrap();
        let _ = sub.try_recv_batch(&mut Sink, 10);
    });
}

/// Takes from the subscription that it is filled from.
struct Greedy(Subscription<u32>, Vec<u32>, usize);

impl Extend<Event<u32>> for Greedy {
    fn extend<I: IntoIterator<Item = Event<u32>>>(&mut self, events: I) {
        for event in events {
            self.1.push(*event.payload());
        }
        if self.2 == 0 {
            self.2 = 1;
            let mut more = Vec::new();
            let _ = self.0.try_recv_batch(&mut more, 10);
            self.1.extend(more.iter().map(|event| *event.payload()));
        }
    }
}

#[test]
fn p10_a_buffer_of_ones_own_may_take_from_the_same_subscription() {
    for keep in [false, true] {
        guarded(move || {
            let bus = Bus::new();
            let builder = bus.subscription("n");
            let builder = if keep {
                builder.keep_batches()
            } else {
                builder
            };
            let sub = builder.subscribe().unwrap();
            bus.emit("n", 1).unwrap();
            bus.emit("n", 2).unwrap();
            let mut greedy = Greedy(sub.share(), Vec::new(), 0);
            sub.try_recv_batch(&mut greedy, 10).unwrap();
            let rest = sub.try_iter().map(|event| *event.payload());
            greedy.1.extend(rest);
            assert_eq!(greedy.1, [1, 2]);
        });
    }
}

#[test]
fn p10_ends_from_inside_of_every_callback() {
    for what in 0..5 {
        for place in 0..5 {
            guarded(move || {
                let census = Census::new();
                let captures = Census::new();
                type Parts = (Option<Bus<Hooked>>, Option<Subscription<Hooked>>);
                struct Hooked(
                    #[expect(dead_code, reason = "counted as it goes")] Counted,
                    Option<Arc<dyn Fn() + Send + Sync>>,
                );
                impl Drop for Hooked {
                    fn drop(&mut self) {
                        if let Some(act) = self.1.take() {
                            act();
                        }
                    }
                }
                let hold: Arc<Mutex<Parts>> = Arc::default();
                let root: Arc<Mutex<Option<Bus<Hooked>>>> = Arc::default();
                let (parts, roots) = (Arc::clone(&hold), Arc::clone(&root));
                let end: Arc<dyn Fn() + Send + Sync> = Arc::new(move || match what {
                    0 => {
                        let derived = parts.lock().unwrap().0.take();
                        drop(derived);
                    }
                    1 => {
                        let sub = parts.lock().unwrap().1.take();
                        drop(sub);
                    }
                    2 => {
                        let both = std::mem::take(&mut *parts.lock().unwrap());
                        drop(both);
                    }
                    3 => {
                        let root = roots.lock().unwrap().clone();
                        if let Some(root) = root {
                            root.close();
                        }
                    }
                    _ => {
                        let root = roots.lock().unwrap().take();
                        drop(root);
                    }
                });
                let bus: Bus<Hooked> = Bus::builder().capacity(1).build().unwrap();
                let at = |here: usize| (place == here).then(|| Arc::clone(&end));
                let (act, held) = (at(0), captures.born());
                let derived = bus.filtered(move |_| {
                    let _ = &held;
                    if let Some(act) = &act {
                        act();
                    }
                    true
                });
                let (act, held) = (at(1), captures.born());
                let far = derived.filter_mapped(move |event| {
                    let _ = &held;
                    if let Some(act) = &act {
                        act();
                    }
                    Some(event.clone())
                });
                let act = at(2);
                let far_sub = far
                    .subscription("**")
                    .filter(move |_| {
                        if let Some(act) = &act {
                            act();
                        }
                        true
                    })
                    .overflow(Overflow::DropOldest)
                    .keep_batches()
                    .subscribe()
                    .unwrap();
                let act = at(3);
                let tap = far
                    .tap("**", move |_| {
                        if let Some(act) = &act {
                            act();
                        }
                    })
                    .unwrap();
                let sub = derived
                    .subscription("**")
                    .overflow(Overflow::DropOldest)
                    .subscribe()
                    .unwrap();
                *hold.lock().unwrap() = (Some(derived), Some(sub));
                *root.lock().unwrap() = Some(bus.clone());
                let publisher = bus.publisher("n").unwrap();
                drop(bus);
                let act = at(4);
                let born = |_| Hooked(census.born(), act.clone());
                let _ = publisher.emit_batch((0..3).map(born));
                let one = root.lock().unwrap().clone();
                if let Some(bus) = one {
                    let _ = bus.emit("n", born(0));
                }
                let _ = publisher.emit_batch((0..3).map(born));
                drop(tap);
                drop(far_sub);
                drop(far);
                let parts = std::mem::take(&mut *hold.lock().unwrap());
                drop(parts);
                let root = root.lock().unwrap().take();
                drop(root);
                drop(publisher);
                assert_eq!(captures.alive(), 0, "captures: {what} {place}");
                assert_eq!(census.alive(), 0, "payloads: {what} {place}");
            });
        }
    }
}

#[test]
fn p5_a_pipe_cleared_from_inside_of_itself_passes_on_what_it_has() {
    let (bus, other) = (Bus::<u32>::new(), Bus::<u32>::new());
    let guard: Arc<Mutex<Option<TapGuard<u32>>>> = Arc::default();
    let hold = Arc::clone(&guard);
    let pipe = bus
        .pass_on("**", &Inlet::to(&other), move |_| {
            drop(hold.lock().unwrap().take());
            true
        })
        .unwrap();
    *guard.lock().unwrap() = Some(pipe);
    let sub = other.subscribe("**").unwrap();
    bus.publisher("n").unwrap().emit_batch(0..3).unwrap();
    bus.emit("n", 4).unwrap();
    assert_eq!(payloads(&sub), [0, 1, 2]);
    assert_eq!(bus.stats().taps, 0);
}

#[test]
fn p5_a_bus_that_closes_while_it_filters_a_batch_counts_all_of_it() {
    let bus: Bus<u32> = Bus::new();
    let place: Arc<OnceLock<chanbus::WeakBus<u32>>> = Arc::default();
    let own = Arc::clone(&place);
    let derived = bus.filtered(move |event| {
        if *event.payload() == 1 {
            own.get().unwrap().upgrade().unwrap().close();
        }
        true
    });
    place.set(derived.downgrade()).unwrap();
    let sub = derived.subscribe("**").unwrap();
    bus.publisher("n").unwrap().emit_batch(0..3).unwrap();
    let stats = derived.stats();
    assert_eq!((stats.emitted, stats.refused, stats.left_out), (0, 3, 0));
    assert!(sub.recv().is_err());
}

#[test]
fn p5_what_is_emitted_while_its_bus_closes_is_on_the_derived_one_or_counted() -> Done {
    let bus: Bus<u32> = Bus::new();
    let derived = bus.filtered(|_| true);
    let (near, far) = (bus.subscribe_all()?, derived.subscribe_all()?);
    let weak = bus.downgrade();
    let _tap = bus.tap("a", move |_| {
        weak.upgrade().unwrap().close();
    })?;
    bus.emit("a", 1)?;
    assert_eq!(payloads(&near), [1]);
    let stats = derived.stats();
    assert_eq!(
        payloads(&far).len() as u64 + stats.refused + stats.left_out,
        1
    );
    Ok(())
}
