//! Two bridges and a server between two buses, beside what a program would write by hand: `cargo bench --features nats
//! --bench bridge`.
//!
//! Everything runs in one process, but for the server. In each round each contender has its turn, and each round begins
//! with another of them; reported is the median over rounds of the ratio within a round.
//!
//! | Contender | What it does |
//! |---|---|
//! | bridges | `emit` on one bus; export, server, import; a subscription on the other bus |
//! | by hand | the thread that has a payload makes JSON of it and hands it to a thread with a runtime, which publishes it by `async-nats`; a task on another such thread reads JSON and hands the payload to the thread that wants it, by a channel. No headers, no confirmation, no counts |
//! | by hand, with headers | the same, with a time, a sender and a running number as headers, written and read |

// Cargo gives benches no other way to print than to print, and one whose set-up fails measures nothing.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a program for the terminal"
)]

mod away;
mod bare;
mod bridged;
#[path = "../../examples/two_processes/server.rs"]
#[allow(
    dead_code,
    reason = "an example's own module, of which this uses a part"
)]
mod server;
#[path = "../compare/stats.rs"]
mod stats;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use bare::Bare;
use bridged::Bridged;
use server::Server;
use stats::{Spread, at};

/// It ends a run that hangs, and measures nothing.
const HANG: Duration = Duration::from_secs(60);

const TOPIC: &str = "order.placed";

/// Some hundred bytes as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    customer: String,
    article: String,
    count: u32,
    price: f64,
    paid: bool,
}

impl Order {
    fn new(id: u64) -> Self {
        Order {
            id,
            customer: "Ada Lovelace".into(),
            article: "analytical engine".into(),
            count: 3,
            price: 1842.25,
            paid: true,
        }
    }
}

/// One way from a thread to another process, as far as the other process is here, too.
trait Way: Sync {
    fn name(&self) -> &'static str;
    fn send(&self, order: Order);
    /// The next that came.
    fn next(&self) -> Order;
}

/// How much is measured.
struct Effort {
    rounds: usize,
    burst: u64,
    singles: u64,
    emits: u64,
    rows: String,
}

fn main() -> ExitCode {
    let mut given = pico_args::Arguments::from_env();
    // `cargo bench` says that it is one; `cargo test --benches` does not.
    let smoke = given.contains("--test") | !given.contains("--bench");
    let number = |given: &mut pico_args::Arguments, name, usual| {
        given.opt_value_from_str(name).map(|it| it.unwrap_or(usual))
    };
    let (rounds, burst, emits) = if smoke {
        (1, 500, 500)
    } else {
        (15, 50_000, 200_000)
    };
    let effort = (|| {
        Ok::<_, pico_args::Error>(Effort {
            rounds: number(&mut given, "--rounds", rounds)? as usize,
            burst: number(&mut given, "--burst", burst)?,
            singles: if smoke { 20 } else { 2_000 },
            emits,
            rows: given.opt_value_from_str("--rows")?.unwrap_or_default(),
        })
    })();
    match effort {
        // Options for the other benchmarks, criterion's.
        _ if !given.finish().is_empty() && !smoke => ExitCode::SUCCESS,
        Ok(_) if server::program().is_none() => {
            println!("skipped: `nats-server` is not installed");
            ExitCode::SUCCESS
        }
        Ok(effort) => {
            measure(&effort, smoke);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bridge: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(effort: &Effort, smoke: bool) {
    let server = Server::start().unwrap();
    let capacity = effort.burst.max(10_000) as usize;
    let bridged = Bridged::new(&server, capacity);
    let plain = Bare::new(&server, "plain", false);
    let dressed = Bare::new(&server, "dressed", true);
    let ways: [&dyn Way; 3] = [&bridged, &plain, &dressed];
    let wanted = |row: &str| row.contains(&effort.rows);

    if wanted("throughput") {
        let rows = rounds(effort, smoke, &ways, |way| burst(way, effort.burst));
        report(
            "throughput: a burst",
            &["us a message", "us of processor"],
            &ways,
            &rows,
            smoke,
        );
    }
    if wanted("latency") {
        let rows = rounds(effort, smoke, &ways, |way| singles(way, effort.singles));
        report(
            "latency: one at a time",
            &["us, p50", "us, p99"],
            &ways,
            &rows,
            smoke,
        );
    }
    if wanted("away") {
        away::measure(effort, smoke);
    }
    bridged.check();
}

/// Figures by round, contender and measure.
type Rows = Vec<Vec<Vec<f64>>>;

fn rounds<W: Copy>(
    effort: &Effort,
    smoke: bool,
    ways: &[W],
    mut turn: impl FnMut(W) -> Vec<f64>,
) -> Rows {
    if !smoke {
        // Connections, caches and the allocator meet everybody once before it counts.
        ways.iter().for_each(|way| drop(turn(*way)));
    }
    (0..effort.rounds)
        .map(|round| {
            let mut row = vec![Vec::new(); ways.len()];
            for step in 0..ways.len() {
                let index = (round + step) % ways.len();
                row[index] = turn(ways[index]);
            }
            row
        })
        .collect()
}

/// Microseconds a message, from the first that is sent to the last that is received; and what all threads of this process
/// worked meanwhile, which does not grow with what else the machine does.
fn burst(way: &dyn Way, messages: u64) -> Vec<f64> {
    let worked = processor_time();
    thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            for id in 0..messages {
                assert_eq!(way.next().id, id);
            }
            Instant::now()
        });
        let start = Instant::now();
        for id in 0..messages {
            way.send(Order::new(id));
        }
        let end = consumer.join().unwrap();
        let worked = processor_time().saturating_sub(worked);
        [end.duration_since(start), worked]
            .map(|time| time.as_secs_f64() * 1e6 / messages as f64)
            .to_vec()
    })
}

#[cfg(target_os = "linux")]
fn processor_time() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};

    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let times = [usage.user_time(), usage.system_time()];
    let micros = times.map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Duration::from_micros(micros.iter().sum::<i64>().unsigned_abs())
}

/// Elsewhere it is not measured.
#[cfg(not(target_os = "linux"))]
fn processor_time() -> Duration {
    Duration::ZERO
}

/// The median and the 99th percentile of so many, each sent when the one before it has come.
fn singles(way: &dyn Way, messages: u64) -> Vec<f64> {
    let mut taken: Vec<f64> = (0..messages)
        .map(|id| {
            let order = Order::new(id);
            let start = Instant::now();
            way.send(order);
            assert_eq!(way.next().id, id);
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    taken.sort_by(f64::total_cmp);
    vec![at(&taken, 0.5), at(&taken, 0.99)]
}

fn report(row: &str, measures: &[&str], ways: &[&dyn Way], rows: &Rows, smoke: bool) {
    let names: Vec<&str> = ways.iter().map(|way| way.name()).collect();
    print(row, measures, &names, rows, smoke);
}

/// Medians and quartiles of all, and the first of them against each other.
fn print(row: &str, measures: &[&str], names: &[&str], rows: &Rows, smoke: bool) {
    // Nobody should take figures from a smoke run.
    if smoke {
        return println!("runs: {row}");
    }
    println!("\n{row}");
    for (place, measure) in measures.iter().enumerate() {
        for (index, name) in names.iter().enumerate() {
            let figures = rows.iter().map(|row| row[index][place]).collect();
            let ratios = rows
                .iter()
                .map(|row| row[0][place] / row[index][place])
                .collect();
            let (own, ratio) = (Spread::of(figures), Spread::of(ratios));
            print!(
                "  {name:24} {measure:14} {:8} ({} to {})",
                own.median, own.low, own.high
            );
            if index > 0 {
                print!(
                    "   {}: {:.2} ({:.2} to {:.2})",
                    names[0], ratio.median, ratio.low, ratio.high
                );
            }
            println!();
        }
    }
}
