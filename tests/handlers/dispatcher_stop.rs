//! H9: how a dispatcher comes to a stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use chanbus::{Bus, Dispatcher, Drain, Handlers, StartError, ThreadPool};

use super::common::{Gate, guarded};
use super::{Done, Log};

#[test]
fn h9_a_deadline_detaches_names_and_counts_the_stuck_and_a_restart_goes_on_without_them() -> Done {
    guarded(|| {
        for pool in [false, true] {
            let (bus, handlers, gate) = (Bus::new(), Handlers::<u32>::new(), Gate::new());
            let (held, log) = (gate.clone(), Log::new());
            handlers
                .on("stuck")
                .name("tar")
                .call(move |_| held.pass())?;
            let second = Gate::new();
            let held = second.clone();
            handlers.on("hold").call(move |_| held.pass())?;
            let said = log.clone();
            handlers
                .on("a")
                .call(move |event| said.add(event.payload().to_string()))?;
            let builder = Dispatcher::builder(&bus, &handlers);
            let dispatcher = if pool {
                builder.executor(ThreadPool::new(2)?).build()?
            } else {
                builder.build()?
            };
            dispatcher.start()?;
            bus.emit("stuck", 0)?;
            gate.wait_held();
            bus.emit("a", 1)?;
            let running = dispatcher.running();
            assert_eq!((running.len(), running[0].detached), (1, false));
            let error = dispatcher
                .stop(Drain::Within(Duration::from_millis(5)))
                .unwrap_err();
            assert_eq!((error.stuck.len(), error.left), (1, 1));
            assert_eq!(error.stuck[0].name.as_deref(), Some("tar"));
            assert_eq!(error.stuck[0].topic, "stuck");
            assert!(error.to_string().contains("`tar` on `stuck`"), "{error}");
            let stats = dispatcher.stats();
            assert!(!stats.running);
            assert_eq!((stats.stuck, stats.in_flight, stats.queued), (1, 0, 1));
            assert!(dispatcher.running()[0].detached);

            dispatcher.start()?;
            bus.emit("a", 2)?;
            dispatcher.stop(Drain::All)?;
            assert_eq!(log.take(), ["1", "2"]);
            assert_eq!(dispatcher.stats().stuck, 1, "still");
            dispatcher.start()?;
            // It ends while an event of this start is at its handler, which is not taken for ended.
            bus.emit("hold", 0)?;
            second.wait_held();
            gate.open();
            while dispatcher.stats().handled < 3 {
                thread::yield_now();
            }
            let limit = Drain::Within(Duration::from_millis(5));
            let error = dispatcher.stop(limit).unwrap_err();
            assert_eq!((error.stuck.len(), &*error.stuck[0].topic), (1, "hold"));
            second.open();
            while dispatcher.stats().stuck > 0 {
                thread::yield_now();
            }
            dispatcher.start()?;
            bus.emit("a", 3)?;
            // It left on its own, and took nothing with it.
            assert!(dispatcher.is_running());
            dispatcher.stop(Drain::All)?;
            assert_eq!(log.take(), ["3"]);
            while dispatcher.stats().handled < 5 {
                thread::yield_now();
            }
            assert_eq!(dispatcher.stats().in_flight, 0);
        }
        Ok(())
    })
}

#[cfg(target_os = "linux")]
#[test]
fn h9_two_stops_at_once_both_wait() -> Done {
    guarded(|| {
        let (bus, handlers, gate) = (Bus::new(), Handlers::<u32>::new(), Gate::new());
        let held = gate.clone();
        handlers.on("a").call(move |_| held.pass())?;
        let dispatcher = Arc::new(Dispatcher::builder(&bus, &handlers).build()?);
        dispatcher.start()?;
        bus.emit("a", 0)?;
        gate.wait_held();
        let ended = Arc::new(AtomicUsize::new(0));
        let stops = [Drain::All, Drain::Now].map(|drain| {
            let (dispatcher, ended) = (Arc::clone(&dispatcher), Arc::clone(&ended));
            super::common::spawn_asleep(move || {
                dispatcher.stop(drain).unwrap();
                ended.fetch_add(1, Ordering::SeqCst);
            })
        });
        assert_eq!(ended.load(Ordering::SeqCst), 0);
        gate.open();
        for stop in stops {
            stop.join().unwrap();
        }
        assert_eq!(dispatcher.stats().handled, 1);
        Ok(())
    })
}

/// One of them gives up: the other has not seen the end, and does not say so.
#[cfg(target_os = "linux")]
#[test]
fn h9_a_stop_that_another_gave_up_on_says_so() -> Done {
    guarded(|| {
        let (bus, handlers, gate) = (Bus::new(), Handlers::<u32>::new(), Gate::new());
        let held = gate.clone();
        handlers.on("a").name("tar").call(move |_| held.pass())?;
        let dispatcher = Arc::new(Dispatcher::builder(&bus, &handlers).build()?);
        dispatcher.start()?;
        bus.emit("a", 0)?;
        bus.emit("a", 1)?;
        gate.wait_held();
        let patient = Arc::clone(&dispatcher);
        let patient = super::common::spawn_asleep(move || patient.stop(Drain::All));
        let hasty = dispatcher.stop(Drain::Within(Duration::from_millis(5)));
        for error in [hasty.unwrap_err(), patient.join().unwrap().unwrap_err()] {
            assert_eq!(error.stuck[0].name.as_deref(), Some("tar"));
            assert_eq!(error.left, 1);
        }
        gate.open();
        Ok(())
    })
}

#[test]
fn h9_stop_async_waits_and_dropping_it_calls_nothing_off() -> Done {
    guarded(|| {
        let (bus, handlers, gate) = (Bus::new(), Handlers::<u32>::new(), Gate::new());
        let held = gate.clone();
        handlers.on("a").call(move |_| held.pass())?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        bus.emit("a", 0)?;
        gate.wait_held();
        let mut stop = dispatcher.stop_async(Drain::All);
        let mut other = dispatcher.stop_async(Drain::All);
        let poll = |stop: &mut chanbus::StopFuture| {
            futures_lite::future::block_on(futures_lite::future::poll_once(stop)).is_none()
        };
        assert!(poll(&mut stop) && poll(&mut other));
        drop(other);
        assert!(!dispatcher.is_running());
        gate.open();
        assert_eq!(futures_lite::future::block_on(stop)?.left, 0);
        assert_eq!(dispatcher.stats().handled, 1);
        assert_eq!(
            futures_lite::future::block_on(dispatcher.stop_async(Drain::All))?.left,
            0
        );
        Ok(())
    })
}

#[test]
fn h9_it_ends_with_its_bus_after_all_is_handled() -> Done {
    guarded(|| {
        let (bus, handlers, log) = (Bus::new(), Handlers::<u32>::new(), Log::new());
        handlers.on("**").call(log.says("handled"))?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        let never = Dispatcher::builder(&bus, &handlers).patterns("b").build()?;
        dispatcher.start()?;
        for n in 0..5 {
            bus.emit("a", n)?;
        }
        drop(bus);
        dispatcher.wait();
        assert_eq!(log.take().len(), 5);
        assert!(!dispatcher.is_running());
        assert_eq!(dispatcher.start(), Err(StartError::Closed));
        assert_eq!(never.start(), Err(StartError::Closed));
        assert_eq!(dispatcher.stop(Drain::All)?.left, 0);
        Ok(())
    })
}

#[test]
fn h9_dropping_it_unsubscribes_and_waits_for_nobody() -> Done {
    guarded(|| {
        let (bus, handlers, gate) = (Bus::new(), Handlers::<u32>::new(), Gate::new());
        let (held, log) = (gate.clone(), Log::new());
        handlers.on("a").priority(1).call(move |_| held.pass())?;
        handlers.on("a").priority(2).call(log.says("to its end"))?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        bus.emit("a", 0)?;
        bus.emit("a", 1)?;
        gate.wait_held();
        drop(dispatcher);
        assert_eq!(bus.subscriber_count(), 0);
        gate.open();
        while handlers.stats().events == 0 {
            thread::yield_now();
        }
        assert_eq!(
            log.take(),
            ["to its end"],
            "the one at hand; what was queued is not"
        );
        Ok(())
    })
}
