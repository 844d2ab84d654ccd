//! The rows of `docs/features.md` about debugging, whose output goes to `tracing`.
//!
//! A binary of its own: the switch for all, and who listens to `tracing`, are the process's.
#![cfg(feature = "tracing")]

use std::fmt::{Debug, Write};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use chanbus::{
    Bus, Dispatcher, Drain, Emitter, Event, Handlers, Priority, global_handlers, set_debug,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

type Done = Result<(), chanbus::Error>;

/// What was traced, with its level: the message, then its fields.
static SEEN: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

fn all_seen() -> MutexGuard<'static, Vec<(Level, String)>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens for the whole process.
struct Capture;

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "chanbus::handlers"
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let seen = (*event.metadata().level(), line.message + &line.fields);
        all_seen().push(seen);
    }

    // The crate has no spans.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            let _ = write!(self.fields, " {}={value:?}", field.name());
        }
    }
}

/// One test at a time, as the switch for all is one; it is back at its default when this goes.
struct Alone(#[allow(dead_code)] MutexGuard<'static, ()>);

impl Alone {
    fn begin() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        static LISTEN: Once = Once::new();
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        LISTEN.call_once(|| {
            let listens = tracing::subscriber::set_global_default(Capture);
            assert!(listens.is_ok(), "nobody else is here to listen");
        });
        set_debug(None);
        all_seen().clear();
        Alone(turn)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        set_debug(None);
    }
}

/// What was traced since it was last asked, at any level.
fn traced() -> Vec<(Level, String)> {
    std::mem::take(&mut *all_seen())
}

/// Of that, what is to be seen: at `DEBUG`, or graver.
fn visible() -> Vec<String> {
    let traced = traced().into_iter();
    let seen = traced.filter(|(level, _)| *level <= Level::DEBUG);
    seen.map(|(_, line)| line).collect()
}

/// Whether the lines are so many, and contain these texts, one each.
#[track_caller]
fn assert_lines(lines: &[String], parts: &[&str]) {
    assert_eq!(lines.len(), parts.len(), "{lines:#?}");
    for (line, part) in lines.iter().zip(parts) {
        assert!(line.contains(part), "no {part:?} in {lines:#?}");
    }
}

/// A registry with one handler that was not traced.
fn quiet() -> Result<Handlers<&'static str>, chanbus::Error> {
    let handlers = Handlers::new();
    handlers
        .on("MyEvent")
        .name("print")
        .call(|_: &Event<&str>| {})?;
    traced();
    Ok(handlers)
}

const HELLO: &str = "Hello, World!";

#[test]
fn y24_debugging_shows_the_way_of_each_event() -> Done {
    let _alone = Alone::begin();
    let handlers = Handlers::new();
    handlers
        .on("a")
        .name("picky")
        .filter(|n: &Event<u32>| *n.payload() > 9)
        .call(|_| {})?;
    handlers
        .on("a")
        .name("fails")
        .handle(|_, _| Err("disk full".into()))?;
    handlers
        .on("a")
        .name("once")
        .once()
        .priority(Priority::LOW)
        .call(|_| {})?;
    handlers
        .on("plain")
        .name("panics")
        .call(|_| panic!("oh no"))?;
    handlers.on_error(|_| {}).keep();
    handlers
        .middleware(|event| (event.topic() != "blocked").then_some(event))
        .keep();
    traced();
    let emitter = Emitter::inline(&handlers).debug(true);

    assert_eq!(emitter.emit("a", 7)?.failed, 1);
    let lines = visible();
    assert_lines(
        &lines,
        &[
            "a handler is skipped topic=a",
            "a handler is called topic=a",
            "`fails`",
            "the one call of a handler was claimed",
            "a handler is called topic=a",
            "an event came to its end topic=a matched=3 called=2 failed=1 skipped=1",
        ],
    );
    for (line, part) in [(0, "picky"), (1, "fails"), (2, "disk full"), (4, "once")] {
        assert!(lines[line].contains(part), "{lines:#?}");
    }
    // The shortest way is shown as well.
    assert_eq!(emitter.emit("plain", 7)?.failed, 1);
    assert_lines(
        &visible(),
        &["is called topic=plain", "oh no", "its end topic=plain"],
    );
    // So is why nobody was called.
    assert_eq!(emitter.emit("nobody", 7)?.matched, 0);
    assert_lines(&visible(), &["topic=nobody matched=0"]);
    assert!(emitter.emit("blocked", 7)?.blocked);
    assert_lines(&visible(), &["middleware blocked an event topic=blocked"]);
    Ok(())
}

#[test]
fn y25_the_switch_for_all_can_be_turned_at_run_time() -> Done {
    let _alone = Alone::begin();
    let emitter = Emitter::inline(&quiet()?);
    for (on, lines) in [(true, 2), (false, 0), (true, 2)] {
        set_debug(Some(on));
        assert_eq!(emitter.is_debug(), on);
        assert!(emitter.emit("MyEvent", HELLO)?.is_ok());
        assert_eq!(visible().len(), lines);
    }
    // Switched off it is still traced, for those who look deeper.
    set_debug(Some(false));
    assert!(emitter.emit("MyEvent", HELLO)?.is_ok());
    let levels: Vec<Level> = traced().into_iter().map(|(level, _)| level).collect();
    assert_eq!(levels, [Level::TRACE; 2]);
    Ok(())
}

#[test]
fn y26_the_instance_comes_before_all_and_all_before_the_default() {
    let _alone = Alone::begin();
    let handlers = Handlers::<u32>::new();
    let untold = Emitter::inline(&handlers);
    let (on, off) = (untold.clone().debug(true), untold.clone().debug(false));
    for all in [Some(true), Some(false), None] {
        set_debug(all);
        assert_eq!(untold.is_debug(), all.unwrap_or(cfg!(debug_assertions)));
        assert!(on.is_debug() && !off.is_debug());
        // Between them stands the registry that the emitter serves.
        for registry in [true, false] {
            handlers.debug(registry);
            assert_eq!(untold.is_debug(), registry);
            assert!(on.is_debug() && !off.is_debug());
        }
        handlers.debug(None);
    }
}

#[test]
fn y27_the_switch_of_a_registry_shows_who_comes_and_goes() -> Done {
    let _alone = Alone::begin();
    set_debug(Some(false));
    let handlers = Handlers::<u32>::new();
    let act = || -> Done {
        let id = handlers.on(["a", "b", "c"]).name("x").call(|_| {})?;
        handlers.off(id, "a");
        handlers.remove_pattern("b");
        handlers.remove(id);
        drop(handlers.guard(handlers.on("a").call(|_| {})?));
        handlers.replace_group("chat", |handlers| {
            handlers.on("a").once().call(|_| {}).map(drop)
        })?;
        assert!(Emitter::inline(&handlers).emit("a", 7)?.is_ok());
        assert_eq!(
            handlers.remove_group("chat") + handlers.remove_named("x"),
            0
        );
        assert_eq!(handlers.remove_module("x") + handlers.clear(), 0);
        Ok(())
    };
    act()?;
    assert_eq!(visible(), [""; 0]);
    handlers.debug(true);
    act()?;
    assert_lines(
        &visible(),
        &[
            "a handler was registered",
            "patterns of a handler were removed",
            "patterns were removed",
            "a handler was removed",
            "a handler was registered",
            "removed by its guard",
            "a handler was registered",
            "a group was replaced",
            "was claimed",
            "is called topic=a",
            "its end topic=a",
            "a group of handlers was removed",
            "removed by name",
            "of a module were removed",
            "all handlers were removed",
        ],
    );
    // Another registry is not concerned.
    assert!(Emitter::inline(&quiet()?).emit("MyEvent", HELLO)?.is_ok());
    assert_eq!(visible(), [""; 0]);
    Ok(())
}

/// The registry of the process has the switch as well; a dispatcher that was not told follows it.
#[test]
fn y27_emitters_and_dispatchers_follow_their_registry() -> Done {
    struct Own;
    let _alone = Alone::begin();
    set_debug(Some(false));
    let (bus, handlers) = (Bus::new(), global_handlers::<Own>());
    handlers.on("MyEvent").call(|_| {})?;
    // What the registry says as they are made does not stick to them.
    handlers.debug(false);
    let emitter = Emitter::inline(&handlers);
    let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    for on in [false, true, false] {
        global_handlers::<Own>().debug(on);
        assert!(emitter.emit("MyEvent", Own)?.is_ok());
        assert_eq!(visible().len(), if on { 2 } else { 0 });
        dispatcher.start()?;
        bus.emit("MyEvent", Own)?;
        dispatcher.stop(Drain::All)?;
        assert_eq!(visible().len(), if on { 2 } else { 0 });
    }
    Ok(())
}

/// The documented `AsyncIOEventEmitter(debug=True)`.
#[test]
fn y28_an_instance_can_be_debugged_alone() -> Done {
    let _alone = Alone::begin();
    set_debug(Some(false));
    let (handlers, bus) = (quiet()?, Bus::new());
    let shown = [
        "is called topic=MyEvent",
        "its end topic=MyEvent matched=1 called=1",
    ];
    assert!(Emitter::inline(&handlers).emit("MyEvent", HELLO)?.is_ok());
    assert_eq!(visible(), [""; 0]);
    assert!(
        Emitter::inline(&handlers)
            .debug(true)
            .emit("MyEvent", HELLO)?
            .is_ok()
    );
    assert_lines(&visible(), &shown);

    let dispatcher = Dispatcher::builder(&bus, &handlers).debug(true).build()?;
    dispatcher.start()?;
    bus.emit("MyEvent", HELLO)?;
    dispatcher.stop(Drain::All)?;
    assert_lines(&visible(), &shown);
    Ok(())
}

/// The documented `AsyncIOEventEmitter(debug=False)`.
#[test]
fn y29_an_instance_can_be_left_out() -> Done {
    let _alone = Alone::begin();
    set_debug(Some(true));
    let (handlers, bus) = (quiet()?, Bus::new());
    assert!(
        Emitter::inline(&handlers)
            .debug(false)
            .emit("MyEvent", HELLO)?
            .is_ok()
    );
    assert_eq!(visible(), [""; 0]);
    let dispatcher = Dispatcher::builder(&bus, &handlers).debug(false).build()?;
    dispatcher.start()?;
    bus.emit("MyEvent", HELLO)?;
    dispatcher.stop(Drain::All)?;
    assert_eq!(visible(), [""; 0]);
    assert!(Emitter::inline(&handlers).emit("MyEvent", HELLO)?.is_ok());
    assert_eq!(visible().len(), 2);
    Ok(())
}

/// A listener sees them by their target, with the event's topic and the handler's name as fields.
#[test]
fn y30_the_output_goes_to_tracing() -> Done {
    let _alone = Alone::begin();
    let emitter = Emitter::inline(&quiet()?).debug(true);
    assert!(emitter.emit("MyEvent", HELLO)?.is_ok());
    // `Capture` takes nothing but what has the target `chanbus::handlers`.
    let traced = traced();
    assert_eq!(traced.len(), 2);
    assert_eq!(traced[0].0, Level::DEBUG);
    for field in ["topic=MyEvent", "name=\"print\"", "id="] {
        assert!(traced[0].1.contains(field), "{traced:?}");
    }
    Ok(())
}

#[test]
fn s29_failures_that_no_error_handler_hears_of_are_logged_as_errors() -> Done {
    let _alone = Alone::begin();
    set_debug(Some(false));
    let handlers = Handlers::new();
    handlers
        .on("test.event")
        .name("failing")
        .handle(|_, _| Err("This handler fails".into()))?;
    handlers.on("test.event").call(|_| {})?;
    let emitter = Emitter::inline(&handlers);
    let errors = || -> Result<Vec<String>, chanbus::Error> {
        traced();
        assert_eq!(emitter.emit("test.event", ())?.failed, 1);
        let traced = traced().into_iter();
        let errors = traced.filter(|(level, _)| *level == Level::ERROR);
        Ok(errors.map(|(_, line)| line).collect())
    };
    let logged = errors()?;
    assert_lines(&logged, &["This handler fails"]);
    assert!(
        logged[0].contains("`failing`") && logged[0].contains("test.event"),
        "{logged:?}"
    );
    // Who has an error handler decides what is logged.
    let guard = handlers.on_error(|_| {});
    assert_eq!(errors()?, [""; 0]);
    drop(guard);
    assert_eq!(errors()?.len(), 1);
    Ok(())
}

/// H3, H12: what is traced is shown by the user's code, which may panic.
#[test]
fn h12_an_error_that_panics_as_it_is_shown_throws_nothing_at_the_emitter() -> Done {
    let _alone = Alone::begin();

    #[derive(Debug)]
    struct Unspeakable;

    impl std::fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("it cannot be said")
        }
    }

    impl std::error::Error for Unspeakable {}

    let handlers = Handlers::new();
    handlers.on("a").handle(|_, _| Err(Unspeakable.into()))?;
    handlers.on("a").call(|_| {})?;
    let report = Emitter::inline(&handlers).debug(true).emit("a", ())?;
    assert_eq!((report.called, report.failed), (2, 1));
    let said = |(level, line): &(Level, String)| {
        *level == Level::ERROR && line.contains("cannot be shown")
    };
    assert!(all_seen().iter().any(said));
    Ok(())
}
