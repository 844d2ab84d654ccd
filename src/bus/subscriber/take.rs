//! The consumers' side of a mailbox: see the protocol in the parent module.

use std::collections::VecDeque;
use std::time::Instant;

use super::super::conflate::{Keyed, Pending};
use super::{Aside, ENDED, Mailbox, Popped};
use crate::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sync::{AtomicBool, Mutex, Queue, Select, register_ready};

impl<E: Keyed> Mailbox<E> {
    /// Puts messages before all that is pushed; to be called before there is a consumer.
    pub(crate) fn set_front(&self, messages: VecDeque<E>) {
        // Release: with the acquire loads of `front_len`. There is no consumer yet who could come
        // between this and the next line.
        self.front_len.store(messages.len(), Release);
        let front = || Box::new(Mutex::new(VecDeque::new()));
        *self.front.get_or_init(front).lock() = messages;
    }

    /// Takes the next message without waiting.
    #[inline]
    pub(crate) fn try_pop(&self, finished: &AtomicBool) -> Popped<E> {
        if let Some(message) = self.pop_front() {
            return Popped::Message(message);
        }
        loop {
            // Acquire: pairs with the store in `end`. One that is not seen yet costs a look at the
            // queue, which is empty or still holds what is left.
            if self.demands.load(Acquire) & ENDED != 0 {
                return self.pop_rest(finished);
            }
            match self.queue.get().and_then(Queue::try_pop) {
                Some(Some(message)) => return Popped::Message(self.account(message)),
                Some(None) => {
                    if let Some(popped) = self.unwrap_token() {
                        return popped;
                    }
                }
                // Acquire, and after the queue was seen empty: what was pushed before the close has
                // been taken, so this is the end, token or not.
                None if self.closed.load(Acquire) => self.end(),
                None => return Popped::Empty,
            }
        }
    }

    /// Takes the next message, asleep until there is one, the end comes, or the deadline passes.
    pub(crate) fn pop(&self, finished: &AtomicBool, deadline: Option<Instant>) -> Popped<E> {
        loop {
            match self.try_pop(finished) {
                Popped::Empty => {}
                found => return found,
            }
            if let Some(bell) = &self.bell {
                if !bell.sleep(|| self.shows(finished), deadline) {
                    return Popped::Empty;
                }
                continue;
            }
            // A close after the look above pushes a token, which ends this sleep.
            match self.queue().pop(deadline) {
                Ok(Some(message)) => return Popped::Message(self.account(message)),
                Ok(None) => {
                    if let Some(popped) = self.unwrap_token() {
                        return popped;
                    }
                }
                Err(_) => return Popped::Empty,
            }
        }
    }

    /// Sleeps until a take may find something, without taking it; `false` when the deadline passed.
    pub(crate) fn wait(&self, finished: &AtomicBool, deadline: Option<Instant>) -> bool {
        match &self.bell {
            Some(bell) => bell.sleep(|| self.shows(finished), deadline),
            None => self.is_ready(finished) || self.queue().wait_readable(deadline),
        }
    }

    /// To be called by who [waited](Mailbox::wait), and then takes nothing: wakes another in its place.
    pub(crate) fn pass_on(&self) {
        // Who sleeps in the queue itself is woken by the queue, all who wait without taking at once.
        if let Some(bell) = &self.bell {
            bell.pass_on(|| !self.queue().is_empty());
        }
    }

    /// Whether a take would return at once, for all that this thread can see.
    fn shows(&self, finished: &AtomicBool) -> bool {
        // The queue is made if there is none, so that its own updates order this with a push.
        self.is_ready(finished) || !self.queue().is_empty()
    }

    /// Adds the wait for the next message to a `Select` of the user's.
    pub(crate) fn register<'a>(&'a self, finished: &AtomicBool, select: &mut Select<'a>) -> usize {
        if self.is_ready(finished) {
            register_ready(select)
        } else {
            self.queue().register(select)
        }
    }

    /// Whether a take would return at once for a reason that the queue itself does not show.
    fn is_ready(&self, finished: &AtomicBool) -> bool {
        // Acquire: what the flags stand for was done before them. Relaxed: a handle's own flag, and a
        // take that follows looks again. A close after this look pushes a token, which is seen.
        self.front_len.load(Acquire) > 0 || self.closed.load(Acquire) || finished.load(Relaxed)
    }

    /// What a token from the queue stands for: a message that waits elsewhere, or `None` for the end.
    #[inline(never)]
    fn unwrap_token(&self) -> Option<Popped<E>> {
        let Some(message) = self.pop_pending() else {
            self.forget_token();
            // Under `Latest` a message token may outlive its message, which a consumer took by
            // another's token; it means nothing then. Acquire: pairs with the swap in `close`.
            if self.closed.load(Acquire) {
                self.end();
            }
            return None;
        };
        Some(Popped::Message(self.account(message)))
    }

    /// Counts a message that a consumer took, and passes the end on if it has come.
    #[inline]
    pub(super) fn account(&self, message: E) -> E {
        self.taken.add_one(&self.taken_first);
        // SeqCst, after the pop: see "The token does not fit".
        if self.closed.load(SeqCst) {
            self.push_token();
        }
        self.pass_on();
        self.see_taken();
        message
    }

    /// After the end: what is left, one by one, then nothing for ever.
    #[cold]
    pub(super) fn pop_rest(&self, finished: &AtomicBool) -> Popped<E> {
        // A handle that was told of the end stays at its end, whatever a late publisher does. Acquire
        // and, below, Release: threads that use one handle by reference agree on it.
        if finished.load(Acquire) {
            // The token that woke this thread may have been for others that use the same handle.
            self.push_token();
            return Popped::Ended;
        }
        loop {
            if let Some(message) = self.pop_pending() {
                return Popped::Message(self.account(message));
            }
            match self.queue().try_pop() {
                Some(Some(message)) => return Popped::Message(self.account(message)),
                Some(None) => self.forget_token(),
                None => break,
            }
        }
        self.finish(finished);
        Popped::Ended
    }

    /// Tells a handle of the end.
    fn finish(&self, finished: &AtomicBool) {
        finished.store(true, Release);
        // For sharers that are still asleep, and for a `Select` that will be told of the end.
        self.push_token();
    }

    pub(super) fn end(&self) {
        // SeqCst, before the pops that follow: see "A message behind the token".
        self.demands.fetch_or(ENDED, SeqCst);
    }

    /// Whether messages wait that come before the queue.
    pub(crate) fn has_front(&self) -> bool {
        // Acquire: as in `pop_front`.
        self.front_len.load(Acquire) > 0
    }

    #[inline]
    pub(super) fn pop_front(&self) -> Option<E> {
        // A mailbox without replay pays this one load. Acquire pairs with the store below, so that
        // zero means that whoever took the last one has left.
        if self.front_len.load(Acquire) == 0 {
            return None;
        }
        self.pop_replayed()
    }

    #[cold]
    fn pop_replayed(&self) -> Option<E> {
        let mut front = self.front.get()?.lock();
        let message = front.pop_front();
        // Release: pairs with the load above.
        self.front_len.store(front.len(), Release);
        message
    }

    pub(super) fn pop_pending(&self) -> Option<E> {
        self.pop_aside(self.pending.as_ref()?, Pending::pop)
    }

    fn pop_aside(
        &self,
        aside: &Aside<E>,
        pop: impl FnOnce(&mut Pending<E>) -> Option<E>,
    ) -> Option<E> {
        let mut pending = aside.pending.lock();
        let message = pop(&mut pending);
        // Relaxed: a figure for readers; `pending` itself is ordered by its lock.
        aside.len.store(pending.len(), Relaxed);
        message
    }

    /// Takes what goes together without waiting, at most `max` messages, in a mailbox that [keeps
    /// batches](Mailbox::keeps_batches): the first, and those that came with it.
    pub(crate) fn try_pop_batch(&self, finished: &AtomicBool, max: usize) -> Popped<(E, Vec<E>)> {
        // Each of those that come before the queue was alone.
        if let Some(message) = self.pop_front() {
            return Popped::Message((message, Vec::new()));
        }
        // Whether it has just taken a token, which may be that of a message that it takes next. (One that it
        // took before that has outlived its message, as there was none.)
        let mut has_token = false;
        loop {
            // Acquire as in `try_pop`; and those who were told of the end stay there, as in `pop_rest`.
            let ended = self.demands.load(Acquire) & ENDED != 0;
            if ended && finished.load(Acquire) {
                self.push_token();
                return Popped::Ended;
            }
            if let Some(batch) = self.pop_together(max, has_token) {
                return Popped::Message(batch);
            }
            let taken = self.queue.get().and_then(Queue::try_pop);
            match taken {
                // A message that was taken by another's token, or one that came just now, or the end.
                Some(_) => {
                    has_token = true;
                    self.forget_token();
                    // Acquire: pairs with the swap in `close`.
                    if self.closed.load(Acquire) {
                        self.end();
                    }
                }
                None if ended => {
                    self.finish(finished);
                    return Popped::Ended;
                }
                None => {
                    // Acquire as in `try_pop`.
                    if !self.closed.load(Acquire) {
                        return Popped::Empty;
                    }
                    self.end();
                }
            }
        }
    }

    fn pop_together(&self, max: usize, has_token: bool) -> Option<(E, Vec<E>)> {
        let mut joined = Vec::new();
        let first = self.pop_aside(self.pending.as_ref()?, |pending| {
            let first = pending.pop()?;
            let rest = std::iter::from_fn(|| pending.pop_joined());
            joined.extend(rest.take(max.saturating_sub(1)));
            self.drop_tokens(joined.len() + usize::from(!has_token));
            Some(first)
        })?;
        Some((self.account(first), self.account_all(joined)))
    }

    /// Takes the tokens of messages that are taken without; under the lock of `pending`, so that there
    /// are never fewer tokens than messages, but for those whose publishers or takers are on their way. One of
    /// them may be the end's: who accounts for the messages pushes another.
    fn drop_tokens(&self, count: usize) {
        let queue = self.queue();
        (0..count).map_while(|_| queue.try_pop()).for_each(drop);
    }

    fn account_all(&self, messages: Vec<E>) -> Vec<E> {
        let messages = messages.into_iter();
        messages.map(|message| self.account(message)).collect()
    }
}
