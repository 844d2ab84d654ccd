//! StarStreamer's `EventBus`: the rows about emitting to handlers, and from them.

use std::sync::Arc;

use chanbus::{
    Bus, Dispatcher, Drain, EmitError, Emitter, Event, Flow, Handlers, Value, global,
    global_handlers, global_or_default,
};
use futures_lite::future::{block_on, yield_now};

use super::starstreamer_handlers::{Chat, HELLO};
use super::watch::watched;
use super::{Done, Log};

#[test]
fn s3_an_event_is_emitted_by_type_and_data() -> Done {
    let (log, bus) = (Log::default(), Bus::new());
    let handlers = Handlers::new();
    let own = log.clone();
    handlers.on("twitch.**").call(move |event: &Event<Chat>| {
        let chat = event.payload();
        own.write(format!(
            "{} {}: {}",
            event.topic(),
            chat.username,
            chat.message
        ));
    })?;

    assert!(
        Emitter::inline(&handlers)
            .emit("twitch.chat.message", HELLO)?
            .is_ok()
    );
    let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    dispatcher.start()?;
    assert_eq!(bus.emit("twitch.chat.message", HELLO)?.delivered, 1);
    dispatcher.stop(Drain::All)?;
    assert_eq!(log.take(), ["twitch.chat.message viewer: Hello world!"; 2]);
    Ok(())
}

#[test]
fn s4_an_awaited_emit_returns_after_the_handlers_ran() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    let own = log.clone();
    handlers
        .on("test.event")
        .name("slow")
        .handle_async(move |_, _| {
            let log = own.clone();
            async move {
                for _ in 0..10 {
                    yield_now().await;
                }
                log.write("slow");
                Ok(Flow::Continue)
            }
        })?;
    handlers.on("test.event").call(log.line("quick"))?;
    let emitter = Emitter::inline(&handlers);
    block_on(async {
        let emit = emitter.emit_async("test.event", 7);
        assert_eq!(log.take(), [""; 0], "nothing runs before it is polled");
        let report = emit.await?;
        // Asserted at once, as the documented test does.
        assert_eq!(log.take(), ["slow", "quick"]);
        assert_eq!((report.matched, report.called), (2, 2));
        Ok(())
    })
}

/// The same where an emit that blocked its thread would wait for ever.
#[cfg(feature = "tokio")]
#[tokio::test(flavor = "current_thread")]
async fn s4_an_awaited_emit_suits_a_runtime_of_one_thread() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    let own = log.clone();
    handlers.on("test.event").handle_async(move |_, _| {
        let log = own.clone();
        async move {
            tokio::task::yield_now().await;
            log.write("done");
            Ok(Flow::Continue)
        }
    })?;
    let emitter = Emitter::tokio(&handlers);
    assert_eq!(emitter.emit_async("test.event", 1).await?.called, 1);
    assert_eq!(log.take(), ["done"]);
    // The plain emit says that it would hang, and gives the payload back.
    let refused = emitter.emit("test.event", 2).unwrap_err();
    assert!(matches!(refused, EmitError::WouldBlock { payload: 2, .. }));
    Ok(())
}

#[test]
fn s4_a_stop_can_be_awaited_too() -> Done {
    let (log, bus, handlers) = (Log::default(), Bus::new(), Handlers::new());
    handlers.on("**").call(log.line("called"))?;
    let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    dispatcher.start()?;
    bus.emit("test.event", ())?;
    let stopped = block_on(dispatcher.stop_async(Drain::All))?;
    assert_eq!((stopped.left, log.take()), (0, vec!["called".to_owned()]));
    Ok(())
}

#[test]
fn s5_a_source_is_given_by_one_draft_wherever_the_event_is_emitted() -> Done {
    let (log, bus, handlers) = (Log::default(), Bus::new(), Handlers::new());
    let own = log.clone();
    handlers.on("**").call(move |event: &Event<u32>| {
        let trace = event.metadata("trace").and_then(Value::as_i64);
        own.write(format!(
            "{} {} {trace:?}",
            event.topic(),
            event.source_or_unknown()
        ));
    })?;
    handlers.on("first").handle(|_, ctx| {
        ctx.event("second", 2)
            .source("handler")
            .metadata("trace", 2)
            .emit()?;
        Ok(Flow::Continue)
    })?;

    let emitter = Emitter::inline(&handlers);
    assert!(
        emitter
            .event("custom.alert", 1)
            .source("custom")
            .metadata("trace", 1)
            .emit()?
            .is_ok()
    );
    assert!(emitter.emit("first", 1)?.is_ok());
    assert_eq!(
        log.take(),
        [
            "custom.alert custom Some(1)",
            "first unknown None",
            "second handler Some(2)"
        ]
    );

    let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    dispatcher.start()?;
    bus.publisher("third")?.with_source("obs").emit(3)?;
    dispatcher.stop(Drain::All)?;
    assert_eq!(log.take(), ["third obs None"]);
    Ok(())
}

#[test]
fn s7_an_emit_returns_what_it_did() -> Done {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    handlers.on("a").call(|_| {})?;
    handlers.on("a").handle(|_, _| Err("no".into()))?;
    let report = Emitter::inline(&handlers).emit("a", ())?;
    assert_eq!((report.matched, report.called, report.failed), (2, 2, 1));
    let emitted = bus.emit("a", ())?;
    assert_eq!((emitted.matched, emitted.delivered), (0, 0));
    Ok(())
}

/// The documented basic usage, by what the whole process shares.
#[test]
fn s67_the_global_bus_feeds_the_global_handlers() -> Done {
    // A payload type of its own: no other test sees its bus and its registry.
    struct Own(Chat);
    let log = Log::default();
    let own = log.clone();
    global_handlers::<Own>()
        .on("twitch.chat.message")
        .call(move |event| {
            own.write(format!("Chat: {}", event.payload().0.message));
        })?;
    let bus = global_or_default::<Own>();
    let dispatcher = Dispatcher::builder(&bus, &global_handlers()).build()?;
    dispatcher.start()?;
    bus.emit("twitch.chat.message", Own(HELLO))?;
    dispatcher.stop(Drain::All)?;
    assert_eq!(log.take(), ["Chat: Hello world!"]);
    Ok(())
}

/// The documented custom chain.
#[test]
fn s68_a_handler_emits_and_the_next_event_knows_its_cause() -> Done {
    let (log, bus, handlers) = (Log::default(), Bus::new(), Handlers::new());
    handlers
        .on("twitch.follow")
        .handle(|event: &Event<&str>, ctx| {
            ctx.emit("celebration.start", *event.payload())?;
            Ok(Flow::Continue)
        })?;
    let own = log.clone();
    handlers.on("celebration.start").call(move |event| {
        let cause = event.cause().unwrap().topic();
        own.write(format!("Celebrating {cause} from {}", event.payload()));
    })?;

    assert!(
        Emitter::inline(&handlers)
            .emit("twitch.follow", "viewer123")?
            .is_ok()
    );
    assert_eq!(log.take(), ["Celebrating twitch.follow from viewer123"]);

    // A dispatcher's handlers emit on its bus, where others hear it too.
    let celebrations = bus.subscribe("celebration.*")?;
    let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    dispatcher.start()?;
    bus.emit("twitch.follow", "viewer124")?;
    assert_eq!(*celebrations.recv()?.payload(), "viewer124");
    dispatcher.stop(Drain::All)?;
    assert_eq!(log.take(), ["Celebrating twitch.follow from viewer124"]);
    Ok(())
}

#[test]
fn s69_an_emit_through_the_global_bus_inside_a_handler_carries_the_cause() {
    struct Own;
    watched(|| {
        let handlers = Handlers::<Own>::new();
        // A circle of two, which looks like no circle to either.
        for (from, to) in [("follow", "celebration"), ("celebration", "follow")] {
            handlers.on(from).name(from).handle(move |_, _| {
                global::<Own>().ok_or("no bus")?.emit(to, Own)?;
                Ok(Flow::Continue)
            })?;
        }
        let bus = Bus::<Own>::builder().max_chain(4).build()?;
        assert!(chanbus::set_global(bus.clone()).is_none());
        let events = bus.subscribe_all()?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        bus.emit("follow", Own)?;
        // It ends: the emit that goes beyond the limit is an error of its handler.
        let topics: Vec<_> = (0..5).map(|_| events.recv().unwrap()).collect();
        while handlers.stats().failed == 0 {
            std::thread::yield_now();
        }
        dispatcher.stop(Drain::All)?;
        assert!(events.is_empty());
        let last = topics[4].cause().unwrap();
        assert_eq!((last.topic().as_str(), last.depth()), ("celebration", 4));
        let failure = &handlers.last_failures()[0];
        assert!(matches!(
            failure.downcast_ref::<EmitError<Own>>(),
            Some(EmitError::ChainTooDeep { limit: 4, .. })
        ));
        drop(chanbus::take_global::<Own>());
        Ok::<(), chanbus::Error>(())
    })
    .unwrap();
}

/// The documented test of a program that handles events.
#[test]
fn s70_a_test_emits_and_asserts_at_once() -> Done {
    let received = Arc::new(std::sync::Mutex::new(Vec::new()));
    let handlers = Handlers::new();
    let own = Arc::clone(&received);
    handlers.on("test.event").call(move |event: &Event<&str>| {
        own.lock().unwrap().push(event.clone());
    })?;
    assert!(
        Emitter::inline(&handlers)
            .emit("test.event", "data")?
            .is_ok()
    );
    let received = received.lock().unwrap();
    assert_eq!(received.len(), 1);
    assert_eq!(*received[0].payload(), "data");
    Ok(())
}
