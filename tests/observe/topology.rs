//! The topology has what there is, on every bus that is reached, as a value, a table, a graph and JSON.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use chanbus::{
    Bus, Consumer, Dispatcher, Drain, Handlers, Overflow, PanicPlace, Role, Syntax, TapTarget,
    Topology,
};

#[track_caller]
fn line() -> u32 {
    Location::caller().line()
}

fn topics(topology: &Topology) -> Vec<&str> {
    let known = topology.buses[0].topics.topics.iter();
    known.map(|it| it.topic.as_str()).collect()
}

#[test]
#[rustfmt::skip]
fn it_has_bus_publishers_subscriptions_taps_and_where_they_were_made() {
    let (bus, made) = (Bus::<u32>::builder().name("ui").build().unwrap(), line());
    let (ticks, published) = (bus.publisher("tick").unwrap(), line());
    let (_sub, subscribed) = (bus.subscription("t*").name("panel").capacity(2).overflow(Overflow::DropOldest).subscribe().unwrap(), line());
    let (_tap, tapped) = (bus.tap("audit.**", |_| {}).unwrap(), line());
    ticks.emit_batch([1, 2, 3]).unwrap();

    let topology = bus.topology();
    assert_eq!(topology.buses.len(), 1);
    let node = &topology.buses[0];
    assert_eq!((node.location.file(), node.location.line()), (file!(), made));
    assert_eq!((node.payload_type, node.stats.name.as_deref()), ("u32", Some("ui")));
    let publisher = &node.publishers[0];
    assert_eq!((publisher.topic.as_str(), publisher.emitted, publisher.location.line()), ("tick", 3, published));
    let sub = topology.subscription("panel").unwrap();
    assert_eq!((sub.location.line(), sub.depth, sub.dropped, sub.role), (subscribed, 2, 1, Role::Subscriber));
    assert_eq!((node.taps[0].location.line(), node.taps[0].target), (tapped, TapTarget::Callback));
    assert_eq!(topology, topology.clone());
}

#[test]
#[rustfmt::skip]
fn every_way_to_make_a_bus_knows_its_line() {
    let (bus, made) = (Bus::<u32>::new(), line());
    assert_eq!(bus.view().location().line(), made);
    let (bus, made) = (Bus::<u32>::default(), line());
    assert_eq!(bus.view().location().line(), made);
    let (channel, made) = (chanbus::Channel::<u32>::new("news").unwrap(), line());
    assert_eq!(channel.bus().view().location().line(), made);
    let (typed, made) = (chanbus::TypedBus::new(), line());
    assert_eq!(typed.bus().view().location().line(), made);
    let (typed, made) = (chanbus::TypedBus::default(), line());
    assert_eq!(typed.bus().view().location().line(), made);
    struct Mine;
    let (bus, made) = (chanbus::global_or_default::<Mine>(), line());
    assert_eq!(bus.view().location().line(), made);
    let _ = chanbus::take_global::<Mine>();
}

#[test]
#[rustfmt::skip]
fn derived_buses_and_pipes_are_followed_and_have_their_lines() {
    let bus: Bus<u32> = Bus::new();
    let other: Bus<u32> = Bus::builder().name("other").build().unwrap();
    let (even, filtered) = (bus.filtered(|event| event.payload() % 2 == 0), line());
    let (texts, mapped) = (even.mapped(|event| event.map_payload(u32::to_string)), line());
    let (made, both) = (bus.filter_mapped(|event| Some(event.clone())), line());
    let (_pipe, piped) = (bus.pipe_to(&other, "a.**").unwrap(), line());
    let (_back, _) = (other.pipe_to(&bus, "**").unwrap(), line());
    let _sub = texts.subscription("**").name("deep").capacity(1).subscribe().unwrap();
    bus.publisher("n").unwrap().emit_batch([2, 4, 5]).unwrap();

    let topology = bus.topology();
    // Each once, though there is a circle.
    assert_eq!(topology.buses.len(), 5);
    let lines: Vec<(TapTarget, u32)> = topology.buses[0].taps.iter().map(|tap| (tap.target, tap.location.line())).collect();
    assert_eq!(lines, [
        (TapTarget::Derived { to: even.view().id() }, filtered),
        (TapTarget::Derived { to: made.view().id() }, both),
        (TapTarget::Pipe { to: other.view().id() }, piped),
    ]);
    let texts_node = topology.bus(texts.view().id()).unwrap();
    assert_eq!((texts_node.payload_type, texts_node.location.line()), ("alloc::string::String", mapped));
    // What was lost three buses down is seen from the first.
    assert_eq!(topology.subscription("deep").unwrap().dropped, 1);
    let merged_line = line() + 1;
    let merged = Bus::merged([&bus, &other]);
    assert_eq!(merged.view().location().line(), merged_line);
    assert_eq!(bus.topology().buses.len(), 6);
    drop(merged);
    assert_eq!(bus.topology().buses.len(), 5);
}

#[test]
fn it_keeps_nothing_open() {
    let bus: Bus<u32> = Bus::new();
    let sub = bus.filtered(|_| true).subscribe_all().unwrap();
    let (topology, view) = (bus.topology(), bus.view());
    assert_eq!(topology.buses.len(), 2);
    drop(bus);
    assert!(sub.is_closed());
    assert!(view.stats().closed);
    assert_eq!(view.feeds().len(), 0);
}

#[test]
fn handlers_stand_behind_their_dispatcher() {
    let bus = Bus::new();
    let handlers = Handlers::new();
    let registered = line() + 1;
    handlers.on("chat.*").name("greet").call(|_| {}).unwrap();
    handlers.on("**").handle(|_, _| Err("no".into())).unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
    bus.emit("chat.hello", 1).unwrap();
    dispatcher.start().unwrap();
    dispatcher.stop(Drain::All).unwrap();

    let topology = bus.topology();
    let sub = topology.subscription("dispatcher").unwrap();
    assert_eq!(sub.role, Role::Dispatcher);
    let greet = &sub.consumers[0];
    assert_eq!(
        (greet.name.as_deref(), greet.called, greet.failed),
        (Some("greet"), 1, 0)
    );
    assert_eq!(greet.location.unwrap().line(), registered);
    assert_eq!((sub.consumers[1].called, sub.consumers[1].failed), (1, 1));
    // Plain statistics do not ask for that.
    assert!(bus.stats().subscriptions[0].consumers.is_empty());
}

#[test]
fn who_says_who_takes_may_use_the_bus_and_may_panic() {
    let told = Arc::new(AtomicBool::new(false));
    let hook = Arc::clone(&told);
    let bus: Bus<u32> = Bus::builder()
        .on_panic(move |panic| {
            hook.store(panic.place() == PanicPlace::Consumers, Ordering::Relaxed);
        })
        .build()
        .unwrap();
    let inside = bus.downgrade();
    let _good = bus
        .subscription("a")
        .served_by(move || {
            // It may even change subscriptions: no lock is held.
            let bus = inside.upgrade().unwrap();
            drop(bus.subscribe("b").unwrap());
            vec![Consumer::default()]
        })
        .subscribe()
        .unwrap();
    let _bad = bus.subscription("a").served_by(|| panic!("no")).subscribe();
    let topology = bus.topology();
    let consumers = topology.buses[0].stats.subscriptions.iter();
    assert_eq!(
        consumers.map(|sub| sub.consumers.len()).collect::<Vec<_>>(),
        [1, 0]
    );
    assert!(told.load(Ordering::Relaxed));
}

#[test]
fn p9_what_tells_goes_with_the_subscription() {
    let captured = Arc::new(());
    let held = Arc::clone(&captured);
    let bus = Bus::new();
    let publisher = bus.publisher("a").unwrap();
    let sub = bus.subscription("a").served_by(move || {
        let _ = &held;
        Vec::new()
    });
    let sub = sub.subscribe().unwrap();
    // The idle publisher keeps its route, and by that the subscription's memory.
    publisher.emit(1).unwrap();
    assert_eq!(Arc::strong_count(&captured), 2);
    drop(sub);
    assert_eq!(Arc::strong_count(&captured), 1);
}

#[test]
fn without_being_asked_to_it_knows_the_topics_since_the_last_change() {
    let bus = Bus::new();
    bus.emit("a", 1).unwrap();
    let _p = bus.publisher("p").unwrap();
    assert_eq!(topics(&bus.topology()), ["a", "p"]);
    assert_eq!(bus.topology().buses[0].topics.observed, None);
    let _sub = bus.subscribe("b").unwrap();
    assert!(topics(&bus.topology()).is_empty());
    bus.emit("b", 1).unwrap();
    let topology = bus.topology();
    let known = &topology.buses[0].topics;
    assert_eq!((known.topics[0].subscriptions, known.full), (1, false));
}

#[test]
fn asked_to_it_remembers_the_first_topics_whatever_changes() {
    let bus = Bus::builder().observe_topics(2).build().unwrap();
    bus.emit("a", 1).unwrap();
    let sub = bus.subscribe("**").unwrap();
    bus.emit("b", 1).unwrap();
    bus.emit("a", 1).unwrap();
    assert_eq!(topics(&bus.topology()), ["a", "b"]);
    assert!(!bus.topology().buses[0].topics.full);
    bus.emit("c", 1).unwrap();
    drop(sub);
    let known = bus.topology().buses[0].topics.clone();
    assert_eq!(
        (known.topics.len(), known.full, known.observed),
        (2, true, Some(2))
    );
    assert_eq!(known.topics[0].subscriptions, 0);
    bus.close();
    assert_eq!(topics(&bus.topology()), ["a", "b"]);
}

#[test]
fn p13_the_topics_that_it_tells_are_bounded() {
    let bus = Bus::new();
    for n in 0..3_000 {
        bus.emit(format!("t.{n}"), n).unwrap();
    }
    let known = bus.topology().buses[0].topics.clone();
    assert_eq!((known.topics.len(), known.full), (1_024, true));
    let observing = Bus::builder()
        .observe_topics(10)
        .route_cache(0)
        .build()
        .unwrap();
    for n in 0..100 {
        observing.emit(format!("t.{n}"), n).unwrap();
    }
    assert_eq!(observing.topology().buses[0].topics.topics.len(), 10);
}

#[test]
fn threads_that_emit_on_new_topics_are_all_remembered() {
    let bus = Bus::builder().observe_topics(1_000).build().unwrap();
    thread::scope(|scope| {
        for thread in 0..4 {
            let bus = &bus;
            scope.spawn(move || {
                for n in 0..100 {
                    bus.emit(format!("t{thread}.{n}"), n).unwrap();
                    if n % 10 == 0 {
                        drop(bus.subscribe("x").unwrap());
                        let _ = bus.topology().to_string();
                    }
                }
            });
        }
    });
    assert_eq!(bus.topology().buses[0].topics.topics.len(), 401 - 1);
}

#[test]
fn rates_are_of_what_happened_since() {
    let bus = Bus::new();
    let ticks = bus.publisher("tick").unwrap();
    let sub = bus
        .subscription("tick")
        .name("slow")
        .capacity(4)
        .subscribe()
        .unwrap();
    ticks.emit_batch(0..4).unwrap();
    let before = bus.topology();
    assert!(before.clone().since(&before).rates.is_none());
    ticks.emit_batch(0..6).unwrap();
    sub.try_recv().unwrap();
    let late = bus.subscribe("other").unwrap();
    while bus.topology().at == before.at {
        thread::yield_now();
    }
    let now = bus.topology().since(&before);
    let rates = now.rates.as_ref().unwrap();
    let seconds = rates.elapsed.as_secs_f64();
    let events = |rate: f64| (rate * seconds).round() as u64;
    let of_bus = &rates.buses[0];
    assert_eq!((events(of_bus.emitted), events(of_bus.dropped)), (6, 6));
    assert_eq!(events(of_bus.publishers[0]), 6);
    let slow = &of_bus.subscriptions[0];
    assert_eq!(
        (
            events(slow.matched),
            events(slow.taken),
            events(slow.dropped)
        ),
        (6, 1, 6)
    );
    assert_eq!(events(of_bus.subscriptions[1].matched), 0);
    assert!(now.to_string().contains("/s DROPPED"), "{now}");
    // The wrong way round, or of another bus, there are none.
    assert!(before.clone().since(&now).rates.is_none());
    assert!(Bus::<u32>::new().topology().since(&before).rates.is_none());
    // What was reset counts from zero.
    drop(late);
    bus.reset();
    bus.emit("tick", 1).unwrap();
    let reset = bus.topology().since(&now);
    let rates = reset.rates.unwrap();
    assert_eq!(
        (rates.buses[0].emitted * rates.elapsed.as_secs_f64()).round() as u64,
        1
    );
}

#[test]
fn publishers_are_counted_and_numbered_in_the_order_in_which_they_were_made() {
    let bus = Bus::<u32>::new();
    let mut made: Vec<_> = ["a", "b", "c"]
        .map(|topic| bus.publisher(topic).unwrap())
        .into();
    made.push(made[1].clone());
    drop(made.remove(0));
    let mut listed = bus.view().publishers();
    listed.sort_by_key(|publisher| publisher.id);
    let listed: Vec<_> = listed
        .iter()
        .map(|publisher| (publisher.id, publisher.topic.as_str()))
        .collect();
    assert_eq!(listed, [(1, "b"), (2, "c"), (3, "b")]);
    assert_eq!(bus.stats().publishers, 3);
}
#[test]
fn a_view_tells_how_the_bus_reads_patterns() {
    for syntax in [Syntax::Segmented, Syntax::Flat] {
        let bus = Bus::<u32>::builder().syntax(syntax).build().unwrap();
        assert_eq!(bus.view().syntax(), syntax);
    }
}
#[test]
fn the_table_names_who_drops_and_where_it_was_made() {
    let bus = Bus::builder().name("ui").build().unwrap();
    let made = line() + 1;
    let _sub = bus.subscription("n").capacity(1).subscribe().unwrap();
    bus.publisher("n").unwrap().emit_batch([1, 2, 3]).unwrap();
    bus.emit("nobody", 1).unwrap();
    let table = bus.topology().to_string();
    let row = table.lines().find(|row| row.contains("DROPPED")).unwrap();
    assert!(row.contains(&format!("{}:{made}", file!())), "{table}");
    assert!(
        row.contains("2 DROPPED") && row.contains("1 of 1 waiting, FULL, DropNewest"),
        "{table}"
    );
    assert!(table.contains("nobody: NOBODY LISTENS"), "{table}");
}

/// Texts that somebody might choose to break what is printed.
const HOSTILE: &str = "a\"];\n b0 -> evil [label=\"x\\\\\" &lt; \\N \u{1b}[31m \0";

#[test]
fn hostile_names_break_neither_table_nor_graph() {
    let bus = Bus::builder().name(HOSTILE).build().unwrap();
    let handlers = Handlers::new();
    handlers.on("a").name(HOSTILE).call(|_| {}).unwrap();
    let _dispatcher = Dispatcher::builder(&bus, &handlers)
        .name(HOSTILE)
        .build()
        .unwrap();
    let _sub = bus
        .subscription("\"a\\.&b*")
        .name(HOSTILE)
        .capacity(1)
        .subscribe()
        .unwrap();
    bus.publisher("\"a\\.&b")
        .unwrap()
        .emit_batch([1, 2])
        .unwrap();
    let topology = bus.topology();

    let table = topology.to_string();
    assert!(!table.contains('\u{1b}') && !table.contains('\0'));
    assert!(table.lines().all(|row| !row.trim_start().starts_with("b0")));
    assert!(!topology.lint().to_string().contains('\u{1b}'));
    let explained = topology.explain("a").unwrap().to_string();
    assert!(!explained.contains('\u{1b}'), "{explained}");

    let dot = topology.to_dot();
    assert!(!dot.contains('\u{1b}') && !dot.contains('\0'));
    assert_eq!(outside_quotes(&dot).matches("evil").count(), 0, "{dot}");
    assert!(dot.contains("&amp;lt;") && dot.contains("\\\\N"), "{dot}");
}

/// What of a graph is not in quotes, by the rules of the DOT language.
fn outside_quotes(dot: &str) -> String {
    let (mut outside, mut quoted, mut escaped) = (String::new(), false, false);
    for c in dot.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if !quoted => outside.push(c),
            _ => {}
        }
    }
    assert!(!quoted, "a quote is not closed");
    outside
}

#[test]
fn the_graph_shows_drops_full_queues_and_the_ways() {
    let bus: Bus<u32> = Bus::new();
    let even = bus.filtered(|event| event.payload() % 2 == 0);
    let full = bus
        .subscription("n")
        .name("full")
        .capacity(2)
        .subscribe()
        .unwrap();
    bus.publisher("n").unwrap().emit_batch([1, 2]).unwrap();
    assert!(bus.topology().to_dot().contains("orange"));
    bus.emit("n", 3).unwrap();
    let dot = bus.topology().to_dot();
    assert!(dot.contains("tomato") && dot.contains("1 DROPPED") && !dot.contains("orange"));
    let way = format!("b{} -> b{} [", bus.view().id(), even.view().id());
    assert!(dot.contains(&way), "{dot}");
    let braces = outside_quotes(&dot);
    assert_eq!(braces.matches('{').count(), 1);
    assert_eq!(braces.matches('[').count(), braces.matches(']').count());
    drop(full);
}

#[test]
fn a_topology_can_be_taken_while_all_changes() {
    let bus: Bus<u32> = Bus::builder()
        .observe_topics(64)
        .max_subscribers(1_000)
        .build()
        .unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..500 {
                let sub = bus.subscribe("a.*").unwrap();
                let derived = bus.filtered(|_| true);
                let _tap = bus.tap("**", |_| {}).unwrap();
                let publisher = bus.publisher("a.b").unwrap();
                publisher.emit(n).unwrap();
                assert_eq!(sub.len(), 1);
                drop(derived);
            }
            done.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let topology = bus.topology();
                let _ = (topology.to_dot(), topology.to_string(), topology.lint());
                assert!(topology.buses.len() <= 2);
            }
        });
    });
    assert_eq!(bus.topology().buses.len(), 1);
    assert!(bus.topology().at > Duration::ZERO);
}

#[cfg(feature = "json")]
#[test]
fn json_has_all_of_it_in_the_documented_schema() {
    let bus = Bus::builder().name(HOSTILE).build().unwrap();
    let even = bus.filtered(|event| event.payload() % 2 == 0);
    let handlers = Handlers::new();
    handlers.on("n").name("h").call(|_| {}).unwrap();
    let _dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
    let _sub = bus.subscription("n").capacity(1).subscribe().unwrap();
    let before = bus.topology();
    bus.publisher("n").unwrap().emit_batch([1, 2]).unwrap();
    while bus.topology().at == before.at {
        thread::yield_now();
    }
    let json = bus.topology().since(&before).to_json();
    // It is JSON, whatever the names.
    let json: serde_json::Value = serde_json::from_str(&json.to_string()).unwrap();
    assert_eq!(json["schema"], 1);
    let first = &json["buses"][0];
    assert_eq!(
        (&first["name"], &first["emitted"]),
        (&HOSTILE.into(), &2.into())
    );
    let sub = &first["subscriptions"][1];
    assert_eq!(
        (&sub["dropped"], &sub["name"]),
        (&1.into(), &serde_json::Value::Null)
    );
    assert_eq!(
        (&sub["overflow"], &sub["role"]),
        (&"DropNewest".into(), &"subscriber".into())
    );
    assert!(sub["rates"]["dropped"].as_f64().unwrap() > 0.0);
    assert_eq!(sub["location"]["file"], file!());
    assert_eq!(first["subscriptions"][0]["consumers"][0]["name"], "h");
    assert_eq!(first["taps"][0]["to"], even.view().id());
    assert_eq!(first["taps"][0]["kind"], "derived");
    assert_eq!(first["topics"][0]["topic"], "n");
    assert_eq!(json["buses"][1]["id"], even.view().id());
}
