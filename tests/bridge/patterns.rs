//! What is exported and imported is what the patterns say, also where NATS cannot say it.

use chanbus::{
    Bridge, BridgeBuilder, BridgeError, BridgeEvent, Bus, Escape, Event, Pattern, Subscription,
    Syntax,
};

use crate::plain_client::PlainClient;
use crate::support::{HANG, Server, alone, bus, connected, installed, until};

const TOPICS: [&str; 14] = [
    "a", "a.b", "a.c", "a.b.c", "a.x.c", "a.x.y.c", "a.bb", "a.bb.c", "ab", "ab.c", "b.a", "b",
    "ac.b", "a.bc",
];
/// What a bridge exports to know that it has all that came before.
const FENCE: &str = "zz.fence";

fn next<T: Send + Sync>(sub: &Subscription<T>) -> Event<T> {
    sub.recv_timeout(HANG).unwrap()
}

fn matching(patterns: &[&str], syntax: Syntax) -> Vec<String> {
    let parse = |text: &&str| match syntax {
        Syntax::Flat => Pattern::flat(text).unwrap(),
        _ => Pattern::new(text).unwrap(),
    };
    let patterns: Vec<Pattern> = patterns.iter().map(parse).collect();
    let wanted = |topic: &&str| patterns.iter().any(|pattern| pattern.matches(topic));
    let mut topics: Vec<_> = TOPICS
        .into_iter()
        .filter(wanted)
        .map(String::from)
        .collect();
    topics.sort_unstable();
    topics
}

/// The topics of what comes in when a plain client publishes on all, sorted, and how many messages were left out.
fn imported(
    server: &Server,
    bus: &Bus<u64>,
    builder: BridgeBuilder<u64>,
    prefix: &str,
) -> (Vec<String>, u64) {
    let bridge = connected(builder.export(FENCE), server);
    let sub = bus.subscribe_all().unwrap();
    let before = bridge.stats().import.unwanted;
    let mut client = PlainClient::connect(server);
    for topic in TOPICS {
        client.publish(&format!("{prefix}{topic}"), "1");
    }
    client.settle();
    bus.emit(FENCE, 1).unwrap();
    until("the fence is confirmed", || {
        bridge.stats().export.confirmed == 1
    });
    let mut topics: Vec<String> = sub
        .try_iter()
        .map(|event| event.topic().to_string())
        .collect();
    topics.retain(|topic| topic != FENCE);
    topics.sort_unstable();
    let import = bridge.stats().import;
    assert_eq!(import.imported, topics.len() as u64);
    assert_eq!(
        (import.undecodable, import.refused, import.own),
        (0, 0, import.own.min(1))
    );
    (topics, import.unwanted - before)
}

/// Import patterns, and whether NATS can say them, so that nothing else comes over the wire.
const SEGMENTED: [(&[&str], bool); 14] = [
    (&["a"], true),
    (&["a.*"], true),
    (&["a.**"], true),
    (&["*.a"], true),
    (&["a.*.c"], true),
    (&["a.**.c"], false),
    (&["**.c"], false),
    (&["a.b*"], false),
    (&["a.??"], false),
    (&["a*.**"], false),
    (&["a*"], false),
    // Several, of which one has what another has, too.
    (&["a.**", "a.*", "a.b", "*.b"], true),
    (&["a.b*", "a.*b", "a.**.c", "**.c", "a.b"], false),
    (&["**", "a.*"], true),
];
const FLAT: [(&[&str], bool); 6] = [
    (&["a"], true),
    (&["a.*"], true),
    (&["a*"], false),
    (&["a?b"], false),
    (&["*c"], false),
    (&["a.*", "*c", "a.b"], false),
];

#[test]
fn imports_are_what_the_patterns_say_each_once() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    for syntax in [Syntax::Segmented, Syntax::Flat] {
        let rows = if syntax == Syntax::Flat {
            &FLAT[..]
        } else {
            &SEGMENTED[..]
        };
        for &(patterns, exact) in rows {
            for prefix in [None, Some("p.q")] {
                let bus = Bus::builder().syntax(syntax).build().unwrap();
                let mut builder = Bridge::builder(&bus).import(patterns);
                let mut before = String::new();
                if let Some(prefix) = prefix {
                    builder = builder.prefix(prefix);
                    before = format!("{prefix}.");
                }
                let (topics, unwanted) = imported(&server, &bus, builder, &before);
                assert_eq!(
                    topics,
                    matching(patterns, syntax),
                    "{patterns:?} {prefix:?}"
                );
                // With a prefix nothing of the bridges' own is in between.
                if exact && prefix.is_some() {
                    assert_eq!(unwanted, 0, "{patterns:?}");
                }
            }
        }
    }
}

#[test]
fn exports_are_what_the_patterns_say_each_once() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    for syntax in [Syntax::Segmented, Syntax::Flat] {
        let rows = if syntax == Syntax::Flat {
            &FLAT[..]
        } else {
            &SEGMENTED[..]
        };
        for &(patterns, _) in rows {
            let bus = Bus::builder().syntax(syntax).build().unwrap();
            let bridge = connected(Bridge::builder(&bus).export(patterns).prefix("p"), &server);
            let mut client = PlainClient::connect(&server);
            client.subscribe("p.>");
            for topic in TOPICS {
                bus.emit(topic, 1).unwrap();
            }
            let wanted = matching(patterns, syntax);
            until("all is sent", || {
                bridge.stats().export.confirmed == wanted.len() as u64
            });
            let mut sent: Vec<String> = client.all().into_iter().map(|it| it.subject).collect();
            sent.iter_mut()
                .for_each(|subject| *subject = subject.replacen("p.", "", 1));
            sent.sort_unstable();
            assert_eq!(sent, wanted, "{patterns:?}");
        }
    }
}

#[test]
fn bridges_with_different_prefixes_do_not_hear_each_other() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let buses = [bus::<u64>(), bus(), bus()];
    let bridges: Vec<_> = buses
        .iter()
        .zip([Some("p"), Some("q"), Some("p")])
        .map(|(bus, prefix)| {
            let builder = Bridge::builder(bus).export("**").import("**");
            connected(builder.prefix(prefix.unwrap()), &server)
        })
        .collect();
    let subs: Vec<_> = buses
        .iter()
        .map(|bus| bus.subscribe_all().unwrap())
        .collect();
    for (n, bus) in (0..).zip(&buses) {
        bus.emit("a.b", n).unwrap();
    }
    until("all is sent", || {
        bridges.iter().all(|it| it.stats().export.confirmed == 1)
    });
    until("the first and the last have each other's", || {
        [0, 2]
            .iter()
            .all(|&at| bridges[at].stats().import.imported == 1)
    });
    let came = |at: usize| {
        let mut came: Vec<u64> = subs[at].try_iter().map(|event| *event.payload()).collect();
        came.sort_unstable();
        came
    };
    assert_eq!(
        (came(0), came(1), came(2)),
        (vec![0, 2], vec![1], vec![0, 2])
    );
    assert_eq!(bridges[1].stats().import.received, 1);
}

#[test]
fn topics_that_are_no_subjects_are_escaped_and_come_back() {
    const HOSTILE: [&str; 8] = [
        "$SYS.up",
        "_INBOX.x",
        "_CHANBUS.sent",
        "menu.>.next",
        "100%",
        "%25.>",
        "é.😀",
        ">",
    ];
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    for prefix in [None, Some("$p.>")] {
        let (near, far) = (bus::<u64>(), bus::<u64>());
        let mut export = Bridge::builder(&near).export("**");
        let mut import = Bridge::builder(&far).import("**");
        if let Some(prefix) = prefix {
            (export, import) = (export.prefix(prefix), import.prefix(prefix));
        }
        let export = connected(export, &server);
        let _import = connected(import, &server);
        let sub = far.subscribe_all().unwrap();
        for topic in HOSTILE {
            near.emit(topic, 1).unwrap();
            assert_eq!(next(&sub).topic().as_str(), topic);
        }
        let longest = format!("{}.x", "%".repeat(800));
        near.emit(&longest, 2).unwrap();
        assert_eq!(next(&sub).topic().as_str(), longest);
        assert_eq!(export.stats().export.refused, 0);
    }
}

#[test]
fn topics_that_are_no_subjects_are_refused_on_demand() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let export = Bridge::builder(&near).export("**").escape(Escape::Refuse);
    let export = connected(export, &server);
    let import = Bridge::builder(&far).import("**").escape(Escape::Refuse);
    let _import = connected(import, &server);
    let refused = export.states().subscribe("event.refused").unwrap();
    let sub = far.subscribe_all().unwrap();
    for topic in ["$SYS.up", "_INBOX.x", "_CHANBUS.sent", "menu.>.next", ">"] {
        near.emit(topic, 1).unwrap();
        let report = next(&refused);
        let BridgeEvent::Refused {
            topic: told,
            reason,
        } = report.payload()
        else {
            panic!("{report:?}");
        };
        assert_eq!(told, topic);
        assert!(reason.contains("BridgeBuilder::escape"), "{reason}");
    }
    near.emit("100%", 2).unwrap();
    assert_eq!(next(&sub).topic().as_str(), "100%");
    let stats = export.stats().export;
    assert_eq!((stats.matched, stats.refused, stats.sent), (6, 5, 1));
    // A pattern of which each event would be refused is known to be wrong at once.
    let error = Bridge::builder(&near)
        .export("$SYS.*")
        .escape(Escape::Refuse)
        .start()
        .unwrap_err();
    assert!(matches!(error, BridgeError::Subject(_)), "{error}");
}

#[test]
fn a_broadcast_goes_out_only_on_topics_that_are_exported() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let export = connected(Bridge::builder(&near).export("a.*"), &server);
    let _import = connected(Bridge::builder(&far).import("**"), &server);
    let sub = far.subscribe_all().unwrap();
    near.broadcast("b", 1).unwrap();
    near.broadcast("a.b", 2).unwrap();
    assert_eq!(next(&sub).payload(), &2);
    until("it is confirmed", || export.stats().export.confirmed == 1);
    let stats = export.stats().export;
    assert_eq!((stats.matched, stats.skipped, stats.sent), (2, 1, 1));
    assert!(sub.try_recv().is_err());
}

#[test]
fn events_too_large_for_the_server_are_refused_and_the_connection_stays() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let (near, far) = (bus::<String>(), bus::<String>());
    let export = connected(Bridge::builder(&near).export("a"), &server);
    let _import = connected(Bridge::builder(&far).import("a"), &server);
    let refused = export.states().subscribe("event.refused").unwrap();
    let sub = far.subscribe_all().unwrap();
    // The server's limit is of payload and headers together.
    for length in [1_048_576 - 8, 2_000_000] {
        near.emit("a", "x".repeat(length)).unwrap();
        let report = next(&refused);
        assert!(
            report.payload().to_string().contains("limit"),
            "{}",
            report.payload()
        );
    }
    near.emit("a", "x".repeat(1_000_000)).unwrap();
    assert_eq!(next(&sub).payload().len(), 1_000_000);
    let stats = export.stats();
    assert_eq!(
        (stats.export.refused, stats.export.sent, stats.connects),
        (2, 1, 1)
    );
}

#[test]
fn events_of_one_import_pattern_keep_their_order_across_topics() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let _export = connected(
        Bridge::builder(&near).export(["a.*", "b.*", "a.b"]),
        &server,
    );
    let _import = connected(Bridge::builder(&far).import("*.*"), &server);
    let sub = far.subscribe_all().unwrap();
    for n in 0..5_000 {
        near.emit(["a.b", "b.a", "a.c"][n as usize % 3], n).unwrap();
    }
    for n in 0..5_000 {
        assert_eq!(next(&sub).payload(), &n);
    }
}

/// The client has a channel for each subscription: what lies in several was sent in one order.
#[test]
fn events_of_several_patterns_keep_the_order_in_which_one_bridge_sent_them() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let exports: [&[&str]; 2] = [&["**"], &["a.*", "b", "a"]];
    for exports in exports {
        let (near, far) = (bus::<u64>(), bus::<u64>());
        let export = connected(Bridge::builder(&near).export(exports), &server);
        let import = Bridge::builder(&far).import(["a.**", "b", "a.b"]);
        let _import = connected(import, &server);
        let sub = far.subscribe_all().unwrap();
        for n in 0..5_000 {
            near.emit(["a.b", "b", "a"][n as usize % 3], n).unwrap();
        }
        for n in 0..5_000 {
            assert_eq!(next(&sub).payload(), &n);
        }
        assert_eq!(export.stats().export.dropped, 0);
    }
}
