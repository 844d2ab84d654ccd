//! From threads to tasks and back: a blocking producer, async consumers, a blocking one beside them,
//! and a shutdown that loses nothing.
//!
//! ```text
//! cargo run --example bridge_threads --features stream
//! ```

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

use std::error::Error;
use std::thread;
use std::time::Duration;

use chanbus::{Bus, Event};
use indicatif::ProgressBar;

const LINES: u64 = 2_000;

/// What stands for a request over the network.
async fn upload(line: &Event<u64>) -> u64 {
    tokio::task::yield_now().await;
    *line.payload()
}

fn main() -> Result<(), Box<dyn Error>> {
    let bus = Bus::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;

    // Tasks that share one queue. They run on the runtime's threads, and the bus needs none of its own.
    let lines = bus.subscription("line").capacity(64).subscribe()?;
    let uploads: Vec<_> = (0..4)
        .map(|_| {
            let mut lines = lines.stream();
            runtime.spawn(async move {
                let mut sent = 0;
                while let Some(line) = lines.next().await {
                    upload(&line).await;
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    // Ends the tasks from elsewhere, for a second Ctrl-C; unused if all goes well.
    let closer = lines.closer();
    drop(lines);

    // A thread beside the tasks: to the bus they are all subscribers.
    let shown = bus
        .subscription("line")
        .capacity(LINES as usize)
        .subscribe()?;
    let bar = ProgressBar::new(LINES);
    let progress = thread::spawn(move || {
        let count = shown.iter().inspect(|_| bar.inc(1)).count();
        bar.finish_and_clear();
        count as u64
    });

    // The blocking producer: it waits for room rather than lose a line.
    let publisher = bus.publisher("line")?;
    let producer = thread::spawn(move || -> Result<u64, chanbus::EmitError<u64>> {
        let mut lost = 0;
        for line in 0..LINES {
            let emitted = publisher.emit_within(line, Duration::from_secs(10))?;
            lost += emitted.dropped as u64;
        }
        Ok(lost)
    });

    // The shutdown, in the order in which data flows: the producer ends, the bus closes, everybody
    // takes what is queued and sees the end.
    let lost = producer.join().map_err(|_| "the producer panicked")??;
    bus.close();
    let mut sent = 0;
    for task in uploads {
        sent += runtime.block_on(task)?;
    }
    let seen = progress
        .join()
        .map_err(|_| "the progress thread panicked")?;
    println!(
        "{sent} lines sent, {seen} shown, {lost} lost; closed: {}",
        closer.is_closed()
    );
    assert_eq!((sent, seen, lost), (LINES, LINES, 0));
    Ok(())
}
