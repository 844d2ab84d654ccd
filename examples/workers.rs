//! Several workers on one queue: each job goes to exactly one of them.
//!
//! ```text
//! cargo run --example workers
//! ```
//!
//! `share` gives another handle of the same subscription. A second *subscription* would instead get
//! every job once more; the monitor below is one.

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

use std::error::Error;
use std::thread;
use std::time::Duration;

use chanbus::Bus;

const WORKERS: usize = 4;
const JOBS: u64 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let bus = Bus::new();
    let jobs = bus
        .subscription("job.*")
        .name("workers")
        .capacity(16)
        .subscribe()?;
    let monitor = bus
        .subscription("job.*")
        .name("monitor")
        .capacity(JOBS as usize)
        .subscribe()?;

    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let jobs = jobs.share();
            thread::spawn(move || {
                let mut done = Vec::new();
                for job in &jobs {
                    // The work. What this worker is busy with, the others do not wait for.
                    thread::sleep(Duration::from_micros(100));
                    done.push(*job.payload());
                }
                done
            })
        })
        .collect();
    // The subscription lives as long as its last handle: now the workers own it.
    drop(jobs);

    let resize = bus.publisher("job.resize")?;
    for job in 0..JOBS {
        // A lost job would be a lost picture, so the publisher waits for room.
        let emitted = resize.emit_within(job, Duration::from_secs(60))?;
        assert!(emitted.is_complete());
    }
    // Every worker takes what is left, and sees the end.
    drop(bus);

    let mut all = Vec::new();
    for (number, worker) in workers.into_iter().enumerate() {
        let done = worker.join().map_err(|_| "a worker panicked")?;
        println!("worker {number} did {:>4} jobs", done.len());
        // One publisher's events come in its order, so each worker's share of them does too.
        assert!(done.is_sorted());
        all.extend(done);
    }
    all.sort_unstable();
    assert_eq!(all, (0..JOBS).collect::<Vec<_>>(), "each job once");
    println!(
        "each of {JOBS} jobs was done once; the monitor saw {} of them",
        monitor.len()
    );
    assert_eq!(monitor.len() as u64, JOBS);
    Ok(())
}
