//! What is known of the bus over time: a sample now and then, and what follows from them. Pure; it waits for nothing.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::Duration;

use chanbus::{
    Backlog, BacklogLevel, BusNode, Lint, SubscriptionRates, SubscriptionStats, Topology,
};

use crate::latency::Spread;

/// Rates are those of about this long.
const SPAN: Duration = Duration::from_secs(1);
/// How many samples of latencies are kept: more than any screen is wide.
const KEPT: usize = 512;
/// How many news are kept.
const NEWS: usize = 100;

/// One look at everything.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) topology: Topology,
    /// By the name of the subscription.
    pub(crate) latencies: Vec<(&'static str, Spread)>,
    pub(crate) news: Vec<Backlog>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers {
    /// Those of the last second, oldest first; without rates.
    recent: VecDeque<Topology>,
    now: Option<Topology>,
    lint: Lint,
    latencies: Vec<(&'static str, VecDeque<Spread>)>,
    news: VecDeque<News>,
}

/// What was told of a backlog, and when, by the clock of [`Topology::at`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) at: Duration,
    pub(crate) told: Backlog,
}

/// One subscription.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) bus: &'a BusNode,
    pub(crate) sub: &'a SubscriptionStats,
    /// None in the first second.
    pub(crate) rates: Option<&'a SubscriptionRates>,
    /// None where nobody measures, or nothing came.
    pub(crate) latency: Option<Spread>,
}

/// How a subscription does, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Health {
    Well,
    /// At its high-water mark, and not back; or, without a mark, three quarters full.
    Behind,
    /// It is full, or has lost events in the last second.
    Losing,
}

/// In which order rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sort {
    /// As they were made, bus by bus.
    #[default]
    Made,
    Depth,
    Rate,
    Drops,
    Latency,
}

impl Numbers {
    pub(crate) fn add(&mut self, sample: Sample) {
        let Sample {
            topology,
            latencies,
            news,
        } = sample;
        let at = topology.at;
        self.news
            .extend(news.into_iter().map(|told| News { at, told }));
        let old = self.news.len().saturating_sub(NEWS);
        self.news.drain(..old);
        for (name, spread) in latencies {
            let place = self.latencies.iter().position(|(known, _)| *known == name);
            let place = place.unwrap_or_else(|| {
                self.latencies.push((name, VecDeque::new()));
                self.latencies.len() - 1
            });
            let spreads = &mut self.latencies[place].1;
            spreads.push_back(spread);
            if spreads.len() > KEPT {
                spreads.pop_front();
            }
        }
        // The oldest that is kept is the newest that is at least so old.
        while self
            .recent
            .get(1)
            .is_some_and(|second| second.at + SPAN <= at)
        {
            self.recent.pop_front();
        }
        let now = match self.recent.front() {
            Some(before) => topology.clone().since(before),
            None => topology.clone(),
        };
        self.lint = now.lint();
        self.now = Some(now);
        self.recent.push_back(topology);
    }

    /// The last sample, with its rates.
    pub(crate) fn now(&self) -> Option<&Topology> {
        self.now.as_ref()
    }

    pub(crate) fn lint(&self) -> &Lint {
        &self.lint
    }

    /// Newest first.
    pub(crate) fn news(&self) -> impl Iterator<Item = &News> {
        self.news.iter().rev()
    }

    /// The latency that all but one of a hundred events stayed below, oldest first; of one subscription, or the
    /// greatest of all.
    pub(crate) fn latencies(&self, name: Option<&str>) -> Vec<Duration> {
        let wanted = |known: &str| name.is_none_or(|name| name == known);
        let mut all: Vec<Duration> = Vec::new();
        for (known, spreads) in &self.latencies {
            if !wanted(known) {
                continue;
            }
            all.resize(all.len().max(spreads.len()), Duration::ZERO);
            // By their ends: who came later has fewer.
            for (sum, spread) in all.iter_mut().rev().zip(spreads.iter().rev()) {
                *sum = (*sum).max(spread.p99);
            }
        }
        all
    }

    /// The subscriptions that have this text in their name or a pattern, in this order.
    pub(crate) fn rows(&self, text: &str, sort: Sort) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> = self.all().filter(|row| row.has(text)).collect();
        // Stable: who is alike stays as it was made, so that rows do not jump about.
        match sort {
            Sort::Made => {}
            Sort::Depth => rows.sort_by_key(|row| Reverse((row.health(), row.permille()))),
            Sort::Rate => rows.sort_by(|one, two| {
                two.rate(|it| it.matched)
                    .total_cmp(&one.rate(|it| it.matched))
            }),
            Sort::Drops => rows.sort_by_key(|row| Reverse(row.sub.dropped)),
            Sort::Latency => rows.sort_by_key(|row| Reverse(row.latency.map(|it| it.p99))),
        }
        rows
    }

    fn all(&self) -> impl Iterator<Item = Row<'_>> {
        let now = self.now.iter();
        now.flat_map(|now| {
            now.buses
                .iter()
                .enumerate()
                .map(move |(place, bus)| (now, place, bus))
        })
        .flat_map(move |(now, place, bus)| {
            let rates = now.rates.as_ref().and_then(|rates| rates.buses.get(place));
            let subs = bus.stats.subscriptions.iter().enumerate();
            subs.map(move |(at, sub)| Row {
                bus,
                sub,
                rates: rates.and_then(|rates| rates.subscriptions.get(at)),
                latency: self.latency(sub),
            })
        })
    }

    /// The last that was measured, not longer ago than eight samples: slow consumers receive now and then.
    fn latency(&self, sub: &SubscriptionStats) -> Option<Spread> {
        let name = sub.name.as_deref()?;
        let (_, spreads) = self.latencies.iter().find(|(known, _)| *known == name)?;
        spreads
            .iter()
            .rev()
            .take(8)
            .find(|spread| spread.count > 0)
            .copied()
    }
}

impl Row<'_> {
    pub(crate) fn name(&self) -> String {
        match &self.sub.name {
            Some(name) => name.to_string(),
            None => format!("#{}", self.sub.id),
        }
    }

    pub(crate) fn patterns(&self) -> String {
        let patterns: Vec<&str> = self
            .sub
            .patterns
            .iter()
            .map(|pattern| pattern.as_str())
            .collect();
        patterns.join(" ")
    }

    pub(crate) fn health(&self) -> Health {
        let sub = self.sub;
        let is_high = match sub.high_water {
            Some(_) => sub.behind,
            None => self.permille() >= 750,
        };
        if sub.depth >= sub.capacity || self.rate(|it| it.dropped) > 0.0 {
            Health::Losing
        } else if is_high {
            Health::Behind
        } else {
            Health::Well
        }
    }

    /// How full the queue is.
    pub(crate) fn permille(&self) -> usize {
        // Replayed events wait outside of the capacity.
        (self.sub.depth.min(self.sub.capacity) * 1_000) / self.sub.capacity.max(1)
    }

    pub(crate) fn rate(&self, which: fn(&SubscriptionRates) -> f64) -> f64 {
        self.rates.map_or(0.0, which)
    }

    fn has(&self, text: &str) -> bool {
        let mut words = vec![self.name(), self.patterns(), self.sub.role.to_string()];
        words.extend(self.bus.stats.name.as_deref().map(str::to_owned));
        words.iter().any(|word| contains(word, text))
    }
}

impl Sort {
    pub(crate) fn next(self) -> Self {
        match self {
            Sort::Made => Sort::Depth,
            Sort::Depth => Sort::Rate,
            Sort::Rate => Sort::Drops,
            Sort::Drops => Sort::Latency,
            Sort::Latency => Sort::Made,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Sort::Made => "as made",
            Sort::Depth => "depth",
            Sort::Rate => "rate",
            Sort::Drops => "drops",
            Sort::Latency => "latency",
        }
    }
}

impl News {
    /// On one line.
    pub(crate) fn line(&self) -> String {
        let Backlog {
            level,
            name,
            subscription,
            depth,
            capacity,
            dropped,
            location,
            ..
        } = &self.told;
        let name = match name {
            Some(name) => name.to_string(),
            None => format!("#{subscription}"),
        };
        let place = format!("{}:{}", location.file(), location.line());
        match level {
            BacklogLevel::High => {
                format!(
                    "{name} fell behind: {depth} of {capacity} wait, {dropped} dropped ({place})"
                )
            }
            BacklogLevel::Low => {
                format!("{name} is back: {depth} of {capacity} wait, {dropped} dropped ({place})")
            }
        }
    }
}

/// Whether a line has a text in it, in whatever case.
pub(crate) fn contains(line: &str, text: &str) -> bool {
    line.to_lowercase().contains(&text.to_lowercase())
}
