//! Operations on a bus, and the same on a model: every answer and every counter is compared.
#![no_main]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chanbus::{Beat, Bus, Emitted, Event, Overflow, Pattern, Subscription, Syntax, TapGuard};
use chanbus_fuzz::Word;
use chanbus_fuzz::model::{Counts, Item, Model, Sub, TOPICS, accepts};
use chanbus_fuzz::op::{Input, Op, topic};
use libfuzzer_sys::fuzz_target;

const MOST_SUBSCRIBERS: usize = 4;

/// A number, and a share in the count of those that are alive.
struct Payload(u64, #[allow(dead_code)] Arc<()>);

struct Rig {
    bus: Bus<Payload>,
    syntax: Syntax,
    /// The handles of each subscription, by place as in the model.
    subs: Vec<Vec<Subscription<Payload>>>,
    taps: Vec<Option<(TapGuard<Payload>, Arc<AtomicU64>)>>,
    model: Model,
    number: u64,
    alive: Arc<()>,
}

fn item(event: &Event<Payload>) -> Item {
    let topic = TOPICS.iter().position(|text| event.topic() == *text);
    (event.payload().0, topic.expect("a topic that was emitted"))
}

impl Rig {
    fn pattern(&self, word: &Word<5>) -> Pattern {
        let read = Pattern::with_syntax(&word.0, self.syntax);
        read.unwrap_or_else(|_| Pattern::everything())
    }

    fn payload(&mut self, topic: usize) -> (Payload, Item) {
        self.number += 1;
        let payload = Payload(self.number, Arc::clone(&self.alive));
        (payload, (self.number, topic))
    }

    /// A handle of a subscription that is held, and its place.
    fn pick(&self, place: u8) -> Option<(&Subscription<Payload>, usize)> {
        let held = (0..self.subs.len()).filter(|place| !self.subs[*place].is_empty());
        let held: Vec<_> = held.collect();
        let place = *held.get(usize::from(place) % held.len().max(1))?;
        // The handles take turns.
        let handles = &self.subs[place];
        Some((&handles[self.number as usize % handles.len()], place))
    }

    fn model_of(&mut self, place: usize) -> &mut Sub {
        self.model.subs[place].as_mut().expect("it is held")
    }

    /// What the model says that these events do.
    fn expected(&mut self, items: &[Item], broadcast: bool) -> Option<Emitted> {
        let model = &mut self.model;
        let emit = |item: &Item| model.emit(*item, broadcast);
        (!self.bus.is_closed()).then(|| items.iter().map(emit).sum())
    }

    fn send(&mut self, op: &Op) {
        let Some(topics) = op.topics() else { return };
        let made: Vec<_> = topics.iter().map(|topic| self.payload(*topic)).collect();
        let (mut payloads, items): (Vec<_>, Vec<_>) = made.into_iter().unzip();
        let expected = self.expected(&items, matches!(op, Op::Broadcast(_)));
        let bus = &self.bus;
        let emitted = if let Op::EmitBatch(place, _) = op {
            let publisher = bus.publisher(TOPICS[topic(*place)]).expect("a topic");
            publisher
                .emit_batch(payloads)
                .map_err(|error| error.into_payload().len())
        } else if let Op::Batch(_) = op {
            let mut batch = bus.start_batch();
            for (topic, payload) in topics.iter().zip(payloads) {
                assert!(batch.emit(TOPICS[*topic], payload).is_ok());
            }
            batch.commit().map_err(|error| error.into_payload().len())
        } else {
            let (text, payload) = (TOPICS[topics[0]], payloads.remove(0));
            let single = match op {
                Op::EmitWithin(_) => bus.emit_within(text, payload, Duration::ZERO),
                Op::Publish(_) => bus.publisher(text).expect("a topic").emit(payload),
                Op::Broadcast(_) => bus.broadcast(text, payload),
                Op::EmitEvent(_) => {
                    let event = Event::new(text, payload).expect("a topic");
                    bus.emit_event(event).map_err(|error| match error {
                        chanbus::EmitError::Closed(event) => {
                            let payload = event.try_into_payload();
                            chanbus::EmitError::Closed(payload.unwrap_or_else(|_| {
                                panic!("an event that comes back has one handle")
                            }))
                        }
                        _ => panic!("neither topic nor chain is at fault"),
                    })
                }
                _ => bus.emit(text, payload),
            };
            single.map_err(|error| {
                assert!(error.is_closed());
                assert_eq!(error.into_payload().0, items[0].0);
                1
            })
        };
        assert_eq!(emitted.as_ref().ok(), expected.as_ref(), "{op:?}");
        if let Err(back) = emitted {
            assert_eq!(back, items.len(), "all or none");
        }
    }

    fn subscribe(&mut self, op: &Op) {
        let Op::Subscribe {
            patterns,
            capacity,
            overflow,
            filter,
            replay,
        } = op
        else {
            return;
        };
        let policies = [Overflow::DropNewest, Overflow::DropOldest, Overflow::Latest];
        let mut sub = Sub {
            patterns: patterns.iter().map(|word| self.pattern(word)).collect(),
            capacity: usize::from(capacity % 4),
            overflow: policies[usize::from(overflow % 3)],
            rest: (filter % 2 == 1).then_some(u64::from(filter / 2 % 3)),
            front: [].into(),
            queue: [].into(),
            counts: Counts::default(),
            told: 0,
            closed: false,
            forgotten: false,
        };
        let replay = usize::from(replay % 8);
        let builder = self.bus.subscription(&sub.patterns).capacity(sub.capacity);
        let builder = builder.overflow(sub.overflow).replay(replay);
        let rest = sub.rest;
        let made = match rest {
            None => builder.subscribe(),
            Some(_) => builder
                .filter(move |event| accepts(rest, event.payload().0))
                .subscribe(),
        };
        match made {
            Err(error) if sub.capacity == 0 => assert!(error.is_bad_capacity()),
            Err(error) if self.model.closed => assert!(error.is_closed()),
            Err(error) => {
                assert!(error.is_limit_reached() && self.model.open() == MOST_SUBSCRIBERS);
            }
            Ok(made) => {
                assert!(sub.capacity > 0 && !self.model.closed);
                assert!(self.model.open() < MOST_SUBSCRIBERS);
                sub.front = self.model.replay(&sub, replay);
                self.subs.push(vec![made]);
                self.model.subs.push(Some(sub));
            }
        }
    }

    fn receive(&mut self, op: &Op) {
        let (place, count) = match op {
            Op::TryRecv(place, count) | Op::RecvBatch(place, count) | Op::Beats(place, count) => {
                (*place, usize::from(count % 8))
            }
            _ => return,
        };
        let Some((handle, place)) = self.pick(place) else {
            return;
        };
        let handle = handle.share();
        match op {
            Op::TryRecv(..) => {
                for _ in 0..count {
                    let found = handle.try_recv().map(|event| item(&event));
                    let sub = self.model_of(place);
                    match sub.take() {
                        Some(expected) => assert_eq!(found, Ok(expected)),
                        None => assert!(found.is_err_and(|it| it.is_closed() == sub.closed)),
                    }
                }
            }
            Op::RecvBatch(..)
                if !self.model_of(place).is_empty() || self.model_of(place).closed =>
            {
                let mut buffer = Vec::new();
                let taken = handle.recv_batch(&mut buffer, count);
                let sub = self.model_of(place);
                assert_eq!(taken.is_err(), sub.is_empty() && count > 0);
                assert_eq!(buffer.len(), sub.len().min(count));
                for event in buffer {
                    assert_eq!(Some(item(&event)), sub.take());
                }
            }
            Op::Beats(..) => {
                let mut beats = handle.heartbeats(Duration::ZERO);
                for _ in 0..count {
                    let beat = beats.next();
                    let sub = self.model_of(place);
                    let idle = !matches!(beat, Some(Beat::Event(_) | Beat::Missed(_)));
                    match beat {
                        Some(Beat::Event(event)) => assert_eq!(Some(item(&event)), sub.take()),
                        Some(Beat::Missed(count)) => {
                            assert!(count > 0);
                            sub.told += count;
                        }
                        // Nothing is left, and all gaps were told.
                        Some(Beat::Keepalive) => assert!(sub.is_empty() && !sub.closed),
                        None => assert!(sub.is_empty() && sub.closed),
                    }
                    if idle {
                        assert_eq!(sub.told, sub.counts.dropped);
                    }
                }
            }
            _ => {}
        }
    }

    fn tap(&mut self, word: &Word<5>) {
        let calls = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&calls);
        let pattern = self.pattern(word);
        let made = self.bus.tap(&pattern, move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        match made {
            Ok(guard) => {
                self.taps.push(Some((guard, calls)));
                self.model.taps.push(Some((pattern, 0)));
            }
            Err(error) => assert!(error.is_closed() && self.model.closed),
        }
    }

    fn set_patterns(&mut self, place: u8, words: &[Word<5>; 2]) {
        let patterns: Vec<_> = words.iter().map(|word| self.pattern(word)).collect();
        let Some((handle, place)) = self.pick(place) else {
            return;
        };
        let set = handle.set_patterns(&patterns);
        let sub = self.model_of(place);
        assert_eq!(set.is_err(), sub.closed);
        if !sub.closed {
            sub.patterns = patterns;
        }
    }

    fn end(&mut self, op: &Op) {
        match op {
            Op::Missed(place) => {
                let Some((handle, place)) = self.pick(*place) else {
                    return;
                };
                let missed = handle.missed();
                let sub = self.model_of(place);
                assert_eq!(missed, sub.counts.dropped - sub.told);
                sub.told = sub.counts.dropped;
            }
            Op::Share(place) => {
                if let Some((handle, place)) = self.pick(*place) {
                    let handle = handle.share();
                    self.subs[place].push(handle);
                }
            }
            Op::Close(place) => {
                if let Some((handle, place)) = self.pick(*place) {
                    let closed = handle.close();
                    let sub = self.model_of(place);
                    assert_eq!(closed, !sub.closed);
                    sub.closed = true;
                }
            }
            Op::Drop(place) => {
                if let Some((_, place)) = self.pick(*place) {
                    self.subs[place].pop();
                    if self.subs[place].is_empty() {
                        self.model.drop_sub(place);
                    }
                }
            }
            Op::Untap(place) => {
                if !self.taps.is_empty() {
                    let place = usize::from(*place) % self.taps.len();
                    self.taps[place] = None;
                    self.model.taps[place] = None;
                }
            }
            Op::CloseBus => {
                assert_eq!(self.bus.close(), !self.model.closed);
                self.model.close();
            }
            Op::Reset => {
                self.bus.reset();
                self.model.reset();
            }
            _ => {}
        }
    }

    fn step(&mut self, op: &Op) {
        match op {
            Op::Subscribe { .. } => self.subscribe(op),
            Op::Tap(word) => self.tap(word),
            Op::SetPatterns(place, words) => self.set_patterns(*place, words),
            Op::TryRecv(..) | Op::RecvBatch(..) | Op::Beats(..) => self.receive(op),
            _ => {
                self.send(op);
                self.end(op);
            }
        }
    }

    /// Everything that can be seen from outside.
    fn compare(&self) {
        let (model, stats) = (&self.model, self.bus.stats());
        let mut sums = model.departed;
        for (handles, sub) in self.subs.iter().zip(&model.subs) {
            let (Some(handle), Some(sub)) = (handles.first(), sub) else {
                continue;
            };
            let counts = Counts {
                received: handle.received(),
                dropped: handle.dropped(),
                filtered: handle.filtered(),
                conflated: handle.conflated(),
            };
            assert_eq!(counts, sub.counts);
            assert_eq!((handle.len(), handle.is_closed()), (sub.len(), sub.closed));
            if !sub.forgotten {
                sums.add(counts);
            }
            let row = stats.subscriptions.iter().find(|row| row.id == handle.id());
            assert_eq!(row.is_some(), !sub.forgotten);
            assert!(
                row.is_none_or(|row| row.depth == sub.len() && row.received == counts.received)
            );
        }
        let all = Counts {
            received: stats.received,
            dropped: stats.dropped,
            filtered: stats.filtered,
            conflated: stats.conflated,
        };
        assert_eq!(all, sums);
        assert_eq!(stats.emitted, model.emitted);
        assert_eq!(
            (stats.closed, stats.subscribers),
            (model.closed, model.open())
        );
        assert_eq!((stats.history, stats.publishers), (model.history.len(), 0));
        assert_eq!(Arc::strong_count(&self.alive) - 1, model.alive(), "P9");
        for (tap, expected) in self.taps.iter().zip(&model.taps) {
            let calls = tap.as_ref().map(|(_, calls)| calls.load(Ordering::Relaxed));
            assert_eq!(calls, expected.as_ref().map(|(_, calls)| *calls));
        }
    }
}

fuzz_target!(|input: Input| {
    let syntax = [Syntax::Segmented, Syntax::Flat][usize::from(input.flat)];
    let history = usize::from(input.history % 6);
    let bus = Bus::builder()
        .history(history)
        .route_cache(usize::from(input.route_cache % 4))
        .syntax(syntax)
        .max_subscribers(MOST_SUBSCRIBERS)
        .build()
        .expect("good settings");
    let mut rig = Rig {
        bus,
        syntax,
        subs: Vec::new(),
        taps: Vec::new(),
        model: Model {
            history_limit: history,
            ..Model::default()
        },
        number: 0,
        alive: Arc::new(()),
    };
    for op in input.ops.iter().take(48) {
        rig.step(op);
        rig.compare();
    }
    let Rig {
        bus,
        subs,
        taps,
        alive,
        ..
    } = rig;
    drop((taps, subs, bus));
    assert_eq!(Arc::strong_count(&alive), 1, "P9");
});
