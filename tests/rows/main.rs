//! One test for each feature row of `docs/features.md` that the core owns.
//!
//! A test's name begins with the row's identifier, and its body keeps the meaning of the documented
//! feature or example. `.ci/features` holds the list of rows against these names.

mod codechu;
mod mtaio;
mod starstreamer;
mod watch;

use chanbus::Subscription;

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
