//! How a bus lets go of what is the user's: behind shields, and with a cause for what destructors emit.

use std::mem::needs_drop;

use super::core::Core;
use super::panics::{PanicPlace, drop_event, drop_extras, shield};
use crate::cause::Cause;
use crate::event::{Event, Extras};
use crate::sync::Arc;
use crate::topic::Topic;

impl<T> Drop for Core<T> {
    fn drop(&mut self) {
        // With the last handle of whichever kind; what the hook captured is the user's, and there is
        // nobody left to report to.
        let hook = self.settings.on_panic.take();
        shield(None, PanicPlace::Destructor, None, None, || drop(hook));
    }
}

impl<T> Core<T> {
    /// Drops a payload that nobody listens to; as [`discard_unseen`](Core::discard_unseen).
    pub(super) fn discard_unmatched(&self, topic: &Topic, cause: Option<Cause>, payload: T) {
        if needs_drop::<T>() {
            Cause::scope_of(topic, cause, || self.discard(payload));
        }
    }

    /// Drops an event that nobody listens to; what its destructor emits has it as its cause, so that
    /// a circle of such emits ends.
    pub(super) fn discard_unseen(&self, event: Event<T>) {
        let pusher = Pusher::of(&event);
        self.discard_oldest(pusher, Some(event));
    }

    /// Drops what the history let go of, as a delivery drops what a queue did: what destructors
    /// emit has the event that pushed it out as its cause.
    pub(super) fn discard_oldest(
        &self,
        pusher: Option<Pusher>,
        oldest: impl IntoIterator<Item = Event<T>>,
    ) {
        let discard = || {
            oldest
                .into_iter()
                .for_each(|event| self.discard_event(event))
        };
        match pusher {
            None => discard(),
            Some(Pusher { topic, cause }) => Cause::scope_of(&topic, cause, discard),
        }
    }

    /// Drops an event's handle as [`discard`](Core::discard) drops other values.
    pub(super) fn discard_event(&self, event: Event<T>) {
        drop_event(self.on_panic(), None, event);
    }

    /// Drops what was to go with a payload that is handed back.
    pub(super) fn discard_extras(&self, extras: Extras) {
        drop_extras(self.on_panic(), None, Some(extras));
    }

    /// The payload of an event that nobody has seen.
    pub(super) fn payload_of(&self, event: Event<T>) -> T {
        let Some((payload, extras)) = event.into_parts() else {
            unreachable!("an event that was never delivered has one handle");
        };
        drop_extras(self.on_panic(), None, extras.and_then(Arc::into_inner));
        payload
    }

    /// Drops the user's value where a panicking destructor does no harm.
    pub(super) fn discard<V>(&self, value: V) {
        shield(self.on_panic(), PanicPlace::Destructor, None, None, || {
            drop(value);
        });
    }
}

/// What a [`Cause`] would say of an event, for when the event itself has gone.
pub(super) struct Pusher {
    topic: Topic,
    cause: Option<Cause>,
}

impl Pusher {
    /// Of an event whose kind has destructors of the user's; others need none.
    pub(super) fn of<T>(event: &Event<T>) -> Option<Self> {
        (needs_drop::<T>() || !event.is_bare()).then(|| Pusher {
            topic: event.topic().clone(),
            cause: event.cause().cloned(),
        })
    }
}
