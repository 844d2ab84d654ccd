//! What deferred buses make impossible: for each thing, code that does not compile, and the same code with another line
//! in the place of one, which does.

macro_rules! refused {
    ($($name:ident: $error:literal, $setting:literal, $refused:literal, $twin:literal;)*) => {$(
        #[doc = concat!("```compile_fail,", $error, "\n", $setting, $refused, "\n```")]
        #[doc = concat!("\n```\n", $setting, $twin, "\n```")]
        mod $name {}
    )*};
}

refused! {
    delayed_bus_has_no_apply: "E0599",
        "use chanbus::{BasicBus, Commit, DeferredBus, DelayedBus, Effect, Publish};
        let delayed = DelayedBus::new(BasicBus::new());
        delayed.publish(Effect::new(\"a\", |_| Ok(()))).unwrap();
        ",
        "assert_eq!(delayed.apply(Commit::Real).unwrap().len(), 1);",
        "assert_eq!(delayed.apply_without_delay(Commit::Real).unwrap().len(), 1);";

    delayed_bus_has_no_collect: "E0599",
        "use chanbus::{BasicBus, DeferredBus, DelayedBus};
        let bus = BasicBus::new();
        let delayed = DelayedBus::new(bus.clone());
        ",
        "assert!(delayed.collect().is_empty());",
        "assert!(bus.collect().is_empty());";

    delayed_bus_is_no_deferred_bus: "E0277",
        "use chanbus::{BasicBus, DeferredBus, DelayedBus};
        fn applies(_: &impl DeferredBus) {}
        let delayed = DelayedBus::new(BasicBus::new());
        ",
        "applies(&delayed);",
        "applies(&delayed.as_deferred());";

    delayed_bus_cannot_be_wrapped: "E0277",
        "use chanbus::{BasicBus, DelayedBus, MultiBus};
        let delayed = DelayedBus::new(BasicBus::new());
        ",
        "let _ = MultiBus::new().wrap(delayed);",
        "let _ = MultiBus::new().wrap(delayed.as_deferred());";

    wrapped_has_no_apply: "E0599",
        "use chanbus::{BasicBus, Commit, DeferredBus, MultiBus};
        let multi = MultiBus::new();
        let wrapped = multi.wrap(BasicBus::new());
        ",
        "assert!(wrapped.apply(Commit::Real).is_ok());",
        "assert!(multi.apply(Commit::Real).is_ok());";

    wrapped_has_no_apply_without_delay: "E0599",
        "use chanbus::{BasicBus, Commit, DelayedBus, MultiBus};
        let delayed = DelayedBus::new(BasicBus::new());
        let wrapped = MultiBus::new().wrap(BasicBus::new());
        ",
        "assert!(wrapped.apply_without_delay(Commit::Real).is_ok());",
        "assert!(delayed.apply_without_delay(Commit::Real).is_ok());";

    wrapped_has_no_collect: "E0599",
        "use chanbus::{BasicBus, DeferredBus, MultiBus};
        let multi = MultiBus::new();
        let wrapped = multi.wrap(BasicBus::new());
        ",
        "assert!(wrapped.collect().is_empty());",
        "assert!(multi.collect().is_empty());";

    wrapped_cannot_wrap: "E0599",
        "use chanbus::{BasicBus, MultiBus};
        let (outer, inner) = (MultiBus::new(), MultiBus::new());
        let wrapped = outer.wrap(inner.clone());
        ",
        "let _ = wrapped.wrap(BasicBus::new());",
        "let _ = inner.wrap(BasicBus::new());";

    wrapped_cannot_discard: "E0599",
        "use chanbus::MultiBus;
        let (outer, inner) = (MultiBus::new(), MultiBus::new());
        let wrapped = outer.wrap(inner.clone());
        ",
        "assert_eq!(wrapped.discard(), 0);",
        "assert_eq!(inner.discard(), 0);";

    wrapped_is_no_deferred_bus: "E0277",
        "use chanbus::{BasicBus, DeferredBus, MultiBus};
        fn applies(_: &impl DeferredBus) {}
        let wrapped = MultiBus::new().wrap(BasicBus::new());
        ",
        "applies(&wrapped);",
        "applies(&wrapped.as_deferred());";

    orchestrator_has_no_apply: "E0599",
        "use chanbus::{Commit, DeferredBus, MultiBus};
        let multi = MultiBus::new();
        let orchestrator = multi.orchestrator();
        ",
        "assert!(orchestrator.apply(Commit::Real).is_ok());",
        "assert!(multi.apply(Commit::Real).is_ok());";

    orchestrator_has_no_collect: "E0599",
        "use chanbus::{DeferredBus, MultiBus};
        let multi = MultiBus::new();
        let orchestrator = multi.orchestrator();
        ",
        "assert!(orchestrator.collect().is_empty());",
        "assert!(multi.collect().is_empty());";

    orchestrator_cannot_discard: "E0599",
        "use chanbus::MultiBus;
        let multi = MultiBus::new();
        let orchestrator = multi.orchestrator();
        ",
        "assert_eq!(orchestrator.discard(), 0);",
        "assert_eq!(multi.discard(), 0);";

    orchestrator_cannot_publish: "E0599",
        "use chanbus::{AnyEvent, MultiBus, Publish};
        let multi = MultiBus::new();
        let orchestrator = multi.orchestrator();
        let events = Vec::<AnyEvent>::new();
        ",
        "assert!(orchestrator.publish_all(events).is_ok());",
        "assert!(multi.publish_all(events).is_ok());";

    orchestrator_is_no_way_to_publish: "E0277",
        "use chanbus::{MultiBus, Publish};
        fn publishes(_: &impl Publish) {}
        let multi = MultiBus::new();
        let orchestrator = multi.orchestrator();
        ",
        "publishes(&orchestrator);",
        "publishes(&multi);";

    publish_cannot_apply: "E0599",
        "use chanbus::{BasicBus, Commit, DeferredBus, Effect, Publish};
        let bus = BasicBus::new();
        let publishes: &dyn Publish<Event = Effect> = &bus;
        ",
        "assert!(publishes.apply(Commit::Real).is_ok());",
        "assert!(bus.apply(Commit::Real).is_ok());";

    // What the compiler says of this has no number.
    finish_cannot_leave_by_the_result: "",
        "use chanbus::{Commit, Error, with_orchestrator};
        let result = with_orchestrator(None, Commit::Real, |_, finish| {
        ",
        "    Ok::<_, Error>(finish)
        }).map(|finish| finish.is_mine());",
        "    Ok::<_, Error>(finish.is_mine())
        });";

    finish_cannot_be_kept: "E0521",
        "use chanbus::{Commit, Error, Finish, with_orchestrator};
        let mut kept: Option<&Finish<'_>> = None;
        let mut mine = false;
        let result = with_orchestrator(None, Commit::Real, |_, finish| {
        ",
        "    kept = Some(finish);
            Ok::<_, Error>(())
        });
        assert!(result.is_ok() && !mine && kept.is_some());",
        "    mine = finish.is_mine();
            Ok::<_, Error>(())
        });
        assert!(result.is_ok() && mine && kept.is_none());";

    finish_cannot_go_to_a_thread: "E0521",
        "use chanbus::{Commit, Error, with_orchestrator};
        let result = with_orchestrator(None, Commit::Real, |buses, finish| {
            let buses = buses.clone();
        ",
        "    std::thread::spawn(move || finish.run().is_ok()).join().unwrap();
            Ok::<_, Error>(())
        });",
        "    std::thread::spawn(move || buses.is_orphan()).join().unwrap();
            Ok::<_, Error>(())
        });";

    event_of_many_cannot_be_made: "E0423",
        "use chanbus::{AnyEvent, BasicBus, Effect, MultiBus, Publish};
        let multi = MultiBus::new();
        let effect = Effect::new(\"a\", |_| Ok(()));
        ",
        "assert!(multi.publish(AnyEvent(effect)).is_ok());",
        "assert!(multi.wrap(BasicBus::new()).publish(effect).is_ok());";

    effect_must_go_to_any_thread: "E0277",
        "use std::rc::Rc;
        use std::sync::Arc;
        use chanbus::Effect;
        ",
        "let mine = Rc::new(7);
        let effect = Effect::new(\"a\", move |_| Ok(assert_eq!(*mine, 7)));",
        "let mine = Arc::new(7);
        let effect = Effect::new(\"a\", move |_| Ok(assert_eq!(*mine, 7)));";

    context_cannot_leave_its_effect: "E0521",
        "use chanbus::{SideEffect, SideEffectsBus};
        let bus = SideEffectsBus::new(String::new());
        let mut all: Vec<&mut String> = Vec::new();
        let mut texts: Vec<String> = Vec::new();
        ",
        "let effect = SideEffect::new(\"a\", move |text: &mut String, _| Ok(all.push(text)));",
        "let effect = SideEffect::new(\"a\", move |text: &mut String, _| Ok(texts.push(text.clone())));";
}
