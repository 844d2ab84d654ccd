//! H9: start and stop.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use chanbus::{Bus, Dispatcher, Drain, Flow, Handlers, Overflow, StartError, ThreadPool};

use super::common::{Gate, guarded, soaked};
use super::{Done, Log};

#[test]
fn h9_events_before_start_wait_and_stop_handles_what_was_queued_and_later_ones_wait() -> Done {
    guarded(|| {
        let (bus, handlers) = (Bus::new(), Handlers::<u32>::new());
        let (said, log) = (Log::new(), Log::new());
        let add = said.clone();
        handlers
            .on("**")
            .call(move |event| add.add(event.payload().to_string()))?;
        drop(log);
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        for n in 0..3 {
            assert_eq!(bus.emit("a", n)?.delivered, 1);
        }
        let stats = dispatcher.stats();
        assert!(!stats.running);
        assert_eq!((stats.queued, stats.handled), (3, 0));
        assert_eq!(dispatcher.stop(Drain::All)?.left, 3, "it was not running");
        for round in 0..5 {
            dispatcher.start()?;
            assert_eq!(dispatcher.start(), Err(StartError::Running));
            assert!(dispatcher.is_running());
            let stopped = dispatcher.stop(Drain::All)?;
            assert_eq!((stopped.left, stopped.pending), (0, false));
            assert!(!dispatcher.is_running());
            assert_eq!(said.take(), ["0", "1", "2"], "round {round}");
            for n in 0..3 {
                bus.emit("a", n)?;
            }
            assert_eq!(dispatcher.stats().queued, 3);
            assert_eq!(said.take(), [""; 0]);
        }
        Ok(())
    })
}

/// The stop comes while the first of three is held; two more come after it, and wait.
#[cfg(target_os = "linux")]
#[test]
fn h9_stop_handles_exactly_what_was_queued_when_it_was_called() -> Done {
    guarded(|| {
        for (drain, handled) in [
            (Drain::All, 3),
            (Drain::Within(Duration::from_secs(3_600)), 3),
            (Drain::Now, 1),
        ] {
            let (bus, handlers, gate) = (Bus::new(), Handlers::<u32>::new(), Gate::new());
            let held = gate.clone();
            handlers.on("**").call(move |_| held.pass())?;
            let dispatcher = Arc::new(Dispatcher::builder(&bus, &handlers).build()?);
            for n in 0..3 {
                bus.emit("a", n)?;
            }
            dispatcher.start()?;
            gate.wait_held();
            let stops = Arc::clone(&dispatcher);
            let stop = super::common::spawn_asleep(move || stops.stop(drain).unwrap());
            assert!(!dispatcher.is_running());
            assert_eq!(dispatcher.start(), Err(StartError::Stopping));
            bus.emit("a", 3)?;
            bus.emit("a", 4)?;
            gate.open();
            assert_eq!(stop.join().unwrap().left, 5 - handled);
            let stats = dispatcher.stats();
            assert_eq!((stats.handled, stats.queued), (handled as u64, 5 - handled));
            dispatcher.start()?;
            dispatcher.stop(Drain::All)?;
            assert_eq!(dispatcher.stats().handled, 5);
        }
        Ok(())
    })
}

#[test]
fn h9_what_waits_is_bounded_and_overflow_is_counted() -> Done {
    guarded(|| {
        for (overflow, wanted) in [
            (Overflow::DropNewest, "0 1 2 3"),
            (Overflow::DropOldest, "6 7 8 9"),
        ] {
            let (bus, handlers, log) = (Bus::new(), Handlers::<u32>::new(), Log::new());
            let said = log.clone();
            handlers
                .on("**")
                .call(move |event| said.add(event.payload().to_string()))?;
            let builder = Dispatcher::builder(&bus, &handlers).capacity(4);
            let dispatcher = builder.overflow(overflow).build()?;
            for n in 0..10 {
                bus.emit("a", n)?;
            }
            let stats = dispatcher.stats();
            assert_eq!((stats.queued, stats.capacity, stats.dropped), (4, 4, 6));
            dispatcher.start()?;
            dispatcher.stop(Drain::All)?;
            assert_eq!(log.take().join(" "), wanted);
        }
        Ok(())
    })
}

/// What was before is handled first, once, and outside of the capacity; also after a start that was stopped.
#[test]
fn h9_a_dispatcher_may_begin_with_the_past() -> Done {
    guarded(|| {
        let bus = Bus::builder().history(4).build()?;
        let _state = bus.retained("state.*")?;
        for (topic, n) in [
            ("state.a", 1),
            ("state.b", 2),
            ("state.a", 3),
            ("x", 4),
            ("x", 5),
            ("x", 6),
            ("x", 7),
        ] {
            bus.emit(topic, n)?;
        }
        for (replay, with_retained, wanted) in [
            (0, false, "8 9"),
            (2, false, "6 7 8 9"),
            (0, true, "2 3 8 9"),
            (4, true, "2 3 4 5 6 7 8 9"),
        ] {
            let (handlers, log) = (Handlers::<u32>::new(), Log::new());
            let said = log.clone();
            handlers
                .on("**")
                .call(move |event| said.add(event.payload().to_string()))?;
            let mut builder = Dispatcher::builder(&bus, &handlers)
                .capacity(2)
                .replay(replay);
            if with_retained {
                builder = builder.with_retained();
            }
            let dispatcher = builder.build()?;
            bus.emit("y", 8)?;
            bus.emit("y", 9)?;
            dispatcher.start()?;
            dispatcher.stop(Drain::All)?;
            assert_eq!(log.take().join(" "), wanted);
            assert_eq!(dispatcher.stats().queued, 0);
            dispatcher.start()?;
            dispatcher.stop(Drain::All)?;
            assert!(log.take().is_empty());
            // As it was before, for the next of them.
            for n in 4..8 {
                bus.emit("x", n)?;
            }
        }
        Ok(())
    })
}

/// Started and stopped over and over while 4 threads emit: every event is handled once, in each
/// thread's order, whatever runs the handlers.
#[test]
fn h9_start_and_stop_while_four_threads_emit_loses_and_doubles_nothing() -> Done {
    const THREADS: u64 = 4;
    for setup in 0..4 {
        guarded(move || -> Done {
            let each = soaked(3_000);
            let (bus, handlers) = (
                Bus::builder().capacity(65_536).build()?,
                Handlers::<(u64, u64)>::new(),
            );
            let seen: Arc<Mutex<Vec<Vec<u64>>>> =
                Arc::new(Mutex::new(vec![Vec::new(); THREADS as usize]));
            let write = Arc::clone(&seen);
            handlers.on("a.*").call(move |event| {
                let (thread, n) = *event.payload();
                write.lock().unwrap()[thread as usize].push(n);
            })?;
            if setup % 2 == 1 {
                handlers.on("**").priority(9).handle_async(|_, _| async {
                    futures_lite::future::yield_now().await;
                    Ok(Flow::Continue)
                })?;
            }
            let builder = Dispatcher::builder(&bus, &handlers).capacity(65_536);
            let dispatcher = match setup {
                0 | 1 => builder.build()?,
                2 => builder.executor(ThreadPool::new(2)?).build()?,
                _ => builder
                    .executor(ThreadPool::new(2)?)
                    .max_in_flight(8)
                    .build()?,
            };
            let (start, over) = (Barrier::new(THREADS as usize + 1), AtomicBool::new(false));
            thread::scope(|scope| {
                let emitters: Vec<_> = (0..THREADS)
                    .map(|thread| {
                        let (bus, start) = (&bus, &start);
                        scope.spawn(move || {
                            start.wait();
                            for n in 0..each {
                                let emitted = bus.emit(format!("a.{thread}"), (thread, n)).unwrap();
                                assert_eq!(emitted.delivered, 1);
                            }
                        })
                    })
                    .collect();
                start.wait();
                let (dispatcher, over) = (&dispatcher, &over);
                let toggles = scope.spawn(move || {
                    let mut round = 0;
                    while round < 5 || !over.load(Ordering::SeqCst) {
                        dispatcher.start().unwrap();
                        let drain = [
                            Drain::All,
                            Drain::Now,
                            Drain::Within(Duration::from_secs(3_600)),
                        ];
                        dispatcher.stop(drain[round % 3]).unwrap();
                        let stats = dispatcher.stats();
                        assert!(!stats.running);
                        assert_eq!(stats.in_flight, 0);
                        round += 1;
                    }
                });
                for emitter in emitters {
                    emitter.join().unwrap();
                }
                over.store(true, Ordering::SeqCst);
                toggles.join().unwrap();
            });
            dispatcher.start()?;
            assert_eq!(dispatcher.stop(Drain::All)?.left, 0);
            let stats = dispatcher.stats();
            assert_eq!(
                (stats.handled, stats.dropped, stats.failed),
                (THREADS * each, 0, 0)
            );
            for (thread, seen) in seen.lock().unwrap().iter_mut().enumerate() {
                if setup == 3 {
                    // More than one at a time may overtake each other.
                    seen.sort_unstable();
                }
                let wanted: Vec<u64> = (0..each).collect();
                assert_eq!(*seen, wanted, "setup {setup}, thread {thread}");
            }
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn h9_max_in_flight_lets_so_many_events_run_at_once_and_no_more() -> Done {
    guarded(|| {
        let (bus, handlers) = (Bus::new(), Handlers::<u32>::new());
        let (met, now, most) = (
            Arc::new(Barrier::new(3)),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (inside, peak) = (Arc::clone(&now), Arc::clone(&most));
        handlers.on("a").call(move |_| {
            peak.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            met.wait();
            inside.fetch_sub(1, Ordering::SeqCst);
        })?;
        let pool = ThreadPool::new(6)?;
        let dispatcher = Dispatcher::builder(&bus, &handlers)
            .executor(pool)
            .max_in_flight(3)
            .build()?;
        dispatcher.start()?;
        for n in 0..30 {
            bus.emit("a", n)?;
        }
        dispatcher.stop(Drain::All)?;
        assert_eq!(dispatcher.stats().handled, 30);
        assert_eq!(most.load(Ordering::SeqCst), 3);
        let single = Arc::new(AtomicUsize::new(0));
        handlers.clear();
        let (inside, peak) = (Arc::clone(&now), Arc::clone(&single));
        handlers.on("a").call(move |_| {
            peak.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::yield_now();
            inside.fetch_sub(1, Ordering::SeqCst);
        })?;
        let dispatcher = Dispatcher::builder(&bus, &handlers)
            .executor(ThreadPool::new(4)?)
            .build()?;
        dispatcher.start()?;
        for n in 0..100 {
            bus.emit("a", n)?;
        }
        dispatcher.stop(Drain::All)?;
        assert_eq!(
            single.load(Ordering::SeqCst),
            1,
            "one at a time unless told otherwise"
        );
        Ok(())
    })
}

#[cfg(target_os = "linux")]
#[test]
fn h9_a_thousand_restarts_leave_no_thread_behind() -> Done {
    guarded(|| {
        let (bus, handlers) = (Bus::new(), Handlers::<u32>::new());
        let threads: Arc<Mutex<HashSet<thread::ThreadId>>> = Arc::default();
        let seen = Arc::clone(&threads);
        handlers.on("a").call(move |_| {
            let _ = seen.lock().unwrap().insert(thread::current().id());
        })?;
        let dispatcher = Dispatcher::builder(&bus, &handlers)
            .name("restarts")
            .build()?;
        for n in 0..1_000 {
            bus.emit("a", n)?;
            dispatcher.start()?;
            dispatcher.stop(Drain::All)?;
        }
        assert_eq!(
            threads.lock().unwrap().len(),
            1_000,
            "a thread for each start"
        );
        let alive = std::fs::read_dir("/proc/self/task")?.filter_map(|task| {
            let name = std::fs::read_to_string(task.ok()?.path().join("comm")).ok()?;
            (name.trim() == "restarts").then_some(())
        });
        assert_eq!(alive.count(), 0);
        Ok(())
    })
}
