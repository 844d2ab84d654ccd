//! One emit and the takes that answer it, on one thread.
//!
//! Publisher and consumers go in step: each event is taken before the next is emitted, so queues are
//! neither full nor cold. The yardsticks are those of `support`; compare within a run, at the same
//! number of subscribers.

mod support;

use std::hint::black_box;

use chanbus::Subscription;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_channel::bounded;

use support::{ArcLoop, CAPACITY, PAYLOAD, Payload, bus, must, short, take_each, timed_in_chunks};

const TOPIC: &str = "scan.progress";

fn emit_and_take(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("emit and take");
    for subscribers in [1, 8, 64, 512] {
        group.throughput(Throughput::Elements(subscribers as u64));
        let bus = bus(subscribers, CAPACITY);
        let subscriptions: Vec<Subscription<Payload>> = (0..subscribers)
            .map(|_| must(bus.subscribe(TOPIC)))
            .collect();

        // The fast way: topic checked and route resolved beforehand.
        let publisher = must(bus.publisher(TOPIC));
        group.bench_function(BenchmarkId::new("publisher", subscribers), |bench| {
            bench.iter(|| {
                must(publisher.emit(black_box(PAYLOAD)));
                take_each(&subscriptions);
            });
        });

        // The plain way: loads the snapshot and looks the topic up.
        group.bench_function(BenchmarkId::new("topic", subscribers), |bench| {
            bench.iter(|| {
                must(bus.emit(black_box(TOPIC), black_box(PAYLOAD)));
                take_each(&subscriptions);
            });
        });

        let by_hand = ArcLoop::new(subscribers);
        group.bench_function(BenchmarkId::new("arc loop", subscribers), |bench| {
            bench.iter(|| {
                by_hand.emit(black_box(PAYLOAD));
                by_hand.take_each();
            });
        });
    }

    // Only one can own a value, so this yardstick is for one subscriber.
    let (sender, receiver) = bounded(CAPACITY);
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("raw value", 1), |bench| {
        bench.iter(|| {
            must(sender.try_send(black_box(PAYLOAD)));
            black_box(must(receiver.try_recv()));
        });
    });
    group.finish();
}

/// An emit that no pattern matches, as most are in a program whose log nobody reads. The yardstick is
/// one push, which is what a queue without a bus would cost.
fn unmatched(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("unmatched");
    let bus = bus(64, CAPACITY);
    // On the bus, and not on the topic.
    let _others: Vec<Subscription<Payload>> =
        (0..64).map(|_| must(bus.subscribe("other.*"))).collect();

    let publisher = must(bus.publisher(TOPIC));
    group.bench_function("publisher", |bench| {
        bench.iter(|| must(publisher.emit(black_box(PAYLOAD))));
    });
    group.bench_function("topic", |bench| {
        bench.iter(|| must(bus.emit(black_box(TOPIC), black_box(PAYLOAD))));
    });

    // A push needs room: the queue is filled on the clock and emptied off it.
    let (sender, receiver) = bounded(CAPACITY);
    group.bench_function("raw push", |bench| {
        bench.iter_custom(|iterations| {
            timed_in_chunks(
                iterations,
                CAPACITY as u64,
                |_| must(sender.try_send(black_box(PAYLOAD))),
                || receiver.try_iter().for_each(drop),
            )
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = short();
    targets = emit_and_take, unmatched
}
criterion_main!(benches);
