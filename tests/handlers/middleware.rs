//! H5 and H6: filters, and middleware.

use chanbus::{Bus, Dispatcher, Drain, Emitter, Event, FailurePlace, Handlers};

use super::common::guarded;
use super::{Done, Log};

#[test]
fn h5_all_filters_must_pass_and_no_further_one_is_asked() -> Done {
    let (handlers, log) = (Handlers::<u32>::new(), Log::new());
    let filter = |bit: u32| {
        let log = log.clone();
        move |event: &Event<u32>| {
            log.add(bit.to_string());
            event.payload() & bit > 0
        }
    };
    let three = handlers
        .on("a")
        .filter(filter(1))
        .filter(filter(2))
        .filter(filter(4));
    let id = three.call(log.says("called"))?;
    for (payload, wanted) in [
        (7, vec!["1", "2", "4", "called"]),
        (3, vec!["1", "2", "4"]),
        (5, vec!["1", "2"]),
        (6, vec!["1"]),
    ] {
        let report = Emitter::inline(&handlers).emit("a", payload)?;
        assert_eq!(report.called + report.skipped, 1);
        assert_eq!(log.take(), wanted);
    }
    let info = handlers.get(id).unwrap();
    assert_eq!((info.called, info.skipped, info.failed), (1, 3, 0));
    Ok(())
}

#[test]
fn h5_a_filter_that_panics_skips_its_handler_and_is_reported() -> Done {
    let (handlers, log) = (Handlers::<u32>::new(), Log::new());
    let id = handlers
        .on("a")
        .name("x")
        .filter(|_| panic!("filter"))
        .call(log.says("never"))?;
    handlers.on("a").call(log.says("sibling"))?;
    let report = Emitter::inline(&handlers).emit("a", 1)?;
    assert_eq!((report.called, report.skipped, report.failed), (1, 1, 1));
    assert_eq!(report.errors[0].place(), FailurePlace::Filter);
    assert_eq!(
        (report.errors[0].handler(), report.errors[0].id()),
        (Some("x"), Some(id))
    );
    assert!(report.errors[0].is_panic());
    assert_eq!(log.take(), ["sibling"]);
    Ok(())
}

#[test]
fn h6_middleware_runs_in_order_of_registration_before_any_handler_in_emitter_and_dispatcher() -> Done
{
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        handlers
            .on("**")
            .priority(i32::MIN)
            .call(log.says("handler"))?;
        let pass = |name: &'static str| {
            let log = log.clone();
            handlers.middleware(move |event| {
                log.add(name);
                Some(event)
            })
        };
        let (one, two, three) = (pass("1"), pass("2"), pass("3"));
        assert!(Emitter::inline(&handlers).emit("a", 1)?.is_ok());
        assert_eq!(log.take(), ["1", "2", "3", "handler"]);
        drop(two);
        let bus = Bus::new();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        bus.emit("a", 1)?;
        dispatcher.stop(Drain::All)?;
        assert_eq!(log.take(), ["1", "3", "handler"]);
        drop((one, three));
        assert!(Emitter::inline(&handlers).emit("a", 1)?.is_ok());
        assert_eq!(log.take(), ["handler"]);
        Ok(())
    })
}

#[test]
fn h6_a_changed_topic_is_routed_anew_and_later_middleware_sees_what_earlier_made() -> Done {
    let (handlers, log) = (Handlers::<u32>::new(), Log::new());
    handlers.on("old").call(log.says("old"))?;
    let said = log.clone();
    handlers
        .on("new")
        .call(move |event| said.add(format!("new {}", event.payload())))?;
    let one = handlers.middleware(|event| Event::new("new", event.payload() * 2).ok());
    let two = handlers.middleware(|event| {
        assert_eq!(event.topic(), "new");
        Some(event.map_payload(|n| n + 1))
    });
    assert_eq!(Emitter::inline(&handlers).emit("old", 7)?.called, 1);
    assert_eq!(log.take(), ["new 15"]);
    drop((one, two));
    Ok(())
}

#[test]
fn h6_blocked_events_are_counted_and_a_panic_blocks_and_is_reported() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        handlers.on("**").call(log.says("handler"))?;
        let later = log.clone();
        let guards = [
            handlers.middleware(|event| (*event.payload() != 1).then_some(event)),
            handlers.middleware(|event| {
                assert_ne!(*event.payload(), 2, "no twos");
                Some(event)
            }),
            handlers.middleware(move |event| {
                later.add("later");
                Some(event)
            }),
        ];
        let emitter = Emitter::inline(&handlers);
        let report = emitter.emit("a", 1)?;
        assert!(report.blocked && report.is_ok());
        assert_eq!((report.matched, report.called), (0, 0));
        let report = emitter.emit("a", 2)?;
        assert!(report.blocked);
        let failure = &report.errors[0];
        assert_eq!(
            (report.failed, failure.place(), failure.id()),
            (1, FailurePlace::Middleware, None)
        );
        assert!(failure.to_string().contains("no twos"));
        assert_eq!(log.take(), [""; 0]);
        assert_eq!(emitter.emit("a", 3)?.called, 1);
        assert_eq!(log.take(), ["later", "handler"]);
        let stats = handlers.stats();
        assert_eq!(
            (stats.blocked, stats.failed, stats.called, stats.events),
            (2, 1, 1, 3)
        );
        let bus = Bus::new();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        for n in [1, 2, 3] {
            bus.emit("a", n)?;
        }
        dispatcher.stop(Drain::All)?;
        let stats = dispatcher.stats();
        assert_eq!(
            (stats.handled, stats.blocked, stats.called, stats.failed),
            (3, 2, 1, 1)
        );
        drop(guards);
        Ok(())
    })
}
