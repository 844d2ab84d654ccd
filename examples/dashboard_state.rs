//! State, then changes: dashboards that join late show everything at once, and then what changes.
//!
//! ```text
//! cargo run --example dashboard_state              # a short run
//! cargo run --example dashboard_state -- 200000    # with so many changes of each service
//! ```
//!
//! Services tell a bus of every change of their state, whether anybody watches or not. The bus retains
//! the latest change of each, so that a dashboard which joins in the midst of it begins with a row for
//! every service and misses nothing from there on: each row counts up without a gap.

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use chanbus::{Bus, Subscription, Topic};

const SERVICES: [&str; 6] = ["auth", "billing", "mail", "media", "search", "web"];

/// The state of one service.
#[derive(Debug, Clone, PartialEq)]
struct State {
    /// Counts the changes, so that a gap would be seen.
    change: u64,
    health: &'static str,
    load: u64,
}

/// What a dashboard shows, and what it has seen.
#[derive(Debug, Default)]
struct Dashboard {
    rows: BTreeMap<Topic, State>,
    /// How many rows it began with, and how many changes came after.
    begun_with: usize,
    changes: u64,
    gaps: u64,
}

impl Dashboard {
    /// Shows the state that waits already.
    fn begin(&mut self, sub: &Subscription<State>) {
        // What a subscription begins with is there when it is made, and stands before all changes.
        while self.rows.len() < SERVICES.len()
            && let Ok(event) = sub.try_recv()
        {
            self.rows
                .insert(event.topic().clone(), event.payload().clone());
        }
        self.begun_with = self.rows.len();
    }

    fn follow(&mut self, sub: &Subscription<State>) {
        for event in sub {
            let now = event.payload().clone();
            let change = now.change;
            self.changes += 1;
            let before = self.rows.insert(event.topic().clone(), now);
            if before.is_some_and(|before| before.change + 1 != change) {
                self.gaps += 1;
            }
        }
    }

    fn show(&self, title: &str) {
        println!("{title}");
        println!("  {:<16} {:>8}  {:<8} load", "service", "change", "health");
        for (topic, state) in &self.rows {
            let bar = "#".repeat((state.load / 5) as usize);
            println!(
                "  {:<16} {:>8}  {:<8} {bar}",
                topic, state.change, state.health
            );
        }
        println!();
    }
}

/// Changes its state all the time; half way it says so, and stops until it may go on.
fn serve(
    bus: &Bus<State>,
    (seed, name): (u64, &str),
    changes: u64,
    half: &Sender<()>,
    go_on: &Receiver<()>,
) -> Result<State, chanbus::Error> {
    let publisher = bus.publisher(format!("service.{name}"))?;
    let mut last = State {
        change: 0,
        health: "down",
        load: 0,
    };
    let patience = Duration::from_secs(60);
    for change in 1..=changes {
        if change == changes / 2 {
            // The second dashboard joins here, or somewhere behind. (If main has gone there is nobody to
            // tell, and nothing to wait for.)
            let _ = half.send(());
            let _ = go_on.recv();
        }
        let load = (change * (7 + seed) + 13 * seed) % 101;
        last = State {
            change,
            health: if load > 90 { "busy" } else { "up" },
            load,
        };
        // The dashboards are to see every change, so a service waits for one that is slow.
        publisher.emit_within(last.clone(), patience)?;
    }
    Ok(last)
}

/// A dashboard that joins now; its thread ends with the bus.
fn join(
    bus: &Bus<State>,
    name: &'static str,
) -> Result<thread::JoinHandle<Dashboard>, chanbus::Error> {
    let sub = bus
        .subscription("service.*")
        .name(name)
        .with_retained()
        .subscribe()?;
    Ok(thread::spawn(move || {
        let mut dashboard = Dashboard::default();
        dashboard.begin(&sub);
        dashboard.show(&format!("{name} joins:"));
        dashboard.follow(&sub);
        dashboard
    }))
}

fn main() -> Result<(), Box<dyn Error>> {
    let changes = match std::env::args().nth(1) {
        Some(number) => number.parse::<u64>()?.max(10),
        None => 1_000,
    };
    let bus = Bus::new();
    // Six services, and room for no more: a misspelt topic would be refused and counted.
    let state = bus
        .retention("service.*")
        .capacity(SERVICES.len())
        .retain()?;

    // All report once before anybody watches.
    for name in SERVICES {
        let first = State {
            change: 0,
            health: "starting",
            load: 0,
        };
        let emitted = bus.emit(format!("service.{name}"), first)?;
        assert_eq!(emitted.matched, 0, "nobody listens yet");
    }
    assert_eq!(state.len(), SERVICES.len());

    let (half, halves) = channel();
    let mut go_ons = Vec::new();
    let services: Vec<_> = (0..)
        .zip(SERVICES)
        .map(|service| {
            let (go_on, may_go_on) = channel();
            go_ons.push(go_on);
            let (bus, half) = (bus.clone(), half.clone());
            thread::spawn(move || serve(&bus, service, changes, &half, &may_go_on))
        })
        .collect();

    // While the services are busy.
    let first = join(&bus, "dashboard 1")?;
    for _ in SERVICES {
        halves.recv_timeout(Duration::from_secs(60))?;
    }
    // Half of them go on while the second joins, the others wait for it.
    let (running, waiting) = go_ons.split_at(3);
    for go_on in running {
        go_on.send(())?;
    }
    let second = join(&bus, "dashboard 2")?;
    for go_on in waiting {
        go_on.send(())?;
    }

    let mut last = Vec::new();
    for service in services {
        last.push(service.join().map_err(|_| "a service panicked")??);
    }
    for (name, last) in SERVICES.iter().zip(&last) {
        let kept = state.get(format!("service.{name}"));
        let kept = kept.ok_or("a service without a state")?;
        assert_eq!(kept.payload(), last, "the state is the last change");
    }
    assert_eq!((state.refused(), state.len()), (0, SERVICES.len()));
    bus.close();

    let mut seen = Vec::new();
    for dashboard in [first, second] {
        let dashboard = dashboard.join().map_err(|_| "a dashboard panicked")?;
        assert_eq!(dashboard.begun_with, SERVICES.len(), "all rows at once");
        assert_eq!(dashboard.gaps, 0, "and every change after that");
        let rows: Vec<_> = dashboard.rows.values().cloned().collect();
        assert_eq!(rows, last, "both end with the same state");
        seen.push(dashboard);
    }
    seen[0].show("in the end:");
    for (number, dashboard) in (1..).zip(&seen) {
        println!(
            "dashboard {number} began with {} rows and saw {} changes, without a gap",
            dashboard.begun_with, dashboard.changes
        );
    }
    Ok(())
}
