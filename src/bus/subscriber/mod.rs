//! One subscriber's mailbox: the queue, what it does when full, its counters, and its end.
//!
//! # Protocol
//!
//! *Publishers* call [`Mailbox::push`], and [`Mailbox::push_harder`] where that does not do; then, if
//! the mailbox [`wants_more`](Mailbox::wants_more), [`Mailbox::wake`], and, if it
//! [`has_ended`](Mailbox::has_ended), [`Mailbox::settle`]; and, if it [`is_marked`](Mailbox::is_marked),
//! [`Mailbox::see_mark`]; nothing of that if it [`is_far_from_mark`](Mailbox::is_far_from_mark). *Consumers* call [`Mailbox::try_pop`] and
//! [`Mailbox::pop`], each through a handle with an `AtomicBool` of its own, `finished`. Anyone calls
//! [`Mailbox::close`]; whoever drops the last handle calls [`Mailbox::abandon`].
//!
//! The queue carries `Some(message)`, and `None` as a token. In a mailbox that keeps the latest
//! message of each key, or batches together, messages wait in [`Pending`] and each adds one token to the
//! queue: a token then means "look in there". Everywhere else, and there when nothing is pending, a token
//! means that the end has come. Tokens are needed because the mailbox holds a sender itself (as do routes and
//! idle publishers), so disconnection cannot tell a sleeping consumer that no more will come.
//!
//! Two flags, each set once and never cleared, with a token between them:
//!
//! 1. `closed`: publishers that see it push no more. Set by `close`, which then tries to push a
//!    token. If the token does not fit, the queue is not empty, so nobody sleeps for good.
//! 2. a token is taken, or the queue is seen empty after `closed` was seen.
//! 3. `ended`: consumers that see it block no more; each takes what is left, and is `finished` for
//!    ever when it finds nothing. Publishers that see it after a push take one message back.
//!
//! # The races, by case
//!
//! Neither of the two handshakes below has a fence on the way of a message: they rest on what
//! `Queue::try_push` says of the queue's own updates.
//!
//! *The token does not fit.* Close finds the queue full, so somebody has yet to take from it. Who
//! takes a message looks at `closed` after it; close sets `closed`, and then finds no room. So either
//! the taker sees `closed`, and pushes the token itself ([`Mailbox::account`]), or close sees the room
//! that was made, and then it was full of others, which are taken later.
//!
//! *Several sleepers, one token.* Whoever takes a token, or any message after close, pushes a token
//! for the next. Where that push fails the queue is not empty, and its messages woke their own.
//!
//! *A message behind the token.* Its publisher had not seen `closed`. A consumer that took the token
//! sets `ended`, and goes on taking until it finds nothing. The publisher pushed, and looks at `ended`.
//! One of the two sees the other: either the consumer finds the message, or the publisher sees `ended`.
//!
//! *The publisher sees `ended`.* It takes one message, whosever it is, and counts it as dropped; or
//! finds none, since a consumer or another late publisher took it, who counted it. Pushes and takes
//! after the end pair off, so nothing stays behind, every message is counted once, and no consumer
//! gets a message after it was told that there are no more (its `finished` says so).
//!
//! *The token does not fit for a late message.* The message woke a sleeper, and its publisher may take
//! it back before that one does. So a publisher that settles pushes a token, whatever it took.
//!
//! *The last handle goes while a publisher pushes.* `abandon` is `ended` plus taking all, so it is
//! the case above.
//!
//! # Counting
//!
//! Publishers write no counter on the way of an accepted message. Consumers count what they take;
//! what was accepted is that plus what waits. Losses are counted by whoever causes them.

mod bell;
mod counts;
mod mark;
mod push;
mod take;
#[cfg(test)]
mod tests;
mod wakers;

use std::collections::VecDeque;

use super::conflate::{Keyed, Pending};
use super::gaps::Gaps;
use super::overflow::Overflow;
use crate::sync::Ordering::{Relaxed, SeqCst};
use crate::sync::{Arc, AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Mutex, OnceBox, Queue};
use crate::sync::{Signal, fence_full};
use crate::tally::{OwnShare, Tally};

use self::wakers::Wakers;

pub(crate) use self::bell::{Bell, Ringer};
pub(crate) use self::mark::Mark;
pub(crate) use self::wakers::{Spent, Waiter};

/// A consumer saw the end, or all are gone. Set once, after `closed`.
const ENDED: u8 = 1;
/// There is a bell. Set from the beginning.
const RINGS: u8 = 2;
/// Somebody waits for a waker. Set and cleared under the lock of `wakers`.
const AWAITED: u8 = 4;
/// There is a mark. Set from the beginning.
const MARKED: u8 = 8;

/// What became of a push.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed<E> {
    /// It waits for the consumer. What it pushed out went to the sink.
    Accepted,
    /// There was no room. Not counted yet: see [`Mailbox::refuse`].
    Full(E),
    /// The mailbox takes no more. Not counted: the subscription had gone.
    Closed(E),
}

/// What a consumer found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Popped<E> {
    Message(E),
    /// Nothing for now, or until the deadline.
    Empty,
    /// Nothing any more.
    Ended,
}

/// What a subscription lost; outlives the mailbox, as a late publisher may still count here.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    pub(crate) dropped: AtomicU64,
    pub(crate) filtered: AtomicU64,
    pub(crate) conflated: AtomicU64,
    pub(crate) filter_panics: AtomicU64,
}

/// What the consumer was told of its losses, and where the others are.
#[derive(Default)]
struct Missing {
    /// How many of `losses.dropped` the consumer was told of. Written under the lock of `gaps`.
    reported: AtomicU64,
    gaps: Mutex<Gaps>,
}

/// What waits beside the queue.
struct Aside<E: Keyed> {
    pending: Mutex<Pending<E>>,
    /// How many they are, for readers that must not wait for the lock.
    len: AtomicUsize,
    /// Batches are kept together.
    batches: bool,
}

/// The end of one subscription that publishers push into and consumers take from.
///
/// Laid out as written, so that what every push and every take reads stands in one cache line: an
/// emit to many subscriptions pays for the lines that it touches in each.
#[repr(C, align(64))]
pub(crate) struct Mailbox<E: Keyed> {
    /// Made by the first who needs it, see [`queue`](Mailbox::queue).
    queue: OnceBox<Queue<Option<E>>>,
    capacity: usize,
    /// How many messages are in `front`.
    front_len: AtomicUsize,
    /// Messages under `Overflow::Latest`, and where batches are kept together. A message's token is pushed
    /// after the message was put here, unless the queue is full of tokens, and taken before or when the message
    /// is; it may outlive a message that was taken by another's token. So tokens, with publishers and takers that
    /// are on their way, never number less than messages. Boxed, as most mailboxes have none.
    pending: Option<Box<Aside<E>>>,
    overflow: Overflow,
    /// No push begins any more. Set once.
    closed: AtomicBool,
    /// What a publisher has to see to after a push: `ENDED`, `RINGS`, `AWAITED`, `MARKED`. One word, as every
    /// push looks at it.
    demands: AtomicU8,
    /// Messages taken from the queue; see also `taken_first`.
    taken: Tally,
    /// Where consumers sleep, if others than publishers are to wake them; else they do in the queue.
    bell: Option<Arc<Bell>>,
    // The line ends here, at 64 bytes. What follows is the consumers', or touched now and then.
    taken_first: OwnShare,
    /// Above how much it is said that too much waits. Boxed, as most mailboxes have none.
    mark: Option<Box<Mark>>,
    /// Messages that come before the queue and outside its capacity, if there are any. Filled before
    /// there is a consumer; from then on only taken from.
    front: OnceBox<Mutex<VecDeque<E>>>,
    /// End tokens in the queue, so that `len` can leave them out.
    tokens: AtomicUsize,
    /// Raised at close, for publishers that wait for room; made by the first of them.
    room: OnceBox<Signal>,
    losses: Arc<Losses>,
    /// Made at the first loss.
    missing: OnceBox<Missing>,
    /// Consumers that are tasks; made by the first that waits.
    wakers: OnceBox<Mutex<Wakers>>,
}

impl<E: Keyed> Mailbox<E> {
    /// A mailbox of exactly `capacity` slots, which must be at least one.
    pub(crate) fn new(capacity: usize, overflow: Overflow, bell: Option<Bell>) -> Self {
        Mailbox::made(capacity, overflow, bell, false)
    }

    /// A mailbox that keeps together what is [pushed together](Mailbox::push_together).
    pub(crate) fn of_batches(capacity: usize, overflow: Overflow, bell: Option<Bell>) -> Self {
        Mailbox::made(capacity, overflow, bell, true)
    }

    fn made(capacity: usize, overflow: Overflow, bell: Option<Bell>, batches: bool) -> Self {
        let aside = batches || overflow == Overflow::Latest;
        let pending = aside.then(|| {
            Box::new(Aside {
                pending: Mutex::new(Pending::new(capacity, overflow)),
                len: AtomicUsize::new(0),
                batches,
            })
        });
        Mailbox {
            queue: OnceBox::new(),
            capacity,
            overflow,
            pending,
            front: OnceBox::new(),
            front_len: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            demands: AtomicU8::new(if bell.is_some() { RINGS } else { 0 }),
            taken: Tally::default(),
            bell: bell.map(Arc::new),
            taken_first: OwnShare::default(),
            mark: None,
            tokens: AtomicUsize::new(0),
            room: OnceBox::new(),
            losses: Arc::new(Losses::default()),
            missing: OnceBox::new(),
            wakers: OnceBox::new(),
        }
    }

    /// The queue, which an idle subscription does not have yet: it is made by the first push, or by
    /// the first consumer that waits. Of several who come at once each makes one, one is used, and the
    /// others free theirs (P1: nobody waits for another's).
    #[inline]
    pub(crate) fn queue(&self) -> &Queue<Option<E>> {
        match self.queue.get() {
            Some(queue) => queue,
            None => self.make_queue(self.capacity),
        }
    }

    #[cold]
    fn make_queue(&self, capacity: usize) -> &Queue<Option<E>> {
        self.queue.get_or_init(|| Box::new(Queue::new(capacity)))
    }

    fn missing(&self) -> &Missing {
        self.missing.get_or_init(Box::default)
    }

    /// Lets no more in, and tells the consumers. Returns `false` if it was closed before.
    pub(crate) fn close(&self) -> bool {
        // SeqCst, before the push: see "The token does not fit". Only the first closer goes on.
        if self.closed.swap(true, SeqCst) {
            return false;
        }
        // A mailbox that was never used gets a queue for the token alone. So whoever comes late, to
        // push or to wait, meets a token.
        self.make_queue(1);
        self.push_token();
        // Either this sees the signal of a publisher that waits for room, or that one sees `closed`.
        fence_full();
        if let Some(room) = self.room.get() {
            room.raise();
        }
        true
    }

    /// Ends it when no consumer is left, and hands every message that waits to `sink`.
    ///
    /// A message that comes later is taken back by its publisher.
    pub(crate) fn abandon(&self, sink: &mut impl FnMut(E)) {
        self.close();
        self.end();
        while let Some(message) = self.pop_front() {
            sink(message);
        }
        let finished = AtomicBool::new(false);
        while let Popped::Message(message) = self.pop_rest(&finished) {
            sink(message);
        }
        // Of those whose consumers look themselves, none is left.
        self.see_mark();
    }

    /// Tries to put an end token into the queue; where it does not fit, nobody sleeps.
    #[cold]
    fn push_token(&self) {
        // Relaxed, here and below: a correction to `len`, a figure for readers. Counted before the
        // push, so that a token is never taken before it is counted.
        self.tokens.fetch_add(1, Relaxed);
        if self.queue().try_push(None).is_err() {
            self.tokens.fetch_sub(1, Relaxed);
        }
        if let Some(ringer) = self.wake() {
            ringer.call();
        }
    }

    fn forget_token(&self) {
        // Under `Latest` a message token can pass for an end token, so this must not go below zero.
        // Relaxed as in `push_token`.
        let _ = self
            .tokens
            .fetch_update(Relaxed, Relaxed, |tokens| tokens.checked_sub(1));
    }
}
