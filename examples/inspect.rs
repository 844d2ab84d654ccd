//! Looking inside a running program: who drops events and why, who hears a topic, what looks wrong.
//!
//! ```text
//! cargo run --release --example inspect
//! cargo run --release --example inspect -- --dot | dot -Tsvg > topology.svg
//! ```
//!
//! A small program with a few faults: a logger that nobody reads, a typing error in a pattern, a handler for
//! the wrong capital letter, a derived bus whose subscriber is too slow. Each is found from outside, by
//! asking the bus. If one is not, the example fails, and says which.

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

use std::error::Error;
use std::thread;
use std::time::Duration;

use chanbus::{Bus, Dispatcher, Drain, DropCause, Finding, Handlers, Overflow, Topology};

fn main() -> Result<(), Box<dyn Error>> {
    let only_dot = std::env::args().any(|argument| argument == "--dot");

    let bus: Bus<u64> = Bus::builder().name("scan").observe_topics(1_000).build()?;
    let big = bus.filtered(|event| *event.payload() > 50);

    // Keeps up: it has a place for the newest only, and that is enough for it.
    let panel = bus
        .subscription("scan.**")
        .name("panel")
        .overflow(Overflow::Latest)
        .subscribe()?;
    // Nobody reads it, and it has no name: only its place tells who it is.
    let log = bus.subscription("**").capacity(10).subscribe()?;
    // A slip of the pen.
    let _done = bus.subscription("scan.finishd").name("done").subscribe()?;
    // Too slow, one bus further down.
    let alarms = big
        .subscription("**")
        .name("alarms")
        .capacity(4)
        .subscribe()?;

    let handlers = Handlers::new();
    handlers.on("scan.finished").name("mail").call(|_| {})?;
    handlers.on("Scan.started").name("greet").call(|_| {})?;
    let dispatcher = Dispatcher::builder(&bus, &handlers).name("jobs").build()?;
    dispatcher.start()?;

    let before = bus.topology();
    let found = bus.publisher("scan.file.found")?;
    bus.emit("scan.started", 0)?;
    for number in 0..100 {
        found.emit(number)?;
        thread::sleep(Duration::from_micros(500));
        if number % 30 == 0 {
            // What is seen of a consumer is what it takes.
            alarms.try_recv().ok();
            panel.try_iter().count();
        }
    }
    bus.emit("scan.finished", 100)?;
    dispatcher.stop(Drain::Within(Duration::from_secs(5)))?;
    let now = bus.topology().since(&before);
    check(&now, (bus.view().id(), log.id()))?;

    if only_dot {
        print!("{}", now.to_dot());
        return Ok(());
    }

    println!("Who is there, and how do they do?\n\n{now}\n");

    let lint = now.lint();
    println!("What looks wrong?\n\n{lint}\n");
    for finding in &lint.findings {
        if let Finding::Drops {
            called,
            dropped,
            cause,
            ..
        } = finding
        {
            println!("to a program: {called}, {dropped}, {cause:?}");
        }
    }

    for topic in ["scan.started", "scan.file.found"] {
        println!("\nWho hears {topic}?\n\n{}", bus.explain(topic)?);
    }

    println!(
        "\nA picture of it: cargo run --release --example inspect -- --dot | dot -Tsvg > topology.svg"
    );
    Ok(())
}

/// Whether all faults that were planted are found, and nobody is blamed who has none. `log` is the logger's bus and
/// its number there, as it has no name.
fn check(now: &Topology, log: (u64, u64)) -> Result<(), String> {
    let lint = now.lint();
    let found = |is_it: &dyn Fn(&Finding) -> bool| lint.findings.iter().any(is_it);
    let drops = |whose: &str| {
        found(&|it| matches!(it, Finding::Drops { name: Some(name), .. } if **name == *whose))
    };
    let never_matched = |asked: &str, whose: &str| {
        found(&|it| match it {
            Finding::NeverMatched {
                called,
                pattern,
                near,
                ..
            } => pattern.as_str() == asked && called.contains(whose) && !near.is_empty(),
            _ => false,
        })
    };
    let unread = found(&|it| match it {
        Finding::Drops {
            bus,
            subscription,
            cause,
            ..
        } => (*bus, *subscription) == log && *cause == DropCause::NeverTaken,
        _ => false,
    });
    let explanation = now
        .explain("scan.started")
        .map_err(|error| error.to_string())?;
    let mut near = explanation.buses.iter().flat_map(|bus| &bus.near);
    let faults = [
        ("the logger that nobody reads", unread),
        (
            "the subscriber that is too slow, one bus further down",
            drops("alarms"),
        ),
        (
            "the slip of the pen in a pattern",
            never_matched("scan.finishd", "`done`"),
        ),
        (
            "the capital letter in a handler's pattern",
            never_matched("Scan.started", "`greet`"),
        ),
        (
            "who nearly hears `scan.started`",
            near.any(|near| near.name.as_deref() == Some("greet")),
        ),
        ("that the panel keeps up", !drops("panel")),
    ];
    match faults.iter().find(|(_, is_found)| !is_found) {
        None => Ok(()),
        Some((fault, _)) => Err(format!(
            "this was not found: {fault}. What was found:\n{lint}"
        )),
    }
}
