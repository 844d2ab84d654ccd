//! shared.event_bus: the rows about one bus, whose events are published now, and applied later by its owner.

use std::sync::Arc;

use chanbus::{
    ApplyEvent, BasicBus, BoxError, Collected, Commit, Deferred, DeferredBus, DelayedBus, Effect,
    Later, MultiBus, Publish, with_orchestrator,
};

use super::{Done, Log};

/// What a test of the reference would call `MyEventBus`: it sends texts.
pub(super) struct Send(Log);

pub(super) type MyEventBus = Deferred<Send>;

impl ApplyEvent for Send {
    type Event = &'static str;
    type Error = BoxError;

    fn apply_event(&self, event: &&'static str, commit: Commit) -> Result<(), BoxError> {
        match commit {
            Commit::Real => self.0.write(*event),
            Commit::DryRun => self.0.write(format!("would send {event}")),
        }
        Ok(())
    }
}

pub(super) fn my_event_bus(log: &Log) -> MyEventBus {
    Deferred::by(Send(log.clone()))
}

/// An effect that writes this line when it is for real.
pub(super) fn line(log: &Log, line: &'static str) -> Effect {
    let log = log.clone();
    Effect::new(line, move |commit| {
        if commit.is_real() {
            log.write(line);
        }
        Ok(())
    })
}

#[test]
fn e1_publish_adds_an_event_and_runs_nothing() -> Done {
    let log = Log::default();
    let bus = my_event_bus(&log);
    bus.publish("a")?;
    assert_eq!((bus.len(), log.take().len()), (1, 0));
    Ok(())
}

#[test]
fn e2_publish_all_adds_them_in_order() -> Done {
    let log = Log::default();
    let bus = my_event_bus(&log);
    bus.publish_all(["a", "b", "c"])?;
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(bus.apply(Commit::Real)?, ["a", "b", "c"]);
    Ok(())
}

#[test]
fn e3_apply_runs_all_published_so_far_in_order_and_clears() -> Done {
    let log = Log::default();
    let bus = my_event_bus(&log);
    bus.publish("a")?;
    bus.publish("b")?;
    bus.apply(Commit::Real)?;
    assert_eq!(
        (log.take(), bus.is_empty()),
        (vec!["a".into(), "b".into()], true)
    );
    bus.apply(Commit::Real)?;
    assert_eq!(log.take(), [""; 0]);
    Ok(())
}

/// Effects say by their label what they are.
#[test]
fn e4_apply_returns_the_events_that_were_applied() -> Done {
    let log = Log::default();
    let bus = my_event_bus(&log);
    bus.publish_all(["a", "b"])?;
    let applied: Vec<&str> = bus.apply(Commit::Real)?;
    assert_eq!(applied, ["a", "b"]);

    let effects = BasicBus::new();
    effects.publish(line(&log, "mail"))?;
    let applied: Vec<Effect> = effects.apply(Commit::Real)?;
    assert_eq!(applied[0].label(), "mail");
    Ok(())
}

/// "Some implementations will not immediately actually apply the events. Do not make assumptions on this."
#[test]
fn e5_code_that_applies_does_not_know_whether_that_acts() -> Done {
    fn apply<B: DeferredBus<Event = &'static str>>(bus: &B) {
        bus.publish("a").unwrap();
        assert!(bus.apply(Commit::Real).is_ok());
    }
    let log = Log::default();
    let (now, later) = (my_event_bus(&log), DelayedBus::new(my_event_bus(&log)));
    apply(&now);
    assert_eq!(log.take(), ["a"]);
    apply(&later.as_deferred());
    assert_eq!(log.take(), [""; 0]);
    later.apply_without_delay(Commit::Real)?;
    assert_eq!(log.take(), ["a"]);
    Ok(())
}

#[test]
fn e6_commit_is_a_type_of_its_own() -> Done {
    let log = Log::default();
    let bus = my_event_bus(&log);
    for (given, line) in [(true, "a"), (false, "would send a")] {
        bus.publish("a")?;
        bus.apply(Commit::from(given))?;
        assert_eq!(log.take(), [line]);
    }
    Ok(())
}

/// `apply` asks for it; who has a default has this one.
#[test]
fn e7_nothing_is_written_by_default() -> Done {
    let log = Log::default();
    assert_eq!(Commit::default(), Commit::DryRun);
    let effects = BasicBus::new();
    effects.publish(line(&log, "a"))?;
    effects.apply(Commit::default())?;
    with_orchestrator(None, Commit::default(), |buses, _| {
        buses.wrap(BasicBus::new()).publish(line(&log, "b"))?;
        Ok::<_, chanbus::Error>(())
    })?;
    assert_eq!(log.take(), [""; 0]);
    Ok(())
}

/// "Simply subclass this abstract class and implement the `_apply_event` method."
#[test]
fn e8_a_bus_of_ones_own_implements_one_method() -> Done {
    let log = Log::default();
    let mine = my_event_bus(&log);
    mine.publish("by a type")?;
    let lines = log.clone();
    let closure = Deferred::from_fn(move |event: &u32, _| {
        lines.write(format!("by a closure: {event}"));
        Ok(())
    });
    closure.publish(1)?;
    mine.apply(Commit::Real)?;
    closure.apply(Commit::Real)?;
    assert_eq!(log.take(), ["by a type", "by a closure: 1"]);
    Ok(())
}

#[test]
fn e9_the_bus_stores_what_is_published() -> Done {
    let log = Log::default();
    let bus = my_event_bus(&log);
    let other = bus.clone();
    other.publish("a")?;
    drop(other);
    bus.publish("b")?;
    assert_eq!(bus.len(), 2);
    assert_eq!(bus.apply(Commit::Real)?, ["a", "b"]);
    Ok(())
}

/// `_collect_event`: what an event does later, decided where it is collected.
#[test]
fn e10_what_is_collected_can_be_decided() -> Done {
    struct Greet(Log);

    impl ApplyEvent for Greet {
        type Event = &'static str;
        type Error = BoxError;

        fn apply_event(&self, name: &&'static str, _: Commit) -> Result<(), BoxError> {
            self.0.write(format!("hello, {name}"));
            Ok(())
        }

        fn collect_event(self: Arc<Self>, name: &&'static str) -> Later<&'static str, BoxError> {
            let text = format!("hello some time ago, {name}");
            Box::new(move |_, _| {
                self.0.write(text.as_str());
                Ok(())
            })
        }
    }

    let log = Log::default();
    let bus = Deferred::by(Greet(log.clone()));
    bus.publish("ann")?;
    bus.apply(Commit::Real)?;
    bus.publish("bob")?;
    Collected::run_all(bus.collect(), Commit::Real)?;
    assert_eq!(log.take(), ["hello, ann", "hello some time ago, bob"]);
    // Unless it is decided, it is what an apply does.
    let bus = my_event_bus(&log);
    bus.publish("a")?;
    Collected::run_all(bus.collect(), Commit::Real)?;
    assert_eq!(log.take(), ["a"]);
    Ok(())
}

/// "A list of events mapped to the callable to be executed at a later date."
#[test]
fn e11_collect_gives_events_with_what_they_do() -> Done {
    let log = Log::default();
    let bus = my_event_bus(&log);
    bus.publish_all(["a", "b", "c"])?;
    let mut collected: Vec<Collected<&str>> = bus.collect();
    assert!(bus.is_empty());
    assert_eq!(*collected[1].event(), "b");
    collected[1].run(Commit::Real).unwrap();
    collected.truncate(2);
    collected[0].run(Commit::DryRun).unwrap();
    drop(collected);
    assert_eq!(
        log.take(),
        ["b", "would send a"],
        "what is dropped never runs"
    );
    Ok(())
}

/// Where it can be avoided it is: `apply` does all that running what was collected does.
#[test]
fn e12_apply_is_what_collect_and_run_all_are() -> Done {
    let log = Log::default();
    let bus = my_event_bus(&log);
    bus.publish_all(["a", "b"])?;
    let applied = bus.apply(Commit::Real)?;
    let direct = log.take();
    bus.publish_all(["a", "b"])?;
    assert_eq!(Collected::run_all(bus.collect(), Commit::Real)?, applied);
    assert_eq!(log.take(), direct);
    Ok(())
}

#[test]
fn e13_a_basic_bus_has_functions_as_events() -> Done {
    let (bus, log) = (BasicBus::new(), Log::default());
    let lines = log.clone();
    bus.publish(Effect::new("tell", move |commit| {
        lines.write(commit.to_string());
        Ok(())
    }))?;
    let applied = bus.apply(Commit::DryRun)?;
    bus.publish_all(applied)?;
    bus.apply(Commit::Real)?;
    assert_eq!(log.take(), ["dry run", "commit"]);
    Ok(())
}

/// `partial(my_event_handler, event=..)`: a closure has captured its event, and can mix up nothing.
#[test]
fn e14_an_effect_is_a_closure_that_is_given_the_commit() -> Done {
    fn my_event_handler(log: &Log, event: &str, commit: Commit) -> Result<(), BoxError> {
        log.write(format!("{event}, {commit}"));
        Ok(())
    }
    let (bus, log) = (BasicBus::new(), Log::default());
    for event in ["a", "b"] {
        let log = log.clone();
        bus.publish(Effect::new(event, move |commit| {
            my_event_handler(&log, event, commit)
        }))?;
    }
    bus.apply(Commit::Real)?;
    assert_eq!(log.take(), ["a, commit", "b, commit"]);
    Ok(())
}

#[test]
fn e15_a_delayed_bus_wraps_any_bus() -> Done {
    let log = Log::default();
    let mine = DelayedBus::new(my_event_bus(&log));
    let effects = DelayedBus::new(BasicBus::new());
    let many = MultiBus::new();
    let inside = many.wrap(my_event_bus(&log));
    let many = DelayedBus::new(many);
    mine.publish("a")?;
    effects.publish(line(&log, "b"))?;
    inside.publish("c")?;
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(mine.apply_without_delay(Commit::Real)?, ["a"]);
    assert_eq!(effects.apply_without_delay(Commit::Real)?.len(), 1);
    assert_eq!(many.apply_without_delay(Commit::Real)?.len(), 1);
    assert_eq!(log.take(), ["a", "b", "c"]);
    Ok(())
}

#[test]
fn e16_apply_of_a_delayed_bus_collects() -> Done {
    let log = Log::default();
    let delayed = DelayedBus::new(my_event_bus(&log));
    let view = delayed.as_deferred();
    view.publish_all(["a", "b"])?;
    assert_eq!(view.apply(Commit::Real)?, 2, "so many were collected");
    assert_eq!(view.apply(Commit::Real)?, 0);
    assert_eq!(log.take(), [""; 0]);
    Ok(())
}

#[test]
fn e17_each_apply_adds_to_what_was_collected() -> Done {
    let log = Log::default();
    let delayed = DelayedBus::new(my_event_bus(&log));
    for event in ["a", "b", "c"] {
        delayed.publish(event)?;
        assert_eq!(delayed.as_deferred().apply(Commit::DryRun)?, 1);
    }
    assert_eq!(delayed.apply_without_delay(Commit::Real)?, ["a", "b", "c"]);
    assert_eq!(log.take(), ["a", "b", "c"]);
    Ok(())
}

#[test]
fn e18_apply_without_delay_runs_what_was_collected() -> Done {
    let log = Log::default();
    let delayed = DelayedBus::new(my_event_bus(&log));
    delayed.publish("a")?;
    delayed.as_deferred().apply(Commit::Real)?;
    delayed.apply_without_delay(Commit::DryRun)?;
    assert_eq!(log.take(), ["would send a"], "as it is told now");
    delayed.apply_without_delay(Commit::Real)?;
    assert_eq!(log.take(), [""; 0], "once");
    Ok(())
}

/// The reference runs only what an `apply` has collected; here what was published since comes after it.
#[test]
fn e19_apply_without_delay_runs_what_was_published_since_as_well() -> Done {
    let log = Log::default();
    let delayed = DelayedBus::new(my_event_bus(&log));
    delayed.publish("collected")?;
    delayed.as_deferred().apply(Commit::Real)?;
    delayed.publish("since")?;
    assert_eq!(
        delayed.apply_without_delay(Commit::Real)?,
        ["collected", "since"]
    );
    assert_eq!(log.take(), ["collected", "since"]);
    Ok(())
}

/// The documented usage. Both processes apply, as they do by themselves.
#[test]
fn e20_two_processes_are_applied_as_one() -> Done {
    fn process_one<B: DeferredBus<Event = &'static str>>(event_bus: &B) {
        event_bus.publish("one").unwrap();
        assert!(event_bus.apply(Commit::Real).is_ok());
    }
    fn process_two<B: DeferredBus<Event = &'static str>>(event_bus: &B) {
        event_bus.publish_all(["two", "three"]).unwrap();
        assert!(event_bus.apply(Commit::Real).is_ok());
    }
    let log = Log::default();
    let event_bus = DelayedBus::new(my_event_bus(&log));
    process_one(&event_bus.as_deferred());
    process_two(&event_bus.as_deferred());
    // At this point the events have not actually been applied.
    assert_eq!(log.take(), [""; 0]);
    // To apply them all at once:
    event_bus.apply_without_delay(Commit::Real)?;
    assert_eq!(log.take(), ["one", "two", "three"]);
    process_one(&my_event_bus(&log));
    assert_eq!(log.take(), ["one"]);
    Ok(())
}
