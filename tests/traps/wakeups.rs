//! Wake-ups and processor time.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use chanbus::{Bus, TryRecvError};

use super::watch::watched;
use super::*;

/// The CPU time of the calling thread, in ticks of 10 ms.
#[cfg(target_os = "linux")]
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    // After the name in brackets: the state, then numbers; user and system time are the 14th and
    // 15th fields of the line.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// 20 receivers blocked on an idle bus use no CPU (bus#5, bus#23, async-channel#13, disruptor#219).
#[cfg(target_os = "linux")]
#[test]
fn trap13_idle_receivers_use_no_cpu() -> Done {
    watched(|| {
        let bus: Bus<i32> = Bus::new();
        let receivers: Vec<_> = (0..20)
            .map(|place| {
                let sub = bus.subscribe("n")?;
                Ok(thread::spawn(move || {
                    let before = cpu_ticks();
                    match place % 3 {
                        0 => assert!(sub.recv().is_err()),
                        1 => assert_eq!(sub.iter().count(), 0),
                        _ => assert_eq!(sub.heartbeats(LONG).count(), 0),
                    }
                    cpu_ticks() - before
                }))
            })
            .collect::<Result<_, chanbus::Error>>()?;
        // What is measured, not what orders anything: a spinning receiver would use all of it.
        thread::sleep(Duration::from_secs(1));
        bus.close();
        let ticks: u64 = receivers.into_iter().map(|it| it.join().unwrap()).sum();
        assert!(ticks < 5, "{ticks} ticks of 10 ms");
        Ok(())
    })
}

/// Emits race with receivers that go to sleep: nobody sleeps on a queue that is not empty
/// (event-listener#138).
#[test]
fn trap14_no_wake_up_is_lost() -> Done {
    watched(|| {
        const ROUNDS: u32 = 20_000;
        let bus = Bus::new();
        let (pings, pongs) = (bus.subscribe("ping")?, bus.subscribe("pong")?);
        let answering = bus.clone();
        let other = thread::spawn(move || {
            let pong = answering.publisher("pong").unwrap();
            for n in 0..ROUNDS {
                let event = pings.recv().unwrap();
                assert_eq!(*event.payload(), n);
                pong.emit(n).unwrap();
            }
        });
        let ping = bus.publisher("ping")?;
        for n in 0..ROUNDS {
            ping.emit(n)?;
            assert_eq!(*pongs.recv()?.payload(), n);
        }
        other.join().unwrap();
        Ok(())
    })
}

/// Two pushes, two waiters on one subscription: both wake (async-std#452).
#[test]
fn trap15_two_events_wake_two_sharers() -> Done {
    watched(|| {
        const ROUNDS: usize = 2_000;
        let bus = Bus::new();
        let sub = bus.subscribe("job")?;
        let turn = Arc::new(Barrier::new(3));
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (jobs, turn) = (sub.share(), Arc::clone(&turn));
                thread::spawn(move || {
                    for _ in 0..ROUNDS {
                        turn.wait();
                        // One each: neither can take the other's.
                        jobs.recv().unwrap();
                        turn.wait();
                    }
                })
            })
            .collect();
        for n in 0..ROUNDS {
            turn.wait();
            bus.emit("job", n)?;
            bus.emit("job", n)?;
            turn.wait();
        }
        for worker in workers {
            worker.join().unwrap();
        }
        Ok(())
    })
}

/// The sender pushes and drops the last handle: first the event, then the end (flume#121).
#[test]
fn trap18_the_last_event_comes_before_the_end() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("n")?;
    bus.emit("n", 1)?;
    drop(bus);
    assert_eq!(*sub.try_recv()?.payload(), 1);
    assert_eq!(sub.try_recv().unwrap_err(), TryRecvError::Closed);
    Ok(())
}
