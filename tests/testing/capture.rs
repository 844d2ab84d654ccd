//! Everything that was emitted, in order.

use std::sync::Arc;
use std::thread;

use chanbus::{Bus, Capture, Event, Overflow, Syntax};

use crate::common::Census;

#[test]
fn a_capture_has_every_event_in_order_whatever_queues_lose() {
    let bus = Bus::builder().capacity(1).build().unwrap();
    let full = bus.subscribe("**").unwrap();
    let capture = Capture::of(&bus).unwrap();
    bus.publisher("n").unwrap().emit_batch(0..10_000).unwrap();
    let mut batch = bus.start_batch();
    batch.emit("m", 10_000).unwrap();
    batch.commit().unwrap();
    bus.broadcast("all", 10_001).unwrap();
    assert_eq!(full.len(), 1);
    assert!(capture.payloads().into_iter().eq(0..10_002));
    assert_eq!(capture.len(), 10_002);
}

#[test]
fn each_threads_events_are_in_the_order_in_which_it_emitted_them() {
    let bus = Bus::new();
    let capture = Capture::of(&bus).unwrap();
    let threads: Vec<_> = (0..4u64)
        .map(|thread| {
            let bus = bus.clone();
            thread::spawn(move || {
                for n in 0..2_000u64 {
                    bus.emit("n", (thread, n)).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(capture.len(), 8_000);
    for thread in 0..4 {
        let all = capture.payloads().into_iter();
        let of_it = all.filter(|it| it.0 == thread).map(|it| it.1);
        assert!(of_it.eq(0..2_000), "thread {thread}");
    }
}

#[test]
fn it_takes_no_slot_and_changes_no_emit() {
    let bus = Bus::builder().max_subscribers(1).build().unwrap();
    let _capture = Capture::of(&bus).unwrap();
    assert_eq!(bus.emit("a", 1).unwrap().matched, 0);
    assert!(bus.subscribe("a").is_ok());
}

#[test]
fn it_does_not_keep_a_bus_open_and_can_be_read_after_it() {
    let bus = Bus::new();
    let sub = bus.subscribe("a").unwrap();
    let capture = Capture::of(&bus).unwrap();
    bus.emit("a", 1).unwrap();
    assert!(!capture.is_complete());
    drop(bus);
    assert_eq!(sub.iter().count(), 1, "the loop ends");
    assert!(capture.is_complete());
    assert_eq!(capture.payloads(), [1]);
}

#[test]
fn it_keeps_payloads_alive_until_it_is_cleared_or_dropped() {
    let (bus, census) = (Bus::new(), Census::new());
    let capture = Capture::of(&bus).unwrap();
    bus.emit("a", census.born()).unwrap();
    assert_eq!(census.alive(), 1);
    capture.clear();
    assert_eq!(census.alive(), 0);
    bus.emit("a", census.born()).unwrap();
    drop(capture);
    assert_eq!(census.alive(), 0);
}

#[test]
fn a_payload_whose_destructor_asks_the_capture_does_no_harm() {
    struct Asks(Arc<std::sync::OnceLock<Capture<Asks>>>);
    impl Drop for Asks {
        fn drop(&mut self) {
            if let Some(capture) = self.0.get() {
                let _ = capture.len();
            }
        }
    }
    let (bus, cell) = (Bus::new(), Arc::default());
    let _ = Arc::<std::sync::OnceLock<_>>::clone(&cell).set(Capture::of(&bus).unwrap());
    bus.emit("a", Asks(Arc::clone(&cell))).unwrap();
    let capture = cell.get().unwrap();
    crate::common::guarded({
        let cell = Arc::clone(&cell);
        move || cell.get().unwrap().clear()
    });
    assert!(capture.is_empty());
}

#[test]
fn an_event_has_all_that_it_was_emitted_with() {
    let bus = Bus::new();
    let capture = Capture::of(&bus).unwrap();
    bus.event("a", 1)
        .source("test")
        .metadata("n", 7)
        .emit()
        .unwrap();
    let events = capture.events();
    assert_eq!(events[0].source(), Some("test"));
    assert!(events[0].metadata("n").is_some());
}

#[test]
fn patterns_are_read_in_the_syntax_of_the_bus() {
    let bus = Bus::builder().syntax(Syntax::Flat).build().unwrap();
    let capture = Capture::of(&bus).unwrap();
    let only = Capture::only(&bus, "a*").unwrap();
    bus.emit("a.b", 1).unwrap();
    bus.emit("c", 2).unwrap();
    assert_eq!(capture.len(), 2, "everything, in flat syntax too");
    assert_eq!(capture.matching("a*").len(), 1);
    assert_eq!(only.payloads(), [1]);
    assert!(capture.try_matching("a[").is_err());
    assert!(capture.try_matching([""; 0]).is_err());
}

#[test]
#[should_panic(expected = "a..b")]
fn a_text_that_is_no_pattern_panics_and_is_named() {
    let bus: Bus<u32> = Bus::new();
    let _ = Capture::of(&bus).unwrap().matching("a..b");
}

#[test]
fn what_is_injected_it_does_not_see() {
    let bus = Bus::new();
    let sub = bus.subscription("a").capacity(2).subscribe().unwrap();
    let capture = Capture::of(&bus).unwrap();
    assert_eq!(sub.fill(|n| Event::new("a", n).unwrap()), 2);
    assert!(capture.is_empty());
    assert_eq!(bus.stats().emitted, 0);
}

#[test]
fn a_derived_bus_can_be_captured() {
    let bus = Bus::new();
    let capture = Capture::of(&bus.filtered(|event| event.payload() % 2 == 0)).unwrap();
    bus.publisher("n").unwrap().emit_batch(0..6).unwrap();
    assert_eq!(capture.payloads(), [0, 2, 4]);
}

fn difference(came: &[&str], expected: &[&str]) -> String {
    let bus = Bus::new();
    let capture = Capture::of(&bus).unwrap();
    for topic in came {
        bus.emit(topic, ()).unwrap();
    }
    match capture.try_topics(expected) {
        Ok(()) => String::new(),
        Err(difference) => difference.to_string(),
    }
}

#[test]
fn topics_that_are_the_same_are_no_difference() {
    assert_eq!(difference(&["a", "b", "a"], &["a", "b", "a"]), "");
    assert_eq!(difference(&[], &[]), "");
}

#[test]
fn a_difference_shows_what_did_not_come_and_what_was_not_expected() {
    let shown = difference(&["a", "x", "b", "d"], &["a", "b", "c", "d"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(
        lines,
        [
            "other events than expected came:",
            "    a",
            "  + x      came, and was not expected",
            "    b",
            "  - c      expected, and did not come",
            "    d",
        ]
    );
    // The order counts, and so does how often.
    assert!(difference(&["b", "a"], &["a", "b"]).contains("- a"));
    assert!(difference(&["a"], &["a", "a"]).contains("- a"));
    assert!(difference(&[], &["a"]).contains("- a"));
    assert!(difference(&["a"], &[]).contains("+ a"));
}

#[test]
fn a_long_difference_is_short_and_no_text_breaks_its_lines() {
    let many: Vec<String> = (0..5_000).map(|n| format!("n{n}")).collect();
    let other: Vec<String> = (0..5_000).map(|n| format!("m{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut one_more = many.clone();
    one_more.insert(2_500, "x");
    let shown = difference(&one_more, &many);
    assert!(
        shown.contains("+ x") && shown.contains("... 2497 as expected"),
        "{shown}"
    );
    assert!(shown.lines().count() < 20);
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    let shown = difference(&other, &many);
    assert!(shown.lines().count() < 80 && shown.contains("lines more"));
    let hostile = difference(&[], &["a\n  + b\u{1b}[2J"]);
    assert_eq!(hostile.lines().count(), 2, "{hostile}");
    assert!(!hostile.contains('\u{1b}'));
}

#[test]
#[should_panic(expected = "+ b")]
fn assert_topics_panics_with_the_difference() {
    let bus = Bus::new();
    let capture = Capture::of(&bus).unwrap();
    bus.emit("b", 1).unwrap();
    capture.assert_topics(["a"]);
}

#[test]
fn latest_and_oldest_lose_nothing_of_it_either() {
    let bus = Bus::builder().capacity(1).build().unwrap();
    let latest = bus.subscription("n").overflow(Overflow::Latest);
    let _latest = latest.subscribe().unwrap();
    let oldest = bus.subscription("n").overflow(Overflow::DropOldest);
    let _oldest = oldest.subscribe().unwrap();
    let capture = Capture::of(&bus).unwrap();
    bus.publisher("n").unwrap().emit_batch(0..100).unwrap();
    assert!(capture.payloads().into_iter().eq(0..100));
}
