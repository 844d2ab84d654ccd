//! Two processes, one server, traffic both ways, and a server that is killed again and again.
//!
//! ```text
//! cargo run --release --features nats --example two_processes
//! ```
//!
//! It starts a NATS server, unless one is there (`--server nats://host:4222`), and two processes, each with a bus and a
//! bridge that exports and imports the same pattern. While both emit, the server is killed, and started again: five times
//! by plain NATS, which may lose what is on its way, and five times by JetStream, which may not. In the end every event
//! is accounted for, or the program says so and fails. A server that was there before is not killed.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks to the person who runs it"
)]

mod books;
mod child;
mod server;

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use books::{Books, print_table};
use child::Child;
use indicatif::{ProgressBar, ProgressStyle};
use server::Server;

/// Events that each process emits in a round.
const EVENTS: u64 = 20_000;
const ROUNDS: u64 = 5;

type Anything = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["child", name, url, prefix, mode] => child::run(name, url, prefix, mode),
        [] => both(None),
        ["--server", url] => both(Some(url)),
        _ => Err("usage: two_processes [--server nats://host:port]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn both(there: Option<&str>) -> Anything {
    traffic(there, "plain")?;
    traffic(there, "jetstream")
}

/// Runs both processes to the end of all rounds, and adds up.
fn traffic(there: Option<&str>, mode: &str) -> Anything {
    let directory = env::temp_dir().join(format!("two_processes-{}-{mode}", std::process::id()));
    let mut own = match there {
        Some(_) => None,
        None => Some(Server::start_with_jetstream(&directory)?),
    };
    let url = match (&own, there) {
        (Some(server), _) => server.url(),
        (None, Some(url)) => url.to_owned(),
        (None, None) => unreachable!("one of them is there"),
    };
    // Another run of this program on the same server has another one.
    let prefix = format!("two{}.{mode}", std::process::id());
    let mut ann = Child::start("ann", &url, &prefix, mode)?;
    let mut bob = Child::start("bob", &url, &prefix, mode)?;
    println!("{mode}: two processes, {ROUNDS} rounds of {EVENTS} events each way");

    let bar = ProgressBar::new(ROUNDS);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} round {pos} of {len}: {msg}",
    )?);
    for round in 0..ROUNDS {
        ann.emit(EVENTS)?;
        bob.emit(EVENTS)?;
        if let Some(server) = &mut own {
            // Somewhere in the middle of it.
            thread::sleep(Duration::from_millis(20 + 15 * round));
            bar.set_message("the server is killed");
            server.kill()?;
            thread::sleep(Duration::from_millis(30));
            server.restart()?;
            bar.set_message("the server is back");
        }
        ann.emitted()?;
        bob.emitted()?;
        bar.inc(1);
    }
    bar.finish_and_clear();

    let (ann, bob) = settled(&mut ann, &mut bob)?;
    print_table(&ann, &bob);
    let wrong = Books::faults(&ann, &bob, mode);
    // It may hold nothing of a server that was there before.
    let _ = std::fs::remove_dir_all(&directory);
    if wrong.is_empty() {
        println!("{mode}: the sums hold\n");
        Ok(())
    } else {
        Err(format!("{mode}: {}", wrong.join("; ")).into())
    }
}

/// Asks both until nothing moves any more, and each has heard how far the other came.
fn settled(ann: &mut Child, bob: &mut Child) -> Result<(Books, Books), Box<dyn Error>> {
    let mut before = None;
    // Far more than it takes, on the busiest machine.
    for _ in 0..600 {
        let now = (ann.books()?, bob.books()?);
        let quiet = now.0.is_quiet() && now.1.is_quiet() && before.as_ref() == Some(&now);
        if quiet && now.0.knows(&now.1) && now.1.knows(&now.0) {
            return Ok(now);
        }
        before = Some(now);
        thread::sleep(Duration::from_millis(100));
    }
    match before {
        Some(books) => Ok(books),
        None => Err("there are no books".into()),
    }
}
