//! Events that the library holds, and lets go of without a panic.

use std::ops::Deref;

use super::Event;
use crate::shield::drop_shielded;
use crate::sync::Arc;

/// A handle of an event. If it is the last, the payload and the extensions go with it, each behind a
/// shield of its own: two destructors that panic at once would end the process.
pub(crate) struct Held<T>(Option<Event<T>>);

impl<T> Held<T> {
    pub(crate) fn new(event: Event<T>) -> Self {
        Held(Some(event))
    }
}

impl<T> Deref for Held<T> {
    type Target = Event<T>;

    #[inline]
    fn deref(&self) -> &Event<T> {
        match &self.0 {
            Some(event) => event,
            None => unreachable!("it is taken only as this is dropped"),
        }
    }
}

impl<T> Drop for Held<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(last) = self.0.take().and_then(Event::drop_quietly) {
            drop_parts(last);
        }
    }
}

/// Handles of many events, each of which is let go of as [`Held`] does.
pub(crate) struct HeldAll<T>(Vec<Event<T>>);

impl<T> HeldAll<T> {
    pub(crate) fn new(events: impl Iterator<Item = Event<T>>) -> Self {
        HeldAll(events.collect())
    }
}

impl<T> Deref for HeldAll<T> {
    type Target = [Event<T>];

    fn deref(&self) -> &[Event<T>] {
        &self.0
    }
}

impl<T> Drop for HeldAll<T> {
    fn drop(&mut self) {
        for event in self.0.drain(..) {
            drop(Held::new(event));
        }
    }
}

fn drop_parts<T>(event: Event<T>) {
    let Some((payload, extras)) = event.into_parts() else {
        return;
    };
    drop_shielded(payload);
    let extras = extras.and_then(Arc::into_inner);
    let extensions = extras.map(|extras| extras.extensions);
    for extension in extensions.into_iter().flatten() {
        drop_shielded(extension);
    }
}
