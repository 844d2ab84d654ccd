//! H13: services by type.

use std::sync::Arc;

use chanbus::{
    BlockOn, Bus, Dispatcher, Drain, Emitter, FailureKind, Flow, Handlers, MissingService, Services,
};

use super::common::guarded;
use super::{Done, Log};

#[derive(Debug)]
struct Database(&'static str);

#[test]
fn h13_handlers_of_several_registries_get_the_same_object() -> Done {
    guarded(|| {
        let database = Arc::new(Database("one"));
        let services = Services::new().with(7_u32);
        services.insert(Arc::clone(&database));
        let registries = [(); 2].map(|()| Handlers::<u32>::with_services(&services));
        let log = Log::new();
        for handlers in &registries {
            let (said, own) = (log.clone(), Arc::clone(&database));
            handlers.on("a").handle(move |_, ctx| {
                let database = ctx.service::<Database>()?;
                assert!(Arc::ptr_eq(&database, &own));
                said.add(database.0);
                Ok(Flow::Continue)
            })?;
            let said = log.clone();
            handlers.on("a").handle_async(move |_, ctx| {
                let said = said.clone();
                async move {
                    futures_lite::future::yield_now().await;
                    said.add(ctx.service::<u32>()?.to_string());
                    Ok(Flow::Continue)
                }
            })?;
            assert!(Emitter::new(handlers, BlockOn).emit("a", 1)?.is_ok());
            assert_eq!(log.take(), ["one", "7"]);
            let bus = Bus::new();
            let dispatcher = Dispatcher::builder(&bus, handlers).build()?;
            dispatcher.start()?;
            bus.emit("a", 1)?;
            dispatcher.stop(Drain::All)?;
            assert_eq!(log.take(), ["one", "7"]);
            assert_eq!(handlers.stats().services, 2);
        }
        Ok(())
    })
}

#[test]
fn h13_a_missing_one_is_a_handler_error_that_names_the_type() -> Done {
    let services = Services::new();
    let handlers = Handlers::<u32>::with_services(&services);
    handlers.on("a").name("x").handle(|_, ctx| {
        ctx.service::<Database>()?;
        Ok(Flow::Continue)
    })?;
    let report = Emitter::inline(&handlers).emit("a", 1)?;
    assert_eq!((report.called, report.failed), (1, 1));
    let failure = &report.errors[0];
    assert!(matches!(failure.kind(), FailureKind::Error(_)));
    let missing = failure.downcast_ref::<MissingService>().unwrap();
    assert!(missing.name().ends_with("services::Database"), "{missing}");
    assert!(failure.to_string().contains(missing.name()));
    // It comes later, is replaced, and goes.
    services.insert(Arc::new(Database("late")));
    assert!(Emitter::inline(&handlers).emit("a", 1)?.is_ok());
    assert_eq!(
        services.insert(Arc::new(Database("new"))).unwrap().0,
        "late"
    );
    assert_eq!(services.remove::<Database>().unwrap().0, "new");
    assert_eq!(Emitter::inline(&handlers).emit("a", 1)?.failed, 1);
    Ok(())
}

#[test]
fn h13_services_change_while_handlers_ask() -> Done {
    guarded(|| {
        let services = Services::new().with(0_u64);
        let handlers = Handlers::<u32>::with_services(&services);
        let last = std::sync::atomic::AtomicU64::new(0);
        handlers.on("a").handle(move |_, ctx| {
            let now = *ctx.service::<u64>()?;
            let before = last.swap(now, std::sync::atomic::Ordering::SeqCst);
            assert!(now >= before);
            Ok(Flow::Continue)
        })?;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..=5_000_u64 {
                    services.insert(Arc::new(n));
                }
            });
            let emitter = Emitter::inline(&handlers);
            for _ in 0..5_000 {
                assert!(emitter.emit("a", 1).unwrap().is_ok());
            }
        });
        assert_eq!(*services.get::<u64>()?, 5_000);
        Ok(())
    })
}

#[test]
fn services_are_empty_until_something_is_in_them() {
    assert!(Services::new().is_empty());
    assert!(!Services::new().with(7_u32).is_empty());
}
