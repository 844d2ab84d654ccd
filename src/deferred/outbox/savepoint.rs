//! A part of an outbox that can be given up by itself.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::Outbox;
use super::hooks::{Counts, undo, undo_unheard};
use super::report::RolledBack;

/// A place in an outbox to come back to.
pub(super) struct Mark {
    /// Of which outbox, by its number.
    outbox: u64,
    events: usize,
    hooks: Counts,
}

impl Mark {
    /// Where nothing was added yet.
    pub(super) fn start_of(outbox: u64) -> Self {
        Mark {
            outbox,
            events: 0,
            hooks: Counts::default(),
        }
    }

    /// The place in `outbox`. Who puts another one in the place of that which was marked has put all
    /// that it holds there since.
    pub(super) fn within<T: Send + Sync + 'static>(&self, outbox: &Outbox<T>) -> (usize, Counts) {
        if self.outbox == outbox.number {
            (self.events, self.hooks)
        } else {
            (0, Counts::default())
        }
    }
}

impl<T: Send + Sync + 'static> Outbox<T> {
    /// Begins a part that can be rolled back by itself.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut outbox = bus.outbox();
    /// outbox.emit("order.placed", 1)?;
    /// let mut mail = outbox.savepoint();
    /// mail.emit("mail.sent", 1)?;
    /// drop(mail);
    /// assert_eq!(outbox.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn savepoint(&mut self) -> Savepoint<'_, T> {
        let mark = self.mark();
        Savepoint {
            outbox: self,
            mark: Some(mark),
        }
    }

    pub(super) fn mark(&mut self) -> Mark {
        Mark {
            outbox: self.number,
            events: self.len(),
            hooks: self.hooks.get_mut().counts(),
        }
    }
}

/// A part of an [`Outbox`] that can be rolled back by itself; made by [`Outbox::savepoint`].
///
/// It stands for the outbox, by [`Deref`], so it goes wherever a `&mut Outbox` is asked for, and has
/// savepoints itself. [`commit`](Savepoint::commit) keeps what was collected since, which is then the
/// outbox's own; [`rollback`](Savepoint::rollback), or dropping it, discards that. Nothing is emitted before
/// the outbox itself is committed.
///
/// ```
/// use chanbus::{Bus, EmitError, Outbox};
///
/// fn place(order: u32, outbox: &mut Outbox<u32>) -> Result<(), EmitError<u32>> {
///     outbox.emit("order.placed", order)?;
///     let mut gift = outbox.savepoint();
///     gift.emit("gift.added", order)?;
///     if order > 1 {
///         gift.commit();
///     } // Or else it is dropped, and no gift is added.
///     Ok(())
/// }
///
/// let bus = Bus::new();
/// let sub = bus.subscribe("**")?;
/// let mut outbox = bus.outbox();
/// for order in [1, 2] {
///     let mut one = outbox.savepoint();
///     place(order, &mut one)?;
///     one.commit();
/// }
/// assert!(outbox.commit()?.is_complete());
/// let topics: Vec<String> = sub.try_iter().map(|event| event.topic().to_string()).collect();
/// assert_eq!(topics, ["order.placed", "order.placed", "gift.added"]);
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// While it lives, its outbox can be neither emitted on nor committed but through it:
///
/// ```compile_fail,E0499
/// # use chanbus::Bus;
/// # let bus = Bus::new();
/// let mut outbox = bus.outbox();
/// let mut savepoint = outbox.savepoint();
/// outbox.emit("a", 1)?;
/// savepoint.commit();
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// ```
/// # use chanbus::Bus;
/// # let bus = Bus::new();
/// let mut outbox = bus.outbox();
/// let mut savepoint = outbox.savepoint();
/// savepoint.emit("a", 1)?;
/// savepoint.commit();
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// ```compile_fail,E0505
/// # use chanbus::Bus;
/// # let bus = Bus::<u32>::new();
/// let mut outbox = bus.outbox();
/// let savepoint = outbox.savepoint();
/// let _ = outbox.commit();
/// savepoint.commit();
/// ```
///
/// ```
/// # use chanbus::Bus;
/// # let bus = Bus::<u32>::new();
/// let mut outbox = bus.outbox();
/// let savepoint = outbox.savepoint();
/// savepoint.commit();
/// let _ = outbox.commit();
/// ```
///
/// and it cannot commit the whole:
///
/// ```compile_fail,E0507
/// # use chanbus::{Bus, Outbox};
/// # let bus = Bus::<u32>::new();
/// let mut outbox = bus.outbox();
/// let savepoint = outbox.savepoint();
/// let _ = Outbox::commit(*savepoint);
/// ```
///
/// ```
/// # use chanbus::{Bus, Savepoint};
/// # let bus = Bus::<u32>::new();
/// let mut outbox = bus.outbox();
/// let savepoint = outbox.savepoint();
/// let _ = Savepoint::commit(savepoint);
/// ```
///
/// It belongs to the outbox that it was made of. Who puts another in its place (by `std::mem::replace`)
/// takes out that outbox with all that it holds, and a rollback discards all that the other holds.
#[must_use = "a savepoint that is dropped is rolled back"]
pub struct Savepoint<'a, T: Send + Sync + 'static> {
    outbox: &'a mut Outbox<T>,
    /// Where a rollback goes back to; nothing when that is settled.
    mark: Option<Mark>,
}

impl<T: Send + Sync + 'static> Savepoint<'_, T> {
    /// Keeps its events and hooks, which are now the outer one's.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut outbox = bus.outbox();
    /// let mut savepoint = outbox.savepoint();
    /// savepoint.emit("a", 1)?;
    /// savepoint.commit();
    /// assert_eq!(outbox.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn commit(mut self) {
        self.mark = None;
    }

    /// Discards its events and hooks, and runs its after-rollback hooks.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut outbox = bus.outbox();
    /// let mut savepoint = outbox.savepoint();
    /// savepoint.emit("a", 1)?;
    /// assert_eq!(savepoint.rollback().discarded, 1);
    /// assert!(outbox.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn rollback(mut self) -> RolledBack {
        let mark = self.mark.take();
        let (discarded, hooks) = mark.map_or_else(Default::default, |mark| self.outbox.cut(&mark));
        RolledBack {
            discarded,
            failed: undo(hooks),
        }
    }
}

/// As [`rollback`](Savepoint::rollback), but nobody hears of hooks that fail: see [`Outbox`].
impl<T: Send + Sync + 'static> Drop for Savepoint<'_, T> {
    fn drop(&mut self) {
        if let Some(mark) = self.mark.take() {
            let (_, hooks) = self.outbox.cut(&mark);
            undo_unheard(hooks, &self.outbox.batch);
        }
    }
}

impl<T: Send + Sync + 'static> Deref for Savepoint<'_, T> {
    type Target = Outbox<T>;

    fn deref(&self) -> &Outbox<T> {
        self.outbox
    }
}

impl<T: Send + Sync + 'static> DerefMut for Savepoint<'_, T> {
    fn deref_mut(&mut self) -> &mut Outbox<T> {
        self.outbox
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Savepoint<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self
            .mark
            .as_ref()
            .map_or(0, |mark| mark.within(self.outbox).0);
        f.debug_struct("Savepoint")
            .field("len", &self.outbox.len().saturating_sub(before))
            .field("outbox", &self.outbox)
            .finish()
    }
}
