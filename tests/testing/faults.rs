//! What goes wrong when it is told to.

use std::sync::{Arc, Mutex};
use std::thread;

use chanbus::{Bus, Emitter, Event, Fault, Handlers, Overflow, PanicPlace, Subscription};

use crate::common::POLICIES;

#[test]
fn a_panic_at_the_third_event_is_told_with_its_topic_and_the_sums_hold() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let bus = Bus::builder().on_panic(move |panic| {
        let topic = panic.topic().map(ToString::to_string);
        tell.lock()
            .unwrap()
            .push((panic.place(), topic, panic.message().to_owned()));
    });
    let bus = bus.build().unwrap();
    let fault = Fault::panic().at(3);
    let sub = bus
        .subscription("n.*")
        .filter(fault.filter())
        .subscribe()
        .unwrap();
    for n in 0..5 {
        bus.emit(format!("n.n{n}"), n).unwrap();
    }
    let told = told.lock().unwrap().clone();
    let message = "a fault at event 3, `n.n2`".to_owned();
    assert_eq!(
        told,
        [(PanicPlace::Filter, Some("n.n2".to_owned()), message)]
    );
    assert_eq!(
        (sub.received(), sub.filtered(), sub.filter_panics()),
        (4, 1, 1)
    );
    assert_eq!((fault.seen(), fault.struck()), (5, 1));
}

#[test]
fn from_an_event_on_all_are_struck_and_at_zero_none() {
    let strikes =
        |fault: Fault| -> Vec<bool> { (0..4).map(|_| fault.strike("x").is_err()).collect() };
    assert_eq!(strikes(Fault::error("no")), [true; 4]);
    assert_eq!(
        strikes(Fault::error("no").at(1)),
        [true, false, false, false]
    );
    assert_eq!(
        strikes(Fault::error("no").from(3)),
        [false, false, true, true]
    );
    assert_eq!(strikes(Fault::error("no").at(0)), [false; 4]);
}

#[test]
fn clones_and_what_is_made_of_one_count_together() {
    let bus = Bus::new();
    let fault = Fault::panic().at(1_000);
    let subs: Vec<_> = (0..2)
        .map(|_| {
            bus.subscription("n")
                .capacity(1_000)
                .filter(fault.filter())
                .subscribe()
                .unwrap()
        })
        .collect();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let bus = bus.clone();
            thread::spawn(move || (0..250).for_each(|n| drop(bus.emit("n", n))))
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!((fault.seen(), fault.struck()), (2_000, 1));
    assert_eq!(subs.iter().map(Subscription::filter_panics).sum::<u64>(), 1);
}

#[test]
fn in_a_tap_both_a_panic_and_an_error_are_panics() {
    for fault in [Fault::panic(), Fault::error("no disk")] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let bus = Bus::builder().on_panic(move |panic| {
            tell.lock().unwrap().push(panic.place());
        });
        let bus = bus.build().unwrap();
        let _tap = bus.tap("a", fault.at(2).tap()).unwrap();
        bus.publisher("a").unwrap().emit_batch([1, 2, 3]).unwrap();
        assert_eq!(*told.lock().unwrap(), [PanicPlace::Tap]);
    }
}

#[test]
fn a_handler_fails_at_its_event_and_the_others_run() {
    let handlers = Handlers::new();
    let (error, panic) = (Fault::error("no disk").at(2), Fault::panic().at(3));
    handlers
        .on("a")
        .name("save")
        .handle(error.handler())
        .unwrap();
    handlers
        .on("a")
        .name("show")
        .handle(panic.handler())
        .unwrap();
    handlers.on("a").call(Fault::run(|| ()).tap()).unwrap();
    let emitter = Emitter::inline(&handlers);
    let reports: Vec<_> = (0..3).map(|n| emitter.emit("a", n).unwrap()).collect();
    assert!(reports.iter().all(|report| report.called == 3));
    let said = |n: usize| reports[n].errors[0].to_string();
    assert!(reports[0].is_ok() && said(1).contains("no disk (a fault at event 2, `a`)"));
    assert!(reports[2].errors[0].is_panic() && said(2).contains("show"));
}

#[test]
fn a_middleware_blocks_its_event() {
    let handlers = Handlers::new();
    let _error = handlers.middleware(Fault::error("no").at(1).middleware());
    let _panic = handlers.middleware(Fault::panic().at(1).middleware());
    handlers.on("a").call(|_| {}).unwrap();
    let emitter = Emitter::inline(&handlers);
    let blocked: Vec<_> = (0..3)
        .map(|n| emitter.emit("a", n).unwrap().blocked)
        .collect();
    assert_eq!(blocked, [true, true, false]);
    assert_eq!(handlers.stats().blocked, 2);
}

#[test]
fn a_bus_closes_at_its_event_and_is_not_kept_open_for_it() {
    let bus = Bus::new();
    let sub = bus.subscribe("a").unwrap();
    let tap = bus.tap("a", Fault::close(&bus).at(2).tap()).unwrap();
    bus.emit("a", 1).unwrap();
    bus.emit("a", 2).unwrap();
    assert!(bus.emit("a", 3).unwrap_err().is_closed());
    assert_eq!(sub.iter().count(), 2, "what was queued is there");
    drop(tap);

    let bus = Bus::<u32>::new();
    let fault = Fault::close(&bus);
    let sub = bus.subscribe("a").unwrap();
    drop(bus);
    assert!(sub.is_closed());
    fault.strike("a").unwrap();
}

fn filler(n: usize) -> Event<usize> {
    Event::new(format!("filler.f{n}"), n).unwrap()
}

#[test]
fn a_full_queue_does_what_its_policy_says() {
    for policy in POLICIES {
        let bus = Bus::new();
        let sub = bus
            .subscription("row")
            .capacity(3)
            .overflow(policy)
            .subscribe()
            .unwrap();
        assert_eq!(sub.fill(filler), 3, "{policy:?}");
        let emitted = bus.emit("row", 7).unwrap();
        let oldest = policy == Overflow::DropOldest;
        assert_eq!(
            (emitted.dropped, emitted.evicted),
            (usize::from(!oldest), usize::from(oldest))
        );
        assert_eq!(
            (sub.received(), sub.dropped(), sub.len()),
            (3, 1, 3),
            "{policy:?}"
        );
        assert_eq!(sub.matched(), sub.received() + sub.dropped());
    }
}

#[test]
fn to_fill_stops_where_it_does_not_get_on() {
    let bus = Bus::new();
    let closed = bus.subscribe("a").unwrap();
    closed.close();
    assert_eq!(closed.fill(filler), 0);
    let picky = bus.subscription("a").filter(|event| *event.payload() < 2);
    let picky = picky.subscribe().unwrap();
    assert_eq!((picky.fill(filler), picky.filtered()), (2, 1));
    let latest = bus
        .subscription("a")
        .capacity(5)
        .overflow(Overflow::Latest)
        .subscribe()
        .unwrap();
    let same = |n| Event::new("same", n).unwrap();
    assert_eq!(latest.fill(same), 1);
    let half = bus.subscription("b").capacity(4).subscribe().unwrap();
    bus.emit("b", 1).unwrap();
    assert_eq!((half.fill(filler), half.received()), (4, 4));
    assert_eq!(half.fill(filler), 4, "again is nothing more");
}

#[test]
fn what_is_injected_wakes_who_waits() {
    let bus = Bus::<usize>::new();
    let sub = bus.subscribe("a").unwrap();
    let reader = sub.share();
    let thread = thread::spawn(move || reader.recv().map(|event| *event.payload()));
    assert_eq!(sub.inject(filler(7)).delivered, 1);
    assert_eq!(thread.join().unwrap(), Ok(7));
}
