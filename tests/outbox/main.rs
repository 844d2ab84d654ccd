//! The outbox, D8: each sentence of the promise, savepoints, hooks, and what may go wrong in each of them.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;

mod commit;
mod hooks;
mod inside;
mod model;
mod panics;
mod savepoints;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};

use chanbus::{BoxError, Event, HookFailure, Outbox, Subscription};

type Done = Result<(), BoxError>;

/// What was done, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// What there is, taken out.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// A hook after a rollback that writes this down.
    fn on_rollback(&self, outbox: &mut Outbox<u32>, what: &'static str) {
        let log = self.clone();
        outbox.after_rollback(what, move || {
            log.add(what);
            Ok(())
        });
    }

    /// A hook of each kind that writes down when it runs.
    fn on_all(&self, outbox: &mut Outbox<u32>, what: &'static str) {
        let [before, after] = [self.clone(), self.clone()];
        outbox.before_commit(what, move |_| {
            before.add(format!("before {what}"));
            Ok(())
        });
        outbox.after_commit(what, move |_| {
            after.add(format!("after {what}"));
            Ok(())
        });
        self.on_rollback(outbox, what);
    }
}

fn payloads<T: Copy + Send + Sync + 'static>(sub: &Subscription<T>) -> Vec<T> {
    sub.try_iter().map(|event| *event.payload()).collect()
}

fn payloads_of<T: Copy>(events: &[Event<T>]) -> Vec<T> {
    events.iter().map(|event| *event.payload()).collect()
}

fn labels(failed: &[HookFailure]) -> Vec<&str> {
    failed.iter().map(HookFailure::label).collect()
}

/// What a hook does that is there for what it captured.
fn let_go<V>(value: V) -> Result<(), BoxError> {
    drop(value);
    Ok(())
}

/// Panics without a word on the console.
fn silent_panic() -> ! {
    resume_unwind(Box::new("oh"))
}

/// Runs what panics; whether it did.
fn panics(act: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(act)).is_err()
}
