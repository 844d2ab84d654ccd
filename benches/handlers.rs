//! Calling handlers: directly, and through a bus.
//!
//! What stands beside them is said in `support/callbacks.rs`. Compare within a run, at the same number of
//! handlers. Ratios, against what is aimed at: `cargo bench --bench compare -- --rows handlers`.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use support::callbacks::{
    ArcCalls, BURST, EventLoop, RsEvents, Sent, Signals, TOPIC, Work, a_little, emit, emitter,
    emitter_with_context, nothing, one_among,
};
use support::short;

fn direct(criterion: &mut Criterion) {
    let kinds: [(&str, Work); 2] = [("empty", nothing), ("working", a_little)];
    for (kind, work) in kinds {
        let mut group = criterion.benchmark_group(format!("emit to {kind} handlers"));
        for handlers in [1, 8, 64] {
            group.throughput(Throughput::Elements(handlers as u64));
            let id = |who: &str| BenchmarkId::new(who, handlers);

            let plain = emitter(handlers, work);
            group.bench_function(id("emitter"), |bench| {
                bench.iter(|| emit(&plain, TOPIC, handlers));
            });
            let with_context = emitter_with_context(handlers, work);
            group.bench_function(id("emitter, with context"), |bench| {
                bench.iter(|| emit(&with_context, TOPIC, handlers));
            });
            let event_loop = EventLoop::new(handlers, work);
            group.bench_function(id("event loop"), |bench| bench.iter(|| event_loop.emit()));
            let arc_loop = ArcCalls::new(handlers, work);
            group.bench_function(id("arc loop"), |bench| bench.iter(|| arc_loop.emit()));
            let signals = Signals::new(handlers, work);
            group.bench_function(id("signals2"), |bench| bench.iter(|| signals.emit()));
            let mut rs_events = RsEvents::new(handlers, work);
            group.bench_function(id("rs_events"), |bench| bench.iter(|| rs_events.emit()));
        }
        group.finish();
    }
}

/// One handler is called, whatever their number.
fn among(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("emit to one handler among");
    for handlers in [10, 1_000, 100_000] {
        let emitter = one_among(handlers);
        group.bench_function(BenchmarkId::new("cached topic", handlers), |bench| {
            bench.iter(|| emit(&emitter, "feed.7.tick", 1));
        });
        let mut feed = 1_000_000;
        group.bench_function(BenchmarkId::new("new topic", handlers), |bench| {
            bench.iter_batched(
                || {
                    feed += 1;
                    format!("feed.{feed}.tick")
                },
                |topic| emit(&emitter, &topic, 1),
                criterion::BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// Through a bus to another thread, by bursts that fit into a queue.
fn dispatched(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("through a bus");
    group.throughput(Throughput::Elements(BURST as u64));
    for handlers in [1, 8] {
        let contenders = [
            ("dispatcher", Sent::dispatched(handlers, a_little)),
            ("thread by hand", Sent::by_hand(handlers, a_little)),
        ];
        for (who, sent) in contenders {
            group.bench_function(BenchmarkId::new(who, handlers), |bench| {
                bench.iter(|| sent.burst(BURST));
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = short();
    targets = direct, among, dispatched
}
criterion_main!(benches);
