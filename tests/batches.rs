//! Batches: all or none, in order, as one; and subscriptions that keep them together.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use chanbus::{
    BatchError, Bus, Error, Event, Overflow, RecvError, Subscription, TryRecvError, WakeUps,
};
use futures_lite::future::block_on;
use proptest::prelude::*;

type Done = Result<(), Error>;

/// The batches that wait, each as its payloads.
fn batches<T: Copy + Send + Sync + 'static>(sub: &Subscription<T>) -> Vec<Vec<T>> {
    std::iter::from_fn(|| {
        let mut batch = Vec::new();
        sub.try_recv_batch(&mut batch, usize::MAX).ok()?;
        Some(batch.iter().map(|event| *event.payload()).collect())
    })
    .collect()
}

fn emit<T: Send + Sync + 'static>(bus: &Bus<T>, events: Vec<(&str, T)>) -> chanbus::Emitted {
    let mut batch = bus.start_batch();
    for (topic, payload) in events {
        batch.emit(topic, payload).unwrap();
    }
    batch.commit().unwrap()
}

#[test]
fn h14_a_batch_of_mixed_topics_is_taken_whole() -> Done {
    let bus = Bus::new();
    let kept = bus.subscription(["a", "b"]).keep_batches().subscribe()?;
    let plain = bus.subscribe("**")?;
    bus.emit("a", 1)?;
    let emitted = emit(&bus, vec![("a", 2), ("c", 3), ("b", 4), ("a", 5)]);
    assert_eq!((emitted.matched, emitted.delivered), (7, 7));
    bus.emit("b", 6)?;
    bus.publisher("a")?.emit_batch([7, 8])?;
    bus.publisher("a")?.emit_batch([9])?;
    assert_eq!(
        batches(&kept),
        [vec![1], vec![2, 4, 5], vec![6], vec![7, 8], vec![9]]
    );
    assert_eq!(batches(&plain), [vec![1, 2, 3, 4, 5, 6, 7, 8, 9]]);
    assert_eq!((kept.matched(), kept.received()), (8, 8));
    Ok(())
}

#[test]
fn h14_what_is_left_of_a_long_one_comes_next() -> Done {
    let bus = Bus::new();
    let sub = bus.subscription("n").keep_batches().subscribe()?;
    bus.publisher("n")?.emit_batch(0..5)?;
    bus.publisher("n")?.emit_batch(5..7)?;
    let mut buffer = Vec::new();
    assert_eq!(sub.recv_batch(&mut buffer, 0)?, 0);
    assert_eq!(sub.recv_batch(&mut buffer, 3)?, 3);
    assert_eq!(sub.recv_batch(&mut buffer, 3)?, 2);
    assert_eq!(block_on(sub.recv_batch_async(&mut buffer, 3))?, 2);
    assert_eq!(sub.try_recv_batch(&mut buffer, 3), Err(TryRecvError::Empty));
    // One at a time, by the other ways.
    bus.publisher("n")?.emit_batch(7..10)?;
    assert_eq!(*sub.recv()?.payload(), 7);
    assert_eq!(block_on(sub.recv_batch_async(&mut buffer, 9))?, 2);
    assert_eq!(buffer.len(), 9);
    Ok(())
}

#[test]
fn p6_each_event_of_a_batch_takes_its_slot_under_each_policy() -> Done {
    let bus = Bus::new();
    let with = |overflow| {
        bus.subscription("**")
            .keep_batches()
            .capacity(3)
            .overflow(overflow)
            .subscribe()
    };
    let (newest, oldest, latest) = (
        with(Overflow::DropNewest)?,
        with(Overflow::DropOldest)?,
        with(Overflow::Latest)?,
    );
    bus.emit("a", 0)?;
    let emitted = emit(&bus, vec![("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
    assert_eq!(
        (emitted.matched, emitted.delivered, emitted.dropped),
        (12, 9, 3)
    );
    // One was replaced, two were pushed out.
    assert_eq!(emitted.evicted, 3);
    assert_eq!((newest.len(), oldest.len(), latest.len()), (3, 3, 3));
    assert_eq!(
        (newest.dropped(), oldest.dropped(), latest.dropped()),
        (2, 2, 1)
    );
    assert_eq!(latest.conflated(), 1);
    for sub in [&newest, &oldest, &latest] {
        let sum = sub.received() + sub.dropped() + sub.filtered() + sub.conflated();
        assert_eq!((sub.matched(), sum), (5, 5));
    }
    assert_eq!(newest.missed(), 2);
    assert_eq!(batches(&newest), [vec![0], vec![1, 2]]);
    // What it began with was pushed out, so what is left begins it.
    assert_eq!(batches(&oldest), [vec![2, 3, 4]]);
    // The first took the place of an older one, and came alone there.
    assert_eq!(batches(&latest), [vec![1], vec![2, 3]]);
    Ok(())
}

#[test]
fn p2_a_batch_that_fails_or_panics_emits_nothing() -> Done {
    let bus = Bus::new();
    let sub = bus.subscription("**").keep_batches().subscribe()?;
    let refused = bus.batch(|batch| -> Result<(), BatchError<i32, &str>> {
        batch.emit("a", 1)?;
        Err(BatchError::Refused("no"))
    });
    assert!(matches!(refused, Err(BatchError::Refused("no"))));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = bus.batch(|batch| -> Result<(), BatchError<i32, Error>> {
            batch.emit("a", 1)?;
            panic!("in the middle");
        });
    }));
    assert!(panicked.is_err());
    drop(bus.start_batch());
    assert_eq!((sub.matched(), bus.stats().emitted), (0, 0));
    // On a closed bus all come back.
    let mut batch = bus.start_batch();
    batch.emit("a", 1)?;
    batch.emit("b", 2)?;
    bus.close();
    assert_eq!(batch.commit().unwrap_err().into_payload().len(), 2);
    Ok(())
}

#[test]
fn p2_a_batch_may_be_looked_at_split_and_taken_back() -> Done {
    let bus = Bus::new();
    let sub = bus.subscription("**").keep_batches().subscribe()?;
    let mut batch = bus.start_batch();
    for number in 0..5 {
        batch.emit("n", number)?;
    }
    let numbers = |events: &[Event<i32>]| -> Vec<i32> {
        events.iter().map(|event| *event.payload()).collect()
    };
    assert_eq!(numbers(batch.events()), [0, 1, 2, 3, 4]);
    let mut rest = batch.split_off(2);
    // More than there are is none.
    assert!(rest.split_off(4).is_empty());
    assert_eq!((batch.len(), rest.len()), (2, 3));
    assert_eq!(numbers(&rest.split_off(1).into_events()), [3, 4]);
    rest.commit()?;
    batch.commit()?;
    assert_eq!(batches(&sub), [vec![2], vec![0, 1]]);
    let batch = bus.start_batch();
    assert!(!batch.is_closed());
    bus.close();
    assert!(batch.is_closed());
    Ok(())
}

#[test]
fn p3_filters_come_before_the_whole_batch_and_taps_after_it() -> Done {
    let bus: Bus<i32> = Bus::new();
    let log = bus.subscription("**").keep_batches().subscribe()?;
    let plain = bus.subscribe("**")?;
    let weak = bus.downgrade();
    let _filtered = bus
        .subscription("n")
        .filter(move |event| {
            weak.upgrade()
                .unwrap()
                .emit("before", -event.payload())
                .unwrap();
            true
        })
        .subscribe()?;
    let weak = bus.downgrade();
    let _tap = bus.tap("n", move |event| {
        weak.upgrade()
            .unwrap()
            .emit("after", 10 * event.payload())
            .unwrap();
    })?;
    emit(&bus, vec![("n", 1), ("m", 2), ("n", 3)]);
    let expected = [vec![-1], vec![-3], vec![1, 2, 3], vec![10], vec![30]];
    assert_eq!(batches(&log), expected);
    assert_eq!(batches(&plain), [expected.concat()]);
    Ok(())
}

#[test]
fn p8_a_closed_one_gives_what_is_left_batch_by_batch_then_ends_for_all() -> Done {
    for wake_ups in [WakeUps::Direct, WakeUps::Handed] {
        let bus = Bus::builder().wake_ups(wake_ups).build()?;
        let sub = bus.subscription("n").keep_batches().subscribe()?;
        let shared = sub.share();
        bus.publisher("n")?.emit_batch(0..3)?;
        bus.publisher("n")?.emit_batch(3..5)?;
        bus.close();
        let mut buffer = Vec::new();
        assert_eq!(sub.recv_batch(&mut buffer, 9)?, 3);
        assert_eq!(shared.recv_batch(&mut buffer, 9)?, 2);
        for handle in [&sub, &shared] {
            assert_eq!(handle.recv_batch(&mut buffer, 9), Err(RecvError));
            assert_eq!(
                handle.try_recv_batch(&mut buffer, 9),
                Err(TryRecvError::Closed)
            );
            assert_eq!(
                block_on(handle.recv_batch_async(&mut buffer, 9)),
                Err(RecvError)
            );
        }
    }
    Ok(())
}

#[test]
fn h14_of_several_who_receive_each_gets_whole_batches() {
    const BATCHES: usize = 400;
    for wake_ups in [WakeUps::Direct, WakeUps::Handed] {
        let bus = Bus::builder()
            .wake_ups(wake_ups)
            .capacity(10_000)
            .build()
            .unwrap();
        let sub = bus.subscription("**").keep_batches().subscribe().unwrap();
        let start = Arc::new(Barrier::new(4));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (sub, start) = (sub.share(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    let (mut buffer, mut count) = (Vec::new(), 0);
                    while let Ok(taken) = sub.recv_batch(&mut buffer, usize::MAX) {
                        // Each holds the numbers of one publisher, five in a row.
                        let first: usize = *buffer[0].payload();
                        let numbers: Vec<usize> =
                            buffer.drain(..).map(|e: Event<_>| *e.payload()).collect();
                        assert_eq!(numbers, (first..first + 5).collect::<Vec<_>>());
                        assert_eq!((taken, first % 5), (5, 0));
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        let writers: Vec<_> = ["a", "b"]
            .map(|topic| {
                let (bus, start) = (bus.clone(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    let publisher = bus.publisher(topic).unwrap();
                    for batch in 0..BATCHES {
                        publisher.emit_batch(5 * batch..5 * batch + 5).unwrap();
                    }
                })
            })
            .into();
        drop(sub);
        for writer in writers {
            writer.join().unwrap();
        }
        drop(bus);
        let taken: usize = readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum();
        assert_eq!(taken, 2 * BATCHES);
    }
}

#[test]
fn h14_a_derived_bus_passes_a_batch_on_as_one() -> Done {
    let bus = Bus::new();
    let derived = bus
        .filtered(|n: &Event<i32>| *n.payload() != 2)
        .mapped(|e| e.map_payload(|n| n * 10));
    let sub = derived.subscription("**").keep_batches().subscribe()?;
    emit(&bus, vec![("a", 1), ("b", 2), ("b", 3), ("a", 4)]);
    bus.publisher("a")?.emit_batch([5, 6])?;
    bus.emit("a", 7)?;
    assert_eq!(batches(&sub), [vec![10, 30, 40], vec![50, 60], vec![70]]);
    assert_eq!(derived.stats().emitted, 6);
    Ok(())
}

#[test]
fn p9_p11_what_a_batch_pushes_out_is_dropped_after_it_and_panics_stay_there() -> Done {
    struct Loud(i32, Arc<Mutex<Vec<i32>>>);
    impl Drop for Loud {
        fn drop(&mut self) {
            self.1.lock().unwrap().push(self.0);
            assert!(self.0 != 1, "a destructor that panics");
        }
    }
    let panics = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&panics);
    let bus = Bus::builder()
        .on_panic(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        })
        .build()?;
    let dropped = Arc::new(Mutex::new(Vec::new()));
    let of = |n| Loud(n, Arc::clone(&dropped));
    let sub = bus
        .subscription("**")
        .keep_batches()
        .capacity(2)
        .overflow(Overflow::DropOldest)
        .subscribe()?;
    emit(&bus, vec![("a", of(0)), ("b", of(1))]);
    emit(&bus, vec![("a", of(2)), ("b", of(3)), ("c", of(4))]);
    // One of its own was pushed out as well.
    assert_eq!(*dropped.lock().unwrap(), [0, 1, 2]);
    assert_eq!(panics.load(Ordering::Relaxed), 1);
    drop(sub);
    assert_eq!(*dropped.lock().unwrap(), [0, 1, 2, 3, 4]);
    Ok(())
}

#[test]
fn replayed_events_come_one_by_one() -> Done {
    let bus = Bus::builder().history(10).build()?;
    bus.publisher("n")?.emit_batch(0..3)?;
    let sub = bus.subscription("n").keep_batches().replay(2).subscribe()?;
    bus.publisher("n")?.emit_batch(3..5)?;
    assert_eq!(batches(&sub), [vec![1], vec![2], vec![3, 4]]);
    Ok(())
}

/// What is done to a bus, by turns.
#[derive(Debug, Clone)]
enum Step {
    Emit(u8),
    Batch(Vec<u8>),
    Rows(u8, usize),
    Take(usize),
    TakeBatch(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_u8).prop_map(Step::Emit),
        prop::collection::vec(0..3_u8, 0..6).prop_map(Step::Batch),
        (0..3_u8, 0..6_usize).prop_map(|(topic, rows)| Step::Rows(topic, rows)),
        (1..4_usize).prop_map(Step::Take),
        (1..6_usize).prop_map(Step::TakeBatch),
    ]
}

/// A queue of (number, topic, whether it goes with the one before), as plain as can be.
struct Model {
    queue: Vec<(u32, u8, bool)>,
    capacity: usize,
    overflow: Overflow,
    dropped: u64,
    conflated: u64,
}

impl Model {
    fn offer(&mut self, events: Vec<(u32, u8)>) {
        let mut joined = false;
        for (number, topic) in events {
            if self.overflow == Overflow::Latest
                && let Some(there) = self.queue.iter_mut().find(|(_, other, _)| *other == topic)
            {
                there.0 = number;
                self.conflated += 1;
                continue;
            }
            if self.queue.len() == self.capacity {
                self.dropped += 1;
                if self.overflow != Overflow::DropOldest {
                    continue;
                }
                self.queue.remove(0);
                self.queue.push((number, topic, joined));
                self.queue[0].2 = false;
            } else {
                self.queue.push((number, topic, joined));
            }
            joined = true;
        }
    }

    fn take(&mut self, max: usize) -> Vec<u32> {
        let together = self
            .queue
            .iter()
            .skip(1)
            .take_while(|(.., joined)| *joined)
            .count();
        let count = (1 + together).min(max).min(self.queue.len());
        self.queue
            .drain(..count)
            .map(|(number, ..)| number)
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(14), ..ProptestConfig::with_cases(400) })]

    #[test]
    fn batches_are_as_a_plain_model_has_them(
        steps in prop::collection::vec(step(), 1..40),
        capacity in 1..7_usize,
        policy in 0..3_usize,
    ) {
        let overflow = [Overflow::DropNewest, Overflow::DropOldest, Overflow::Latest][policy];
        let bus = Bus::new();
        let sub = bus.subscription("**").keep_batches().capacity(capacity).overflow(overflow);
        let sub = sub.subscribe().unwrap();
        let mut model = Model { queue: Vec::new(), capacity, overflow, dropped: 0, conflated: 0 };
        let mut numbers = 0..;
        let topic = |topic: u8| ["a", "b", "c"][usize::from(topic)];
        for step in steps {
            match step {
                Step::Emit(on) => {
                    let number = numbers.next().unwrap();
                    bus.emit(topic(on), number).unwrap();
                    model.offer(vec![(number, on)]);
                }
                Step::Batch(on) => {
                    let events: Vec<(u32, u8)> = numbers.by_ref().zip(on).collect();
                    emit(&bus, events.iter().map(|(number, on)| (topic(*on), *number)).collect());
                    model.offer(events);
                }
                Step::Rows(on, count) => {
                    let rows: Vec<u32> = numbers.by_ref().take(count).collect();
                    bus.publisher(topic(on)).unwrap().emit_batch(rows.clone()).unwrap();
                    model.offer(rows.into_iter().map(|row| (row, on)).collect());
                }
                Step::Take(count) => for _ in 0..count {
                    let taken = sub.try_recv().ok().map(|event| *event.payload());
                    prop_assert_eq!(taken, model.take(1).first().copied());
                },
                Step::TakeBatch(max) => {
                    let mut batch = Vec::new();
                    let _ = sub.try_recv_batch(&mut batch, max);
                    let taken: Vec<u32> = batch.iter().map(|event| *event.payload()).collect();
                    prop_assert_eq!(taken, model.take(max));
                }
            }
            prop_assert_eq!(sub.len(), model.queue.len());
            prop_assert_eq!((sub.dropped(), sub.conflated()), (model.dropped, model.conflated));
        }
    }
}
