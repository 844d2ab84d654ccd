//! `Bus::deferred`: emits on a live bus, as effects among others.

use chanbus::{BasicBus, Bus, Commit, DeferredBus, Event, MultiBus, Publish};

use crate::{Done, Log};

/// In its place among the others, and for real only.
#[test]
fn d5_emits_take_their_turn_and_a_dry_run_emits_nothing() -> Done {
    let (bus, log, multi) = (Bus::new(), Log::default(), MultiBus::new());
    let line = log.clone();
    let _tap = bus.tap("**", move |event| {
        line.write(format!("{} {}", event.topic(), event.payload()))
    })?;
    let before = multi.wrap(BasicBus::new());
    let emits = multi.wrap(bus.deferred());
    let after = multi.wrap(BasicBus::new());
    after.publish(log.effect("after"))?;
    for n in 1..=2 {
        let event = Event::draft("order.placed", n).source("shop").build()?;
        emits.publish(event)?;
    }
    before.publish(log.effect("before"))?;

    let tried = multi.apply(Commit::DryRun)?;
    assert_eq!(tried.len(), 4);
    assert_eq!(bus.stats().emitted, 0);
    log.take();
    multi.publish_all(tried)?;
    let applied = multi.apply(Commit::Real)?;
    assert_eq!(
        log.take(),
        ["before", "order.placed 1", "order.placed 2", "after"]
    );
    let events = applied.events_of(&emits);
    assert_eq!((events.len(), events[0].source()), (2, Some("shop")));
    Ok(())
}

/// What a full queue drops is counted where it is dropped.
#[test]
fn d5_an_emit_that_overflows_is_no_failure() -> Done {
    let bus = Bus::new();
    let sub = bus.subscription("**").capacity(1).subscribe()?;
    let emits = bus.deferred();
    emits.publish_all([Event::new("a", 1)?, Event::new("a", 2)?])?;
    assert_eq!(emits.apply(Commit::Real)?.len(), 2);
    assert_eq!((sub.len(), sub.dropped()), (1, 1));
    Ok(())
}

/// It does not keep the bus, and says so by the event's topic when that has gone.
#[test]
fn t39_an_emit_on_a_bus_that_has_gone_fails_and_comes_back() -> Done {
    let (closed, dropped) = (Bus::new(), Bus::new());
    let both = [closed.deferred(), dropped.deferred()];
    closed.close();
    drop(dropped);
    for emits in both {
        for commit in [Commit::DryRun, Commit::Real] {
            emits.publish_all([Event::new("order.placed", 1)?, Event::new("b", 2)?])?;
            let error = emits.apply(commit).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("effect `order.placed`, number 1 of 2, failed: the bus is closed")
            );
            let back: Vec<u32> = error
                .into_unapplied()
                .iter()
                .map(|event| *event.payload())
                .collect();
            assert_eq!(back, [1, 2]);
        }
    }
    Ok(())
}
