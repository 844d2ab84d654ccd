//! Who hears a topic, by which pattern; and who nearly does, and why not.

use chanbus::{Bus, Dispatcher, Explanation, Handlers, NearMiss, NearReason, Overflow, Pattern};

fn why(pattern: &str, topic: &str) -> Option<NearReason> {
    NearMiss::between(&Pattern::new(pattern).unwrap(), topic).map(|miss| miss.reason)
}

fn near(explanation: &Explanation) -> Vec<Option<&str>> {
    let near = explanation.buses[0].near.iter();
    near.map(|near| near.name.as_deref()).collect()
}

#[test]
fn each_near_miss_has_its_reason() {
    use NearReason::*;
    let spelling = |asked: &str, found: &str| Spelling {
        asked: asked.into(),
        found: found.into(),
    };
    let other = |asked: &str, found: &str| OtherSegment {
        asked: asked.into(),
        found: found.into(),
    };
    let star = |matching: &str| OneStar {
        matching: matching.into(),
    };
    let cases = [
        ("Scan.Started", "scan.started", LetterCase),
        ("scan.started", "SCAN.started", LetterCase),
        ("Scan.*", "scan.started", LetterCase),
        ("ÄRGER.*", "ärger.da", LetterCase),
        (
            "scan.strated",
            "scan.started",
            spelling("strated", "started"),
        ),
        ("scan.start", "scan.started", spelling("start", "started")),
        ("order.payed", "order.paid", spelling("payed", "paid")),
        (
            "orders.paied",
            "order.paid",
            spelling("orders.paied", "order.paid"),
        ),
        ("sca.*", "scan.started", spelling("sca", "scan")),
        (
            "**.strated",
            "a.b.c.started",
            spelling("strated", "started"),
        ),
        (
            "scan/started",
            "scan.started",
            spelling("scan/started", "scan.started"),
        ),
        ("scan.*", "scan.file.found", star("scan.**")),
        ("*", "scan.started", star("**")),
        ("*.done", "scan.file.done", star("**.done")),
        ("scan*", "scan.started", FlatSyntax),
        (
            "scan",
            "scan.started",
            ExtraSegment {
                found: "started".into(),
            },
        ),
        (
            "started",
            "scan.started",
            ExtraSegment {
                found: "scan".into(),
            },
        ),
        (
            "scan.*.done",
            "scan.done",
            MissingSegment { asked: "*".into() },
        ),
        (
            "scan.file.found",
            "scan.found",
            MissingSegment {
                asked: "file".into(),
            },
        ),
        ("scan.stopped", "scan.started", other("stopped", "started")),
        (
            "disk.*.error",
            "disk.sda.warning",
            other("error", "warning"),
        ),
    ];
    for (pattern, topic, expected) in cases {
        assert_eq!(why(pattern, topic), Some(expected), "{pattern} {topic}");
    }
}

#[test]
fn what_is_far_or_matches_is_no_near_miss() {
    let cases = [
        ("scan.*", "scan.started"),
        ("ui.click", "scan.started"),
        ("a", "b"),
        ("ab", "cd"),
        ("a.b.c.d", "scan.started"),
        ("ui.**", "scan.started"),
    ];
    for (pattern, topic) in cases {
        assert_eq!(why(pattern, topic), None, "{pattern} {topic}");
    }
}

#[test]
fn flat_patterns_are_told_of_segments() {
    let flat = |pattern: &str, topic: &str| {
        NearMiss::between(&Pattern::flat(pattern).unwrap(), topic).map(|miss| miss.reason)
    };
    let missing = NearReason::MissingSegment { asked: "*".into() };
    assert_eq!(flat("scan.*.done", "scan.done"), Some(missing));
    assert_eq!(flat("Scan.*", "scan.a.b"), Some(NearReason::LetterCase));
    assert_eq!(flat("scan.*", "scan.a.b"), None);
}

#[test]
fn no_text_makes_it_slow_or_panic() {
    let long = "a.".repeat(511) + "a";
    let letters = "x".repeat(1_024);
    let stars = "*.".repeat(500) + "b";
    let odd = [
        "ß",
        "İ.i",
        "a\u{301}",
        "?.x",
        "**.a.**.b.**",
        "*a*b*c*",
        "\"\\&",
    ];
    let texts: Vec<&str> = odd
        .iter()
        .copied()
        .chain([&*long, &*letters, &*stars])
        .collect();
    let begin = std::time::Instant::now();
    for pattern in &texts {
        for topic in &texts {
            for pattern in [Pattern::new(pattern), Pattern::flat(pattern)]
                .into_iter()
                .flatten()
            {
                if let Some(miss) = NearMiss::between(&pattern, topic) {
                    assert!(!pattern.matches(topic));
                    assert!(!miss.to_string().is_empty());
                }
            }
        }
    }
    // Far from exponential: some milliseconds where it is alone.
    assert!(begin.elapsed().as_secs() < 30);
}

#[test]
fn who_hears_it_is_told_with_the_pattern() {
    let bus: Bus<u32> = Bus::new();
    let _one = bus
        .subscription(["ui.*", "scan.**"])
        .name("one")
        .subscribe()
        .unwrap();
    let _two = bus.subscription("disk.**").name("two").subscribe().unwrap();
    let explanation = bus.explain("scan.started").unwrap();
    let here = &explanation.buses[0];
    assert_eq!(here.subscriptions.len(), 1);
    assert_eq!(here.subscriptions[0].stats.name.as_deref(), Some("one"));
    assert_eq!(here.subscriptions[0].pattern.as_str(), "scan.**");
    assert_eq!((here.near.len(), here.others), (0, 1));
    let text = explanation.to_string();
    assert!(
        text.contains("`one`") && text.contains("hears it, by `scan.**`"),
        "{text}"
    );
    assert!(text.contains(&format!("{}:", file!())), "{text}");
}

#[test]
fn asking_emits_nothing_and_remembers_nothing() {
    let bus: Bus<u32> = Bus::builder().observe_topics(10).build().unwrap();
    let sub = bus.subscribe_all().unwrap();
    bus.explain("scan.started").unwrap();
    assert_eq!((sub.len(), bus.stats().emitted), (0, 0));
    assert!(bus.view().topics().topics.is_empty());
}

#[test]
fn a_text_that_is_no_topic_is_refused_with_the_reason() {
    let bus: Bus<u32> = Bus::new();
    let error = bus.explain("scan.*").unwrap_err();
    assert!(error.to_string().contains('*'), "{error}");
    assert!(bus.explain("").is_err());
    assert!(bus.topology().explain("a..b").is_err());
}

#[test]
fn what_keeps_a_matching_event_away_is_told() {
    let bus = Bus::new();
    let closed = bus.subscription("n").name("closed").subscribe().unwrap();
    closed.close();
    let _picky = bus
        .subscription("n")
        .name("picky")
        .filter(|event| *event.payload() > 1)
        .subscribe();
    let _full = bus.subscription("n").name("full").capacity(1).subscribe();
    let _old = bus
        .subscription("n")
        .name("old")
        .capacity(1)
        .overflow(Overflow::DropOldest)
        .subscribe();
    bus.publisher("n").unwrap().emit_batch([1, 1, 2]).unwrap();
    let text = bus.explain("n").unwrap().to_string();
    let after = |name: &str| {
        let mut rows = text
            .lines()
            .skip_while(|row| !row.contains(&format!("`{name}`")));
        rows.next().unwrap();
        let buts: Vec<&str> = rows.take_while(|row| row.starts_with("    ")).collect();
        buts.join("\n")
    };
    assert!(after("closed").contains("it is closed"), "{text}");
    assert!(after("picky").contains("rejected 2 of 3 events"), "{text}");
    assert!(
        after("full").contains("its queue is full (1 of 1): DropNewest refuses"),
        "{text}"
    );
    assert!(
        after("full").contains("dropped 2 of 3 events so far; nobody has taken any"),
        "{text}"
    );
    assert!(
        after("old").contains("DropOldest lets go of the oldest"),
        "{text}"
    );
}

#[test]
fn the_nearest_come_first_and_are_few() {
    let bus: Bus<u32> = Bus::builder().max_subscribers(100).build().unwrap();
    let mut subs = Vec::new();
    for n in 0..30 {
        subs.push(
            bus.subscription("scan.stopped")
                .name(format!("s{n}"))
                .subscribe(),
        );
    }
    subs.push(bus.subscription("SCAN.started").name("case").subscribe());
    let explanation = bus.explain("scan.started").unwrap();
    let here = &explanation.buses[0];
    assert_eq!((here.near.len(), here.more_near, here.others), (10, 21, 0));
    assert_eq!(near(&explanation)[0], Some("case"));
    let text = explanation.to_string();
    assert!(text.ends_with("and 21 more nearly do"), "{text}");
}

#[test]
fn handlers_are_asked_one_by_one() {
    let bus: Bus<u32> = Bus::new();
    let handlers = Handlers::new();
    handlers.on("chat.*").name("greet").call(|_| {}).unwrap();
    handlers.on("Chat.hello").name("slip").call(|_| {}).unwrap();
    let _dispatcher = Dispatcher::builder(&bus, &handlers)
        .name("chat")
        .build()
        .unwrap();
    let explanation = bus.explain("chat.hello").unwrap();
    let heard = &explanation.buses[0].subscriptions[0];
    assert_eq!(heard.consumers.len(), 1);
    assert_eq!(heard.consumers[0].name.as_deref(), Some("greet"));
    assert_eq!(near(&explanation), [Some("slip")]);
    assert!(
        explanation.to_string().contains("handler `slip`"),
        "{explanation}"
    );
    let nobody = bus.explain("disk.full").unwrap().to_string();
    assert!(
        nobody.contains("gets it, by `**`") && nobody.contains("none of its handlers asks for it"),
        "{nobody}"
    );
}

#[test]
fn it_follows_the_ways_that_the_topic_can_take() {
    let bus: Bus<u32> = Bus::new();
    let (audit, quiet) = (Bus::builder().name("audit").build().unwrap(), Bus::new());
    let _there = bus.pipe_to(&audit, "login.*").unwrap();
    let _nowhere = bus.pipe_to(&quiet, "disk.*").unwrap();
    let _back = audit.pipe_to(&bus, "**").unwrap();
    let _far = audit
        .subscription("login.**")
        .name("far")
        .subscribe()
        .unwrap();
    let explanation = bus.explain("login.failed").unwrap();
    assert_eq!(explanation.buses.len(), 2);
    assert_eq!(
        explanation.buses[1].subscriptions[0].stats.name.as_deref(),
        Some("far")
    );
    assert_eq!(explanation.buses[0].taps.len(), 1);
}

#[test]
fn on_a_closed_bus_nobody_hears_anything() {
    let bus: Bus<u32> = Bus::new();
    let _sub = bus.subscribe_all().unwrap();
    bus.close();
    let explanation = bus.explain("a").unwrap();
    assert!(explanation.buses[0].closed);
    assert!(explanation.to_string().contains("closed"), "{explanation}");
}
