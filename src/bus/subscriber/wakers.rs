//! Where consumers wait that are tasks, and who calls which waker.
//!
//! # Protocol
//!
//! *A consumer* that found nothing enrols with its waker: under the lock it joins those who wait, and
//! sets `AWAITED` among the mailbox's demands. Then it looks again, and sleeps only if it finds nothing
//! still. When it finds something it leaves. *A publisher* pushes, and looks at the demands; who finds
//! `AWAITED` calls as many as it pushed messages, first come first served ([`Mailbox::call_next`]), each
//! of whom thereby leaves the list. *A closer* sets `closed`, and calls all.
//!
//! # The races, by case
//!
//! *A push beside an enrolment.* The one updates the queue, then loads the demands; the other sets
//! `AWAITED`, then finds the queue empty. By what `Queue::try_push` says one sees the other: the consumer
//! the message, or the publisher the consumer. (The queue must exist by then, so who enrols makes it.)
//!
//! *A close beside an enrolment.* The same, with `closed` for the queue: it is set by a sequentially
//! consistent swap before the closer looks for consumers, and loaded after the fence that the empty
//! queue cost. (It looks for them behind a full fence, so that it also finds a list that was only just
//! made.)
//!
//! *Called, and gone or served otherwise.* A call is for a message, and whoever was called may be dropped
//! before it takes one, or may have found another one in its second look. So who was called and leaves
//! while there is more in the queue calls the next.
//!
//! *Two pushes, two who wait.* Each push calls another one, as who is called is off the list.
//!
//! *Beside threads that sleep.* They sleep in the queue itself, or at the [bell](super::bell), and are
//! woken as if nobody waited here: a push wakes one of each kind, and one of them is in vain.
//!
//! *A waker is the user's code.* It is cloned, called and dropped outside of the lock, and called and
//! dropped by those who know what to do with a panic.

use std::task::Waker;

use super::{AWAITED, Mailbox, Popped};
use crate::bus::conflate::Keyed;
use crate::sync::Ordering::{Relaxed, SeqCst};
use crate::sync::{AtomicBool, Mutex};

/// A consumer that may wait for a waker; to be [given up](Mailbox::give_up).
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    place: Option<usize>,
    /// Enrolled, and has not left since, though it may have been called.
    pub(crate) enrolled: bool,
    /// Its place has a waker, as far as it knows.
    keeps_waker: bool,
}

/// A waker that is no longer kept, for the caller to see to.
#[derive(Debug)]
pub(crate) enum Spent {
    /// To be called, in place of one who was called before.
    Call(Waker),
    /// To be dropped.
    Drop(Waker),
}

/// Everybody's place, and those who wait as a list.
#[derive(Default)]
pub(super) struct Wakers {
    places: Vec<Place>,
    /// The first place that nobody has; the others follow by `after`.
    vacant: Option<usize>,
    first: Option<usize>,
    last: Option<usize>,
}

#[derive(Default)]
struct Place {
    /// Stays when its consumer leaves without having been called, for the next time.
    waker: Option<Waker>,
    state: State,
    before: Option<usize>,
    after: Option<usize>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Resting,
    Waiting,
    /// It was called, and has not come since.
    Called,
}

impl Wakers {
    fn take_place(&mut self) -> usize {
        match self.vacant {
            Some(place) => {
                self.vacant = self.places[place].after.take();
                place
            }
            None => {
                self.places.push(Place::default());
                self.places.len() - 1
            }
        }
    }

    fn link(&mut self, place: usize) {
        self.places[place].before = self.last;
        self.places[place].after = None;
        match self.last {
            Some(last) => self.places[last].after = Some(place),
            None => self.first = Some(place),
        }
        self.last = Some(place);
    }

    fn unlink(&mut self, place: usize) {
        let Place { before, after, .. } = self.places[place];
        match before {
            Some(before) => self.places[before].after = after,
            None => self.first = after,
        }
        match after {
            Some(after) => self.places[after].before = before,
            None => self.last = before,
        }
    }

    fn keeps(&self, place: usize, waker: &Waker) -> bool {
        let kept = self.places[place].waker.as_ref();
        kept.is_some_and(|kept| kept.will_wake(waker))
    }

    /// Joins the list, at the end if it is not in it; with a new waker, if there is one. What that
    /// replaced comes back.
    fn enrol(&mut self, place: usize, fresh: Option<Waker>) -> Option<Waker> {
        let state = std::mem::replace(&mut self.places[place].state, State::Waiting);
        if state != State::Waiting {
            self.link(place);
        }
        let waker = fresh?;
        self.places[place].waker.replace(waker)
    }

    /// Leaves the list; whether it had been called.
    fn leave(&mut self, place: usize) -> bool {
        let state = std::mem::take(&mut self.places[place].state);
        if state == State::Waiting {
            self.unlink(place);
        }
        state == State::Called
    }

    /// Has the place for others; its waker comes back.
    fn vacate(&mut self, place: usize) -> Option<Waker> {
        self.places[place].after = self.vacant.replace(place);
        self.places[place].waker.take()
    }

    fn call_next(&mut self) -> Option<Waker> {
        let first = self.first?;
        self.unlink(first);
        self.places[first].state = State::Called;
        self.places[first].waker.take()
    }
}

impl<E: Keyed> Mailbox<E> {
    /// Takes the next message; if there is none, its consumer is called when there may be one.
    /// Wakers that are no longer needed go to `spent`.
    pub(crate) fn poll_pop(
        &self,
        finished: &AtomicBool,
        waiter: &mut Waiter,
        waker: &Waker,
        spent: &mut impl FnMut(Spent),
    ) -> Popped<E> {
        let mut found = self.try_pop(finished);
        if let Popped::Empty = found {
            self.enrol(waiter, waker, spent);
            // After it: see "A push beside an enrolment".
            found = self.try_pop(finished);
            if let Popped::Empty = found {
                return found;
            }
        }
        self.leave(waiter, spent);
        found
    }

    /// Joins those who wait. Then the consumer must look once more before it sleeps.
    pub(crate) fn enrol(&self, waiter: &mut Waiter, waker: &Waker, spent: &mut impl FnMut(Spent)) {
        // See "A push beside an enrolment".
        self.queue();
        let wakers = self
            .wakers
            .get_or_init(|| Box::new(Mutex::new(Wakers::default())));
        let mut fresh = (!waiter.keeps_waker).then(|| waker.clone());
        let replaced = loop {
            let mut wakers = wakers.lock();
            let place = *waiter.place.get_or_insert_with(|| wakers.take_place());
            if fresh.is_none() && !wakers.keeps(place, waker) {
                // Outside of the lock, and then all over.
                drop(wakers);
                fresh = Some(waker.clone());
                continue;
            }
            let replaced = wakers.enrol(place, fresh);
            // SeqCst, before the second look: see "A push beside an enrolment". Under the lock, so that
            // it is set while anybody waits.
            self.demands.fetch_or(AWAITED, SeqCst);
            break replaced;
        };
        waiter.enrolled = true;
        waiter.keeps_waker = true;
        if let Some(waker) = replaced {
            spent(Spent::Drop(waker));
        }
    }

    /// Waits no more, having found something or given up. If it was called meanwhile and there is more,
    /// the call goes to the next.
    pub(crate) fn leave(&self, waiter: &mut Waiter, spent: &mut impl FnMut(Spent)) {
        if !std::mem::take(&mut waiter.enrolled) {
            return;
        }
        if let Some((wakers, place)) = self.wakers.get().zip(waiter.place) {
            let was_called = {
                let mut wakers = wakers.lock();
                let was_called = wakers.leave(place);
                self.note_who_waits(&wakers);
                was_called
            };
            waiter.keeps_waker = !was_called;
            if was_called && !self.queue().is_empty() {
                self.call_next()
                    .map(Spent::Call)
                    .into_iter()
                    .for_each(spent);
            }
        }
    }

    /// [`leave`](Mailbox::leave), and the mailbox keeps nothing of it; who enrols again does so anew.
    pub(crate) fn give_up(&self, waiter: &mut Waiter, spent: &mut impl FnMut(Spent)) {
        self.leave(waiter, spent);
        waiter.keeps_waker = false;
        if let Some((wakers, place)) = self.wakers.get().zip(waiter.place.take()) {
            let waker = wakers.lock().vacate(place);
            waker.map(Spent::Drop).into_iter().for_each(spent);
        }
    }

    /// The waker of the one who has waited longest, to be called.
    #[cold]
    pub(crate) fn call_next(&self) -> Option<Waker> {
        let mut wakers = self.wakers.get()?.lock();
        let waker = wakers.call_next();
        self.note_who_waits(&wakers);
        waker
    }

    /// Takes all wakers that are left behind by consumers that were forgotten rather than dropped.
    pub(crate) fn take_wakers(&self) -> Vec<Waker> {
        let Some(wakers) = self.wakers.get() else {
            return Vec::new();
        };
        let mut wakers = wakers.lock();
        let left = wakers
            .places
            .iter_mut()
            .filter_map(|place| place.waker.take());
        left.collect()
    }

    /// Whether a consumer waits to be called, after a push; asked after
    /// [`wants_more`](Mailbox::wants_more).
    #[inline]
    pub(crate) fn is_awaited(&self) -> bool {
        // Relaxed: what was asked before it has seen a consumer that this must see, or no one.
        self.demands.load(Relaxed) & AWAITED != 0
    }

    fn note_who_waits(&self, wakers: &Wakers) {
        if wakers.first.is_none() {
            // Relaxed: nobody waits, and who does next sets it anew, under the lock that the caller
            // holds.
            self.demands.fetch_and(!AWAITED, Relaxed);
        }
    }
}
