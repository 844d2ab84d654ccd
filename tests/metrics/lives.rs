//! What comes and goes: counters never go down, and sums stay whole.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;

use chanbus::{Bus, BusMetrics, Dispatcher, Handlers, Overflow};

use crate::book::Book;
use crate::{named, report};

const DELIVERED: &str = "chanbus_delivered_total{bus=\"ui\"";

#[test]
fn what_has_gone_stays_in_the_sums() {
    let (book, bus) = (Book::new(), named("ui"));
    let metrics = report(&book, &[&bus]);
    let sub = bus.subscription("n").name("first").subscribe().unwrap();
    bus.publisher("n").unwrap().emit_batch(0..10).unwrap();
    metrics.update();
    // Its last ones were not read in time, and those of the next were never read.
    bus.publisher("n").unwrap().emit_batch(0..5).unwrap();
    drop(sub);
    let brief = bus
        .subscription("n")
        .name("brief")
        .capacity(3)
        .subscribe()
        .unwrap();
    bus.publisher("n").unwrap().emit_batch(0..7).unwrap();
    drop(brief);
    metrics.update();
    assert_eq!(
        book.counter(&format!("{DELIVERED},subscription=\"first\"}}")),
        10
    );
    assert_eq!(
        book.counter(&format!("{DELIVERED},subscription=\"(other)\"}}")),
        8
    );
    assert_eq!(
        book.counter("chanbus_dropped_total{bus=\"ui\",subscription=\"(other)\"}"),
        4
    );
    assert_eq!(
        book.find_counter(&format!("{DELIVERED},subscription=\"brief\"}}")),
        None
    );
    assert_eq!(
        book.gauge("chanbus_depth{bus=\"ui\",subscription=\"first\"}"),
        0.0
    );
    assert_eq!(book.gauge("chanbus_subscribers{bus=\"ui\"}"), 0.0);

    // One of that name comes again, and goes on where the other ended.
    let _again = bus.subscription("n").name("first").subscribe().unwrap();
    bus.publisher("n").unwrap().emit_batch(0..2).unwrap();
    metrics.update();
    assert_eq!(
        book.counter(&format!("{DELIVERED},subscription=\"first\"}}")),
        12
    );
    assert_eq!(book.sum(DELIVERED), bus.stats().received);
}

#[test]
fn a_subscription_that_is_closed_and_held_is_still_reported() {
    let (book, bus) = (Book::new(), named("ui"));
    let metrics = report(&book, &[&bus]);
    let sub = bus
        .subscription("n")
        .name("s")
        .capacity(5)
        .subscribe()
        .unwrap();
    bus.publisher("n").unwrap().emit_batch(0..3).unwrap();
    sub.close();
    metrics.update();
    let of = "{bus=\"ui\",subscription=\"s\"}";
    assert_eq!(book.counter(&format!("chanbus_delivered_total{of}")), 3);
    assert_eq!(book.gauge(&format!("chanbus_depth{of}")), 3.0);
    assert_eq!(book.gauge(&format!("chanbus_capacity{of}")), 0.0);
}

#[test]
fn a_reset_takes_nothing_away() {
    let (book, bus) = (Book::new(), named("ui"));
    let metrics = report(&book, &[&bus]);
    for round in 1..=3 {
        let held = bus.subscription("n").name("held").subscribe().unwrap();
        let closed = bus
            .subscription("n")
            .name("closed")
            .capacity(4)
            .subscribe()
            .unwrap();
        drop(bus.subscription("n").subscribe().unwrap());
        bus.publisher("n").unwrap().emit_batch(0..10).unwrap();
        closed.close();
        if round > 1 {
            metrics.update();
        }
        // Some of it was not read before the reset, and after it there is more than was read then.
        bus.publisher("n").unwrap().emit_batch(0..20).unwrap();
        bus.reset();
        drop((held, closed));
        assert_eq!(bus.stats().matched(), 0);
        metrics.update();
        assert_eq!(
            book.counter("chanbus_emitted_total{bus=\"ui\"}"),
            round * 30
        );
        assert_eq!(book.sum(DELIVERED), round * (30 + 4));
        assert_eq!(book.sum("chanbus_dropped_total"), round * 6);
    }
    // What only the reader of the whole life shows.
    let ever = bus.stats_reader().read().unwrap();
    assert_eq!((ever.emitted, ever.received, ever.dropped), (90, 102, 18));
}

#[test]
fn a_reset_forgets_neither_what_was_conflated_nor_which_filters_panicked() {
    let bus = named("ui");
    for round in 1..=2 {
        let latest = bus.subscription("n").overflow(Overflow::Latest).subscribe();
        let panicking = bus.subscription("n").filter(|_| panic!("in a filter"));
        let panicking = panicking.subscribe();
        bus.publisher("n").unwrap().emit_batch(0..4).unwrap();
        bus.reset();
        let ever = bus.stats_reader().read().unwrap();
        assert_eq!((ever.conflated, ever.filter_panics), (round * 3, round * 4));
        drop((latest, panicking));
    }
}
#[test]
fn a_reset_of_what_is_passed_on_takes_nothing_away() {
    let (book, bus) = (Book::new(), named("near"));
    let even = bus.filtered(|event| event.payload() % 2 == 0);
    let builder = BusMetrics::builder().bus_as("even", &even);
    let metrics = builder.recorder(Arc::<Book>::clone(&book)).build();
    for round in 1..=2 {
        bus.publisher("n").unwrap().emit_batch(0..10).unwrap();
        even.reset();
        metrics.update();
        assert_eq!(even.stats().left_out, 0);
        assert_eq!(
            book.counter("chanbus_left_out_total{bus=\"even\"}"),
            round * 5
        );
    }
}

#[test]
fn a_bus_that_is_gone_is_read_to_the_end_and_let_go_of() {
    let (book, bus) = (Book::new(), named("ui"));
    let metrics = report(&book, &[&bus]);
    let sub = bus.subscription("n").name("s").subscribe().unwrap();
    metrics.update();
    bus.publisher("n").unwrap().emit_batch(0..3).unwrap();
    drop(bus);
    metrics.update();
    assert_eq!(metrics.source_count(), 1, "its subscription is held");
    assert_eq!(
        book.gauge("chanbus_depth{bus=\"ui\",subscription=\"s\"}"),
        3.0
    );
    assert_eq!(sub.iter().count(), 3);
    drop(sub);
    metrics.update();
    assert_eq!(metrics.source_count(), 0);
    assert_eq!(book.counter("chanbus_emitted_total{bus=\"ui\"}"), 3);
    assert_eq!(book.sum(DELIVERED), 3);
    assert_eq!(
        book.gauge("chanbus_depth{bus=\"ui\",subscription=\"s\"}"),
        0.0
    );
    metrics.update();
    assert_eq!(book.sum(DELIVERED), 3);
}

#[test]
fn a_bus_that_had_closed_before_is_reported_too() {
    let (book, bus) = (Book::new(), named("ui"));
    bus.emit("n", 1).unwrap();
    bus.close();
    report(&book, &[&bus]).update();
    assert_eq!(book.counter("chanbus_emitted_total{bus=\"ui\"}"), 1);
}

#[test]
fn a_reporter_keeps_nothing_open_or_alive() {
    let (book, bus) = (Book::new(), named("ui"));
    let handlers = Handlers::<u32>::new();
    let captured = Arc::new(());
    let (weak, theirs) = (Arc::downgrade(&captured), captured);
    handlers
        .on("a")
        .call(move |_| drop(Arc::clone(&theirs)))
        .unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
    let metrics = BusMetrics::builder()
        .recorder(Arc::<Book>::clone(&book))
        .bus(&bus)
        .handlers("h", &handlers)
        .dispatcher(&dispatcher)
        .build();
    metrics.update();
    assert_eq!(book.gauge("chanbus_handlers{handlers=\"h\"}"), 1.0);
    drop((dispatcher, handlers));
    assert_eq!(Weak::strong_count(&weak), 0);
    let publisher = bus.publisher("a").unwrap();
    drop(bus);
    assert!(publisher.emit(1).unwrap_err().is_closed());
    metrics.update();
    assert_eq!(metrics.source_count(), 0);
    assert_eq!(book.gauge("chanbus_handlers{handlers=\"h\"}"), 0.0);
}

#[test]
fn dropping_a_reporter_tells_the_last_numbers_and_takes_the_gauges_back() {
    let (book, bus) = (Book::new(), named("ui"));
    let _sub = bus.subscription("n").name("s").subscribe().unwrap();
    let metrics = report(&book, &[&bus]);
    bus.emit("n", 1).unwrap();
    drop(metrics);
    assert_eq!(book.counter("chanbus_emitted_total{bus=\"ui\"}"), 1);
    assert_eq!(
        book.gauge("chanbus_depth{bus=\"ui\",subscription=\"s\"}"),
        0.0
    );
    assert_eq!(book.gauge("chanbus_subscribers{bus=\"ui\"}"), 0.0);
}

/// Emits, subscriptions, resets, updates by two reporters and a reader that watches, all at once.
#[test]
fn counters_only_grow_and_add_up_whatever_goes_on() {
    const ROUNDS: u32 = 300;
    let (book, bus) = (
        Book::new(),
        Bus::<u32>::builder()
            .name("ui")
            .capacity(4)
            .build()
            .unwrap(),
    );
    let other = named("ui");
    let reporters = [report(&book, &[&bus]), report(&book, &[&other])];
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let emitters: Vec<_> = [&bus, &other]
            .into_iter()
            .map(|bus| {
                scope.spawn(move || {
                    let publisher = bus.publisher("n").unwrap();
                    for n in 0..ROUNDS {
                        publisher.emit_batch(0..9).unwrap();
                        bus.emit("n", n).unwrap();
                    }
                })
            })
            .collect();
        let comers: Vec<_> = [&bus, &other]
            .into_iter()
            .map(|bus| {
                scope.spawn(move || {
                    for n in 0..ROUNDS {
                        let overflow =
                            [Overflow::DropNewest, Overflow::DropOldest, Overflow::Latest];
                        let sub = bus.subscription("n").overflow(overflow[n as usize % 3]);
                        let sub = sub.filter(|event| event.payload() % 4 > 0);
                        let sub = sub.name(format!("s{}", n % 5)).subscribe().unwrap();
                        sub.try_iter().take(3).for_each(drop);
                    }
                })
            })
            .collect();
        for reporter in &reporters {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    reporter.update();
                }
            });
        }
        scope.spawn(|| {
            let mut before = BTreeMap::new();
            while !over.load(Ordering::Relaxed) {
                let now = book.counters();
                for (series, sum) in &before {
                    assert!(now[series] >= *sum, "{series} fell");
                }
                before = now;
            }
        });
        for thread in emitters.into_iter().chain(comers) {
            thread.join().unwrap();
        }
        over.store(true, Ordering::Relaxed);
    });
    reporters.iter().for_each(BusMetrics::update);
    let stats = [bus.stats(), other.stats()];
    let sum = |of: fn(&chanbus::BusStats) -> u64| stats.iter().map(of).sum::<u64>();
    assert_eq!(
        book.sum("chanbus_emitted_total"),
        u64::from(2 * ROUNDS * 10)
    );
    assert_eq!(
        book.sum("chanbus_emitted_total"),
        sum(|stats| stats.emitted)
    );
    // A reading may find an event in a queue whose subscription has ended, before it is taken back as
    // dropped; counters do not take that back.
    let delivered = book.sum("chanbus_delivered_total");
    assert!((sum(|stats| stats.received)..=sum(|stats| stats.received) + 20).contains(&delivered));
    assert_eq!(
        book.sum("chanbus_dropped_total"),
        sum(|stats| stats.dropped)
    );
    assert_eq!(
        book.sum("chanbus_filtered_total"),
        sum(|stats| stats.filtered)
    );
    assert_eq!(
        book.sum("chanbus_conflated_total"),
        sum(|stats| stats.conflated)
    );
    assert_eq!(book.gauge("chanbus_subscribers{bus=\"ui\"}"), 0.0);
}
