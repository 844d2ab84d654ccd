//! One test for each feature row of `docs/features.md` whose step is finished.
//!
//! A test's name begins with the row's identifier, and its body keeps the meaning of the documented
//! feature or example. `.ci/features` holds the list of rows against these names.

mod codechu;
mod mtaio;
mod mtaio_batches;
mod mtaio_classes;
mod mtaio_derived;
mod mtaio_errors;
mod mtaio_handlers;
mod pyventus;
mod pyventus_executors;
mod shared_event_bus;
mod shared_event_bus_many;
mod starstreamer;
mod starstreamer_emitting;
mod starstreamer_failures;
mod starstreamer_handlers;
mod starstreamer_modules;
mod starstreamer_running;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chanbus::{Event, Subscription};

/// What most tests return, so that `?` reads as in an application.
type Done = Result<(), chanbus::Error>;

/// The topics of what waits, in order.
fn topics<T: Send + Sync + 'static>(sub: &Subscription<T>) -> Vec<String> {
    sub.try_iter()
        .map(|event| event.topic().to_string())
        .collect()
}

/// The payloads of what waits, in order.
fn payloads<T: Copy + Send + Sync + 'static>(sub: &Subscription<T>) -> Vec<T> {
    sub.try_iter().map(|event| *event.payload()).collect()
}

/// What handlers wrote down, in the order in which they did.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        // A handler that panics is a test's business.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, line: impl Into<String>) {
        self.lines().push(line.into());
    }

    /// A handler that writes this line.
    fn line<T>(&self, line: &'static str) -> impl Fn(&Event<T>) + Send + Sync + 'static + use<T> {
        let log = self.clone();
        move |_| log.write(line)
    }

    /// What was written since it was last asked.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines())
    }
}
