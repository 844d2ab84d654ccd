//! Bridges that export and import the same events: each arrives once at each, and what is answered goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use chanbus::{Bridge, BridgeEvent, Bus, Cause, EmitError, Imported, Subscription, Topic};

use crate::support::{HANG, Server, alone, bus, connected, installed, until};

/// Patterns that overlap, so that most topics match several.
const SAME: [&str; 4] = ["n.**", "n.*", "**.a", "n.a"];
const TOPICS: [&str; 4] = ["n.a", "n.b", "n.b.a", "n"];

fn next<T: Send + Sync>(sub: &Subscription<T>) -> chanbus::Event<T> {
    sub.recv_timeout(HANG).unwrap()
}

/// Who emitted it, and which of his it is.
type Numbered = (usize, u64);

/// So many processes, each with a bridge that exports and imports the same.
fn ring(count: usize, server: &Server) -> Vec<(Bus<Numbered>, Bridge<Numbered>)> {
    let one = |_| {
        let bus = bus();
        let builder = Bridge::builder(&bus).export(SAME).import(SAME);
        let bridge = connected(builder, server);
        (bus, bridge)
    };
    (0..count).map(one).collect()
}

#[test]
fn two_and_three_bridges_give_each_event_once_to_each() {
    const EACH: u64 = 500;
    if !installed() {
        return;
    }
    let _alone = alone();
    for count in [2, 3] {
        let server = Server::start().unwrap();
        let all = ring(count, &server);
        let subs: Vec<_> = all
            .iter()
            .map(|(bus, _)| bus.subscribe_all().unwrap())
            .collect();
        thread::scope(|scope| {
            for (who, (bus, _)) in all.iter().enumerate() {
                scope.spawn(move || {
                    for n in 0..EACH {
                        bus.emit(TOPICS[n as usize % TOPICS.len()], (who, n))
                            .unwrap();
                    }
                });
            }
        });
        let total = EACH * count as u64;
        for ((_, bridge), sub) in all.iter().zip(&subs) {
            until("all has come, and one's own came back", || {
                let stats = bridge.stats();
                // `**.a` is subscribed to as `>`, which hears what the bridges tell each other.
                let events = stats.import.received - stats.import.unwanted;
                stats.export.confirmed == EACH && events == total
            });
            let mut came: Vec<(usize, u64)> =
                sub.try_iter().map(|event| *event.payload()).collect();
            came.sort_unstable();
            let wanted: Vec<_> = (0..count)
                .flat_map(|who| (0..EACH).map(move |n| (who, n)))
                .collect();
            assert_eq!(came, wanted);
            let stats = bridge.stats();
            assert_eq!(
                (stats.export.matched, stats.export.skipped),
                (total, total - EACH)
            );
            assert_eq!((stats.export.sent, stats.export.refused), (EACH, 0));
            assert_eq!(
                (stats.import.imported, stats.import.own),
                (total - EACH, EACH)
            );
            assert_eq!((stats.import.undecodable, stats.import.missed), (0, 0));
        }
    }
}

#[test]
fn an_event_that_came_is_passed_on_within_the_process_and_not_beyond() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let all = ring(2, &server);
    let ((near, export), (far, import)) = (&all[0], &all[1]);
    let home = near.subscribe_all().unwrap();
    let sub = far.subscribe("n.a").unwrap();
    let passed = far.subscribe("n.b").unwrap();
    near.emit("n.a", (0, 1)).unwrap();
    let came = next(&sub);
    assert_eq!(
        came.extension::<Imported>().unwrap().origin(),
        Some(export.origin())
    );
    // As it is; with another payload; under another topic, and mapped.
    far.emit_event(came.clone()).unwrap();
    far.emit_event(came.with_payload((1, 2))).unwrap();
    let other = Topic::new("n.b").unwrap();
    far.emit_event(came.with_topic(other, (0, 3))).unwrap();
    assert_eq!(next(&sub).payload(), &(0, 1));
    assert_eq!(next(&sub).payload(), &(1, 2));
    assert_eq!(next(&passed).payload(), &(0, 3));
    // What comes next from there is the first that it sent.
    far.emit("n.b", (1, 4)).unwrap();
    assert_eq!(next(&home).payload(), &(0, 1));
    assert_eq!(next(&home).payload(), &(1, 4));
    let sent = import.stats().export;
    assert_eq!((sent.matched, sent.skipped, sent.sent), (5, 4, 1));
}

#[test]
fn an_answer_goes_out_and_its_cause_crosses_the_wire() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let all = ring(2, &server);
    let ((near, _), (far, _)) = (&all[0], &all[1]);
    let home = near.subscribe("n.b").unwrap();
    let sub = far.subscribe("n.a").unwrap();
    let first = Cause::of_topics([Topic::new("order").unwrap()]).unwrap();
    first.enter(|| near.emit("n.a", (0, 1)).unwrap());
    let question = next(&sub);
    assert_eq!(question.cause().unwrap().to_string(), "order");
    Cause::scope(&question, || far.emit("n.b", (1, 2)).unwrap());
    let answer = next(&home);
    assert_eq!(answer.payload(), &(1, 2));
    assert_eq!(answer.cause().unwrap().to_string(), "order > n.a");
    // By a tap, which runs on the bridge's own thread.
    let other = far.clone();
    let _tap = far
        .tap("n.b.a", move |_| {
            other.emit("n.b", (1, 3)).unwrap();
        })
        .unwrap();
    near.emit("n.b.a", (0, 0)).unwrap();
    let answer = next(&home);
    assert_eq!(answer.payload(), &(1, 3));
    assert_eq!(answer.cause().unwrap().to_string(), "n.b.a");
}

/// Two processes that answer each other for ever. How long that went, and why it ended.
fn answers(near: &Bus<u64>, far: &Bus<u64>, server: &Server) -> (u64, Option<usize>, Vec<String>) {
    let bridge = |bus: &Bus<u64>, out: &str, back: &str| {
        connected(Bridge::builder(bus).export(out).import(back), server)
    };
    let bridges = [bridge(near, "ping", "pong"), bridge(far, "pong", "ping")];
    let reports: Vec<_> = bridges
        .iter()
        .map(|it| it.states().subscribe_all().unwrap())
        .collect();
    let ended = Arc::new(AtomicBool::new(false));
    let answer = |bus: &Bus<u64>, to: &'static str, with: &'static str| {
        let (sub, bus, ended) = (bus.subscribe(to).unwrap(), bus.clone(), Arc::clone(&ended));
        thread::spawn(move || {
            for event in &sub {
                let next = event.payload() + 1;
                match Cause::scope(&event, || bus.emit(with, next)) {
                    Ok(_) => {}
                    Err(EmitError::ChainTooDeep { limit, .. }) => {
                        ended.store(true, Ordering::Relaxed);
                        return Some(limit);
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            None
        })
    };
    let threads = [answer(near, "pong", "ping"), answer(far, "ping", "pong")];
    near.emit("ping", 1).unwrap();
    until("it ends", || {
        let undecodable = bridges.iter().any(|it| it.stats().import.undecodable > 0);
        ended.load(Ordering::Relaxed) || undecodable
    });
    let sent = bridges.iter().map(|it| it.stats().export.sent).sum();
    near.close();
    far.close();
    let limits: Vec<_> = threads.into_iter().map(|it| it.join().unwrap()).collect();
    let reasons = reports
        .iter()
        .flat_map(|it| it.try_iter().collect::<Vec<_>>());
    let reasons = reasons.filter_map(|event| match event.payload() {
        BridgeEvent::Undecodable { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    (sent, limits.into_iter().flatten().next(), reasons.collect())
}

#[test]
fn two_that_answer_each_other_for_ever_end_at_the_longest_chain() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let short = || Bus::builder().max_chain(5).build().unwrap();
    let (sent, limit, reasons) = answers(&short(), &short(), &server);
    // One without a cause, and then one for each length of the chain.
    assert_eq!((sent, limit), (6, Some(5)));
    assert!(reasons.is_empty(), "{reasons:?}");
    // Where the buses have no limit to speak of, the wire has one.
    let endless = || Bus::builder().max_chain(usize::MAX).build().unwrap();
    let (sent, limit, reasons) = answers(&endless(), &endless(), &server);
    assert_eq!((sent, limit), (66, None));
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0].contains("Chanbus-Cause"), "{reasons:?}");
}

#[test]
fn an_event_whose_chain_is_too_deep_for_this_bus_is_refused_and_counted() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let near = bus::<u64>();
    let far: Bus<u64> = Bus::builder().max_chain(1).build().unwrap();
    let _export = connected(Bridge::builder(&near).export("n"), &server);
    let import = connected(Bridge::builder(&far).import("n"), &server);
    let refused = import.states().subscribe("event.refused").unwrap();
    let sub = far.subscribe_all().unwrap();
    let topics = ["a", "b"].map(|it| Topic::new(it).unwrap());
    Cause::of_topics(topics)
        .unwrap()
        .enter(|| near.emit("n", 1).unwrap());
    near.emit("n", 2).unwrap();
    assert_eq!(next(&sub).payload(), &2);
    let report = next(&refused);
    let BridgeEvent::Refused { topic, reason } = report.payload() else {
        panic!("{report:?}");
    };
    assert_eq!(topic, "n");
    assert!(reason.contains("a > b"), "{reason}");
    until("all is counted", || import.stats().import.received == 2);
    let import = import.stats().import;
    assert_eq!((import.imported, import.refused), (1, 1));
}

#[test]
fn what_came_by_one_bridge_goes_out_by_no_other_of_the_same_bus() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let (west, east) = (Server::start().unwrap(), Server::start().unwrap());
    let (left, middle, right) = (bus::<u64>(), bus::<u64>(), bus::<u64>());
    let _left = connected(Bridge::builder(&left).export("n"), &west);
    let _in = connected(Bridge::builder(&middle).import("n").export("n"), &west);
    let out = connected(Bridge::builder(&middle).import("n").export("n"), &east);
    let _right = connected(Bridge::builder(&right).import("n"), &east);
    let (here, there) = (
        middle.subscribe("n").unwrap(),
        right.subscribe("n").unwrap(),
    );
    left.emit("n", 1).unwrap();
    assert_eq!(next(&here).payload(), &1);
    middle.emit("n", 2).unwrap();
    assert_eq!(next(&there).payload(), &2);
    let sent = out.stats().export;
    assert_eq!((sent.matched, sent.skipped, sent.sent), (2, 1, 1));
}
