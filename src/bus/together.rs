//! The ways of many events, and of those that come by other buses, into a bus.

use std::slice::from_ref;

use smallvec::SmallVec;

use super::core::Core;
use super::deliver::{Together, close_all, deliver, deliver_fully, deliver_together, push_batch};
use super::emitted::Emitted;
use super::pass::Way;
use super::routing::{Route, Table};
use super::send::Resolved;
use crate::error::EmitError;
use crate::event::Event;
use crate::registry::Version;
use crate::topic::Topic;

impl<T> Core<T> {
    /// Emits many events under one snapshot: all, or none on a closed bus.
    pub(super) fn emit_together(
        &self,
        events: Vec<Event<T>>,
        way: Option<&Way<'_>>,
    ) -> Result<Emitted, EmitError<Vec<Event<T>>>> {
        let (version, oldest) = self.keep_wanted(&events);
        if version.content.closed {
            return Err(EmitError::Closed(events));
        }
        let count = events.len() as u64;
        let pusher = Self::pusher_of(&oldest, events.last());
        let sum = self.send_together(&version, events, way);
        self.discard_oldest(pusher, oldest);
        self.unbound.add(count);
        Ok(sum)
    }

    /// Delivers many events, each by the route of its topic.
    fn send_together(
        &self,
        version: &Version<Table<T>>,
        events: Vec<Event<T>>,
        way: Option<&Way<'_>>,
    ) -> Emitted {
        let mut routes: SmallVec<[_; 4]> = SmallVec::new();
        let mut rest = &*events;
        while let Some(first) = rest.first() {
            let same = |event: &&Event<T>| event.topic() == first.topic();
            let count = rest.iter().take_while(same).count();
            // An event's topic was checked when the event was made.
            if let Ok(found) = self.registry.route(version, first.topic()) {
                routes.push((found, count));
            }
            rest = &rest[count..];
        }
        let runs: SmallVec<[_; 4]> = routes
            .iter()
            .map(|(found, count)| (&found.topic, &*found.route, *count))
            .collect();
        self.send_runs(&runs, events, way)
    }

    /// Delivers a batch by its routes, each for so many of the events in a row.
    pub(super) fn send_runs<'r>(
        &'r self,
        runs: &[(&'r Topic, &'r Route<T>, usize)],
        events: Vec<Event<T>>,
        way: Option<&Way<'_>>,
    ) -> Emitted {
        let only_pushes = |route: &Route<T>| route.plain && !route.keeps_batches;
        if runs.iter().all(|(_, route, _)| only_pushes(route)) && events.iter().all(Event::is_bare)
        {
            let mut events = events.into_iter();
            let push_run = |&(topic, route, count): &(&'r Topic, &'r Route<T>, usize)| {
                let members = route.members.len();
                let run = events.by_ref().take(count);
                push_batch(
                    topic,
                    route,
                    run.map(|it| it.share(members)),
                    self.on_panic(),
                )
            };
            return close_all(runs.iter().map(push_run).collect());
        }
        let emitted = {
            let mut rest = &*events;
            let together = runs.iter().map(|&(topic, route, count)| {
                let (events, others) = rest.split_at(count);
                rest = others;
                Together {
                    topic,
                    route,
                    events,
                }
            });
            let together: SmallVec<[_; 4]> = together.collect();
            deliver_together(&together, self.on_panic(), way)
        };
        for event in events {
            if event.runs_code_when_dropped() {
                self.discard_unseen(event);
            }
        }
        emitted
    }

    /// Delivers an event that came by other buses.
    pub(super) fn send_event_by(
        &self,
        event: Event<T>,
        way: &Way<'_>,
    ) -> Result<Emitted, EmitError<Event<T>>> {
        if !self.past.has_history() {
            // The snapshot is only borrowed, which spares a reference count.
            let version = self.registry.load();
            if version.content.closed {
                return Err(EmitError::Closed(event));
            }
            // An event's topic was checked when the event was made.
            if let Ok(found) = self.registry.route(&version, event.topic())
                && !found.route.retained
            {
                return Ok(self.send_on_way(&found, event, way));
            }
        }
        let (version, gone) = self.keep(from_ref(&event));
        if version.content.closed {
            return Err(EmitError::Closed(event));
        }
        let pusher = Self::pusher_of(&gone, Some(&event));
        let emitted = match self.registry.route(&version, event.topic()) {
            Ok(found) => self.send_on_way(&found, event, way),
            Err(_) => Emitted::default(),
        };
        self.discard_oldest(pusher, gone);
        Ok(emitted)
    }

    fn send_on_way(&self, found: &Resolved<T>, event: Event<T>, way: &Way<'_>) -> Emitted {
        let Resolved { topic, route } = found;
        if route.is_empty() {
            self.discard_unseen(event);
            return Emitted::default();
        }
        // The way matters only to those who would pass it on.
        match route.taps.is_empty() {
            true => deliver(topic, route, event, self.on_panic()),
            false => deliver_fully(topic, route, event, self.on_panic(), Some(way)),
        }
    }
}
