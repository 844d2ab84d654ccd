//! Who wakes sleeping consumers.

use std::io;
use std::thread;

use super::subscriber::{Bell, Ringer};
use crate::error::BuildError;
use crate::sync::{Arc, bounded};

/// Who wakes a consumer that sleeps in a blocking receive.
///
/// Waking is by far the dearest thing that an emit does: a system call for each consumer that sleeps,
/// thousands of instructions where a push takes a hundred. The sum is the same either way; the
/// question is who pays.
///
/// ```
/// use chanbus::{Bus, WakeUps};
///
/// let bus = Bus::builder().wake_ups(WakeUps::Handed).build()?;
/// let sub = bus.subscribe("tick")?;
/// let reader = std::thread::spawn(move || sub.recv().map(|event| *event.payload()));
/// bus.emit("tick", 1)?;
/// # drop(bus);
/// assert!(matches!(reader.join().unwrap(), Ok(1)));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum WakeUps {
    /// Whoever emits: with each push that finds a sleeper. Consumers are awake soonest.
    #[default]
    Direct,
    /// A thread of the bus's own, which sleeps when there is nobody to wake. An emit wakes that thread
    /// at most, once, however many consumers sleep, which suits publishers that are in a hurry; each
    /// consumer awakes one hand-over later. It wants a core to run on: on one machine of
    /// two cores, where it most likely ran in the place of who woke it, the emit returned no sooner. So measure.
    ///
    /// The thread is made by [`build`](crate::BusBuilder::build) and ends after the bus and all of its
    /// handles have gone. It runs no code of the user's: the wakers of tasks are called by the emit, as
    /// ever. Consumers that sleep in a `Select`
    /// ([`Subscription::register`](crate::Subscription::register)) are woken directly, as it is
    /// crossbeam's own. Where more than a thousand bells wait to be rung, an emit rings the next
    /// ones itself.
    Handed,
}

/// How many subscriptions can wait for the ringer at once.
const BELLS: usize = 1_024;

/// Starts the thread that rings, which ends when all who can hand it a bell have gone.
pub(super) fn start_ringer(bus: Option<&str>) -> Result<Ringer, BuildError> {
    let (to_bells, bells) = bounded::<Arc<Bell>>(BELLS);
    let (to_calls, calls) = bounded(1);
    let name = format!("chanbus-wake-{}", bus.unwrap_or("bus"));
    thread::Builder::new()
        // A thread's name is a C string.
        .name(name.replace('\0', " "))
        .spawn(move || {
            // A call first, then bells: see `bell.rs`.
            for () in &calls {
                bells.try_iter().for_each(|bell| bell.answer());
            }
        })
        .map_err(|error: io::Error| BuildError::NoThread { kind: error.kind() })?;
    Ok(Ringer::new(to_bells, to_calls))
}
