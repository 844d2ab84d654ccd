//! One subscription that comes and goes, among as many as there are.
//!
//! Beside the bus stand a raw queue, made and dropped, which is the floor of any subscription that
//! has a queue of its own; and the list by hand: senders in a map under a lock, where a subscription
//! is one entry. The list's changes are cheap because its emits hold the lock; on the bus emits hold
//! none, and a change copies the nodes on its way.

mod support;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Mutex;

use chanbus::Subscription;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use crossbeam_channel::{Sender, bounded};

use support::{PAYLOAD, Payload, bus, must, short};

/// Slots of each queue. One, as 100,000 queues of a sensible size would take a gigabyte, and as
/// making a larger one is time spent in the allocator by every contender alike.
const SLOTS: usize = 1;

fn churn(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("subscribe and drop");
    for subscriptions in [10, 1_000, 100_000] {
        let bus = bus(subscriptions + 1, SLOTS);
        let _stay: Vec<Subscription<Payload>> = (0..subscriptions)
            .map(|number| must(bus.subscribe(format!("user.{number}.*"))))
            .collect();
        group.bench_function(BenchmarkId::new("bus", subscriptions), |bench| {
            bench.iter(|| drop(must(bus.subscribe(black_box("user.seven.*")))));
        });

        // The first emit after a change resolves its route anew.
        let publisher = must(bus.publisher("user.seven.name"));
        group.bench_function(
            BenchmarkId::new("bus, with an emit", subscriptions),
            |bench| {
                bench.iter(|| {
                    let subscription = must(bus.subscribe(black_box("user.seven.*")));
                    must(publisher.emit(black_box(PAYLOAD)));
                    must(subscription.try_recv())
                });
            },
        );

        let by_hand: Mutex<HashMap<usize, Sender<Payload>>> = Mutex::new(
            (0..subscriptions)
                .map(|id| (id, bounded(SLOTS).0))
                .collect(),
        );
        group.bench_function(BenchmarkId::new("list by hand", subscriptions), |bench| {
            bench.iter(|| {
                let (sender, receiver) = bounded(SLOTS);
                must(by_hand.lock()).insert(black_box(usize::MAX), sender);
                drop(must(by_hand.lock()).remove(&black_box(usize::MAX)));
                drop(receiver);
            });
        });
    }

    group.bench_function("raw queue", |bench| {
        bench.iter(|| drop(bounded::<Payload>(black_box(SLOTS))));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = short();
    targets = churn
}
criterion_main!(benches);
