//! mtaio's events: the rows about objects that register handlers, and the documented programs.

use std::sync::{Arc, Mutex, Weak};

use chanbus::{
    Emitter, Event, Flow, HandlerGuards, HandlerId, Handlers, Inline, PatternsError, Priority,
    Syntax,
};
use futures_lite::future::block_on;

use super::{Done, Log};

/// The documented class: it registers its handlers itself, and they go with it.
#[test]
fn m38_an_objects_handlers_come_and_go_with_it() -> Done {
    struct UserEventHandlers {
        handled: Mutex<Vec<String>>,
        guards: Mutex<HandlerGuards>,
    }

    impl UserEventHandlers {
        fn new(handlers: &Handlers<&'static str>) -> Result<Arc<Self>, PatternsError> {
            let users = Arc::new(UserEventHandlers {
                handled: Mutex::default(),
                guards: Mutex::default(),
            });
            users.setup_handlers(handlers)?;
            Ok(users)
        }

        fn setup_handlers(
            self: &Arc<Self>,
            handlers: &Handlers<&'static str>,
        ) -> Result<(), PatternsError> {
            for topic in ["user.created", "user.updated"] {
                // A weak handle: a strong one would keep the object alive by its own handlers.
                let me: Weak<Self> = Arc::downgrade(self);
                let id = handlers.on(topic).group("users").call(move |event| {
                    if let Some(me) = me.upgrade() {
                        me.handle(event);
                    }
                })?;
                self.guards.lock().unwrap().push(handlers.guard(id));
            }
            Ok(())
        }

        fn handle(&self, event: &Event<&'static str>) {
            let line = format!("{} {}", event.topic(), event.payload());
            self.handled.lock().unwrap().push(line);
        }
    }

    let handlers = Handlers::new();
    let users = UserEventHandlers::new(&handlers)?;
    let emitter = Emitter::inline(&handlers);
    assert_eq!(emitter.emit("user.created", "Ada")?.called, 1);
    assert_eq!(emitter.emit("user.updated", "Ada")?.called, 1);
    assert_eq!(
        *users.handled.lock().unwrap(),
        ["user.created Ada", "user.updated Ada"]
    );
    assert_eq!(
        (
            users.guards.lock().unwrap().len(),
            handlers.group("users").len()
        ),
        (2, 2)
    );
    let watch = Arc::downgrade(&users);
    drop(users);
    assert_eq!((watch.strong_count(), handlers.len()), (0, 0));
    assert_eq!(emitter.emit("user.created", "Bob")?.matched, 0);
    Ok(())
}

#[test]
fn m39_a_listener_is_removed_from_one_event_or_from_all() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    let id = handlers.on(["a", "b", "c"]).call(log.line("called"))?;
    let emitter = Emitter::inline(&handlers);
    assert!(handlers.off(id, "a"));
    assert_eq!(emitter.emit("a", ())?.matched, 0);
    assert_eq!(emitter.emit("b", ())?.called, 1);
    let guard = handlers.guard(id);
    drop(guard);
    assert_eq!(emitter.emit("b", ())?.matched, 0);
    assert!(!handlers.off(id, "c") && !handlers.remove(id));
    assert_eq!(log.take(), ["called"]);
    Ok(())
}

/// The documented manager, which removes what it has registered, and nothing else.
#[test]
fn m40_a_manager_cleans_up_its_own_handlers() -> Done {
    struct EventManager {
        emitter: Emitter<()>,
        handlers: Vec<(&'static str, HandlerId)>,
    }

    impl EventManager {
        fn register_handler(
            &mut self,
            event: &'static str,
            handler: impl Fn(&Event<()>) + Send + Sync + 'static,
        ) -> Result<(), PatternsError> {
            let id = self.emitter.handlers().on(event).call(handler)?;
            self.handlers.push((event, id));
            Ok(())
        }

        fn cleanup(&mut self) -> usize {
            let handlers = self.emitter.handlers();
            let own = self.handlers.drain(..);
            own.filter(|(event, id)| handlers.off(*id, *event)).count()
        }
    }

    let mut manager = EventManager {
        emitter: Emitter::with_executor(Inline),
        handlers: Vec::new(),
    };
    let handlers = manager.emitter.handlers();
    let other = handlers.on("a").call(|_| {})?;
    manager.register_handler("a", |_| {})?;
    manager.register_handler("b", |_| {})?;
    assert_eq!(manager.emitter.emit("a", ())?.called, 2);
    assert_eq!((manager.cleanup(), manager.cleanup()), (2, 0));
    assert!(handlers.contains(other));
    assert_eq!(manager.emitter.emit("a", ())?.called, 1);

    // Shorter: a group, or guards.
    let own = handlers.in_group("manager");
    own.on("a").call(|_| {})?;
    own.on("b").call(|_| {})?;
    assert_eq!(handlers.remove_group("manager"), 2);
    let mut guards = HandlerGuards::new();
    guards.push(handlers.guard(handlers.on("b").call(|_| {})?));
    guards.clear();
    assert_eq!(handlers.len(), 1);
    Ok(())
}

/// The documented handler of critical events, which comes first wherever it was registered.
#[test]
fn m41_critical_events_are_handled_first() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    handlers.on("**").call(log.line("usual"))?;
    handlers
        .on("critical")
        .priority(Priority::HIGHEST)
        .call(log.line("critical"))?;
    assert!(Emitter::inline(&handlers).emit("critical", ())?.is_ok());
    assert_eq!(log.take(), ["critical", "usual"]);
    Ok(())
}

/// The documented data processor.
#[test]
fn m42_a_program_emits_its_start_its_result_and_its_error() -> Done {
    enum Step {
        Start(&'static str),
        Complete(u32),
        Error(std::num::ParseIntError),
    }

    struct DataProcessor {
        emitter: Emitter<Step>,
    }

    impl DataProcessor {
        async fn process(&self, data: &'static str) -> Done {
            let started = self
                .emitter
                .emit_async("process.start", Step::Start(data))
                .await?;
            assert_eq!(started.called, 1);
            let (topic, step) = match data.parse() {
                Ok(result) => ("process.complete", Step::Complete(result)),
                Err(error) => ("process.error", Step::Error(error)),
            };
            assert_eq!(self.emitter.emit_async(topic, step).await?.called, 1);
            Ok(())
        }
    }

    let log = Log::default();
    let processor = DataProcessor {
        emitter: Emitter::with_executor(Inline),
    };
    let own = log.clone();
    processor
        .emitter
        .handlers()
        .on("process.*")
        .call(move |event: &Event<Step>| {
            own.write(match event.payload() {
                Step::Start(data) => format!("{} {data}", event.topic()),
                Step::Complete(result) => format!("{} {result}", event.topic()),
                Step::Error(error) => format!("{} {error}", event.topic()),
            });
        })?;
    block_on(async {
        processor.process("42").await?;
        processor.process("x").await
    })?;
    assert_eq!(
        log.take(),
        [
            "process.start 42",
            "process.complete 42",
            "process.start x",
            "process.error invalid digit found in string",
        ]
    );
    Ok(())
}

/// The documented monitor, by the wildcard that it uses.
#[test]
fn m43_a_monitor_of_everything() -> Done {
    struct EventMonitor(Log);

    impl EventMonitor {
        fn watch(&self, handlers: &Handlers<u32>, pattern: &str) -> Result<(), PatternsError> {
            let log = self.0.clone();
            handlers
                .on(pattern)
                .priority(Priority::MONITOR)
                .call(move |event| {
                    log.write(format!(
                        "Event: {}, Data: {}",
                        event.topic(),
                        event.payload()
                    ));
                })?;
            Ok(())
        }
    }

    let monitor = EventMonitor(Log::default());
    let flat = Handlers::with_syntax(Syntax::Flat);
    monitor.watch(&flat, "*")?;
    flat.on("process.start").handle(|_, _| Ok(Flow::Stop))?;
    let emitter = Emitter::inline(&flat);
    for (topic, data) in [("event", 1), ("process.start", 2), ("a.b.c", 3)] {
        assert!(emitter.emit(topic, data)?.is_ok());
    }
    let seen = [
        "Event: event, Data: 1",
        "Event: process.start, Data: 2",
        "Event: a.b.c, Data: 3",
    ];
    assert_eq!(monitor.0.take(), seen);

    // By segments `*` is one of them, and everything is `**`.
    let segmented = Handlers::new();
    monitor.watch(&segmented, "*")?;
    assert_eq!(
        Emitter::inline(&segmented)
            .emit("process.start", 2)?
            .matched,
        0
    );
    monitor.watch(&segmented, "**")?;
    assert_eq!(
        Emitter::inline(&segmented)
            .emit("process.start", 2)?
            .matched,
        1
    );
    assert_eq!(monitor.0.take(), seen[1..2]);
    Ok(())
}

#[test]
fn m44_a_handler_is_an_async_method_of_an_object() -> Done {
    struct Monitor {
        log: Log,
    }

    impl Monitor {
        async fn log_event(self: Arc<Self>, event: Event<u32>) {
            futures_lite::future::yield_now().await;
            self.log
                .write(format!("{} {}", event.topic(), event.payload()));
        }
    }

    let monitor = Arc::new(Monitor {
        log: Log::default(),
    });
    let handlers = Handlers::new();
    let me = Arc::clone(&monitor);
    handlers.on("**").handle_async(move |event, _| {
        let me = Arc::clone(&me);
        async move {
            me.log_event(event).await;
            Ok(Flow::Continue)
        }
    })?;
    assert_eq!(Emitter::blocking(&handlers).emit("a", 7)?.called, 1);
    assert_eq!(monitor.log.take(), ["a 7"]);
    Ok(())
}
