//! Waiting for one event: what counts, and how a closed bus is told.

use std::time::Duration;

use chanbus::{Bus, WaitError};

#[test]
fn a_broadcast_counts_only_if_its_topic_matches() {
    let bus = Bus::<u32>::new();
    let waiter = bus.clone();
    let thread =
        std::thread::spawn(move || waiter.wait_for("job.*", Duration::from_secs(30), |_| true));
    // Until it listens, which a broadcast that it does not want tells without waking it.
    while bus.broadcast("shutdown.now", 1).unwrap().filtered == 0 {
        std::thread::yield_now();
    }
    bus.emit("job.done", 2).unwrap();
    let event = thread.join().unwrap().unwrap();
    assert_eq!((event.topic().as_str(), *event.payload()), ("job.done", 2));
}

#[test]
fn a_bus_that_is_closed_before_or_while_waiting_is_told_as_one_error() {
    let bus = Bus::<u32>::new();
    let (waiter, closer) = (bus.clone(), bus.clone());
    let thread =
        std::thread::spawn(move || waiter.wait_for("a", Duration::from_secs(30), |_| true));
    while closer.subscriber_count() == 0 {
        std::thread::yield_now();
    }
    closer.close();
    assert_eq!(thread.join().unwrap().unwrap_err(), WaitError::Closed);
    let late = bus.wait_for("a", Duration::from_secs(30), |_| true);
    assert_eq!(late.unwrap_err(), WaitError::Closed);
}
