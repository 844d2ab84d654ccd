//! Panics: of this thread they end the program, on a terminal that is as it was before; those of the load's threads do
//! not, as the bus goes on, and printed there and then they would tear the picture.

use std::panic;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::terminal;

/// What panicked on other threads: how often, and the last.
#[derive(Clone, Default)]
pub(crate) struct Panics(Arc<Mutex<(usize, String)>>);

impl Panics {
    /// From now on, with this thread as the one whose panics are the end.
    pub(crate) fn watch() -> Self {
        let panics = Panics::default();
        let (seen, here) = (panics.clone(), thread::current().id());
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if thread::current().id() == here {
                terminal::give_back();
                before(info);
            } else {
                let mut seen = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
                *seen = (seen.0 + 1, info.to_string().replace('\n', " "));
            }
        }));
        panics
    }

    /// In words, if there were any.
    pub(crate) fn told(&self) -> Option<String> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*seen {
            (0, _) => None,
            (1, last) => Some(format!("one panic on another thread: {last}")),
            (count, last) => Some(format!("{count} panics on other threads, the last: {last}")),
        }
    }
}
