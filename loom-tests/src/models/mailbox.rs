//! Models of `src/bus/subscriber`.

use std::time::Instant;

use loom::thread::{self, JoinHandle, yield_now};
use std::sync::Arc;

use super::models;
use crate::bus::conflate::Keyed;
use crate::bus::overflow::Overflow::{self, DropNewest, DropOldest, Latest};
use crate::bus::subscriber::{Bell, Mailbox, Popped, Pushed, Ringer};
use crate::sync::{self, AtomicBool, Ordering, Queue, Sender, watch_figures, watching};

// With a number: so many preemptions fewer, as there are three threads, or much to count.
models![
    close_ends_a_sleeper,
    close_ends_two_sleepers: 2,
    close_ends_three_threads_of_one_handle: 3,
    a_full_queue_is_taken_before_the_end,
    a_full_queue_ends_two_takers: 2,
    a_taker_that_leaves_passes_the_end_on: 1,
    what_its_closer_pushed_comes_before_the_end,
    a_late_message_is_received_or_dropped,
    a_late_message_does_not_keep_a_sleeper: 1,
    a_late_message_behind_a_token_is_found,
    two_late_messages_are_received_or_dropped: 2,
    evictions_are_counted: 1,
    evictions_leave_the_end_to_the_consumers: 2,
    latest_wakes_a_sleeper,
    latest_counts_what_is_replaced,
    latest_ends_with_all_taken: 2,
    a_batch_wakes_a_sleeper_and_comes_whole,
    a_batch_goes_to_one_of_two_takers: 1,
    a_batch_leaves_who_sleeps_a_token: 1,
    what_a_take_leaves_of_a_batch_has_its_token,
    a_batch_beside_a_close_is_counted: 1,
    abandoned_messages_are_counted,
    abandoned_latest_messages_are_counted,
    close_ends_a_wait_for_room,
    gaps_add_up: 1,
    a_first_push_beside_a_close: 1,
    close_ends_a_first_sleeper,
    abandoned_beside_a_first_push: 1,
    a_bell_wakes_a_sleeper,
    a_bell_rings_again,
    a_call_that_finds_another_is_answered: 2,
    a_bell_that_does_not_fit_is_rung_at_once,
    a_ring_for_two_wakes_both: 2,
    close_rings_for_both: 2,
    who_is_rung_and_takes_nothing_passes_it_on: 2,
];

/// A message: its key, and its number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message(pub(super) u8, pub(super) u8);

impl Keyed for Message {
    type Key = u8;

    fn key(&self) -> u8 {
        self.0
    }
}

pub(super) type Shared = Arc<Mailbox<Message>>;

pub(super) fn mailbox(capacity: usize, overflow: Overflow) -> Shared {
    let mailbox = unused(capacity, overflow);
    // Who makes it is a question for models of their own: it multiplies the executions.
    mailbox.queue();
    mailbox
}

/// A mailbox without a queue.
fn unused(capacity: usize, overflow: Overflow) -> Shared {
    Arc::new(Mailbox::new(capacity, overflow, None))
}

/// What became of one message, as its publisher knows it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Emitted {
    /// Whether the subscription answers for it: it was not closed yet.
    counts: u64,
    evicted: u64,
}

/// As `bus/deliver.rs` does it.
pub(super) fn emit(mailbox: &Mailbox<Message>, message: Message) -> Emitted {
    let mut emitted = Emitted {
        counts: 1,
        evicted: 0,
    };
    if let Err(message) = mailbox.push(message) {
        match mailbox.push_harder(message, &mut |_| emitted.evicted += 1) {
            Pushed::Accepted => {}
            Pushed::Full(_) => {
                mailbox.refuse();
                return emitted;
            }
            Pushed::Closed(_) => {
                emitted.counts = 0;
                return emitted;
            }
        }
    }
    if mailbox.wants_more() && !mailbox.is_far_from_mark() {
        let ringer = mailbox.wake();
        let awaited = mailbox.is_awaited();
        if mailbox.has_ended() {
            mailbox.settle();
        }
        if awaited && let Some(waker) = mailbox.call_next() {
            waker.wake();
        }
        mailbox.see_mark();
        if let Some(ringer) = ringer {
            ringer.call();
        }
    }
    emitted
}

pub(super) fn publish(mailbox: &Shared, message: Message) -> JoinHandle<Emitted> {
    let mailbox = Arc::clone(mailbox);
    thread::spawn(move || emit(&mailbox, message))
}

/// Takes until the end; how many. The end is for ever.
fn take_all(mailbox: &Mailbox<Message>) -> u64 {
    let finished = AtomicBool::new(false);
    let mut taken = 0;
    while let Popped::Message(_) = mailbox.pop(&finished, None) {
        taken += 1;
    }
    assert_eq!(mailbox.try_pop(&finished), Popped::Ended);
    taken
}

pub(super) fn consume(mailbox: &Shared) -> JoinHandle<u64> {
    let mailbox = Arc::clone(mailbox);
    thread::spawn(move || take_all(&mailbox))
}

/// Takes a message or the end, and comes no more; how many.
pub(super) fn take_one(mailbox: &Shared) -> JoinHandle<u64> {
    let mailbox = Arc::clone(mailbox);
    thread::spawn(move || {
        let popped = mailbox.pop(&AtomicBool::new(false), None);
        u64::from(matches!(popped, Popped::Message(_)))
    })
}

/// Takes a message if there is one, and comes no more; how many.
fn take_one_at_once(mailbox: &Shared) -> JoinHandle<u64> {
    let mailbox = Arc::clone(mailbox);
    thread::spawn(move || {
        let popped = mailbox.try_pop(&AtomicBool::new(false));
        u64::from(matches!(popped, Popped::Message(_)))
    })
}

/// Nothing is left, and all messages are accounted for.
fn assert_settled(mailbox: &Mailbox<Message>, counted: u64, received: u64) {
    let losses = mailbox.losses();
    let dropped = losses.dropped.load(Ordering::Relaxed);
    let conflated = losses.conflated.load(Ordering::Relaxed);
    assert_eq!(counted, received + dropped + conflated);
    assert_eq!(mailbox.taken(), received);
    assert_eq!(mailbox.try_pop(&AtomicBool::new(false)), Popped::Ended);
    assert_eq!(mailbox.len(), 0);
}

fn close_ends_a_sleeper() {
    let mailbox = mailbox(1, DropNewest);
    let consumer = consume(&mailbox);
    assert!(mailbox.close());
    assert_eq!(consumer.join().unwrap(), 0);
    assert_settled(&mailbox, 0, 0);
}

fn close_ends_two_sleepers() {
    let mailbox = mailbox(1, DropNewest);
    let consumers = [take_one(&mailbox), take_one(&mailbox)];
    mailbox.close();
    consumers
        .into_iter()
        .for_each(|consumer| assert_eq!(consumer.join().unwrap(), 0));
    assert_settled(&mailbox, 0, 0);
}

fn close_ends_three_threads_of_one_handle() {
    let mailbox = mailbox(1, DropNewest);
    let finished = Arc::new(AtomicBool::new(false));
    let consumers = [(); 3].map(|()| {
        let (mailbox, finished) = (Arc::clone(&mailbox), Arc::clone(&finished));
        thread::spawn(move || assert_eq!(mailbox.pop(&finished, None), Popped::Ended))
    });
    yield_now();
    mailbox.close();
    consumers
        .into_iter()
        .for_each(|consumer| consumer.join().unwrap());
}

fn a_full_queue_is_taken_before_the_end() {
    let mailbox = mailbox(1, DropNewest);
    emit(&mailbox, Message(0, 0));
    let consumer = consume(&mailbox);
    mailbox.close();
    assert_eq!(consumer.join().unwrap(), 1);
    assert_settled(&mailbox, 1, 1);
}

fn a_full_queue_ends_two_takers() {
    let mailbox = mailbox(1, DropNewest);
    emit(&mailbox, Message(0, 0));
    let consumers = [consume(&mailbox), consume(&mailbox)];
    mailbox.close();
    let taken = consumers.map(|consumer| consumer.join().unwrap());
    assert_eq!(taken.iter().sum::<u64>(), 1);
    assert_settled(&mailbox, 1, 1);
}

/// The message wakes the sleeper, another takes it and comes no more, and the end finds a full queue.
fn a_taker_that_leaves_passes_the_end_on() {
    let mailbox = mailbox(1, DropNewest);
    let consumers = [take_one(&mailbox), take_one_at_once(&mailbox)];
    emit(&mailbox, Message(0, 0));
    mailbox.close();
    let received = consumers.map(|consumer| consumer.join().unwrap());
    assert_settled(&mailbox, 1, received.iter().sum());
}

/// The consumer never sleeps, so that only the flags tell it.
fn what_its_closer_pushed_comes_before_the_end() {
    let mailbox = mailbox(1, DropNewest);
    let theirs = Arc::clone(&mailbox);
    let consumer = thread::spawn(move || {
        let finished = AtomicBool::new(false);
        let mut taken = 0;
        loop {
            match theirs.try_pop(&finished) {
                Popped::Message(_) => taken += 1,
                Popped::Empty => yield_now(),
                Popped::Ended => return taken,
            }
        }
    });
    // Without a look whether it has ended: in the twin that is a fence, and nobody else closes it.
    mailbox.push(Message(0, 0)).unwrap();
    mailbox.close();
    assert_eq!(consumer.join().unwrap(), 1);
    assert_settled(&mailbox, 1, 1);
}

fn a_late_message_is_received_or_dropped() {
    let mailbox = mailbox(1, DropNewest);
    let publisher = publish(&mailbox, Message(0, 0));
    mailbox.close();
    let received = take_all(&mailbox);
    let emitted = publisher.join().unwrap();
    assert_settled(&mailbox, emitted.counts, received);
}

/// The late message keeps another's token out of the queue, and then goes again.
fn a_late_message_does_not_keep_a_sleeper() {
    let mailbox = mailbox(1, DropNewest);
    let sleeper = take_one(&mailbox);
    let theirs = Arc::clone(&mailbox);
    let closer = thread::spawn(move || {
        theirs.close();
        let popped = theirs.try_pop(&AtomicBool::new(false));
        u64::from(matches!(popped, Popped::Message(_)))
    });
    // The others first: it spares a preemption.
    yield_now();
    let emitted = emit(&mailbox, Message(0, 0));
    let received = sleeper.join().unwrap() + closer.join().unwrap();
    assert_settled(&mailbox, emitted.counts, received);
}

fn a_late_message_behind_a_token_is_found() {
    let mailbox = mailbox(2, DropNewest);
    let publisher = publish(&mailbox, Message(0, 0));
    mailbox.close();
    let received = take_all(&mailbox);
    let emitted = publisher.join().unwrap();
    assert_settled(&mailbox, emitted.counts, received);
}

fn two_late_messages_are_received_or_dropped() {
    let mailbox = mailbox(1, DropNewest);
    let publishers = [
        publish(&mailbox, Message(0, 0)),
        publish(&mailbox, Message(0, 1)),
    ];
    mailbox.close();
    let received = take_all(&mailbox);
    let counted = publishers.map(|publisher| publisher.join().unwrap().counts);
    assert_settled(&mailbox, counted.iter().sum(), received);
}

fn evictions_are_counted() {
    let mailbox = mailbox(1, DropOldest);
    emit(&mailbox, Message(0, 0));
    let publishers = [
        publish(&mailbox, Message(0, 1)),
        publish(&mailbox, Message(0, 2)),
    ];
    let finished = AtomicBool::new(false);
    let taken = u64::from(mailbox.try_pop(&finished) != Popped::Empty);
    let emitted = publishers.map(|publisher| publisher.join().unwrap());
    let evicted: u64 = emitted.iter().map(|emitted| emitted.evicted).sum();
    let dropped = mailbox.losses().dropped.load(Ordering::Relaxed);
    // With so few publishers, none gives up.
    assert_eq!(dropped, evicted);
    mailbox.close();
    let received = taken + take_all(&mailbox);
    assert_settled(&mailbox, 3, received);
}

/// The first message wakes a sleeper; another takes it and closes; the end takes its place, just when
/// the second message wants to.
fn evictions_leave_the_end_to_the_consumers() {
    let mailbox = mailbox(1, DropOldest);
    let sleeper = take_one(&mailbox);
    // The other first: it spares a preemption.
    yield_now();
    let first = emit(&mailbox, Message(0, 0));
    let theirs = Arc::clone(&mailbox);
    let closer = thread::spawn(move || {
        let popped = theirs.try_pop(&AtomicBool::new(false));
        theirs.close();
        u64::from(matches!(popped, Popped::Message(_)))
    });
    let second = emit(&mailbox, Message(0, 1));
    let received = sleeper.join().unwrap() + closer.join().unwrap() + take_all(&mailbox);
    assert_settled(&mailbox, first.counts + second.counts, received);
}

fn latest_wakes_a_sleeper() {
    let mailbox = mailbox(1, Latest);
    let theirs = Arc::clone(&mailbox);
    let consumer = thread::spawn(move || theirs.pop(&AtomicBool::new(false), None));
    emit(&mailbox, Message(0, 0));
    assert_eq!(consumer.join().unwrap(), Popped::Message(Message(0, 0)));
}

fn latest_counts_what_is_replaced() {
    let mailbox = mailbox(1, Latest);
    let publishers = [
        publish(&mailbox, Message(0, 0)),
        publish(&mailbox, Message(0, 1)),
    ];
    let finished = AtomicBool::new(false);
    let Popped::Message(_) = mailbox.pop(&finished, None) else {
        panic!("not closed");
    };
    publishers
        .into_iter()
        .for_each(|publisher| assert_eq!(publisher.join().unwrap().counts, 1));
    mailbox.close();
    let received = 1 + take_all(&mailbox);
    assert_settled(&mailbox, 2, received);
}

fn latest_ends_with_all_taken() {
    let mailbox = mailbox(1, Latest);
    let publishers = [
        publish(&mailbox, Message(0, 0)),
        publish(&mailbox, Message(0, 1)),
    ];
    mailbox.close();
    let received = take_all(&mailbox);
    let counted = publishers.map(|publisher| publisher.join().unwrap().counts);
    assert_settled(&mailbox, counted.iter().sum(), received);
}

fn batch_mailbox(capacity: usize) -> Shared {
    let mailbox = Arc::new(Mailbox::of_batches(capacity, DropNewest, None));
    mailbox.queue();
    mailbox
}

/// As `bus/deliver/together.rs` does it; how many the subscription answers for.
fn emit_batch(mailbox: &Mailbox<Message>, numbers: [u8; 2]) -> u64 {
    let (mut accepted, mut counts) = (0, 0);
    let messages = numbers.into_iter().map(|number| Message(0, number));
    mailbox.push_together(messages, &mut |_| {}, &mut |pushed| match pushed {
        Pushed::Accepted => {
            accepted += 1;
            counts += 1;
        }
        Pushed::Full(_) => {
            mailbox.refuse();
            counts += 1;
        }
        Pushed::Closed(_) => {}
    });
    if accepted > 0 && mailbox.wants_more() && mailbox.has_ended() {
        (0..accepted).map_while(|_| mailbox.settle()).for_each(drop);
    }
    counts
}

fn a_batch_wakes_a_sleeper_and_comes_whole() {
    let mailbox = batch_mailbox(2);
    let theirs = Arc::clone(&mailbox);
    let consumer = thread::spawn(move || {
        let Popped::Message(first) = theirs.pop(&AtomicBool::new(false), None) else {
            panic!("not closed");
        };
        let mut batch = vec![first];
        if let Popped::Message((second, rest)) = theirs.try_pop_batch(&AtomicBool::new(false), 9) {
            batch.push(second);
            batch.extend(rest);
        }
        batch
    });
    emit_batch(&mailbox, [1, 2]);
    assert_eq!(consumer.join().unwrap(), [Message(0, 1), Message(0, 2)]);
    assert_eq!(mailbox.len(), 0);
}

fn a_batch_goes_to_one_of_two_takers() {
    let mailbox = batch_mailbox(4);
    emit_batch(&mailbox, [1, 2]);
    let takers = [(); 2].map(|()| {
        let mailbox = Arc::clone(&mailbox);
        thread::spawn(move || {
            match mailbox.try_pop_batch(&AtomicBool::new(false), 9) {
                Popped::Message((_, joined)) => 1 + joined.len(),
                Popped::Empty | Popped::Ended => 0,
            }
        })
    });
    let taken = takers.map(|taker| taker.join().unwrap());
    assert!(matches!(taken, [2, 0] | [0, 2]));
}

fn a_batch_leaves_who_sleeps_a_token() {
    let mailbox = batch_mailbox(3);
    emit_batch(&mailbox, [1, 2]);
    let sleeper = take_one(&mailbox);
    let theirs = Arc::clone(&mailbox);
    let taker = thread::spawn(move || match theirs.try_pop_batch(&AtomicBool::new(false), 9) {
        Popped::Message((_, joined)) => 1 + joined.len() as u64,
        Popped::Empty | Popped::Ended => 0,
    });
    // Whoever of the two is first: this one is left for the sleeper, at the latest.
    emit(&mailbox, Message(0, 3));
    assert_eq!(sleeper.join().unwrap(), 1);
    let taken = taker.join().unwrap();
    mailbox.close();
    assert_settled(&mailbox, 3, 1 + taken + take_all(&mailbox));
}

fn what_a_take_leaves_of_a_batch_has_its_token() {
    let mailbox = batch_mailbox(2);
    let theirs = Arc::clone(&mailbox);
    let publisher = thread::spawn(move || emit_batch(&theirs, [1, 2]));
    let finished = AtomicBool::new(false);
    let mut taken = match mailbox.try_pop_batch(&finished, 1) {
        Popped::Message((_, joined)) => 1 + joined.len() as u64,
        Popped::Empty | Popped::Ended => 0,
    };
    publisher.join().unwrap();
    // Whoever takes one by one finds the rest.
    while let Popped::Message(_) = mailbox.try_pop(&finished) {
        taken += 1;
    }
    assert_eq!(taken, 2);
}

fn a_batch_beside_a_close_is_counted() {
    let mailbox = batch_mailbox(2);
    let theirs = Arc::clone(&mailbox);
    let publisher = thread::spawn(move || emit_batch(&theirs, [1, 2]));
    mailbox.close();
    let (finished, mut taken) = (AtomicBool::new(false), 0);
    while let Popped::Message((_, joined)) = mailbox.try_pop_batch(&finished, 9) {
        taken += 1 + joined.len() as u64;
    }
    let counted = publisher.join().unwrap();
    assert_settled(&mailbox, counted, taken);
}

fn abandoned_messages_are_counted() {
    abandon_beside_a_push(DropNewest);
}

fn abandoned_latest_messages_are_counted() {
    abandon_beside_a_push(Latest);
}

fn abandon_beside_a_push(overflow: Overflow) {
    // With room for the token beside the message: over one place, each would hear of the other.
    let mailbox = mailbox(2, overflow);
    let publisher = publish(&mailbox, Message(0, 0));
    let mut received = 0;
    mailbox.abandon(&mut |_| received += 1);
    let emitted = publisher.join().unwrap();
    assert_settled(&mailbox, emitted.counts, received);
}

fn close_ends_a_wait_for_room() {
    let mailbox = mailbox(1, DropNewest);
    emit(&mailbox, Message(0, 0));
    let theirs = Arc::clone(&mailbox);
    let deadline = Instant::now();
    let publisher = thread::spawn(move || assert!(theirs.wait_for_room(deadline)));
    mailbox.close();
    publisher.join().unwrap();
    assert_eq!(take_all(&mailbox), 1);
}

/// What the consumer is told of, bit by bit, is what was dropped.
fn gaps_add_up() {
    watch_figures();
    let mailbox = mailbox(1, DropOldest);
    let theirs = Arc::clone(&mailbox);
    let publisher = thread::spawn(move || {
        for number in 0..3 {
            emit(&theirs, Message(0, number));
        }
    });
    let finished = AtomicBool::new(false);
    let mut told = 0;
    for _ in 0..2 {
        told += mailbox.due_gap();
        let _ = mailbox.try_pop(&finished);
    }
    publisher.join().unwrap();
    let _ = mailbox.try_pop(&finished);
    told += mailbox.due_gap();
    assert_eq!(told, mailbox.losses().dropped.load(Ordering::Relaxed));
    assert_eq!(told + mailbox.taken(), 3);
}

fn a_first_push_beside_a_close() {
    let mailbox = unused(1, DropNewest);
    let publisher = publish(&mailbox, Message(0, 0));
    mailbox.close();
    let received = take_all(&mailbox);
    let emitted = publisher.join().unwrap();
    assert_settled(&mailbox, emitted.counts, received);
}

fn close_ends_a_first_sleeper() {
    let mailbox = unused(1, DropNewest);
    let consumer = consume(&mailbox);
    mailbox.close();
    assert_eq!(consumer.join().unwrap(), 0);
    assert_settled(&mailbox, 0, 0);
}

fn abandoned_beside_a_first_push() {
    let mailbox = unused(2, DropNewest);
    let publisher = publish(&mailbox, Message(0, 0));
    let mut received = 0;
    mailbox.abandon(&mut |_| received += 1);
    let emitted = publisher.join().unwrap();
    assert_settled(&mailbox, emitted.counts, received);
}

/// The thread that rings, as `bus/wake_ups.rs` makes it, or as much of it as a model calls.
struct Rings {
    bells: Arc<Queue<sync::Arc<Bell>>>,
    calls: Arc<Queue<()>>,
}

impl Rings {
    fn new() -> Self {
        Rings {
            bells: Arc::new(Queue::new(2)),
            calls: Arc::new(Queue::new(1)),
        }
    }

    /// With its queue made, and who waits at the bell watched.
    fn mailbox(&self, capacity: usize) -> Shared {
        let ringer = Ringer::new(Sender::to(&self.bells), Sender::to(&self.calls));
        let bell = watching(|| Bell::new(ringer));
        let mailbox = Arc::new(Mailbox::new(capacity, DropNewest, Some(bell)));
        mailbox.queue();
        mailbox
    }

    /// Answers calls until there is none.
    fn answer(&self) {
        while self.calls.try_pop().is_some() {
            while let Some(bell) = self.bells.try_pop() {
                bell.answer();
            }
        }
    }

    /// Leaves no room for bells.
    fn crowded() -> Self {
        let rings = Rings::new();
        let other = Rings::new();
        for _ in 0..2 {
            let ringer = Ringer::new(Sender::to(&other.bells), Sender::to(&other.calls));
            let fits = rings.bells.try_push(sync::Arc::new(Bell::new(ringer)));
            assert!(fits.is_ok());
        }
        rings
    }
}

fn a_bell_wakes_a_sleeper() {
    let rings = Rings::new();
    let mailbox = rings.mailbox(1);
    let consumer = take_one(&mailbox);
    let publisher = publish(&mailbox, Message(0, 0));
    rings.answer();
    publisher.join().unwrap();
    rings.answer();
    assert_eq!(consumer.join().unwrap(), 1);
}

fn a_bell_rings_again() {
    let rings = Rings::new();
    let mailbox = rings.mailbox(1);
    for number in 0..2 {
        let consumer = take_one(&mailbox);
        emit(&mailbox, Message(0, number));
        rings.answer();
        assert_eq!(consumer.join().unwrap(), 1);
    }
}

fn a_call_that_finds_another_is_answered() {
    let rings = Rings::new();
    let mailboxes = [rings.mailbox(1), rings.mailbox(1)];
    let consumers = [take_one(&mailboxes[0]), take_one(&mailboxes[1])];
    // The others first: it spares a preemption.
    yield_now();
    emit(&mailboxes[0], Message(0, 0));
    let publisher = publish(&mailboxes[1], Message(0, 0));
    rings.answer();
    publisher.join().unwrap();
    rings.answer();
    consumers
        .into_iter()
        .for_each(|consumer| assert_eq!(consumer.join().unwrap(), 1));
}

fn a_bell_that_does_not_fit_is_rung_at_once() {
    let mailbox = Rings::crowded().mailbox(1);
    let consumer = take_one(&mailbox);
    emit(&mailbox, Message(0, 0));
    assert_eq!(consumer.join().unwrap(), 1);
}

fn a_ring_for_two_wakes_both() {
    let rings = Rings::new();
    let mailbox = rings.mailbox(2);
    let consumers = [take_one(&mailbox), take_one(&mailbox)];
    // As above.
    yield_now();
    emit(&mailbox, Message(0, 0));
    emit(&mailbox, Message(0, 1));
    rings.answer();
    consumers
        .into_iter()
        .for_each(|consumer| assert_eq!(consumer.join().unwrap(), 1));
}

fn close_rings_for_both() {
    let mailbox = Rings::crowded().mailbox(1);
    let consumers = [consume(&mailbox), consume(&mailbox)];
    mailbox.close();
    consumers
        .into_iter()
        .for_each(|consumer| assert_eq!(consumer.join().unwrap(), 0));
}

fn who_is_rung_and_takes_nothing_passes_it_on() {
    let rings = Rings::new();
    let mailbox = rings.mailbox(1);
    let told = {
        let mailbox = Arc::clone(&mailbox);
        // As one who is told of a gap.
        thread::spawn(move || {
            assert!(mailbox.wait(&AtomicBool::new(false), None));
            mailbox.pass_on();
        })
    };
    let consumer = take_one(&mailbox);
    // As above.
    yield_now();
    emit(&mailbox, Message(0, 0));
    rings.answer();
    assert_eq!(consumer.join().unwrap(), 1);
    // It may have come when there was nothing any more.
    emit(&mailbox, Message(0, 1));
    rings.answer();
    told.join().unwrap();
}
