//! From the table to the bus, a round at a time.

use std::time::Duration;

use crate::common::guarded;
use crate::relay::{Relay, STOP, Signal, State};
use crate::{Scene, id, ids};

fn round(relay: &mut Relay) -> State {
    relay.round().unwrap()
}

#[test]
fn a_row_is_marked_when_its_consumer_is_done_and_not_before() {
    let scene = Scene::new();
    let (consumer, done) = (scene.consumer(10), scene.done());
    let mut relay = scene.relay();
    assert_eq!(round(&mut relay), State::Done);
    scene.orders(2);
    assert_eq!(round(&mut relay), State::Waiting);
    // In the queue, and then taken: neither is enough.
    assert_eq!(scene.books().unrelayed(), 4);
    assert_eq!(ids(&consumer), [1, 2, 3, 4]);
    assert_eq!(round(&mut relay), State::Waiting);
    assert_eq!(scene.books().unrelayed(), 4);

    let database = scene.database();
    let marked = || crate::outbox::relayed_up_to(&database).unwrap();
    done.emit(Signal::Done(1)).unwrap();
    assert_eq!(round(&mut relay), State::Waiting);
    assert_eq!(marked(), 1);
    // Of acknowledgements the latest is enough, and an old one takes nothing back.
    done.emit(Signal::Done(2)).unwrap();
    done.emit(Signal::Done(4)).unwrap();
    assert_eq!(round(&mut relay), State::Done);
    assert_eq!(marked(), 4);
    done.emit(Signal::Done(3)).unwrap();
    assert_eq!(round(&mut relay), State::Done);
    assert_eq!(marked(), 4);
    assert!(consumer.is_empty(), "nothing came again");
}

#[test]
fn a_relay_begins_where_the_one_before_was_in_order() {
    let scene = Scene::new();
    scene.orders(3);
    let consumer = scene.consumer(10);
    let mut relay = scene.relay();
    round(&mut relay);
    assert_eq!(ids(&consumer), [1, 2, 3, 4, 5, 6]);
    scene.done().emit(Signal::Done(3)).unwrap();
    round(&mut relay);
    // As a crash does: what was in memory is gone.
    drop((relay, consumer));

    let consumer = scene.consumer(10);
    let mut relay = scene.relay();
    assert_eq!(round(&mut relay), State::Waiting);
    assert_eq!(ids(&consumer), [4, 5, 6]);
}

#[test]
fn what_is_committed_while_there_is_no_relay_is_relayed_by_the_next() {
    let scene = Scene::new();
    let consumer = scene.consumer(10);
    scene.orders(2);
    let mut relay = scene.relay();
    // No news came of these.
    scene.orders(1);
    round(&mut relay);
    assert_eq!(ids(&consumer), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_full_queue_keeps_rows_and_they_come_in_order() {
    let scene = Scene::new();
    scene.orders(3);
    let (consumer, done) = (scene.consumer(2), scene.done());
    let mut relay = scene.relay();
    let mut received = Vec::new();
    assert_eq!(round(&mut relay), State::Full);
    assert_eq!(round(&mut relay), State::Full);
    assert_eq!(scene.books().unrelayed(), 6);
    while received.len() < 6 {
        // Room for one more.
        received.push(id(&consumer.try_recv().unwrap()));
        round(&mut relay);
    }
    assert_eq!(received, [1, 2, 3, 4, 5, 6]);
    assert_eq!(scene.books().unrelayed(), 6);
    done.emit(Signal::Done(6)).unwrap();
    assert_eq!(round(&mut relay), State::Done);
    assert_eq!(crate::outbox::relayed_up_to(&scene.database()).unwrap(), 6);
    // The refusals are the bus's own count, too: twice at the first, once at each but the last two.
    assert_eq!(scene.bus.stats().dropped, 5);
}

#[test]
fn a_row_that_one_queue_refuses_comes_again_to_all() {
    let scene = Scene::new();
    scene.orders(1);
    let (roomy, tight) = (scene.consumer(10), scene.consumer(1));
    let mut relay = scene.relay();
    assert_eq!(round(&mut relay), State::Full);
    assert_eq!(round(&mut relay), State::Full);
    assert_eq!(id(&tight.try_recv().unwrap()), 1);
    assert_eq!(round(&mut relay), State::Waiting);
    assert_eq!(ids(&tight), [2]);
    assert_eq!(ids(&roomy), [1, 2, 2, 2]);
}

#[test]
fn rows_that_nobody_wants_wait() {
    let scene = Scene::new();
    scene.orders(1);
    let mut relay = scene.relay();
    assert_eq!(round(&mut relay), State::Alone);
    // One that wants only later rows is none, either.
    let reserved = scene.bus.subscribe("stock.reserved").unwrap();
    assert_eq!(round(&mut relay), State::Alone);
    assert!(reserved.is_empty());
    drop(reserved);
    let consumer = scene.consumer(10);
    assert_eq!(round(&mut relay), State::Waiting);
    assert_eq!(ids(&consumer), [1, 2]);
}

#[test]
fn a_relay_that_shall_end_says_so_if_nobody_takes_what_is_left() {
    let scene = Scene::new();
    scene.orders(1);
    let relay = scene.relay();
    scene.signals.emit(STOP, Signal::Stop).unwrap();
    guarded(|| relay.run()).unwrap_err();
    assert_eq!(scene.books().unrelayed(), 2);
}

#[test]
fn acknowledgements_that_stay_out_make_it_begin_again() {
    let scene = Scene::new();
    scene.orders(2);
    let (consumer, done) = (scene.consumer(10), scene.done());
    let mut relay = scene.impatient_relay(Duration::ZERO);
    round(&mut relay);
    done.emit(Signal::Done(2)).unwrap();
    round(&mut relay);
    assert_eq!(ids(&consumer), [1, 2, 3, 4, 3, 4]);
    // One that comes late counts nevertheless.
    done.emit(Signal::Done(4)).unwrap();
    assert_eq!(round(&mut relay), State::Done);
}

#[test]
fn a_row_that_cannot_be_read_is_not_left_out() {
    let scene = Scene::new();
    scene.orders(2);
    let consumer = scene.consumer(10);
    let spoil = "UPDATE outbox SET payload = '?' WHERE id = 2";
    scene.database().execute_batch(spoil).unwrap();
    let mut relay = scene.relay();
    let error = relay.round().unwrap_err().to_string();
    assert!(error.contains("row 2"), "{error}");
    relay.round().unwrap_err();
    assert_eq!(ids(&consumer), [1]);
}
