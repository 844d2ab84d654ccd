//! Each subscription knows the line of the user's code that made it, whichever way it was made.

use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use chanbus::{
    AnyPayload, Bus, Channel, Dispatcher, Handlers, SubscribeError, Subscription, Typed, TypedBus,
};

/// The place of this very call, for what stands on the same line.
#[track_caller]
fn here() -> (&'static str, u32) {
    let here = Location::caller();
    (here.file(), here.line())
}

fn place(location: &Location<'_>) -> (String, u32) {
    (location.file().to_owned(), location.line())
}

/// The place of the only subscription.
fn only<T: Send + Sync + 'static>(bus: &Bus<T>) -> (String, u32) {
    let stats = bus.stats();
    assert_eq!(stats.subscriptions.len(), 1);
    place(stats.subscriptions[0].location)
}

fn at(here: (&'static str, u32)) -> (String, u32) {
    (here.0.to_owned(), here.1)
}

struct Login;

impl Typed for Login {
    const TOPIC: &'static str = "login";
}

#[test]
#[rustfmt::skip]
fn a_subscription_has_the_line_of_subscribe() {
    let bus: Bus<u32> = Bus::new();
    let (sub, line) = (bus.subscribe("a").unwrap(), here());
    assert_eq!(place(sub.location()), at(line));
    assert_eq!(only(&bus), at(line));
    drop(sub);
    let (_sub, line) = (bus.subscribe_all().unwrap(), here());
    assert_eq!(only(&bus), at(line));
}

#[test]
#[rustfmt::skip]
fn a_builder_has_the_line_where_it_began() {
    let bus: Bus<u32> = Bus::new();
    let (builder, line) = (bus.subscription("a"), here());
    let _sub = builder
        .name("panel")
        .subscribe()
        .unwrap();
    assert_eq!(only(&bus), at(line));
}

#[test]
fn a_place_can_be_given_for_somebody_else() {
    #[track_caller]
    fn panel(bus: &Bus<u32>) -> Result<Subscription<u32>, SubscribeError> {
        let location = Location::caller();
        let subscribe = || bus.subscription("a").location(location).subscribe();
        subscribe()
    }
    let bus = Bus::new();
    let (_sub, line) = (panel(&bus).unwrap(), here());
    assert_eq!(only(&bus), at(line));
}

#[test]
#[rustfmt::skip]
fn further_handles_keep_the_first_place() {
    let bus: Bus<u32> = Bus::new();
    let (sub, line) = (bus.subscribe("a").unwrap(), here());
    let shared = sub.share();
    sub.set_patterns("b").unwrap();
    drop(sub);
    assert_eq!(place(shared.location()), at(line));
    // A closed one, too, as long as it is held.
    shared.close();
    assert_eq!(only(&bus), at(line));
}

#[test]
#[rustfmt::skip]
fn who_waits_for_one_event_has_the_line_of_the_wait() {
    let bus: Bus<u32> = Bus::new();
    let (future, line) = (bus.wait_for_async("a", |_| true), here());
    assert_eq!(only(&bus), at(line));
    drop(future);

    let waiting = bus.clone();
    let waiter = thread::spawn(move || {
        let line = line!() + 1;
        let event = waiting.wait_for("a", Duration::from_secs(60), |_| true);
        (line, event.is_ok())
    });
    while bus.subscriber_count() == 0 {
        thread::yield_now();
    }
    let seen = only(&bus);
    bus.emit("a", 1).unwrap();
    let (line, came) = waiter.join().unwrap();
    assert!(came);
    assert_eq!(seen, (file!().to_owned(), line));
}

#[test]
#[rustfmt::skip]
fn channels_hand_the_line_on() {
    let channel: Channel<u32> = Channel::new("news").unwrap();
    for sub in [
        (channel.subscribe("a").unwrap(), here()),
        (channel.subscribe_all().unwrap(), here()),
        (channel.subscription("a").subscribe().unwrap(), here()),
    ] {
        assert_eq!(place(sub.0.location()), at(sub.1));
    }
}

#[test]
#[rustfmt::skip]
fn typed_buses_hand_the_line_on() {
    let typed = TypedBus::new();
    let bus: &Bus<AnyPayload> = typed.bus();
    let (sub, line) = (typed.subscribe::<Login>().unwrap(), here());
    assert_eq!(only(bus), at(line));
    drop(sub);
    let (sub, line) = (typed.subscription::<Login>().name("x").subscribe().unwrap(), here());
    assert_eq!(only(bus), at(line));
    drop(sub);
    let (future, line) = (typed.wait_for_async::<Login>(|_| true), here());
    assert_eq!(only(bus), at(line));
    drop(future);

    let waiting = typed.clone();
    let waiter = thread::spawn(move || {
        let line = line!() + 1;
        let event = waiting.wait_for::<Login>(Duration::from_secs(60), |_| true);
        (line, event.is_ok())
    });
    while typed.subscriber_count() == 0 {
        thread::yield_now();
    }
    let seen = only(bus);
    typed.emit(Login).unwrap();
    assert_eq!(waiter.join().unwrap(), (seen.1, true));
    assert_eq!(seen.0, file!());
}

#[test]
#[rustfmt::skip]
fn a_dispatcher_has_the_line_where_it_was_made() {
    let bus: Bus<u32> = Bus::new();
    let handlers = Handlers::new();
    let (builder, line) = (Dispatcher::builder(&bus, &handlers), here());
    let dispatcher = builder
        .name("chat")
        .build()
        .unwrap();
    assert_eq!(only(&bus), at(line));
    drop(dispatcher);
}

#[test]
fn the_table_has_the_place_of_who_has_no_name() {
    let bus: Bus<u32> = Bus::new();
    let _named = bus.subscription("a").name("panel").subscribe().unwrap();
    let (_sub, line) = (bus.subscribe("b").unwrap(), here());
    let table = bus.stats().to_string();
    let row = |of: &str| table.lines().find(|row| row.starts_with(of)).unwrap();
    assert!(
        row("#1").ends_with(&format!("b  at {}:{}", line.0, line.1)),
        "{table}"
    );
    assert!(!row("panel").contains(" at "), "{table}");
}

#[test]
fn a_poll_that_waits_changes_nothing_of_the_place() {
    let bus: Bus<u32> = Bus::new();
    let (future, line) = (bus.wait_for_async("a", |_| true), here());
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    assert_eq!(only(&bus), at(line));
}

#[cfg(feature = "nats")]
#[test]
fn a_bridge_has_the_line_where_it_was_made() {
    let bus: Bus<u32> = Bus::new();
    let (builder, line) = (chanbus::Bridge::builder(&bus), here());
    // No server is there, and none is needed for that.
    let bridge = builder
        .servers(["nats://127.0.0.1:1"])
        .codec(chanbus::Json)
        .export("a")
        .start()
        .unwrap();
    assert_eq!(only(&bus), at(line));
    assert_eq!(bus.stats().subscriptions[0].name.as_deref(), Some("bridge"));
    drop(bridge);
    let named = chanbus::Bridge::builder(&bus).name("till-1").export("a");
    let named = named.servers(["nats://127.0.0.1:1"]).codec(chanbus::Json);
    let _bridge = named.start().unwrap();
    assert_eq!(bus.stats().subscriptions[0].name.as_deref(), Some("till-1"));
}

#[test]
#[rustfmt::skip]
fn publishers_and_taps_have_their_lines_and_clones_that_of_the_first() {
    let typed = TypedBus::new();
    let bus = typed.bus();
    let (publisher, published) = (typed.publisher::<Login>().unwrap(), here());
    let copy = publisher.clone();
    drop(publisher);
    let (_tap, tapped) = (typed.tap::<Login>(|_| {}).unwrap(), here());
    let view = bus.view();
    assert_eq!(view.publishers().len(), 1);
    assert_eq!(place(view.publishers()[0].location), at(published));
    assert_eq!(place(view.taps()[0].location), at(tapped));
    drop(copy);
    assert!(view.publishers().is_empty());
}
