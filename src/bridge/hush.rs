//! Who is asking, told to the client without its logging that.
//!
//! At its finest level the client logs each line that it writes by `tracing`, also the one with the password in it. It asks
//! for user, password or token just before, and writes that line before its task gives way. So from the
//! answer on until then nothing that this thread logs goes anywhere. It does not reach those who have set no
//! subscriber of `tracing`, and have `tracing`'s own feature `log` on instead: to set one, be it for a moment, would
//! end that for the whole process.

use std::cell::RefCell;
use std::future::ready;

use async_nats::{Auth, AuthError, ConnectOptions};
use tokio::runtime::Handle;
use tracing::dispatcher::{DefaultGuard, Dispatch, has_been_set, set_default};

thread_local! {
    static HUSHED: RefCell<Option<DefaultGuard>> = const { RefCell::new(None) };
}

/// The client's options, for a user whom that proves, given what the server wants to have signed.
pub(super) fn identified(
    auth: impl Fn(&[u8]) -> Result<Auth, AuthError> + Send + Sync + 'static,
) -> ConnectOptions {
    ConnectOptions::with_auth_callback(move |nonce| {
        hush();
        ready(auth(&nonce))
    })
}

/// Until the task that calls this gives way: the runtime of a bridge has one thread.
fn hush() {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    if has_been_set() && HUSHED.with_borrow(Option::is_none) {
        HUSHED.set(Some(set_default(&Dispatch::none())));
        runtime.spawn(async { drop(HUSHED.take()) });
    }
}
