//! The audit that the crash test stands on finds what it is there to find.

use crate::audit::{Books, Received};
use crate::common::guarded;
use crate::step;
use crate::works::Works;
use crate::{ORDER, Scene};

/// Books of five orders, all relayed.
fn good() -> Books {
    let scene = Scene::new();
    scene.orders(5);
    let dir = scene.dir().to_owned();
    let done = guarded(move || {
        let works = Works::start(&dir, 4, &step::nobody()).unwrap();
        works.finish().unwrap()
    });
    assert_eq!(
        (done.booked.new, done.stats.dropped),
        (10, done.relayed.refused)
    );
    scene.books()
}

#[test]
fn the_audit_finds_what_is_wrong() {
    let good = good();
    assert_eq!(good.complaints_at_the_end(), [""; 0]);
    type Spoil = fn(&mut Books);
    let spoils: [(&str, Spoil); 14] = [
        ("an event lost in the middle", |books| {
            books.receptions.remove(4);
            books.mails.remove(4);
        }),
        ("the last event lost", |books| {
            books.receptions.pop();
            books.mails.pop();
        }),
        ("two events swapped", |books| books.receptions.swap(2, 3)),
        ("an event invented", |books| {
            books.receptions.push(Received {
                id: 11,
                ..books.receptions[9].clone()
            });
            books.mails.push(11);
        }),
        ("another payload", |books| {
            books.receptions[3].payload = books.receptions[5].payload.clone();
        }),
        ("another topic", |books| books.receptions[3].topic.push('x')),
        ("no mail for an event", |books| {
            books.mails.remove(5);
        }),
        ("two mails for an event", |books| books.mails.insert(5, 5)),
        ("a mail for none", |books| books.mails.push(11)),
        ("an order without events", |books| {
            books.orders.push(books.orders[4].clone());
        }),
        ("events without an order", |books| drop(books.orders.pop())),
        ("events of another order", |books| {
            books.orders[2].count += 1
        }),
        ("a mark with a gap before it", |books| {
            books.rows[5].relayed = false;
        }),
        ("stock that went elsewhere", |books| books.stock[0].2 -= 1),
    ];
    for (what, spoil) in spoils {
        let mut books = good.clone();
        spoil(&mut books);
        assert_ne!(books, good, "{what}");
        assert!(!books.complaints().is_empty(), "{what}");
    }
}

#[test]
fn what_is_on_its_way_is_no_complaint_until_the_end() {
    let mut books = good();
    // The last event: received and not marked, then not received.
    books.rows[9].relayed = false;
    assert_eq!(books.complaints(), [""; 0]);
    assert_eq!(books.complaints_at_the_end().len(), 1);
    books.receptions.pop();
    books.mails.pop();
    assert_eq!(books.complaints(), [""; 0]);
    assert_eq!(books.complaints_at_the_end().len(), 2);
    // One that comes again is none at all.
    books.receptions.insert(5, books.receptions[0].clone());
    assert_eq!(books.repetitions(), 1);
    assert_eq!(books.complaints(), [""; 0]);
    assert_eq!(books.orders[0].count, ORDER.count);
}
