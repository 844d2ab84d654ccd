//! What a tap has heard, in order.
//!
//! # Protocol
//!
//! Everything is under one lock, which is held for a look or a push, never while code of the user's runs: events are
//! cloned out of it to be looked at, dropped outside of it, and wakers are called after it. A tap pushes, and then calls
//! whoever waits; who waits looks, and sleeps, under the lock. The callback of the tap owns a [`Mouth`]: when the bus lets
//! go of it, closed or dropped, no more will come, and whoever waits is told that, too.

use std::task::Waker;
use std::time::Instant;

use crate::event::Event;
use crate::shield::{caught, discard};
use crate::sync::{Arc, Condvar, Mutex};

pub(super) struct Log<T> {
    state: Mutex<State<T>>,
    news: Condvar,
}

struct State<T> {
    entries: Vec<Entry<T>>,
    /// How often all was taken out: places of before mean nothing any more.
    cleared: u64,
    /// The bus lets go of the tap: no more will come.
    closed: bool,
    waiting: Vec<Waker>,
}

struct Entry<T> {
    event: Event<T>,
    /// It was the answer to an expectation.
    taken: bool,
}

/// Events from a place on, as a waiter finds them.
pub(super) struct News<T> {
    /// Those that answered nothing yet, with their places.
    pub(super) events: Vec<(usize, Event<T>)>,
    /// Where the next will be.
    pub(super) next: usize,
    pub(super) cleared: u64,
    pub(super) closed: bool,
}

impl<T> Log<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Log {
            state: Mutex::new(State {
                entries: Vec::new(),
                cleared: 0,
                closed: false,
                waiting: Vec::new(),
            }),
            news: Condvar::new(),
        })
    }

    fn push(&self, event: Event<T>) {
        let mut state = self.state.lock();
        state.entries.push(Entry {
            event,
            taken: false,
        });
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.call(waiting);
    }

    fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.call(waiting);
    }

    fn call(&self, waiting: Vec<Waker>) {
        self.news.notify_all();
        for waker in waiting {
            // One that panics keeps the news from nobody else.
            if let Err(thrown) = caught(|| waker.wake()) {
                discard(thrown);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().entries.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// All events.
    pub(super) fn events(&self) -> Vec<Event<T>> {
        let state = self.state.lock();
        state.entries.iter().map(|it| it.event.clone()).collect()
    }

    /// All events, which are forgotten.
    pub(super) fn drain(&self) -> Vec<Event<T>> {
        let mut state = self.state.lock();
        state.cleared += 1;
        let entries = std::mem::take(&mut state.entries);
        drop(state);
        entries.into_iter().map(|it| it.event).collect()
    }

    /// All events, and whether each has answered an expectation.
    pub(super) fn marked(&self) -> Vec<(Event<T>, bool)> {
        let state = self.state.lock();
        let entries = state.entries.iter();
        entries.map(|it| (it.event.clone(), it.taken)).collect()
    }

    /// What there is from that place on.
    pub(super) fn from(&self, place: usize) -> News<T> {
        self.state.lock().from(place)
    }

    /// Sleeps until there is more than up to that place, or no more will come; `false` if the deadline passed before.
    pub(super) fn wait(&self, place: usize, cleared: u64, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        while state.is_old(place, cleared) {
            match deadline {
                None => self.news.wait(&mut state),
                Some(deadline) => {
                    let timed_out = self.news.wait_until(&mut state, deadline).timed_out();
                    if timed_out && state.is_old(place, cleared) {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Leaves a waker for that, unless it is there already; whether it was left.
    pub(super) fn wake_by(&self, place: usize, cleared: u64, waker: &Waker) -> bool {
        // Cloned outside of the lock, as that is the user's code.
        let mine = waker.clone();
        let mut state = self.state.lock();
        if !state.is_old(place, cleared) {
            drop(state);
            return false;
        }
        let place = state.waiting.iter().position(|it| it.will_wake(&mine));
        if place.is_none() {
            state.waiting.push(mine);
            return true;
        }
        drop(state);
        true
    }

    /// Marks these as answers, all or none, and hands them out; `None` if another expectation has one of them.
    pub(super) fn take(&self, places: &[usize], cleared: u64) -> Option<Vec<Event<T>>> {
        let mut state = self.state.lock();
        let free = |place: &usize| state.entries.get(*place).is_some_and(|it| !it.taken);
        if state.cleared != cleared || !places.iter().all(free) {
            return None;
        }
        let entries = &mut state.entries;
        let mut take = |place: &usize| {
            let entry = entries.get_mut(*place)?;
            entry.taken = true;
            Some(entry.event.clone())
        };
        places
            .iter()
            .filter_map(&mut take)
            .collect::<Vec<_>>()
            .into()
    }
}

impl<T> State<T> {
    fn is_old(&self, place: usize, cleared: u64) -> bool {
        self.entries.len() <= place && self.cleared == cleared && !self.closed
    }

    fn from(&self, place: usize) -> News<T> {
        let rest = self.entries.iter().enumerate().skip(place);
        let free = rest.filter(|(_, it)| !it.taken);
        News {
            events: free.map(|(n, it)| (n, it.event.clone())).collect(),
            next: self.entries.len(),
            cleared: self.cleared,
            closed: self.closed,
        }
    }
}

/// What the callback of a tap tells a log by.
pub(super) struct Mouth<T>(pub(super) Arc<Log<T>>);

impl<T> Mouth<T> {
    pub(super) fn tell(&self, event: &Event<T>) {
        self.0.push(event.clone());
    }
}

impl<T> Drop for Mouth<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}
