//! Subscriptions as streams, under several runtimes and none.
#![cfg(feature = "stream")]
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use chanbus::{
    Beat, Bus, EventStream, GapStream, HeartbeatStream, Overflow, PanicPlace, Subscription,
};
#[cfg(target_os = "linux")]
use common::spawn_asleep;
use common::{Dice, POLICIES, guarded, soaked};
use futures_core::stream::FusedStream;
use futures_lite::future::{block_on, poll_once, zip};
use futures_lite::{Stream, StreamExt};

fn payloads(events: impl Stream<Item = chanbus::Event<u64>>) -> impl Future<Output = Vec<u64>> {
    events.map(|event| *event.payload()).collect()
}

#[test]
fn c9_a_subscription_is_iterated_in_async_code() {
    let bus = Bus::new();
    let sub = bus.subscribe("n").unwrap();
    let borrowed = sub.stream();
    bus.publisher("n").unwrap().emit_batch(0..10).unwrap();
    bus.close();
    block_on(async {
        // By the share first, then by the subscription itself.
        assert_eq!(payloads(borrowed.take(4)).await, [0, 1, 2, 3]);
        assert_eq!(payloads(sub.into_stream()).await, [4, 5, 6, 7, 8, 9]);
    });
}

/// A trap: iteration that ends, or differs, in one of its two forms (after a close, across an overflow).
#[test]
fn p8_a_stream_yields_what_an_iterator_does_and_ends() {
    for policy in POLICIES {
        let bus = Bus::new();
        let [sync, tasks] = [(); 2].map(|()| {
            let sub = bus.subscription("*").capacity(3).overflow(policy);
            sub.subscribe().unwrap()
        });
        for n in 0..8_u64 {
            bus.emit(format!("t{n}"), n).unwrap();
        }
        bus.close();
        let expected: Vec<u64> = sync.iter().map(|event| *event.payload()).collect();
        let mut stream = tasks.into_stream();
        assert!(!stream.is_terminated());
        assert_eq!(block_on(payloads(&mut stream)), expected);
        assert_eq!(stream.subscription().dropped(), 5);
        for _ in 0..3 {
            assert!(stream.is_terminated());
            assert!(block_on(stream.next()).is_none());
        }
    }
}

#[test]
fn p7_a_stream_goes_on_across_an_overflow() {
    let bus = Bus::new();
    let sub = bus.subscription("n").capacity(2).subscribe().unwrap();
    let mut stream = sub.into_stream();
    let publisher = bus.publisher("n").unwrap();
    block_on(async {
        publisher.emit_batch(0..5).unwrap();
        for expected in [0, 1] {
            assert_eq!(*stream.next().await.unwrap().payload(), expected);
        }
        assert!(poll_once(stream.next()).await.is_none());
        publisher.emit(5).unwrap();
        assert_eq!(*stream.next().await.unwrap().payload(), 5);
        assert_eq!(stream.subscription().missed(), 3);
    });
}

#[test]
fn streams_are_what_runtimes_ask_for() {
    fn spawnable<S: Stream + FusedStream + Unpin + Send + 'static>() {}
    fn shared<S: Sync>() {}
    spawnable::<EventStream<u64>>();
    spawnable::<GapStream<u64>>();
    // Whatever the timer is.
    type Unmovable = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    spawnable::<HeartbeatStream<u64, fn() -> Unmovable>>();
    shared::<EventStream<u64>>();
}

#[test]
fn counters_guard_and_closer_work_through_a_stream() {
    let bus = Bus::new();
    let stream = bus.subscription("n").name("panel").capacity(2);
    let stream = stream.filter(|event| *event.payload() != 1);
    let mut stream = stream.subscribe().unwrap().into_stream();
    bus.publisher("n").unwrap().emit_batch(0..5_u64).unwrap();
    let sub = stream.subscription();
    assert_eq!((sub.received(), sub.dropped(), sub.filtered()), (2, 2, 1));
    assert_eq!((sub.len(), sub.name()), (2, Some("panel")));
    let closer = sub.closer();
    assert!(block_on(stream.next()).is_some());
    assert!(closer.close());
    assert!(block_on(stream.next()).is_some() && block_on(stream.next()).is_none());
    assert_eq!(bus.subscriber_count(), 0);
    // Dropping one unsubscribes.
    let stream = bus.subscribe("n").unwrap().into_stream();
    assert_eq!(bus.subscriber_count(), 1);
    drop(stream);
    assert_eq!(bus.subscriber_count(), 0);
}

#[test]
fn moving_between_threads_and_tasks_loses_nothing() {
    for policy in POLICIES {
        let bus = Bus::new();
        let mut sub = bus.subscription("*").overflow(policy).subscribe().unwrap();
        let mut got = Vec::new();
        for n in 0..60_u64 {
            bus.emit(format!("t{n}"), n).unwrap();
            if n % 3 > 0 {
                continue;
            }
            let mut stream = sub.into_stream();
            got.push(*block_on(stream.next()).unwrap().payload());
            // Asleep, and called, on the way back.
            let waits = block_on(async {
                while let Some(Some(event)) = poll_once(stream.next()).await {
                    got.push(*event.payload());
                }
                poll_once(stream.next()).await.is_none()
            });
            assert!(waits);
            bus.emit(format!("u{n}"), 1_000 + n).unwrap();
            sub = stream.into_subscription();
            assert_eq!(*sub.recv().unwrap().payload(), 1_000 + n);
        }
        got.extend(sub.try_iter().map(|event| *event.payload()));
        assert!(got.into_iter().eq(0..60));
        assert_eq!(sub.dropped(), 0);
    }
}

/// What beats say, in words.
fn told<B: Stream<Item = Beat<u64>> + Unpin>(beats: &mut B) -> Vec<String> {
    let next = |beats: &mut B| block_on(poll_once(beats.next())).flatten();
    let all = std::iter::from_fn(|| next(beats));
    all.map(|beat| match beat {
        Beat::Event(event) => event.payload().to_string(),
        Beat::Missed(count) => format!("{count} missed"),
        Beat::Keepalive => "idle".to_owned(),
    })
    .collect()
}

#[test]
fn p7_gaps_come_at_their_places_and_add_up() {
    for (policy, expected) in [
        (Overflow::DropNewest, ["0", "1", "3 missed"].as_slice()),
        (Overflow::DropOldest, &["3 missed", "3", "4"]),
        (Overflow::Latest, &["4"]),
    ] {
        let bus = Bus::new();
        let sub = bus.subscription("n").capacity(2).overflow(policy);
        let mut beats = sub.subscribe().unwrap().into_stream().with_gaps();
        bus.publisher("n").unwrap().emit_batch(0..5).unwrap();
        assert_eq!(told(&mut beats), expected, "{policy:?}");
        bus.emit("n", 9).unwrap();
        assert_eq!(told(&mut beats), ["9"]);
        // What is not reported yet is due before the end.
        bus.publisher("n").unwrap().emit_batch(10..14).unwrap();
        bus.close();
        let said = told(&mut beats);
        assert_eq!(
            said.iter().any(|beat| beat == "2 missed"),
            policy != Overflow::Latest
        );
        assert!(beats.is_terminated());
        assert_eq!(beats.subscription().missed(), 0);
    }
}

#[test]
fn p7_replayed_events_come_before_gaps() {
    let order = |overflow| {
        let bus = Bus::builder().history(10).build().unwrap();
        bus.publisher("n").unwrap().emit_batch(0..2).unwrap();
        let sub = bus.subscription("n").capacity(1).replay(2);
        let sub = sub.overflow(overflow).subscribe().unwrap();
        bus.publisher("n").unwrap().emit_batch(2..4).unwrap();
        told(&mut sub.into_stream().with_gaps())
    };
    assert_eq!(order(Overflow::DropNewest), ["0", "1", "2", "1 missed"]);
    assert_eq!(order(Overflow::DropOldest), ["0", "1", "1 missed", "3"]);
}

#[test]
fn p14_who_is_called_and_yields_a_gap_leaves_the_event_to_another() {
    let bus = Bus::new();
    let sub = bus
        .subscription("n")
        .capacity(1)
        .overflow(Overflow::DropOldest);
    let sub = sub.subscribe().unwrap();
    let mut beats = sub.stream().with_gaps();
    let mut other = sub.stream();
    block_on(async {
        assert!(poll_once(beats.next()).await.is_none());
        let (mut calls, mut waiting) = (0, Box::pin(other.next()));
        let waits = poll_fn(|context| {
            calls += 1;
            if calls == 1 {
                assert!(waiting.as_mut().poll(context).is_pending());
                // Each emit calls one of them.
                bus.emit("n", 1).unwrap();
                return Poll::Pending;
            }
            Poll::Ready(())
        });
        // The first call is for the beats, which go away with no event.
        let goes = async {
            bus.emit("n", 2).unwrap();
            assert!(matches!(beats.next().await, Some(Beat::Missed(1))));
            drop(beats);
        };
        zip(waits, goes).await;
        assert_eq!(*waiting.await.unwrap().payload(), 2);
    });
}

/// A timer that runs out when it is told to.
#[derive(Clone, Default)]
struct Bell {
    begun: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
    rung: Arc<AtomicUsize>,
}

struct Sleep(Bell);

impl Drop for Sleep {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<()> {
        let rung = &self.0.rung;
        let took = rung.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        took.map_or(Poll::Pending, |_| Poll::Ready(()))
    }
}

#[test]
fn c15_keepalives_come_when_nothing_else_does() {
    let bus = Bus::new();
    let bell = Bell::default();
    let timer = bell.clone();
    let start = move || {
        timer.begun.fetch_add(1, Ordering::SeqCst);
        Sleep(timer.clone())
    };
    let sub = bus.subscription("n").capacity(1).subscribe().unwrap();
    let mut beats = sub.into_stream().with_gaps().keepalive(start);
    let count = |of: &AtomicUsize| of.load(Ordering::SeqCst);
    let state = || (count(&bell.begun), count(&bell.dropped));
    // No timer while there is something to say.
    bus.publisher("n").unwrap().emit_batch(0..2).unwrap();
    assert!(matches!(block_on(beats.next()), Some(Beat::Event(_))));
    assert!(matches!(block_on(beats.next()), Some(Beat::Missed(1))));
    assert_eq!(state(), (0, 0));
    // One that goes on over several polls.
    assert!(block_on(poll_once(beats.next())).is_none());
    assert!(block_on(poll_once(beats.next())).is_none());
    assert_eq!(state(), (1, 0));
    bell.rung.store(1, Ordering::SeqCst);
    assert!(matches!(block_on(beats.next()), Some(Beat::Keepalive)));
    assert_eq!(state(), (1, 1));
    // The next one begins anew, and an event ends it.
    assert!(block_on(poll_once(beats.next())).is_none());
    bus.emit("n", 2).unwrap();
    assert!(matches!(block_on(beats.next()), Some(Beat::Event(_))));
    assert_eq!(state(), (2, 2));
    // The end has no keepalives.
    bus.close();
    bell.rung.store(1, Ordering::SeqCst);
    assert!(block_on(beats.next()).is_none() && block_on(beats.next()).is_none());
    assert!(beats.is_terminated());
}

/// Panics when it is dropped, or when what it yields is.
struct Grudge;

impl Drop for Grudge {
    fn drop(&mut self) {
        panic!("no way to go");
    }
}

#[test]
fn p11_a_timer_that_panics_when_it_is_dropped_takes_nothing_along() {
    let reports = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reports);
    let bus = Bus::builder().on_panic(move |panic| {
        assert_eq!(panic.place(), PanicPlace::Destructor);
        assert_eq!(panic.message(), "no way to go");
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let bus = bus.build().unwrap();
    let sub = bus.subscription("n").capacity(1).subscribe().unwrap();
    let rung = Arc::new(AtomicUsize::new(0));
    let timer = Arc::clone(&rung);
    let start = move || {
        let (rung, grudge) = (Arc::clone(&timer), Grudge);
        poll_fn(move |_| {
            let _ = &grudge;
            let took = rung.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            took.map_or(Poll::Pending, |_| Poll::Ready(Grudge))
        })
    };
    let mut beats = sub.into_stream().with_gaps().keepalive(start);
    assert!(look(beats.next()).is_none());
    bus.publisher("n").unwrap().emit_batch(0..2_u64).unwrap();
    // One panic of the timer, for the event.
    assert_eq!(told(&mut beats), ["0", "1 missed"]);
    assert_eq!(reports.load(Ordering::SeqCst), 1);
    // `told` has begun another wait. A gap alone: the event that kept the place is taken elsewhere.
    bus.publisher("n").unwrap().emit_batch(2..4).unwrap();
    assert!(beats.subscription().try_recv().is_ok());
    assert!(matches!(look(beats.next()), Some(Some(Beat::Missed(1)))));
    assert_eq!(reports.load(Ordering::SeqCst), 2);
    // A keepalive: of what the timer yields, and of itself.
    rung.store(1, Ordering::SeqCst);
    assert!(matches!(look(beats.next()), Some(Some(Beat::Keepalive))));
    assert_eq!(reports.load(Ordering::SeqCst), 4);
    // And the end.
    assert!(look(beats.next()).is_none());
    bus.close();
    assert!(matches!(look(beats.next()), Some(None)));
    assert_eq!(reports.load(Ordering::SeqCst), 5);
}

#[test]
fn p11_a_timer_that_panicked_is_begun_anew() {
    let bus = Bus::<u64>::new();
    let begun = Arc::new(AtomicUsize::new(0));
    let times = Arc::clone(&begun);
    let start = move || {
        let nth = times.fetch_add(1, Ordering::SeqCst);
        assert!(nth != 1, "not begun");
        async move { assert!(nth != 0, "not waited for") }
    };
    let stream = bus.subscribe("n").unwrap().into_stream();
    let mut beats = stream.with_gaps().keepalive(start);
    for expected in ["not waited for", "not begun"] {
        let looked = catch_unwind(AssertUnwindSafe(|| look(beats.next())));
        let thrown = looked.map(|_| ()).unwrap_err();
        assert_eq!(thrown.downcast_ref::<&str>(), Some(&expected));
    }
    assert!(matches!(look(beats.next()), Some(Some(Beat::Keepalive))));
    assert_eq!(begun.load(Ordering::SeqCst), 3);
    bus.emit("n", 1).unwrap();
    assert!(matches!(look(beats.next()), Some(Some(Beat::Event(_)))));
}

/// A timer that panics, and panics again when it is dropped for that, ends no process.
#[test]
fn p11_a_timer_that_panics_twice_is_begun_anew() {
    let bus = Bus::<u64>::new();
    let mut first = true;
    let start = move || {
        let grudge = std::mem::take(&mut first).then(|| Grudge);
        poll_fn(move |_| match &grudge {
            Some(_) => panic!("not waited for"),
            None => Poll::Ready(()),
        })
    };
    let stream = bus.subscribe("n").unwrap().into_stream();
    let mut beats = stream.with_gaps().keepalive(start);
    let looked = catch_unwind(AssertUnwindSafe(|| look(beats.next())));
    let thrown = looked.map(|_| ()).unwrap_err();
    assert_eq!(thrown.downcast_ref::<&str>(), Some(&"not waited for"));
    assert!(matches!(look(beats.next()), Some(Some(Beat::Keepalive))));
}

#[test]
fn p12_a_keepalive_needs_no_event() {
    let bus: Bus<u64> = Bus::new();
    let stream = bus.subscribe("n").unwrap().into_stream();
    let mut beats = stream.with_gaps().keepalive(|| ready(()));
    for _ in 0..3 {
        assert!(matches!(block_on(beats.next()), Some(Beat::Keepalive)));
    }
    let never = bus.subscribe("n").unwrap().into_stream().with_gaps();
    let mut never = never.keepalive(pending::<()>);
    assert!(block_on(poll_once(never.next())).is_none());
}

/// Some publishers' threads and some tasks that share a subscription; every event once.
async fn crowd<Spawned, Done>(events: u64, spawn: impl Fn(EventStream<u64>) -> Spawned, join: Done)
where
    Done: AsyncFn(Spawned) -> Vec<u64>,
{
    let bus = Bus::builder()
        .capacity(2 * events as usize)
        .build()
        .unwrap();
    let sub = bus.subscribe("**").unwrap();
    let tasks: Vec<_> = (0..3).map(|_| spawn(sub.stream())).collect();
    let publishers = [0, 1].map(|n| {
        let publisher = bus.publisher(format!("topic.{n}")).unwrap();
        thread::spawn(move || {
            let mut dice = Dice::new(n + 1);
            for k in 0..events {
                publisher.emit(2 * k + n).unwrap();
                dice.dawdle();
            }
        })
    });
    // This task comes and goes, and takes what it finds.
    let mut mine = Vec::new();
    for _ in 0..50 {
        let mut stream = sub.stream();
        let found = poll_once(stream.next()).await.flatten();
        mine.extend(found.map(|event| *event.payload()));
        thread::yield_now();
    }
    for publisher in publishers {
        publisher.join().unwrap();
    }
    bus.close();
    let mut all = mine;
    for task in tasks {
        let part = join(task).await;
        // Each publisher's in order, whoever got them.
        for n in 0..2 {
            assert!(part.iter().filter(|payload| *payload % 2 == n).is_sorted());
        }
        all.extend(part);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(0..2 * events));
    assert_eq!(sub.dropped(), 0);
}

#[test]
fn p3_p4_tasks_of_tokio_share_a_subscription() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    guarded(move || {
        for _ in 0..soaked(10) {
            runtime.block_on(crowd(
                500,
                |stream| tokio::spawn(payloads(stream)),
                async |task: tokio::task::JoinHandle<_>| task.await.unwrap(),
            ));
        }
    });
}

#[test]
fn p3_p4_tasks_of_smol_share_a_subscription() {
    guarded(|| {
        for _ in 0..soaked(10) {
            smol::block_on(crowd(
                500,
                |stream| smol::spawn(payloads(stream)),
                async |task: smol::Task<_>| task.await,
            ));
        }
    });
}

#[test]
fn p3_p4_threads_that_block_on_share_a_subscription() {
    guarded(|| {
        for _ in 0..soaked(10) {
            block_on(crowd(
                500,
                |stream| thread::spawn(|| block_on(payloads(stream))),
                async |thread: thread::JoinHandle<_>| thread.join().unwrap(),
            ));
        }
    });
}

#[test]
fn p14_a_select_loses_nothing() {
    // Both arms at once, the other one dropped, over and over.
    let bus = Bus::new();
    let (left, right): (Subscription<u64>, _) = (
        bus.subscribe("left").unwrap(),
        bus.subscribe("right").unwrap(),
    );
    let emitting = thread::spawn(move || {
        for n in 0..1_000_u64 {
            // A queue that is full waits for room.
            let topic = if n % 3 == 0 { "left" } else { "right" };
            let patience = std::time::Duration::from_secs(30);
            bus.emit_within(topic, n, patience).unwrap();
        }
    });
    let got = guarded(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        runtime.block_on(async move {
            let mut got = Vec::new();
            let (mut left, mut right) = (left.into_stream(), right.into_stream());
            loop {
                tokio::select! {
                    Some(event) = left.next() => got.push(*event.payload()),
                    Some(event) = right.next() => got.push(*event.payload()),
                    else => return got,
                }
            }
        })
    });
    emitting.join().unwrap();
    assert_eq!(got.len(), 1_000);
}

#[cfg(feature = "tokio")]
#[test]
fn c15_keepalives_by_tokios_clock() {
    use std::time::Duration;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        const IDLE: Duration = Duration::from_secs(5);
        let bus = Bus::new();
        let mut beats = bus.subscribe("n").unwrap().into_stream().heartbeats(IDLE);
        let began = tokio::time::Instant::now();
        for n in 1..=3 {
            assert!(matches!(beats.next().await, Some(Beat::Keepalive)));
            assert!(began.elapsed() >= n * IDLE && began.elapsed() < n * IDLE + IDLE / 2);
        }
        tokio::time::sleep(3 * IDLE).await;
        // The time begins when somebody waits.
        bus.emit("n", 1_u64).unwrap();
        assert!(matches!(beats.next().await, Some(Beat::Event(_))));
        let began = tokio::time::Instant::now();
        assert!(matches!(beats.next().await, Some(Beat::Keepalive)));
        assert!(began.elapsed() >= IDLE);
    });
}

#[cfg(feature = "tokio")]
#[test]
fn c15_keepalives_go_from_one_runtime_of_tokios_to_another() {
    use std::time::Duration;
    use tokio::time::{Instant, advance};

    const IDLE: Duration = Duration::from_secs(5);
    let runtime = || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        { runtime }
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    };
    guarded(move || {
        let bus = Bus::new();
        let mut beats = bus.subscribe("n").unwrap().into_stream().heartbeats(IDLE);
        let second = runtime();
        // From one that ends.
        let first = runtime();
        assert!(first.block_on(async { look(beats.next()) }).is_none());
        drop(first);
        assert!(matches!(
            second.block_on(beats.next()),
            Some(Beat::Keepalive)
        ));
        // From one that nobody runs, and whose clock is far ahead.
        let third = runtime();
        third.block_on(async {
            advance(1_000 * IDLE).await;
            assert!(look(beats.next()).is_none());
        });
        second.block_on(async {
            let began = Instant::now();
            assert!(matches!(beats.next().await, Some(Beat::Keepalive)));
            assert!(began.elapsed() < 2 * IDLE);
        });
        // An idle time is not longer for being looked at.
        second.block_on(async {
            let began = Instant::now();
            for _ in 0..4 {
                assert!(look(beats.next()).is_none());
                advance(IDLE / 5).await;
            }
            assert!(matches!(beats.next().await, Some(Beat::Keepalive)));
            assert!(began.elapsed() >= IDLE && began.elapsed() < IDLE + IDLE / 5);
        });
        // Outside of all of them it says what there is to say.
        let looked = catch_unwind(AssertUnwindSafe(|| look(beats.next()).is_none()));
        assert!(looked.is_err());
        bus.emit("n", 1_u64).unwrap();
        assert!(matches!(look(beats.next()), Some(Some(Beat::Event(_)))));
        bus.close();
        assert!(matches!(look(beats.next()), Some(None)));
    });
}

/// Polls a future once, by a task of its own that nobody runs again.
fn look<F: Future>(future: F) -> Option<F::Output> {
    look_as(Waker::noop(), future)
}

/// Polls a future once.
fn look_as<F: Future>(waker: &Waker, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(waker)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A task that counts its calls.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn p1_who_waits_at_any_kind_of_stream_is_called_for_the_next_event() {
    fn is_called(bus: &Bus<u64>, mut stream: impl FusedStream + Unpin) {
        let calls = Arc::new(Calls::default());
        let waker = Waker::from(Arc::clone(&calls));
        assert!(!stream.is_terminated());
        {
            let mut next = Box::pin(stream.next());
            assert!(look_as(&waker, &mut next).is_none());
            bus.emit("n", 1).unwrap();
            assert_eq!(calls.0.load(Ordering::SeqCst), 1);
            assert!(look_as(&waker, &mut next).flatten().is_some());
        }
        bus.close();
        assert!(look(stream.next()).unwrap().is_none());
        assert!(stream.is_terminated());
    }

    let stream = || {
        let bus = Bus::<u64>::new();
        let stream = bus.subscribe("n").unwrap().into_stream();
        (bus, stream)
    };
    let (bus, events) = stream();
    is_called(&bus, events);
    let (bus, events) = stream();
    is_called(&bus, events.with_gaps());
    let (bus, events) = stream();
    is_called(&bus, events.with_gaps().keepalive(pending::<()>));
}
#[test]
fn p14_a_next_that_is_dropped_keeps_no_waker() {
    let bus = Bus::<u64>::new();
    let sub = bus.subscribe("n").unwrap();
    let mut events = sub.stream();
    let mut gaps = sub.stream().with_gaps();
    let mut beats = sub.stream().with_gaps().keepalive(pending::<()>);
    let calls = Arc::new(Calls::default());
    let waker = Waker::from(Arc::clone(&calls));
    let nobody_else = || assert_eq!(Arc::strong_count(&calls), 2);
    for n in 0..3 {
        assert!(look_as(&waker, events.next()).is_none());
        nobody_else();
        // On a `&mut` it is the stream's own as well, though a `StreamExt` is imported.
        let by_reference = &mut events;
        assert!(look_as(&waker, by_reference.next()).is_none());
        nobody_else();
        assert!(look_as(&waker, gaps.next()).is_none());
        nobody_else();
        assert!(look_as(&waker, beats.next()).is_none());
        nobody_else();
        // What comes is there for the next time, which waits as the first time.
        bus.emit("n", n).unwrap();
        assert_eq!(calls.0.load(Ordering::SeqCst), 0);
        assert!(look_as(&waker, events.next()).is_some());
        nobody_else();
    }
    // One that gives up after its call.
    let mut called = Box::pin(events.next());
    assert!(look_as(&waker, &mut called).is_none());
    bus.emit("n", 3).unwrap();
    drop(called);
    assert_eq!(calls.0.load(Ordering::SeqCst), 1);
    nobody_else();
}

#[test]
fn p14_a_next_that_is_forgotten_keeps_its_place_until_its_stream_is_polled_or_dropped() {
    let bus = Bus::<u64>::new();
    let sub = bus.subscribe("n").unwrap();
    let calls = Arc::new(Calls::default());
    let waker = Waker::from(Arc::clone(&calls));
    let forget = |stream: &mut EventStream<u64>| {
        let mut next = Box::pin(stream.next());
        assert!(look_as(&waker, &mut next).is_none());
        std::mem::forget(next);
        assert_eq!(Arc::strong_count(&calls), 3);
    };
    let mut polled = sub.stream();
    forget(&mut polled);
    assert!(look(polled.next()).is_none());
    assert_eq!(Arc::strong_count(&calls), 2);
    let mut dropped = sub.stream();
    forget(&mut dropped);
    drop(dropped);
    assert_eq!(Arc::strong_count(&calls), 2);
}

#[test]
fn p9_a_waker_that_was_left_behind_goes_with_its_subscription_though_a_publisher_knows_it() {
    let bus = Bus::<u64>::new();
    let (sub, publisher) = (bus.subscribe("n").unwrap(), bus.publisher("n").unwrap());
    publisher.emit(1).unwrap();
    assert!(sub.try_recv().is_ok());
    let calls = Arc::new(Calls::default());
    let waker = Waker::from(Arc::clone(&calls));
    let mut forgotten = Box::pin(sub.recv_async());
    assert!(look_as(&waker, &mut forgotten).is_none());
    std::mem::forget(forgotten);
    drop(waker);
    assert_eq!(Arc::strong_count(&calls), 2);
    drop(sub);
    assert_eq!(Arc::strong_count(&calls), 1);
}

#[cfg(feature = "tokio")]
#[test]
fn c15_a_timer_tells_how_long_it_waits() {
    let idle = std::time::Duration::from_secs(7);
    assert_eq!(chanbus::TokioTimer::new(idle).idle(), idle);
}
#[test]
fn a_next_that_was_ready_takes_the_item_after_that() {
    let bus = Bus::<u64>::new();
    let mut stream = bus.subscribe("n").unwrap().into_stream();
    bus.publisher("n").unwrap().emit_batch(0..2).unwrap();
    bus.close();
    let mut next = Box::pin(stream.next());
    for expected in [Some(0), Some(1), None] {
        let event = look(&mut next).unwrap();
        assert_eq!(event.map(|event| *event.payload()), expected);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn p14_a_next_that_is_dropped_holds_up_nobody() {
    guarded(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("n").unwrap();
        let mut first = sub.stream();
        let mut gaps = sub.stream().with_gaps();
        let mut beats = sub.stream().with_gaps().keepalive(pending::<()>);
        for n in 0..10_u64 {
            // They look and go away.
            assert!(look(first.next()).is_none());
            assert!(look(gaps.next()).is_none());
            assert!(look(beats.next()).is_none());
            // This one goes after it was called.
            let mut called = Box::pin(first.next());
            assert!(look(&mut called).is_none());
            let mut second = sub.stream();
            let waits = spawn_asleep(move || block_on(second.next()));
            bus.emit("n", n).unwrap();
            drop(called);
            assert_eq!(*waits.join().unwrap().unwrap().payload(), n);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn p14_who_yields_a_keepalive_does_not_wait() {
    guarded(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("n").unwrap();
        let mut beats = sub.stream().with_gaps().keepalive(|| ready(()));
        let mut other = sub.into_stream();
        // By the trait, not by `next`, which leaves anyhow.
        let beat = poll_fn(|context| std::pin::Pin::new(&mut beats).poll_next(context));
        assert!(matches!(look(beat), Some(Some(Beat::Keepalive))));
        let waits = spawn_asleep(move || block_on(other.next()));
        bus.emit("n", 1_u64).unwrap();
        assert_eq!(*waits.join().unwrap().unwrap().payload(), 1);
    });
}

#[test]
fn p8_a_stream_that_ended_becomes_a_subscription_that_has() {
    let bus = Bus::<u64>::new();
    let mut stream = bus.subscribe("n").unwrap().into_stream();
    bus.close();
    assert!(block_on(stream.next()).is_none());
    let sub = stream.into_subscription();
    assert!(sub.recv().is_err());
    assert!(sub.into_stream().is_terminated());
}
