//! What all handles of one bus share. The way of an event in is `send.rs`, of a subscription `membership.rs`.

use std::time::Instant;

use super::Bus;
use super::backlog::{self, Backlog};
use super::builder::Settings;
use super::feed::Fed;
use super::ledger::Ledger;
use super::observed::Observed;
use super::panics::PanicHook;
use super::past::Archive;
use super::routing::Table;
use super::subscriber::{Bell, Ringer};
use crate::cause::Cause;
use crate::error::EmitError;
use crate::event::Event;
use crate::registry::Registry;
use crate::sync::{Arc, AtomicU64, OnceBox, Ordering, unique_number};
use crate::tally::Striped;

pub(super) struct Core<T> {
    pub(super) settings: Settings,
    pub(super) registry: Registry<Table<T>, Ledger<T>>,
    pub(super) past: Archive<T>,
    /// Emits without a publisher; publishers count for themselves.
    pub(super) unbound: Striped,
    next_id: AtomicU64,
    /// What tells it from other buses, in this process and for ever.
    number: u64,
    /// To the thread that wakes consumers, if emits do not.
    ringer: Option<Ringer>,
    pub(super) born: Instant,
    /// What others passed on to it; made by the first of them.
    fed: OnceBox<Fed>,
    /// Where it is told that too much waits; made by the first who asks. Whoever has it from here lends it only, so
    /// that it ends with this.
    backlogs: OnceBox<Bus<Backlog>>,
}

impl<T> Core<T> {
    pub(super) fn new(settings: Settings, ringer: Option<Ringer>) -> Self {
        let observe = settings.observe_topics;
        let observed = (observe > 0).then(|| Arc::new(Observed::new(observe)));
        Core {
            registry: Registry::new(Table::new(observed), Ledger::new(), settings.route_cache),
            past: Archive::new(settings.history),
            unbound: Striped::new(),
            next_id: AtomicU64::new(0),
            number: unique_number(),
            ringer,
            born: Instant::now(),
            fed: OnceBox::new(),
            backlogs: OnceBox::new(),
            settings,
        }
    }

    #[inline]
    pub(super) fn on_panic(&self) -> Option<&PanicHook> {
        self.settings.on_panic.as_ref()
    }

    /// A bell for one more subscription, if its consumers need one.
    pub(super) fn bell(&self) -> Option<Bell> {
        self.ringer.clone().map(Bell::new)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn ringer(&self) -> Option<Ringer> {
        self.ringer.clone()
    }

    pub(super) fn fed(&self) -> &Fed {
        self.fed.get_or_init(Box::default)
    }

    pub(super) fn backlogs(&self) -> &Bus<Backlog> {
        self.backlogs
            .get_or_init(|| Box::new(backlog::bus(&self.settings)))
    }

    /// [`fed`](Core::fed), of a bus that may never have been.
    pub(super) fn was_fed(&self) -> Option<&Fed> {
        self.fed.get()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.registry.load().content.closed
    }

    pub(super) fn next_id(&self) -> u64 {
        // Relaxed: only distinctness counts.
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The thread's current cause, or, if it is too deep for this bus, that as an error.
    pub(super) fn cause(&self) -> Result<Option<Cause>, Cause> {
        self.bounded(Cause::current())
    }

    /// The cause that was given, else the current one. Neither may be too deep: the current one not
    /// for the stack's sake, the given one not for the memory's, as it is kept by the event.
    pub(super) fn cause_or(&self, given: Option<Cause>) -> Result<Option<Cause>, Cause> {
        let current = self.cause()?;
        Ok(self.bounded(given)?.or(current))
    }

    /// [`cause_or`](Core::cause_or) for an event that exists, whose cause stays.
    pub(super) fn check_cause_of(&self, event: &Event<T>) -> Result<(), Cause> {
        self.cause_or(event.cause().cloned()).map(|_| ())
    }

    fn bounded(&self, cause: Option<Cause>) -> Result<Option<Cause>, Cause> {
        match cause {
            Some(cause) if cause.depth() > self.settings.max_chain => Err(cause),
            cause => Ok(cause),
        }
    }

    #[cold]
    pub(super) fn too_deep<P>(&self, cause: Cause, payload: P) -> EmitError<P> {
        EmitError::ChainTooDeep {
            cause,
            limit: self.settings.max_chain,
            payload,
        }
    }
}
