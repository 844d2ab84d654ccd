//! A bus among those of a `MultiBus`, whatever its events are.

use std::any::{Any, type_name};

use super::any_event::AnyEvent;
use crate::BoxError;
use crate::deferred::collected::{Collected, Later};
use crate::deferred::kept::Kept;
use crate::deferred::publish::DeferredBus;
use crate::sync::{Arc, unique_number};

pub(super) trait Part: Send + Sync {
    /// No other part, of whatever bus, has it.
    fn number(&self) -> u64;

    /// What it is made of, for people.
    fn kind(&self) -> &'static str;

    /// All that was collected and published, in order.
    fn take(self: Arc<Self>) -> Box<dyn Taken>;

    /// Publishes one of its own events again, or hands it back.
    fn publish(&self, event: Box<dyn Any + Send + Sync>) -> Result<(), Box<dyn Any + Send + Sync>>;

    /// The owner goes.
    fn end(&self);

    /// Whether nothing waits, and nobody else has a handle of the bus.
    fn is_spent(&mut self) -> bool;
}

/// What was taken off a part, as the part knows it.
pub(super) trait Taken {
    /// Puts it back, before what came since.
    fn put_back(self: Box<Self>);

    fn into_any(self: Box<Self>) -> Vec<Collected<AnyEvent, BoxError>>;
}

pub(super) struct Delayed<B: DeferredBus> {
    number: u64,
    pub(super) kept: Arc<Kept<B>>,
}

impl<B: DeferredBus> Delayed<B> {
    pub(super) fn new(bus: B) -> Self {
        Delayed {
            number: unique_number(),
            kept: Arc::new(Kept::new(bus)),
        }
    }
}

impl<B: DeferredBus + Send + Sync + 'static> Part for Delayed<B> {
    fn number(&self) -> u64 {
        self.number
    }

    fn kind(&self) -> &'static str {
        type_name::<B>()
    }

    fn take(self: Arc<Self>) -> Box<dyn Taken> {
        let items = self.kept.take();
        Box::new(TakenOff { part: self, items })
    }

    fn publish(&self, event: Box<dyn Any + Send + Sync>) -> Result<(), Box<dyn Any + Send + Sync>> {
        let event = event.downcast::<B::Event>()?;
        match self.kept.publish(*event) {
            Ok(()) => Ok(()),
            Err(error) => Err(Box::new(error.into_inner())),
        }
    }

    fn end(&self) {
        self.kept.end();
    }

    fn is_spent(&mut self) -> bool {
        Arc::get_mut(&mut self.kept).is_some_and(Kept::is_spent)
    }
}

struct TakenOff<B: DeferredBus> {
    part: Arc<Delayed<B>>,
    items: Vec<Collected<B::Event, B::Error>>,
}

impl<B: DeferredBus + Send + Sync + 'static> Taken for TakenOff<B> {
    fn put_back(self: Box<Self>) {
        self.part.kept.put_back(self.items);
    }

    fn into_any(self: Box<Self>) -> Vec<Collected<AnyEvent, BoxError>> {
        let part: Arc<dyn Part> = self.part;
        let erased = |item: Collected<B::Event, B::Error>| {
            let event = |event, label| AnyEvent::new(&part, label, Box::new(event));
            item.converted(event, erase_later)
        };
        self.items.into_iter().map(erased).collect()
    }
}

fn erase_later<E: 'static, X: Into<BoxError> + 'static>(
    mut later: Later<E, X>,
) -> Later<AnyEvent, BoxError> {
    Box::new(move |event, commit| match event.own::<E>() {
        Some(event) => later(event, commit).map_err(Into::into),
        // The event beside an effect is the one that it was collected with.
        None => Err("the event is of another bus".into()),
    })
}
