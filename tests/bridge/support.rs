//! What the tests of the bridge have in common.

#[path = "../../examples/two_processes/server.rs"]
#[allow(
    dead_code,
    reason = "an example's own module, of which tests use parts"
)]
pub(crate) mod server;

use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use chanbus::{Bridge, BridgeBuilder, Bus};

pub(crate) use server::Server;

/// Generous: it ends a test that hangs, and judges nothing.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// Whether to go on: without a server there is nothing to test against.
pub(crate) fn installed() -> bool {
    if server::program().is_some() {
        return true;
    }
    assert_ne!(
        std::env::var("CHANBUS_NATS").as_deref(),
        Ok("required"),
        "`nats-server` is not installed"
    );
    eprintln!("skipped: `nats-server` is not installed");
    false
}

/// Servers with their clients take the machine's two cores and more: one test at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

pub(crate) fn bus<T: Send + Sync + 'static>() -> Bus<T> {
    Bus::builder().capacity(100_000).build().unwrap()
}

/// A bridge that is connected.
pub(crate) fn connected<T, C>(builder: BridgeBuilder<T, C>, server: &Server) -> Bridge<T>
where
    T: Send + Sync + 'static,
    C: chanbus::Codec<T>,
{
    let bridge = builder.servers([server.url()]).start().unwrap();
    assert!(bridge.wait_connected(HANG), "{:?}", bridge);
    bridge
}

/// Waits until something is so that others bring about.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + HANG;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
