//! mtaio's events: the rows about batches.

use chanbus::{BatchError, BlockOn, Bus, Emitter, Error, Flow, Handlers};
use futures_lite::future::{block_on, yield_now};

use super::{Done, Log, payloads, topics};

/// The documented example on a bus: `event1` and `event2` in one block.
#[test]
fn m22_the_events_of_a_batch_are_emitted_together_or_not_at_all() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe_all()?;
    let batched = bus.batch(|batch| {
        batch.emit("event1", "data1")?;
        batch.emit("event2", "data2")?;
        assert_eq!(sub.len(), 0, "events are batched");
        Ok::<_, BatchError<&str, Error>>(())
    })?;
    assert_eq!(batched.emitted.delivered, 2);
    assert_eq!(topics(&sub), ["event1", "event2"]);
    let given_up = bus.batch(|batch| {
        batch.emit("event1", "data1")?;
        Err::<(), _>(BatchError::Refused("an exception in the block"))
    });
    assert!(given_up.unwrap_err().is_refused());
    assert_eq!(sub.len(), 0);
    Ok(())
}

/// "Handlers are called once with all events."
#[test]
fn m23_a_batch_handler_is_called_once_with_all_events_of_the_batch() -> Done {
    let (handlers, log) = (Handlers::new(), Log::default());
    let write = log.clone();
    handlers
        .on(["event1", "event2"])
        .handle_batch(move |events| {
            let all: Vec<&str> = events.iter().map(|event| *event.payload()).collect();
            write.write(all.join(", "));
            Ok(Flow::Continue)
        })?;
    let emitter = Emitter::inline(&handlers);
    let report = emitter.batch(|batch| {
        batch.emit("event1", "data1")?;
        batch.emit("event2", "data2")?;
        assert_eq!(log.take(), [""; 0], "events are batched");
        Ok::<_, BatchError<&str, Error>>(())
    })?;
    assert_eq!(log.take(), ["data1, data2"]);
    assert_eq!((report.matched, report.called), (2, 2));
    // What is emitted by itself comes by itself.
    emitter.emit("event1", "data3")?;
    assert_eq!(log.take(), ["data3"]);
    Ok(())
}

#[test]
fn m24_of_mixed_names_each_handler_gets_those_that_match_in_order() -> Done {
    let (handlers, log) = (Handlers::new(), Log::default());
    for pattern in ["event1", "event2", "**"] {
        let write = log.clone();
        handlers.on(pattern).handle_batch(move |events| {
            let all: Vec<&str> = events.iter().map(|event| *event.payload()).collect();
            write.write(format!("{pattern}: {}", all.join(", ")));
            Ok(Flow::Continue)
        })?;
    }
    let write = log.clone();
    handlers
        .on("event2")
        .call(move |event| write.write(format!("one call of {}", event.payload())))?;
    let mut batch = Emitter::inline(&handlers).start_batch();
    batch.emit("event1", "data1")?;
    batch.emit("event2", "data2")?;
    batch.emit("event2", "data3")?;
    batch.emit("event1", "data4")?;
    assert!(batch.commit()?.is_ok());
    let expected = [
        "event1: data1, data4",
        "event2: data2, data3",
        "**: data1, data2, data3, data4",
        "one call of data2",
        "one call of data3",
    ];
    assert_eq!(log.take(), expected);
    Ok(())
}

/// `async with emitter.batch_operations()`: the guard lives across awaits, and no event is seen before
/// its end.
#[test]
fn m25_a_batch_may_have_awaits_inside() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("event*")?;
    let (handlers, log) = (Handlers::new(), Log::default());
    let write = log.clone();
    handlers.on("**").handle_async(move |event, _| {
        let write = write.clone();
        async move {
            yield_now().await;
            write.write(event.payload());
            Ok(Flow::Continue)
        }
    })?;
    let write = log.clone();
    handlers.on("**").handle_batch(move |events| {
        write.write(format!("all {}", events.len()));
        Ok(Flow::Continue)
    })?;
    let emitter = Emitter::new(&handlers, BlockOn);
    let seen = log.clone();
    let work = async move {
        let (mut on_bus, mut direct) = (bus.start_batch(), emitter.start_batch());
        for n in 1..=2 {
            yield_now().await;
            let (topic, data) = (format!("event{n}"), format!("data{n}"));
            on_bus.emit(&topic, data.clone())?;
            direct.emit(&topic, data)?;
        }
        assert_eq!((sub.len(), seen.take().len()), (0, 0));
        assert_eq!(on_bus.commit()?.delivered, 2);
        let report = direct.commit_async().await?;
        assert_eq!(topics(&sub), ["event1", "event2"]);

        // Left before its end, as by an exception, it emits nothing.
        let mut left = bus.start_batch();
        left.emit("event1", "data1".to_owned())?;
        drop(left);
        assert_eq!(sub.len(), 0);
        Ok::<_, Error>(report)
    };
    // Any runtime may have it.
    fn is_send<V: Send>(value: V) -> V {
        value
    }
    let report = block_on(is_send(work))?;
    assert_eq!(report.called, 4);
    assert_eq!(log.take(), ["data1", "data2", "all 2"]);
    Ok(())
}

/// The documented loop: `for item in items: await emitter.emit("item.processed", item)`.
#[test]
fn m26_a_batch_is_filled_by_a_loop() -> Done {
    let items = ["one", "two", "three"];
    let bus = Bus::new();
    let sub = bus.subscribe("item.*")?;
    let mut batch = bus.start_batch();
    for item in items {
        batch.emit("item.processed", item)?;
    }
    assert_eq!(batch.commit()?.delivered, 3);
    assert_eq!(payloads(&sub), items);
    // Where all have one topic, a publisher does it without a loop.
    assert_eq!(
        bus.publisher("item.processed")?
            .emit_batch(items)?
            .delivered,
        3
    );
    assert_eq!(payloads(&sub), items);

    let handlers = Handlers::new();
    handlers.on("item.processed").handle_batch(move |events| {
        assert!(events.iter().map(|event| *event.payload()).eq(items));
        Ok(Flow::Continue)
    })?;
    let mut batch = Emitter::inline(&handlers).start_batch();
    for item in items {
        batch.emit("item.processed", item)?;
    }
    let report = batch.commit()?;
    assert_eq!((report.called, report.is_ok()), (3, true));
    Ok(())
}
