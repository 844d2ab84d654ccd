//! StarStreamer's `EventBus`: the rows about registering handlers.

use chanbus::{
    Bus, Context, Dispatcher, Drain, Emitter, Event, Flow, Handlers, Inline, PatternsError,
    Priority,
};
use futures_lite::future::yield_now;

use super::{Done, Log};

pub(super) struct Chat {
    pub(super) username: &'static str,
    pub(super) message: &'static str,
}

pub(super) const HELLO: Chat = Chat {
    username: "viewer",
    message: "Hello world!",
};

#[test]
fn s1_an_emitter_and_a_dispatcher_are_made_with_a_registry() -> Done {
    let (log, bus) = (Log::default(), Bus::new());
    let handlers = Handlers::new();
    handlers.on("test.event").call(log.line("called"))?;

    let emitter = Emitter::new(&handlers, Inline);
    let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    assert!(emitter.handlers().same_registry(&handlers));
    assert!(dispatcher.handlers().same_registry(&handlers));

    assert_eq!(emitter.emit("test.event", 1)?.called, 1);
    dispatcher.start()?;
    bus.emit("test.event", 2)?;
    dispatcher.stop(Drain::All)?;
    assert_eq!(log.take(), ["called", "called"]);
    Ok(())
}

#[test]
fn s2_a_bus_a_registry_and_an_emitter_need_no_arguments() -> Done {
    let (bus, handlers) = (Bus::<u32>::new(), Handlers::<u32>::new());
    assert_eq!((bus.subscriber_count(), handlers.len()), (0, 0));

    let emitter = Emitter::with_executor(Inline);
    emitter
        .handlers()
        .on("test.event")
        .call(|_: &Event<u32>| {})?;
    assert_eq!(emitter.emit("test.event", 7)?.called, 1);
    // Its registry is its own.
    assert!(handlers.is_empty());
    Ok(())
}

/// The documented example of `register_handler`.
#[test]
fn s9_a_handler_is_registered_for_a_pattern() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    let own = log.clone();
    handlers
        .on("twitch.chat.message")
        .handle(move |event: &Event<Chat>, _| {
            own.write(format!("Got event: {}", event.topic()));
            Ok(Flow::Continue)
        })?;
    handlers.on("twitch.*").call(log.line("one segment"))?;
    let emitter = Emitter::inline(&handlers);
    assert_eq!(emitter.emit("twitch.chat.message", HELLO)?.called, 1);
    assert_eq!(emitter.emit("twitch.follow", HELLO)?.called, 1);
    assert_eq!(
        log.take(),
        ["Got event: twitch.chat.message", "one segment"]
    );
    Ok(())
}

#[test]
fn s10_an_async_handler_owns_its_event() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    let own = log.clone();
    handlers
        .on("twitch.chat.message")
        .handle_async(move |event: Event<Chat>, ctx| {
            let log = own.clone();
            async move {
                yield_now().await;
                log.write(format!("{} {}", ctx.topic(), event.payload().message));
                Ok(Flow::Continue)
            }
        })?;
    assert_eq!(
        Emitter::blocking(&handlers)
            .emit("twitch.chat.message", HELLO)?
            .called,
        1
    );
    assert_eq!(log.take(), ["twitch.chat.message Hello world!"]);
    Ok(())
}

#[test]
fn s11_all_filters_of_a_handler_must_pass() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    handlers
        .on("n")
        .filter(|event: &Event<u32>| *event.payload() > 10)
        .filter(|event| event.payload().is_multiple_of(2))
        .call(log.line("called"))?;
    let emitter = Emitter::inline(&handlers);
    for (n, called) in [(7, 0), (8, 0), (13, 0), (14, 1)] {
        let report = emitter.emit("n", n)?;
        assert_eq!((report.called, report.skipped), (called, 1 - called), "{n}");
    }
    assert_eq!(log.take(), ["called"]);
    Ok(())
}

#[test]
fn s12_without_filters_a_handler_gets_every_matching_event() -> Done {
    let handlers = Handlers::new();
    let id = handlers.on("n").call(|_| {})?;
    assert_eq!(handlers.get(id).unwrap().filters, 0);
    let emitter = Emitter::inline(&handlers);
    for n in 0..3 {
        assert_eq!(emitter.emit("n", n)?.called, 1);
    }
    Ok(())
}

#[test]
fn s13_lower_priorities_are_called_first() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    for (priority, line) in [(9, "last"), (-1, "first"), (5, "middle"), (100, "beyond")] {
        handlers.on("a").priority(priority).call(log.line(line))?;
    }
    assert!(Emitter::inline(&handlers).emit("a", ())?.is_ok());
    assert_eq!(log.take(), ["first", "middle", "last", "beyond"]);
    Ok(())
}

#[test]
fn s14_the_default_priority_is_5() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    handlers.on("a").priority(6).call(log.line("six"))?;
    let id = handlers.on("a").call(log.line("default"))?;
    handlers.on("a").priority(4).call(log.line("four"))?;
    assert_eq!(handlers.get(id).unwrap().priority, Priority::from(5));
    assert!(Emitter::inline(&handlers).emit("a", ())?.is_ok());
    assert_eq!(log.take(), ["four", "default", "six"]);
    Ok(())
}

#[test]
fn s15_one_pattern_of_one_handler_is_unregistered() -> Done {
    let handlers = Handlers::new();
    let both = handlers.on(["a.*", "b"]).call(|_| {})?;
    let other = handlers.on("a.*").name("other").call(|_| {})?;
    let emitter = Emitter::inline(&handlers);

    assert!(handlers.off(both, "a.*"));
    assert!(!handlers.off(both, "a.*"), "it was taken away already");
    assert!(!handlers.off(other, "b"), "it never had it");
    assert_eq!(emitter.emit("a.x", ())?.called, 1);
    assert_eq!(emitter.emit("b", ())?.called, 1);

    assert_eq!(handlers.remove_named("other"), 1);
    assert_eq!(handlers.remove_named("other"), 0);
    assert_eq!(emitter.emit("a.x", ())?.matched, 0);
    assert!(handlers.remove(both));
    assert!(!handlers.remove(both) && !handlers.off(both, "b"));
    assert!(handlers.is_empty());
    Ok(())
}

/// The documented examples of wildcards: what they call `register` is `on`.
#[test]
fn s62_registering_is_spelled_on() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    handlers.on("twitch.**").call(log.line("twitch"))?;
    handlers.on("*.chat.message").call(log.line("chat"))?;
    handlers.on("**").call(log.line("universal"))?;
    let emitter = Emitter::inline(&handlers);
    let called = |topic| -> Result<Vec<String>, chanbus::Error> {
        assert!(emitter.emit(topic, HELLO)?.is_ok());
        Ok(log.take())
    };
    assert_eq!(
        called("twitch.chat.message")?,
        ["twitch", "chat", "universal"]
    );
    assert_eq!(called("twitch.follow")?, ["twitch", "universal"]);
    assert_eq!(called("youtube.chat.message")?, ["chat", "universal"]);
    assert_eq!(called("obs.scene")?, ["universal"]);
    Ok(())
}

/// What the decorator does there, a plain function per module does here; handlers are functions.
mod decorated {
    use super::{Chat, Context, Event, Flow, Handlers, Log, PatternsError};

    fn on_message(event: &Event<Chat>, ctx: &Context<Chat>) -> Result<Flow, chanbus::BoxError> {
        let line = format!("{}: {}", event.payload().username, event.payload().message);
        ctx.service::<Log>()?.write(line);
        Ok(Flow::Continue)
    }

    async fn on_follow(event: Event<Chat>, ctx: Context<Chat>) -> Result<Flow, chanbus::BoxError> {
        ctx.service::<Log>()?
            .write(format!("{} follows", event.payload().username));
        Ok(Flow::Continue)
    }

    fn on_all(event: &Event<Chat>) {
        assert!(event.topic().starts_with("twitch."));
    }

    pub(super) fn register(handlers: &Handlers<Chat>) -> Result<(), PatternsError> {
        chanbus::on!(handlers, "twitch.chat.message").handle(on_message)?;
        chanbus::on!(handlers, "twitch.follow").handle_async(on_follow)?;
        chanbus::on!(handlers, "**").call(on_all)?;
        Ok(())
    }
}

#[test]
fn s63_a_function_per_module_registers_functions_as_handlers() -> Done {
    let log = Log::default();
    let handlers = Handlers::with_services(&chanbus::Services::new().with(log.clone()));
    decorated::register(&handlers)?;
    let emitter = Emitter::blocking(&handlers);
    assert_eq!(
        emitter
            .emit("twitch.chat.message", HELLO)?
            .into_result()
            .unwrap()
            .called,
        2
    );
    assert_eq!(
        emitter
            .emit("twitch.follow", HELLO)?
            .into_result()
            .unwrap()
            .called,
        2
    );
    assert_eq!(log.take(), ["viewer: Hello world!", "viewer follows"]);
    Ok(())
}
