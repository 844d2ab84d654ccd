//! H3: destructors of the user's that panic.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chanbus::{Bus, Dispatcher, Drain, Emitter, Event, Handlers, Job, ThreadPool};

use super::common::{Hooked, guarded, hooked};
use super::{Done, throw_grenade};

#[test]
fn h3_payloads_that_panic_as_they_go_throw_nothing_at_anyone() -> Done {
    guarded(|| {
        let handlers = Handlers::<Hooked>::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let bombs = Arc::new(AtomicUsize::new(0));
        let bomb = || {
            let bombs = Arc::clone(&bombs);
            hooked(move || {
                bombs.fetch_add(1, Ordering::SeqCst);
                throw_grenade()
            })
        };
        let extension = || Mutex::new(bomb());
        let count = Arc::clone(&calls);
        handlers.on("**").call(move |_| {
            let _ = count.fetch_add(1, Ordering::SeqCst);
        })?;
        let pool = ThreadPool::new(2)?;
        let emitters = |handlers: &Handlers<Hooked>| {
            [
                Emitter::inline(handlers),
                Emitter::blocking(handlers),
                Emitter::thread_pool(handlers, &pool),
                Emitter::new(handlers, |job: Job| job.run()),
            ]
        };
        let mut sent = 0;
        let mut all_ways = |emitter: &Emitter<Hooked>| -> Done {
            let with = || {
                emitter
                    .event("a", bomb())
                    .extension(extension())
                    .extension(Box::new(extension()))
            };
            drop(with().emit()?);
            with().emit_detached()?;
            drop(futures_lite::future::block_on(with().emit_async())?);
            drop(with().emit_async());
            drop(emitter.emit_event(Event::new("a", bomb())?)?);
            sent += 13;
            Ok(())
        };
        for emitter in emitters(&handlers) {
            all_ways(&emitter)?;
        }
        // Not plain, failing, with replaced and with blocked events.
        let failing = handlers
            .on("a")
            .filter(|_| true)
            .handle(|_, _| Err("no".into()))?;
        for emitter in emitters(&handlers) {
            all_ways(&emitter)?;
        }
        handlers.remove(failing);
        let guard = handlers.middleware(|_| Event::new("b", None).ok());
        for emitter in emitters(&handlers) {
            all_ways(&emitter)?;
        }
        drop(guard);
        let guard = handlers.middleware(|_| None);
        for emitter in emitters(&handlers) {
            all_ways(&emitter)?;
        }
        drop(guard);
        let guard = handlers.middleware(|_| throw_grenade());
        for emitter in emitters(&handlers) {
            all_ways(&emitter)?;
        }
        drop(guard);
        // By a dispatcher.
        for executor in [None, Some(pool.clone())] {
            let bus = Bus::new();
            let builder = Dispatcher::builder(&bus, &handlers);
            let dispatcher = match executor {
                Some(pool) => builder.executor(pool).build()?,
                None => builder.build()?,
            };
            dispatcher.start()?;
            for _ in 0..5 {
                bus.event("a", bomb()).extension(extension()).emit()?;
                sent += 2;
            }
            dispatcher.stop(Drain::All)?;
            assert_eq!(dispatcher.stats().handled, 5);
        }
        pool.shutdown();
        drop(handlers);
        assert_eq!(bombs.load(Ordering::SeqCst), sent);
        assert!(calls.load(Ordering::SeqCst) > 0);
        Ok(())
    })
}

/// Two errors of one report whose destructors panic would end the process, were they let go of together.
#[test]
fn h3_errors_that_panic_as_they_go_throw_nothing_at_anyone() -> Done {
    #[derive(Debug)]
    struct Bomb;

    impl std::fmt::Display for Bomb {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bomb")
        }
    }

    impl std::error::Error for Bomb {}

    impl Drop for Bomb {
        fn drop(&mut self) {
            throw_grenade()
        }
    }

    guarded(|| {
        let handlers = Handlers::<u32>::builder().kept_failures(0).build();
        for _ in 0..3 {
            handlers.on("a").handle(|_, _| Err(Bomb.into()))?;
        }
        let pool = ThreadPool::new(2)?;
        for emitter in [
            Emitter::inline(&handlers),
            Emitter::thread_pool(&handlers, &pool),
        ] {
            let report = emitter.emit("a", 1)?;
            assert!(report.errors[0].downcast_ref::<Bomb>().is_some());
            drop(report);
            emitter.emit_detached("a", 1)?;
        }
        let bus = Bus::new();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        bus.emit("a", 1)?;
        bus.emit("a", 2)?;
        dispatcher.stop(Drain::All)?;
        assert_eq!(dispatcher.stats().failed, 6);
        Ok(())
    })
}

#[test]
fn h3_closures_whose_captures_panic_as_they_go_can_be_removed() -> Done {
    guarded(|| {
        let (handlers, gone) = (Handlers::<u32>::new(), Arc::new(AtomicUsize::new(0)));
        let bomb = || {
            let gone = Arc::clone(&gone);
            Mutex::new(hooked(move || {
                gone.fetch_add(1, Ordering::SeqCst);
                throw_grenade()
            }))
        };
        let add = || {
            let (one, two, three, four) = (bomb(), bomb(), bomb(), bomb());
            handlers
                .on("a")
                .group("g")
                .filter(move |_| one.lock().is_ok())
                .on_success(move |_| drop(two.lock()))
                .on_failure(move |_| drop(three.lock()))
                .call(move |_| drop(four.lock()))
        };
        let id = add()?;
        assert!(handlers.remove(id));
        assert_eq!(gone.load(Ordering::SeqCst), 4);
        add()?;
        add()?;
        assert_eq!(handlers.remove_group("g"), 2);
        assert_eq!(gone.load(Ordering::SeqCst), 12);
        add()?;
        drop(handlers.guard(add()?));
        assert_eq!(
            handlers
                .replace_group("g", |_| Ok::<_, ()>(()))
                .unwrap()
                .removed,
            1
        );
        assert_eq!(gone.load(Ordering::SeqCst), 20);
        let (pass, tell) = (bomb(), bomb());
        drop(handlers.middleware(move |event| pass.lock().is_ok().then_some(event)));
        drop(handlers.on_error(move |_| drop(tell.lock())));
        assert_eq!(gone.load(Ordering::SeqCst), 22);
        add()?;
        add()?;
        drop(handlers);
        assert_eq!(gone.load(Ordering::SeqCst), 30);
        Ok(())
    })
}

#[test]
fn h3_what_was_kept_with_failures_throws_nothing_as_the_handlers_go() -> Done {
    /// An error whose destructor panics.
    #[derive(Debug)]
    struct Grenade(Arc<AtomicUsize>);

    impl std::fmt::Display for Grenade {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("grenade")
        }
    }

    impl std::error::Error for Grenade {}

    impl Drop for Grenade {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
            throw_grenade()
        }
    }

    let bombs = Arc::new(AtomicUsize::new(0));
    let handlers = Handlers::<Hooked>::new();
    let count = Arc::clone(&bombs);
    handlers
        .on("a")
        .handle(move |_, _| Err(Grenade(Arc::clone(&count)).into()))?;
    for _ in 0..3 {
        let bombs = Arc::clone(&bombs);
        let payload = hooked(move || {
            bombs.fetch_add(1, Ordering::SeqCst);
            throw_grenade()
        });
        drop(Emitter::inline(&handlers).emit("a", payload)?);
    }
    assert_eq!(bombs.load(Ordering::SeqCst), 0);
    drop(handlers);
    assert_eq!(bombs.load(Ordering::SeqCst), 6);
    Ok(())
}

#[test]
fn h3_a_batch_that_is_not_emitted_throws_nothing_as_it_goes() -> Done {
    let bombs = Arc::new(AtomicUsize::new(0));
    let mut batch = Emitter::inline(&Handlers::<Hooked>::new()).start_batch();
    for _ in 0..3 {
        let bombs = Arc::clone(&bombs);
        let payload = hooked(move || {
            bombs.fetch_add(1, Ordering::SeqCst);
            throw_grenade()
        });
        batch.emit("a", payload)?;
    }
    drop(batch);
    assert_eq!(bombs.load(Ordering::SeqCst), 3);
    Ok(())
}
