//! A dashboard in the terminal, on a live bus under load: who is behind, who loses, how fast, and why.
//!
//! ```sh
//! cargo run --release --example monitor
//! cargo run --release --example monitor -- --seconds 10
//! ```
//!
//! It starts a small shop whose threads emit and consume ([`load`]), with a few faults in it, and looks at it from
//! outside, four times a second: by `Bus::topology`, two of which make rates, `Topology::lint`, and `Bus::backlogs`.
//! All that it needs of a bus is that bus; latencies alone are measured by the consumers themselves. `?` shows
//! the keys.
//!
//! Where its output is no terminal it prints what it sees each second, and ends after three seconds. It obeys
//! `NO_COLOR`. `--panic-after N` has it panic after N seconds, to show that the terminal survives that.

mod figures;
mod keys;
mod latency;
mod lines;
mod load;
mod numbers;
mod panics;
mod plain;
mod screen;
mod terminal;
mod view;

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event};

use crate::keys::Then;
use crate::load::Load;
use crate::numbers::{Numbers, Sample};
use crate::panics::Panics;
use crate::screen::Screen;
use crate::terminal::Screenful;
use crate::view::Palette;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(250);
/// How long it runs where nobody can press a key.
const UNATTENDED: u64 = 3;
const USAGE: &str = "usage: monitor [--seconds N] [--panic-after N]";

type Outcome<R> = Result<R, Box<dyn Error>>;

struct Wishes {
    seconds: Option<u64>,
    panic_after: Option<u64>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// To whoever still listens: `eprintln!` would panic where the terminal has gone.
fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn run() -> Outcome<()> {
    let wishes = wishes()?;
    // Asked to end by a signal (SIGTERM, SIGHUP, or Ctrl-C where no terminal turns that into a key).
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    ctrlc::set_handler(move || end.store(true, Ordering::SeqCst))?;

    let panics = Panics::watch();
    let load = Load::start()?;
    let outcome = match io::stdout().is_terminal() {
        true => dashboard(&load, &wishes, &ended),
        false => lines_only(&load, &wishes, &ended),
    };
    load.stop()?;
    if let Some(panics) = panics.told() {
        tell(&panics);
    }
    outcome
}

fn wishes() -> Outcome<Wishes> {
    let mut arguments = pico_args::Arguments::from_env();
    let wishes = Wishes {
        seconds: arguments.opt_value_from_str("--seconds")?,
        panic_after: arguments.opt_value_from_str("--panic-after")?,
    };
    match arguments.finish().first() {
        None => Ok(wishes),
        Some(unknown) => Err(format!("`{}`? {USAGE}", unknown.display()).into()),
    }
}

/// Until a key, a signal or the time ends it.
fn dashboard(load: &Load, wishes: &Wishes, ended: &AtomicBool) -> Outcome<()> {
    let began = Instant::now();
    let is_over = || {
        wishes
            .seconds
            .is_some_and(|seconds| began.elapsed().as_secs() >= seconds)
    };
    let palette = Palette::from_env();
    let (mut numbers, mut screen) = (Numbers::default(), Screen::default());
    let mut taken = Screenful::take()?;
    let heard = listen()?;
    let mut next = Instant::now();
    while !ended.load(Ordering::SeqCst) && !is_over() {
        if Instant::now() >= next {
            numbers.add(sample(load));
            next = Instant::now() + EVERY;
        }
        let due = wishes
            .panic_after
            .is_some_and(|seconds| began.elapsed().as_secs() >= seconds);
        assert!(!due, "as was asked for");
        let drawn = taken
            .terminal
            .draw(|frame| view::draw(frame, &numbers, &screen, palette));
        // All keys that are there, then one picture of what they did.
        let pressed = drawn
            .map(drop)
            .and_then(|()| presses(&heard, next, &mut screen, &numbers));
        match pressed {
            Ok(Then::GoOn) => {}
            Ok(Then::Quit) => break,
            Err(error) => {
                // If the terminal has gone, the signal that says so may be on its way.
                thread::sleep(EVERY);
                if !ended.load(Ordering::SeqCst) {
                    return Err(error.into());
                }
            }
        }
    }
    Ok(())
}

/// Keys, and changes of the terminal's size, from a thread of their own: one that reads from a terminal that has gone may
/// never come back, and ends with the program.
fn listen() -> io::Result<Receiver<io::Result<Event>>> {
    let (told, heard) = mpsc::channel();
    let listen = move || {
        loop {
            let event = event::read();
            let failed = event.is_err();
            if told.send(event).is_err() || failed {
                return;
            }
        }
    };
    thread::Builder::new().name("keys".into()).spawn(listen)?;
    Ok(heard)
}

/// Waits for keys or a change of the terminal's size until then, and takes all that there are.
fn presses(
    heard: &Receiver<io::Result<Event>>,
    until: Instant,
    screen: &mut Screen,
    newest: &Numbers,
) -> io::Result<Then> {
    let mut patience = until.saturating_duration_since(Instant::now());
    // Who is gone has told why before.
    while let Ok(event) = heard.recv_timeout(patience) {
        // What else happens, such as a new size, only wants a new picture.
        if let Event::Key(key) = event?
            && keys::press(key, screen, newest) == Then::Quit
        {
            return Ok(Then::Quit);
        }
        patience = Duration::ZERO;
    }
    Ok(Then::GoOn)
}

/// Prints what it sees, each second, and at last what looks wrong.
fn lines_only(load: &Load, wishes: &Wishes, ended: &AtomicBool) -> Outcome<()> {
    let mut numbers = Numbers::default();
    numbers.add(sample(load));
    for _ in 0..wishes.seconds.unwrap_or(UNATTENDED) {
        for _ in 0..4 {
            thread::sleep(EVERY);
            numbers.add(sample(load));
        }
        print(&plain::snapshot(&numbers))?;
        if ended.load(Ordering::SeqCst) {
            break;
        }
    }
    print(&format!("what looks wrong:\n{}\n", numbers.lint()))
}

/// Fails where nobody reads it any more, where `println!` would panic.
fn print(text: &str) -> Outcome<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn sample(load: &Load) -> Sample {
    let probes = load.probes.iter();
    let news = load.news.iter().flat_map(|news| news.try_iter());
    Sample {
        topology: load.bus().topology(),
        latencies: probes.map(|(name, probe)| (*name, probe.take())).collect(),
        news: news.map(|told| told.payload().clone()).collect(),
    }
}
