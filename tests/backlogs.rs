//! Subscriptions that fall behind are told of once, and once when they are back (section 9, "slow consumers speak").
// What fails here fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use BacklogLevel::{High, Low};
use chanbus::{
    Backlog, BacklogLevel, Bus, Dispatcher, Drain, Handlers, Overflow, SubscribeError, Subscription,
};
use common::guarded;

fn bus() -> Bus<u32> {
    Bus::builder().name("shop").build().unwrap()
}

/// What was told since this was last asked.
fn told(news: &Subscription<Backlog>) -> Vec<(BacklogLevel, usize)> {
    let told = news.try_iter().map(|event| event.payload().clone());
    told.map(|told| (told.level, told.depth)).collect()
}

fn emit(bus: &Bus<u32>, count: u32) {
    for n in 0..count {
        bus.emit("n", n).unwrap();
    }
}

fn take(sub: &Subscription<u32>, count: usize) {
    assert_eq!(sub.try_iter().take(count).count(), count);
}

#[test]
fn each_crossing_is_told_once_in_both_directions() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let bus = bus();
        let news = bus.backlogs().subscribe("**").unwrap();
        let sub = bus.subscription("n").capacity(8).overflow(overflow);
        let sub = sub.high_water(6).low_water(2).subscribe().unwrap();
        emit(&bus, 5);
        assert_eq!(told(&news), []);
        emit(&bus, 1);
        assert_eq!(told(&news), [(High, 6)]);
        // Up and down between the marks, and far beyond: nothing new.
        take(&sub, 3);
        emit(&bus, 20);
        assert_eq!((told(&news), sub.len()), (vec![], 8));
        take(&sub, 5);
        assert_eq!(told(&news), []);
        take(&sub, 1);
        assert_eq!(told(&news), [(Low, 2)]);
        take(&sub, 2);
        assert_eq!(told(&news), []);
        emit(&bus, 6);
        assert_eq!(told(&news), [(High, 6)]);
    }
}

#[test]
fn stats_have_the_mark_and_say_who_is_behind() {
    let bus = bus();
    let sub = bus.subscription("n").capacity(6).high_water(4).low_water(1);
    let sub = sub.subscribe().unwrap();
    let _other = bus.subscribe("n").unwrap();
    let seen = || {
        let stats = bus.stats().subscriptions;
        (stats[0].high_water, stats[0].behind, stats[0].depth)
    };

    emit(&bus, 3);
    assert_eq!(seen(), (Some(4), false, 3));
    emit(&bus, 1);
    assert_eq!(seen(), (Some(4), true, 4));
    take(&sub, 2);
    assert_eq!(
        seen(),
        (Some(4), true, 2),
        "between its marks, still behind"
    );
    take(&sub, 1);
    assert_eq!(seen(), (Some(4), false, 1));

    let other = &bus.stats().subscriptions[1];
    assert_eq!((other.high_water, other.behind), (None, false));
}

#[test]
fn what_is_told_names_the_subscription_its_place_and_its_losses() {
    let bus = bus();
    let news = bus.backlogs().subscribe("backlog.*").unwrap();
    let (sub, line) = (bus.subscription("n").name("mailer"), line!());
    let sub = sub
        .capacity(2)
        .high_water(2)
        .low_water(0)
        .subscribe()
        .unwrap();
    emit(&bus, 1);
    bus.publisher("n").unwrap().emit_batch([1, 2, 3]).unwrap();
    let event = news.try_recv().unwrap();
    assert_eq!(event.topic(), "backlog.high");
    let first = event.payload();
    assert_eq!(first.bus.as_deref(), Some("shop"));
    assert_eq!(first.name.as_deref(), Some("mailer"));
    assert_eq!(first.subscription, bus.stats().subscriptions[0].id);
    assert_eq!(
        (first.location.file(), first.location.line()),
        (file!(), line)
    );
    assert_eq!((first.high, first.low, first.capacity), (2, 0, 2));
    assert_eq!(
        first.to_string(),
        format!(
            "subscription `mailer` of bus `shop`, made at {}: 2 of 2 events wait, \
             at its high-water mark of 2 or above; 2 dropped",
            first.location
        )
    );
    take(&sub, 2);
    let event = news.try_recv().unwrap();
    assert_eq!(event.topic(), "backlog.low");
    assert!(
        event
            .payload()
            .to_string()
            .ends_with(": 0 of 2 events wait, back at its low-water mark of 0 or below; 2 dropped")
    );
    // Without names, by number.
    let bus: Bus<u32> = Bus::new();
    let news = bus.backlogs().subscribe("**").unwrap();
    let _sub = bus
        .subscription("n")
        .capacity(1)
        .high_water(1)
        .subscribe()
        .unwrap();
    emit(&bus, 1);
    let text = news.try_recv().unwrap().payload().to_string();
    assert!(
        text.starts_with("subscription 0, made at tests/backlogs.rs:"),
        "{text}"
    );
}

#[test]
fn every_way_in_and_every_way_out_looks_at_the_mark() {
    type In = fn(&Bus<u32>);
    let ways_in: [In; 6] = [
        |bus| emit(bus, 3),
        |bus| {
            bus.publisher("n").unwrap().emit_batch([1, 2, 3]).unwrap();
        },
        |bus| {
            let mut batch = bus.start_batch();
            (0..3).for_each(|n| batch.emit("n", n).unwrap());
            batch.commit().unwrap();
        },
        |bus| {
            for n in 0..3 {
                let patience = std::time::Duration::from_secs(9);
                bus.emit_within("n", n, patience).unwrap();
            }
        },
        |bus| {
            let from = Bus::new();
            let _pipe = from.pipe_to(bus, "n").unwrap();
            emit(&from, 3);
        },
        |bus| {
            let publisher = bus.publisher("n").unwrap();
            (0..3).for_each(|n| {
                publisher.emit(n).unwrap();
            });
        },
    ];
    type Out = fn(Subscription<u32>);
    let ways_out: [Out; 5] = [
        |sub| (0..3).for_each(|_| drop(sub.recv().unwrap())),
        |sub| assert!(sub.recv_batch(&mut Vec::new(), 3).is_ok()),
        |sub| {
            for _ in 0..3 {
                futures_lite::future::block_on(sub.recv_async()).unwrap();
            }
        },
        |sub| {
            let shared = sub.share();
            drop(sub);
            take(&shared, 3);
        },
        drop,
    ];
    for (at, way_in) in ways_in.iter().enumerate() {
        for (to, way_out) in ways_out.iter().enumerate() {
            for batches in [false, true] {
                let bus = bus();
                let news = bus.backlogs().subscribe("**").unwrap();
                let mut sub = bus.subscription("n").capacity(4).high_water(3).low_water(0);
                if batches {
                    sub = sub.keep_batches();
                }
                let sub = sub.subscribe().unwrap();
                way_in(&bus);
                assert_eq!(told(&news), [(High, 3)], "way in {at}");
                way_out(sub);
                assert_eq!(told(&news), [(Low, 0)], "way out {to}");
            }
        }
    }
}

#[test]
fn the_latest_of_each_topic_has_marks_too() {
    let bus = bus();
    let news = bus.backlogs().subscribe("**").unwrap();
    let sub = bus
        .subscription("**")
        .overflow(Overflow::Latest)
        .capacity(4);
    let sub = sub.high_water(2).low_water(0).subscribe().unwrap();
    for n in 0..9 {
        bus.emit("a", n).unwrap();
    }
    assert_eq!(told(&news), []);
    bus.emit("b", 1).unwrap();
    assert_eq!(told(&news), [(High, 2)]);
    take(&sub, 2);
    assert_eq!(told(&news), [(Low, 0)]);
}

#[test]
fn marks_out_of_range_are_refused_and_the_error_says_how_to_mend_it() {
    let bus = bus();
    let sub = || bus.subscription("n").capacity(4);
    for (builder, mend) in [
        (
            sub().high_water(0),
            "`SubscriptionBuilder::high_water` 1 to 4",
        ),
        (sub().high_water(5), "SubscriptionBuilder::capacity"),
        (
            sub().high_water(3).low_water(3),
            "`SubscriptionBuilder::low_water` less",
        ),
        (sub().low_water(1), "`SubscriptionBuilder::high_water`"),
    ] {
        let error = builder.subscribe().unwrap_err();
        assert!(error.to_string().contains(mend), "{error}");
    }
    assert_eq!(
        sub().high_water(5).subscribe().unwrap_err(),
        SubscribeError::BadHighWater {
            high: 5,
            capacity: 4
        }
    );
    // The smallest.
    let sub = bus
        .subscription("n")
        .capacity(1)
        .high_water(1)
        .subscribe()
        .unwrap();
    let news = bus.backlogs().subscribe("**").unwrap();
    emit(&bus, 2);
    take(&sub, 1);
    assert_eq!(told(&news), [(High, 1), (Low, 0)]);
    assert_eq!(
        bus.stats().subscribers,
        1,
        "those that were refused took no slot"
    );
}

#[test]
fn p3_what_is_told_comes_after_the_event_is_in_all_queues() {
    let bus = bus();
    let slow = bus
        .subscription("n")
        .capacity(4)
        .high_water(1)
        .subscribe()
        .unwrap();
    let other = Arc::new(bus.subscribe("n").unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let _tap = {
        let (other, seen) = (Arc::clone(&other), Arc::clone(&seen));
        let note = move |_: &chanbus::Event<Backlog>| seen.lock().unwrap().push(other.len());
        bus.backlogs().tap("**", note).unwrap()
    };
    emit(&bus, 1);
    assert_eq!(*seen.lock().unwrap(), [1]);
    drop(slow);
}

#[test]
fn who_is_told_may_emit_take_drop_and_panic() {
    let bus = bus();
    let sub = Arc::new(Mutex::new(Some(
        bus.subscription("n")
            .capacity(64)
            .high_water(2)
            .low_water(0)
            .subscribe()
            .unwrap(),
    )));
    let calls = Arc::new(AtomicUsize::new(0));
    let _tap = {
        let (weak, calls) = (bus.downgrade(), Arc::clone(&calls));
        let answer = move |event: &chanbus::Event<Backlog>| {
            calls.fetch_add(1, Ordering::SeqCst);
            if event.payload().level == High
                && let Some(bus) = weak.upgrade()
            {
                // Crosses nothing that is not crossed, and comes back into the same mark.
                emit(&bus, 2);
            }
            panic!("told");
        };
        bus.backlogs().tap("**", answer).unwrap()
    };
    emit(&bus, 2);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(sub.lock().unwrap().as_ref().unwrap().len(), 4);
    let gone = sub.lock().unwrap().take();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(gone))).is_ok());
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    emit(&bus, 1);
}

/// A subscription that is behind when one waits, and what to do with it when that is told. How often it was told.
fn answered(
    answer: impl Fn(BacklogLevel, &Bus<u32>, &Subscription<u32>) + Send + Sync + 'static,
) -> usize {
    let bus = bus();
    let sub = bus.subscription("n").capacity(8).high_water(1).low_water(0);
    let sub = sub.subscribe().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let _tap = {
        let (weak, calls) = (bus.downgrade(), Arc::clone(&calls));
        let tap = move |event: &chanbus::Event<Backlog>| {
            calls.fetch_add(1, Ordering::SeqCst);
            if let Some(bus) = weak.upgrade() {
                answer(event.payload().level, &bus, &sub);
            }
        };
        bus.backlogs().tap("**", tap).unwrap()
    };
    emit(&bus, 1);
    calls.load(Ordering::SeqCst)
}

#[test]
fn p1_an_emit_is_not_held_up_by_what_comes_and_goes_while_it_tells() {
    // As threads would, that come and go while one tells: each time it falls below the mark and comes back.
    let flaps = answered(|level, bus, sub| {
        assert_eq!(level, High);
        for _ in 0..10 {
            take(sub, 1);
            emit(bus, 1);
        }
    });
    assert_eq!(flaps, 1, "what is as it was told is not told again");
}

#[test]
fn p1_an_emit_ends_though_each_telling_turns_the_mark() {
    let turns = answered(|level, bus, sub| match level {
        High => take(sub, 1),
        Low => emit(bus, 1),
    });
    assert_eq!(turns, 64);
}

#[test]
fn a_dispatcher_has_a_mark_and_who_is_told_may_use_it() {
    let bus = bus();
    let handlers = Handlers::new();
    handlers.on("n").call(|_| {}).unwrap();
    let build = || {
        Dispatcher::builder(&bus, &handlers)
            .name("mailer")
            .capacity(8)
            .high_water(6)
    };
    let error = Dispatcher::builder(&bus, &handlers)
        .capacity(8)
        .high_water(9)
        .build();
    assert_eq!(
        error.unwrap_err(),
        SubscribeError::BadHighWater {
            high: 9,
            capacity: 8
        }
    );

    let dispatcher = Arc::new(build().low_water(2).build().unwrap());
    let news = bus.backlogs().subscribe("**").unwrap();
    // Asked from where it is told: no lock of the dispatcher is held there.
    let states = Arc::new(Mutex::new(Vec::new()));
    let tap = {
        let (dispatcher, states) = (Arc::downgrade(&dispatcher), Arc::clone(&states));
        let ask = move |_: &chanbus::Event<Backlog>| {
            let stats = dispatcher.upgrade().map(|it| it.stats());
            states.lock().unwrap().push(stats.map(|it| it.queued));
        };
        bus.backlogs().tap("**", ask).unwrap()
    };
    emit(&bus, 8);
    dispatcher.start().unwrap();
    dispatcher.stop(Drain::All).unwrap();
    let heard: Vec<_> = news
        .try_iter()
        .map(|event| event.payload().clone())
        .collect();
    assert_eq!(
        heard
            .iter()
            .map(|it| (it.level, it.depth))
            .collect::<Vec<_>>(),
        [(High, 6), (Low, 2)]
    );
    assert!(
        heard
            .iter()
            .all(|it| it.name.as_deref() == Some("mailer") && it.location.file() == file!())
    );
    assert_eq!(*states.lock().unwrap(), [Some(6), Some(2)]);

    // One that goes while behind is back.
    emit(&bus, 6);
    drop(tap);
    drop(dispatcher);
    assert_eq!(told(&news), [(High, 6), (Low, 0)]);
}

#[test]
fn who_is_told_may_stop_the_dispatcher_that_is_back() {
    guarded(|| {
        let bus = bus();
        let handlers = Handlers::new();
        handlers.on("n").call(|_| {}).unwrap();
        let builder = Dispatcher::builder(&bus, &handlers)
            .high_water(2)
            .low_water(1);
        let dispatcher = Arc::new(builder.build().unwrap());
        let (stop, stopped) = (Arc::downgrade(&dispatcher), Arc::new(AtomicUsize::new(0)));
        let _tap = {
            let stopped = Arc::clone(&stopped);
            let tap = move |event: &chanbus::Event<Backlog>| {
                if let (Low, Some(dispatcher)) = (event.payload().level, stop.upgrade()) {
                    assert!(dispatcher.stop(Drain::All).is_ok());
                    stopped.fetch_add(1, Ordering::SeqCst);
                }
            };
            bus.backlogs().tap("**", tap).unwrap()
        };
        emit(&bus, 2);
        dispatcher.start().unwrap();
        dispatcher.stop(Drain::All).unwrap();
        assert_eq!(
            (stopped.load(Ordering::SeqCst), dispatcher.stats().handled),
            (1, 2)
        );
    });
}

#[test]
fn the_last_are_kept_and_it_closes_with_the_bus() {
    let bus = bus();
    let sub = bus
        .subscription("n")
        .capacity(2)
        .high_water(1)
        .subscribe()
        .unwrap();
    for _ in 0..50 {
        emit(&bus, 1);
        take(&sub, 1);
    }
    let late = bus.backlogs().subscription("**").replay(1_000).subscribe();
    let late = late.unwrap();
    assert_eq!(late.len(), 64);
    assert_eq!(bus.backlogs().name(), Some("shop.backlogs"));
    drop(bus);
    drop(sub);
    assert_eq!(late.iter().count(), 64, "the loop ends");
}

#[test]
fn told_from_the_depth_of_a_chain_of_causes() {
    let bus: Bus<u32> = Bus::builder().max_chain(1).build().unwrap();
    let news = bus.backlogs().subscribe("**").unwrap();
    let _sub = bus
        .subscription("n")
        .capacity(1)
        .high_water(1)
        .subscribe()
        .unwrap();
    let deep = (0..100).map(|n| chanbus::Topic::new(format!("t{n}")).unwrap());
    let event = chanbus::Event::draft("m", 1).cause(chanbus::Cause::of_topics(deep).unwrap());
    let event = event.build().unwrap();
    let full = {
        let bus = bus.clone();
        move || bus.emit("n", 1).is_err()
    };
    assert!(
        chanbus::Cause::scope(&event, full),
        "too deep for the bus itself"
    );
    chanbus::Cause::scope(&event, || {
        // A consumer's take tells, too, in the middle of whatever goes on.
        assert_eq!(told(&news), []);
    });
    emit(&bus, 1);
    chanbus::Cause::scope(&event, || drop(_sub));
    assert_eq!(told(&news), [(High, 1), (Low, 0)]);
}

#[test]
fn beside_threads_the_two_alternate_and_the_last_says_how_it_is() {
    let bus = Arc::new(Bus::<u32>::new());
    let news = bus
        .backlogs()
        .subscription("**")
        .capacity(1 << 20)
        .subscribe()
        .unwrap();
    let sub = bus
        .subscription("n")
        .capacity(8)
        .high_water(3)
        .low_water(1)
        .subscribe()
        .unwrap();
    let start = Arc::new(Barrier::new(4));
    let emitters: Vec<_> = (0..2)
        .map(|_| {
            let (bus, start) = (Arc::clone(&bus), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                emit(&bus, 50_000);
            })
        })
        .collect();
    let takers: Vec<_> = (0..2)
        .map(|_| {
            let (sub, start) = (sub.share(), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                (0..200_000).for_each(|_| drop(sub.try_recv()));
            })
        })
        .collect();
    emitters
        .into_iter()
        .chain(takers)
        .for_each(|it| it.join().unwrap());
    let levels: Vec<_> = told(&news).into_iter().map(|(level, _)| level).collect();
    for (at, level) in levels.iter().enumerate() {
        assert_eq!(*level, if at % 2 == 0 { High } else { Low });
    }
    let is_behind = levels.last() == Some(&High);
    assert!(if is_behind {
        sub.len() > 1
    } else {
        sub.len() < 3
    });
    sub.try_iter().count();
    let last = told(&news).last().map(|it| it.0).or(levels.last().copied());
    assert_ne!(last, Some(High));
}
