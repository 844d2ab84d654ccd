//! codechu-events: its rows, and its documented examples (the sync ones).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chanbus::{
    Beat, Bus, DEFAULT_CAPACITY, DEFAULT_HEARTBEAT, DEFAULT_MAX_SUBSCRIBERS, Overflow,
    RecvTimeoutError, SubscribeError, Subscription, Syntax,
};

use super::watch::watched;
use super::{Done, payloads, topics};

#[test]
fn c1_one_bus_carries_many_channels() -> Done {
    let bus = Bus::new();
    let scans = bus.subscribe("scan.*")?;
    let clicks = bus.subscribe("ui.*")?;
    for (number, topic) in ["scan.started", "ui.click", "scan.finished"]
        .into_iter()
        .enumerate()
    {
        bus.emit(topic, number)?;
    }
    assert_eq!(topics(&scans), ["scan.started", "scan.finished"]);
    assert_eq!(topics(&clicks), ["ui.click"]);
    Ok(())
}

#[test]
fn c2_a_list_of_globs_is_one_subscription() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe(["scan.*", "ui.click"])?;
    for topic in ["scan.started", "ui.click", "ui.hover", "scan", "foo.bar"] {
        bus.emit(topic, ())?;
    }
    assert_eq!(topics(&sub), ["scan.started", "ui.click"]);
    assert_eq!(bus.subscriber_count(), 1);
    Ok(())
}

#[test]
fn c3_a_single_glob_or_an_exact_name_needs_no_list() -> Done {
    let bus = Bus::new();
    let glob = bus.subscribe("scan.*")?;
    let exact = bus.subscribe("scan.started")?;
    bus.emit("scan.started", ())?;
    bus.emit("scan.finished", ())?;
    assert_eq!(topics(&glob), ["scan.started", "scan.finished"]);
    assert_eq!(topics(&exact), ["scan.started"]);
    Ok(())
}

#[test]
fn c4_any_thread_emits() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("n")?;
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let bus = bus.clone();
            thread::spawn(move || {
                for n in 0..25 {
                    bus.emit("n", thread * 25 + n).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let mut all = payloads(&sub);
    all.sort_unstable();
    assert!(all.into_iter().eq(0..100));
    Ok(())
}

#[test]
fn c5_emit_never_blocks() -> Done {
    watched(|| {
        let bus = Bus::new();
        let nobody_reads = bus.subscription("n").capacity(1).subscribe()?;
        for n in 0..10_000 {
            bus.emit("n", n)?;
        }
        assert_eq!(payloads(&nobody_reads), [0]);
        assert_eq!(nobody_reads.dropped(), 9_999);
        Ok(())
    })
}

#[test]
fn c6_each_subscriber_has_its_own_bounded_queue() -> Done {
    let bus = Bus::builder().capacity(3).build()?;
    let (one, other) = (bus.subscribe("n")?, bus.subscribe("n")?);
    for n in 0..3 {
        assert_eq!(bus.emit("n", n)?.delivered, 2);
    }
    assert_eq!(payloads(&one), [0, 1, 2]);
    // The room that one made is not the other's.
    let emitted = bus.emit("n", 3)?;
    assert_eq!((emitted.delivered, emitted.dropped), (1, 1));
    assert_eq!((payloads(&one), other.len()), (vec![3], 3));
    Ok(())
}

#[test]
fn c7_a_slow_consumer_drops_and_neither_publisher_nor_neighbour_notices() -> Done {
    watched(|| {
        let bus = Bus::builder().capacity(8).build()?;
        let slow = bus.subscribe("n")?;
        let quick = bus.subscribe("n")?;
        for n in 0..1_000 {
            bus.emit("n", n)?;
            assert_eq!(*quick.try_recv()?.payload(), n);
        }
        assert_eq!((slow.dropped(), quick.dropped()), (992, 0));
        assert!(payloads(&slow).into_iter().eq(0..8));
        Ok(())
    })
}

#[test]
fn c8_a_for_loop_receives_and_sleeps_in_between() -> Done {
    let seen = watched(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("scan.*")?;
        let reader = thread::spawn(move || {
            let mut seen = Vec::new();
            for event in &sub {
                seen.push(*event.payload());
            }
            seen
        });
        for n in 0..100 {
            bus.emit("scan.progress", n)?;
        }
        drop(bus);
        Ok::<_, chanbus::Error>(reader.join().unwrap())
    })?;
    assert!(seen.into_iter().eq(0..100));
    Ok(())
}

#[test]
fn c10_leaving_the_scope_unsubscribes_also_by_a_panic() -> Done {
    let bus: Bus<u32> = Bus::new();
    {
        let _sub = bus.subscribe("scan.*")?;
        assert_eq!(bus.emit("scan.started", 1)?.matched, 1);
    }
    assert_eq!(bus.emit("scan.started", 2)?.matched, 0);

    let broken = catch_unwind(AssertUnwindSafe(|| {
        let _sub = bus.subscribe("scan.*").unwrap();
        panic!("on purpose");
    }));
    assert!(broken.is_err());
    assert_eq!(bus.subscriber_count(), 0);
    Ok(())
}

#[test]
fn c11_an_idle_channel_beats_between_its_events() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("scan.*")?;
    let mut beats = sub.heartbeats(Duration::from_millis(1));
    assert!(matches!(beats.next(), Some(Beat::Keepalive)));
    bus.emit("scan.started", 7)?;
    assert!(matches!(beats.next(), Some(Beat::Event(event)) if *event.payload() == 7));
    assert!(matches!(beats.next(), Some(Beat::Keepalive)));
    assert!(matches!(beats.next(), Some(Beat::Keepalive)));
    bus.close();
    assert!(beats.next().is_none());
    Ok(())
}

#[test]
fn c12_a_keepalive_is_a_variant_and_never_an_event() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe_all()?;

    // Idle: plain receiving says so by an error, heartbeats by a variant; neither counts as an event.
    let idle = Duration::from_millis(1);
    assert_eq!(
        sub.recv_timeout(idle).unwrap_err(),
        RecvTimeoutError::Timeout
    );
    assert!(matches!(sub.heartbeats(idle).next(), Some(Beat::Keepalive)));
    assert_eq!((sub.received(), bus.stats().emitted), (0, 0));

    // What the reference keeps for itself is an ordinary topic here, in either form of iteration.
    bus.emit("_keepalive", 1)?;
    bus.emit("_keepalive", 2)?;
    let beat = sub.heartbeats(idle).next().and_then(Beat::into_event);
    assert_eq!(beat.map(|event| *event.payload()), Some(1));
    bus.close();
    assert_eq!(sub.iter().count(), 1);
    Ok(())
}

#[test]
fn c13_each_subscription_has_its_own_interval() -> Done {
    watched(|| {
        let bus = Bus::new();
        let quick = bus.subscribe("metric.*")?;
        let slow = bus.subscribe("metric.*")?;
        let hour = Duration::from_secs(3_600);
        let patient = thread::spawn(move || {
            let first = slow.heartbeats(hour).next();
            matches!(first, Some(Beat::Event(_)))
        });

        let interval = Duration::from_millis(20);
        let begin = Instant::now();
        assert!(matches!(
            quick.heartbeats(interval).next(),
            Some(Beat::Keepalive)
        ));
        assert!(begin.elapsed() >= interval);

        bus.emit("metric.fps", 58)?;
        assert!(patient.join().unwrap());
        Ok(())
    })
}

#[test]
fn c14_the_default_interval_is_five_seconds() -> Done {
    assert_eq!(DEFAULT_HEARTBEAT, Duration::from_secs(5));
    // It is what `heartbeats` takes; an event that waits comes at once.
    let bus = Bus::new();
    let sub = bus.subscribe("a")?;
    bus.emit("a", 1)?;
    let beat = sub.heartbeats(DEFAULT_HEARTBEAT).next();
    assert!(matches!(beat, Some(Beat::Event(_))));
    Ok(())
}

#[test]
fn c16_subscribers_and_depth_are_bounded() -> Done {
    let bus = Bus::builder().max_subscribers(2).capacity(4).build()?;
    let first = bus.subscribe("n")?;
    let _second = bus.subscribe("n")?;
    assert!(bus.subscribe("n").unwrap_err().is_limit_reached());
    for n in 0..100 {
        bus.emit("n", n)?;
    }
    assert_eq!(first.len(), 4);
    assert_eq!(bus.stats().depth, 8);
    Ok(())
}

#[test]
fn c17_stats_count_subscribers() -> Done {
    let bus: Bus<u32> = Bus::new();
    assert_eq!(bus.stats().subscribers, 0);
    let first = bus.subscribe("a")?;
    let second = bus.subscribe("b")?;
    assert_eq!((bus.stats().subscribers, bus.subscriber_count()), (2, 2));
    drop(first);
    second.close();
    assert_eq!((bus.stats().subscribers, bus.subscriber_count()), (0, 0));
    Ok(())
}

#[test]
fn c18_stats_count_every_emit_also_the_unmatched() -> Done {
    let bus = Bus::new();
    let _sub = bus.subscribe("a")?;
    bus.emit("a", 1)?;
    bus.emit("nobody.listens", 2)?;
    bus.publisher("b")?.emit(3)?;
    bus.emit("not..a.topic", 4).unwrap_err();
    assert_eq!(bus.stats().emitted, 3);
    Ok(())
}

#[test]
fn c19_stats_count_drops_together_and_by_subscription() -> Done {
    let bus = Bus::new();
    let _small = bus
        .subscription("n")
        .name("small")
        .capacity(1)
        .subscribe()?;
    let _large = bus
        .subscription("n")
        .name("large")
        .capacity(3)
        .subscribe()?;
    let gone = bus.subscription("n").capacity(2).subscribe()?;
    for n in 0..5 {
        bus.emit("n", n)?;
    }
    drop(gone);
    let stats = bus.stats();
    let each: Vec<_> = stats
        .subscriptions
        .iter()
        .map(|sub| (sub.name.as_deref(), sub.dropped))
        .collect();
    assert_eq!(each, [(Some("small"), 4), (Some("large"), 2)]);
    // The sum also covers the one that has gone.
    assert_eq!(stats.dropped, 4 + 2 + 3);
    Ok(())
}

#[test]
fn c20_stats_tell_the_queue_depth() -> Done {
    let bus = Bus::new();
    let one = bus.subscribe("a.*")?;
    let other = bus.subscribe("a.b")?;
    bus.emit("a.b", 1)?;
    bus.emit("a.c", 2)?;
    assert_eq!((one.len(), other.len(), bus.stats().depth), (2, 1, 3));
    one.try_recv()?;
    let depths: Vec<_> = bus.stats().subscriptions.iter().map(|s| s.depth).collect();
    assert_eq!(depths, [1, 1]);
    Ok(())
}

/// The documented example: two buses in one process, one with a larger cap.
#[test]
fn c27_buses_are_isolated() -> Done {
    let ui_bus = Bus::new();
    let telemetry_bus = Bus::builder().max_subscribers(128).build()?;

    let ui_sub = ui_bus.subscribe(["ui.*"])?;
    let telemetry_sub = telemetry_bus.subscribe(["metric.*"])?;
    // A subscription of everything shows that the topics alone do not make the difference.
    let all_ui = ui_bus.subscribe_all()?;

    ui_bus.emit("ui.click", 1)?;
    telemetry_bus.emit("metric.fps", 58)?;

    assert_eq!(topics(&ui_sub), ["ui.click"]);
    assert_eq!(topics(&telemetry_sub), ["metric.fps"]);
    assert_eq!(topics(&all_ui), ["ui.click"]);
    Ok(())
}

#[test]
fn c28_a_bus_takes_a_larger_cap() -> Done {
    let bus: Bus<u32> = Bus::builder().max_subscribers(128).build()?;
    let subs: Vec<_> = (0..128)
        .map(|_| bus.subscribe("metric.*"))
        .collect::<Result<_, _>>()?;
    assert_eq!(subs.len(), 128);
    assert_eq!(
        bus.subscribe("metric.*").unwrap_err(),
        SubscribeError::LimitReached { limit: 128 }
    );
    Ok(())
}

struct Scan {
    panel: &'static str,
}

#[test]
fn c29_a_filter_looks_into_the_payload() -> Done {
    let bus: Bus<Scan> = Bus::new();
    let sub = bus
        .subscription("scan.*")
        .filter(|event| event.payload().panel == "suggestion")
        .subscribe()?;
    let wanted = bus.emit(
        "scan.started",
        Scan {
            panel: "suggestion",
        },
    )?;
    let rejected = bus.emit("scan.started", Scan { panel: "treemap" })?;
    assert_eq!((wanted.delivered, wanted.filtered), (1, 0));
    assert_eq!((rejected.delivered, rejected.filtered), (0, 1));
    assert_eq!(sub.try_recv()?.payload().panel, "suggestion");
    assert_eq!((sub.len(), sub.filtered()), (0, 1));
    Ok(())
}

#[test]
fn c30_the_topic_is_checked_before_the_filter_is_asked() -> Done {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let bus = Bus::new();
    let sub = bus
        .subscription("scan.*")
        .filter(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            true
        })
        .subscribe()?;
    bus.emit("ui.click", 1)?;
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    bus.emit("scan.started", 2)?;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // What the patterns refuse is not even matched; only what the filter refuses counts as filtered.
    assert_eq!((sub.matched(), sub.filtered()), (1, 0));
    Ok(())
}

/// The documented example subscribes to `["*"]` and receives `scan.started`: so it does in flat
/// syntax, where a `*` also crosses dots; in the default syntax that pattern is `**`.
#[test]
fn c31_types_star_with_a_filter_receives_scan_started() -> Done {
    fn example(bus: &Bus<Scan>, everything: &str) -> Result<Subscription<Scan>, chanbus::Error> {
        let sub = bus
            .subscription([everything])
            .filter(|event| event.payload().panel == "suggestion")
            .subscribe()?;
        bus.emit(
            "scan.started",
            Scan {
                panel: "suggestion",
            },
        )?;
        bus.emit("scan.started", Scan { panel: "treemap" })?;
        Ok(sub)
    }

    let flat = Bus::builder().syntax(Syntax::Flat).build()?;
    let sub = example(&flat, "*")?;
    assert_eq!(
        (topics(&sub), sub.filtered()),
        (vec!["scan.started".into()], 1)
    );

    let segmented = Bus::new();
    let sub = example(&segmented, "**")?;
    assert_eq!(
        (topics(&sub), sub.filtered()),
        (vec!["scan.started".into()], 1)
    );

    // Where it is carried over as it stands, nothing matches: `*` is one segment.
    let sub = example(&segmented, "*")?;
    assert_eq!((sub.len(), sub.matched()), (0, 0));
    Ok(())
}

#[test]
fn c32_subscribe_all_is_everything() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe_all()?;
    let emitted = ["a", "scan.started", "very.deep.topic.name", "_private", "Ü"];
    for topic in emitted {
        bus.emit(topic, ())?;
    }
    assert_eq!(topics(&sub), emitted);
    // An empty list is no other spelling of it.
    let nothing: [&str; 0] = [];
    assert_eq!(
        bus.subscribe(nothing).unwrap_err(),
        SubscribeError::NoPatterns
    );
    Ok(())
}

#[test]
fn c33_unsubscribe_frees_the_slot_and_later_emits_do_not_match() -> Done {
    let bus = Bus::builder().max_subscribers(1).build()?;
    let sub = bus.subscribe("a")?;
    assert_eq!(bus.emit("a", 1)?.matched, 1);
    sub.unsubscribe();
    assert_eq!(bus.emit("a", 2)?.matched, 0);

    // Closing does the same, and leaves what is queued to be read.
    let sub = bus.subscribe("a")?;
    bus.emit("a", 3)?;
    sub.close();
    assert_eq!(bus.emit("a", 4)?.matched, 0);
    let _next = bus.subscribe("a")?;
    assert_eq!(sub.iter().map(|event| *event.payload()).sum::<i32>(), 3);
    Ok(())
}

#[test]
fn c34_the_subscription_is_its_own_guard() -> Done {
    fn first_of(bus: &Bus<u32>, pattern: &str) -> Result<u32, chanbus::Error> {
        let sub = bus.subscribe(pattern)?;
        bus.emit("a", 7)?;
        // Whichever way this is left, by `?` or by its end, the subscription goes.
        Ok(*sub.try_recv()?.payload())
    }
    let bus = Bus::new();
    assert_eq!(first_of(&bus, "a")?, 7);
    assert!(first_of(&bus, "other").is_err());
    assert_eq!(bus.subscriber_count(), 0);
    Ok(())
}

#[test]
fn c35_dropped_counts_what_a_slow_consumer_lost() -> Done {
    let bus = Bus::new();
    let sub = bus.subscription("n").capacity(2).subscribe()?;
    for n in 0..5 {
        bus.emit("n", n)?;
    }
    assert_eq!(sub.dropped(), 3);
    // Reading makes room; what is gone stays counted.
    assert_eq!(payloads(&sub), [0, 1]);
    bus.emit("n", 5)?;
    assert_eq!((sub.dropped(), sub.len()), (3, 1));
    Ok(())
}

#[test]
fn c36_received_counts_what_was_accepted_and_kept() -> Done {
    let bus = Bus::new();
    let plain = bus.subscription("n").capacity(2).subscribe()?;
    let newest = bus
        .subscription("n")
        .capacity(2)
        .overflow(Overflow::DropOldest)
        .subscribe()?;
    let latest = bus
        .subscription("n")
        .overflow(Overflow::Latest)
        .subscribe()?;
    for n in 0..5 {
        bus.emit("n", n)?;
    }
    // Taken or not.
    plain.try_recv()?;
    assert_eq!(plain.received(), 2);
    // Accepted and pushed out, or replaced, is not received.
    assert_eq!((newest.received(), newest.dropped()), (2, 3));
    assert_eq!((latest.received(), latest.conflated()), (1, 4));
    Ok(())
}

#[test]
fn c37_every_match_is_received_dropped_filtered_or_conflated() -> Done {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest, Overflow::Latest] {
        let bus = Bus::new();
        let sub = bus
            .subscription("n.*")
            .capacity(4)
            .overflow(overflow)
            .filter(|event| event.payload() % 3 != 0)
            .subscribe()?;
        let (mut matched, mut evicted) = (0, 0);
        for n in 0..60_u64 {
            let emitted = bus.emit(format!("n.{}", n % 7), n)?;
            assert_eq!(
                emitted.matched,
                emitted.delivered + emitted.dropped + emitted.filtered
            );
            matched += emitted.matched as u64;
            evicted += emitted.evicted as u64;
        }
        assert_eq!(matched, 60);
        assert_eq!(sub.filtered(), 20);
        let sum = sub.received() + sub.dropped() + sub.filtered() + sub.conflated();
        assert_eq!(sum, matched, "{overflow:?}");
        assert_eq!(sub.received(), sub.len() as u64);
        // What an emit pushed out or replaced stands in `evicted`, whichever it was.
        match overflow {
            Overflow::DropOldest => assert_eq!(evicted, sub.dropped()),
            _ => assert_eq!(evicted, sub.conflated()),
        }
    }
    Ok(())
}

#[test]
fn c38_close_stops_the_iteration_after_what_is_queued() -> Done {
    watched(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("n")?;
        bus.emit("n", 1)?;
        bus.emit("n", 2)?;
        assert!(sub.close());
        let seen: Vec<i32> = sub.iter().map(|event| *event.payload()).collect();
        assert_eq!(seen, [1, 2]);
        // And at once ever after.
        assert_eq!(sub.iter().count(), 0);
        assert!(!bus.is_closed());
        Ok(())
    })
}

#[test]
fn c39_another_thread_closes_while_one_iterates() -> Done {
    watched(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("n")?;
        let closer = sub.closer();
        let (first_seen, seen) = std::sync::mpsc::channel();
        // The loop owns the subscription; the closer works all the same.
        let reader = thread::spawn(move || {
            sub.into_iter()
                .inspect(|_| first_seen.send(()).unwrap())
                .count()
        });
        bus.emit("n", 1)?;
        seen.recv().unwrap();
        let clone = closer.clone();
        thread::spawn(move || clone.close()).join().unwrap();
        assert_eq!(reader.join().unwrap(), 1);
        assert!(closer.is_closed());
        assert_eq!(bus.subscriber_count(), 0);
        Ok(())
    })
}

#[test]
fn c40_the_end_needs_no_room_and_is_not_seen_as_an_event() -> Done {
    watched(|| {
        let bus = Bus::new();
        let sub = bus.subscription("n").capacity(2).subscribe()?;
        bus.emit("n", 1)?;
        bus.emit("n", 2)?;
        sub.close();
        assert_eq!((sub.len(), sub.dropped()), (2, 0));
        let seen: Vec<_> = sub.heartbeats(Duration::from_secs(60)).collect();
        assert!(matches!(seen[..], [Beat::Event(_), Beat::Event(_)]));
        assert_eq!((sub.received(), sub.len()), (2, 0));
        Ok(())
    })
}

#[test]
fn c41_a_queue_holds_200_by_default() -> Done {
    assert_eq!(DEFAULT_CAPACITY, 200);
    let bus = Bus::new();
    let sub = bus.subscribe("n")?;
    for n in 0..201 {
        bus.emit("n", n)?;
    }
    assert_eq!((sub.len(), sub.dropped()), (200, 1));
    Ok(())
}

#[test]
fn c42_a_bus_takes_64_subscriptions_by_default() -> Done {
    assert_eq!(DEFAULT_MAX_SUBSCRIBERS, 64);
    let bus: Bus<u32> = Bus::new();
    let subs: Vec<_> = (0..64)
        .map(|_| bus.subscribe("n"))
        .collect::<Result<_, _>>()?;
    assert!(bus.subscribe("n").unwrap_err().is_limit_reached());
    assert_eq!(subs.len(), 64);
    Ok(())
}

#[test]
fn c43_both_limits_can_be_set() -> Done {
    let bus = Bus::builder().capacity(1).max_subscribers(2).build()?;
    let one = bus.subscribe("n")?;
    // The capacity also by subscription.
    let more = bus.subscription("n").capacity(500).subscribe()?;
    assert!(bus.subscribe("n").is_err());
    for n in 0..500 {
        bus.emit("n", n)?;
    }
    assert_eq!((one.capacity(), one.len()), (1, 1));
    assert_eq!((more.capacity(), more.len()), (500, 500));
    Ok(())
}

#[test]
fn c44_one_subscription_too_many_is_an_error_that_names_the_way_out() -> Done {
    let bus: Bus<u32> = Bus::builder().max_subscribers(1).build()?;
    let sub = bus.subscribe("a")?;
    // Neither taps nor further handles of one subscription count.
    let _tap = bus.tap("**", |_| {})?;
    let _worker = sub.share();
    let error = bus.subscribe("b").unwrap_err();
    assert_eq!(error, SubscribeError::LimitReached { limit: 1 });
    assert!(error.to_string().contains("BusBuilder::max_subscribers"));
    // Waiting for one event takes a slot, too.
    let error = bus
        .wait_for("a", Duration::from_millis(1), |_| true)
        .unwrap_err();
    assert!(!error.is_timeout());
    Ok(())
}

#[test]
fn c45_the_licence_includes_mit() {
    let manifest = include_str!("../../Cargo.toml");
    assert!(manifest.contains(r#"license = "MIT OR Apache-2.0""#));
    assert!(
        include_str!("../../LICENSE-MIT").contains("Permission is hereby granted, free of charge")
    );
}

/// What the reference does with keyword fields.
#[cfg(feature = "json")]
mod fields {
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::thread;

    use chanbus::{
        Bus, Fields, Subscription, Syntax, emit, global, global_or_default, take_global,
    };
    use serde_json::json;

    use super::super::{Done, topics, watch::watched};

    /// The tests of the process-wide bus take turns, and each begins without one.
    fn alone() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        take_global::<Fields>();
        turn
    }

    #[test]
    fn c21_the_default_bus_needs_no_set_up() -> Done {
        let _turn = alone();
        assert!(global::<Fields>().is_none());

        // emit, subscribe, subscribe_ctx and stats of the module, before and after anybody listens.
        emit!("scan.started", path = "/home")?;
        let events = global_or_default::<Fields>();
        let sub = events.subscribe("scan.*")?;
        {
            let _context = events.subscribe(["ui.*"])?;
            assert_eq!(events.stats().subscribers, 2);
        }
        emit!("scan.finished", ok = true)?;
        emit!("foo.bar")?;

        assert_eq!(topics(&sub), ["scan.finished"]);
        let stats = global_or_default::<Fields>().stats();
        assert_eq!((stats.subscribers, stats.emitted, stats.dropped), (1, 3, 0));
        assert!(global::<Fields>().is_some());
        Ok(())
    }

    #[test]
    fn c22_an_emit_takes_named_fields() -> Done {
        let bus: Bus<Fields> = Bus::new();
        let sub = bus.subscribe("scan.*")?;
        let emitted = emit!(bus, "scan.started", path = "/home", depth = 3)?;
        assert_eq!(emitted.delivered, 1);
        let event = sub.try_recv()?;
        assert_eq!(event.topic(), "scan.started");
        assert_eq!(
            (&event["path"], &event["depth"]),
            (&json!("/home"), &json!(3))
        );
        assert_eq!(event.payload().len(), 2);
        // The fields may be values of the program, and the topic need not be a literal.
        let (topic, path) = (String::from("scan.finished"), String::from("/tmp"));
        emit!(bus, &topic, path = path.clone())?;
        assert_eq!(sub.try_recv()?["path"], path);
        Ok(())
    }

    #[test]
    fn c23_an_emit_may_have_no_fields() -> Done {
        let bus: Bus<Fields> = Bus::new();
        let sub = bus.subscribe("foo.bar")?;
        emit!(bus, "foo.bar")?;
        let event = sub.try_recv()?;
        assert!(event.payload().is_empty());
        assert!(event["anything"].is_null());
        Ok(())
    }

    #[test]
    fn c24_fields_are_of_mixed_types() -> Done {
        let bus: Bus<Fields> = Bus::new();
        let sub = bus.subscribe("scan.finished")?;
        emit!(
            bus,
            "scan.finished",
            ok = true,
            count = 128,
            share = 0.5,
            name = "disk",
            none = Option::<i32>::None,
            list = vec![1, 2],
            nested = json!({"a": {"b": 1}}),
        )?;
        let event = sub.try_recv()?;
        assert_eq!(event["ok"], true);
        assert_eq!(event["count"], 128);
        assert_eq!(event["share"], 0.5);
        assert_eq!(event["name"], "disk");
        assert!(event["none"].is_null());
        assert_eq!(event["list"], json!([1, 2]));
        assert_eq!(event["nested"]["a"]["b"], 1);
        Ok(())
    }

    #[test]
    fn c25_fields_are_read_by_name_and_the_event_prints_with_its_topic() -> Done {
        let bus: Bus<Fields> = Bus::new();
        let sub = bus.subscribe("ui.*")?;
        emit!(bus, "ui.click", button = "cancel", count = 2)?;
        let event = sub.try_recv()?;
        // ev["event"] is `topic()`; other names are fields.
        assert_eq!(event.topic(), "ui.click");
        assert_eq!(event["button"], "cancel");
        let printed = r#"{"event":"ui.click","button":"cancel","count":2}"#;
        assert_eq!(event.to_string(), printed);
        let read: serde_json::Value = serde_json::from_str(printed).unwrap();
        assert_eq!(serde_json::to_value(&event).unwrap(), read);
        Ok(())
    }

    /// The documented example on the default bus: five emits from any thread, one filtered out.
    #[test]
    fn c26_the_quick_example_delivers_four_and_filters_one_out() -> Done {
        let _turn = alone();
        let lines = watched(|| {
            let sub = global_or_default::<Fields>().subscribe(["scan.*", "ui.click"])?;
            let closer = sub.closer();
            let consumer = thread::spawn(move || {
                let mut lines = Vec::new();
                for event in &sub {
                    lines.push(format!("{} {event}", event.topic()));
                }
                lines
            });

            let publisher = thread::spawn(|| {
                emit!("scan.started", path = "/home")?;
                emit!("scan.progress", count = 42)?;
                emit!("scan.finished", count = 128, ok = true)?;
                emit!("ui.click", button = "cancel")?; // also delivered
                emit!("foo.bar") // filtered out
            });
            assert_eq!(publisher.join().unwrap()?.matched, 0);
            closer.close();
            Ok::<_, chanbus::Error>(consumer.join().unwrap())
        })?;
        assert_eq!(
            lines,
            [
                r#"scan.started {"event":"scan.started","path":"/home"}"#,
                r#"scan.progress {"event":"scan.progress","count":42}"#,
                r#"scan.finished {"event":"scan.finished","count":128,"ok":true}"#,
                r#"ui.click {"event":"ui.click","button":"cancel"}"#,
            ]
        );
        Ok(())
    }

    /// The documented example of two buses, with its fields.
    #[test]
    fn c27_the_isolated_buses_example_with_fields() -> Done {
        let ui_bus: Bus<Fields> = Bus::new();
        let telemetry_bus: Bus<Fields> = Bus::builder().max_subscribers(128).build()?;
        let ui_sub = ui_bus.subscribe(["ui.*"])?;
        let telemetry_sub = telemetry_bus.subscribe(["metric.*"])?;
        emit!(ui_bus, "ui.click", button = "ok")?;
        emit!(telemetry_bus, "metric.fps", value = 58)?;
        assert_eq!(ui_sub.try_recv()?["button"], "ok");
        assert_eq!(telemetry_sub.try_recv()?["value"], 58);
        assert!(ui_sub.is_empty() && telemetry_sub.is_empty());
        Ok(())
    }

    /// The documented example of a filter by field, in the syntax in which `*` is everything.
    #[test]
    fn c31_the_panel_filter_example_with_fields() -> Done {
        fn panel_filter(
            bus: &Bus<Fields>,
        ) -> Result<Subscription<Fields>, chanbus::SubscribeError> {
            bus.subscription(["*"])
                .filter(|event| event["panel"] == "suggestion")
                .subscribe()
        }
        let bus: Bus<Fields> = Bus::builder().syntax(Syntax::Flat).build()?;
        let sub = panel_filter(&bus)?;
        emit!(bus, "scan.started", panel = "suggestion")?;
        emit!(bus, "scan.started", panel = "treemap")?;
        emit!(bus, "scan.started")?;
        assert_eq!(sub.try_recv()?["panel"], "suggestion");
        assert!(sub.is_empty());
        assert_eq!(sub.filtered(), 2);
        Ok(())
    }
}
