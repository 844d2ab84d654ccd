//! Events of several types at once: all of them, or none.

use std::fmt;

use super::{AnyPayload, Typed, TypedBus, TypedEvent, own_error};
use crate::bus::{Batch, Batched, Emitted};
use crate::error::{BatchError, EmitError};
use crate::event::Event;

impl TypedBus {
    /// Collects events of any types while `fill` runs and emits them together, in order, when it returns
    /// `Ok`: see [`Bus::batch`](crate::Bus::batch).
    ///
    /// # Errors
    ///
    /// The closure's own error, a bad topic or a chain too deep in it, or a bus that is closed when it
    /// returns: nothing was emitted.
    ///
    /// ```
    /// # use chanbus::{AnyPayload, BatchError, Typed, TypedBus};
    /// # struct Tick(u32);
    /// # struct Tock(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// # impl Typed for Tock { const TOPIC: &'static str = "tock"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// let both = bus.bus().subscribe_all()?;
    /// bus.batch(|batch| {
    ///     batch.emit(Tick(1))?;
    ///     batch.emit(Tock(1))?;
    ///     assert!(both.is_empty());
    ///     Ok::<_, BatchError<AnyPayload, chanbus::Error>>(())
    /// })?;
    /// assert_eq!((ticks.len(), both.len()), (1, 2));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn batch<R, X>(
        &self,
        fill: impl FnOnce(&mut TypedBatch) -> Result<R, BatchError<AnyPayload, X>>,
    ) -> Result<Batched<R>, BatchError<AnyPayload, X>> {
        let mut batch = self.start_batch();
        let result = fill(&mut batch)?;
        let emitted = batch.commit().map_err(BatchError::Emit)?;
        Ok(Batched { result, emitted })
    }

    /// Begins a batch that is emitted by [`commit`](TypedBatch::commit), for code that does not fit into
    /// one closure. Dropping it discards its events.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// let mut batch = bus.start_batch();
    /// batch.emit(Tick(1))?;
    /// batch.emit(Tick(2))?;
    /// assert_eq!(batch.commit()?.delivered, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn start_batch(&self) -> TypedBatch {
        TypedBatch {
            batch: self.bus.start_batch(),
        }
    }
}

/// Events that will be emitted together, or not at all; made by [`TypedBus::batch`] and
/// [`TypedBus::start_batch`]. It does not keep the bus open.
///
/// ```
/// # use chanbus::{Typed, TypedBus};
/// # struct Tick(u32);
/// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
/// let bus = TypedBus::new();
/// let mut batch = bus.start_batch();
/// batch.emit(Tick(1))?;
/// drop(batch);
/// assert_eq!(bus.bus().stats().emitted, 0);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "a batch that is dropped emits nothing"]
pub struct TypedBatch {
    batch: Batch<AnyPayload>,
}

impl TypedBatch {
    /// Adds an event, stamped now.
    ///
    /// # Errors
    ///
    /// The type's topic is none (the error names the type), or a [chain](crate::Cause) that is too deep;
    /// the event comes back and the batch stays as it was.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "no topic"; }
    /// let mut batch = TypedBus::new().start_batch();
    /// assert_eq!(batch.emit(Tick(7)).unwrap_err().into_payload().0, 7);
    /// assert!(batch.is_empty());
    /// ```
    pub fn emit<E: Typed>(&mut self, event: E) -> Result<(), EmitError<E>> {
        let added = self.batch.emit(E::TOPIC, AnyPayload::new(event));
        added.map_err(own_error)
    }

    /// Adds an event that exists, as it is.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let ticks = bus.subscribe::<Tick>()?;
    /// bus.emit(Tick(7))?;
    /// let mut again = bus.start_batch();
    /// again.push(ticks.recv()?);
    /// again.commit()?;
    /// assert_eq!(ticks.recv()?.0, 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn push<E: Typed>(&mut self, event: TypedEvent<E>) {
        self.batch.push(event.into_event());
    }

    /// The batch of the bus below: for events with metadata, or on other topics.
    ///
    /// ```
    /// # use chanbus::{AnyPayload, Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let mut batch = TypedBus::new().start_batch();
    /// batch.as_batch_mut().event(Tick::TOPIC, AnyPayload::new(Tick(7))).source("clock").emit()?;
    /// assert_eq!(batch.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn as_batch_mut(&mut self) -> &mut Batch<AnyPayload> {
        &mut self.batch
    }

    /// How many events it holds.
    ///
    /// ```
    /// assert_eq!(chanbus::TypedBus::new().start_batch().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether it holds none.
    ///
    /// ```
    /// assert!(chanbus::TypedBus::new().start_batch().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Emits all events, in order, to the subscriptions of this moment.
    ///
    /// # Errors
    ///
    /// A closed bus, or a chain that is too deep: none was emitted, and all come back.
    ///
    /// ```
    /// # use chanbus::{Typed, TypedBus};
    /// # struct Tick(u32);
    /// # impl Typed for Tick { const TOPIC: &'static str = "tick"; }
    /// let bus = TypedBus::new();
    /// let mut batch = bus.start_batch();
    /// batch.emit(Tick(7))?;
    /// bus.close();
    /// let back = batch.commit().unwrap_err().into_payload();
    /// assert!(back[0].payload().is::<Tick>());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn commit(self) -> Result<Emitted, EmitError<Vec<Event<AnyPayload>>>> {
        self.batch.commit()
    }
}

/// So that `?` in the closure of a [`TypedBus::batch`] takes the errors of all types.
impl<E: Typed, X> From<EmitError<E>> for BatchError<AnyPayload, X> {
    fn from(error: EmitError<E>) -> Self {
        BatchError::Event(error.map(AnyPayload::new))
    }
}

impl fmt::Debug for TypedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedBatch").field(&self.batch).finish()
    }
}
