//! Each number, where it comes from, and what it is called.

use std::sync::Arc;

use chanbus::{Bus, BusMetrics, Dispatcher, Emitter, Handlers, Overflow};
use metrics::Unit;

use crate::book::Book;
use crate::{named, report};

#[test]
fn every_number_of_a_bus_is_reported_under_its_name() {
    let (book, bus) = (Book::new(), named("ui"));
    let metrics = report(&book, &[&bus]);
    let slow = bus
        .subscription("n")
        .name("slow")
        .capacity(2)
        .subscribe()
        .unwrap();
    let _even = bus
        .subscription("n")
        .name("even")
        .filter(|event| match event.payload() {
            5 => panic!("not five"),
            n => n % 2 == 0,
        })
        .subscribe()
        .unwrap();
    let _latest = bus
        .subscription("n")
        .name("latest")
        .overflow(Overflow::Latest)
        .subscribe()
        .unwrap();
    for n in 1..=5 {
        bus.emit("n", n).unwrap();
    }
    slow.recv().unwrap();
    metrics.update();

    let of = |metric: &str, name: &str| {
        book.counter(&format!(
            "chanbus_{metric}_total{{bus=\"ui\",subscription=\"{name}\"}}"
        ))
    };
    assert_eq!(book.counter("chanbus_emitted_total{bus=\"ui\"}"), 5);
    assert_eq!((of("delivered", "slow"), of("dropped", "slow")), (2, 3));
    assert_eq!(
        (
            of("delivered", "even"),
            of("filtered", "even"),
            of("filter_panics", "even")
        ),
        (2, 3, 1)
    );
    assert_eq!(
        (of("delivered", "latest"), of("conflated", "latest")),
        (1, 4)
    );
    let gauge = |metric: &str, name: &str| {
        book.gauge(&format!(
            "chanbus_{metric}{{bus=\"ui\",subscription=\"{name}\"}}"
        ))
    };
    assert_eq!(
        (gauge("depth", "slow"), gauge("capacity", "slow")),
        (1.0, 2.0)
    );
    assert_eq!(
        (gauge("depth", "even"), gauge("capacity", "even")),
        (2.0, 200.0)
    );
    assert_eq!(book.gauge("chanbus_subscribers{bus=\"ui\"}"), 3.0);
    // Those without a number are there as well, so that a rate begins at nothing.
    assert_eq!(of("dropped", "even"), 0);
}

#[test]
fn what_buses_pass_on_is_reported_where_it_goes() {
    let (book, bus) = (Book::new(), named("numbers"));
    let even = bus.filtered(|event| match event.payload() {
        5 => panic!("not five"),
        n => n % 2 == 0,
    });
    let builder = BusMetrics::builder().bus(&bus).bus_as("even", &even);
    let metrics = builder.recorder(Arc::<Book>::clone(&book)).build();
    let _sub = even.subscription("n").name("s").subscribe().unwrap();
    for n in 1..=5 {
        bus.emit("n", n).unwrap();
    }
    metrics.update();
    assert_eq!(book.counter("chanbus_emitted_total{bus=\"numbers\"}"), 5);
    assert_eq!(book.counter("chanbus_emitted_total{bus=\"even\"}"), 2);
    assert_eq!(book.counter("chanbus_left_out_total{bus=\"even\"}"), 2);
    // A panic of its predicate is no subscription's.
    let panics = "chanbus_filter_panics_total{bus=\"even\",subscription=\"(other)\"}";
    assert_eq!(book.counter(panics), 1);
}

#[test]
fn handlers_and_dispatchers_are_reported_with_their_times() {
    let (book, bus, handlers) = (Book::new(), Bus::<u32>::new(), Handlers::new());
    handlers.on("a").call(|_| {}).unwrap();
    handlers.on("a").handle(|_, _| Err("no".into())).unwrap();
    handlers
        .middleware(|event| (*event.payload() != 9).then_some(event))
        .keep();
    let dispatcher = Dispatcher::builder(&bus, &handlers)
        .name("chat")
        .build()
        .unwrap();
    let metrics = BusMetrics::builder()
        .recorder(Arc::<Book>::clone(&book))
        .handlers("h", &handlers)
        .dispatcher(&dispatcher)
        .build();
    for n in [1, 2, 9] {
        bus.emit("a", n).unwrap();
    }
    metrics.update();
    assert_eq!(
        book.gauge("chanbus_dispatch_queued{dispatcher=\"chat\"}"),
        3.0
    );
    assert_eq!(
        book.gauge("chanbus_dispatch_seconds{dispatcher=\"chat\",quantile=\"0.5\"}"),
        0.0
    );

    dispatcher.start().unwrap();
    bus.close();
    dispatcher.wait();
    let _ = Emitter::inline(&handlers).emit("a", 3).unwrap();
    metrics.update();
    let of =
        |metric: &str| book.counter(&format!("chanbus_handler_{metric}_total{{handlers=\"h\"}}"));
    assert_eq!(
        (of("events"), of("calls"), of("failures"), of("blocked")),
        (4, 6, 3, 1)
    );
    assert_eq!(book.gauge("chanbus_handlers{handlers=\"h\"}"), 2.0);
    let times = dispatcher.stats().dispatch;
    assert_eq!(
        book.counter("chanbus_dispatched_total{dispatcher=\"chat\"}"),
        3
    );
    assert_eq!(
        u128::from(book.counter("chanbus_dispatch_nanoseconds_total{dispatcher=\"chat\"}")),
        times.total().as_nanos()
    );
    assert!(times.total() >= times.max() && times.max() > std::time::Duration::ZERO);
    let quantile = |quantile: &str| {
        book.gauge(&format!(
            "chanbus_dispatch_seconds{{dispatcher=\"chat\",quantile=\"{quantile}\"}}"
        ))
    };
    assert_eq!(quantile("0.5"), times.p50().as_secs_f64());
    assert_eq!(quantile("0.99"), times.p99().as_secs_f64());
    assert_eq!(quantile("1"), times.max().as_secs_f64());
    assert_eq!(
        book.gauge("chanbus_dispatch_queued{dispatcher=\"chat\"}"),
        0.0
    );
}

/// Rows of the table in the docs: name, kind, labels.
fn rows() -> Vec<(String, String, Vec<String>)> {
    let docs = include_str!("../../src/observe/metrics/mod.rs");
    let rows = docs
        .lines()
        .filter(|line| line.starts_with("/// | `chanbus_"));
    let cells = rows.map(|row| {
        row.trim_start_matches("/// |")
            .split(" | ")
            .collect::<Vec<_>>()
    });
    let bare = |text: &str| text.trim().trim_matches('`').to_owned();
    cells
        .map(|cells| {
            let labels = cells[3].split(", ").map(bare).collect();
            (bare(cells[0]), bare(cells[1]), labels)
        })
        .collect()
}

#[test]
fn the_table_in_the_docs_names_what_is_described_and_reported() {
    let (book, bus, handlers) = (Book::new(), named("ui"), Handlers::<u32>::new());
    let _sub = bus.subscribe("a").unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
    let metrics = BusMetrics::builder()
        .recorder(Arc::<Book>::clone(&book))
        .bus(&bus)
        .handlers("h", &handlers)
        .dispatcher(&dispatcher)
        .build();
    metrics.update();

    let mut rows = rows();
    rows.sort();
    let described = book.described.lock().unwrap();
    let names: Vec<&String> = rows.iter().map(|(name, ..)| name).collect();
    assert_eq!(names, described.keys().collect::<Vec<_>>());
    assert_eq!(names, book.names().iter().collect::<Vec<_>>());
    for (name, kind, labels) in &rows {
        let (described, unit, help) = &described[name];
        assert_eq!(kind, described, "{name}");
        assert!(unit.is_some() && help.ends_with('.'), "{name}: {help}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        let series: Vec<String> = labels.iter().map(|label| format!("{label}=\"")).collect();
        let counters = book.counters();
        if kind == "counter" {
            let of = counters
                .keys()
                .find(|key| key.starts_with(&format!("{name}{{")))
                .unwrap();
            assert!(series.iter().all(|label| of.contains(label)), "{of}");
            assert_eq!(of.matches("=\"").count(), labels.len(), "{of}");
        }
    }
    assert_eq!(described["chanbus_dispatch_seconds"].1, Some(Unit::Seconds));
    assert_eq!(
        described["chanbus_dispatch_nanoseconds_total"].1,
        Some(Unit::Nanoseconds)
    );
}
