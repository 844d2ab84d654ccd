//! The system calls of an emit (P1): none while nobody sleeps, one wake-up for each who does.
//!
//! The test runs itself as a child and traces the child's emitting thread. The child calls
//! `getppid` before and after each phase, which nothing else does; between the two, the tracer
//! counts calls of `futex`, which is how threads are woken and how they wait.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::ops::RangeInclusive;
use std::process::{Command, Stdio};
use std::time::Duration;

use chanbus::{Beat, Bus, Overflow, WakeUps};
use common::{POLICIES, spawn_asleep, thread_number};
use crossbeam_channel::Select;
use futures_lite::future::block_on;
use nix::errno::Errno;
use nix::libc::{PTRACE_SYSCALL_INFO_ENTRY, SYS_futex, SYS_getppid};
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getppid};

const CHILD: &str = "CHANBUS_TRACED_CHILD";
const FAR: Duration = Duration::from_secs(3_600);

/// What each phase of [`child`] is, and how many calls it should make.
const PHASES: [(&str, RangeInclusive<u64>); 20] = [
    ("1,000 emits by a publisher, nobody asleep", 0..=0),
    ("1,000 emits by the bus, nobody asleep", 0..=0),
    ("1,000 emits that nobody matches", 0..=0),
    ("1,000 emits that a filter rejects and a tap sees", 0..=0),
    ("1,000 emits into a full queue that refuses", 0..=0),
    ("1,000 emits into a full queue that evicts", 0..=0),
    ("1,000 emits into a full queue that conflates", 0..=0),
    ("1 emit, 1 sleeper", 1..=1),
    ("1 emit, 2 sleepers", 2..=2),
    ("1 emit, 5 sleepers", 5..=5),
    ("1 emit, 3 sleepers that share one subscription", 1..=1),
    ("1 emit, 1 sleeper who keeps the latest", 1..=1),
    // Who wakes from these takes itself off the queue's list of waiters first. If the emitting
    // thread still holds that list's lock, letting go of it is one call more.
    ("1 emit, 1 sleeper in heartbeats", 1..=2),
    ("1 emit, 1 sleeper in a select", 1..=2),
    // What the executor does to wake its thread.
    ("1 emit, 1 task", 1..=2),
    ("1,000 emits when the task has gone", 0..=0),
    ("a batch of 100, 3 sleepers", 3..=3),
    // The thread that wakes is woken itself, if it sleeps; and once more, by whoever finds it at the
    // list's lock.
    ("1 emit, 5 sleepers, handed on", 0..=2),
    ("1,000 emits, nobody asleep, handed on", 0..=0),
    ("a batch of 100, 3 sleepers, handed on", 0..=2),
];

fn measured<R>(act: impl FnOnce() -> R) -> R {
    getppid();
    let result = act();
    getppid();
    result
}

#[allow(clippy::print_stderr)] // How it talks to its parent.
fn child() {
    eprintln!("thread {}", thread_number());
    // The tracer answers when it is there.
    std::io::stdin().lines().next().unwrap().unwrap();

    let bus = Bus::<u64>::builder().capacity(4_096).build().unwrap();
    let plain = bus.subscribe("plain").unwrap();
    let publisher = bus.publisher("plain").unwrap();
    publisher.emit(0).unwrap();
    measured(|| (0..1_000).all(|n| publisher.emit(n).is_ok()));
    measured(|| (0..1_000).all(|n| bus.emit("plain", n).is_ok()));
    assert_eq!(plain.len(), 2_001);
    measured(|| (0..1_000).all(|n| bus.emit("nobody", n).is_ok()));
    let none = bus
        .subscription("filtered")
        .filter(|_| false)
        .subscribe()
        .unwrap();
    let tap = bus.tap("filtered", |_| {}).unwrap();
    measured(|| (0..1_000).all(|n| bus.emit("filtered", n).is_ok()));
    assert_eq!(none.filtered(), 1_000);
    drop(tap);
    for policy in POLICIES {
        let full = bus.subscription("full").capacity(1).overflow(policy);
        let full = full.subscribe().unwrap();
        bus.emit("full", 0).unwrap();
        measured(|| (0..1_000).all(|n| bus.emit("full", n).is_ok()));
        assert_eq!(full.dropped() + full.conflated(), 1_000);
    }

    // A receiver that is woken keeps its subscription until the phase is over: dropping it at once
    // would meet the emitting thread at the queue, and be counted there.
    for sleepers in [1, 2, 5] {
        let threads: Vec<_> = (0..sleepers)
            .map(|_| {
                let sub = bus.subscribe("wake").unwrap();
                spawn_asleep(move || (sub.recv().is_ok(), sub))
            })
            .collect();
        measured(|| bus.emit("wake", 0).unwrap());
        assert!(threads.into_iter().all(|thread| thread.join().unwrap().0));
    }

    let shared = bus.subscribe("wake").unwrap();
    let threads = [(); 3].map(|()| {
        let sub = shared.share();
        spawn_asleep(move || sub.recv().is_ok())
    });
    measured(|| bus.emit("wake", 0).unwrap());
    bus.emit("wake", 0).unwrap();
    bus.emit("wake", 0).unwrap();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    drop(shared);

    let latest = bus
        .subscription("wake")
        .overflow(Overflow::Latest)
        .subscribe()
        .unwrap();
    let thread = spawn_asleep(move || (latest.recv().is_ok(), latest));
    measured(|| bus.emit("wake", 0).unwrap());
    assert!(thread.join().unwrap().0);

    let beating = bus.subscribe("wake").unwrap();
    let thread = spawn_asleep(move || {
        let beat = beating.heartbeats(FAR).next();
        (matches!(beat, Some(Beat::Event(_))), beating)
    });
    measured(|| bus.emit("wake", 0).unwrap());
    assert!(thread.join().unwrap().0);

    let selecting = bus.subscribe("wake").unwrap();
    let thread = spawn_asleep(move || {
        let mut select = Select::new();
        selecting.register(&mut select);
        select.ready();
        (selecting.try_recv().is_ok(), selecting)
    });
    measured(|| bus.emit("wake", 0).unwrap());
    assert!(thread.join().unwrap().0);

    let task = bus.subscribe("task").unwrap();
    let thread = spawn_asleep(move || (block_on(task.recv_async()).is_ok(), task));
    measured(|| bus.emit("task", 0).unwrap());
    let (woken, task) = thread.join().unwrap();
    assert!(woken);
    measured(|| (0..1_000).all(|n| bus.emit("task", n).is_ok()));
    assert_eq!(task.len(), 1_000);

    wake_by_batch(&bus);

    let bus = Bus::<u64>::builder().capacity(4_096);
    let bus = bus.wake_ups(WakeUps::Handed).build().unwrap();
    let threads = [(); 5].map(|()| {
        let sub = bus.subscribe("wake").unwrap();
        spawn_asleep(move || (sub.recv().is_ok(), sub))
    });
    measured(|| bus.emit("wake", 0).unwrap());
    let subs = threads.map(|thread| thread.join().unwrap());
    measured(|| (0..1_000).all(|n| bus.emit("wake", n).is_ok()));
    assert!(subs.iter().all(|(woken, sub)| *woken && sub.len() == 1_000));
    wake_by_batch(&bus);
}

/// One round of wake-ups, however many events there are.
fn wake_by_batch(bus: &Bus<u64>) {
    // The events go into blocks that the publisher has: who is woken may free what it had, and the
    // allocator's lock is not what is counted here.
    let awake = bus.subscribe("batch").unwrap();
    let publisher = bus.publisher("batch").unwrap();
    publisher.emit_batch(0..100).unwrap();
    assert_eq!(awake.try_iter().count(), 100);
    let threads = [(); 3].map(|()| {
        let sub = bus.subscribe("batch").unwrap();
        spawn_asleep(move || (sub.recv().is_ok(), sub))
    });
    measured(|| publisher.emit_batch(0..100).unwrap());
    let subs = threads.map(|thread| thread.join().unwrap());
    assert!(subs.iter().all(|(woken, sub)| *woken && sub.len() == 99));
}

/// The number of the system call that a stopped thread is about to make; `None` at its end.
fn entered(thread: Pid) -> Option<i64> {
    let info = ptrace::syscall_info(thread).unwrap();
    (info.op == PTRACE_SYSCALL_INFO_ENTRY).then(|| {
        #[allow(unsafe_code)] // The kernel's own layout has a union.
        // SAFETY: `op` says that this is the member of it that was written.
        let entry = unsafe { info.u.entry };
        entry.nr as i64
    })
}

/// Lets the thread run on, and counts its calls of `futex` in each phase.
fn count_by_phase(thread: Pid, phases: usize) -> Vec<u64> {
    let mut counts = Vec::new();
    let mut inside = None;
    let mut signal = None;
    while counts.len() < phases {
        ptrace::syscall(thread, signal.take()).unwrap();
        match waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap() {
            WaitStatus::PtraceSyscall(_) => match (entered(thread), &mut inside) {
                (Some(call), _) if call == SYS_getppid => match inside.take() {
                    None => inside = Some(0),
                    Some(count) => counts.push(count),
                },
                (Some(call), Some(count)) if call == SYS_futex => *count += 1,
                _ => {}
            },
            WaitStatus::Stopped(_, sent) => signal = Some(sent),
            WaitStatus::PtraceEvent(..) => {}
            other => panic!("the child ended early, after {counts:?}: {other:?}"),
        }
    }
    counts
}

#[test]
#[allow(clippy::print_stderr)] // A test that is skipped must say so.
fn p1_an_emit_makes_no_system_call_to_wake_but_one_for_each_sleeper() {
    if std::env::var_os(CHILD).is_some() {
        return child();
    }
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--test-threads=1", "--nocapture", "--exact"])
        .arg("p1_an_emit_makes_no_system_call_to_wake_but_one_for_each_sleeper")
        .env(CHILD, "yes")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let thread = loop {
        let line = lines.next().expect("the child names its thread").unwrap();
        if let Some(number) = line.strip_prefix("thread ") {
            break Pid::from_raw(number.parse().unwrap());
        }
    };
    let mut go = process.stdin.take().unwrap();
    match ptrace::seize(thread, ptrace::Options::PTRACE_O_TRACESYSGOOD) {
        Ok(()) => {}
        Err(Errno::EPERM) => {
            process.kill().unwrap();
            process.wait().unwrap();
            eprintln!("skipped: this system does not let a process trace its children");
            return;
        }
        Err(error) => panic!("{error}"),
    }
    ptrace::interrupt(thread).unwrap();
    waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
    go.write_all(b"go\n").unwrap();
    let counts = count_by_phase(thread, PHASES.len());
    ptrace::detach(thread, None).unwrap();
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(process.wait().unwrap().success(), "{rest:?}");

    for ((phase, expected), count) in PHASES.iter().zip(counts) {
        assert!(expected.contains(&count), "{phase}: {count} calls");
    }
}
