//! Finding who gets an event, as subscriptions and topics grow in number.
//!
//! The number of matches is four throughout, so all that may grow is the finding. Beside the bus
//! stands the Arc loop over four queues: delivery with nothing to find, whatever the number of
//! subscriptions. Queues are emptied off the clock.

mod support;

use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

use support::scene::{Scene, WANTED};
use support::{ArcLoop, CAPACITY, PAYLOAD, must, short, timed_in_chunks};

fn routing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("routing");
    for subscriptions in [10, 1_000, 100_000] {
        let scene = Scene::new(subscriptions);
        let emit = |topic: &str| {
            must(scene.bus.emit(black_box(topic), black_box(PAYLOAD)));
        };

        // One topic, its route in the cache.
        group.bench_function(BenchmarkId::new("cached topic", subscriptions), |bench| {
            bench.iter_custom(|iterations| {
                timed_in_chunks(
                    iterations,
                    CAPACITY as u64,
                    |_| emit("feed.7.tick"),
                    || scene.drain(),
                )
            });
        });

        // Topics that come round: few, and about as many as the cache has room for.
        for topics in [64, 16_000] {
            let names: Vec<String> = (0..topics)
                .map(|feed| format!("feed.{feed}.tick"))
                .collect();
            // A bus in use has seen its topics. (In smoke mode this is all that comes round.)
            for name in &names {
                emit(name);
                scene.drain();
            }
            let mut turn = names.iter().cycle();
            let id = BenchmarkId::new(format!("{topics} topics"), subscriptions);
            group.bench_function(id, |bench| {
                bench.iter_custom(|iterations| {
                    timed_in_chunks(
                        iterations,
                        CAPACITY as u64,
                        |_| turn.next().into_iter().for_each(|name| emit(name)),
                        || scene.drain(),
                    )
                });
            });
        }

        // Topics never seen before: the subscriptions are searched, and a route is made and kept, or
        // not, as the cache is full. It comes last, as it fills the cache.
        let mut fresh = Fresh::new();
        group.bench_function(BenchmarkId::new("new topics", subscriptions), |bench| {
            bench.iter_custom(|iterations| fresh.timed(iterations, &scene, emit));
        });
    }

    let by_hand = ArcLoop::new(WANTED.len());
    group.bench_function("arc loop over the matches", |bench| {
        bench.iter_custom(|iterations| {
            timed_in_chunks(
                iterations,
                CAPACITY as u64,
                |_| by_hand.emit(black_box(PAYLOAD)),
                || by_hand.drain(),
            )
        });
    });
    group.finish();
}

/// Topics that were never seen before, their names made off the clock.
struct Fresh {
    next: u64,
    names: Vec<String>,
}

impl Fresh {
    fn new() -> Self {
        Fresh {
            next: 1_000_000,
            names: vec![String::new(); CAPACITY],
        }
    }

    fn timed(&mut self, iterations: u64, scene: &Scene, emit: impl Fn(&str)) -> Duration {
        let mut sum = Duration::ZERO;
        let mut left = iterations;
        while left > 0 {
            for name in &mut self.names {
                name.clear();
                must(write!(name, "feed.{}.tick", self.next));
                self.next += 1;
            }
            let count = left.min(CAPACITY as u64);
            let mut names = self.names.iter();
            sum += timed_in_chunks(
                count,
                count,
                |_| names.next().into_iter().for_each(|name| emit(name)),
                || scene.drain(),
            );
            left -= count;
        }
        sum
    }
}

criterion_group! {
    name = benches;
    config = short();
    targets = routing
}
criterion_main!(benches);
