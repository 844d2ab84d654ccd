//! What all handles of one registry share: the handlers, what comes before and after them, and counts.

use std::collections::VecDeque;

use super::debug::Switch;
use super::entry::HandlerId;
use super::failure::Failure;
use super::middleware::{Hook, Middleware, OnError};
use super::report::Report;
use super::roster::{Names, Off, Roster, Route, Seat};
use super::services::Services;
use crate::pattern::{Pattern, Syntax};
use crate::registry::{Registry, Version};
use crate::shield::drop_shielded;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering};
use crate::tally::Striped;

/// What a registry was built with.
pub(super) struct Settings {
    pub(super) syntax: Syntax,
    pub(super) services: Services,
    pub(super) kept_failures: usize,
    pub(super) route_cache: usize,
}

pub(super) struct Core<T: Send + Sync + 'static> {
    pub(super) settings: Settings,
    pub(super) registry: Registry<Roster<T>, Names>,
    pub(super) debug: Switch,
    pub(super) totals: Totals,
    failures: Mutex<VecDeque<Failure<T>>>,
}

/// What is counted about all events, whoever emitted them.
pub(super) struct Totals {
    pub(super) events: Striped,
    pub(super) called: Striped,
    pub(super) skipped: Striped,
    /// Seldom, so one word each.
    pub(super) failed: AtomicU64,
    pub(super) blocked: AtomicU64,
    pub(super) panicked_error_handlers: AtomicU64,
}

impl<T: Send + Sync + 'static> Core<T> {
    pub(super) fn new(settings: Settings) -> Self {
        Core {
            registry: Registry::new(Roster::new(), Names::default(), settings.route_cache),
            debug: Switch::new(),
            totals: Totals {
                events: Striped::new(),
                called: Striped::new(),
                skipped: Striped::new(),
                failed: AtomicU64::new(0),
                blocked: AtomicU64::new(0),
                panicked_error_handlers: AtomicU64::new(0),
            },
            failures: Mutex::new(VecDeque::new()),
            settings,
        }
    }

    /// Adds handlers, all in the same moment.
    pub(super) fn add(&self, seats: Vec<Seat<T>>) {
        self.change(|roster, names| {
            for seat in seats {
                names.add(&seat.entry);
                roster.add(seat);
            }
        });
    }

    /// Takes handlers away and adds others, in the same moment; how many went.
    ///
    /// Those that went are not marked: an event that found them finds none of the others, so it is to
    /// have all of these, also those that it has not reached yet.
    pub(super) fn replace_group(&self, group: &str, seats: Vec<Seat<T>>) -> usize {
        let removed = self.change(|roster, names| {
            let removed = take_out(roster, names, names.grouped(group));
            for seat in seats {
                names.add(&seat.entry);
                roster.add(seat);
            }
            removed
        });
        removed.len()
    }

    pub(super) fn remove(&self, id: HandlerId) -> bool {
        self.remove_those(|_| vec![id]) > 0
    }

    /// Removes those that `which` names; how many there were.
    pub(super) fn remove_those(&self, which: impl FnOnce(&Names) -> Vec<HandlerId>) -> usize {
        let removed = self.change(|roster, names| {
            let ids = which(names);
            remove_all(roster, names, ids)
        });
        removed.len()
    }

    /// Removes all handlers.
    pub(super) fn clear(&self) -> usize {
        let removed = self.change(|roster, names| {
            let ids = roster.seats().iter().map(|seat| seat.entry.id).collect();
            remove_all(roster, names, ids)
        });
        removed.len()
    }

    /// Takes one pattern away, of one handler or of all that have it; how many had it.
    pub(super) fn remove_pattern(&self, pattern: &Pattern, of: Option<HandlerId>) -> usize {
        let (count, gone) = self.change(|roster, names| {
            let ids = of.map_or_else(|| roster.with_pattern(pattern), |id| vec![id]);
            let (mut count, mut gone) = (0, Vec::new());
            for id in ids {
                match roster.remove_pattern(id, pattern) {
                    Off::Unknown => continue,
                    Off::Listening => {}
                    Off::Gone(seat) => {
                        names.remove(&seat.entry);
                        seat.entry.mark_removed();
                        gone.push(seat);
                    }
                }
                count += 1;
            }
            (count, gone)
        });
        drop(gone);
        count
    }

    pub(super) fn add_middleware(&self, middleware: &Arc<Middleware<T>>) {
        self.change(|roster, _| roster.middleware = with(&roster.middleware, middleware));
    }

    pub(super) fn add_on_error(&self, on_error: &Arc<OnError<T>>) {
        self.change(|roster, _| roster.on_error = with(&roster.on_error, on_error));
    }

    pub(super) fn remove_hook(&self, hook: &Hook<T>) {
        match hook {
            Hook::Middleware(gone) => self.change(|roster, _| {
                roster.middleware = without(&roster.middleware, gone);
            }),
            Hook::OnError(gone) => self.change(|roster, _| {
                roster.on_error = without(&roster.on_error, gone);
            }),
            Hook::Kept => {}
        }
    }

    /// The last failures, oldest first.
    pub(super) fn last_failures(&self) -> Vec<Failure<T>> {
        self.failures.lock().iter().cloned().collect()
    }

    pub(super) fn keep_failure(&self, failure: &Failure<T>) {
        // Relaxed: a statistic.
        self.totals.failed.fetch_add(1, Ordering::Relaxed);
        let kept = self.settings.kept_failures;
        if kept == 0 {
            return;
        }
        let oldest = {
            let mut failures = self.failures.lock();
            failures.push_back(failure.clone());
            (failures.len() > kept).then(|| failures.pop_front())
        };
        // Its payload and its error are the user's, so it goes outside the lock.
        drop_shielded(oldest);
    }

    /// The route of a topic that was checked, and the number of the version that it comes from.
    pub(super) fn route_in(
        &self,
        version: &Version<Roster<T>>,
        topic: &crate::topic::Topic,
    ) -> Option<(Arc<Route<T>>, u64)> {
        let found = self.registry.route(version, topic).ok()?;
        Some((Arc::clone(&found.route), version.generation()))
    }

    /// Reads the handlers as they are now. If there was a change meanwhile, then what that replaced may
    /// have waited for this, and goes now.
    pub(super) fn read<R>(&self, read: impl FnOnce(&Roster<T>) -> R) -> R {
        let version = self.registry.load();
        let generation = version.generation();
        let result = read(&version.content);
        drop(version);
        self.catch_up(generation);
        result
    }

    /// Sweeps if there was a change since that generation was loaded, by one who has let go of it.
    #[inline]
    pub(super) fn catch_up(&self, generation: u64) {
        if self.registry.generation() != generation {
            self.registry.sweep();
        }
    }

    /// Lets go of a route. If there was a change meanwhile, then what that replaced may have waited for
    /// this emit, and goes now.
    #[inline]
    pub(super) fn leave(&self, route: Arc<Route<T>>, generation: u64) {
        drop(route);
        self.catch_up(generation);
    }

    /// Adds one event's sums to those of all.
    #[inline]
    pub(super) fn count(&self, me: u64, report: &Report<T>) {
        self.totals.events.add_by(me, 1);
        self.totals.called.add_by(me, report.called as u64);
        if report.skipped > 0 {
            self.totals.skipped.add_by(me, report.skipped as u64);
        }
    }

    fn change<R>(&self, change: impl FnOnce(&mut Roster<T>, &mut Names) -> R) -> R {
        let changed = self
            .registry
            .update(|roster, names| Ok::<R, std::convert::Infallible>(change(roster, names)));
        match changed {
            Ok(result) => result,
            Err(never) => match never {},
        }
    }
}

/// Takes handlers out, so that no later event finds them.
fn take_out<T: Send + Sync + 'static>(
    roster: &mut Roster<T>,
    names: &mut Names,
    ids: Vec<HandlerId>,
) -> Vec<Seat<T>> {
    let mut taken = Vec::new();
    for id in ids {
        if let Some(seat) = roster.remove(id) {
            names.remove(&seat.entry);
            taken.push(seat);
        }
    }
    taken
}

/// The same, and events that have found them do not call them any more.
fn remove_all<T: Send + Sync + 'static>(
    roster: &mut Roster<T>,
    names: &mut Names,
    ids: Vec<HandlerId>,
) -> Vec<Seat<T>> {
    let removed = take_out(roster, names, ids);
    for seat in &removed {
        seat.entry.mark_removed();
    }
    removed
}

fn with<V>(list: &Arc<[Arc<V>]>, new: &Arc<V>) -> Arc<[Arc<V>]> {
    list.iter().chain([new]).cloned().collect()
}

fn without<V>(list: &Arc<[Arc<V>]>, gone: &Arc<V>) -> Arc<[Arc<V>]> {
    list.iter()
        .filter(|kept| !Arc::ptr_eq(kept, gone))
        .cloned()
        .collect()
}

/// Events that were kept with failures are the user's, and may panic as they go.
impl<T: Send + Sync + 'static> Drop for Core<T> {
    fn drop(&mut self) {
        for failure in self.failures.get_mut().drain(..) {
            drop_shielded(failure);
        }
    }
}
