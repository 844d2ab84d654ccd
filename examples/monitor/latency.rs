//! The time from an emit to its receipt: who receives adds it up, and the dashboard takes the sums away.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Four for each power of two, of microseconds, up to more than a day.
const BUCKETS: usize = 144;

/// What one consumer measures.
#[derive(Debug)]
pub(crate) struct Probe {
    buckets: [AtomicU64; BUCKETS],
    max: AtomicU64,
}

/// What was measured since it was last asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) count: u64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

impl Probe {
    pub(crate) fn new() -> Self {
        Probe {
            buckets: array::from_fn(|_| AtomicU64::new(0)),
            max: AtomicU64::new(0),
        }
    }

    pub(crate) fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // Relaxed, here and below: statistics.
        self.buckets[bucket(micros)].fetch_add(1, Ordering::Relaxed);
        self.max.fetch_max(micros, Ordering::Relaxed);
    }

    /// What was measured since this was last called. What is being measured meanwhile may count next time.
    pub(crate) fn take(&self) -> Spread {
        let counts = self.buckets.each_ref();
        let counts = counts.map(|count| count.swap(0, Ordering::Relaxed));
        let max = self.max.swap(0, Ordering::Relaxed);
        let count: u64 = counts.iter().sum();
        let quantile = |percent: u64| {
            // The rank of the event in question, from one.
            let rank = (count * percent).div_ceil(100).max(1);
            let mut seen = 0;
            let place = counts.iter().position(|count| {
                seen += count;
                seen >= rank
            });
            let micros = place.map_or(0, |place| upper(place).min(max));
            Duration::from_micros(micros)
        };
        Spread {
            count,
            p50: quantile(50),
            p99: quantile(99),
            max: Duration::from_micros(max),
        }
    }
}

/// Which bucket a number falls into: at most a quarter wide.
fn bucket(micros: u64) -> usize {
    if micros < 4 {
        return micros as usize;
    }
    let power = micros.ilog2() as usize;
    let quarter = (micros >> (power - 2)) as usize & 3;
    (4 * (power - 1) + quarter).min(BUCKETS - 1)
}

/// The greatest number of a bucket: latencies are told rather too large than too small.
fn upper(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64;
    }
    let (power, quarter) = (bucket / 4 + 1, bucket as u64 % 4);
    ((4 + quarter + 1) << (power - 2)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_at_most_a_quarter_below_what_is_told_of_it() {
        for micros in (0..5_000).chain([1 << 20, (1 << 33) - 1]) {
            let told = upper(bucket(micros));
            assert!(
                told >= micros && told <= micros + micros / 4,
                "{micros}: {told}"
            );
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn taken_once_and_in_order_of_rank() {
        let probe = Probe::new();
        assert_eq!(probe.take(), Spread::default());
        for millis in 1..=100 {
            probe.record(Duration::from_millis(millis));
        }
        let spread = probe.take();
        assert_eq!(spread.count, 100);
        assert_eq!(spread.max, Duration::from_millis(100));
        let near = |found: Duration, millis: u64| {
            found >= Duration::from_millis(millis)
                && found <= Duration::from_millis(millis + millis / 4)
        };
        assert!(near(spread.p50, 50), "{spread:?}");
        assert!(
            near(spread.p99, 99) && spread.p99 <= spread.max,
            "{spread:?}"
        );
        assert_eq!(probe.take(), Spread::default());
    }
}
