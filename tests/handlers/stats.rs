//! H11: what can be seen.

use std::sync::mpsc::channel;
use std::time::Duration;

use chanbus::{Bus, Dispatcher, Drain, Emitter, Flow, Handlers, Priority, Services};

use super::common::{Gate, guarded};
use super::{Done, Log};

#[test]
fn h11_what_there_is_by_pattern_by_kind_and_in_all() -> Done {
    let handlers = Handlers::<u32>::with_services(&Services::new().with(1_u8).with(2_u16));
    handlers.on(["a", "b.*"]).call(|_| {})?;
    handlers.on("a").once().handle(|_, _| Ok(Flow::Continue))?;
    let gone = handlers
        .on(["a", "c"])
        .priority(Priority::MONITOR)
        .call(|_| {})?;
    handlers
        .on("b.*")
        .once()
        .priority(Priority::MONITOR)
        .handle_async(|_, _| async { Ok(Flow::Continue) })?;
    let pass = handlers.middleware(Some);
    let tell = [handlers.on_error(|_| {}), handlers.on_error(|_| {})];
    let stats = handlers.stats();
    let kinds = stats.by_kind;
    assert_eq!(
        (
            stats.handlers,
            kinds.sync,
            kinds.r#async,
            kinds.once,
            kinds.monitor,
            kinds.batch
        ),
        (4, 3, 1, 2, 2, 0)
    );
    let by_pattern = |stats: &chanbus::HandlersStats| {
        let all = stats
            .by_pattern
            .iter()
            .map(|(pattern, count)| format!("{pattern} {count}"));
        all.collect::<Vec<_>>()
    };
    assert_eq!(by_pattern(&stats), ["a 3", "b.* 2", "c 1"]);
    assert_eq!(stats.patterns().count(), 3);
    assert_eq!(
        (stats.middleware, stats.error_handlers, stats.services),
        (1, 2, 2)
    );
    assert!(stats.uses_services());
    handlers.remove(gone);
    drop((pass, tell));
    let stats = handlers.stats();
    assert_eq!(by_pattern(&stats), ["a 2", "b.* 2"]);
    assert_eq!(
        (
            stats.handlers,
            stats.middleware,
            stats.error_handlers,
            stats.by_kind.monitor
        ),
        (3, 0, 0, 1)
    );
    Ok(())
}

/// One event of each kind of outcome; the sums of the report, the registry, the handlers and the
/// dispatcher agree.
#[test]
fn h11_called_failed_blocked_and_skipped_agree_everywhere() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        let pass = handlers.middleware(|event| (*event.payload() != 9).then_some(event));
        let fails = handlers
            .on("**")
            .priority(1)
            .handle(|event, _| match event.payload() {
                0 => Ok(Flow::Stop),
                1 => Err("no".into()),
                _ => Ok(Flow::Continue),
            })?;
        let filtered = handlers
            .on("a")
            .filter(|event| *event.payload() != 2)
            .call(log.says("called"))?;
        let sums = |stats: &chanbus::HandlersStats| {
            (
                stats.events,
                stats.called,
                stats.failed,
                stats.skipped,
                stats.blocked,
            )
        };
        let mut by_report = (0, 0, 0, 0, 0);
        for n in [0, 1, 2, 3, 9] {
            let report = Emitter::inline(&handlers).emit("a", n)?;
            by_report.0 += 1;
            by_report.1 += report.called as u64;
            by_report.2 += report.failed as u64;
            by_report.3 += report.skipped as u64;
            by_report.4 += u64::from(report.blocked);
        }
        assert_eq!(by_report, (5, 6, 1, 2, 1));
        assert_eq!(sums(&handlers.stats()), by_report);
        let bus = Bus::new();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        for n in [0, 1, 2, 3, 9] {
            bus.emit("a", n)?;
        }
        dispatcher.start()?;
        dispatcher.stop(Drain::All)?;
        let stats = dispatcher.stats();
        assert_eq!(
            (
                stats.handled,
                stats.called,
                stats.failed,
                stats.skipped,
                stats.blocked
            ),
            by_report
        );
        assert_eq!(sums(&stats.handlers), (10, 12, 2, 4, 2));
        let of = |id| {
            let info = handlers.get(id).unwrap();
            (info.called, info.failed, info.skipped)
        };
        assert_eq!((of(fails), of(filtered)), ((8, 2, 0), (4, 0, 4)));
        assert!(handlers.get(fails).unwrap().max >= handlers.get(fails).unwrap().mean);
        drop(pass);
        Ok(())
    })
}

#[test]
fn h11_a_dispatcher_says_its_state_its_queue_and_who_runs_since_when() -> Done {
    guarded(|| {
        let (bus, handlers, gate) = (Bus::new(), Handlers::<u32>::new(), Gate::new());
        let held = gate.clone();
        handlers.on("a").name("slow").call(move |_| held.pass())?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).capacity(8).build()?;
        dispatcher.start()?;
        for n in 0..3 {
            bus.emit("a", n)?;
        }
        gate.wait_held();
        let stats = dispatcher.stats();
        assert!(stats.running);
        assert_eq!(
            (stats.queued, stats.capacity, stats.in_flight, stats.handled),
            (2, 8, 1, 0)
        );
        let first = dispatcher.running();
        assert_eq!((first.len(), first[0].name.as_deref()), (1, Some("slow")));
        assert_eq!(dispatcher.running()[0].since, first[0].since);
        gate.open();
        dispatcher.stop(Drain::All)?;
        let stats = dispatcher.stats();
        assert_eq!((stats.queued, stats.in_flight, stats.handled), (0, 0, 3));
        assert!(dispatcher.running().is_empty());
        Ok(())
    })
}

/// From when an event was taken until its last handler had ended, not how long it waited before.
#[test]
fn h11_dispatch_times_are_of_what_the_docs_say() -> Done {
    const LONG: Duration = Duration::from_millis(40);
    guarded(|| {
        let (bus, handlers) = (Bus::new(), Handlers::<u32>::new());
        let (told, tell) = channel();
        handlers.on("slow").call(|_| std::thread::sleep(LONG))?;
        handlers.on("slow").priority(9).handle_async(|_, _| async {
            std::thread::sleep(LONG);
            Ok(Flow::Continue)
        })?;
        handlers.on("fast").call(move |_| told.send(()).unwrap())?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        for _ in 0..9 {
            bus.emit("fast", 1)?;
        }
        // It waits for longer than any of them takes.
        std::thread::sleep(LONG);
        dispatcher.start()?;
        dispatcher.stop(Drain::All)?;
        assert_eq!(tell.try_iter().count(), 9);
        let fast = dispatcher.stats().dispatch;
        assert!(fast.count() == 9 && fast.p50() < LONG, "{fast}");
        bus.emit("slow", 1)?;
        dispatcher.start()?;
        dispatcher.stop(Drain::All)?;
        let all = dispatcher.stats().dispatch;
        assert_eq!(all.count(), 10);
        assert!(
            all.max() >= 2 * LONG && all.p99() >= 2 * LONG && all.p50() < LONG,
            "{all}"
        );
        assert!(
            all.mean() >= all.max() / 10 && all.mean() <= all.max(),
            "{all}"
        );
        Ok(())
    })
}
