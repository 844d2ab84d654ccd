//! Plays rounds of everything at once, and checks every promise by counting.
//!
//! ```text
//! cargo run --release --manifest-path tests/stress/Cargo.toml -- [--seconds N] [--seed S]
//! ```
//!
//! Each round has a bus with settings drawn from its seed, several publishers, consumers of every
//! kind, blocking and async, alone and sharing, and threads that subscribe, tap, change patterns,
//! and close. Filters, taps, wakers and destructors panic and emit now and then. When a round is over:
//!
//! - P2, P5: sums per emit, per subscription and per bus, against what was emitted and taken;
//! - P3, P4: numbers ascend for each emitter in each consumer, and none comes twice;
//! - P6: queues hold no more than their capacity;
//! - P7: consumers were told of as many missing events as were dropped;
//! - P8: the end comes to everybody, and stays;
//! - P9, P13: no payload, capture or waker is alive, though publishers are idle;
//! - P11: every panic was reported once, and none went anywhere else.
//!
//! Every fourth round is one of handlers: see `handlers.rs`.
//!
//! A round that does not end in a minute ends the process. Round `n` has the seed `S + n`, so that
//! `--seed` with the seed of a failed round begins with its settings; what the threads then do is up
//! to the machine. Built with a sanitizer, it is the program to run (see CONTRIBUTING.md).
//!
//! | Exit code | |
//! |---|---|
//! | 0 | all held |
//! | 1 | a promise was broken, or a round hung |
//! | 2 | the command line is wrong |
//! | 101 | somebody panicked who was not told to |

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to the person who runs it"
)]

mod account;
mod consume;
mod dice;
mod handlers;
mod mischief;
mod parcel;
mod publish;
mod reader;
mod round;
mod world;

use std::panic;
use std::process::{ExitCode, exit};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How long a round may take.
const HANG: Duration = Duration::from_secs(60);

/// The seed of the round that is on, and its number from one.
static SEED: AtomicU64 = AtomicU64::new(0);
static ROUND: AtomicU64 = AtomicU64::new(0);

fn main() -> ExitCode {
    let (seconds, seed) = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\nusage: stress [--seconds N] [--seed S]");
            return ExitCode::from(2);
        }
    };
    // Panics on purpose go past this hook; any other ends all.
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        usual(panic);
        eprintln!("FAILED in the round of seed {}", SEED.load(Relaxed));
        exit(101);
    }));
    thread::spawn(watch);

    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {msg}") {
        bar.set_style(style);
    }
    let began = Instant::now();
    let (mut rounds, mut events, mut panics) = (0, 0, 0);
    while began.elapsed() < Duration::from_secs(seconds) {
        let round_seed = seed.wrapping_add(rounds);
        SEED.store(round_seed, Relaxed);
        ROUND.store(rounds + 1, Relaxed);
        // Every fourth round is one of handlers.
        let (more_events, more_panics) = match round_seed % 4 {
            3 => handlers::play(round_seed),
            _ => round::play(round_seed),
        };
        rounds += 1;
        events += more_events;
        panics += more_panics;
        bar.set_message(format!("{rounds} rounds, {events} events"));
    }
    bar.finish_and_clear();
    println!(
        "{rounds} rounds, {events} events, {panics} provoked panics in {} s, seed {seed}: all promises held",
        began.elapsed().as_secs()
    );
    ExitCode::SUCCESS
}

fn options() -> Result<(u64, u64), pico_args::Error> {
    let mut options = pico_args::Arguments::from_env();
    let seconds = options.opt_value_from_str("--seconds")?.unwrap_or(10);
    let seed = options.opt_value_from_str("--seed")?;
    match options.finish().first() {
        None => Ok((seconds, seed.unwrap_or_else(any_seed))),
        Some(unknown) => Err(pico_args::Error::ArgumentParsingFailed {
            cause: format!("unknown: {}", unknown.display()),
        }),
    }
}

/// Another one every time.
fn any_seed() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
    since.map_or(1, |since| u64::from(since.subsec_nanos()))
}

/// Ends the process when a round does not end.
fn watch() {
    let (mut last, mut since) = (0, Instant::now());
    loop {
        thread::sleep(Duration::from_millis(500));
        let round = ROUND.load(Relaxed);
        if round != last {
            (last, since) = (round, Instant::now());
        } else if since.elapsed() > HANG {
            let seed = SEED.load(Relaxed);
            eprintln!("\nFAILED: the round of seed {seed} does not end (P1, P8, P14)");
            eprintln!("{:?}", round::Settings::draw(seed));
            exit(1);
        }
    }
}
