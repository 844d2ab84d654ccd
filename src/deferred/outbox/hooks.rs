//! The hooks of an outbox: who they are, and how one runs.

use std::collections::VecDeque;

use super::Outbox;
use super::report::{Committed, HookFailure, HookPlace};
use crate::bus::{Batch, PanicPlace};
use crate::handlers::BoxError;
use crate::sync::Arc;

pub(super) type Outcome = Result<(), BoxError>;

type Before<T> = dyn FnOnce(&mut Outbox<T>) -> Outcome + Send;
type After = dyn FnOnce(&Committed) -> Outcome + Send;
pub(super) type Undo = dyn FnOnce() -> Outcome + Send;

/// One of them, with the name by which it is reported.
pub(super) struct Hook<A: ?Sized> {
    pub(super) label: Arc<str>,
    pub(super) act: Box<A>,
}

/// Those of one outbox, each list in order of registration (those of a rollback run from its end).
pub(super) struct Hooks<T: Send + Sync + 'static> {
    pub(super) before: VecDeque<Hook<Before<T>>>,
    pub(super) after: Vec<Hook<After>>,
    pub(super) undo: Vec<Hook<Undo>>,
}

/// How many there were of each.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    before: usize,
    after: usize,
    undo: usize,
}

impl<T: Send + Sync + 'static> Hooks<T> {
    pub(super) fn counts(&self) -> Counts {
        Counts {
            before: self.before.len(),
            after: self.after.len(),
            undo: self.undo.len(),
        }
    }

    /// Takes out those that were registered since there were so many.
    pub(super) fn split_off(&mut self, kept: Counts) -> Hooks<T> {
        // None of the lists shrinks between a mark and the way back to it; but a wrong count is no
        // reason to panic in a destructor.
        Hooks {
            before: self.before.split_off(kept.before.min(self.before.len())),
            after: self.after.split_off(kept.after.min(self.after.len())),
            undo: self.undo.split_off(kept.undo.min(self.undo.len())),
        }
    }

    /// Lets go of those that a rollback does not run; those that it does come back.
    pub(super) fn only_undo(self, batch: &Batch<T>) -> Vec<Hook<Undo>> {
        discard(batch, self.before);
        discard(batch, self.after);
        self.undo
    }

    /// Lets go of those that a commit does not run; those that it does come back.
    pub(super) fn only_after(self, batch: &Batch<T>) -> Vec<Hook<After>> {
        discard(batch, self.before);
        discard(batch, self.undo);
        self.after
    }
}

impl<T: Send + Sync + 'static> Default for Hooks<T> {
    fn default() -> Self {
        Hooks {
            before: VecDeque::new(),
            after: Vec::new(),
            undo: Vec::new(),
        }
    }
}

impl<A: ?Sized> Hook<A> {
    /// Runs it by `call`; what went wrong comes back.
    pub(super) fn run(
        self,
        place: HookPlace,
        call: impl FnOnce(Box<A>) -> Outcome,
    ) -> Option<HookFailure> {
        let Hook { label, act } = self;
        HookFailure::of(label, place, || call(act))
    }
}

/// Runs those of a rollback that somebody hears of, the last first; who failed comes back.
pub(super) fn undo(hooks: Vec<Hook<Undo>>) -> Vec<HookFailure> {
    let run = |hook: Hook<Undo>| hook.run(HookPlace::AfterRollback, |act| act());
    hooks.into_iter().rev().filter_map(run).collect()
}

/// Runs those of a rollback that nobody hears of: a panic goes to the bus's hook, and there is no
/// place for an error.
pub(super) fn undo_unheard<T: Send + Sync + 'static>(hooks: Vec<Hook<Undo>>, batch: &Batch<T>) {
    for Hook { act, .. } in hooks.into_iter().rev() {
        if let Some(Err(error)) = batch.shielded(PanicPlace::Hook, act) {
            batch.shielded(PanicPlace::Destructor, || drop(error));
        }
    }
}

/// Drops what hooks captured, each behind a shield of its own: two destructors that panic at once
/// would end the process.
fn discard<T, A>(batch: &Batch<T>, hooks: impl IntoIterator<Item = Hook<A>>)
where
    T: Send + Sync + 'static,
    A: ?Sized,
{
    for hook in hooks {
        batch.shielded(PanicPlace::Destructor, || drop(hook));
    }
}
