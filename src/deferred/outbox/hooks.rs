//! The hooks of an outbox: how they are registered, who they are, and how one runs.

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

impl<T: Send + Sync + 'static> Outbox<T> {
    /// Registers a hook that is asked before a commit, and may refuse it by an error.
    ///
    /// It may look at the events, emit more of them, which are part of the commit, and register more hooks,
    /// which run, too. Where it fails or panics, nothing is emitted; later hooks are not asked. What it
    /// did elsewhere is its own to undo: by an [`after_rollback`](Outbox::after_rollback) hook, for one.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("**")?;
    /// let mut outbox = bus.outbox();
    /// outbox.before_commit("summary", |outbox| {
    ///     let events = outbox.len();
    ///     outbox.emit("summary", format!("{events} orders"))?;
    ///     Ok(())
    /// });
    /// outbox.emit("order.placed", "book".to_owned())?;
    /// assert!(outbox.commit()?.is_complete());
    /// let texts: Vec<String> = sub.try_iter().map(|event| event.payload().clone()).collect();
    /// assert_eq!(texts, ["book", "1 orders"]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn before_commit(
        &mut self,
        label: impl Into<Arc<str>>,
        hook: impl FnOnce(&mut Outbox<T>) -> Result<(), BoxError> + Send + 'static,
    ) {
        let (label, act) = (label.into(), Box::new(hook));
        self.hooks.get_mut().before.push_back(Hook { label, act });
    }

    /// Registers a hook that runs when a commit has emitted all events, and is told what was done.
    ///
    /// An error of it is reported in [`Committed::failed`], and so is a panic; neither undoes anything.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// # use std::sync::mpsc::channel;
    /// let (told, hears) = channel();
    /// let bus = Bus::new();
    /// let mut outbox = bus.outbox();
    /// outbox.emit("order.placed", 1)?;
    /// outbox.after_commit("count", move |committed| Ok(told.send(committed.events)?));
    /// assert!(outbox.commit()?.is_complete());
    /// assert_eq!(hears.recv().unwrap(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn after_commit(
        &mut self,
        label: impl Into<Arc<str>>,
        hook: impl FnOnce(&Committed) -> Result<(), BoxError> + Send + 'static,
    ) {
        let (label, act) = (label.into(), Box::new(hook));
        self.hooks.get_mut().after.push(Hook { label, act });
    }

    /// Registers a hook that runs when the events are discarded: after a rollback, a drop, or a commit that
    /// emitted nothing. To undo what was done beside: the last one registered runs first.
    ///
    /// An error of it is reported, and so is a panic, where there is somebody to report to; neither keeps the
    /// others from running.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// # use std::sync::mpsc::channel;
    /// let (told, hears) = channel();
    /// let bus = Bus::new();
    /// let mut outbox = bus.outbox();
    /// outbox.emit("order.placed", 1)?;
    /// outbox.after_rollback("release", move || Ok(told.send("released")?));
    /// drop(outbox);
    /// assert_eq!(hears.recv().unwrap(), "released");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn after_rollback(
        &mut self,
        label: impl Into<Arc<str>>,
        hook: impl FnOnce() -> Result<(), BoxError> + Send + 'static,
    ) {
        let (label, act) = (label.into(), Box::new(hook));
        self.hooks.get_mut().undo.push(Hook { label, act });
    }
}

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
