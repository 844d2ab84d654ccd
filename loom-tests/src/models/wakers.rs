//! Consumers that are tasks: who is called, and by whom.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::thread::{self, JoinHandle, yield_now};

use super::mailbox::{Message, Shared, consume, emit, mailbox, publish, take_one};
use super::models;
use crate::bus::overflow::Overflow::{DropNewest, Latest};
use crate::bus::subscriber::{Mailbox, Popped, Spent, Waiter};
use crate::sync::AtomicBool;

// With a number: so many preemptions fewer.
models![
    a_push_calls_a_task,
    a_latest_message_calls_a_task,
    close_calls_a_task,
    close_calls_all_tasks: 2,
    two_pushes_call_two_tasks: 2,
    a_push_calls_a_task_beside_a_thread: 1,
    a_task_that_goes_after_its_call_passes_it_on: 1,
    a_task_that_finds_another_message_passes_its_call_on: 1,
    the_end_reaches_tasks_and_threads: 2,
];

fn see_to(spent: Spent) {
    match spent {
        Spent::Call(waker) => waker.wake(),
        Spent::Drop(waker) => drop(waker),
    }
}

/// A task's side, as `bus/receive.rs` has it.
struct Task {
    mailbox: Shared,
    finished: AtomicBool,
    waiter: Waiter,
}

impl Task {
    fn new(mailbox: &Shared) -> Self {
        Task {
            mailbox: Arc::clone(mailbox),
            finished: AtomicBool::new(false),
            waiter: Waiter::default(),
        }
    }

    fn poll(&mut self, waker: &Waker) -> Poll<Option<Message>> {
        let mailbox = &self.mailbox;
        match mailbox.poll_pop(&self.finished, &mut self.waiter, waker, &mut see_to) {
            Popped::Message(message) => Poll::Ready(Some(message)),
            Popped::Empty => Poll::Pending,
            Popped::Ended => Poll::Ready(None),
        }
    }

    fn next(&mut self) -> Option<Message> {
        block_on(std::future::poll_fn(|context: &mut Context<'_>| {
            self.poll(context.waker())
        }))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.mailbox.give_up(&mut self.waiter, &mut see_to);
    }
}

/// Takes one, and goes.
fn task_for_one(mailbox: &Shared) -> JoinHandle<bool> {
    let mut task = Task::new(mailbox);
    thread::spawn(move || task.next().is_some())
}

fn close(mailbox: &Mailbox<Message>) {
    mailbox.close();
    while let Some(waker) = mailbox.call_next() {
        waker.wake();
    }
}

fn a_push_calls_a_task() {
    let mailbox = mailbox(1, DropNewest);
    let task = task_for_one(&mailbox);
    emit(&mailbox, Message(0, 0));
    assert!(task.join().unwrap());
}

fn a_latest_message_calls_a_task() {
    let mailbox = mailbox(1, Latest);
    let task = task_for_one(&mailbox);
    emit(&mailbox, Message(0, 0));
    assert!(task.join().unwrap());
}

fn close_calls_a_task() {
    let mailbox = mailbox(1, DropNewest);
    let task = task_for_one(&mailbox);
    close(&mailbox);
    assert!(!task.join().unwrap());
}

fn close_calls_all_tasks() {
    let mailbox = mailbox(1, DropNewest);
    let tasks = [task_for_one(&mailbox), task_for_one(&mailbox)];
    yield_now();
    close(&mailbox);
    tasks
        .into_iter()
        .for_each(|task| assert!(!task.join().unwrap()));
}

fn two_pushes_call_two_tasks() {
    let mailbox = mailbox(2, DropNewest);
    let tasks = [task_for_one(&mailbox), task_for_one(&mailbox)];
    // The others first: it spares a preemption.
    yield_now();
    emit(&mailbox, Message(0, 0));
    emit(&mailbox, Message(0, 1));
    tasks
        .into_iter()
        .for_each(|task| assert!(task.join().unwrap()));
}

fn a_push_calls_a_task_beside_a_thread() {
    let mailbox = mailbox(2, DropNewest);
    let task = task_for_one(&mailbox);
    let sleeper = take_one(&mailbox);
    yield_now();
    emit(&mailbox, Message(0, 0));
    emit(&mailbox, Message(0, 1));
    assert!(task.join().unwrap());
    assert_eq!(sleeper.join().unwrap(), 1);
}

fn a_task_that_goes_after_its_call_passes_it_on() {
    let mailbox = mailbox(1, DropNewest);
    let mut gone = Task::new(&mailbox);
    // It waits, and is first in the list.
    assert!(gone.poll(Waker::noop()).is_pending());
    let task = task_for_one(&mailbox);
    let publisher = publish(&mailbox, Message(0, 0));
    drop(gone);
    publisher.join().unwrap();
    assert!(task.join().unwrap());
}

fn a_task_that_finds_another_message_passes_its_call_on() {
    let mailbox = mailbox(2, DropNewest);
    let mut first = Task::new(&mailbox);
    // Between its two looks a message comes, and nobody is called for it.
    emit(&mailbox, Message(0, 0));
    mailbox.enrol(&mut first.waiter, Waker::noop(), &mut see_to);
    let finder = thread::spawn(move || {
        let _ = first.mailbox.try_pop(&first.finished);
    });
    let task = task_for_one(&mailbox);
    emit(&mailbox, Message(0, 1));
    finder.join().unwrap();
    assert!(task.join().unwrap());
}

fn the_end_reaches_tasks_and_threads() {
    let mailbox = mailbox(1, DropNewest);
    let task = task_for_one(&mailbox);
    let sleeper = consume(&mailbox);
    yield_now();
    close(&mailbox);
    assert!(!task.join().unwrap());
    assert_eq!(sleeper.join().unwrap(), 0);
}
