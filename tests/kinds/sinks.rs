//! The ends of all kinds where one subscribes.

use std::any::Any;
use std::sync::Arc;

use chanbus::{AnyPayload, Bus, BusStats, Channel, SubscribeError, TypedBus, TypedEvent, WeakBus};

use crate::kind::{Load, Options, Receiver, Sink, Topics};
use crate::sources::Of;

/// A payload with a load.
pub(crate) trait Carries: Send + Sync + 'static {
    fn load(&self) -> &Load;
}

impl Carries for Load {
    fn load(&self) -> &Load {
        self
    }
}

/// What mappings make of loads.
pub(crate) struct Mapped(pub(crate) Load);

impl Carries for Mapped {
    fn load(&self) -> &Load {
        &self.0
    }
}

impl Carries for AnyPayload {
    fn load(&self) -> &Load {
        let load = self.downcast_ref::<Of<0>>().map(|of| &of.0);
        let load = load.or_else(|| self.downcast_ref::<Of<1>>().map(|of| &of.0));
        let load = load.or_else(|| self.downcast_ref::<Of<2>>().map(|of| &of.0));
        let load = load.or_else(|| self.downcast_ref::<Of<3>>().map(|of| &of.0));
        load.expect("one of the four types")
    }
}

/// A handle: one that keeps the bus, where it is another than that which is emitted on, or one that does not.
pub(crate) enum Reach<T: Send + Sync + 'static> {
    Own(Bus<T>),
    Weak(WeakBus<T>),
}

impl<T: Send + Sync + 'static> Reach<T> {
    fn get(&self) -> Option<Bus<T>> {
        match self {
            Reach::Own(bus) => Some(bus.clone()),
            Reach::Weak(weak) => weak.upgrade(),
        }
    }

    fn is_closed(&self) -> bool {
        self.get().is_none_or(|bus| bus.is_closed())
    }

    fn stats(&self) -> BusStats {
        self.get().expect("somebody keeps it").stats()
    }
}

/// A bus; topics may be others than at the emitting end.
pub(crate) struct Subscribes<T: Send + Sync + 'static> {
    pub(crate) bus: Reach<T>,
    pub(crate) stem: &'static str,
    pub(crate) keep_batches: bool,
}

impl<T: Carries> Subscribes<T> {
    pub(crate) fn sink(bus: Reach<T>) -> Arc<dyn Sink> {
        Arc::new(Subscribes {
            bus,
            stem: "t",
            keep_batches: false,
        })
    }
}

impl<T: Carries> Sink for Subscribes<T> {
    fn subscribe(&self, options: Options) -> Result<Receiver, SubscribeError> {
        let bus = self.bus.get().ok_or(SubscribeError::Closed)?;
        let patterns = match options.topics {
            Topics::All => vec![format!("{}.*", self.stem)],
            Topics::One(topic) => vec![format!("{}.{topic}", self.stem)],
            Topics::Overlapping => vec![
                "**".to_owned(),
                format!("{}.*", self.stem),
                format!("{}.0", self.stem),
            ],
        };
        let mut sub = bus.subscription(patterns);
        if let Some(capacity) = options.capacity {
            sub = sub.capacity(capacity);
        }
        if let Some(overflow) = options.overflow {
            sub = sub.overflow(overflow);
        }
        if let Some(filter) = options.filter {
            sub = sub.filter(move |event| filter(event.payload().load()));
        }
        if self.keep_batches {
            sub = sub.keep_batches();
        }
        Ok(Box::new(sub.subscribe()?))
    }

    fn tap(&self, tap: Box<dyn Fn(&Load) + Send + Sync>) -> Result<Box<dyn Any>, SubscribeError> {
        let bus = self.bus.get().ok_or(SubscribeError::Closed)?;
        let guard = bus.tap("**", move |event| tap(event.payload().load()))?;
        Ok(Box::new(guard))
    }

    fn is_closed(&self) -> bool {
        self.bus.is_closed()
    }

    fn stats(&self) -> BusStats {
        self.bus.stats()
    }
}

/// A channel, in its own words.
pub(crate) struct Channels(pub(crate) WeakBus<Load>);

impl Channels {
    fn get(&self) -> Result<Channel<Load>, SubscribeError> {
        let bus = self.0.upgrade().ok_or(SubscribeError::Closed)?;
        Ok(Channel::over("t.0", bus).unwrap())
    }
}

impl Sink for Channels {
    fn subscribe(&self, options: Options) -> Result<Receiver, SubscribeError> {
        let channel = self.get()?;
        if options.topics == Topics::All && options.capacity.is_none() && options.filter.is_none() {
            return match options.overflow {
                None => Ok(Box::new(channel.subscribe_all()?)),
                Some(overflow) => {
                    let sub = channel.subscription("t.*").overflow(overflow);
                    Ok(Box::new(sub.subscribe()?))
                }
            };
        }
        Subscribes::sink(Reach::Own(channel.bus().clone())).subscribe(options)
    }

    fn tap(&self, tap: Box<dyn Fn(&Load) + Send + Sync>) -> Result<Box<dyn Any>, SubscribeError> {
        Subscribes::sink(Reach::Own(self.get()?.bus().clone())).tap(tap)
    }

    fn is_closed(&self) -> bool {
        self.get().is_ok_and(|channel| channel.is_closed()) || self.get().is_err()
    }

    fn stats(&self) -> BusStats {
        self.get().unwrap().bus().stats()
    }
}

/// A typed bus, of which one type is asked for.
pub(crate) struct OneType(pub(crate) WeakBus<AnyPayload>);

impl OneType {
    fn get(&self) -> Result<TypedBus, SubscribeError> {
        let bus = self.0.upgrade().ok_or(SubscribeError::Closed)?;
        Ok(TypedBus::over(bus))
    }
}

impl Sink for OneType {
    fn subscribe(&self, options: Options) -> Result<Receiver, SubscribeError> {
        let bus = self.get()?;
        let mut sub = bus.subscription::<Of<0>>();
        if let Some(capacity) = options.capacity {
            sub = sub.capacity(capacity);
        }
        if let Some(overflow) = options.overflow {
            sub = sub.overflow(overflow);
        }
        if let Some(filter) = options.filter {
            sub = sub.filter(move |event: &TypedEvent<Of<0>>| filter(&event.0));
        }
        Ok(Box::new(sub.subscribe()?))
    }

    fn tap(&self, tap: Box<dyn Fn(&Load) + Send + Sync>) -> Result<Box<dyn Any>, SubscribeError> {
        let guard = self
            .get()?
            .tap(move |event: &TypedEvent<Of<0>>| tap(&event.0))?;
        Ok(Box::new(guard))
    }

    fn is_closed(&self) -> bool {
        self.get().map_or(true, |bus| bus.is_closed())
    }

    fn stats(&self) -> BusStats {
        self.get().unwrap().bus().stats()
    }
}
