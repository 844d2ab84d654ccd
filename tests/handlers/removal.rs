//! H7: handlers go, by every name they have, while events flow.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use chanbus::{
    BoxError, Emitter, Flow, HandlerGuards, HandlerId, Handlers, Job, Mode, PatternsError,
    ThreadPool, on,
};

use super::common::{Gate, guarded};
use super::{Done, Log};

#[test]
fn h7_by_id_guard_pattern_name_group_and_module_each_takes_its_own() -> Done {
    let (handlers, log) = (Handlers::<u32>::new(), Log::new());
    let left = |topic: &str| {
        assert!(Emitter::inline(&handlers).emit(topic, 1).unwrap().is_ok());
        log.take().join(" ")
    };
    let id = handlers.on("a").call(log.says("id"))?;
    let guard = handlers.guard(handlers.on("a").call(log.says("guard"))?);
    let off = handlers.on(["a", "b"]).call(log.says("off"))?;
    handlers.on(["a", "a.*"]).call(log.says("pattern"))?;
    handlers.on("a").name("n").call(log.says("name"))?;
    handlers.on("a").name("n").call(log.says("name"))?;
    handlers.on("a").group("g").call(log.says("group"))?;
    on!(handlers, "a").call(log.says("module"))?;
    handlers.on("a").call(log.says("stays"))?;
    assert_eq!(
        left("a"),
        "id guard off pattern name name group module stays"
    );

    assert!(handlers.remove(id));
    assert!(!handlers.remove(id), "only once");
    drop(guard);
    assert!(handlers.off(off, "a"));
    assert!(!handlers.off(off, "a"));
    assert!(!handlers.off(off, "c"), "it has no such pattern");
    assert_eq!(left("a"), "pattern name name group module stays");
    assert_eq!(left("b"), "off", "its other pattern is still there");
    assert!(handlers.off(off, "b"));
    assert!(!handlers.contains(off), "with its last pattern it goes");

    assert_eq!(handlers.remove_named("n"), 2);
    assert_eq!(handlers.remove_named("n"), 0);
    assert_eq!(handlers.remove_group("g"), 1);
    assert_eq!(handlers.remove_group("g"), 0, "and 0 if unknown");
    assert_eq!(
        handlers.remove_module("handlers::remova"),
        0,
        "no path, but the beginning of a name"
    );
    assert_eq!(handlers.remove_module("handlers"), 1);
    assert_eq!(left("a"), "pattern stays");
    assert_eq!(handlers.remove_pattern("a.*"), 1);
    assert_eq!(left("a.b"), "");
    assert_eq!(handlers.remove_pattern("a"), 2);
    assert!(handlers.is_empty());
    Ok(())
}

#[test]
fn h7_the_group_defaults_to_the_registering_module() -> Done {
    let handlers = Handlers::<u32>::new();
    let by_default = on!(handlers, "a").call(|_| {})?;
    let by_choice = on!(handlers, "a").group("g").call(|_| {})?;
    assert_eq!(
        handlers.get(by_default).unwrap().group.as_deref(),
        Some(module_path!())
    );
    assert_eq!(handlers.get(by_choice).unwrap().group.as_deref(), Some("g"));
    assert_eq!(handlers.remove_group(module_path!()), 1);
    assert_eq!(
        handlers.remove_module(module_path!()),
        1,
        "whatever its group"
    );
    Ok(())
}

#[test]
fn h7_several_patterns_are_registered_all_or_none() -> Done {
    let handlers = Handlers::<u32>::new();
    assert!(handlers.on(["a", "b..c", "d"]).call(|_| {}).is_err());
    assert!(handlers.on(Vec::<&str>::new()).call(|_| {}).is_err());
    assert!(handlers.is_empty() && handlers.patterns().is_empty());
    Ok(())
}

/// One that removes itself, an earlier and a later one, on every executor: no sibling is skipped.
#[test]
fn h7_removal_in_mid_dispatch_skips_no_sibling_and_calls_no_removed_one() -> Done {
    guarded(|| {
        let pool = ThreadPool::new(1)?;
        for way in ["inline", "blocking", "jobs", "pool"] {
            for plain in [true, false] {
                let (handlers, log) = (Handlers::<u32>::new(), Log::new());
                let emitter = match way {
                    "inline" => Emitter::inline(&handlers),
                    "blocking" => Emitter::blocking(&handlers),
                    "jobs" => Emitter::new(&handlers, |job: Job| job.run()),
                    _ => Emitter::thread_pool(&handlers, &pool),
                };
                let ids: Arc<Mutex<Vec<HandlerId>>> = Arc::default();
                for n in 0..7 {
                    let (said, ids_there, registry) =
                        (log.clone(), Arc::clone(&ids), handlers.clone());
                    let act = move || {
                        said.add(n.to_string());
                        if n == 2 {
                            let ids = ids_there.lock().unwrap().clone();
                            // Itself, an earlier one, two later ones; and one comes.
                            for gone in [2, 0, 3, 5] {
                                assert!(registry.remove(ids[gone]));
                            }
                            registry.on("a").call(said.says("new")).unwrap();
                        }
                    };
                    let on = handlers.on("a").priority(n);
                    let id = if plain {
                        on.call(move |_| act())
                    } else {
                        on.handle(move |_, _| {
                            act();
                            Ok(Flow::Continue)
                        })
                    }?;
                    ids.lock().unwrap().push(id);
                }
                let report = emitter.emit("a", 1)?;
                assert_eq!(
                    log.take(),
                    ["0", "1", "2", "4", "6"],
                    "{way}, plain {plain}"
                );
                assert_eq!((report.matched, report.called, report.skipped), (7, 5, 2));
                assert_eq!(emitter.emit("a", 1)?.called, 4);
                assert_eq!(log.take(), ["1", "4", "new", "6"], "{way}, plain {plain}");
                handlers.clear();
            }
        }
        Ok(())
    })
}

/// An event is held inside of a handler while another thread removes by group and by name.
#[test]
fn h7_one_that_was_removed_elsewhere_and_not_reached_is_not_called() -> Done {
    guarded(|| {
        for mode in [Mode::Sequential, Mode::Tiered] {
            let (handlers, log, gate) = (Handlers::<u32>::new(), Log::new(), Gate::new());
            let held = gate.clone();
            handlers
                .on("a")
                .priority(1)
                .group("g")
                .call(move |_| held.pass())?;
            handlers
                .on("a")
                .priority(2)
                .group("g")
                .call(log.says("group"))?;
            handlers
                .on("a")
                .priority(3)
                .name("n")
                .once()
                .call(log.says("name"))?;
            handlers.on("a").priority(4).call(log.says("stays"))?;
            let emitter = Emitter::thread_pool(&handlers, &ThreadPool::new(1)?).mode(mode);
            let emit = thread::spawn(move || emitter.emit("a", 1).unwrap());
            gate.wait_held();
            assert_eq!(handlers.remove_group("g"), 2);
            assert_eq!(handlers.remove_named("n"), 1);
            gate.open();
            let report = emit.join().unwrap();
            assert_eq!((report.called, report.skipped), (2, 2));
            assert_eq!(log.take(), ["stays"]);
        }
        Ok(())
    })
}

/// The event is in the middle of the old group when it is replaced: it sees all of the old, none of
/// the new.
#[test]
fn h7_replace_group_lets_an_event_on_its_way_see_all_of_the_old() -> Done {
    guarded(|| {
        let pool = ThreadPool::new(1)?;
        for way in ["inline", "blocking", "pool"] {
            let (handlers, log) = (Handlers::<u32>::new(), Log::new());
            let (said, registry) = (log.clone(), handlers.clone());
            let old = handlers.in_group("g");
            old.on("a").priority(1).call(move |event| {
                said.add("old 1");
                let said = said.clone();
                if *event.payload() == 0 {
                    let replaced = registry.replace_group("g", |new| {
                        new.on("a").priority(1).call(said.says("new 1"))?;
                        new.on("a").priority(2).call(said.says("new 2"))?;
                        Ok::<_, PatternsError>(())
                    });
                    assert_eq!(replaced.unwrap().removed, 3);
                }
            })?;
            old.on("a").priority(2).call(log.says("old 2"))?;
            old.on("a")
                .priority(3)
                .filter(|_| true)
                .call(log.says("old 3"))?;
            let emitter = match way {
                "inline" => Emitter::inline(&handlers),
                "blocking" => Emitter::blocking(&handlers),
                _ => Emitter::thread_pool(&handlers, &pool),
            };
            assert_eq!(emitter.emit("a", 0)?.called, 3, "{way}");
            assert_eq!(log.take(), ["old 1", "old 2", "old 3"]);
            assert_eq!(emitter.emit("a", 0)?.called, 2);
            assert_eq!(log.take(), ["new 1", "new 2"]);
            handlers.clear();
        }
        Ok(())
    })
}

/// Each event tells which generation's handlers it saw, while the group is replaced as fast as it goes.
#[test]
fn h7_replace_group_while_four_threads_emit_shows_old_or_new_whole() -> Done {
    type Seen = Mutex<Vec<u64>>;
    const SIZE: usize = 5;

    guarded(|| {
        let handlers = Handlers::<Seen>::new();
        let register = |group: &Handlers<Seen>, generation: u64| -> Result<(), PatternsError> {
            for n in 0..SIZE {
                let pattern = ["a.b", "a.*", "**"][n % 3];
                group
                    .on(pattern)
                    .call(move |event| event.payload().lock().unwrap().push(generation))?;
            }
            Ok(())
        };
        handlers.replace_group("g", |group| register(group, 0))?;
        let (over, start) = (AtomicBool::new(false), Barrier::new(5));
        let pool = ThreadPool::new(2)?;
        let seen_new = AtomicUsize::new(0);
        thread::scope(|scope| {
            for n in 0..4 {
                let (handlers, over, start, pool) = (&handlers, &over, &start, &pool);
                let seen_new = &seen_new;
                scope.spawn(move || {
                    let emitter = match n {
                        0 | 1 => Emitter::inline(handlers),
                        2 => Emitter::blocking(handlers),
                        _ => Emitter::thread_pool(handlers, pool),
                    };
                    start.wait();
                    let mut last = 0;
                    while !over.load(Ordering::SeqCst) {
                        let event = chanbus::Event::new("a.b", Seen::default()).unwrap();
                        let report = emitter.emit_event(event.clone()).unwrap();
                        assert_eq!((report.matched, report.called), (SIZE, SIZE));
                        let seen = event.payload().lock().unwrap();
                        assert_eq!(seen.len(), SIZE);
                        assert!(
                            seen.iter().all(|generation| *generation == seen[0]),
                            "{seen:?}"
                        );
                        assert!(seen[0] >= last, "and it never goes back");
                        last = seen[0];
                        seen_new.fetch_add(usize::from(last > 0), Ordering::SeqCst);
                    }
                });
            }
            start.wait();
            for generation in 1..=1_000 {
                let replaced = handlers.replace_group("g", |group| register(group, generation));
                assert_eq!(replaced.unwrap().removed, SIZE);
            }
            while seen_new.load(Ordering::SeqCst) < 4 {
                thread::yield_now();
            }
            over.store(true, Ordering::SeqCst);
        });
        assert_eq!(handlers.len(), SIZE);
        Ok(())
    })
}

#[test]
fn h7_a_replacement_that_fails_or_panics_leaves_the_group_as_it_was() -> Done {
    let (handlers, log) = (Handlers::<u32>::new(), Log::new());
    handlers.on("a").group("g").call(log.says("old"))?;
    let failed = handlers.replace_group("g", |new| {
        new.on("a").call(log.says("new"))?;
        Err::<(), chanbus::BoxError>("no".into())
    });
    assert!(failed.is_err());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        handlers.replace_group("g", |new| {
            new.on("a").call(log.says("new")).unwrap();
            if true {
                panic!("amid a replacement");
            }
            Ok::<_, ()>(())
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(Emitter::inline(&handlers).emit("a", 1)?.called, 1);
    assert_eq!(log.take(), ["old"]);
    Ok(())
}

/// A clone of the handle that `replace_group` lends, used after it.
#[test]
fn h7_a_handle_that_outlives_its_replacement_still_registers() -> Done {
    let handlers = Handlers::<u32>::new();
    let mut kept = None;
    handlers.replace_group("g", |new| {
        new.on("a").call(|_| {})?;
        kept = Some(new.clone());
        Ok::<_, PatternsError>(())
    })?;
    let id = kept.unwrap().on("a").call(|_| {})?;
    assert!(handlers.contains(id));
    assert_eq!(handlers.group("g").len(), 2);
    Ok(())
}

#[test]
fn h7_a_hundred_thousand_handlers() -> Done {
    const MANY: usize = 100_000;
    guarded(|| {
        let handlers = Handlers::<usize>::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let group = handlers.in_group("many");
        let mut ids = Vec::with_capacity(MANY);
        for n in 0..MANY {
            let count = Arc::clone(&calls);
            let on = group.on(format!("topic.{n}.*"));
            ids.push(on.call(move |event| {
                let _ = count.fetch_add(*event.payload(), Ordering::SeqCst);
            })?);
        }
        assert_eq!(handlers.len(), MANY);
        let emitter = Emitter::inline(&handlers);
        for n in [0, 1, MANY / 2, MANY - 1] {
            let report = emitter.emit(format!("topic.{n}.x"), 1)?;
            assert_eq!((report.matched, report.called), (1, 1));
        }
        assert_eq!(calls.load(Ordering::SeqCst), 4);
        for id in &ids[..MANY / 10] {
            assert!(handlers.remove(*id));
        }
        assert_eq!(emitter.emit("topic.1.x", 1)?.matched, 0);
        assert_eq!(handlers.remove_group("many"), MANY - MANY / 10);
        assert!(handlers.is_empty());
        assert_eq!(emitter.emit(format!("topic.{}.x", MANY - 1), 1)?.matched, 0);
        assert_eq!(
            Arc::strong_count(&calls),
            1,
            "all that they captured has gone"
        );
        Ok(())
    })
}

#[test]
fn h7_a_group_is_listed_while_somebody_is_in_it() -> Done {
    let handlers = Handlers::<u32>::new();
    let ids = ["one", "two", "one"].map(|group| handlers.on("a").group(group).call(|_| {}));
    let groups = || handlers.groups().join(" ");
    assert!(!handlers.is_empty());
    assert_eq!(groups(), "one two");
    for (id, left) in ids.into_iter().zip(["one two", "one", ""]) {
        assert!(handlers.remove(id?));
        assert_eq!(groups(), left);
    }
    assert!(handlers.is_empty());
    Ok(())
}

#[test]
fn h7_guards_are_collected_and_removed_together_or_kept() -> Done {
    let handlers = Handlers::<u32>::new();
    let guard = || Ok::<_, PatternsError>(handlers.guard(handlers.on("a").call(|_| {})?));
    let mut guards: HandlerGuards = [guard()?, guard()?].into_iter().collect();
    guards.extend([guard()?]);
    assert_eq!(
        (guards.len(), guards.is_empty(), handlers.len()),
        (3, false, 3)
    );
    guard()?.keep();
    drop(guards);
    assert_eq!(handlers.len(), 1);
    Ok(())
}

#[test]
fn h7_what_is_registered_after_a_replacement_that_failed_waits_for_nothing() -> Done {
    let fails: [fn() -> Result<(), BoxError>; 2] =
        [|| Err("not today".into()), || panic!("while it registers")];
    for fail in fails {
        let (handlers, kept) = (Handlers::<u32>::new(), Mutex::new(None));
        let replaced = catch_unwind(AssertUnwindSafe(|| {
            handlers.replace_group("g", |staged| {
                *kept.lock().unwrap() = Some(staged.clone());
                staged.on("a").call(|_| {})?;
                fail()
            })
        }));
        assert!(!replaced.is_ok_and(|replaced| replaced.is_ok()));
        assert_eq!(handlers.len(), 0);
        let kept = kept.lock().unwrap().take().unwrap();
        kept.on("a").call(|_| {})?;
        assert_eq!((handlers.len(), handlers.remove_group("g")), (1, 1));
    }
    Ok(())
}
