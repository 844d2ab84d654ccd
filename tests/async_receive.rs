//! Receiving in async code: the promises that hold for threads hold for tasks, and for both together.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use chanbus::{
    Bus, EmitError, Overflow, RecvError, SubscribeError, Subscription, WaitError, WakeUps,
};
use common::{Dice, POLICIES, guarded, soaked};
use futures_lite::future::{block_on, or, ready, zip};

/// A waker that counts its calls.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Calls {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A future, and how often it was called.
struct Task<F> {
    future: Pin<Box<F>>,
    calls: Arc<Calls>,
}

impl<F: Future> Task<F> {
    fn new(future: F) -> Self {
        Task {
            future: Box::pin(future),
            calls: Arc::default(),
        }
    }

    fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.calls));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Polled once, and waiting.
    fn waiting(future: F) -> Self {
        let mut task = Self::new(future);
        assert!(task.poll().is_pending());
        task
    }

    fn calls(&self) -> usize {
        self.calls.count()
    }
}

/// One of each policy, and of each way to wake threads, which must not matter to tasks.
fn settings() -> impl Iterator<Item = (Overflow, WakeUps)> {
    let ways = [WakeUps::Direct, WakeUps::Handed];
    let all = POLICIES.into_iter();
    all.flat_map(move |policy| ways.map(|way| (policy, way)))
}

fn one(policy: Overflow, way: WakeUps) -> (Bus<u64>, Subscription<u64>) {
    let bus = Bus::builder().wake_ups(way).build().unwrap();
    let sub = bus.subscription("**").overflow(policy).subscribe().unwrap();
    (bus, sub)
}

#[test]
fn p8_what_is_queued_is_received_then_the_end_for_ever() {
    for (policy, way) in settings() {
        let (bus, sub) = one(policy, way);
        let other = sub.share();
        bus.emit("a", 1).unwrap();
        bus.emit("b", 2).unwrap();
        bus.close();
        block_on(async {
            assert_eq!(*sub.recv_async().await.unwrap().payload(), 1);
            assert_eq!(*other.recv_async().await.unwrap().payload(), 2);
            for _ in 0..3 {
                assert_eq!(sub.recv_async().await.unwrap_err(), RecvError);
                assert_eq!(other.recv_async().await.unwrap_err(), RecvError);
            }
        });
    }
}

#[test]
fn p8_a_close_calls_everybody_who_waits() {
    for (policy, way) in settings() {
        let (bus, sub) = one(policy, way);
        let other = sub.share();
        let mut tasks = [
            Task::waiting(sub.recv_async()),
            Task::waiting(sub.recv_async()),
            Task::waiting(other.recv_async()),
        ];
        bus.close();
        for task in &mut tasks {
            assert_eq!(task.calls(), 1);
            assert!(matches!(task.poll(), Poll::Ready(Err(RecvError))));
        }
    }
}

#[test]
fn p8_every_way_to_close_calls_who_waits() {
    type Close = fn(Bus<u64>, &Subscription<u64>);
    let ways: [Close; 5] = [
        |bus, _| assert!(bus.close()),
        |bus, _| drop(bus),
        |bus, _| bus.reset(),
        |_, sub| assert!(sub.close()),
        |_, sub| assert!(sub.closer().close()),
    ];
    for close in ways {
        let (bus, sub) = one(Overflow::DropNewest, WakeUps::Direct);
        let mut task = Task::waiting(sub.recv_async());
        close(bus, &sub);
        assert_eq!(task.calls(), 1);
        assert!(matches!(task.poll(), Poll::Ready(Err(RecvError))));
    }
}

#[test]
fn p1_an_emit_calls_one_who_waits_and_nobody_else() {
    for (policy, way) in settings() {
        let (bus, sub) = one(policy, way);
        let mut idle = Task::new(sub.recv_async());
        bus.emit("a", 0).unwrap();
        assert!(idle.poll().is_ready());
        let mut first = Task::waiting(sub.recv_async());
        let mut second = Task::waiting(sub.recv_async());
        bus.emit("a", 1).unwrap();
        assert_eq!((first.calls(), second.calls(), idle.calls()), (1, 0, 0));
        assert!(first.poll().is_ready());
        bus.emit("b", 2).unwrap();
        assert_eq!((first.calls(), second.calls()), (1, 1));
        assert!(second.poll().is_ready());
        bus.emit("c", 3).unwrap();
        assert_eq!((first.calls(), second.calls()), (1, 1));
    }
}

#[test]
fn p14_two_pushes_call_two_who_wait() {
    for (policy, way) in settings() {
        let (bus, sub) = one(policy, way);
        let sharer = sub.share();
        let mut tasks = [
            Task::waiting(sub.recv_async()),
            Task::waiting(sharer.recv_async()),
        ];
        let mut batch = Task::waiting(sub.recv_async());
        bus.emit("a", 1).unwrap();
        bus.emit("b", 2).unwrap();
        for task in &mut tasks {
            assert_eq!(task.calls(), 1);
            assert!(task.poll().is_ready());
        }
        // And a batch calls as many as it has events for.
        let mut another = Task::waiting(sub.recv_async());
        let publisher = bus.publisher("c").unwrap();
        publisher.emit_batch([3, 4]).unwrap();
        assert_eq!((batch.calls(), another.calls()), (1, 1));
        assert!(batch.poll().is_ready());
        let left = usize::from(policy != Overflow::Latest);
        assert_eq!(sub.len(), left);
        assert_eq!(another.poll().is_ready(), left == 1);
    }
}

#[test]
fn p14_who_was_called_and_goes_calls_the_next() {
    for (policy, way) in settings() {
        let (bus, sub) = one(policy, way);
        let sharer = sub.share();
        let first = Task::waiting(sub.recv_async());
        let mut second = Task::waiting(sharer.recv_async());
        bus.emit("a", 1).unwrap();
        assert_eq!((first.calls(), second.calls()), (1, 0));
        drop(first);
        assert_eq!(second.calls(), 1);
        assert!(second.poll().is_ready());
        // One that was not called, or has taken, calls nobody.
        let third = Task::waiting(sub.recv_async());
        drop(second);
        let fourth = Task::waiting(sub.recv_async());
        drop(third);
        assert_eq!(fourth.calls(), 0);
    }
}

#[test]
fn p14_who_was_called_and_finds_nothing_waits_on() {
    let (bus, sub) = one(Overflow::DropNewest, WakeUps::Direct);
    let mut task = Task::waiting(sub.recv_async());
    bus.emit("a", 1).unwrap();
    assert_eq!(*sub.try_recv().unwrap().payload(), 1);
    assert!(task.poll().is_pending());
    bus.emit("a", 2).unwrap();
    assert_eq!(task.calls(), 2);
    assert!(task.poll().is_ready());
}

#[test]
fn p14_a_future_dropped_at_any_point_loses_nothing() {
    for (policy, way) in settings() {
        let (bus, sub) = one(policy, way);
        for n in 0..100 {
            let mut task = Task::new(sub.recv_async());
            match n % 4 {
                0 => assert!(task.poll().is_pending()),
                1 => bus.emit(format!("t{n}"), n).map(|_| ()).unwrap(),
                2 => {
                    // What the last one left is there.
                    assert!(
                        matches!(task.poll(), Poll::Ready(Ok(event)) if *event.payload() == n - 1)
                    );
                    task = Task::waiting(sub.recv_async());
                    bus.emit(format!("t{n}"), n).unwrap();
                    assert_eq!(task.calls(), 1);
                }
                _ => assert!(
                    matches!(task.poll(), Poll::Ready(Ok(event)) if *event.payload() == n - 1)
                ),
            }
            drop(task);
        }
        assert_eq!((sub.len(), sub.dropped(), sub.conflated()), (0, 0, 0));
        // As `select!` does.
        let given_up = block_on(or(async { sub.recv_async().await.ok() }, ready(None)));
        assert!(given_up.is_none());
    }
}

#[test]
fn p14_a_task_polled_by_another_task_is_called_there() {
    let (bus, sub) = one(Overflow::DropNewest, WakeUps::Direct);
    let mut task = Task::waiting(sub.recv_async());
    let before = std::mem::take(&mut task.calls);
    assert!(task.poll().is_pending());
    bus.emit("a", 1).unwrap();
    assert_eq!((before.count(), task.calls()), (0, 1));
}

#[test]
fn p14_futures_that_are_forgotten_keep_nothing_but_their_place() {
    let (bus, sub) = one(Overflow::DropNewest, WakeUps::Direct);
    let calls = Arc::new(Calls::default());
    let waker = Waker::from(Arc::clone(&calls));
    let mut forgotten = Box::pin(sub.recv_async());
    assert!(
        forgotten
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    std::mem::forget(forgotten);
    drop(waker);
    assert_eq!(Arc::strong_count(&calls), 2);
    let publisher = bus.publisher("a").unwrap();
    publisher.emit(1).unwrap();
    assert_eq!((calls.count(), Arc::strong_count(&calls)), (1, 1));
    drop(sub);
    publisher.emit(2).unwrap();
}

#[test]
fn p9_a_waker_goes_with_its_future_and_with_its_subscription() {
    let (_bus, sub) = one(Overflow::DropNewest, WakeUps::Direct);
    let mut task = Task::waiting(sub.recv_async());
    let calls = Arc::clone(&task.calls);
    assert_eq!(Arc::strong_count(&calls), 3);
    drop(task);
    assert_eq!(Arc::strong_count(&calls), 1);
    task = Task::waiting(sub.recv_async());
    let calls = Arc::clone(&task.calls);
    std::mem::forget(task);
    drop(sub);
    // The forgotten future's own, and this one.
    assert_eq!(Arc::strong_count(&calls), 2);
}

#[test]
fn p15_who_waits_is_polled_once() {
    let (bus, sub) = one(Overflow::DropNewest, WakeUps::Direct);
    let polls = AtomicUsize::new(0);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut receive = pin!(sub.recv_async());
            block_on(poll_fn(|context| {
                polls.fetch_add(1, Ordering::SeqCst);
                receive.as_mut().poll(context)
            }))
        });
        while polls.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(50)); // For polls that must not come.
        assert_eq!(polls.load(Ordering::SeqCst), 1);
        bus.emit("a", 1).unwrap();
        assert!(reader.join().unwrap().is_ok());
    });
    assert_eq!(polls.load(Ordering::SeqCst), 2);
}

#[test]
fn p11_a_waker_that_panics_strands_nobody() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("in a waker");
        }
    }
    let reports = Arc::new(Calls::default());
    let reported = Arc::clone(&reports);
    let bus = Bus::builder()
        .on_panic(move |panic| {
            assert_eq!(panic.place(), chanbus::PanicPlace::Waker);
            assert_eq!(panic.subscription(), Some("panel"));
            reported.0.fetch_add(1, Ordering::SeqCst);
        })
        .build()
        .unwrap();
    let bad = bus.subscription("a").name("panel").subscribe().unwrap();
    let good = bus.subscribe("a").unwrap();
    let waker = Waker::from(Arc::new(Panics));
    let mut waits = pin!(bad.recv_async());
    assert!(
        waits
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let beside = Task::waiting(bad.recv_async());
    let other = Task::waiting(good.recv_async());
    assert_eq!(bus.emit("a", 1).unwrap().delivered, 2);
    assert_eq!((reports.count(), other.calls(), beside.calls()), (1, 1, 0));
    bus.emit("a", 2).unwrap();
    assert_eq!(beside.calls(), 1);
    assert_eq!(bad.len(), 2);
}

#[test]
fn p10_a_waker_may_poll_its_future_there_and_then() {
    // An executor that runs its task inside of `wake`.
    struct Inline(std::sync::Mutex<Option<Subscription<u64>>>, Arc<Calls>);
    impl Wake for Inline {
        fn wake(self: Arc<Self>) {
            let sub = self.0.lock().unwrap().take().unwrap();
            let mut task = Task::new(sub.recv_async());
            assert!(task.poll().is_ready());
            self.1.0.fetch_add(1, Ordering::SeqCst);
            // It waits again.
            drop(task);
            let again = Waker::from(Arc::clone(&self));
            let mut waits = Box::pin(sub.recv_async());
            assert!(
                waits
                    .as_mut()
                    .poll(&mut Context::from_waker(&again))
                    .is_pending()
            );
        }
    }
    guarded(|| {
        let (bus, sub) = one(Overflow::DropNewest, WakeUps::Direct);
        let done = Arc::new(Calls::default());
        let inline = Arc::new(Inline(Some(sub.share()).into(), Arc::clone(&done)));
        let waker = Waker::from(inline);
        let mut waits = Box::pin(sub.recv_async());
        assert!(
            waits
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        bus.emit("a", 1).unwrap();
        assert_eq!((done.count(), sub.len()), (1, 0));
    });
}

#[test]
fn recv_batch_async_waits_for_one_and_takes_what_is_there() {
    for (policy, way) in settings() {
        let (bus, sub) = one(policy, way);
        let mut buffer = Vec::new();
        assert_eq!(block_on(sub.recv_batch_async(&mut buffer, 0)).unwrap(), 0);
        let mut task = Task::waiting(sub.recv_batch_async(&mut buffer, 3));
        for n in 0..5 {
            bus.emit(format!("t{n}"), n).unwrap();
        }
        assert_eq!(task.calls(), 1);
        assert!(matches!(task.poll(), Poll::Ready(Ok(3))));
        drop(task);
        assert_eq!(block_on(sub.recv_batch_async(&mut buffer, 3)).unwrap(), 2);
        assert!(buffer.iter().map(|event| *event.payload()).eq(0..5));
        bus.close();
        assert!(block_on(sub.recv_batch_async(&mut buffer, 3)).is_err());
        assert_eq!(buffer.len(), 5);
    }
}

#[test]
fn wait_for_async_listens_from_the_call_on_and_gives_up_its_place() {
    let bus = Bus::<u64>::new();
    let wanted = bus.wait_for_async("job.*", |event| *event.payload() == 7);
    assert_eq!(bus.subscriber_count(), 1);
    bus.emit("job.a", 7).unwrap();
    assert_eq!(block_on(wanted).unwrap().topic(), "job.a");
    assert_eq!(bus.subscriber_count(), 0);

    let mut late = Task::waiting(bus.wait_for_async("job.*", |event| *event.payload() == 7));
    bus.emit("job.a", 6).unwrap();
    bus.emit("other", 7).unwrap();
    bus.broadcast("other", 7).unwrap();
    assert_eq!(late.calls(), 0);
    bus.emit("job.b", 7).unwrap();
    assert_eq!(late.calls(), 1);
    assert!(matches!(late.poll(), Poll::Ready(Ok(event)) if event.topic() == "job.b"));
    assert_eq!(bus.subscriber_count(), 0);
    assert!(matches!(late.poll(), Poll::Ready(Err(WaitError::Closed))));

    drop(Task::waiting(bus.wait_for_async("a", |_| true)));
    assert_eq!(bus.subscriber_count(), 0);
    let refused = block_on(bus.wait_for_async("a..b", |_| true)).unwrap_err();
    assert!(
        matches!(refused, WaitError::Subscribe(SubscribeError::BadPattern(_))),
        "{refused:?}"
    );
    let mut ended = Task::waiting(bus.wait_for_async("a", |_| true));
    bus.close();
    assert!(matches!(ended.poll(), Poll::Ready(Err(WaitError::Closed))));
    let closed = block_on(bus.wait_for_async("a", |_| true)).unwrap_err();
    assert_eq!(closed, WaitError::Closed);
}

/// Takes by every means in turn, a thread's and a task's, until the end; how many.
fn take_by_all_means(sub: &Subscription<u64>, seed: u64, mut took: impl FnMut(u64)) -> u64 {
    let mut dice = Dice::new(seed);
    let mut count = 0;
    loop {
        let mut buffer = Vec::new();
        let ended = match dice.below(6) {
            0 => sub.recv().map(|event| buffer.push(event)).is_err(),
            1 => block_on(sub.recv_async())
                .map(|event| buffer.push(event))
                .is_err(),
            2 => block_on(sub.recv_batch_async(&mut buffer, 3)).is_err(),
            3 => sub.recv_batch(&mut buffer, 3).is_err(),
            4 => {
                // Given up after a poll or two.
                let mut task = Task::new(sub.recv_async());
                let polled = task.poll();
                if let Poll::Ready(Ok(event)) = polled {
                    buffer.push(event);
                }
                false
            }
            _ => {
                let both = block_on(zip(sub.recv_async(), sub.recv_async()));
                let ended = both.0.is_err() || both.1.is_err();
                buffer.extend([both.0, both.1].into_iter().flatten());
                // Either may have come first.
                buffer.sort_by_key(|event| *event.payload());
                ended
            }
        };
        count += buffer.len() as u64;
        buffer.iter().for_each(|event| took(*event.payload()));
        if ended && sub.try_recv().is_err_and(|error| error.is_closed()) {
            return count;
        }
        dice.dawdle();
    }
}

#[test]
fn p3_p5_p8_threads_and_tasks_share_queues_under_load() {
    for round in 0..soaked(30) {
        for (policy, way) in settings() {
            guarded(move || {
                let mut dice = Dice::new(round + 1);
                let bus = Bus::<u64>::builder().wake_ups(way).build().unwrap();
                let sub = bus
                    .subscription("**")
                    .capacity(1 + dice.below(4) as usize)
                    .overflow(policy)
                    .subscribe()
                    .unwrap();
                let consumers: Vec<_> = (0..3)
                    .map(|n| {
                        let sub = sub.share();
                        thread::spawn(move || {
                            // Each sees one publisher's events in order; `Latest` orders by topic.
                            let mut last = [None; 2];
                            take_by_all_means(&sub, round * 10 + n + 1, |payload| {
                                let last = &mut last[(payload % 2) as usize];
                                assert!(last.replace(payload) < Some(payload));
                            })
                        })
                    })
                    .collect();
                let publishers: Vec<_> = (0..2_u64)
                    .map(|n| {
                        let publisher = bus.publisher(format!("topic.{n}")).unwrap();
                        thread::spawn(move || {
                            let mut dice = Dice::new(round * 3 + n + 1);
                            for k in 0..200 {
                                publisher.emit(2 * k + n).unwrap();
                                dice.dawdle();
                            }
                        })
                    })
                    .collect();
                publishers
                    .into_iter()
                    .for_each(|publisher| publisher.join().unwrap());
                bus.close();
                let taken: u64 = consumers
                    .into_iter()
                    .map(|consumer| consumer.join().unwrap())
                    .sum();
                assert_eq!(taken, sub.received());
                assert_eq!(sub.matched(), 400);
                assert_eq!(taken + sub.dropped() + sub.conflated(), 400);
            });
        }
    }
}

#[test]
fn p5_a_close_in_the_middle_leaves_no_task_behind() {
    for round in 0..soaked(100) {
        for (policy, way) in settings() {
            guarded(move || {
                let bus = Bus::<u64>::builder().wake_ups(way).build().unwrap();
                let sub = bus
                    .subscription("a")
                    .capacity(2)
                    .overflow(policy)
                    .subscribe()
                    .unwrap();
                let consumers: Vec<_> = (0..3)
                    .map(|n| {
                        let sub = sub.share();
                        thread::spawn(move || take_by_all_means(&sub, round + n + 1, |_| {}))
                    })
                    .collect();
                let publisher = bus.publisher("a").unwrap();
                let emitting = thread::spawn(move || {
                    (0..1_000).all(|n| !matches!(publisher.emit(n), Err(EmitError::Closed(_))))
                });
                Dice::new(round + 1).dawdle();
                bus.close();
                emitting.join().unwrap();
                let taken: u64 = consumers
                    .into_iter()
                    .map(|consumer| consumer.join().unwrap())
                    .sum();
                assert_eq!(taken, sub.received());
                assert_eq!(sub.matched(), taken + sub.dropped() + sub.conflated());
            });
        }
    }
}
