//! mtaio's events: the rows about the emitter, its handlers and priorities.

use chanbus::{Emitter, Event, Flow, Handlers, Inline, Priority, Value};
use futures_lite::future::{block_on, yield_now};

use super::{Done, Log};

struct User {
    name: &'static str,
}

#[test]
fn m1_an_emitter_is_one_object_with_its_handlers() -> Done {
    let emitter = Emitter::with_executor(Inline);
    emitter.handlers().on("user_login").call(|_| {})?;
    assert_eq!(emitter.emit("user_login", ())?.called, 1);
    // Another has others.
    assert_eq!(
        Emitter::with_executor(Inline)
            .emit("user_login", ())?
            .matched,
        0
    );
    Ok(())
}

/// The documented basic usage.
#[test]
fn m2_a_handler_is_registered_for_a_name() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    let own = log.clone();
    handlers
        .on("user_login")
        .handle_async(move |event: Event<User>, _| {
            let log = own.clone();
            async move {
                log.write(format!("User {} logged in", event.payload().name));
                Ok(Flow::Continue)
            }
        })?;
    let emitter = Emitter::inline(&handlers);
    block_on(async {
        assert!(
            emitter
                .emit_async("user_login", User { name: "John" })
                .await?
                .is_ok()
        );
        assert_eq!(
            emitter
                .emit_async("user_logout", User { name: "John" })
                .await?
                .matched,
            0
        );
        Ok::<(), chanbus::Error>(())
    })?;
    assert_eq!(log.take(), ["User John logged in"]);
    Ok(())
}

#[test]
fn m3_a_priority_is_given_or_normal() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    let usual = handlers.on("a").call(log.line("normal"))?;
    handlers
        .on("a")
        .priority(Priority::HIGH)
        .call(log.line("high"))?;
    handlers
        .on("a")
        .priority(Priority::NORMAL)
        .call(log.line("normal, later"))?;
    assert_eq!(handlers.get(usual).unwrap().priority, Priority::NORMAL);
    assert!(Emitter::inline(&handlers).emit("a", ())?.is_ok());
    assert_eq!(log.take(), ["high", "normal", "normal, later"]);
    Ok(())
}

#[test]
fn m4_registering_returns_an_id_of_which_a_guard_can_be_made() -> Done {
    let handlers = Handlers::<()>::new();
    let id = handlers.on("a").call(|_| {})?;
    let guard = handlers.guard(handlers.on("a").call(|_| {})?);
    assert!(handlers.contains(id) && handlers.contains(guard.id()) && id != guard.id());
    drop(guard);
    assert!(handlers.contains(id));
    assert_eq!(handlers.len(), 1);
    Ok(())
}

#[test]
fn m5_a_one_time_handler_is_called_once_and_has_a_priority() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    handlers.on("a").call(log.line("always"))?;
    let id = handlers
        .on("a")
        .once()
        .priority(Priority::HIGH)
        .call(log.line("once"))?;
    let emitter = Emitter::inline(&handlers);
    assert_eq!(emitter.emit("a", ())?.called, 2);
    assert_eq!(log.take(), ["once", "always"]);
    assert!(!handlers.contains(id));
    assert_eq!(emitter.emit("a", ())?.matched, 1);
    assert_eq!(log.take(), ["always"]);
    Ok(())
}

#[test]
fn m6_an_emit_takes_name_and_data() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    let own = log.clone();
    handlers.on("**").call(move |event: &Event<User>| {
        own.write(format!("{}: {}", event.topic(), event.payload().name));
    })?;
    let emitter = Emitter::inline(&handlers);
    assert!(emitter.emit("user_login", User { name: "John" })?.is_ok());
    assert!(emitter.emit("user.created", User { name: "Jane" })?.is_ok());
    assert_eq!(log.take(), ["user_login: John", "user.created: Jane"]);
    Ok(())
}

#[test]
fn m7_metadata_go_with_an_emit() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    let own = log.clone();
    handlers.on("a").call(move |event: &Event<()>| {
        let names: Vec<&str> = event.metadata_iter().map(|(name, _)| name).collect();
        own.write(names.join(" "));
        if let Some(attempt) = event.metadata("attempt") {
            assert_eq!(attempt, &Value::Int(2));
        }
    })?;
    let emitter = Emitter::inline(&handlers);
    let draft = || {
        emitter
            .event("a", ())
            .metadata("attempt", 2)
            .metadata_all([("x", 1)])
    };
    assert!(draft().emit()?.is_ok());
    assert!(block_on(draft().emit_async())?.is_ok());
    draft().emit_detached()?;
    assert!(emitter.emit("a", ())?.is_ok());
    assert_eq!(log.take(), ["attempt x", "attempt x", "attempt x", ""]);
    Ok(())
}

#[test]
fn m8_an_awaited_emit_has_called_all_handlers() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    for line in ["one", "two"] {
        let own = log.clone();
        handlers.on("a").handle_async(move |_, _| {
            let log = own.clone();
            async move {
                yield_now().await;
                log.write(line);
                Ok(Flow::Continue)
            }
        })?;
    }
    let emitter = Emitter::inline(&handlers);
    let report = block_on(async { emitter.emit_async("a", ()).await })?;
    assert_eq!(
        (report.called, log.take()),
        (2, vec!["one".to_owned(), "two".to_owned()])
    );
    Ok(())
}

#[test]
fn m9_an_events_name_is_its_topic() -> Done {
    let handlers = Handlers::new();
    handlers.on("user.*").handle(|event: &Event<()>, ctx| {
        assert_eq!(event.topic(), "user.created");
        assert_eq!(ctx.topic(), event.topic());
        Ok(Flow::Continue)
    })?;
    let report = Emitter::inline(&handlers).emit("user.created", ())?;
    assert_eq!((report.called, report.failed), (1, 0));
    Ok(())
}

#[test]
fn m10_an_events_data_is_of_one_type_and_is_not_copied() -> Done {
    // Neither `Clone` nor `Debug`.
    struct Data(Vec<u8>);

    let handlers = Handlers::new();
    let (tell, told) = crossbeam_channel::unbounded();
    for _ in 0..2 {
        let tell = tell.clone();
        handlers.on("data").call(move |event: &Event<Data>| {
            tell.send(event.payload().0.as_ptr() as usize).unwrap();
        })?;
    }
    let data = Data(vec![1, 2, 3]);
    let place = data.0.as_ptr() as usize;
    assert_eq!(Emitter::inline(&handlers).emit("data", data)?.called, 2);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [place, place]);
    Ok(())
}

#[test]
fn m11_a_handler_can_stop_propagation() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    handlers
        .on("returned")
        .priority(1)
        .handle(|_, _| Ok(Flow::Stop))?;
    handlers.on("called").priority(1).handle(|_, ctx| {
        assert!(!ctx.is_stopped());
        ctx.stop_propagation();
        assert!(ctx.is_stopped());
        // Also if it fails after that.
        Err("no".into())
    })?;
    handlers.on("**").priority(2).call(log.line("later"))?;
    let own = log.clone();
    handlers
        .on("**")
        .priority(Priority::MONITOR)
        .handle(move |_, ctx| {
            own.write(format!("stopped: {}", ctx.is_stopped()));
            Ok(Flow::Continue)
        })?;
    let emitter = Emitter::inline(&handlers);
    for topic in ["returned", "called"] {
        let report = emitter.emit(topic, ())?;
        assert_eq!(
            (report.stopped, report.called, report.skipped),
            (true, 2, 1)
        );
        assert_eq!(log.take(), ["stopped: true"]);
    }
    assert!(!emitter.emit("other", ())?.stopped);
    assert_eq!(log.take(), ["later", "stopped: false"]);
    Ok(())
}

#[test]
fn m15_five_priorities_from_highest_to_lowest() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    // In the order of the reference's numbers, which grow with the priority; here they fall.
    let named = [
        (Priority::LOWEST, 9, "lowest"),
        (Priority::LOW, 7, "low"),
        (Priority::NORMAL, 5, "normal"),
        (Priority::HIGH, 3, "high"),
        (Priority::HIGHEST, 1, "highest"),
    ];
    for (priority, number, line) in named {
        assert_eq!(priority.number(), Some(number));
        handlers.on("a").priority(priority).call(log.line(line))?;
    }
    assert!(Emitter::inline(&handlers).emit("a", ())?.is_ok());
    assert_eq!(log.take(), ["highest", "high", "normal", "low", "lowest"]);
    Ok(())
}

#[test]
fn m16_monitors_are_called_after_all_and_see_stopped_events() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    handlers.on("**").priority(Priority::MONITOR).handle({
        let log = log.clone();
        move |_, ctx| {
            log.write("monitor");
            // A monitor only watches: this stops nobody.
            ctx.stop_propagation();
            Ok(Flow::Stop)
        }
    })?;
    handlers
        .on("**")
        .priority(Priority::MONITOR)
        .call(log.line("another"))?;
    handlers
        .on("**")
        .priority(i32::MAX)
        .call(log.line("last number"))?;
    handlers
        .on("stop")
        .priority(i32::MIN)
        .handle(|_, _| Ok(Flow::Stop))?;
    let emitter = Emitter::inline(&handlers);
    assert!(!emitter.emit("a", ())?.stopped);
    assert_eq!(log.take(), ["last number", "monitor", "another"]);
    assert!(emitter.emit("stop", ())?.stopped);
    assert_eq!(log.take(), ["monitor", "another"]);
    // What middleware blocks nobody sees.
    handlers.middleware(|_| None).keep();
    assert!(emitter.emit("a", ())?.blocked);
    assert_eq!(log.take(), [""; 0]);
    Ok(())
}
