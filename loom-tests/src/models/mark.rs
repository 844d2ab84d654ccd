//! Models of `src/bus/subscriber/mark.rs`: what is told of a mark, and when.

use std::sync::{Arc, Mutex};

use loom::thread::{self, JoinHandle};

use super::mailbox::{Message, Shared, emit};
use super::models;
use crate::bus::overflow::Overflow::{self, DropNewest, Latest};
use crate::bus::subscriber::{Mailbox, Mark, Popped};
use crate::sync::{AtomicBool, watching};

// With a number: so many preemptions fewer.
models![
    a_push_beside_a_take_leaves_the_mark_right,
    a_latest_push_beside_a_take_leaves_the_mark_right,
    two_pushes_cross_the_mark_once,
    two_takes_come_back_once,
];

/// A mailbox with such a mark, and all that was told.
fn marked(capacity: usize, overflow: Overflow, high: usize) -> (Shared, Arc<Mutex<Vec<bool>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let tell = Box::new(move |above, _| heard.lock().unwrap().push(above));
    let mark = watching(|| Mark::new(high, 0, tell));
    let mailbox = Mailbox::new(capacity, overflow, None).with_mark(mark);
    mailbox.queue();
    (Arc::new(mailbox), told)
}

fn taking(mailbox: &Shared) -> JoinHandle<bool> {
    let mailbox = Arc::clone(mailbox);
    thread::spawn(move || take(&mailbox))
}

fn take(mailbox: &Mailbox<Message>) -> bool {
    matches!(mailbox.try_pop(&AtomicBool::new(false)), Popped::Message(_))
}

fn pushing(mailbox: &Shared, message: Message) -> JoinHandle<()> {
    let mailbox = Arc::clone(mailbox);
    thread::spawn(move || {
        emit(&mailbox, message);
    })
}

/// They alternate, upwards first.
fn assert_in_turn(told: &[bool]) {
    for (place, above) in told.iter().enumerate() {
        assert_eq!(*above, place % 2 == 0, "{told:?}");
    }
}

fn push_beside_take(overflow: Overflow) {
    let (mailbox, told) = marked(2, overflow, 1);
    let publisher = pushing(&mailbox, Message(0, 0));
    let took = take(&mailbox);
    publisher.join().unwrap();
    let told = told.lock().unwrap();
    assert_in_turn(&told);
    // What waits is told last.
    assert_eq!(told.last() == Some(&true), !took, "{told:?}");
}

fn a_push_beside_a_take_leaves_the_mark_right() {
    push_beside_take(DropNewest);
}

fn a_latest_push_beside_a_take_leaves_the_mark_right() {
    push_beside_take(Latest);
}

fn two_pushes_cross_the_mark_once() {
    let (mailbox, told) = marked(2, DropNewest, 2);
    let publisher = pushing(&mailbox, Message(0, 0));
    emit(&mailbox, Message(1, 0));
    publisher.join().unwrap();
    assert_eq!(*told.lock().unwrap(), [true]);
}

fn two_takes_come_back_once() {
    let (mailbox, told) = marked(2, DropNewest, 2);
    emit(&mailbox, Message(0, 0));
    emit(&mailbox, Message(1, 0));
    let other = taking(&mailbox);
    assert!(take(&mailbox));
    assert!(other.join().unwrap());
    assert_eq!(*told.lock().unwrap(), [true, false]);
}
