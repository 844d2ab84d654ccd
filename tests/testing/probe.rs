//! What is expected, and comes, or does not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use chanbus::{Bus, Probe, TestTime, UnmetReason};
use futures_lite::future::{block_on, pending, poll_once};

use crate::common::{HANG, guarded};

fn probed() -> (Bus<u32>, Probe<u32>) {
    let bus = Bus::new();
    let probe = Probe::on(&bus).unwrap();
    (bus, probe)
}

#[test]
fn an_event_answers_one_expectation_at_most_and_the_oldest_comes_first() {
    let (bus, probe) = probed();
    bus.publisher("row").unwrap().emit_batch([1, 2, 3]).unwrap();
    assert_eq!(*probe.expect("row").now().payload(), 1);
    // One in the middle leaves those before it.
    let third = probe.expect("row").where_(|row| *row.payload() == 3);
    assert_eq!(*third.now().payload(), 3);
    assert_eq!(*probe.expect("row").now().payload(), 2);
    assert!(probe.expect("row").try_now().is_err());
    probe.expect_none("**");
}

#[test]
fn what_was_emitted_before_the_probe_does_not_count() {
    let bus = Bus::new();
    bus.emit("a", 1).unwrap();
    let probe = Probe::on(&bus).unwrap();
    probe.expect_none("a");
}

#[test]
fn a_failed_expectation_takes_nothing() {
    let (bus, probe) = probed();
    bus.emit("a", 1).unwrap();
    let unmet = probe.expect("a").count(2).try_now().unwrap_err();
    assert_eq!((unmet.met, unmet.wanted), (1, 2));
    assert_eq!(unmet.reason, UnmetReason::Missing);
    assert!(probe.expect_in_order(["a", "b"]).try_now().is_err());
    assert!(probe.expect_each(["a", "b"]).try_now().is_err());
    probe.expect("a").now();
}

#[test]
fn a_wait_ends_when_the_event_comes() {
    let (bus, probe) = probed();
    let thread = thread::spawn(move || {
        for n in 0..100 {
            bus.emit("a", n).unwrap();
            thread::yield_now();
        }
    });
    let events = probe.expect("a").count(100).within(HANG);
    assert!(events.iter().map(|event| *event.payload()).eq(0..100));
    thread.join().unwrap();
}

#[test]
fn a_wait_ends_when_the_bus_closes() {
    guarded(|| {
        let (bus, probe) = probed();
        let thread = thread::spawn(move || drop(bus));
        let unmet = probe.expect("a").try_within(HANG * 10).unwrap_err();
        assert_eq!(unmet.reason, UnmetReason::Closed);
        thread.join().unwrap();
        // But what came before is there.
        let (bus, probe) = probed();
        bus.emit("a", 1).unwrap();
        drop(bus);
        probe.expect("a").within(HANG);
    });
}

#[test]
fn a_time_that_runs_out_is_an_error_and_one_that_no_clock_can_hold_does_not() {
    let (bus, probe) = probed();
    let unmet = probe.expect("a").try_within(Duration::from_millis(1));
    assert_eq!(unmet.unwrap_err().reason, UnmetReason::TimedOut);
    bus.emit("a", 1).unwrap();
    probe.expect("a").within(Duration::MAX);
}

#[test]
fn in_order_others_may_come_between_and_none_before_the_last() {
    let (bus, probe) = probed();
    for topic in ["b", "a", "x", "b", "a"] {
        bus.emit(topic, 0).unwrap();
    }
    let events = probe.expect_in_order(["a", "b", "a"]).now();
    let topics: Vec<_> = events.iter().map(|event| event.topic().as_str()).collect();
    assert_eq!(topics, ["a", "b", "a"]);
    assert!(probe.expect_in_order(["x", "b"]).try_now().is_err());
    // The others are there still.
    probe.expect_each(["x", "b"]).now();
}

#[test]
fn in_any_order_each_finds_its_own() {
    let (bus, probe) = probed();
    bus.emit("order.paid", 1).unwrap();
    bus.emit("order.placed", 2).unwrap();
    let events = probe.expect_each(["order.*", "order.paid"]).now();
    let payloads: Vec<_> = events.iter().map(|event| *event.payload()).collect();
    assert_eq!(
        payloads,
        [2, 1],
        "in the order in which they were asked for"
    );
    let _ = bus.emit("a", 1).unwrap();
    let twice = probe.expect_each(["a", "a"]);
    assert_eq!(twice.try_now().unwrap_err().met, 1, "each event once");
}

#[test]
fn several_patterns_are_alternatives() {
    let (bus, probe) = probed();
    bus.emit("b", 1).unwrap();
    bus.emit("c", 2).unwrap();
    probe.expect(["a", "b"]).now();
    probe.expect_in_order([["a", "c"]]).now();
}

#[test]
fn no_events_are_expected_and_that_is_met_at_once() {
    let (_bus, probe) = probed();
    assert!(probe.expect("a").count(0).now().is_empty());
    assert!(probe.expect_each([""; 0]).now().is_empty());
}

#[test]
fn a_text_that_is_no_pattern_is_an_error_that_names_it() {
    let (_bus, probe) = probed();
    for unmet in [
        probe.expect("a..b").try_now().unwrap_err(),
        probe.expect("a..b").try_within(HANG).unwrap_err(),
        probe.expect_each(["a", "a..b"]).try_now().unwrap_err(),
        block_on(probe.expect("a..b").try_before(pending::<()>())).unwrap_err(),
        probe.try_expect_none("a..b").unwrap_err(),
    ] {
        assert_eq!(unmet.reason, UnmetReason::BadPattern);
        assert!(unmet.to_string().contains("a..b"), "{unmet}");
        assert!(unmet.to_string().contains("tests/testing/probe.rs"));
    }
}

#[test]
fn conditions_add_up_and_may_emit_or_ask_the_probe() {
    let (bus, probe) = probed();
    bus.publisher("n").unwrap().emit_batch(0..20).unwrap();
    let event = probe
        .expect("n")
        .where_(|event| event.payload() % 2 == 1)
        .where_(|event| event.payload() % 5 == 0)
        .now();
    assert_eq!(*event.payload(), 5);
    let asked = AtomicUsize::new(0);
    // No lock is held while it runs.
    guarded(move || {
        let event = probe.expect("n").where_(|event| {
            bus.emit("m", 0).unwrap();
            probe.expect("m").now();
            asked.fetch_add(1, Ordering::SeqCst);
            *event.payload() == 2
        });
        assert_eq!(*event.now().payload(), 2);
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn a_condition_that_panics_fails_the_test_and_the_probe_goes_on() {
    let (bus, probe) = probed();
    bus.emit("a", 1).unwrap();
    let asked = AssertUnwindSafe(|| probe.expect("a").where_(|_| panic!("in it")).now());
    assert!(catch_unwind(asked).is_err());
    probe.expect("a").now();
}

#[test]
fn none_asks_for_what_nobody_took() {
    let (bus, probe) = probed();
    probe.expect_none("**");
    bus.publisher("a").unwrap().emit_batch([1, 2, 3]).unwrap();
    probe.expect("a").now();
    let unmet = probe.try_expect_none("a").unwrap_err();
    assert_eq!((unmet.reason, unmet.met), (UnmetReason::Unexpected, 2));
    probe
        .expect("a")
        .where_(|event| *event.payload() > 3)
        .none();
    probe
        .expect("a")
        .where_(|event| *event.payload() > 2)
        .try_none()
        .unwrap_err();
    probe.expect("a").count(2).now();
    probe.expect_none("a");
}

#[test]
fn who_asks_the_same_probe_at_once_gets_other_events() {
    let (bus, probe) = probed();
    let probe = Arc::new(probe);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let probe = Arc::clone(&probe);
            thread::spawn(move || -> Vec<u32> {
                let events = (0..250).map(|_| probe.expect("n").within(HANG));
                events.map(|event| *event.payload()).collect()
            })
        })
        .collect();
    bus.publisher("n").unwrap().emit_batch(0..1_000).unwrap();
    let joined = threads.into_iter().map(|it| it.join().unwrap());
    let mut all: Vec<u32> = joined.flatten().collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..1_000));
    probe.expect_none("n");
}

#[test]
fn a_capture_that_is_cleared_amid_a_wait_has_it_begin_anew() {
    let (bus, probe) = probed();
    let probe = Arc::new(probe);
    bus.emit("a", 1).unwrap();
    let waiting = Arc::clone(&probe);
    let (entered, enter) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        let seen = |event: &chanbus::Event<u32>| {
            entered.send(*event.payload()).unwrap();
            true
        };
        waiting.expect("a").count(2).where_(seen).within(HANG)
    });
    assert_eq!(enter.recv().unwrap(), 1);
    probe.capture().clear();
    bus.emit("a", 2).unwrap();
    bus.emit("a", 3).unwrap();
    let payloads: Vec<u32> = thread
        .join()
        .unwrap()
        .iter()
        .map(|it| *it.payload())
        .collect();
    assert_eq!(payloads, [2, 3]);
}

#[test]
fn async_the_event_wakes_and_the_timer_ends_the_wait() {
    let (bus, probe) = probed();
    let time = TestTime::new();
    block_on(async {
        let mut asked = Box::pin(
            probe
                .expect("a")
                .before(time.sleep(Duration::from_secs(60))),
        );
        assert!(poll_once(&mut asked).await.is_none());
        bus.emit("a", 7).unwrap();
        assert_eq!(*poll_once(&mut asked).await.unwrap().payload(), 7);

        let limit = time.sleep(Duration::from_secs(60));
        let mut asked = Box::pin(probe.expect("a").try_before(limit));
        assert!(poll_once(&mut asked).await.is_none());
        time.advance(Duration::from_secs(60));
        let unmet = poll_once(&mut asked).await.unwrap().unwrap_err();
        assert_eq!(unmet.reason, UnmetReason::TimedOut);
        assert!(unmet.to_string().contains("before the timer ended"));
    });
}

#[test]
fn async_what_waits_is_called_by_an_event_a_close_and_nothing_else() {
    struct Counts(AtomicUsize);
    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (bus, probe) = probed();
    let counts = Arc::new(Counts(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&counts));
    let mut cx = Context::from_waker(&waker);
    let mut asked = Box::pin(probe.expect("a").count(2).try_before(pending::<()>()));
    assert!(asked.as_mut().poll(&mut cx).is_pending());
    assert!(asked.as_mut().poll(&mut cx).is_pending());
    assert_eq!(counts.0.load(Ordering::SeqCst), 0);
    bus.emit("a", 1).unwrap();
    assert_eq!(counts.0.load(Ordering::SeqCst), 1);
    assert!(asked.as_mut().poll(&mut cx).is_pending());
    drop(bus);
    assert_eq!(counts.0.load(Ordering::SeqCst), 2);
    let Poll::Ready(Err(unmet)) = asked.as_mut().poll(&mut cx) else {
        panic!("the bus has closed");
    };
    assert_eq!((unmet.reason, unmet.met), (UnmetReason::Closed, 1));
}

#[test]
fn async_a_wait_that_is_dropped_has_taken_nothing() {
    let (bus, probe) = probed();
    block_on(async {
        let mut asked = Box::pin(probe.expect("a").count(2).before(pending::<()>()));
        bus.emit("a", 1).unwrap();
        assert!(poll_once(&mut asked).await.is_none());
        drop(asked);
        assert_eq!(
            *probe.expect("a").before(pending::<()>()).await.payload(),
            1
        );
    });
}

#[test]
fn async_it_goes_onto_a_runtime_of_several_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (bus, probe) = probed();
        let task = tokio::spawn(async move {
            let limit = tokio::time::sleep(HANG);
            let events = probe
                .expect("a")
                .where_(|event| *event.payload() > 1)
                .before(limit);
            *events.await.payload()
        });
        bus.emit("a", 1).unwrap();
        // It is heard whenever the task comes to it.
        let other = bus.clone();
        while !task.is_finished() {
            other.emit("a", 2).unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(task.await.unwrap(), 2);
    });
}
