//! pyventus's event emitter: the rows about emitters and what they call.

use std::sync::Arc;

use chanbus::{
    BlockOn, Emitter, Event, Executor, Flow, Handlers, Inline, Priority, ThreadPool,
    global_handlers,
};

use super::watch::watched;
use super::{Done, Log};

/// What the reference's examples subscribe: `print`, here to a log.
fn print(log: &Log) -> impl Fn(&Event<&'static str>) + Send + Sync + 'static + use<> {
    let log = log.clone();
    move |event| log.write(*event.payload())
}

#[test]
fn y1_emitting_knows_nothing_of_who_handles_and_how() -> Done {
    /// Knows the emitter alone.
    struct Shop(Emitter<&'static str>);

    impl Shop {
        fn sell(&self, what: &'static str) -> Done {
            assert!(self.0.emit("shop.sold", what)?.is_ok());
            Ok(())
        }
    }

    let (log, handlers) = (Log::default(), Handlers::new());
    let shop = Shop(Emitter::inline(&handlers));
    shop.sell("nobody cares")?;
    handlers.on("shop.*").call(print(&log))?;
    shop.sell("a hat")?;
    assert_eq!(log.take(), ["a hat"]);
    Ok(())
}

/// The documented getting started.
#[test]
fn y2_an_emitter_is_made_with_who_processes_its_events() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    handlers.on("MyEvent").call(log.line("called"))?;
    let emitter = Emitter::new(&handlers, Inline);
    assert_eq!(emitter.emit("MyEvent", ())?.called, 1);
    assert_eq!(log.take(), ["called"]);
    Ok(())
}

#[test]
fn y3_an_event_may_have_no_payload_and_capitals() -> Done {
    let handlers = Handlers::new();
    handlers
        .on("MyEvent")
        .call(|event: &Event<()>| assert_eq!(event.topic(), "MyEvent"))?;
    let emitter = Emitter::inline(&handlers);
    assert_eq!(
        emitter.emit("MyEvent", ())?.into_result().unwrap().called,
        1
    );
    // Case counts.
    assert_eq!(emitter.emit("myevent", ())?.matched, 0);
    Ok(())
}

#[test]
fn y4_several_arguments_are_a_tuple_or_a_type() -> Done {
    struct Order {
        item: &'static str,
        count: u32,
    }

    let log = Log::default();
    let tuples = Emitter::with_executor(Inline);
    let own = log.clone();
    tuples
        .handlers()
        .on("order")
        .call(move |event: &Event<(&str, u32)>| {
            let (item, count) = event.payload();
            own.write(format!("{count} {item}"));
        })?;
    assert!(tuples.emit("order", ("hats", 2))?.is_ok());

    let orders = Emitter::with_executor(Inline);
    let own = log.clone();
    orders
        .handlers()
        .on("order")
        .call(move |event: &Event<Order>| {
            let Order { item, count } = event.payload();
            own.write(format!("{count} {item}"));
        })?;
    assert!(
        orders
            .emit(
                "order",
                Order {
                    item: "coats",
                    count: 3
                }
            )?
            .is_ok()
    );
    assert_eq!(log.take(), ["2 hats", "3 coats"]);
    Ok(())
}

/// Keyword arguments, where they are wanted.
#[cfg(feature = "json")]
#[test]
fn y4_keyword_arguments_are_fields() -> Done {
    use chanbus::Fields;

    let (log, handlers) = (Log::default(), Handlers::<Fields>::new());
    let own = log.clone();
    handlers.on("order").call(move |event| {
        own.write(format!("{} {}", event["count"], event["item"]));
    })?;
    let fields = Fields::new().with("item", "hats").with("count", 2);
    assert!(Emitter::inline(&handlers).emit("order", fields)?.is_ok());
    assert_eq!(log.take(), ["2 \"hats\""]);
    Ok(())
}

#[test]
fn y5_any_function_or_closure_is_a_callback() -> Done {
    fn function(event: &Event<&'static str>) {
        assert_eq!(*event.payload(), "Hello, World!");
    }

    type Callback = dyn Fn(&Event<&'static str>) + Send + Sync;

    struct Printer(Log);

    impl Printer {
        fn print(&self, event: &Event<&'static str>) {
            self.0.write(*event.payload());
        }
    }

    let (log, handlers) = (Log::default(), Handlers::new());
    let printer = Arc::new(Printer(log.clone()));
    let pointer: fn(&Event<&'static str>) = function;
    let boxed: Box<Callback> = Box::new(print(&log));
    handlers.on("MyEvent").call(function)?;
    handlers.on("MyEvent").call(pointer)?;
    handlers.on("MyEvent").call(print(&log))?;
    handlers.on("MyEvent").call(boxed)?;
    handlers
        .on("MyEvent")
        .call(move |event| printer.print(event))?;
    let report = Emitter::inline(&handlers).emit("MyEvent", "Hello, World!")?;
    assert_eq!((report.called, report.failed), (5, 0));
    assert_eq!(log.take(), ["Hello, World!"; 3]);
    Ok(())
}

#[test]
fn y11_without_a_linker_there_is_a_global_one_or_one_of_the_emitters_own() -> Done {
    // A payload type of its own: no other test sees its registry.
    struct Own;
    let log = Log::default();
    global_handlers::<Own>()
        .on("MyEvent")
        .call(log.line("global"))?;
    let emitter = Emitter::inline(&global_handlers::<Own>());
    assert_eq!(emitter.emit("MyEvent", Own)?.called, 1);
    assert_eq!(log.take(), ["global"]);
    assert!(global_handlers::<Own>().same_registry(&emitter.handlers()));

    let own = Emitter::<Own>::with_executor(Inline);
    assert!(own.handlers().is_empty());
    own.handlers().on("MyEvent").call(log.line("own"))?;
    assert_eq!(own.emit("MyEvent", Own)?.called, 1);
    assert_eq!(log.take(), ["own"]);
    Ok(())
}

/// Two linkers that both know `MyEvent`, as in the documented examples.
fn two_linkers() -> Result<(Log, Handlers<&'static str>, Handlers<&'static str>), chanbus::Error> {
    let log = Log::default();
    let (custom, base) = (Handlers::new(), Handlers::new());
    custom.on("MyEvent").call(print(&log))?;
    base.on("MyEvent").call(log.line("not triggered"))?;
    Ok((log, custom, base))
}

#[test]
fn y12_an_emitter_is_given_its_linker() -> Done {
    let (log, custom, _base) = two_linkers()?;
    let emitter = Emitter::new(&custom, BlockOn);
    assert_eq!(emitter.emit("MyEvent", "Hello, World!")?.matched, 1);
    assert_eq!(log.take(), ["Hello, World!"]);
    Ok(())
}

#[test]
fn y13_so_are_emitters_of_the_factories() -> Done {
    let (log, custom, _base) = two_linkers()?;
    let pool = ThreadPool::new(1).unwrap();
    for emitter in [
        Emitter::inline(&custom),
        Emitter::blocking(&custom),
        Emitter::thread_pool(&custom, &pool),
    ] {
        assert_eq!(emitter.emit("MyEvent", "Hello, World!")?.matched, 1);
        assert!(emitter.handlers().same_registry(&custom));
    }
    assert_eq!(log.take(), ["Hello, World!"; 3]);
    Ok(())
}

#[test]
fn y14_a_handler_on_another_linker_is_not_called() -> Done {
    let (log, custom, base) = two_linkers()?;
    assert_eq!(
        Emitter::inline(&custom)
            .emit("MyEvent", "Hello, World!")?
            .called,
        1
    );
    assert_eq!(log.take(), ["Hello, World!"]);
    assert_eq!(base.stats().events, 0);
    // Nor is it touched by what is removed from the other.
    assert_eq!((custom.clear(), base.len()), (1, 1));
    assert_eq!(
        Emitter::inline(&base)
            .emit("MyEvent", "Hello, World!")?
            .called,
        1
    );
    assert_eq!(log.take(), ["not triggered"]);
    Ok(())
}

#[test]
fn y15_linkers_are_values_not_classes() -> Done {
    /// What a subclass is for: a linker of its own, with what belongs to it.
    struct CustomEventLinker {
        handlers: Handlers<&'static str>,
        log: Log,
    }

    impl CustomEventLinker {
        fn subscribe(&self, name: &str) -> Result<chanbus::HandlerId, chanbus::PatternsError> {
            self.handlers
                .on(name)
                .group("custom")
                .call(print(&self.log))
        }
    }

    let linker = CustomEventLinker {
        handlers: Handlers::new(),
        log: Log::default(),
    };
    linker.subscribe("MyEvent")?;
    assert_eq!(
        Emitter::inline(&linker.handlers)
            .emit("MyEvent", "Hello")?
            .called,
        1
    );
    assert_eq!(linker.log.take(), ["Hello"]);
    // Each value is one of its own, which classes are not; clones are the same.
    assert!(linker.handlers.same_registry(&linker.handlers.clone()));
    assert!(!linker.handlers.same_registry(&Handlers::new()));
    Ok(())
}

#[test]
fn y16_subscribing_is_on_with_a_callback() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    let id = handlers
        .on("MyEvent")
        .name("printer")
        .on_success(|event| assert_eq!(event.topic(), "MyEvent"))
        .call(print(&log))?;
    assert!(handlers.contains(id));
    // Several names at once, as there; a handler is called once for each event.
    handlers
        .on(["MyEvent", "My*"])
        .priority(Priority::LOW)
        .handle(|event, ctx| {
            assert_eq!(ctx.topic(), event.topic());
            Ok(Flow::Stop)
        })?;
    let report = Emitter::inline(&handlers).emit("MyEvent", "Hello, World!")?;
    assert_eq!((report.matched, report.failed), (2, 0));
    assert_eq!(log.take(), ["Hello, World!"]);
    Ok(())
}

/// The documented `main`, which is given one emitter after the other.
#[test]
fn y20_the_emitter_is_changed_at_run_time_and_the_links_stay() -> Done {
    struct Program {
        emitter: Emitter<&'static str>,
    }

    let (log, handlers) = (Log::default(), Handlers::new());
    handlers.on("MyEvent").call(print(&log))?;
    let pool = ThreadPool::new(1).unwrap();
    let mut program = Program {
        emitter: Emitter::inline(&handlers),
    };
    assert_eq!(program.emitter.emit("MyEvent", "first")?.called, 1);
    program.emitter = Emitter::thread_pool(&handlers, &pool);
    assert_eq!(program.emitter.emit("MyEvent", "second")?.called, 1);
    drop(program);
    assert_eq!(log.take(), ["first", "second"]);
    assert_eq!(handlers.len(), 1);
    Ok(())
}

#[test]
fn y21_one_function_takes_any_emitter() -> Done {
    fn main(emitter: &Emitter<String>) -> Done {
        let report = emitter.emit("MyEvent", format!("Using: {emitter:?}!"))?;
        assert_eq!(report.called, 1);
        Ok(())
    }

    let (log, handlers) = (Log::default(), Handlers::new());
    let own = log.clone();
    handlers
        .on("MyEvent")
        .call(move |event: &Event<String>| own.write(event.payload()))?;
    let pool = ThreadPool::new(1).unwrap();
    let shared: Arc<dyn Executor> = Arc::new(BlockOn);
    for emitter in [
        Emitter::inline(&handlers),
        Emitter::new(&handlers, pool.clone()),
        Emitter::new(&handlers, shared),
        Emitter::new(&handlers, |job: chanbus::Job| job.run()),
    ] {
        main(&emitter)?;
    }
    let said = log.take();
    for (said, executor) in said
        .iter()
        .zip(["Inline", "ThreadPool", "BlockOn", "closure"])
    {
        assert!(
            said.starts_with("Using: Emitter") && said.contains(executor),
            "{said}"
        );
    }
    assert_eq!(said.len(), 4);
    Ok(())
}

#[test]
fn y22_a_pool_is_its_owners_who_shuts_it_down() {
    watched(|| {
        let (log, handlers) = (Log::default(), Handlers::new());
        let (leave, may_leave) = crossbeam_channel::bounded(0);
        handlers
            .on("first")
            .call(move |_| may_leave.recv().unwrap())?;
        handlers.on("**").call(print(&log))?;
        let pool = ThreadPool::new(1).unwrap();
        let (one, two) = (
            Emitter::thread_pool(&handlers, &pool),
            Emitter::thread_pool(&handlers, &pool),
        );
        // Emitters come and go, the pool stays.
        one.emit_detached("first", "first")?;
        drop(one);
        two.emit_detached("second", "second")?;
        assert_eq!(log.take(), [""; 0]);

        leave.send(()).unwrap();
        pool.shutdown();
        // What it had accepted has ended.
        let mut done = log.take();
        done.sort();
        assert_eq!(done, ["first", "second"]);
        // It takes no more, and says so.
        let late = two.emit("third", "third")?;
        assert_eq!((late.called, late.failed), (0, 1));
        assert!(late.errors[0].to_string().contains("shut down"), "{late:?}");
        Ok::<(), chanbus::Error>(())
    })
    .unwrap();
}

#[test]
fn y23_printing_an_emitter_names_its_executor() {
    let handlers = Handlers::<()>::new();
    let pool = ThreadPool::builder(1).build().unwrap();
    let print = |emitter: Emitter<()>| format!("{emitter:?}");
    for (printed, name) in [
        (print(Emitter::inline(&handlers)), "Inline"),
        (print(Emitter::blocking(&handlers)), "BlockOn"),
        (print(Emitter::thread_pool(&handlers, &pool)), "ThreadPool"),
    ] {
        assert!(printed.starts_with("Emitter {"), "{printed}");
        assert!(
            printed.contains(&format!("executor: \"{name}\"")),
            "{printed}"
        );
    }
}
