//! Events that are emitted together when something else has succeeded, or not at all.

mod error;
mod hooks;
mod report;
mod savepoint;

use std::fmt;

pub use self::error::CommitError;
use self::hooks::{Hook, Hooks, Undo, undo, undo_unheard};
pub use self::report::{Committed, HookFailure, HookPlace, RolledBack};
use self::savepoint::Mark;
pub use self::savepoint::Savepoint;
use crate::bus::{Batch, Bus};
use crate::draft::EventDraft;
use crate::error::EmitError;
use crate::event::Event;
use crate::sync::{Mutex, unique_number};

impl<T: Send + Sync + 'static> Bus<T> {
    /// Begins an outbox: events are collected now, and emitted by its [`commit`](Outbox::commit) or not at all.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("order.*")?;
    /// let mut outbox = bus.outbox();
    /// outbox.emit("order.placed", 1)?;
    /// assert!(sub.is_empty());
    /// assert_eq!(outbox.commit()?.emitted.delivered, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn outbox(&self) -> Outbox<T> {
        Outbox {
            batch: self.start_batch(),
            hooks: Mutex::new(Hooks::default()),
            number: unique_number(),
        }
    }
}

/// Events that wait until something else has succeeded, a database transaction say; made by [`Bus::outbox`].
///
/// [`commit`](Outbox::commit) emits all of them, in the order in which they were added;
/// [`rollback`](Outbox::rollback), or dropping it, discards them. Before a commit nobody hears of them: no
/// subscription, no tap, no derived bus, no history. It does not keep the bus open, and belongs to no
/// thread. What is emitted beside it, by [`Bus::emit`], is emitted at once, as ever.
///
/// ```
/// use chanbus::{Bus, Committed, Error, Outbox};
///
/// # #[derive(Default)] struct Database(Vec<String>);
/// # struct Transaction<'a>(&'a mut Database, Vec<String>);
/// # impl Database { fn begin(&mut self) -> Transaction<'_> { Transaction(self, Vec::new()) } }
/// # impl Transaction<'_> {
/// #     fn insert(&mut self, row: &str) -> Result<(), Error> { self.1.push(row.to_owned()); Ok(()) }
/// #     fn commit(self) -> Result<(), Error> { self.0.0.extend(self.1); Ok(()) }
/// # }
/// fn place(order: &str, rows: &mut Transaction, outbox: &mut Outbox<String>) -> Result<(), Error> {
///     rows.insert(order)?;
///     outbox.emit("order.placed", order.to_owned())?;
///     Ok(())
/// }
///
/// fn place_all(
///     orders: &[&str],
///     database: &mut Database,
///     bus: &Bus<String>,
/// ) -> Result<Committed, Error> {
///     let mut rows = database.begin();
///     let mut outbox = bus.outbox();
///     for order in orders {
///         place(order, &mut rows, &mut outbox)?; // An error drops both, and so rolls back both.
///     }
///     rows.commit()?;
///     Ok(outbox.commit()?)
/// }
/// # let (bus, mut database) = (Bus::new(), Database::default());
/// # let sub = bus.subscribe("order.*")?;
/// # assert!(place_all(&["book", "pen"], &mut database, &bus)?.is_complete());
/// # assert_eq!((sub.len(), database.0.len()), (2, 2));
/// # Ok::<(), Error>(())
/// ```
///
/// **It is not durable.** A process that ends between the two commits above has the rows and has not emitted
/// the events. Where that matters, write the events into the transaction, and emit them from there after
/// it: the example `orders_sqlite` does so. Nor is it bounded: it holds what is put into it.
///
/// # What is emitted
///
/// An event is stamped, and gets its [`Cause`](crate::Cause), when it is added, not when it is emitted. A commit
/// is a [`Batch`]: all events see the same subscriptions, a queue takes of them what it has
/// room for, and who [keeps batches](crate::SubscriptionBuilder::keep_batches) gets them as one.
///
/// It is all or none. If the bus is closed, or a hook refuses, nothing is emitted and
/// the [`CommitError`] hands all events back, in order.
///
/// # Savepoints
///
/// A [`Savepoint`] is a part that can be given up by itself. It may be passed on as a `&mut Outbox`,
/// so whoever is given one can nest its own part without knowing how deep it is.
///
/// # Hooks
///
/// Code that runs as the outbox ends, each with a label by which its failure is reported. Hooks run in the order in
/// which they were registered; those after a rollback in the reverse, as what was done last is undone first:
///
/// | Hook | Runs | If it fails or panics |
/// |---|---|---|
/// | [`before_commit`](Outbox::before_commit) | at the beginning of a commit, while the bus is open | the commit is refused, and what this hook added is discarded; later ones are not asked |
/// | [`after_commit`](Outbox::after_commit) | when all is emitted | it is in [`Committed::failed`]; the others run, nothing is undone |
/// | [`after_rollback`](Outbox::after_rollback) | after a rollback, a drop, or a commit that emitted nothing | it is in [`RolledBack::failed`] or [`CommitError::failed`]; the others run |
///
/// Hooks own what they capture: a transaction that is borrowed is committed beside the outbox, as above.
///
/// Where an outbox or savepoint is dropped, there is nobody to report to: a panic of a hook goes to
/// [`BusBuilder::on_panic`](crate::BusBuilder::on_panic), and an error is lost. Who wants to hear of it calls
/// `rollback`. Dropping never panics itself, also not during another panic.
///
/// The hooks of a savepoint that is committed become those of its outbox; of one that is rolled back, the
/// after-rollback hooks run then and there, and the others never. Each hook runs once at most; one that
/// will not run is dropped before those run that do.
#[must_use = "an outbox that is dropped emits nothing"]
pub struct Outbox<T: Send + Sync + 'static> {
    batch: Batch<T>,
    // Never locked: it is there so that an outbox may be shared, as hooks need not be `Sync`.
    hooks: Mutex<Hooks<T>>,
    /// Tells it from all others, for its marks.
    number: u64,
}

impl<T: Send + Sync + 'static> Outbox<T> {
    /// Adds an event, stamped now.
    ///
    /// # Errors
    ///
    /// A text that is no topic, or a [chain](crate::Cause) that is too deep; the payload comes back
    /// and the outbox stays as it was. (That the bus is closed is said by the commit.)
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut outbox = bus.outbox();
    /// outbox.emit("a", 6)?;
    /// assert_eq!(outbox.emit("a..b", 7).unwrap_err().into_payload(), 7);
    /// assert_eq!(outbox.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit(&mut self, topic: impl AsRef<str>, payload: T) -> Result<(), EmitError<T>> {
        self.batch.emit(topic, payload)
    }

    /// Begins an event with a source, metadata or extensions; its `emit` adds it.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut outbox = bus.outbox();
    /// outbox.event("a", 1).source("import").emit()?;
    /// assert_eq!(outbox.events()[0].source(), Some("import"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn event<'a>(
        &'a mut self,
        topic: &'a (impl AsRef<str> + ?Sized),
        payload: T,
    ) -> EventDraft<'a, T, &'a mut Batch<T>> {
        self.batch.event(topic, payload)
    }

    /// Adds an event that exists, as it is.
    ///
    /// ```
    /// # use chanbus::{Bus, Event};
    /// let bus = Bus::new();
    /// let mut outbox = bus.outbox();
    /// outbox.push(Event::new("a", 1)?);
    /// assert_eq!(outbox.commit()?.events, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn push(&mut self, event: Event<T>) {
        self.batch.push(event);
    }

    /// How many events it holds.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// assert_eq!(Bus::<u32>::new().outbox().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether it holds none.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// assert!(Bus::<u32>::new().outbox().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Its events, in order; those of savepoints that live, too.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut outbox = bus.outbox();
    /// outbox.emit("a", 1)?;
    /// assert_eq!(outbox.events()[0].topic(), "a");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn events(&self) -> &[Event<T>] {
        self.batch.events()
    }

    /// Whether its bus has been closed, so that a commit would hand all events back.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let outbox = Bus::<u32>::new().outbox();
    /// // An outbox does not keep its bus open.
    /// assert!(outbox.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.batch.is_closed()
    }

    /// Emits all events, in order, to the subscriptions of this moment, if no hook refuses.
    ///
    /// # Errors
    ///
    /// A closed bus, a [chain](crate::Cause) that is too deep, or a before-commit hook that said no or panicked:
    /// none was emitted, all come back, and the after-rollback hooks have run. Once the bus is closed no
    /// before-commit hook is asked any more.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut outbox = bus.outbox();
    /// outbox.emit("a", 1)?;
    /// bus.close();
    /// let error = outbox.commit().unwrap_err();
    /// assert!(error.is_closed());
    /// assert_eq!(error.into_events().len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn commit(mut self) -> Result<Committed, CommitError<T>> {
        if let Some(hook) = self.ask() {
            let events = self.batch.split_off(0).into_events();
            let failed = undo(self.cut_all().1);
            return Err(CommitError::Refused {
                hook,
                events,
                failed,
            });
        }
        let events = self.len();
        match self.batch.split_off(0).commit() {
            Ok(emitted) => {
                let failed = Vec::new();
                Ok(self.tell(Committed {
                    emitted,
                    events,
                    failed,
                }))
            }
            Err(error) => {
                let failed = undo(self.cut_all().1);
                Err(CommitError::Emit { error, failed })
            }
        }
    }

    /// Discards all events and runs the after-rollback hooks; says which of them failed.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut outbox = bus.outbox();
    /// outbox.emit("a", 1)?;
    /// assert_eq!(outbox.rollback().discarded, 1);
    /// assert_eq!(bus.stats().emitted, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn rollback(mut self) -> RolledBack {
        let (discarded, hooks) = self.cut_all();
        RolledBack {
            discarded,
            failed: undo(hooks),
        }
    }

    /// Asks all before-commit hooks, also those that others register meanwhile; who refused comes back.
    fn ask(&mut self) -> Option<HookFailure> {
        // Not on a bus that one of them closed: what they do elsewhere would be in vain.
        while !self.is_closed()
            && let Some(hook) = self.hooks.get_mut().before.pop_front()
        {
            let mark = self.mark();
            let failure = hook.run(HookPlace::BeforeCommit, |act| act(self));
            if failure.is_some() {
                // What it left half done. Its hooks stay: they run, or go, with the others, in their order.
                let (events, _) = mark.within(self);
                drop(self.batch.split_off(events));
                return failure;
            }
        }
        None
    }

    /// Runs the after-commit hooks.
    fn tell(&mut self, mut committed: Committed) -> Committed {
        let hooks = std::mem::take(self.hooks.get_mut());
        for hook in hooks.only_after(&self.batch) {
            let failure = hook.run(HookPlace::AfterCommit, |act| act(&committed));
            committed.failed.extend(failure);
        }
        committed
    }

    /// Discards what was added since the mark, but for the hooks that are to run now.
    fn cut(&mut self, mark: &Mark) -> (usize, Vec<Hook<Undo>>) {
        let (events, hooks) = mark.within(self);
        let hooks = self.hooks.get_mut().split_off(hooks);
        let events = self.batch.split_off(events);
        let discarded = events.len();
        // Behind shields: it may be a panic that discards.
        drop(events);
        (discarded, hooks.only_undo(&self.batch))
    }

    fn cut_all(&mut self) -> (usize, Vec<Hook<Undo>>) {
        self.cut(&Mark::start_of(self.number))
    }
}

/// As [`rollback`](Outbox::rollback), but nobody hears of hooks that fail: see [`Outbox`].
impl<T: Send + Sync + 'static> Drop for Outbox<T> {
    fn drop(&mut self) {
        let (_, hooks) = self.cut_all();
        undo_unheard(hooks, &self.batch);
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Outbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
