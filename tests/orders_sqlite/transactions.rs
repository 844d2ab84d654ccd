//! An order and its events: all or nothing.

use chanbus::Commit;

use crate::shop::{Order, Refusal};
use crate::{ORDER, STOCK, Scene};

#[test]
fn an_order_and_its_events_are_there_together() {
    let scene = Scene::new();
    scene.orders(1);
    // Held against each other by the audit.
    let books = scene.books();
    assert_eq!((books.orders.len(), books.rows.len()), (1, 2));
    assert_eq!(books.unrelayed(), 2);
    let left = i64::from(STOCK - ORDER.count);
    assert_eq!(books.stock, [("apple".into(), i64::from(STOCK), left)]);
}

#[test]
fn a_failing_statement_leaves_neither_rows_nor_events() {
    let scene = Scene::new();
    let mut shop = scene.shop();
    shop.place(&ORDER, Commit::Real).unwrap();
    let before = scene.books();

    // The order and its first event are written when the stock refuses.
    let much = Order {
        count: STOCK,
        ..ORDER
    };
    let refused = shop.place(&much, Commit::Real);
    assert!(
        matches!(refused, Err(Refusal::OutOfStock(_))),
        "{refused:?}"
    );
    let unknown = Order {
        item: "gold",
        ..ORDER
    };
    let refused = shop.place(&unknown, Commit::Real);
    assert!(
        matches!(refused, Err(Refusal::UnknownItem(_))),
        "{refused:?}"
    );
    assert_eq!(scene.books(), before);

    // And when the last event is refused everything else is written.
    let database = scene.database();
    let trigger = "CREATE TRIGGER wall BEFORE INSERT ON outbox WHEN new.topic = 'stock.reserved'
                   BEGIN SELECT RAISE(ABORT, 'no'); END";
    database.execute_batch(trigger).unwrap();
    let refused = shop.place(&ORDER, Commit::Real);
    assert!(matches!(refused, Err(Refusal::Database(_))), "{refused:?}");
    assert_eq!(scene.books(), before);

    // The same order, without the wall.
    database.execute_batch("DROP TRIGGER wall").unwrap();
    shop.place(&ORDER, Commit::Real).unwrap();
    let after = scene.books();
    assert_eq!((after.orders.len(), after.rows.len()), (2, 4));
}

#[test]
fn a_dry_run_tries_everything_and_writes_nothing() {
    let scene = Scene::new();
    let mut shop = scene.shop();
    let before = scene.books();
    let tried = shop.place(&ORDER, Commit::DryRun).unwrap();
    assert_eq!(scene.books(), before);
    // It fails where the real one would.
    let much = Order {
        count: STOCK + 1,
        ..ORDER
    };
    let refused = shop.place(&much, Commit::DryRun);
    assert!(
        matches!(refused, Err(Refusal::OutOfStock(_))),
        "{refused:?}"
    );
    assert_eq!(scene.books(), before);
    // And it says what the real one does.
    assert_eq!(shop.place(&ORDER, Commit::Real).unwrap(), tried);
    assert_eq!(scene.books().rows.len(), 2);
}

#[test]
fn only_what_is_committed_is_told() {
    let scene = Scene::new();
    let news = scene.signals.subscribe("relay.committed").unwrap();
    let mut shop = scene.shop();
    shop.place(&ORDER, Commit::DryRun).unwrap();
    let much = Order {
        count: STOCK + 1,
        ..ORDER
    };
    shop.place(&much, Commit::Real).unwrap_err();
    assert!(news.try_recv().is_err());
    shop.place(&ORDER, Commit::Real).unwrap();
    assert!(news.try_recv().is_ok());

    // With nobody to tell, the order stands nevertheless.
    scene.signals.close();
    shop.place(&ORDER, Commit::Real).unwrap();
    assert_eq!(scene.books().orders.len(), 2);
}
