//! A blocked consumer and an idle dispatcher use no processor time (P15). Alone in its binary, as it measures the process.
#![cfg(target_os = "linux")]
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use chanbus::{Beat, Bus, Dispatcher, Event, Handlers, Overflow, ThreadPool, WakeUps};
use common::{Gate, spawn_asleep};
use crossbeam_channel::Select;
use futures_lite::future::block_on;
use nix::sys::resource::{UsageWho, getrusage};

/// Processor time that this process has used, in the program and in the kernel.
fn used() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let of = |time: nix::sys::time::TimeVal| {
        Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1_000)
    };
    of(usage.user_time()) + of(usage.system_time())
}

#[test]
fn p15_idle_receivers_of_every_kind_and_dispatchers_use_no_processor_time() {
    const FAR: Duration = Duration::from_secs(3_600);
    let plain = Bus::<u64>::new();
    let handed = Bus::builder().wake_ups(WakeUps::Handed).build().unwrap();
    // A dispatcher that has no room for more as long as the gate is shut.
    let (busy, gate, (tell, told)) = (Bus::new(), Gate::new(), channel());
    let handlers = Handlers::new();
    let shut = gate.clone();
    let handle = move |_: &Event<u64>| {
        shut.pass();
        let _ = tell.send(());
    };
    handlers.on("**").call(handle).unwrap();
    let dispatcher = Dispatcher::builder(&busy, &handlers).executor(ThreadPool::new(1).unwrap());
    let dispatcher = dispatcher.max_in_flight(1).build().unwrap();
    dispatcher.start().unwrap();
    busy.publisher("n").unwrap().emit_batch([1, 2]).unwrap();
    gate.wait_held();

    let mut sleepers = Vec::new();
    for (bus, policy) in [
        (&plain, Overflow::DropNewest),
        (&plain, Overflow::Latest),
        (&handed, Overflow::DropNewest),
        (&handed, Overflow::Latest),
    ] {
        let subscribe = || bus.subscription("**").overflow(policy).subscribe().unwrap();
        let (a, b, c, d) = (subscribe(), subscribe(), subscribe(), subscribe());
        let (e, f, g) = (subscribe(), subscribe(), subscribe());
        let (h, i) = (subscribe(), subscribe());
        let shares = [a.share(), a.share(), d.share()];
        sleepers.push(spawn_asleep(move || a.recv().is_err()));
        sleepers.push(spawn_asleep(move || b.iter().next().is_none()));
        sleepers.push(spawn_asleep(move || {
            !c.heartbeats(FAR).any(|beat| matches!(beat, Beat::Event(_)))
        }));
        sleepers.push(spawn_asleep(move || {
            d.recv_batch(&mut Vec::new(), 10).is_err()
        }));
        sleepers.push(spawn_asleep(move || e.recv_timeout(FAR).is_err()));
        sleepers.push(spawn_asleep(move || {
            f.recv_deadline(Instant::now() + FAR).is_err()
        }));
        sleepers.push(spawn_asleep(move || {
            let mut select = Select::new();
            g.register(&mut select);
            select.ready();
            g.try_recv().is_err_and(|error| error.is_closed())
        }));
        // Tasks, each alone on its thread, and one beside a thread that sleeps.
        let beside = h.share();
        sleepers.push(spawn_asleep(move || block_on(h.recv_async()).is_err()));
        sleepers.push(spawn_asleep(move || beside.recv().is_err()));
        sleepers.push(spawn_asleep(move || {
            block_on(i.recv_batch_async(&mut Vec::new(), 10)).is_err()
        }));
        for share in shares {
            sleepers.push(spawn_asleep(move || share.iter().next().is_none()));
        }
    }
    assert_eq!(sleepers.len(), 52);
    // Now it is nudged, does the rest, and has nothing left to do.
    gate.open();
    told.iter().take(2).for_each(drop);
    // A publisher that idles with a route to all of them.
    let publisher = plain.publisher("nothing.yet").unwrap();

    let before = used();
    thread::sleep(Duration::from_secs(5));
    let spent = used() - before;
    assert!(spent < Duration::from_millis(50), "{spent:?} in 5 s");

    // They slept as receivers do: the end wakes them all.
    drop((plain, handed));
    assert!(sleepers.into_iter().all(|sleeper| sleeper.join().unwrap()));
    assert!(publisher.emit(0).is_err());
}
