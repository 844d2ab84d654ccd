//! What looks wrong is found and named, and nothing else.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use chanbus::{
    Bus, Dispatcher, Drain, DropCause, Finding, Handlers, Lint, NearReason, Overflow, Topic,
    Topology,
};

fn unheard(lint: &Lint) -> Vec<&str> {
    fn topic(finding: &Finding) -> Option<&str> {
        match finding {
            Finding::NobodyHears { topic, .. } => Some(topic.as_str()),
            _ => None,
        }
    }
    lint.findings.iter().filter_map(topic).collect()
}

fn unmatched(lint: &Lint) -> Vec<&str> {
    fn pattern(finding: &Finding) -> Option<&str> {
        match finding {
            Finding::NeverMatched { pattern, .. } => Some(pattern.as_str()),
            _ => None,
        }
    }
    lint.findings.iter().filter_map(pattern).collect()
}

#[test]
fn a_sound_bus_has_no_findings() {
    let bus = Bus::new();
    let sub = bus.subscribe("a.*").unwrap();
    bus.emit("a.b", 1).unwrap();
    assert_eq!(bus.lint().findings, []);
    sub.recv().unwrap();
    assert_eq!(bus.lint().to_string(), "nothing looks wrong");
}

#[test]
fn before_anything_was_emitted_nothing_is_said_of_patterns_and_topics() {
    let bus: Bus<u32> = Bus::new();
    let _sub = bus.subscribe("a.*").unwrap();
    let _idle = bus.publisher("b").unwrap();
    assert_eq!(bus.lint().findings, []);
}

#[test]
fn who_drops_is_named_with_the_cause() {
    let bus = Bus::new();
    let _never = bus
        .subscription("n")
        .name("never")
        .capacity(1)
        .subscribe()
        .unwrap();
    let behind = bus
        .subscription("n")
        .name("behind")
        .capacity(2)
        .subscribe()
        .unwrap();
    let bursts = bus
        .subscription("n")
        .name("bursts")
        .capacity(3)
        .overflow(Overflow::DropOldest);
    let bursts = bursts.subscribe().unwrap();
    let publisher = bus.publisher("n").unwrap();
    publisher.emit_batch(0..10).unwrap();
    behind.recv().unwrap();
    publisher.emit(1).unwrap();
    assert_eq!(bursts.try_iter().count(), 3);

    let lint = bus.lint();
    let drops: Vec<_> = lint
        .findings
        .iter()
        .map(|finding| match finding {
            Finding::Drops {
                name,
                dropped,
                cause,
                ..
            } => (name.as_deref().unwrap(), *dropped, *cause),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(
        drops,
        [
            ("never", 10, DropCause::NeverTaken),
            ("behind", 8, DropCause::Behind),
            ("bursts", 8, DropCause::Bursts),
        ]
    );
    let text = lint.to_string();
    let row: String = text.lines().take(3).collect();
    assert!(row.contains("`never`") && row.contains(file!()), "{text}");
    assert!(
        row.contains("DROPPED 10 of 11 events    why: nobody has taken any"),
        "{text}"
    );
}

#[test]
fn a_slow_consumer_is_behind_also_when_it_has_just_taken_one() {
    let bus = Bus::new();
    let sub = bus.subscription("n").capacity(16).subscribe().unwrap();
    bus.publisher("n").unwrap().emit_batch(0..20).unwrap();
    let mut seen = Vec::new();
    for waiting in (12..16).rev() {
        sub.recv().unwrap();
        match &bus.lint().findings[..] {
            [Finding::Drops { cause, state, .. }] => {
                let now = format!(
                    "{waiting} of 16 wait; when full, DropNewest refuses each further event"
                );
                assert_eq!(*state, now);
                seen.push(*cause);
            }
            other => panic!("{other:?}"),
        }
    }
    use DropCause::{Behind, Bursts};
    assert_eq!(seen, [Behind, Behind, Bursts, Bursts]);
}

/// The cause of the only loss, and all that is said of it.
fn loss(lint: &Lint) -> (DropCause, String) {
    match &lint.findings[..] {
        [drops @ Finding::Drops { cause, .. }] => (*cause, drops.to_string()),
        _ => panic!("{lint}"),
    }
}

/// So that the clock has moved, and there are rates.
fn later<T: Send + Sync + 'static>(bus: &Bus<T>, before: &Topology) -> Topology {
    loop {
        let now = bus.topology().since(before);
        if now.rates.is_some() {
            return now;
        }
    }
}

#[test]
fn a_dispatcher_that_was_never_started_is_told_so() {
    let bus = Bus::new();
    let handlers = Handlers::new();
    handlers.on("n").name("idle").call(|_| {}).unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers).capacity(1).build();
    let dispatcher = dispatcher.unwrap();
    bus.publisher("n").unwrap().emit_batch(0..3).unwrap();
    // Nothing is said of its handler: events that it asks for have matched.
    let (cause, text) = loss(&bus.lint());
    assert_eq!(cause, DropCause::NeverTaken);
    assert!(
        text.contains("DROPPED 2 of 3") && text.contains("`Dispatcher::start`"),
        "{text}"
    );
    dispatcher.start().unwrap();
    dispatcher.stop(Drain::All).unwrap();
    assert!(!bus.lint().to_string().contains("Dispatcher::start"));
}

#[test]
fn of_a_dispatcher_behind_the_slowest_handler_is_named() {
    let bus = Bus::new();
    let handlers = Handlers::new();
    handlers.on("n").name("quick").call(|_| {}).unwrap();
    handlers.on("n").name("slow").call(|_| {}).unwrap();
    let (entered, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let gate = (Arc::clone(&entered), Arc::clone(&go_on));
    let held = handlers.on("held").call(move |_| {
        gate.0.wait();
        gate.1.wait();
    });
    held.unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers)
        .name("work")
        .capacity(2)
        .build();
    let dispatcher = dispatcher.unwrap();
    dispatcher.start().unwrap();
    bus.emit("held", 0).unwrap();
    entered.wait();
    bus.publisher("n").unwrap().emit_batch(0..5).unwrap();

    // Times as they might be: they are read, and not measured here.
    let times = |slow: (u64, u64)| {
        let mut topology = bus.topology();
        for consumer in &mut topology.buses[0].stats.subscriptions[0].consumers {
            let (mean, max) = match consumer.name.as_deref() {
                Some("slow") => slow,
                Some("quick") => (1, 2),
                _ => (0, 0),
            };
            consumer.mean = Duration::from_micros(mean);
            consumer.max = Duration::from_micros(max);
        }
        let (cause, text) = loss(&topology.lint());
        assert_eq!(cause, DropCause::Behind);
        assert!(
            text.contains("dispatcher `work`") && text.contains("its handlers are behind"),
            "{text}"
        );
        text
    };
    let slow = times((20_000, 30_000));
    assert!(
        slow.contains("handler `slow` (") && slow.contains("20.0ms a call, and 30.0ms at most"),
        "{slow}"
    );
    assert!(!slow.contains("held up"), "{slow}");
    let held_up = times((104, 400_000));
    assert!(
        held_up.contains("it is usually quick and sometimes held up"),
        "{held_up}"
    );
    // What takes less than a millisecond at most holds nobody up.
    assert!(!times((1, 900)).contains("held up"));
    go_on.wait();
    dispatcher.stop(Drain::All).unwrap();
}

#[test]
fn rates_tell_who_is_stuck_and_who_is_overwhelmed() {
    let bus = Bus::new();
    let sub = bus.subscription("n").capacity(4).subscribe().unwrap();
    let publisher = bus.publisher("n").unwrap();
    publisher.emit_batch(0..4).unwrap();
    sub.recv().unwrap();
    publisher.emit_batch(0..3).unwrap();
    assert_eq!(loss(&bus.lint()).0, DropCause::Behind);
    let before = bus.topology();
    let stuck = later(&bus, &before).lint();
    let (cause, text) = loss(&stuck);
    assert_eq!(cause, DropCause::Stuck, "full, and nothing was taken");
    assert!(
        text.contains("2 of 7 events, none of them lately"),
        "{text}"
    );
    assert_eq!(stuck.losing().count(), 0);

    // It has room at the moment of the look, and yet lost more than it took.
    publisher.emit_batch(0..10).unwrap();
    assert_eq!(sub.try_iter().count(), 4);
    assert_eq!(
        loss(&bus.lint()).0,
        DropCause::Bursts,
        "as far as one look can know"
    );
    let lint = later(&bus, &before).lint();
    let (cause, text) = loss(&lint);
    assert_eq!(cause, DropCause::Behind);
    assert!(
        text.contains("12 of 17 events, 10 of them lately"),
        "{text}"
    );
    assert_eq!(lint.losing().count(), 1);
}

#[test]
fn losses_that_go_on_come_first() {
    let bus = Bus::new();
    let once = bus
        .subscription("once")
        .name("once")
        .capacity(1)
        .subscribe()
        .unwrap();
    let _on = bus
        .subscription("on")
        .name("on")
        .capacity(1)
        .subscribe()
        .unwrap();
    bus.publisher("once").unwrap().emit_batch(0..50).unwrap();
    bus.publisher("on").unwrap().emit_batch(0..3).unwrap();
    let before = bus.topology();
    bus.emit("on", 1).unwrap();
    let names = |lint: &Lint| -> Vec<String> {
        let name = |it: &Finding| match it {
            Finding::Drops { name, .. } => name.as_deref().unwrap().to_owned(),
            other => panic!("{other}"),
        };
        lint.findings.iter().map(name).collect()
    };
    assert_eq!(names(&before.lint()), ["once", "on"]);
    assert_eq!(names(&later(&bus, &before).lint()), ["on", "once"]);
    drop(once);
}

#[test]
fn the_latest_of_more_topics_than_it_holds_is_a_cause_of_its_own() {
    let bus = Bus::new();
    let sub = bus
        .subscription("n.*")
        .capacity(2)
        .overflow(Overflow::Latest);
    let sub = sub.subscribe().unwrap();
    for topic in ["n.a", "n.b", "n.c"] {
        bus.emit(topic, 1).unwrap();
    }
    assert_eq!(loss(&bus.lint()).0, DropCause::NeverTaken);
    sub.recv().unwrap();
    let (cause, text) = loss(&bus.lint());
    assert_eq!(cause, DropCause::Topics);
    assert!(text.contains("a capacity for all topics"), "{text}");
    assert!(
        text.contains("Latest refuses events of further topics"),
        "{text}"
    );
}

#[test]
fn a_closed_subscription_that_lost_events_is_said_to_be_closed() {
    let bus = Bus::new();
    let sub = bus.subscription("n").capacity(1).subscribe().unwrap();
    bus.publisher("n").unwrap().emit_batch(0..3).unwrap();
    sub.close();
    let text = loss(&bus.lint()).1;
    assert!(text.contains("it is closed, and gets no more"), "{text}");
}

#[test]
fn filters_and_handlers_that_let_nothing_through_are_told() {
    let bus = Bus::new();
    let never = bus.subscription("n").name("never").filter(|_| false);
    let _never = never.subscribe().unwrap();
    let _odd = bus
        .subscription("n")
        .filter(|event| event.payload() % 2 == 1)
        .subscribe()
        .unwrap();
    let handlers = Handlers::new();
    handlers
        .on("n")
        .name("bad")
        .handle(|_, _| Err("no".into()))
        .unwrap();
    handlers
        .on("n")
        .name("half")
        .handle(|event, _| match event.payload() {
            0 => Err("no".into()),
            _ => Ok(chanbus::Flow::Continue),
        })
        .unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers)
        .name("work")
        .build()
        .unwrap();
    dispatcher.start().unwrap();
    bus.publisher("n").unwrap().emit_batch(0..2).unwrap();
    dispatcher.stop(Drain::All).unwrap();
    let lint = bus.lint();
    let [
        Finding::RejectsAll {
            filtered: 2,
            called,
            ..
        },
        bad @ Finding::AlwaysFails { failed: 2, .. },
    ] = &lint.findings[..]
    else {
        panic!("{lint}");
    };
    assert!(called.starts_with("subscriber `never` ("), "{called}");
    let text = bad.to_string();
    assert!(
        text.starts_with("handler `bad` (") && text.contains("of dispatcher `work` has failed"),
        "{text}"
    );
}

#[test]
fn what_was_lost_far_away_is_found() {
    let bus: Bus<u32> = Bus::new();
    let texts = bus.mapped(|event| event.map_payload(u32::to_string));
    let _sub = texts
        .subscription("**")
        .name("far")
        .capacity(1)
        .subscribe()
        .unwrap();
    bus.publisher("n").unwrap().emit_batch(0..3).unwrap();
    let lint = bus.lint();
    assert!(
        matches!(&lint.findings[..], [Finding::Drops { bus, .. }] if *bus == texts.view().id())
    );
    let bus = format!("on bus #{} has DROPPED", texts.view().id());
    assert!(lint.to_string().contains(&bus), "{lint}");
}

#[test]
fn panics_of_filters_are_told() {
    let bus = Bus::new();
    let _sub = bus
        .subscription("n")
        .name("picky")
        .filter(|_| panic!("no"))
        .subscribe()
        .unwrap();
    bus.emit("n", 1).unwrap();
    assert!(
        bus.lint()
            .to_string()
            .contains("the filter of subscriber `picky`"),
        "{}",
        bus.lint()
    );
}

#[test]
fn topics_that_nobody_hears_come_with_near_patterns() {
    let bus = Bus::new();
    let _sub = bus.subscribe("scan.strated").unwrap();
    bus.emit("scan.started", 1).unwrap();
    let lint = bus.lint();
    assert_eq!(unheard(&lint), ["scan.started"]);
    let Finding::NobodyHears { near, .. } = &lint.findings[0] else {
        panic!("{lint}");
    };
    assert!(matches!(near[0].reason, NearReason::Spelling { .. }));
    assert_eq!(unmatched(&lint), ["scan.strated"]);
}

#[test]
fn taps_pipes_and_what_is_retained_hear_topics() {
    let bus = Bus::new();
    let other = Bus::new();
    let _tap = bus.tap("tapped", |_| {}).unwrap();
    let _pipe = bus.pipe_to(&other, "piped").unwrap();
    let _retained = bus.retained("kept").unwrap();
    for topic in ["tapped", "piped", "kept", "lost"] {
        bus.emit(topic, 1).unwrap();
    }
    // On the other bus nobody hears it.
    assert_eq!(unheard(&bus.lint()), ["lost", "piped"]);
}

#[test]
fn what_a_derived_bus_gets_is_heard_where_somebody_listens_to_it() {
    let bus = Bus::new();
    let even = bus.filtered(|event| event.payload() % 2 == 0);
    let texts = even.mapped(|event| event.map_payload(u32::to_string));
    let _here = bus.subscribe("here").unwrap();
    let _there = texts.subscribe("there").unwrap();
    // The filter decides, as one of a subscription would.
    for (topic, payload) in [("here", 2), ("there", 2), ("there.not", 2), ("odd", 1)] {
        bus.emit(topic, payload).unwrap();
    }
    let lint = bus.lint();
    assert_eq!(unheard(&lint), ["odd", "there.not"], "{lint}");
    // Where they come from, and with what those ask for who are far away.
    for finding in &lint.findings {
        let Finding::NobodyHears {
            bus: told,
            near,
            topic,
            ..
        } = finding
        else {
            panic!("{lint}");
        };
        assert_eq!(*told, bus.view().id());
        assert_eq!(near.is_empty(), *topic == "odd", "{lint}");
    }
}

#[test]
fn a_topic_that_only_a_derived_bus_has_is_told_of_that() {
    let bus = Bus::new();
    let out = bus.mapped(|event| event.with_topic(Topic::new("out").unwrap(), *event.payload()));
    bus.emit("in", 1).unwrap();
    let lint = bus.lint();
    // That it has other names there cannot be seen, so "in" is believed to be heard under one of them.
    assert_eq!(unheard(&lint), ["out"], "{lint}");
    assert!(
        matches!(&lint.findings[0], Finding::NobodyHears { bus, .. } if *bus == out.view().id()),
        "{lint}"
    );
    let _sub = out.subscribe("out").unwrap();
    bus.emit("in", 1).unwrap();
    assert_eq!(bus.lint().findings, []);
}

#[test]
fn in_a_circle_of_buses_a_topic_is_told_once() {
    let (one, two, far) = (Bus::new(), Bus::new(), Bus::<u32>::new());
    let _there = one.pipe_to(&two, "**").unwrap();
    let _back = two.pipe_to(&one, "**").unwrap();
    one.emit("a", 1).unwrap();
    two.emit("b", 1).unwrap();
    for bus in [&one, &two] {
        let lint = bus.lint();
        assert_eq!(unheard(&lint), ["a", "b"], "{lint}");
        let told = |finding: &Finding| match finding {
            Finding::NobodyHears { bus, .. } => *bus,
            other => panic!("{other}"),
        };
        assert!(
            lint.findings.iter().all(|it| told(it) == bus.view().id()),
            "{lint}"
        );
    }
    // Heard by a bus that both come to, it is heard.
    let _on = two.pipe_to(&far, "a").unwrap();
    let _sub = far.subscribe("a").unwrap();
    assert_eq!(unheard(&one.lint()), ["b"]);
    assert_eq!(unheard(&two.lint()), ["b"]);
}

#[test]
fn a_pipe_of_other_topics_hears_nothing() {
    let (bus, other) = (Bus::new(), Bus::new());
    let _pipe = bus.pipe_to(&other, "piped.*").unwrap();
    let _all = other.subscribe_all().unwrap();
    bus.emit("piped.a", 1).unwrap();
    bus.emit("a", 1).unwrap();
    assert_eq!(unheard(&bus.lint()), ["a"]);
}

#[test]
fn publishers_are_heard_of_without_being_in_the_cache() {
    let bus = Bus::builder().route_cache(0).build().unwrap();
    let publisher = bus.publisher("tick").unwrap();
    let _idle = bus.publisher("idle").unwrap();
    publisher.emit(1).unwrap();
    assert_eq!(unheard(&bus.lint()), ["tick"]);
    let _sub = bus.subscribe("tick").unwrap();
    assert_eq!(unheard(&bus.lint()), [""; 0]);
}

#[test]
fn a_topic_that_no_handler_wants_is_unheard() {
    let bus = Bus::new();
    let handlers = Handlers::new();
    handlers.on("chat.*").name("greet").call(|_| {}).unwrap();
    let _dispatcher = Dispatcher::builder(&bus, &handlers)
        .name("work")
        .build()
        .unwrap();
    bus.emit("chat.hello", 1).unwrap();
    bus.emit("Chat.hello", 1).unwrap();
    let lint = bus.lint();
    assert_eq!(unheard(&lint), ["Chat.hello"]);
    let text = lint.to_string();
    assert!(
        text.contains("comes to dispatcher `work`") && text.contains("no handler for it"),
        "{text}"
    );
    assert!(text.contains("capital and small letters"), "{text}");
}

#[test]
fn handlers_that_were_never_called_are_told() {
    let bus = Bus::new();
    let handlers = Handlers::new();
    handlers.on("a").name("used").call(|_| {}).unwrap();
    handlers.on("A").name("unused").call(|_| {}).unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
    bus.emit("a", 1).unwrap();
    dispatcher.start().unwrap();
    dispatcher.stop(Drain::All).unwrap();
    let lint = bus.lint();
    assert_eq!(unmatched(&lint), ["A"]);
    assert!(
        lint.to_string().contains("`A` of handler `unused`"),
        "{lint}"
    );
}

#[test]
fn of_several_patterns_each_is_told_where_all_topics_are_known() {
    for (observed, expected) in [(0, vec![]), (10, vec!["b"])] {
        let bus = Bus::builder().observe_topics(observed).build().unwrap();
        let _sub = bus.subscribe(["a", "b"]).unwrap();
        bus.emit("a", 1).unwrap();
        assert_eq!(unmatched(&bus.lint()), expected);
    }
}

#[test]
fn closed_ones_and_waiters_are_left_out() {
    let bus = Bus::new();
    let closed = bus.subscribe("never").unwrap();
    closed.close();
    let waiter = bus.wait_for_async("later", |_| true);
    let _all = bus.subscribe_all().unwrap();
    bus.emit("a", 1).unwrap();
    assert_eq!(bus.lint().findings, []);
    drop(waiter);
}

#[test]
fn its_work_is_bounded() {
    let bus = Bus::builder()
        .max_subscribers(1_000)
        .observe_topics(5_000)
        .build()
        .unwrap();
    let subs: Vec<_> = (0..300)
        .map(|n| bus.subscribe(format!("never.seen.n{n}")).unwrap())
        .collect();
    for n in 0..3_000 {
        bus.emit(format!("topic.number.t{n}"), n).unwrap();
    }
    let lint = bus.lint();
    assert!(lint.cut);
    assert_eq!((unheard(&lint).len(), unmatched(&lint).len()), (3_000, 300));
    drop(subs);
}
