//! mtaio's events: the rows about emits and handlers that fail.

use std::error::Error;
use std::sync::Arc;

use chanbus::{Bus, Dispatcher, Drain, EmitError, Emitter, Event, Flow, Handlers};

use super::{Done, Log};

/// The documented errors, first half: the emission itself.
#[test]
fn m35_an_emission_error_is_an_emit_error_and_returns_the_data() -> Done {
    let handlers = Handlers::new();
    handlers.on("**").handle(|event: &Event<u32>, ctx| {
        ctx.emit("again", *event.payload() + 1)?;
        Ok(Flow::Continue)
    })?;
    let emitter = Emitter::inline(&handlers).max_chain(3);
    match emitter.emit("bad name", 7) {
        Err(EmitError::BadTopic { payload: 7, .. }) => {}
        other => panic!("{other:?}"),
    }
    // Deep inside, where the chain of events is cut, it is the error of the handler that emitted.
    assert!(emitter.emit("event", 0)?.is_ok());
    let failure = &handlers.last_failures()[0];
    match failure.downcast_ref::<EmitError<u32>>() {
        Some(EmitError::ChainTooDeep {
            limit: 3,
            payload: 4,
            ..
        }) => {}
        other => panic!("{other:?}"),
    }
    assert!(matches!(emitter.emit("a..b", 1), Err(error) if error.is_bad_topic()));
    Ok(())
}

/// The documented errors, second half: the handlers.
#[test]
fn m36_handlers_errors_become_the_emits_own_where_that_is_wanted() -> Done {
    let handlers = Handlers::new();
    handlers
        .on("event")
        .name("one")
        .handle(|_, _| Err("disk full".into()))?;
    handlers.on("event").name("two").call(|_| panic!("oh no"))?;
    handlers.on("event").call(|_| {})?;
    let emitter = Emitter::inline(&handlers);
    let errors = emitter.emit("event", ())?.into_result().unwrap_err();
    let names: Vec<_> = errors
        .failures()
        .iter()
        .map(|it| it.handler().unwrap())
        .collect();
    assert_eq!((names, errors.report().called), (vec!["one", "two"], 3));
    let text = errors.to_string();
    assert!(
        text.contains("disk full") && text.contains("1 more"),
        "{text}"
    );
    let boxed: Box<dyn Error + Send + Sync> = errors.into();
    assert!(boxed.to_string().contains("`one`"));

    assert_eq!(emitter.emit("other", ())?.into_result().unwrap().failed, 0);
    Ok(())
}

/// The documented error event: `emit("error", e)` with the error itself as its data.
#[test]
fn m37_an_error_is_emitted_as_an_events_data() -> Done {
    fn process_data(text: &str) -> Result<u32, Box<dyn Error + Send + Sync>> {
        Ok(text.parse()?)
    }

    let log = Log::default();
    let handlers = Handlers::<Arc<dyn Error + Send + Sync>>::new();
    let own = log.clone();
    handlers.on("error").call(move |event| {
        let error = event.payload();
        assert!(error.is::<std::num::ParseIntError>());
        own.write(format!("Error occurred: {error}"));
    })?;
    let emitter = Emitter::inline(&handlers);
    for text in ["x", "7"] {
        if let Err(error) = process_data(text) {
            assert_eq!(emitter.emit("error", error.into())?.called, 1);
        }
    }
    assert_eq!(
        log.take(),
        ["Error occurred: invalid digit found in string"]
    );
    Ok(())
}

#[test]
fn m37_failures_of_handlers_become_error_events() -> Done {
    let (log, bus, handlers) = (Log::default(), Bus::new(), Handlers::<String>::new());
    handlers
        .errors_as_events("error", |failure| failure.to_string())?
        .keep();
    handlers
        .on("job")
        .name("import")
        .handle(|_, _| Err("disk full".into()))?;
    let own = log.clone();
    handlers.on("error").handle(move |event, _| {
        let cause = event.cause().unwrap().topic();
        own.write(format!(
            "{cause}: {}",
            event.payload().contains("disk full")
        ));
        // An error about an error: reported, and not emitted again.
        Err("no paper".into())
    })?;
    assert_eq!(
        Emitter::inline(&handlers).emit("job", "a".into())?.failed,
        1
    );
    assert_eq!(log.take(), ["job: true"]);
    assert_eq!(handlers.stats().failed, 2);

    // With a dispatcher they are events of its bus.
    let errors = bus.subscribe("error")?;
    let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    dispatcher.start()?;
    bus.emit("job", "b".into())?;
    assert!(errors.recv()?.payload().contains("`import`"));
    dispatcher.stop(Drain::All)?;
    dispatcher.start()?;
    dispatcher.stop(Drain::All)?;
    assert_eq!(
        (log.take(), errors.len()),
        (vec!["job: true".to_owned()], 0)
    );
    assert_eq!(handlers.stats().failed, 4);
    Ok(())
}
