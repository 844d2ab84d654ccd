//! A batch on its way: events one after the other, and the handlers that take many of them at once (H14).
//!
//! A batch handler is a barrier in the calling order. Up to it, every event goes through its other
//! handlers, event by event; then it is called, once; then they go on to the next. So without one, events
//! are handled as if they were emitted one by one.

use std::ops::Range;

use super::batch_call::{BatchCall, Guest};
use super::fly::{Flight, fly_part};
use super::walk::walk_part;
use super::{RoutedBatch, Run, Scene, Wait, block_on};
use crate::handlers::entry::Entry;
use crate::handlers::executor::{Executor, Mode};
use crate::handlers::report::Report;
use crate::sync::Arc;

/// Events that go through their handlers together, and how far they are.
pub(in crate::handlers) struct Convoy<T: Send + Sync + 'static> {
    runs: Vec<Arc<Run<T>>>,
    /// For each event, how many of its handlers it has been through.
    behind: Vec<usize>,
    /// The batch handlers of all events, in calling order.
    barriers: Vec<Arc<Entry<T>>>,
    /// How many of those were called.
    passed: usize,
    /// How many events have come up to the next of those; to their end, if there is none.
    arrived: usize,
    report: Report<T>,
}

/// What comes next.
enum Leg<T: Send + Sync + 'static> {
    /// One event, through some of its handlers.
    Part(Arc<Run<T>>, Range<usize>),
    /// Many events, to one handler.
    Together(Arc<BatchCall<T>>),
}

impl<T: Send + Sync + 'static> Convoy<T> {
    pub(in crate::handlers) fn new(scene: &Scene<T>, batch: RoutedBatch<T>) -> Self {
        let RoutedBatch { events, report } = batch;
        let entries = events.iter().filter(|routed| routed.route.has_batch);
        let entries = entries.flat_map(|routed| &routed.route.entries);
        let mut barriers: Vec<_> = entries.filter(|entry| entry.is_batch()).cloned().collect();
        barriers.sort_unstable_by_key(|entry| entry.key());
        barriers.dedup_by_key(|entry| entry.id);
        Convoy {
            behind: vec![0; events.len()],
            runs: events
                .into_iter()
                .map(|routed| Run::new(scene.clone(), routed))
                .collect(),
            barriers,
            passed: 0,
            arrived: 0,
            report,
        }
    }

    fn next_leg(&mut self) -> Option<Leg<T>> {
        loop {
            let barrier = self.barriers.get(self.passed);
            if let Some(run) = self.runs.get(self.arrived) {
                let entries = &run.route.entries;
                let before = |barrier: &Arc<Entry<T>>| {
                    entries.partition_point(|entry| entry.key() < barrier.key())
                };
                let to = barrier.map_or(entries.len(), before);
                let is_guest = |barrier: &Arc<Entry<T>>| {
                    entries.get(to).is_some_and(|entry| entry.id == barrier.id)
                };
                let behind = to + usize::from(barrier.is_some_and(is_guest));
                let from = std::mem::replace(&mut self.behind[self.arrived], behind);
                self.arrived += 1;
                if from < to {
                    return Some(Leg::Part(Arc::clone(run), from..to));
                }
                continue;
            }
            let barrier = barrier?;
            let guests = self.runs.iter().zip(&self.behind);
            let guests = guests.filter_map(|(run, behind)| {
                let place = behind.checked_sub(1)?;
                let is_guest = run.route.entries[place].id == barrier.id;
                is_guest.then(|| Guest {
                    run: Arc::clone(run),
                    place,
                })
            });
            let call = BatchCall::new(guests.collect());
            self.passed += 1;
            self.arrived = 0;
            if let Some(call) = call {
                return Some(Leg::Together(Arc::new(call)));
            }
        }
    }

    /// Runs all on this thread. Async handlers are run to their end, or refused.
    pub(in crate::handlers) fn here(self, block_on_async: bool) -> Report<T> {
        if block_on_async && self.runs.iter().any(|run| run.route.has_async) {
            return block_on(self.fly(None, Mode::Sequential, Wait::Asleep));
        }
        self.walk()
    }

    fn walk(mut self) -> Report<T> {
        while let Some(leg) = self.next_leg() {
            match leg {
                Leg::Part(run, places) => {
                    let run = walk_part(run, places);
                    self.collect(&run);
                }
                Leg::Together(call) => {
                    call.call();
                    self.collect_all(&call);
                }
            }
        }
        self.end()
    }

    /// Runs all by an executor, as [`fly`](super::fly()) does for one event.
    pub(in crate::handlers) async fn fly(
        mut self,
        executor: Option<Arc<dyn Executor>>,
        mode: Mode,
        wait: Wait,
    ) -> Report<T> {
        while let Some(leg) = self.next_leg() {
            match leg {
                Leg::Part(run, places) => {
                    fly_part(Arc::clone(&run), places, executor.clone(), mode, wait).await;
                    self.collect(&run);
                }
                Leg::Together(call) => {
                    Flight::together(&call, executor.clone(), wait).await;
                    self.collect_all(&call);
                }
            }
        }
        self.end()
    }

    /// Takes what failed, while it is still known in which order.
    fn collect(&mut self, run: &Run<T>) {
        self.report.errors.append(&mut run.take_failures());
    }

    fn collect_all(&mut self, call: &BatchCall<T>) {
        for run in call.runs() {
            self.collect(run);
        }
    }

    fn end(mut self) -> Report<T> {
        for run in &self.runs {
            self.report.add(run.report());
        }
        self.report
    }
}
