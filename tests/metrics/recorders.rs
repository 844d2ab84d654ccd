//! Recorders are the user's code: late, panicking, curious, on another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use chanbus::{Bus, BusMetrics};

use crate::book::Book;
use crate::{named, report};

#[test]
fn a_recorder_that_comes_late_is_told_everything() {
    let bus = named("early");
    let metrics = BusMetrics::of(&bus);
    bus.emit("n", 1).unwrap();
    metrics.update();
    let (first, second) = (Book::new(), Book::new());
    for book in [&first, &second] {
        bus.emit("n", 1).unwrap();
        metrics::with_local_recorder(book, || metrics.update());
    }
    assert_eq!(first.counter("chanbus_emitted_total{bus=\"early\"}"), 2);
    assert_eq!(second.counter("chanbus_emitted_total{bus=\"early\"}"), 3);
}

#[test]
fn recorders_do_not_share_their_sums() {
    let bus = named("ui");
    bus.emit("n", 1).unwrap();
    let (one, two) = (Book::new(), Book::new());
    report(&one, &[&bus]).update();
    report(&two, &[&bus]).update();
    assert_eq!(one.counter("chanbus_emitted_total{bus=\"ui\"}"), 1);
    assert_eq!(two.counter("chanbus_emitted_total{bus=\"ui\"}"), 1);
}

#[test]
fn a_recorder_that_panics_is_caught_and_told_again_later() {
    let (book, bus) = (Book::new(), named("ui"));
    let metrics = report(&book, &[&bus]);
    book.act(|| panic!("no disk"));
    bus.emit("n", 1).unwrap();
    metrics.update();
    metrics.update();
    assert_eq!(metrics.recorder_panics(), 2);
    book.be_quiet();
    metrics.update();
    assert_eq!(book.counter("chanbus_emitted_total{bus=\"ui\"}"), 1);
    book.act(|| panic!("no disk, still"));
    drop(metrics);
}

#[test]
fn a_recorder_may_use_the_bus_and_its_reporter() {
    let (book, bus) = (Book::new(), named("ui"));
    let metrics = Arc::new(report(&book, &[&bus]));
    let (inner, there, count) = (
        Arc::downgrade(&metrics),
        bus.clone(),
        Arc::new(AtomicUsize::new(0)),
    );
    let calls = Arc::clone(&count);
    book.act(move || {
        calls.fetch_add(1, Ordering::Relaxed);
        if let Some(metrics) = inner.upgrade() {
            metrics.update();
            let _ = (metrics.recorder_panics(), metrics.source_count());
        }
        there.emit("told", 0).unwrap();
        let _ = there.stats();
        drop(there.subscribe("told").unwrap());
    });
    metrics.update();
    book.be_quiet();
    // One call for each series, none inside of another.
    let calls = count.load(Ordering::Relaxed);
    metrics.update();
    assert_eq!(metrics.recorder_panics(), 0);
    assert_eq!(
        book.counter("chanbus_emitted_total{bus=\"ui\"}"),
        calls as u64
    );
}

#[test]
fn another_thread_may_update_while_a_recorder_waits_for_it() {
    let (book, bus) = (Book::new(), named("ui"));
    let metrics = Arc::new(report(&book, &[&bus]));
    let (inner, once) = (Arc::clone(&metrics), AtomicUsize::new(0));
    book.act(move || {
        if once.fetch_add(1, Ordering::Relaxed) == 0 {
            std::thread::scope(|scope| {
                scope.spawn(|| inner.update());
            });
        }
    });
    bus.emit("n", 1).unwrap();
    metrics.update();
    book.be_quiet();
    assert_eq!(book.counter("chanbus_emitted_total{bus=\"ui\"}"), 1);
}

#[test]
fn a_thread_reports_by_itself_until_the_reporter_is_dropped() {
    let (book, bus) = (Book::new(), named("ui"));
    let (told, tells) = mpsc::channel();
    let seen = Arc::downgrade(&book);
    book.act(move || {
        let sum = seen
            .upgrade()
            .and_then(|book| book.find_counter("chanbus_emitted_total{bus=\"ui\"}"));
        let _ = told.send((std::thread::current().name().map(str::to_owned), sum));
    });
    bus.emit("n", 1).unwrap();
    let metrics = BusMetrics::builder()
        .bus(&bus)
        .recorder(Arc::<Book>::clone(&book))
        .every(Duration::ZERO)
        .unwrap();
    let wait_for = |wanted| {
        let mut all = tells.iter();
        let (name, _) = all.find(|(_, sum)| *sum == Some(wanted)).unwrap();
        assert_eq!(name.as_deref(), Some("chanbus-metrics"));
    };
    wait_for(1);
    bus.emit("n", 1).unwrap();
    wait_for(2);
    drop(metrics);
    book.be_quiet();
    // The thread goes, and with it the last handle of the recorder but this one.
    let gone = (0..10_000).any(|_| {
        std::thread::sleep(Duration::from_millis(1));
        Arc::strong_count(&book) == 1
    });
    assert!(gone);
    assert_eq!(book.gauge("chanbus_subscribers{bus=\"ui\"}"), 0.0);
}

#[test]
fn a_reporter_of_nothing_and_one_of_a_silent_bus_do_nothing_wrong() {
    let book = Book::new();
    BusMetrics::builder()
        .recorder(Arc::<Book>::clone(&book))
        .build()
        .update();
    assert_eq!(book.counters().len(), 0);
    let bus: Bus<u32> = Bus::new();
    report(&book, &[&bus]).update();
    assert_eq!(book.counter("chanbus_emitted_total{bus=\"(unnamed)\"}"), 0);
}
