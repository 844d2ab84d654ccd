//! A consumer that keeps books: what it does with events that come again, and with gaps.

use crate::Scene;
use crate::common::guarded;
use crate::database;
use crate::mailer::{Booked, Mailer};
use crate::relay::{ID, Signal};
use crate::step;

fn mailer(scene: &Scene) -> Mailer {
    let ledger = database::ledger(scene.dir()).unwrap();
    Mailer::new(ledger, &scene.bus, &scene.signals, 100, step::nobody()).unwrap()
}

/// Books what is in the queue, which ends the bus.
fn book(scene: &mut Scene, mailer: Mailer) -> Booked {
    scene.bus.close();
    let booked = guarded(|| mailer.run()).unwrap();
    scene.bus = chanbus::Bus::new();
    booked
}

#[test]
fn what_comes_again_is_known_by_its_number() {
    let mut scene = Scene::new();
    scene.orders(2);
    // The mailer does its work, and the relay dies before it hears of it.
    let (first, mut relay) = (mailer(&scene), scene.relay());
    relay.round().unwrap();
    drop(relay);
    let booked = book(&mut scene, first);
    assert_eq!((booked.new, booked.again), (4, 0));
    let books = scene.books();
    assert_eq!((books.unrelayed(), books.unreceived()), (4, 0));

    scene.orders(1);
    let (second, mut relay) = (mailer(&scene), scene.relay());
    relay.round().unwrap();
    let booked = book(&mut scene, second);
    assert_eq!((booked.new, booked.again, booked.early), (2, 4, 0));
    relay.round().unwrap();
    let books = scene.books();
    assert_eq!(books.complaints_at_the_end(), [""; 0]);
    assert_eq!((books.repetitions(), books.mails.len()), (4, 6));
}

#[test]
fn what_is_known_already_is_acknowledged_again() {
    let mut scene = Scene::new();
    scene.orders(1);
    for again in [0, 2] {
        let (mailer, mut relay) = (mailer(&scene), scene.relay());
        relay.round().unwrap();
        drop(relay);
        let news = scene.signals.subscribe("relay.done").unwrap();
        assert_eq!(book(&mut scene, mailer).again, again);
        assert_eq!(*news.try_recv().unwrap().payload(), Signal::Done(2));
    }
}

#[test]
fn who_joins_in_the_midst_waits_for_what_came_before() {
    let mut scene = Scene::new();
    scene.orders(2);
    // One that takes rows to the grave.
    let (lost, mut relay) = (scene.consumer(10), scene.relay());
    relay.round().unwrap();
    drop(lost);
    // The next joins when the relay is beyond them.
    let joined = mailer(&scene);
    scene.orders(1);
    relay.round().unwrap();
    relay.begin_again();
    relay.round().unwrap();
    let booked = book(&mut scene, joined);
    assert_eq!((booked.new, booked.again, booked.early), (6, 0, 2));
    relay.round().unwrap();
    assert_eq!(scene.books().complaints_at_the_end(), [""; 0]);
}

#[test]
fn an_event_without_a_number_is_no_event_of_the_outbox() {
    let scene = Scene::new();
    let mailer = mailer(&scene);
    let notice = crate::notice::Notice::Placed {
        order: 1,
        customer: "nobody".into(),
    };
    scene.bus.emit(notice.topic(), notice).unwrap();
    scene.bus.close();
    let error = guarded(|| mailer.run()).unwrap_err().to_string();
    assert!(error.contains(ID), "{error}");
    assert_eq!(scene.books().receptions.len(), 0);
}
