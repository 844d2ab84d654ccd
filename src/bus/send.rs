//! The ways of an event into a bus: from a topic and a payload, or an event that exists, to its delivery.
//!
//! Each way looks up who listens, in the snapshot that it finds, keeps the event if a history or a store wants it,
//! delivers it, and counts. What an emit has no more use for goes last, as destructors may emit.

use std::mem::needs_drop;
use std::slice::from_ref;
use std::time::Instant;

use super::core::Core;
use super::deliver::{deliver, deliver_plainly, deliver_within};
use super::emitted::Emitted;
use super::routing::{Route, Table};
use super::traced;
use crate::cause::Cause;
use crate::error::EmitError;
use crate::event::{Event, Extras};
use crate::registry::{self, Version};
use crate::sync::Arc;
use crate::topic::Topic;

/// A topic and who listens to it.
pub(super) type Resolved<T> = registry::Resolved<Table<T>>;

/// What an emit may say beyond topic and payload.
#[derive(Default)]
pub(super) struct Details {
    pub(super) extras: Extras,
    pub(super) nanos: Option<u64>,
    /// Wait for room until then.
    pub(super) patience: Option<Instant>,
}

impl<T> Core<T> {
    /// Emits without extras.
    #[inline]
    pub(super) fn emit(&self, topic: &str, payload: T) -> Result<Emitted, EmitError<T>> {
        if traced::is_on() {
            return self.told(topic, 1, || self.emit_plainly(topic, payload));
        }
        self.emit_plainly(topic, payload)
    }

    /// The plain way, and the fast one.
    // Always, as it has two callers, of which one is cold.
    #[inline(always)]
    fn emit_plainly(&self, topic: &str, payload: T) -> Result<Emitted, EmitError<T>> {
        if Cause::is_set() || self.past.has_history() {
            return self.emit_caused(topic, payload);
        }
        let version = self.registry.load();
        if version.content.closed {
            return Err(EmitError::Closed(payload));
        }
        let found;
        let resolved = match self.registry.remembered(&version, topic) {
            Some(resolved) => resolved,
            None => {
                found = match self.registry.route(&version, topic) {
                    Ok(found) => found,
                    Err(error) => return Err(EmitError::BadTopic { error, payload }),
                };
                &*found
            }
        };
        let Resolved { topic, route } = resolved;
        // The sums are built where they are returned, which spares them a way through memory.
        if route.is_empty() && !needs_drop::<T>() {
            // Where nobody listens there is no event.
            self.unbound.add(1);
            return Ok(Emitted::default());
        }
        if route.plain {
            let matched = route.members.len();
            let handles = self.event(topic, payload, None, None).share(matched);
            let partly = deliver_plainly(topic, route, handles, self.on_panic());
            self.unbound.add(1);
            return match partly {
                None => Ok(Emitted::to_all(matched)),
                Some(emitted) => Ok(emitted),
            };
        }
        let emitted = self.send(resolved, payload, None)?;
        self.unbound.add(1);
        Ok(emitted)
    }

    /// [`emit_plainly`](Core::emit_plainly) where there may be a cause, or the event is kept.
    fn emit_caused(&self, topic: &str, payload: T) -> Result<Emitted, EmitError<T>> {
        let cause = match self.cause() {
            Ok(cause) => cause,
            Err(cause) => return Err(self.too_deep(cause, payload)),
        };
        let version = self.registry.load();
        if version.content.closed {
            return Err(EmitError::Closed(payload));
        }
        let resolved = match self.registry.route(&version, topic) {
            Ok(resolved) => resolved,
            Err(error) => return Err(EmitError::BadTopic { error, payload }),
        };
        let emitted = if self.past.has_history() {
            self.send_payload_kept(&resolved.topic, payload, cause)?
        } else {
            self.send(&resolved, payload, cause)?
        };
        self.unbound.add(1);
        Ok(emitted)
    }

    /// Emits with whatever was asked for.
    pub(super) fn emit_with(
        &self,
        topic: &str,
        payload: T,
        details: Details,
    ) -> Result<Emitted, EmitError<T>> {
        if traced::is_on() {
            return self.told(topic, 1, || self.emit_detailed(topic, payload, details));
        }
        self.emit_detailed(topic, payload, details)
    }

    fn emit_detailed(
        &self,
        topic: &str,
        payload: T,
        details: Details,
    ) -> Result<Emitted, EmitError<T>> {
        let mut extras = details.extras;
        match self.cause_or(extras.cause.take()) {
            Ok(cause) => extras.cause = cause,
            Err(cause) => {
                self.discard_extras(extras);
                return Err(self.too_deep(cause, payload));
            }
        }
        let topic = {
            let version = self.registry.load();
            if version.content.closed {
                self.discard_extras(extras);
                return Err(EmitError::Closed(payload));
            }
            // The cached topic, if there is one, spares an allocation.
            match self.registry.route(&version, topic) {
                Ok(resolved) => resolved.topic.clone(),
                Err(error) => {
                    self.discard_extras(extras);
                    return Err(EmitError::BadTopic { error, payload });
                }
            }
        };
        let event = self.event(&topic, payload, details.nanos, extras.shared());
        let emitted = self
            .send_event(event, details.patience)
            .map_err(|error| error.map(|event| self.payload_of(event)))?;
        self.unbound.add(1);
        Ok(emitted)
    }

    /// Emits an event that exists, and waits for room if there is patience.
    pub(super) fn emit_event(
        &self,
        event: Event<T>,
        patience: Option<Instant>,
    ) -> Result<Emitted, EmitError<Event<T>>> {
        if traced::is_on() {
            let topic = event.topic().clone();
            return self.told(&topic, 1, || self.emit_existing(event, patience));
        }
        self.emit_existing(event, patience)
    }

    fn emit_existing(
        &self,
        event: Event<T>,
        patience: Option<Instant>,
    ) -> Result<Emitted, EmitError<Event<T>>> {
        if let Err(cause) = self.check_cause_of(&event) {
            return Err(self.too_deep(cause, event));
        }
        let emitted = self.send_event(event, patience)?;
        self.unbound.add(1);
        Ok(emitted)
    }

    /// Emits to every subscription, whatever its patterns.
    pub(super) fn broadcast(&self, topic: &str, payload: T) -> Result<Emitted, EmitError<T>> {
        if traced::is_on() {
            return self.told(topic, 1, || self.emit_to_all(topic, payload));
        }
        self.emit_to_all(topic, payload)
    }

    fn emit_to_all(&self, topic: &str, payload: T) -> Result<Emitted, EmitError<T>> {
        let cause = match self.cause() {
            Ok(cause) => cause,
            Err(cause) => return Err(self.too_deep(cause, payload)),
        };
        if self.is_closed() {
            return Err(EmitError::Closed(payload));
        }
        let topic = match Topic::new(topic) {
            Ok(topic) => topic,
            Err(error) => return Err(EmitError::BadTopic { error, payload }),
        };
        let event = self.event(&topic, payload, None, Extras::caused(cause));
        let (version, gone) = self.keep_wanted(from_ref(&event));
        if version.content.closed {
            return Err(EmitError::Closed(self.payload_of(event)));
        }
        let route = version.content.route_to_all(&topic);
        let pusher = Self::pusher_of(&gone, Some(&event));
        let emitted = deliver(&topic, &route, event, self.on_panic());
        self.discard_oldest(pusher, gone);
        self.unbound.add(1);
        Ok(emitted)
    }

    /// Delivers by a route that was resolved; nothing is made if nobody would see it.
    fn send(
        &self,
        resolved: &Resolved<T>,
        payload: T,
        cause: Option<Cause>,
    ) -> Result<Emitted, EmitError<T>> {
        if resolved.route.is_empty() {
            self.discard_unmatched(&resolved.topic, cause, payload);
            return Ok(Emitted::default());
        }
        if resolved.route.retained {
            return self.send_payload_kept(&resolved.topic, payload, cause);
        }
        let event = self.event(&resolved.topic, payload, None, Extras::caused(cause));
        Ok(self.send_on(&resolved.topic, &resolved.route, event, None))
    }

    /// Makes an event that is kept, and delivers it.
    #[inline(never)]
    fn send_payload_kept(
        &self,
        topic: &Topic,
        payload: T,
        cause: Option<Cause>,
    ) -> Result<Emitted, EmitError<T>> {
        let event = self.event(topic, payload, None, Extras::caused(cause));
        self.send_kept(event, None)
            .map_err(|error| error.map(|event| self.payload_of(event)))
    }

    /// The time, as timestamps have it.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.settings.clock.now_nanos()
    }

    pub(super) fn event(
        &self,
        topic: &Topic,
        payload: T,
        nanos: Option<u64>,
        extras: Option<Arc<Extras>>,
    ) -> Event<T> {
        let nanos = nanos.unwrap_or_else(|| self.now());
        Event::assemble(topic.clone(), payload, nanos, extras)
    }

    /// Delivers an event that exists, and waits for room if there is patience.
    pub(super) fn send_event(
        &self,
        event: Event<T>,
        patience: Option<Instant>,
    ) -> Result<Emitted, EmitError<Event<T>>> {
        if !self.past.has_history() {
            // The snapshot is only borrowed, which spares a reference count.
            let version = self.registry.load();
            if version.content.closed {
                return Err(EmitError::Closed(event));
            }
            if !self.is_retained(&version, event.topic()) {
                let Some(deadline) = patience else {
                    return Ok(self.send_by(&version, event));
                };
                let owned = Arc::clone(&version);
                drop(version);
                return Ok(self.send_within(owned, event, deadline));
            }
        }
        self.send_kept(event, patience)
    }

    /// [`send_event`](Core::send_event) for an event that is kept, in a history or in a store.
    pub(super) fn send_kept(
        &self,
        event: Event<T>,
        patience: Option<Instant>,
    ) -> Result<Emitted, EmitError<Event<T>>> {
        let (version, gone) = self.keep(from_ref(&event));
        if version.content.closed {
            return Err(EmitError::Closed(event));
        }
        let pusher = Self::pusher_of(&gone, Some(&event));
        let emitted = match patience {
            None => self.send_by(&version, event),
            Some(deadline) => self.send_within(version, event, deadline),
        };
        // Last, as what its destructor emits comes after the event, in queues as in what is kept.
        self.discard_oldest(pusher, gone);
        Ok(emitted)
    }

    fn send_within(
        &self,
        version: Arc<Version<Table<T>>>,
        event: Event<T>,
        deadline: Instant,
    ) -> Emitted {
        let found = self.registry.route(&version, event.topic());
        let resolved = found.map(|found| (found.topic.clone(), Arc::clone(&found.route)));
        let generation = version.generation();
        // Asleep, it must not keep a whole snapshot alive.
        drop(version);
        match resolved {
            Ok((topic, route)) => {
                let emitted = self.send_on(&topic, &route, event, Some(deadline));
                // Else the version that it came from has it as well.
                if self.registry.generation() != generation {
                    self.registry.retire(route);
                }
                emitted
            }
            // An event's topic was checked when the event was made.
            Err(_) => Emitted::default(),
        }
    }

    pub(super) fn send_on(
        &self,
        topic: &Topic,
        route: &Route<T>,
        event: Event<T>,
        patience: Option<Instant>,
    ) -> Emitted {
        match patience {
            None => deliver(topic, route, event, self.on_panic()),
            Some(deadline) => deliver_within(topic, route, event, self.on_panic(), deadline),
        }
    }

    fn send_by(&self, version: &Version<Table<T>>, event: Event<T>) -> Emitted {
        match self.registry.route(version, event.topic()) {
            Ok(resolved) if !resolved.route.is_empty() => {
                deliver(&resolved.topic, &resolved.route, event, self.on_panic())
            }
            // Nobody listens. (An event's topic was checked when the event was made.)
            _ => {
                self.discard_unseen(event);
                Emitted::default()
            }
        }
    }
}
