//! The promises about handlers, H1 to H14, each sentence attacked.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;

mod batch_model;
mod batches;
mod chains;
mod corners;
mod destructors;
mod dispatcher;
mod dispatcher_inside;
mod dispatcher_stop;
mod executors;
mod isolation;
mod memory;
mod middleware;
mod once;
mod order;
mod pool;
mod pool_end;
mod removal;
mod services;
mod stats;
#[cfg(feature = "tokio")]
mod tokio;

use std::sync::{Arc, Mutex};

use chanbus::{BoxError, Event};

type Done = Result<(), BoxError>;

/// What was done, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn new() -> Self {
        Self::default()
    }

    fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// What there is, taken out.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// A handler that writes this down.
    fn says<T: Send + Sync + 'static>(
        &self,
        what: &str,
    ) -> impl Fn(&Event<T>) + Send + Sync + 'static {
        let (log, what) = (self.clone(), what.to_owned());
        move |_| log.add(what.clone())
    }
}

/// Throws a value whose own destructor throws again.
fn throw_grenade() -> ! {
    struct Grenade;

    impl Drop for Grenade {
        fn drop(&mut self) {
            panic!("the thrown value's destructor");
        }
    }

    std::panic::panic_any(Grenade)
}
