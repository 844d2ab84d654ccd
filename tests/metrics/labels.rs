//! Labels: few, harmless, and shared by those of one name.

use std::sync::Arc;

use chanbus::{Bus, BusMetrics};

use crate::book::Book;
use crate::{named, report};

#[test]
fn buses_of_one_name_are_added_up_in_one_reporter_and_in_several() {
    let book = Book::new();
    let buses = [named("ui"), named("ui"), named("ui")];
    let subs: Vec<_> = buses
        .iter()
        .map(|bus| bus.subscription("n").name("s").subscribe().unwrap())
        .collect();
    let both = report(&book, &[&buses[0], &buses[1]]);
    let third = report(&book, &[&buses[2]]);
    for (bus, count) in buses.iter().zip([1, 10, 100]) {
        bus.publisher("n").unwrap().emit_batch(0..count).unwrap();
    }
    for _ in 0..2 {
        both.update();
        third.update();
    }
    let series = "{bus=\"ui\",subscription=\"s\"}";
    assert_eq!(book.counter("chanbus_emitted_total{bus=\"ui\"}"), 111);
    assert_eq!(
        book.counter(&format!("chanbus_delivered_total{series}")),
        111
    );
    assert_eq!(book.gauge(&format!("chanbus_depth{series}")), 111.0);
    assert_eq!(book.gauge("chanbus_subscribers{bus=\"ui\"}"), 3.0);

    // One goes: its gauges go, its counts stay.
    drop(both);
    assert_eq!(book.gauge(&format!("chanbus_depth{series}")), 100.0);
    assert_eq!(
        book.counter(&format!("chanbus_delivered_total{series}")),
        111
    );
    third.update();
    assert_eq!(book.gauge(&format!("chanbus_depth{series}")), 100.0);
    drop(subs);
    third.update();
    assert_eq!(book.gauge(&format!("chanbus_depth{series}")), 0.0);
}

#[test]
fn subscriptions_of_one_name_are_added_up() {
    let (book, bus) = (Book::new(), named("ui"));
    let metrics = report(&book, &[&bus]);
    let name = |capacity| {
        bus.subscription("n")
            .name("worker")
            .capacity(capacity)
            .subscribe()
            .unwrap()
    };
    let _workers = [name(2), name(3)];
    bus.publisher("n").unwrap().emit_batch(0..10).unwrap();
    metrics.update();
    let of = "{bus=\"ui\",subscription=\"worker\"}";
    assert_eq!(book.counter(&format!("chanbus_delivered_total{of}")), 5);
    assert_eq!(book.counter(&format!("chanbus_dropped_total{of}")), 15);
    assert_eq!(book.gauge(&format!("chanbus_depth{of}")), 5.0);
    assert_eq!(book.gauge(&format!("chanbus_capacity{of}")), 5.0);
}

#[test]
fn names_beyond_the_limit_are_reported_together() {
    const LIMIT: usize = 3;
    let book = Book::new();
    let bus = Bus::<u32>::builder()
        .name("ui")
        .max_subscribers(1_000)
        .build()
        .unwrap();
    let metrics = BusMetrics::builder()
        .bus(&bus)
        .max_names(LIMIT)
        .recorder(Arc::<Book>::clone(&book))
        .build();
    let mut events = 0;
    for round in 0..50 {
        let subs: Vec<_> = (0..10)
            .map(|n| {
                bus.subscription("n")
                    .name(format!("s{round}-{n}"))
                    .subscribe()
                    .unwrap()
            })
            .collect();
        let _unnamed = bus.subscription("n").subscribe().unwrap();
        bus.emit("n", 1).unwrap();
        events += 11;
        metrics.update();
        drop(subs);
    }
    let delivered: Vec<String> = book
        .counters()
        .into_keys()
        .filter(|series| series.starts_with("chanbus_delivered_total"))
        .collect();
    assert_eq!(delivered.len(), LIMIT + 2, "{delivered:#?}");
    assert_eq!(book.sum("chanbus_delivered_total"), events);
    let of = |name| {
        book.counter(&format!(
            "chanbus_delivered_total{{bus=\"ui\",subscription=\"{name}\"}}"
        ))
    };
    assert_eq!(
        (of("s0-0"), of("s0-1"), of("s0-2"), of("(unnamed)")),
        (1, 1, 1, 50)
    );
    metrics.update();
    assert_eq!(
        book.gauge("chanbus_depth{bus=\"ui\",subscription=\"(other)\"}"),
        0.0
    );
}

#[test]
fn names_of_buses_are_limited_as_well() {
    let book = Book::new();
    let mut emitted = 0;
    for n in 0..20 {
        let bus = named(&format!("tenant-{n}"));
        let builder = BusMetrics::builder().bus(&bus).max_names(4);
        let metrics = builder.recorder(Arc::<Book>::clone(&book)).build();
        bus.emit("n", n).unwrap();
        emitted += 1;
        drop(metrics);
    }
    let counters = book.counters().into_keys();
    let buses = counters
        .filter(|series| series.starts_with("chanbus_emitted_total"))
        .count();
    assert_eq!(buses, 4 + 1);
    assert_eq!(book.counter("chanbus_emitted_total{bus=\"(other)\"}"), 16);
    assert_eq!(book.sum("chanbus_emitted_total"), emitted);
}

#[test]
fn no_names_at_all_are_possible() {
    let (book, bus) = (Book::new(), named("ui"));
    let _sub = bus.subscription("n").name("s").subscribe().unwrap();
    let builder = BusMetrics::builder().bus(&bus).max_names(0);
    builder.recorder(Arc::<Book>::clone(&book)).build().update();
    let series = "chanbus_delivered_total{bus=\"(other)\",subscription=\"(other)\"}";
    assert_eq!(book.counter(series), 0);
}

#[test]
fn hostile_names_do_no_harm() {
    let book = Book::new();
    let evil = "x\"} 1\nchanbus_emitted_total{bus=\"\0\u{1b}";
    let bus = named(evil);
    let long = "é".repeat(100_000);
    let names = ["", "(other)", "(unnamed)", evil, &long, &long[..100_000]];
    let subs: Vec<_> = names
        .iter()
        .map(|name| bus.subscription("n").name(*name).subscribe().unwrap())
        .collect();
    let metrics = report(&book, &[&bus]);
    bus.emit("n", 1).unwrap();
    metrics.update();
    drop(subs);
    metrics.update();
    let delivered: Vec<String> = book
        .counters()
        .into_keys()
        .filter(|series| series.starts_with("chanbus_delivered_total"))
        .collect();
    // The empty one is as none, and two long ones are alike as far as they are shown.
    assert_eq!(delivered.len(), 4, "{delivered:#?}");
    assert!(delivered.iter().all(|series| series.len() < 600));
    assert!(
        delivered
            .iter()
            .all(|series| !series.contains(char::is_control))
    );
    assert_eq!(book.sum("chanbus_delivered_total"), 6);
}
