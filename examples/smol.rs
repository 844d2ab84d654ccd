//! Streams under smol, and keepalives by a timer that the caller brings.
//!
//! ```text
//! cargo run --example smol --features stream
//! ```

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

use std::error::Error;
use std::time::Duration;

use chanbus::{Beat, Bus};
use smol::Timer;

const JOBS: u64 = 12;

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let bus = Bus::new();

        // Three tasks share one queue: each job goes to one of them.
        let jobs = bus.subscribe("job.*")?;
        let workers: Vec<_> = (1..=3)
            .map(|worker| {
                let mut jobs = jobs.stream();
                smol::spawn(async move {
                    let mut done = 0;
                    while let Some(job) = jobs.next().await {
                        Timer::after(Duration::from_millis(1)).await;
                        println!("worker {worker}: {} {}", job.topic(), job.payload());
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        drop(jobs);

        let idle = || Timer::after(Duration::from_millis(10));
        let mut beats = bus
            .subscribe("**")?
            .into_stream()
            .with_gaps()
            .keepalive(idle);
        let monitor = smol::spawn(async move {
            let (mut events, mut keepalives) = (0, 0);
            while let Some(beat) = beats.next().await {
                match beat {
                    Beat::Event(_) => events += 1,
                    Beat::Missed(count) => println!("monitor: {count} missed"),
                    Beat::Keepalive => keepalives += 1,
                }
            }
            (events, keepalives)
        });

        let resize = bus.publisher("job.resize")?;
        for job in 0..JOBS {
            resize.emit(job)?;
        }
        Timer::after(Duration::from_millis(50)).await;
        drop((resize, bus)); // Closes: every stream ends when it has yielded what is left.

        let mut done = 0;
        for worker in workers {
            done += worker.await;
        }
        let (events, keepalives) = monitor.await;
        println!("{done} jobs done; the monitor saw {events} events and {keepalives} keepalives");
        assert_eq!((done, events), (JOBS, JOBS));
        Ok(())
    })
}
