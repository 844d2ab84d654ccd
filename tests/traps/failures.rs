//! Traps about handlers that fail.

use std::sync::mpsc::channel;
use std::thread;

use chanbus::{Bus, Dispatcher, Drain, Emitter, Handlers, ThreadPool};

use super::handlers::{Log, says, take};
use super::watch::watched;
use super::*;

/// A handler panics: the others are called, error handlers get topic, payload and handler, nothing is
/// poisoned (blinker#10, zenoh#2744).
#[test]
fn trap25_a_panicking_handler_harms_nobody() -> Done {
    watched(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::default());
        let id = handlers.on("n").name("bad").call(|_| panic!("bad day"))?;
        handlers.on("n").call(says(&log, "other"))?;
        let (told, tell) = channel();
        handlers
            .on_error(move |failure| {
                let who = (failure.id(), failure.handler().map(str::to_owned));
                told.send((who, failure.topic().to_string(), *failure.event().payload()))
                    .unwrap();
            })
            .keep();
        let bus = Bus::new();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        for n in [1, 2] {
            bus.emit("n", n)?;
        }
        dispatcher.stop(Drain::All)?;
        assert_eq!(take(&log), ["other", "other"]);
        for n in [1, 2] {
            let wanted = ((Some(id), Some("bad".into())), "n".into(), n);
            assert_eq!(tell.recv().unwrap(), wanted);
        }
        Ok(())
    })
}

/// An error handler panics, or emits what fails again: the dispatcher survives, nothing recurses
/// (mbassador#127).
#[test]
fn trap26_a_failing_error_handler_ends_where_it_is() -> Done {
    watched(|| {
        let handlers = Handlers::<u32>::new();
        handlers.on("**").handle(|_, _| Err("always".into()))?;
        handlers.on_error(|_| panic!("and so does this")).keep();
        handlers.errors_as_events("error", |_| 7)?.keep();
        let bus = Bus::new();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        bus.emit("n", 1)?;
        while dispatcher.stats().handled < 2 {
            thread::yield_now();
        }
        dispatcher.stop(Drain::All)?;
        assert_eq!(dispatcher.stats().handled, 2, "the event and its error");
        assert_eq!(handlers.stats().panicked_error_handlers, 2);
        dispatcher.start()?;
        assert!(dispatcher.is_running());
        Ok(())
    })
}

/// The payload's destructor panics on the thread that handles it: the next event is handled
/// (tokio's test panic_in_clone).
#[test]
fn trap27_a_payload_that_panics_as_it_goes_stops_no_dispatcher() -> Done {
    struct Bomb(bool);

    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0, "as it goes");
        }
    }

    watched(|| {
        let (bus, handlers) = (Bus::new(), Handlers::<Bomb>::new());
        let log = Log::default();
        handlers.on("n").call(says(&log, "called"))?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        for armed in [true, true, false] {
            bus.emit("n", Bomb(armed)).unwrap();
        }
        dispatcher.stop(Drain::All)?;
        assert_eq!(take(&log).len(), 3);
        Ok(())
    })
}

/// An async handler fails or panics where nobody awaits it: reported all the same (EE2#298, #310).
#[test]
fn trap29_a_failing_async_handler_is_reported() -> Done {
    watched(|| {
        let handlers = Handlers::<u32>::new();
        handlers
            .on("n")
            .name("error")
            .handle_async(|_, _| async { Err("async".into()) })?;
        handlers
            .on("n")
            .name("panic")
            .handle_async(|_, _| async { panic!("async") })?;
        let (told, tell) = channel();
        let error = handlers
            .on_error(move |failure| told.send(failure.handler().map(str::to_owned)).unwrap());
        let pool = ThreadPool::new(2).unwrap();
        Emitter::thread_pool(&handlers, &pool).emit_detached("n", 1)?;
        let mut told = [tell.recv().unwrap(), tell.recv().unwrap()].map(Option::unwrap);
        told.sort();
        assert_eq!(told, ["error", "panic"]);
        drop(error);
        Ok(())
    })
}
