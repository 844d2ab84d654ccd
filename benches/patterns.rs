//! Checking topics and matching patterns.
//!
//! The `hostile` groups grow pattern and topic together: from one size to the next both double, so
//! time may at most quadruple. The other groups are the ways that common emits and subscriptions go.

use std::hint::black_box;

use chanbus::{Pattern, Topic};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn pattern(text: &str) -> Pattern {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn flat(text: &str) -> Pattern {
    Pattern::flat(text).unwrap_or_else(|error| panic!("{error}"))
}

fn common(criterion: &mut Criterion) {
    let topic = "twitch.chat.message.created";
    let mut group = criterion.benchmark_group("common");
    group.bench_function("check topic", |bench| {
        bench.iter(|| Topic::new(black_box(topic)))
    });
    for text in [
        topic,
        "**",
        "twitch.**",
        "twitch.*.message.*",
        "**.created",
        "twitch.**.created",
        "twitch.ch*t.message.*",
        "twitch.ch?t.mess*age.created",
    ] {
        let pattern = pattern(text);
        assert!(pattern.matches(topic), "{text}");
        group.bench_function(BenchmarkId::new("segmented", text), |bench| {
            bench.iter(|| pattern.matches(black_box(topic)));
        });
    }
    for text in ["*", "twitch.*", "*.created", "twitch*created", "*chat*"] {
        let pattern = flat(text);
        assert!(pattern.matches(topic), "{text}");
        group.bench_function(BenchmarkId::new("flat", text), |bench| {
            bench.iter(|| pattern.matches(black_box(topic)));
        });
    }
    group.finish();
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for text in ["twitch.chat.message", "twitch.**", "twitch.ch?t.**.*.mess*"] {
        group.bench_function(text, |bench| bench.iter(|| Pattern::new(black_box(text))));
    }
    group.finish();
}

fn hostile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hostile");
    for size in [64, 128, 256, 512, 1024] {
        let half = size / 2 - 2;
        // Each star but the last could take any share of the letters.
        let stars = "*a".repeat(half) + "*b*";
        // Wherever it is tried, it fails at its end only.
        let block = format!("*{}b*", "a".repeat(half));
        let gaps = format!("*{}b*", "a?".repeat(half / 2));
        let letters = "a".repeat(size);
        let double_stars = "**.a.".repeat(size / 5 - 1) + "b";
        let segment_block = format!("**{}.b.**", ".a".repeat(half / 2));
        let segments = "a.".repeat(size / 2 - 1) + "a";
        for (name, pattern, topic) in [
            ("flat stars", flat(&stars), &letters),
            ("flat block", flat(&block), &letters),
            ("flat gaps", flat(&gaps), &letters),
            ("segment stars", pattern(&stars), &letters),
            ("segment block", pattern(&block), &letters),
            ("double stars", pattern(&double_stars), &segments),
            ("double star block", pattern(&segment_block), &segments),
        ] {
            assert!(!pattern.matches(topic));
            group.bench_function(BenchmarkId::new(name, size), |bench| {
                bench.iter(|| pattern.matches(black_box(topic)));
            });
        }
    }
    group.finish();
}

fn relations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("relations");
    let (wide, narrow) = (pattern("twitch.**"), pattern("twitch.chat.*.mess*"));
    group.bench_function("overlaps", |bench| {
        bench.iter(|| wide.overlaps(black_box(&narrow)))
    });
    group.bench_function("includes", |bench| {
        bench.iter(|| wide.includes(black_box(&narrow)))
    });
    for size in [64, 128, 256, 512, 1024] {
        let left = pattern(&("*.".repeat(size / 2 - 1) + "**"));
        let right = pattern(&("**".to_owned() + &".a".repeat(size / 2 - 1)));
        assert!(left.overlaps(&right) && left.includes(&right));
        group.bench_function(BenchmarkId::new("hostile overlaps", size), |bench| {
            bench.iter(|| left.overlaps(black_box(&right)));
        });
        group.bench_function(BenchmarkId::new("hostile includes", size), |bench| {
            bench.iter(|| left.includes(black_box(&right)));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = common, parse, hostile, relations
}
criterion_main!(benches);
