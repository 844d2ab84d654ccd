//! What a report says.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use chanbus::{Bus, Probe, Unmet};

fn report(unmet: Result<impl fmt::Debug, Unmet>) -> String {
    let unmet = unmet.unwrap_err();
    assert_eq!(
        format!("{unmet:?}"),
        unmet.to_string(),
        "an `unwrap` shows it, too"
    );
    unmet.to_string()
}

fn has(report: &str, parts: &[&str]) {
    for part in parts {
        assert!(report.contains(part), "no `{part}` in:\n{report}");
    }
}

#[test]
fn it_says_what_was_asked_where_and_what_came() {
    let bus = Bus::new();
    let probe = Probe::on(&bus).unwrap();
    bus.emit("order.placed", 1).unwrap();
    bus.emit("ui.click", 2).unwrap();
    probe.expect("order.placed").now();
    let asked = probe.expect(["order.paid", "order.sent"]);
    let (unmet, line) = (asked.try_within(Duration::from_millis(1)), line!());
    let report = report(unmet);
    has(
        &report,
        &[
            "expected an event of `order.paid` or `order.sent` within 1ms, and it did not come",
            &format!("asked at tests/testing/reports.rs:{line}"),
            "the last 2 of 2 events since the probe was made",
            "#1 order.placed (an expectation before has taken it)\n",
            "#2 ui.click",
        ],
    );
    assert!(
        !report.contains("meanwhile"),
        "the bus has lost nothing:\n{report}"
    );
}

#[test]
fn the_panic_is_at_the_place_of_the_assertion() {
    let bus: Bus<u32> = Bus::new();
    let probe = Probe::on(&bus).unwrap();
    let asked = AssertUnwindSafe(|| probe.expect("a").now());
    let thrown = catch_unwind(asked).unwrap_err();
    let text = thrown.downcast::<String>().unwrap();
    has(
        &text,
        &[
            "expected an event of `a`",
            "asked at tests/testing/reports.rs:",
            "no event came at all",
        ],
    );
}

#[test]
fn it_says_how_many_came_of_many() {
    let bus = Bus::new();
    let probe = Probe::on(&bus).unwrap();
    bus.publisher("row").unwrap().emit_batch(0..3).unwrap();
    let report = report(probe.expect("row").count(5).try_now());
    has(&report, &["expected 5 events of `row`, and 3 came"]);
    let none = self::report(probe.expect("cell").count(5).try_now());
    has(&none, &["expected 5 events of `cell`, and none came"]);
}

#[test]
fn in_order_it_says_which_came_and_which_came_too_early() {
    let bus = Bus::new();
    let probe = Probe::on(&bus).unwrap();
    for topic in ["paid", "placed", "sent"] {
        bus.emit(topic, ()).unwrap();
    }
    let report = report(probe.expect_in_order(["placed", "paid", "sent"]).try_now());
    has(
        &report,
        &[
            "expected 3 events, in this order, and 1 came",
            "`placed` came: #2",
            "`paid` did not come after that, but before it: #1",
            "`sent` was to come after that",
        ],
    );
    let each = self::report(probe.expect_each(["placed", "lost"]).try_now());
    has(
        &each,
        &[
            "2 events, in any order, and 1 came",
            "`placed` came: #2",
            "`lost` did not come",
        ],
    );
}

#[test]
fn it_says_which_topics_nearly_match_and_why() {
    let bus = Bus::new();
    let probe = Probe::on(&bus).unwrap();
    for topic in ["order.payed", "Order.paid", "order.paid.twice", "far.away"] {
        bus.emit(topic, ()).unwrap();
    }
    let report = report(probe.expect("order.paid").try_now());
    has(
        &report,
        &[
            "nearly:",
            "`order.paid` and `Order.paid` differ in capital and small letters",
            "a slip of the pen?",
            "`order.paid.twice` has a segment more",
        ],
    );
    assert!(!report.contains("`far.away`"), "{report}");
}

#[test]
fn it_says_whose_queue_dropped_events_since_the_probe_was_made() {
    let bus = Bus::builder().name("shop").build().unwrap();
    let mailer = bus.subscription("**").name("mailer").capacity(2);
    let _mailer = mailer.subscribe().unwrap();
    let old = bus
        .subscription("old")
        .name("old")
        .capacity(1)
        .subscribe()
        .unwrap();
    bus.publisher("old").unwrap().emit_batch(0..3).unwrap();
    let probe = Probe::on(&bus).unwrap();
    bus.publisher("row").unwrap().emit_batch(0..3).unwrap();
    let report = report(probe.expect("done").try_now());
    has(
        &report,
        &[
            "meanwhile on bus `shop` (tests/testing/reports.rs:",
            "subscriber `mailer` (tests/testing/reports.rs:",
            "has dropped 3 events: 2 of 2 wait",
        ],
    );
    assert_eq!(old.dropped(), 2);
    assert!(!report.contains("`old`"), "that was before:\n{report}");
}

#[test]
fn it_says_whose_filter_panicked_and_that_the_bus_has_closed() {
    let bus = Bus::new();
    let probe = Probe::on(&bus).unwrap();
    let fault = chanbus::Fault::panic();
    let _sub = bus
        .subscription("a")
        .name("panel")
        .filter(fault.filter())
        .subscribe()
        .unwrap();
    bus.emit("a", 1).unwrap();
    bus.close();
    let report = report(probe.expect("b").try_now());
    has(
        &report,
        &[
            "it has closed: no more events come",
            "the filter of subscriber `panel`",
            "has panicked 1 time",
        ],
    );
}

#[test]
fn it_says_what_matched_and_was_not_what_was_asked_for() {
    let bus = Bus::new();
    let probe = Probe::on(&bus).unwrap().showing_payloads();
    bus.publisher("row").unwrap().emit_batch([4, 5]).unwrap();
    let report = report(
        probe
            .expect("row")
            .where_(|row| *row.payload() > 9)
            .try_now(),
    );
    has(
        &report,
        &[
            "for which a condition holds",
            "the condition did not hold for 2 events that matched:\n    #1 row 4\n    #2 row 5",
        ],
    );
}

#[test]
fn it_says_what_came_that_was_not_to() {
    let bus = Bus::new();
    let probe = Probe::on(&bus).unwrap();
    for n in 0..20 {
        bus.emit(format!("row.r{n}"), n).unwrap();
    }
    let report = report(probe.try_expect_none("row.*"));
    has(
        &report,
        &[
            "expected no event of `row.*`, and 20 came",
            "#1 row.r0",
            "#12 row.r11",
            "... and 8 more",
        ],
    );
    assert!(!report.contains("#13"));
}

#[test]
fn it_is_short_whatever_came() {
    let bus = Bus::new();
    let probe = Probe::on(&bus).unwrap().showing_payloads();
    for n in 0..5_000 {
        bus.emit(format!("order.p{n}"), "x".repeat(10_000)).unwrap();
    }
    let wants: Vec<String> = (0..300).map(|n| format!("order.q{n}")).collect();
    let report = report(probe.expect_in_order(&wants).try_now());
    assert!(report.lines().count() < 60, "{report}");
    assert!(report.len() < 10_000);
    has(
        &report,
        &["the last 12 of 5000 events", "… "].map(|part| part.trim_end()),
    );
}

#[test]
fn no_payload_and_no_name_breaks_its_lines_or_the_report() {
    struct Hostile(bool);
    impl fmt::Debug for Hostile {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if self.0 {
                panic!("no text today");
            }
            f.write_str("one\n    #9 made.up\u{1b}[2J ünïcödé ")?;
            f.write_str(&"ä".repeat(1_000))
        }
    }
    let bus = Bus::builder().name("a\nb").build().unwrap();
    let probe = Probe::on(&bus).unwrap().showing_payloads();
    let _full = bus
        .subscription("a")
        .name("x\n#1 fake")
        .capacity(1)
        .subscribe()
        .unwrap();
    bus.emit("a", Hostile(false)).unwrap();
    bus.emit("a", Hostile(true)).unwrap();
    let report = report(probe.expect("b").try_now());
    has(
        &report,
        &["(its `Debug` panicked)", "dropped 1 event", "\\n"],
    );
    assert!(
        !report.contains("\n    #9 made.up") && !report.contains('\u{1b}'),
        "{report}"
    );
    assert!(!report.contains("\n#1 fake"), "{report}");
}
