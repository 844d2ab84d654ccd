//! One of the two processes: a bus, a bridge, and a subscriber. It does what its parent's lines say.

use std::collections::HashSet;
use std::error::Error;
use std::io::{BufRead, BufReader, Write, stdin};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use chanbus::{Bridge, Bus, Imported, JetStream};
use serde::{Deserialize, Serialize};

use super::books::Books;

/// What they tell each other.
#[derive(Debug, Serialize, Deserialize)]
struct Said {
    who: String,
    number: u64,
}

/// The parent's end.
pub(crate) struct Child {
    process: std::process::Child,
    lines: BufReader<ChildStdout>,
    orders: ChildStdin,
}

impl Child {
    pub(crate) fn start(
        name: &str,
        url: &str,
        prefix: &str,
        mode: &str,
    ) -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["child", name, url, prefix, mode])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = process.stdout.take().ok_or("it has no output")?;
        let orders = process.stdin.take().ok_or("it has no input")?;
        let mut child = Child {
            process,
            lines: BufReader::new(lines),
            orders,
        };
        child.hear("ready")?;
        Ok(child)
    }

    /// Has it emit so many events.
    pub(crate) fn emit(&mut self, events: u64) -> Result<(), Box<dyn Error>> {
        Ok(writeln!(self.orders, "{events}")?)
    }

    /// Waits until it has.
    pub(crate) fn emitted(&mut self) -> Result<(), Box<dyn Error>> {
        self.hear("emitted").map(drop)
    }

    pub(crate) fn books(&mut self) -> Result<Books, Box<dyn Error>> {
        writeln!(self.orders, "books")?;
        let line = self.hear("{")?;
        Ok(serde_json::from_str(&line)?)
    }

    fn hear(&mut self, begin: &str) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        if line.starts_with(begin) {
            return Ok(line);
        }
        Err(format!("a process said {line:?} instead of {begin:?}").into())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Without a parent it ends; with one that failed it may not.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The child's end.
pub(crate) fn run(name: &str, url: &str, prefix: &str, mode: &str) -> Result<(), Box<dyn Error>> {
    let bus: Bus<Said> = Bus::builder().capacity(100_000).build()?;
    // Before the bridge: what it imports while nobody has subscribed is gone.
    let seen = Arc::new(AtomicU64::new(0));
    let twice = Arc::new(AtomicU64::new(0));
    let sub = bus
        .subscription("said.*")
        .filter(|event| event.extension::<Imported>().is_some())
        .subscribe()?;
    let reader = sub.share();
    let (saw, again) = (Arc::clone(&seen), Arc::clone(&twice));
    thread::spawn(move || {
        let mut numbers = HashSet::new();
        for event in &reader {
            if !numbers.insert(event.payload().number) {
                again.fetch_add(1, Ordering::Relaxed);
            }
            saw.fetch_add(1, Ordering::Relaxed);
        }
    });

    let mut bridge = Bridge::builder(&bus)
        .servers([url])
        .prefix(prefix)
        .name(name)
        .capacity(100_000)
        .export("said.*")
        .import("said.*");
    if mode == "jetstream" {
        let stream = format!("TWO{}", prefix.replace('.', "-"));
        bridge = bridge.jetstream(JetStream::stream(stream).ack_wait(Duration::from_secs(2)));
    }
    let bridge = bridge.start()?;
    if !bridge.wait_connected(Duration::from_secs(30)) {
        return Err(format!("{name}: no server at {url}").into());
    }

    let mut emitted = 0;
    println!("ready");
    for line in stdin().lines() {
        if let Ok(events) = line?.parse::<u64>() {
            let topic = format!("said.{name}");
            for _ in 0..events {
                let who = name.to_owned();
                let number = emitted;
                bus.emit(&topic, Said { who, number })
                    .map_err(chanbus::Error::from)?;
                emitted += 1;
                if emitted % 100 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            println!("emitted");
            continue;
        }
        let stats = bridge.stats();
        let (export, import) = (stats.export, stats.import);
        let books = Books {
            emitted,
            dropped: export.dropped,
            refused: export.refused,
            waiting: export.waiting,
            sent: export.sent,
            confirmed: export.confirmed,
            in_doubt: export.in_doubt,
            unconfirmed: export.unconfirmed,
            imported: import.imported,
            missed: import.missed,
            duplicates: import.duplicates,
            seen: seen.load(Ordering::Relaxed),
            unseen: sub.dropped(),
            twice: twice.load(Ordering::Relaxed),
            connects: stats.connects,
        };
        println!("{}", serde_json::to_string(&books)?);
    }
    Ok(())
}
