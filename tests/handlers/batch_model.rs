//! H14: batches over random handlers, held against a simple model.

use chanbus::{Emitter, Event, Flow, Handlers, Mode, Priority, ThreadPool};
use futures_lite::future::block_on;

use super::common::{Dice, guarded, soaked};
use super::{Done, Log};

/// A handler, as both the registry and the model know it.
#[derive(Clone, Debug)]
struct Plan {
    number: usize,
    pattern: &'static str,
    priority: i32,
    monitor: bool,
    takes_batches: bool,
    once: bool,
    /// A filter keeps payloads that this divides away; 0 for none.
    keeps_away: u64,
    /// It stops events if the first payload it sees is divided by this.
    stops: u64,
    fails: bool,
}

impl Plan {
    fn new(number: usize, dice: &mut Dice) -> Self {
        Plan {
            number,
            pattern: ["a", "b", "*", "c.**", "**"][dice.below(5) as usize],
            priority: dice.below(3) as i32,
            monitor: dice.below(6) == 0,
            takes_batches: dice.below(3) == 0,
            once: dice.below(5) == 0,
            keeps_away: dice.below(2) * 3,
            stops: dice.below(2) * (2 + dice.below(4)),
            fails: dice.below(5) == 0,
        }
    }

    fn matches(&self, topic: &str) -> bool {
        match self.pattern {
            "*" => !topic.contains('.'),
            "**" => true,
            "c.**" => topic.starts_with("c."),
            exact => exact == topic,
        }
    }

    fn passes(&self, payload: u64) -> bool {
        self.keeps_away == 0 || !payload.is_multiple_of(self.keeps_away)
    }

    fn stops(&self, payload: u64) -> bool {
        !self.fails && self.stops != 0 && payload.is_multiple_of(self.stops)
    }

    fn line(&self, payloads: &[u64]) -> String {
        format!("{}: {payloads:?}", self.number)
    }

    fn register(&self, handlers: &Handlers<u64>, log: &Log) -> Done {
        let priority = if self.monitor {
            Priority::MONITOR
        } else {
            self.priority.into()
        };
        let mut on = handlers.on(self.pattern).priority(priority);
        let plan = self.clone();
        if self.once {
            on = on.once();
        }
        if self.keeps_away != 0 {
            on = on.filter(move |event| plan.passes(*event.payload()));
        }
        let (plan, log) = (self.clone(), log.clone());
        let handle = move |events: &[Event<u64>]| {
            let payloads: Vec<_> = events.iter().map(|event| *event.payload()).collect();
            log.add(plan.line(&payloads));
            match () {
                () if plan.fails => Err("it fails".into()),
                () if plan.stops(payloads[0]) => Ok(Flow::Stop),
                () => Ok(Flow::Continue),
            }
        };
        if self.takes_batches {
            on.handle_batch(handle)?;
        } else {
            on.handle(move |event, _| handle(std::slice::from_ref(event)))?;
        }
        Ok(())
    }
}

/// What is to come of it.
#[derive(Default)]
struct Model {
    lines: Vec<String>,
    matched: usize,
    called: usize,
    failed: usize,
    spent: Vec<usize>,
    stopped: Vec<bool>,
}

impl Model {
    /// One handler with those of the events that it matches.
    fn call(&mut self, plan: &Plan, events: &[(&str, u64)], which: &[usize]) {
        let matching: Vec<_> = which
            .iter()
            .copied()
            .filter(|&at| plan.matches(events[at].0))
            .collect();
        self.matched += matching.len();
        let given: Vec<_> = matching
            .into_iter()
            .filter(|&at| (plan.monitor || !self.stopped[at]) && plan.passes(events[at].1))
            .collect();
        if given.is_empty() || self.spent.contains(&plan.number) {
            return;
        }
        if plan.once {
            self.spent.push(plan.number);
        }
        let payloads: Vec<_> = given.iter().map(|&at| events[at].1).collect();
        self.lines.push(plan.line(&payloads));
        self.called += given.len();
        self.failed += usize::from(plan.fails);
        if plan.stops(payloads[0]) && !plan.monitor {
            for at in given {
                self.stopped[at] = true;
            }
        }
    }

    fn run(&mut self, plans: &[Plan], events: &[(&str, u64)]) {
        self.stopped = vec![false; events.len()];
        let mut plans: Vec<_> = plans.iter().collect();
        plans.sort_by_key(|plan| {
            (
                plan.monitor,
                plan.priority * i32::from(!plan.monitor),
                plan.number,
            )
        });
        let is_barrier = |plan: &&Plan| {
            plan.takes_batches && events.iter().any(|(topic, _)| plan.matches(topic))
        };
        let all: Vec<_> = (0..events.len()).collect();
        for part in plans.split_inclusive(is_barrier) {
            let (barrier, plain) = match part.split_last() {
                Some((last, before)) if is_barrier(last) => (Some(last), before),
                _ => (None, part),
            };
            for &at in &all {
                for plan in plain {
                    self.call(plan, events, &[at]);
                }
            }
            if let Some(barrier) = barrier {
                self.call(barrier, events, &all);
            }
        }
    }
}

#[test]
fn h14_batches_over_random_handlers_do_what_a_simple_model_says() -> Done {
    guarded(|| {
        let pool = ThreadPool::new(2)?;
        for seed in 0..soaked(600) {
            let mut dice = Dice::new(seed);
            let plans: Vec<_> = (0..dice.below(8) as usize)
                .map(|number| Plan::new(number, &mut dice))
                .collect();
            let batches: Vec<Vec<_>> = (0..3)
                .map(|_| {
                    let events = (0..dice.below(6)).map(|_| {
                        let topic = ["a", "b", "c.d"][dice.below(3) as usize];
                        (topic, dice.below(12))
                    });
                    events.collect()
                })
                .collect();
            for way in 0..4 {
                let (handlers, log) = (Handlers::new(), Log::new());
                // Numbers are places in the order of registration.
                for plan in &plans {
                    plan.register(&handlers, &log)?;
                }
                let emitter = match way {
                    0 => Emitter::inline(&handlers),
                    1 => Emitter::blocking(&handlers),
                    _ => Emitter::thread_pool(&handlers, &pool).mode(Mode::Sequential),
                };
                let mut model = Model::default();
                for events in &batches {
                    let mut batch = emitter.start_batch();
                    for (topic, payload) in events {
                        batch.emit(topic, *payload)?;
                    }
                    let report = match way {
                        3 => block_on(batch.commit_async())?,
                        _ => batch.commit()?,
                    };
                    let before = (model.matched, model.called, model.failed);
                    // A handler that is spent is out of the registry, so out of the next batch.
                    let is_left = |plan: &&Plan| !model.spent.contains(&plan.number);
                    let left: Vec<_> = plans.iter().filter(is_left).cloned().collect();
                    model.run(&left, events);
                    let case = format!("seed {seed}, way {way}, {plans:?}, {events:?}");
                    assert_eq!(log.take(), std::mem::take(&mut model.lines), "{case}");
                    let sums = (
                        model.matched - before.0,
                        model.called - before.1,
                        model.failed - before.2,
                    );
                    let found = (report.matched, report.called, report.failed);
                    assert_eq!(found, sums, "{case}");
                    assert_eq!(report.matched, report.called + report.skipped, "{case}");
                    assert_eq!(report.stopped, model.stopped.contains(&true), "{case}");
                }
                let stats = handlers.stats();
                assert_eq!(stats.called, model.called as u64);
                assert_eq!(stats.failed, model.failed as u64);
                let events: usize = batches.iter().map(Vec::len).sum();
                assert_eq!(stats.events, events as u64);
            }
        }
        Ok(())
    })
}
