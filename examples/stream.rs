//! A subscription as a stream, under tokio: `select!`, a timeout, gaps and keepalives.
//!
//! ```text
//! cargo run --example stream --features tokio
//! ```

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

use std::error::Error;
use std::time::Duration;

use chanbus::{Beat, Bus};
use tokio::time::{sleep, timeout};

const ROWS: u64 = 20;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let bus = Bus::new();

    // A table that wants every row, and to know where some are missing: its queue is short.
    let rows = bus.subscription("row").name("table").capacity(4);
    let mut beats = rows
        .subscribe()?
        .into_stream()
        .heartbeats(Duration::from_millis(40));
    let table = tokio::spawn(async move {
        let (mut events, mut missed, mut idle) = (0, 0, 0);
        while let Some(beat) = beats.next().await {
            match beat {
                // Slower than what comes.
                Beat::Event(_) => {
                    events += 1;
                    sleep(Duration::from_millis(5)).await;
                }
                Beat::Missed(count) => missed += count,
                Beat::Keepalive => idle += 1,
            }
        }
        (events, missed, idle)
    });

    // Two streams beside a timer. What a `select!` drops half way is in the queue still. One that has ended is not asked again:
    // by `Some(..) = clicks.next()` alone the timer would be waited for when both have.
    let mut clicks = bus.subscribe("ui.click")?.into_stream();
    let mut keys = bus.subscribe("ui.key")?.into_stream();
    let input = tokio::spawn(async move {
        let mut seen = Vec::new();
        let (mut clicking, mut typing) = (true, true);
        while clicking || typing {
            tokio::select! {
                click = clicks.next(), if clicking => match click {
                    Some(event) => seen.push(format!("click {}", event.payload())),
                    None => clicking = false,
                },
                key = keys.next(), if typing => match key {
                    Some(event) => seen.push(format!("key {}", event.payload())),
                    None => typing = false,
                },
                // Nobody is there any more.
                () = sleep(Duration::from_secs(30)) => break,
            }
        }
        seen
    });

    // Emitting never waits, so it suits any task.
    let progress = bus.publisher("row")?;
    for row in 0..ROWS {
        progress.emit(row)?;
        bus.emit(if row % 2 == 0 { "ui.click" } else { "ui.key" }, row)?;
        if row % 10 == 9 {
            sleep(Duration::from_millis(100)).await;
        }
    }

    // Nobody answers; the limit on the time is the runtime's.
    let answer = bus.wait_for_async("answer", |_| true);
    let answer = timeout(Duration::from_millis(20), answer).await;
    println!("an answer in time: {}", answer.is_ok());

    bus.close();
    let seen = input.await?;
    println!(
        "input: {} events, the last is {:?}",
        seen.len(),
        seen.last()
    );
    let (events, missed, idle) = table.await?;
    println!("table: {events} rows, {missed} missing, {idle} keepalives");
    assert_eq!((seen.len() as u64, events + missed), (ROWS, ROWS));
    Ok(())
}
