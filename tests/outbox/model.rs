//! Arbitrary programs (events, savepoints that end in every way, hooks that do all that and fail) against a
//! plain model: one list, in which a mark is a length.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chanbus::{BoxError, Bus, HookFailure, Outbox};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::{Log, panics, payloads, payloads_of, silent_panic};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    Fine,
    Error,
    Panic,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Commit,
    Rollback,
    Drop,
    Unwind,
}

#[derive(Debug, Clone)]
enum Act {
    Emit,
    /// A topic that is none.
    EmitBad,
    Part(Vec<Act>, End),
    /// What it does when it is asked, and what it says.
    Before(Vec<Act>, Outcome),
    After(Outcome),
    Undo(Outcome),
}

#[derive(Debug, Clone, Copy)]
enum Last {
    Commit,
    CommitClosed,
    Rollback,
    Drop,
    Unwind,
}

/// Mostly fine, as one that is not ends a commit.
fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        6 => Just(Outcome::Fine),
        1 => Just(Outcome::Error),
        1 => Just(Outcome::Panic),
    ]
}

fn program() -> impl Strategy<Value = Vec<Act>> {
    let leaf = prop_oneof![
        6 => Just(Act::Emit),
        1 => Just(Act::EmitBad),
        2 => outcome().prop_map(Act::After),
        2 => outcome().prop_map(Act::Undo),
    ];
    let end = prop_oneof![
        3 => Just(End::Commit),
        1 => Just(End::Rollback),
        1 => Just(End::Drop),
        1 => Just(End::Unwind),
    ];
    let act = leaf.prop_recursive(4, 40, 6, move |inner| {
        let acts = prop::collection::vec(inner, 0..6);
        prop_oneof![
            2 => (acts.clone(), end.clone()).prop_map(|(acts, end)| Act::Part(acts, end)),
            1 => (acts, outcome()).prop_map(|(acts, outcome)| Act::Before(acts, outcome)),
        ]
    });
    prop::collection::vec(act, 0..12)
}

fn last() -> impl Strategy<Value = Last> {
    prop_oneof![
        6 => Just(Last::Commit),
        1 => Just(Last::CommitClosed),
        1 => Just(Last::Rollback),
        1 => Just(Last::Drop),
        1 => Just(Last::Unwind),
    ]
}

/// What both sides write down.
fn rolled_back(discarded: usize, failed: &[String]) -> String {
    format!("rolled back {discarded}, failed {failed:?}")
}

// The model.

#[derive(Clone)]
enum Item {
    Event(u32),
    Before(u32, Vec<Act>, Outcome),
    /// A hook that was asked.
    Asked,
    After(u32, Outcome),
    Undo(u32, Outcome),
}

#[derive(Default)]
struct Model {
    items: Vec<Item>,
    next: u32,
    log: Vec<String>,
    /// Panics that only the bus hears of.
    unheard: usize,
}

impl Model {
    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn run(&mut self, acts: &[Act]) {
        for act in acts {
            let number = self.number();
            match act {
                Act::Emit => self.items.push(Item::Event(number)),
                Act::EmitBad => {}
                Act::Before(acts, outcome) => {
                    self.items
                        .push(Item::Before(number, acts.clone(), *outcome));
                }
                Act::After(outcome) => self.items.push(Item::After(number, *outcome)),
                Act::Undo(outcome) => self.items.push(Item::Undo(number, *outcome)),
                Act::Part(acts, end) => {
                    let mark = self.items.len();
                    self.run(acts);
                    match end {
                        End::Commit => {}
                        End::Rollback => self.roll_back(mark, true),
                        End::Drop | End::Unwind => self.roll_back(mark, false),
                    }
                }
            }
        }
    }

    fn roll_back(&mut self, mark: usize, heard: bool) {
        let gone = self.items.split_off(mark);
        let is_event = |item: &&Item| matches!(item, Item::Event(_));
        let discarded = gone.iter().filter(is_event).count();
        let mut failed = Vec::new();
        for item in gone.into_iter().rev() {
            if let Item::Undo(number, outcome) = item {
                self.log.push(format!("undo {number}"));
                if outcome != Outcome::Fine {
                    failed.push(number.to_string());
                }
                if outcome == Outcome::Panic && !heard {
                    self.unheard += 1;
                }
            }
        }
        if heard {
            self.log.push(rolled_back(discarded, &failed));
        }
    }

    fn events(&self) -> Vec<u32> {
        let number = |item: &Item| match item {
            Item::Event(number) => Some(*number),
            _ => None,
        };
        self.items.iter().filter_map(number).collect()
    }

    /// What is emitted.
    fn commit(&mut self, closed: bool) -> Vec<u32> {
        let mut place = 0;
        while place < self.items.len() && !closed {
            if let Item::Before(number, acts, outcome) = self.items[place].clone() {
                self.items[place] = Item::Asked;
                self.log.push(format!("before {number}"));
                let mark = self.items.len();
                self.run(&acts);
                if outcome != Outcome::Fine {
                    // Its events go, and come back to nobody.
                    let half_done = self.items.split_off(mark);
                    let kept = half_done
                        .into_iter()
                        .filter(|item| !matches!(item, Item::Event(_)));
                    self.items.extend(kept);
                    return self.give_back(&format!("refused by {number}"));
                }
            }
            place += 1;
        }
        if closed {
            return self.give_back("closed");
        }
        let events = self.events();
        let mut failed = Vec::new();
        for item in std::mem::take(&mut self.items) {
            if let Item::After(number, outcome) = item {
                self.log.push(format!("after {number}, failed {failed:?}"));
                if outcome != Outcome::Fine {
                    failed.push(number.to_string());
                }
            }
        }
        self.log
            .push(format!("committed {}, failed {failed:?}", events.len()));
        events
    }

    fn give_back(&mut self, why: &str) -> Vec<u32> {
        let events = self.events();
        self.items.retain(|item| !matches!(item, Item::Event(_)));
        self.roll_back(0, true);
        self.log.push(format!("{why}: {events:?}"));
        Vec::new()
    }
}

// The real one.

#[derive(Clone, Default)]
struct Real {
    next: Arc<AtomicU32>,
    log: Log,
}

fn names(failed: &[HookFailure]) -> Vec<String> {
    failed.iter().map(|it| it.label().to_owned()).collect()
}

fn end_hook(outcome: Outcome) -> Result<(), BoxError> {
    match outcome {
        Outcome::Fine => Ok(()),
        Outcome::Error => Err("no".into()),
        Outcome::Panic => silent_panic(),
    }
}

impl Real {
    fn run(&self, outbox: &mut Outbox<u32>, acts: &[Act]) {
        for act in acts {
            let number = self.next.fetch_add(1, Ordering::SeqCst) + 1;
            let label = number.to_string();
            let this = self.clone();
            match act {
                Act::Emit => outbox.emit("n", number).unwrap(),
                Act::EmitBad => assert!(outbox.emit("n..n", number).unwrap_err().is_bad_topic()),
                Act::Before(acts, outcome) => {
                    let (acts, outcome) = (acts.clone(), *outcome);
                    outbox.before_commit(label, move |outbox| {
                        this.log.add(format!("before {number}"));
                        this.run(outbox, &acts);
                        end_hook(outcome)
                    });
                }
                Act::After(outcome) => {
                    let outcome = *outcome;
                    outbox.after_commit(label, move |committed| {
                        let failed = names(&committed.failed);
                        this.log.add(format!("after {number}, failed {failed:?}"));
                        end_hook(outcome)
                    });
                }
                Act::Undo(outcome) => {
                    let outcome = *outcome;
                    outbox.after_rollback(label, move || {
                        this.log.add(format!("undo {number}"));
                        end_hook(outcome)
                    });
                }
                Act::Part(acts, End::Unwind) => assert!(panics(|| {
                    let mut part = outbox.savepoint();
                    self.run(&mut part, acts);
                    silent_panic();
                })),
                Act::Part(acts, end) => {
                    let mut part = outbox.savepoint();
                    self.run(&mut part, acts);
                    match end {
                        End::Commit => part.commit(),
                        End::Rollback => {
                            let report = part.rollback();
                            let failed = names(&report.failed);
                            self.log.add(rolled_back(report.discarded, &failed));
                        }
                        End::Drop | End::Unwind => drop(part),
                    }
                }
            }
        }
    }

    fn commit(&self, outbox: Outbox<u32>) {
        match outbox.commit() {
            Ok(committed) => {
                let failed = names(&committed.failed);
                self.log
                    .add(format!("committed {}, failed {failed:?}", committed.events));
            }
            Err(error) => {
                let failed = names(error.failed());
                self.log.add(rolled_back(0, &failed));
                let why = match &error {
                    chanbus::CommitError::Refused { hook, .. } => {
                        format!("refused by {}", hook.label())
                    }
                    _ => "closed".to_owned(),
                };
                assert_eq!(error.is_closed(), why == "closed");
                self.log
                    .add(format!("{why}: {:?}", payloads_of(error.events())));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: crate::common::soaked(1_000) as u32,
        // The same cases on every run, so that a failure belongs to the change that caused it.
        rng_seed: RngSeed::Fixed(8),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn d8_an_outbox_is_a_list_with_marks(acts in program(), last in last()) {
        let mut model = Model::default();
        model.run(&acts);
        let collected = model.events();
        let emitted = match last {
            Last::Commit => model.commit(false),
            Last::CommitClosed => model.commit(true),
            Last::Rollback => { model.roll_back(0, true); Vec::new() }
            Last::Drop | Last::Unwind => { model.roll_back(0, false); Vec::new() }
        };

        let heard = Arc::new(AtomicU32::new(0));
        let hears = Arc::clone(&heard);
        let bus = Bus::builder()
            .capacity(1_000)
            .on_panic(move |panic| {
                assert_eq!(panic.place(), chanbus::PanicPlace::Hook);
                hears.fetch_add(1, Ordering::SeqCst);
            })
            .build()
            .unwrap();
        let sub = bus.subscribe("**").unwrap();
        let real = Real::default();
        let mut outbox = bus.outbox();
        real.run(&mut outbox, &acts);
        prop_assert_eq!(payloads_of(outbox.events()), collected);
        prop_assert_eq!(sub.matched(), 0);
        match last {
            Last::Commit => real.commit(outbox),
            Last::CommitClosed => {
                bus.close();
                real.commit(outbox);
            }
            Last::Rollback => {
                let report = outbox.rollback();
                real.log.add(rolled_back(report.discarded, &names(&report.failed)));
            }
            Last::Drop => drop(outbox),
            Last::Unwind => assert!(panics(|| {
                let _outbox = outbox;
                silent_panic();
            })),
        }
        prop_assert_eq!(real.log.take(), model.log);
        prop_assert_eq!(payloads(&sub), emitted);
        prop_assert_eq!(heard.load(Ordering::SeqCst) as usize, model.unheard);
    }
}
