//! What becomes of events that come faster than they are read: the three overflow policies, and
//! waiting, side by side.
//!
//! ```text
//! cargo run --example backpressure
//! ```
//!
//! Ten readings of two sensors go, in turn, to subscriptions that hold three events each. Under the
//! policies the publisher never waits and losses are counted. With `emit_within`
//! the publisher waits for room, and nothing is lost while the reader keeps up in time.

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use chanbus::{Bus, Overflow, Subscription};

const SENSORS: [&str; 2] = ["sensor.left", "sensor.right"];
const READINGS: usize = 10;
const CAPACITY: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{READINGS} events, room for {CAPACITY}\n");
    println!(
        "{:<12} {:<32} {:>8} {:>8} {:>9}",
        "", "what the reader got", "received", "dropped", "conflated"
    );

    // The default: what waits is never lost, so the first three stay.
    let kept = overflowing(Overflow::DropNewest)?;
    assert_eq!(kept, [0, 1, 2]);

    // For consumers that want what is recent: the last three stay.
    let kept = overflowing(Overflow::DropOldest)?;
    assert_eq!(kept, [7, 8, 9]);

    // For consumers that want the state: the newest of each topic, here of two sensors.
    let kept = overflowing(Overflow::Latest)?;
    assert_eq!(kept, [8, 9]);

    let got = waiting()?;
    assert_eq!(got, (0..READINGS).collect::<Vec<_>>());

    giving_up()?;
    Ok(())
}

/// Emits everything before anybody reads, and says what is left to be read.
fn overflowing(policy: Overflow) -> Result<Vec<usize>, Box<dyn Error>> {
    let bus = Bus::new();
    let sub = bus
        .subscription("sensor.*")
        .capacity(CAPACITY)
        .overflow(policy)
        .subscribe()?;
    for reading in 0..READINGS {
        // Returns at once, whatever the reader does.
        bus.emit(SENSORS[reading % 2], reading)?;
    }
    drop(bus);
    let kept: Vec<usize> = sub.iter().map(|event| *event.payload()).collect();
    show(&format!("{policy:?}"), &kept, &sub);
    Ok(kept)
}

/// The same queue with a slow reader, and a publisher that waits for it.
fn waiting() -> Result<Vec<usize>, Box<dyn Error>> {
    const A_READING: Duration = Duration::from_millis(5);

    let bus = Bus::new();
    let sub = bus
        .subscription("sensor.*")
        .capacity(CAPACITY)
        .subscribe()?;
    let reader = thread::spawn(move || {
        let mut got = Vec::new();
        for event in &sub {
            thread::sleep(A_READING);
            got.push(*event.payload());
        }
        (got, sub)
    });

    let begun = Instant::now();
    for reading in 0..READINGS {
        // Far longer than the reader needs: a limit for a reader that hangs, not a pace.
        let patience = Duration::from_secs(60);
        let emitted = bus.emit_within(SENSORS[reading % 2], reading, patience)?;
        assert!(emitted.is_complete());
    }
    let took = begun.elapsed();
    drop(bus);

    let (got, sub) = reader.join().map_err(|_| "the reader panicked")?;
    show("emit_within", &got, &sub);
    // All but what fits into the queue and the reader's hands was waited for.
    assert!(took >= A_READING * (READINGS - CAPACITY - 1) as u32);
    println!("\nThe publisher that waited took {took:.0?}; the others waited for nobody.");
    Ok(got)
}

/// With a reader that never reads, the time runs out, and then the event is dropped and counted.
fn giving_up() -> Result<(), Box<dyn Error>> {
    let bus = Bus::new();
    let sub = bus.subscription("sensor.*").capacity(1).subscribe()?;
    bus.emit(SENSORS[0], 0)?;
    let emitted = bus.emit_within(SENSORS[0], 1, Duration::from_millis(20))?;
    assert_eq!((emitted.delivered, emitted.dropped), (0, 1));
    assert_eq!(sub.dropped(), 1);
    println!("And where nobody reads at all, it gives up after its timeout: {emitted:?}");
    Ok(())
}

fn show(what: &str, got: &[usize], sub: &Subscription<usize>) {
    println!(
        "{what:<12} {:<32} {:>8} {:>8} {:>9}",
        format!("{got:?}"),
        sub.received(),
        sub.dropped(),
        sub.conflated(),
    );
    // Whatever the policy, nothing vanishes silently.
    assert_eq!(sub.matched(), READINGS as u64);
}
