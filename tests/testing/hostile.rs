//! The test kit among code that does its worst: wakers, timers, destructors and clocks.

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use chanbus::{
    Bus, Capture, Emitter, FailureKind, Fault, Flow, Handlers, ManualClock, Probe, Refusal,
    StepExecutor, TestTime, UnmetReason,
};
use futures_lite::future::{block_on, poll_once, yield_now};

use crate::common::{HANG, guarded, hooked};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_comes_while_the_timer_ends_came_before_it() {
    let bus: Bus<u32> = Bus::new();
    let probe = Probe::on(&bus).unwrap();
    // As a thread does that emits, and then moves the time on, between two looks of the one that waits.
    let ends = || {
        poll_fn(|_| {
            bus.emit("a", 7).unwrap();
            Poll::Ready(())
        })
    };
    let event = block_on(probe.expect("a").try_before(ends())).unwrap();
    assert_eq!(*event.payload(), 7);
    let unmet = block_on(probe.expect("a").count(2).try_before(ends())).unwrap_err();
    assert_eq!((unmet.reason, unmet.met), (UnmetReason::TimedOut, 1));
}

#[test]
fn no_time_is_enough_for_what_is_there_and_none_for_the_rest() {
    let bus: Bus<u32> = Bus::builder().capacity(1).build().unwrap();
    let probe = Probe::on(&bus).unwrap();
    bus.emit("a", 1).unwrap();
    assert_eq!(*probe.expect("a").within(Duration::ZERO).payload(), 1);
    let reason = |probe: &Probe<u32>| probe.expect("a").try_within(Duration::ZERO).unwrap_err();
    assert_eq!(reason(&probe).reason, UnmetReason::TimedOut);
    bus.emit("a", 2).unwrap();
    bus.close();
    // The end takes nothing that was there before it.
    assert_eq!(*probe.expect("a").within(Duration::ZERO).payload(), 2);
    assert_eq!(reason(&probe).reason, UnmetReason::Closed);
    let none = probe.expect("a").try_within(Duration::MAX).unwrap_err();
    assert_eq!(
        (none.reason, none.met, none.wanted),
        (UnmetReason::Closed, 0, 1)
    );
}

#[test]
fn an_expectation_of_several_takes_so_many_and_leaves_the_next() {
    let bus: Bus<u32> = Bus::new();
    let probe = Probe::on(&bus).unwrap();
    bus.publisher("a").unwrap().emit_batch(1..=5).unwrap();
    let taken = probe.expect("a").count(3).now();
    let payloads: Vec<u32> = taken.iter().map(|event| *event.payload()).collect();
    assert_eq!(payloads, [1, 2, 3]);
    let unmet = probe.expect("a").count(3).try_now().unwrap_err();
    assert_eq!((unmet.met, unmet.wanted), (2, 3));
    let unmet = probe.try_expect_none("a").unwrap_err();
    assert_eq!((unmet.met, unmet.wanted), (2, 0));
    assert_eq!(*probe.expect("a").now().payload(), 4);
}

#[test]
fn a_waker_that_panics_keeps_nobody_else_asleep() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new("a bad waker"));
        }
    }
    struct Counts(AtomicUsize);
    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let counts = Arc::new(Counts(AtomicUsize::new(0)));
    let wakers = [Waker::from(Arc::new(Bad)), Arc::clone(&counts).into()];

    let time = TestTime::new();
    let mut sleeps = [time.sleep(SECOND), time.sleep(SECOND)].map(Box::pin);
    for (sleep, waker) in sleeps.iter_mut().zip(&wakers) {
        assert!(
            sleep
                .as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_pending()
        );
    }
    time.advance(SECOND);
    assert_eq!((counts.0.load(Ordering::SeqCst), time.sleepers()), (1, 0));

    let bus: Bus<u32> = Bus::new();
    let probe = Probe::on(&bus).unwrap();
    let mut asked = [(); 2].map(|()| Box::pin(probe.expect("a").try_before(pending::<()>())));
    for (asked, waker) in asked.iter_mut().zip(&wakers) {
        assert!(
            asked
                .as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_pending()
        );
    }
    bus.emit("b", 1).unwrap();
    assert_eq!(counts.0.load(Ordering::SeqCst), 2);
}

#[test]
fn a_waker_may_move_the_time_and_drop_others_who_wait() {
    struct Moves(TestTime, Mutex<Vec<chanbus::TestSleep>>);
    impl Wake for Moves {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().clear();
            self.0.advance(SECOND);
        }
    }
    guarded(|| {
        let time = TestTime::new();
        let mut other = time.sleep(SECOND * 9);
        assert!(block_on(poll_once(&mut other)).is_none());
        let moves = Arc::new(Moves(time.clone(), Mutex::new(vec![other])));
        let waker = moves.into();
        let mut sleep = Box::pin(time.sleep(SECOND));
        assert!(
            sleep
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert_eq!(time.sleepers(), 2);
        assert!(time.advance_to_next());
        assert_eq!(time.now(), UNIX_EPOCH + SECOND * 2);
        assert_eq!(time.sleepers(), 0);
        assert!(!time.advance_to_next());
    });
}

#[test]
fn a_wait_that_is_over_stays_over_wherever_the_clock_is_set() {
    guarded(|| {
        for _ in 0..20 {
            let clock = ManualClock::new();
            let time = TestTime::of(&clock);
            let waits = time.clone();
            let thread = thread::spawn(move || waits.wait(SECOND));
            assert!(time.wait_for_sleepers(1, HANG));
            time.advance(SECOND);
            // Most likely before the thread has looked.
            clock.set(UNIX_EPOCH);
            thread.join().unwrap();
            assert_eq!(time.sleepers(), 0);
        }
    });
}

#[test]
fn a_sleep_begins_anew_for_nobody_and_leaves_when_it_is_dropped_or_done() {
    let clock = ManualClock::new();
    let time = TestTime::of(&clock);
    clock.set(UNIX_EPOCH + SECOND * 10);
    let mut sleep = time.sleep(SECOND);
    assert!(block_on(poll_once(&mut sleep)).is_none());
    // Back, and on by as much as it was to take: it is due at its moment, not before.
    clock.set(UNIX_EPOCH);
    time.advance(SECOND);
    assert_eq!(time.sleepers(), 1);
    assert!(block_on(poll_once(&mut sleep)).is_none());
    assert_eq!(time.sleepers(), 1, "polled again, it waits once");
    drop(sleep);
    assert_eq!(time.sleepers(), 0);
    let mut sleep = time.sleep(SECOND);
    assert!(block_on(poll_once(&mut sleep)).is_none());
    // Moved by itself, it wakes nobody, and shows what it shows.
    clock.advance(SECOND);
    assert_eq!(time.sleepers(), 1);
    assert!(block_on(poll_once(&mut sleep)).is_some());
    assert_eq!(time.sleepers(), 0);
    time.advance(Duration::MAX);
    time.wait(Duration::MAX);
    block_on(time.sleep(Duration::MAX));
}

#[test]
fn threads_who_step_together_run_each_job_once() {
    const JOBS: usize = 60;
    const POLLS: usize = 4;
    guarded(|| {
        let steps = StepExecutor::new();
        let handlers = Handlers::new();
        let polled = Arc::new(AtomicUsize::new(0));
        let polls = Arc::clone(&polled);
        let handler = move |_: chanbus::Event<usize>, _| {
            let polls = Arc::clone(&polls);
            async move {
                for _ in 1..POLLS {
                    polls.fetch_add(1, Ordering::SeqCst);
                    yield_now().await;
                }
                polls.fetch_add(1, Ordering::SeqCst);
                Ok(Flow::Continue)
            }
        };
        handlers.on("a").handle_async(handler).unwrap();
        let emitter = Emitter::new(&handlers, steps.handle());
        for n in 0..JOBS {
            emitter.emit_detached("a", n).unwrap();
        }
        assert_eq!(steps.pending(), JOBS);
        let ended = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while ended.load(Ordering::SeqCst) < JOBS {
                        let ran = steps.step().is_some_and(|ran| ran.ended);
                        ended.fetch_add(usize::from(ran), Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(polled.load(Ordering::SeqCst), JOBS * POLLS);
        assert_eq!((steps.pending(), steps.asleep()), (0, 0));
        assert_eq!(handlers.stats().called, JOBS as u64);
    });
}

#[test]
fn jobs_whose_payloads_panic_on_the_way_out_are_all_let_go_of() {
    let gone = Arc::new(AtomicUsize::new(0));
    let handlers = Handlers::new();
    handlers.on("a").call(|_| {}).unwrap();
    let steps = StepExecutor::new();
    let emitter = Emitter::new(&handlers, steps.handle());
    for _ in 0..3 {
        let gone = Arc::clone(&gone);
        let payload = hooked(move || {
            gone.fetch_add(1, Ordering::SeqCst);
            std::panic::resume_unwind(Box::new("on the way out"));
        });
        emitter.emit_detached("a", payload).unwrap();
    }
    drop(steps);
    // The last failures keep their events.
    drop((emitter, handlers));
    assert_eq!(gone.load(Ordering::SeqCst), 3);
}

#[test]
fn a_waker_that_outlives_its_job_and_its_executor_does_nothing() {
    let kept: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let handlers = Handlers::new();
    let keep = Arc::clone(&kept);
    let handler = move |event: chanbus::Event<bool>, _| {
        let keep = Arc::clone(&keep);
        async move {
            let mut ends = *event.payload();
            poll_fn(move |cx| {
                keep.lock().unwrap().push(cx.waker().clone());
                match std::mem::replace(&mut ends, true) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
            Ok(Flow::Continue)
        }
    };
    handlers.on("a").handle_async(handler).unwrap();
    let steps = StepExecutor::new();
    let emitter = Emitter::new(&handlers, steps.handle());
    let wake = || kept.lock().unwrap().iter().for_each(Waker::wake_by_ref);
    emitter.emit_detached("a", true).unwrap();
    assert!(steps.step().unwrap().ended);
    wake();
    assert_eq!((steps.pending(), steps.asleep()), (0, 0));
    emitter.emit_detached("a", false).unwrap();
    assert!(!steps.step().unwrap().ended);
    assert_eq!(steps.asleep(), 1);
    wake();
    wake();
    assert_eq!(
        (steps.pending(), steps.asleep()),
        (1, 0),
        "woken twice, it is there once"
    );
    assert!(steps.wait_for(1, Duration::ZERO) && !steps.wait_for(2, Duration::ZERO));
    assert_eq!(steps.run_up_to(0).len(), 0);
    drop(steps);
    wake();
    assert!(
        emitter.emit_detached("a", true).is_ok(),
        "a refusal is a failure of the handler"
    );
}

#[test]
fn a_capture_may_be_dropped_by_a_tap_of_its_bus() {
    guarded(|| {
        let bus: Bus<u32> = Bus::new();
        let capture = Mutex::new(Some(Capture::of(&bus).unwrap()));
        let _tap = bus
            .tap("a", move |_| drop(capture.lock().unwrap().take()))
            .unwrap();
        assert_eq!(bus.emit("a", 1).unwrap().delivered, 0);
        bus.emit("a", 2).unwrap();
    });
}

#[test]
fn a_fault_in_one_filter_leaves_other_queues_alone_and_counts_what_it_saw() {
    let bus: Bus<u32> = Bus::builder().capacity(1).build().unwrap();
    let fault = Fault::panic().at(2);
    let never = Fault::panic().at(u64::MAX);
    let struck = bus
        .subscription("a")
        .filter(fault.filter())
        .subscribe()
        .unwrap();
    let whole = bus
        .subscription("a")
        .filter(never.filter())
        .subscribe()
        .unwrap();
    for n in 1..=3 {
        bus.emit("a", n).unwrap();
        let got = struck.try_recv().ok().map(|event| *event.payload());
        assert_eq!(got, (n != 2).then_some(n));
        assert_eq!(*whole.try_recv().unwrap().payload(), n);
    }
    assert_eq!((fault.seen(), fault.struck()), (3, 1));
    assert_eq!((never.seen(), never.struck()), (3, 0));
    let all = Fault::error("no").from(0);
    assert!(all.strike("first").is_err());
}

#[test]
fn what_comes_between_a_look_and_a_wait_is_not_slept_over() {
    let bus: Bus<u32> = Bus::new();
    let probe = Probe::on(&bus).unwrap();
    bus.emit("a", 1).unwrap();
    let condition = |event: &chanbus::Event<u32>| {
        // No waker is there yet that this could call.
        if *event.payload() == 1 {
            bus.emit("a", 2).unwrap();
        }
        *event.payload() == 2
    };
    let asked = probe.expect("a").where_(condition).before(pending::<()>());
    let event = block_on(poll_once(asked)).expect("it is there");
    assert_eq!(*event.payload(), 2);
}

#[test]
fn what_was_cleared_is_neither_an_answer_nor_in_the_report() {
    let bus: Bus<u32> = Bus::new();
    let probe = Probe::on(&bus).unwrap();
    let two = probe.expect("a").count(2).before(pending::<()>());
    let mut two = std::pin::pin!(two);
    bus.emit("a", 1).unwrap();
    assert!(block_on(poll_once(two.as_mut())).is_none());
    probe.capture().clear();
    // As many as there were.
    bus.emit("b", 2).unwrap();
    bus.emit("a", 3).unwrap();
    assert!(block_on(poll_once(two.as_mut())).is_none());
    bus.emit("a", 4).unwrap();
    let events = block_on(poll_once(two)).expect("both are there");
    let payloads: Vec<u32> = events.iter().map(|event| *event.payload()).collect();
    assert_eq!(payloads, [3, 4]);

    bus.emit("c", 5).unwrap();
    let condition = |event: &chanbus::Event<u32>| {
        if *event.payload() == 5 {
            probe.capture().clear();
            bus.emit("c", 6).unwrap();
        }
        false
    };
    let asked = probe.expect("c").where_(condition);
    let report = asked.try_within(Duration::ZERO).unwrap_err().to_string();
    let told = "the condition did not hold for 1 event that matched";
    assert!(report.contains(told), "{report}");
}

#[test]
fn an_executor_that_is_on_its_way_out_refuses_what_its_jobs_bring() {
    let handlers: Handlers<u32> = Handlers::new();
    handlers.on("a").call(|_| {}).unwrap();
    let steps = StepExecutor::new();
    let emitter = Arc::new(Emitter::new(&handlers, steps.handle()));
    let again = Arc::downgrade(&emitter);
    let kinds = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&kinds);
    let _guard = handlers.on_error(move |failure| {
        let lost = matches!(failure.kind(), FailureKind::Lost);
        let refused = matches!(failure.kind(), FailureKind::Refused(Refusal::ShutDown));
        tell.lock().unwrap().push((lost, refused));
        if lost && let Some(emitter) = again.upgrade() {
            let _ = emitter.emit_detached("a", 2);
        }
    });
    emitter.emit_detached("a", 1).unwrap();
    drop(steps);
    assert_eq!(*kinds.lock().unwrap(), [(true, false), (false, true)]);
}

#[test]
fn who_waits_for_futures_that_sleep_is_woken_by_them() {
    guarded(|| {
        let time = TestTime::new();
        for round in 0..200 {
            let asleep = time.clone();
            let thread = thread::spawn(move || block_on(asleep.sleep(SECOND)));
            assert!(time.wait_for_sleepers(1, HANG), "round {round}");
            time.advance(SECOND);
            thread.join().unwrap();
        }
    });
}
