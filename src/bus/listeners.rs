//! Who listens to a bus: subscriptions and taps, as both of their ends share them, with what they asked for.

use std::panic::Location;

use super::conflate::Keyed;
use super::feed::{Keeper, let_go};
use super::panics::{Owner, Whose};
use super::pass::Tapped;
use super::role::{Role, ServedBy};
use super::subscriber::Mailbox;
use super::view::Visible;
use crate::event::Event;
use crate::pattern::Pattern;
use crate::sync::{Arc, Hook, Mutex, Weak};
use crate::topic::Topic;

/// A subscription's filter.
pub(super) type Filter<T> = dyn Fn(&Event<T>) -> bool + Send + Sync;
/// A tap's callback.
pub(super) type TapFn<T> = dyn Fn(&Event<T>) + Send + Sync;

impl<T> Keyed for Event<T> {
    type Key = Topic;

    fn key(&self) -> Topic {
        self.topic().clone()
    }
}

/// One subscription, as both ends share it.
pub(super) struct Member<T> {
    pub(super) id: u64,
    pub(super) name: Option<Arc<str>>,
    /// Where in the source it was made.
    pub(super) location: &'static Location<'static>,
    pub(super) filter: Option<Hook<Filter<T>>>,
    pub(super) mailbox: Mailbox<Event<T>>,
    pub(super) role: Role,
    /// Who takes from it, for those who look.
    pub(super) served_by: Option<Hook<ServedBy>>,
    /// A derived bus lives as long as it has open subscriptions.
    pub(super) keeps: Mutex<Option<Keeper>>,
    /// What `tracing` was told of its losses.
    #[cfg(feature = "tracing")]
    pub(super) told: super::traced::Told,
}

impl<T> Member<T> {
    /// Keeps its bus open no more, if it did.
    pub(super) fn let_go(&self) {
        let keeper = self.keeps.lock().take();
        if let Some(keeper) = keeper {
            let_go(keeper);
        }
    }
}

impl<T> Owner for Member<T> {
    fn whose(&self) -> Whose<'_> {
        Whose {
            subscription: Some(self.id),
            tap: None,
            name: self.name.as_deref(),
            location: Some(self.location),
            #[cfg(feature = "tracing")]
            told: Some(self.told.panics()),
        }
    }
}

/// One tap.
pub(super) struct Tap<T> {
    pub(super) id: u64,
    /// Where in the source it was made.
    pub(super) location: &'static Location<'static>,
    pub(super) kind: TapKind<T>,
    /// What `tracing` was told of its panics.
    #[cfg(feature = "tracing")]
    pub(super) told: super::traced::Panics,
}

impl<T> Owner for Tap<T> {
    fn whose(&self) -> Whose<'_> {
        Whose {
            subscription: None,
            tap: Some(self.id),
            name: None,
            location: Some(self.location),
            #[cfg(feature = "tracing")]
            told: Some(&self.told),
        }
    }
}

/// What a tap does with events.
pub(super) enum TapKind<T> {
    /// Calls the user.
    Call(Hook<TapFn<T>>),
    /// Passes them on to another bus.
    Pass(Hook<PassFn<T>>, There),
}

/// Where a tap passes events on to, for those who look.
pub(super) struct There {
    pub(super) number: u64,
    /// That bus is made of this one.
    pub(super) derived: bool,
    pub(super) bus: Weak<dyn Visible>,
}

/// What passes events on, all of one emit or batch at once: see `pass.rs`.
pub(super) type PassFn<T> = dyn Fn(Tapped<'_, T>) + Send + Sync;

impl<T> Tap<T> {
    pub(super) fn is_call(&self) -> bool {
        matches!(self.kind, TapKind::Call(_))
    }

    /// Takes the callback away; whoever gets it drops it where a panic does no harm.
    pub(super) fn clear(&self) -> Cleared<T> {
        match &self.kind {
            TapKind::Call(hook) => (hook.clear(), None),
            TapKind::Pass(hook, _) => (None, hook.clear()),
        }
    }
}

/// What a tap has let go of.
type Cleared<T> = (Option<Arc<Box<TapFn<T>>>>, Option<Arc<Box<PassFn<T>>>>);

/// What the index holds.
pub(super) enum Listener<T> {
    Member(Arc<Member<T>>),
    Tap(Arc<Tap<T>>),
}

impl<T> Clone for Listener<T> {
    fn clone(&self) -> Self {
        match self {
            Listener::Member(member) => Listener::Member(Arc::clone(member)),
            Listener::Tap(tap) => Listener::Tap(Arc::clone(tap)),
        }
    }
}

/// A listener and what it asked for.
pub(super) struct Seat<L> {
    pub(super) listener: Arc<L>,
    pub(super) patterns: Arc<[Pattern]>,
}

impl<L> Clone for Seat<L> {
    fn clone(&self) -> Self {
        Seat {
            listener: Arc::clone(&self.listener),
            patterns: Arc::clone(&self.patterns),
        }
    }
}
