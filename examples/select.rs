//! Waits for a subscription and for other channels at once, by crossbeam's `Select`.
//!
//! ```text
//! cargo run --example select
//! ```
//!
//! A download reports what it has got; a clock beside it asks for a status line now and then. One
//! thread serves both, asleep in between: nothing is polled.

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

use std::error::Error;
use std::thread;
use std::time::Duration;

use chanbus::{Bus, TryRecvError};
use crossbeam_channel::{Select, tick};

const CHUNKS: u64 = 20;
const CHUNK: u64 = 1_000;
const STATUS_LINES: u32 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let bus = Bus::new();
    let chunks = bus.subscribe("download.chunk")?;
    let clock = tick(Duration::from_millis(20));

    let download = thread::spawn(move || -> Result<(), chanbus::Error> {
        for _ in 0..CHUNKS {
            thread::sleep(Duration::from_millis(2));
            bus.emit("download.chunk", CHUNK)?;
        }
        // The bus goes with this thread, and that ends the subscription.
        Ok(())
    });

    let mut select = Select::new();
    let event_ready = chunks.register(&mut select);
    let tick_ready = select.recv(&clock);

    let mut bytes = 0;
    let mut status_lines = 0;
    let mut finished = false;
    while !finished || status_lines < STATUS_LINES {
        let ready = select.ready();
        if ready == event_ready {
            match chunks.try_recv() {
                Ok(event) => bytes += event.payload(),
                // `ready` says that it is worth a look; another handle may have been faster.
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Closed) => {
                    finished = true;
                    // What has ended is ready for ever: take it out, or the loop would spin.
                    select.remove(event_ready);
                }
            }
        } else if ready == tick_ready && clock.try_recv().is_ok() {
            status_lines += 1;
            println!("tick {status_lines}: {bytes} bytes");
        }
    }
    println!("done: {bytes} bytes");

    download.join().map_err(|_| "the download panicked")??;
    assert_eq!(bytes, CHUNKS * CHUNK);
    assert_eq!(chunks.received(), CHUNKS);
    Ok(())
}
