//! StarStreamer's `EventBus`: the rows about modules, services and concurrent handlers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use chanbus::{
    Bus, Dispatcher, Drain, Emitter, Event, Flow, Handlers, Mode, Module, PatternsError, Services,
    ThreadPool, on,
};

use super::watch::watched;
use super::{Done, Log};

#[test]
fn s39_removing_a_group_returns_how_many_there_were() -> Done {
    let handlers = Handlers::new();
    handlers.on("a").group("chat").call(|_| {})?;
    handlers.in_group("chat").on(["a", "b"]).call(|_| {})?;
    let other = handlers.on("a").group("alerts").call(|_| {})?;
    assert_eq!(handlers.remove_group("chat"), 2);
    assert_eq!(
        handlers.list().iter().map(|it| it.id).collect::<Vec<_>>(),
        [other]
    );
    assert_eq!(Emitter::inline(&handlers).emit("a", ())?.called, 1);
    Ok(())
}

#[test]
fn s40_removing_an_unknown_group_returns_0() -> Done {
    let handlers = Handlers::<()>::new();
    handlers.on("a").group("chat").call(|_| {})?;
    assert_eq!(
        (handlers.remove_group("chatter"), handlers.remove_group("")),
        (0, 0)
    );
    assert_eq!(
        (handlers.remove_group("chat"), handlers.remove_group("chat")),
        (1, 0)
    );
    Ok(())
}

/// Modules of the program, one inside the other, and one with a name that begins alike.
mod chat {
    pub(super) mod greet {
        pub(in super::super) fn register(
            handlers: &chanbus::Handlers<()>,
        ) -> Result<(), chanbus::PatternsError> {
            chanbus::on!(handlers, "greet").call(|_| {}).map(drop)
        }
    }

    pub(super) fn register(handlers: &chanbus::Handlers<()>) -> Result<(), chanbus::PatternsError> {
        chanbus::on!(handlers, "chat.*").call(|_| {})?;
        chanbus::on!(handlers, "chat.**")
            .group("own")
            .call(|_| {})?;
        Ok(())
    }
}

mod chatter {
    pub(super) fn register(handlers: &chanbus::Handlers<()>) -> Result<(), chanbus::PatternsError> {
        chanbus::on!(handlers, "chatter").call(|_| {}).map(drop)
    }
}

#[test]
fn s41_the_registering_module_is_known_and_removed_by_its_path() -> Done {
    let handlers = Handlers::new();
    chat::register(&handlers)?;
    chat::greet::register(&handlers)?;
    chatter::register(&handlers)?;
    let here = on!(handlers, "here").call(|_| {})?;

    // The group is the module unless told otherwise.
    assert_eq!(
        handlers.group(&format!("{}::chat", module_path!())).len(),
        1
    );
    assert_eq!(handlers.get(here).unwrap().module, Some(module_path!()));
    assert_eq!(
        handlers.get(here).unwrap().group.as_deref(),
        Some(module_path!())
    );
    // With all that is inside, and with those that have another group; not `chatter`.
    assert_eq!(
        handlers.remove_module(&format!("{}::chat", module_path!())),
        3
    );
    let left: Vec<_> = handlers
        .patterns()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(left, ["chatter", "here"]);
    assert_eq!(handlers.remove_module(module_path!()), 2);
    Ok(())
}

#[test]
fn s42_the_handlers_of_a_group_are_listed() -> Done {
    let handlers = Handlers::<()>::new();
    let greet = handlers.on("a").group("chat").name("greet").call(|_| {})?;
    let log = handlers.on("**").group("chat").name("log").call(|_| {})?;
    handlers.on("a").group("alerts").call(|_| {})?;
    handlers.on("a").call(|_| {})?;
    let groups: Vec<String> = handlers.groups().iter().map(ToString::to_string).collect();
    assert_eq!(groups, ["alerts", "chat"]);
    let chat = handlers.group("chat");
    assert_eq!(
        chat.iter().map(|it| it.id).collect::<Vec<_>>(),
        [greet, log]
    );
    assert_eq!(chat[1].name.as_deref(), Some("log"));
    assert!(handlers.group("unknown").is_empty());
    Ok(())
}

/// A module that can be loaded again.
struct Chat(Log);

impl Module<u32> for Chat {
    fn name(&self) -> &str {
        "chat"
    }

    fn register(&self, handlers: &Handlers<u32>) -> Result<(), PatternsError> {
        handlers.on("chat.*").call(self.0.line("greet"))?;
        handlers.on("**").call(self.0.line("log"))?;
        Ok(())
    }
}

/// The documented hot reload: remove, load, count.
#[test]
fn s43_a_module_is_loaded_again_and_counted() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    let chat = Chat(log.clone());
    handlers.on("chat.*").call(log.line("other"))?;
    assert_eq!(handlers.load(&chat)?.added, 2);

    let again = handlers.load(&chat)?;
    assert_eq!((again.removed, again.added), (2, 2));
    assert_eq!(handlers.stats().handlers, 3);
    assert!(Emitter::inline(&handlers).emit("chat.message", 1)?.is_ok());
    assert_eq!(log.take(), ["other", "greet", "log"]);

    // One that fails leaves all as it was.
    let failed = handlers.replace_group("chat", |handlers| {
        handlers.on("a").call(|_| {})?;
        handlers.on("a..b").call(|_| {}).map(drop)
    });
    assert!(failed.is_err());
    assert_eq!((handlers.len(), handlers.group("chat").len()), (3, 2));
    assert_eq!((handlers.unload(&chat), handlers.unload(&chat)), (2, 0));
    Ok(())
}

#[test]
fn s43_no_event_falls_between_the_old_and_the_new_module() {
    watched(|| {
        let handlers = Handlers::new();
        let chat = Chat(Log::default());
        handlers.load(&chat)?;
        let (done, ready) = (AtomicBool::new(false), Barrier::new(2));
        thread::scope(|scope| {
            let emitting = scope.spawn(|| {
                let emitter = Emitter::inline(&handlers);
                ready.wait();
                let mut emitted = 0;
                while !done.load(Ordering::SeqCst) {
                    let report = emitter.emit("chat.message", emitted)?;
                    assert_eq!((report.matched, report.called), (2, 2), "event {emitted}");
                    emitted += 1;
                }
                Ok::<u32, chanbus::Error>(emitted)
            });
            ready.wait();
            for _ in 0..500 {
                let again = handlers.load(&chat)?;
                assert_eq!((again.removed, again.added), (2, 2));
            }
            done.store(true, Ordering::SeqCst);
            emitting.join().unwrap()
        })
    })
    .unwrap();
}

/// An event that is on its way as the module is swapped still has all of the old one's handlers.
#[test]
fn s43_an_event_on_its_way_keeps_the_module_that_it_found() -> Done {
    let (log, handlers) = (Log::default(), Handlers::<u32>::new());
    let new = log.clone();
    handlers.on("chat.*").once().handle(move |_, ctx| {
        let own = new.clone();
        ctx.handlers().replace_group("chat", |handlers| {
            handlers.on("chat.*").call(own.line("new")).map(drop)
        })?;
        Ok(Flow::Continue)
    })?;
    for _ in 0..2 {
        handlers.on("chat.*").group("chat").call(log.line("old"))?;
    }
    let emitter = Emitter::inline(&handlers);
    let report = emitter.emit("chat.message", 1)?;
    assert_eq!((report.called, log.take()), (3, vec!["old".to_owned(); 2]));
    assert_eq!(emitter.emit("chat.message", 2)?.called, 1);
    assert_eq!(log.take(), ["new"]);
    Ok(())
}

struct Database(Log);

struct Greeting(&'static str);

#[test]
fn s46_handlers_get_services_by_their_type() -> Done {
    let log = Log::default();
    let services = Services::new()
        .with(Database(log.clone()))
        .with(Greeting("hello"));
    let handlers = Handlers::with_services(&services);
    handlers
        .on("user.joined")
        .handle(|event: &Event<&str>, ctx| {
            let (db, greeting) = (ctx.service::<Database>()?, ctx.service::<Greeting>()?);
            db.0.write(format!("{} {}", greeting.0, event.payload()));
            Ok(Flow::Continue)
        })?;
    handlers.on("user.left").handle(|_, ctx| {
        ctx.service::<Vec<u8>>()?;
        unreachable!("there is none");
    })?;
    let emitter = Emitter::inline(&handlers);
    assert!(emitter.emit("user.joined", "Ada")?.is_ok());
    assert_eq!(log.take(), ["hello Ada"]);

    // A missing one is a failure of the handler, which names the type.
    let missing = emitter.emit("user.left", "Ada")?;
    assert_eq!(missing.failed, 1);
    assert!(
        missing.errors[0].to_string().contains("Vec<u8>"),
        "{missing:?}"
    );
    Ok(())
}

#[test]
fn s47_several_registries_share_services() -> Done {
    let (log, bus) = (Log::default(), Bus::new());
    let services = Services::new();
    let (ours, theirs) = (
        Handlers::with_services(&services),
        Handlers::with_services(&services),
    );
    for handlers in [&ours, &theirs] {
        handlers.on("a").handle(|_, ctx| {
            ctx.service::<Database>()?.0.write("asked");
            Ok(Flow::Continue)
        })?;
    }
    let emitter = Emitter::inline(&ours);
    assert_eq!(emitter.emit("a", ())?.failed, 1);

    // What is added later is there for all, also for a dispatcher's handlers.
    services.insert(Arc::new(Database(log.clone())));
    assert!(emitter.emit("a", ())?.is_ok());
    let dispatcher = Dispatcher::builder(&bus, &theirs).build()?;
    dispatcher.start()?;
    bus.emit("a", ())?;
    dispatcher.stop(Drain::All)?;
    assert_eq!(log.take(), ["asked", "asked"]);
    assert_eq!((ours.stats().services, theirs.stats().services), (1, 1));
    Ok(())
}

/// The documented concurrent handlers: the second does not wait for the first.
#[test]
fn s65_a_slow_handler_does_not_delay_others_of_its_event() {
    watched(|| {
        let pool = ThreadPool::new(2).unwrap();
        for mode in [Mode::Concurrent, Mode::Tiered] {
            let (log, handlers) = (Log::default(), Handlers::new());
            let (tell, told) = crossbeam_channel::bounded(1);
            let own = log.clone();
            handlers.on("test.event").call(move |_| {
                // Only the second handler ends this, so it runs beside it.
                told.recv().unwrap();
                own.write("Handler 1");
            })?;
            let own = log.clone();
            handlers.on("test.event").call(move |_| {
                own.write("Handler 2");
                tell.send(()).unwrap();
            })?;
            let report = Emitter::thread_pool(&handlers, &pool)
                .mode(mode)
                .emit("test.event", ())?;
            assert_eq!(report.called, 2);
            assert_eq!(log.take(), ["Handler 2", "Handler 1"], "{mode:?}");
        }
        Ok::<(), chanbus::Error>(())
    })
    .unwrap();
}

/// On the emitting thread there is no "beside": the default of `Inline` is one after the other.
#[test]
fn s65_inline_handlers_run_one_after_the_other() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    handlers.on("test.event").call(log.line("Handler 1"))?;
    handlers.on("test.event").call(log.line("Handler 2"))?;
    let emitter = Emitter::inline(&handlers);
    assert_eq!(emitter.current_mode(), Mode::Sequential);
    assert_eq!(emitter.emit("test.event", ())?.called, 2);
    assert_eq!(log.take(), ["Handler 1", "Handler 2"]);
    Ok(())
}
