//! StarStreamer's `EventBus`: the rows about starting, stopping and statistics.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use chanbus::{
    Bus, Dispatcher, DispatcherStats, Drain, Emitter, Flow, HandlerKind, Handlers, Priority,
    Services, StartError,
};

use super::watch::watched;
use super::{Done, Log};

fn dispatcher(bus: &Bus<u32>, handlers: &Handlers<u32>) -> Result<Dispatcher<u32>, chanbus::Error> {
    Ok(Dispatcher::builder(bus, handlers).capacity(8).build()?)
}

#[test]
fn s16_statistics_are_there_in_every_state() -> Done {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    handlers.on("a").call(|_| {})?;
    let dispatcher = dispatcher(&bus, &handlers)?;
    let seen = |stats: DispatcherStats| (stats.running, stats.handled, stats.queued);

    assert_eq!(seen(dispatcher.stats()), (false, 0, 0));
    bus.emit("a", 1)?;
    assert_eq!(seen(dispatcher.stats()), (false, 0, 1));
    dispatcher.start()?;
    assert!(dispatcher.stats().running);
    dispatcher.stop(Drain::All)?;
    assert_eq!(seen(dispatcher.stats()), (false, 1, 0));
    bus.emit("a", 2)?;
    bus.close();
    assert_eq!(seen(dispatcher.stats()), (false, 1, 1));
    dispatcher.start()?;
    dispatcher.wait();
    let stats = dispatcher.stats();
    assert_eq!((stats.called, stats.handlers.called), (2, 2));
    assert_eq!(seen(stats), (false, 2, 0));
    Ok(())
}

#[test]
fn s17_running_says_whether_events_are_taken() -> Done {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    let dispatcher = dispatcher(&bus, &handlers)?;
    for running in [false, true, false, true] {
        assert_eq!(dispatcher.stats().running, running);
        assert_eq!(dispatcher.is_running(), running);
        if running {
            dispatcher.stop(Drain::Now)?;
        } else {
            dispatcher.start()?;
        }
    }
    Ok(())
}

#[test]
fn s18_the_queue_size_is_what_waits() -> Done {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    let dispatcher = dispatcher(&bus, &handlers)?;
    for n in 0..10 {
        bus.emit("a", n)?;
    }
    let stats = dispatcher.stats();
    assert_eq!((stats.queued, stats.capacity, stats.dropped), (8, 8, 2));
    dispatcher.start()?;
    dispatcher.stop(Drain::All)?;
    assert_eq!(dispatcher.stats().queued, 0);
    Ok(())
}

#[test]
fn s19_registered_patterns_are_listed() -> Done {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    handlers.on(["twitch.*", "obs.**"]).call(|_| {})?;
    handlers.on("twitch.*").call(|_| {})?;
    let id = handlers.on("gone").call(|_| {})?;
    handlers.remove(id);
    let stats = dispatcher(&bus, &handlers)?.stats();
    let listed: Vec<_> = stats.handlers.patterns().map(|it| it.as_str()).collect();
    assert_eq!(listed, ["twitch.*", "obs.**"]);
    assert_eq!(handlers.patterns().len(), 2);
    assert!(handlers.contains_pattern("obs.**") && !handlers.contains_pattern("gone"));
    Ok(())
}

#[test]
fn s20_handlers_are_counted_by_pattern() -> Done {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    handlers.on(["twitch.*", "obs.**"]).call(|_| {})?;
    handlers.on("twitch.*").call(|_| {})?;
    let stats = dispatcher(&bus, &handlers)?.stats();
    let counts = stats.handlers.by_pattern.iter();
    let counts: Vec<_> = counts
        .map(|(pattern, count)| (pattern.as_str(), *count))
        .collect();
    assert_eq!(counts, [("twitch.*", 2), ("obs.**", 1)]);
    // By topic, what an event would call.
    assert_eq!(
        (handlers.count_of("twitch.follow"), handlers.count_of("obs")),
        (2, 1)
    );
    Ok(())
}

#[test]
fn s21_handlers_are_counted_in_all() -> Done {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    let dispatcher = dispatcher(&bus, &handlers)?;
    for count in 1..=3 {
        handlers.on(["a", "b", "c"]).call(|_| {})?;
        assert_eq!(dispatcher.stats().handlers.handlers, count);
    }
    assert_eq!(handlers.clear(), 3);
    assert_eq!(dispatcher.stats().handlers.handlers, 0);
    Ok(())
}

#[test]
fn s22_handlers_are_counted_by_kind() -> Done {
    let handlers = Handlers::<u32>::new();
    let call = handlers.on("a").call(|_| {})?;
    handlers.on("a").once().handle(|_, _| Ok(Flow::Continue))?;
    let awaited = handlers
        .on("a")
        .handle_async(|_, _| async { Ok(Flow::Continue) })?;
    handlers
        .on("a")
        .priority(Priority::MONITOR)
        .once()
        .call(|_| {})?;
    let kinds = handlers.stats().by_kind;
    assert_eq!((kinds.sync, kinds.r#async, kinds.batch), (3, 1, 0));
    assert_eq!((kinds.once, kinds.monitor), (2, 1));
    assert_eq!(handlers.get(call).unwrap().kind, HandlerKind::Sync);
    assert_eq!(handlers.get(awaited).unwrap().kind, HandlerKind::Async);
    Ok(())
}

#[test]
fn s23_whether_services_are_in_use_is_told() -> Done {
    let bus = Bus::new();
    let without = dispatcher(&bus, &Handlers::new())?.stats();
    assert!(!without.handlers.uses_services());
    let services = Services::new().with("db").with(7_u8);
    let handlers = Handlers::with_services(&services);
    let with = dispatcher(&bus, &handlers)?.stats();
    assert!(with.handlers.uses_services());
    assert_eq!(with.handlers.services, 2);
    assert_eq!(handlers.services().names(), ["&str", "u8"]);
    Ok(())
}

#[test]
fn s24_dispatch_times_are_those_of_the_handlers_and_not_of_the_queue() -> Done {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    let work = Duration::from_millis(20);
    let slow = handlers
        .on("a")
        .priority(1)
        .call(move |_| thread::sleep(work))?;
    let quick = handlers.on("a").priority(2).call(|_| {})?;
    let dispatcher = dispatcher(&bus, &handlers)?;
    assert_eq!(dispatcher.stats().dispatch.count(), 0);

    bus.emit("a", 1)?;
    bus.emit("a", 2)?;
    // In the queue, which does not count.
    thread::sleep(work * 3);
    let began = Instant::now();
    dispatcher.start()?;
    dispatcher.stop(Drain::All)?;
    let passed = began.elapsed();

    let times = dispatcher.stats().dispatch;
    assert_eq!(times.count(), 2);
    assert!(times.mean() >= work && times.p50() >= work, "{times}");
    assert!(
        times.mean() <= times.max() && times.p99() <= times.max(),
        "{times}"
    );
    assert!(times.mean() * 2 <= passed, "{times}, {passed:?}");
    let (slow, quick) = (handlers.get(slow).unwrap(), handlers.get(quick).unwrap());
    assert!(slow.mean >= work && slow.max >= slow.mean);
    assert!(quick.mean + slow.mean <= times.mean(), "{quick:?} {times}");
    Ok(())
}

#[test]
fn s35_start_begins_to_take_events() -> Done {
    let (log, bus, handlers) = (Log::default(), Bus::new(), Handlers::new());
    let (tell, told) = crossbeam_channel::unbounded();
    handlers
        .on("a")
        .call(move |event: &chanbus::Event<u32>| tell.send(*event.payload()).unwrap())?;
    handlers.on("a").call(log.line("called"))?;
    let dispatcher = dispatcher(&bus, &handlers)?;
    bus.emit("a", 1)?;
    assert_eq!(log.take(), [""; 0]);
    assert!(told.is_empty());

    dispatcher.start()?;
    assert_eq!(dispatcher.start(), Err(StartError::Running));
    bus.emit("a", 2)?;
    let patience = Duration::from_secs(60);
    assert_eq!(told.recv_timeout(patience), Ok(1));
    assert_eq!(told.recv_timeout(patience), Ok(2));
    Ok(())
}

#[test]
fn s36_events_emitted_before_start_wait_also_for_handlers_added_later() -> Done {
    let (log, bus, handlers) = (Log::default(), Bus::new(), Handlers::new());
    let dispatcher = dispatcher(&bus, &handlers)?;
    bus.emit("chat.message", 1)?;
    bus.emit("obs.scene", 2)?;
    handlers.on("chat.**").call(log.line("chat"))?;
    dispatcher.start()?;
    dispatcher.stop(Drain::All)?;
    assert_eq!(log.take(), ["chat"]);
    let stats = dispatcher.stats();
    assert_eq!((stats.handled, stats.called), (2, 1));
    Ok(())
}

#[test]
fn s37_stop_handles_what_is_queued_and_waits_for_running_handlers() {
    watched(|| {
        let (log, bus, handlers) = (Log::default(), Bus::new(), Handlers::new());
        let (came, entered) = crossbeam_channel::bounded(0);
        let (leave, may_leave) = crossbeam_channel::bounded(0);
        handlers.on("first").once().call(move |_| {
            came.send(()).unwrap();
            may_leave.recv().unwrap();
        })?;
        handlers.on("**").call(log.line("called"))?;
        let dispatcher = Arc::new(dispatcher(&bus, &handlers)?);
        dispatcher.start()?;
        bus.emit("first", 1)?;
        entered.recv().unwrap();
        bus.emit("second", 2)?;

        let stopping = {
            let dispatcher = Arc::clone(&dispatcher);
            thread::spawn(move || dispatcher.stop(Drain::All))
        };
        while dispatcher.is_running() {
            thread::yield_now();
        }
        // Too late for this stop.
        bus.emit("third", 3)?;
        assert_eq!(log.take(), [""; 0]);
        leave.send(()).unwrap();
        let stopped = stopping.join().unwrap()?;
        assert_eq!((log.take().len(), stopped.left), (2, 1));
        assert_eq!(dispatcher.stats().queued, 1);
        Ok::<(), chanbus::Error>(())
    })
    .unwrap();
}

#[test]
fn s37_a_stop_gives_up_at_its_deadline_and_names_who_is_stuck() {
    watched(|| {
        let (bus, handlers) = (Bus::new(), Handlers::new());
        let (came, entered) = crossbeam_channel::bounded(0);
        let (leave, may_leave) = crossbeam_channel::bounded::<()>(0);
        handlers.on("a").name("stuck").call(move |_| {
            came.send(()).unwrap();
            assert!(may_leave.recv().is_err());
        })?;
        let dispatcher = dispatcher(&bus, &handlers)?;
        dispatcher.start()?;
        bus.emit("a", 1)?;
        entered.recv().unwrap();
        bus.emit("a", 2)?;
        let gave_up = dispatcher
            .stop(Drain::Within(Duration::from_millis(1)))
            .unwrap_err();
        assert_eq!((gave_up.stuck.len(), gave_up.left), (1, 1));
        assert_eq!(gave_up.stuck[0].name.as_deref(), Some("stuck"));
        assert!(!dispatcher.stats().running);
        assert_eq!(dispatcher.stats().stuck, 1);
        drop(leave);
        Ok::<(), chanbus::Error>(())
    })
    .unwrap();
}

#[test]
fn s38_a_stopped_dispatcher_starts_again_and_loses_nothing() -> Done {
    let (log, bus, handlers) = (Log::default(), Bus::new(), Handlers::new());
    handlers.on("one").call(log.line("one"))?;
    handlers.on("two").call(log.line("two"))?;
    let dispatcher = dispatcher(&bus, &handlers)?;
    for _ in 0..3 {
        dispatcher.start()?;
        bus.emit("one", 1)?;
        dispatcher.stop(Drain::All)?;
        assert_eq!(log.take(), ["one"]);
        bus.emit("two", 2)?;
        dispatcher.start()?;
        dispatcher.stop(Drain::All)?;
        assert_eq!(log.take(), ["two"]);
    }
    assert_eq!(dispatcher.stats().handled, 6);
    // After the bus has closed there is nothing to start for.
    bus.close();
    assert_eq!(dispatcher.start(), Err(StartError::Closed));
    Ok(())
}

/// The documented timing example, with its own threshold.
#[test]
fn s66_a_slow_dispatch_shows_in_the_statistics() -> Done {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    let limit = Duration::from_millis(100);
    handlers
        .on("test.event")
        .name("slow")
        .call(move |_| thread::sleep(limit + limit / 10))?;
    let dispatcher = dispatcher(&bus, &handlers)?;
    let is_slow = || dispatcher.stats().dispatch.mean() > limit;
    assert!(!is_slow());
    dispatcher.start()?;
    bus.emit("test.event", 1)?;
    dispatcher.stop(Drain::All)?;
    assert!(is_slow());
    // Which handler it is, is told by the handler's own times.
    let slowest = handlers
        .list()
        .into_iter()
        .max_by_key(|handler| handler.mean);
    assert_eq!(slowest.unwrap().name.as_deref(), Some("slow"));
    // Events of an emitter are not among a dispatcher's times.
    assert_eq!(Emitter::inline(&handlers).emit("other", 2)?.matched, 0);
    assert_eq!(dispatcher.stats().dispatch.count(), 1);
    Ok(())
}
