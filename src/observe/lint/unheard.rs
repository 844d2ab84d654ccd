//! Topics that nobody hears.
//!
//! A bus that passes a topic on has not heard it: somebody must, there or here. So the question is asked of a bus and
//! all that an event of the topic comes to from it, and a topic is told once: where it comes from, as far as that is
//! known. What a mapping makes of topics cannot be seen, so a bus that has topics of its own making is believed to
//! hear what it does not know.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Finding;
use super::nearest::{Work, nearest};
use crate::bus::{Consumer, Role};
use crate::observe::explain::matching;
use crate::observe::near::NearMiss;
use crate::observe::topology::BusNode;
use crate::observe::words::{bus_called, sub_called};
use crate::topic::Topic;

/// The topics of a bus that had events.
pub(super) type Topics<'a> = BTreeMap<&'a Topic, Known>;

/// What a bus knows of a topic.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// A subscription matches.
    subscribed: bool,
    /// That, or a tap, and so perhaps another bus.
    routed: bool,
    /// Its latest event is retained.
    retained: bool,
}

/// Those that the bus knows, and those of publishers that have emitted.
pub(super) fn topics_of(bus: &BusNode) -> Topics<'_> {
    let mut emitted: BTreeMap<&Topic, u64> = BTreeMap::new();
    for publisher in &bus.publishers {
        *emitted.entry(&publisher.topic).or_default() += publisher.emitted;
    }
    let known = bus.topics.topics.iter().map(|it| {
        let known = Known {
            subscribed: it.subscriptions > 0,
            routed: it.subscriptions > 0 || it.taps > 0,
            retained: it.retained,
        };
        (&it.topic, known)
    });
    let maybe = Known {
        subscribed: false,
        routed: true,
        retained: false,
    };
    let published = emitted.keys().map(|topic| (*topic, maybe));
    // What is known of a topic goes before that it has a publisher.
    let mut topics: Topics<'_> = published.chain(known).collect();
    // That a publisher was made makes its topic known, without any event. One of others cannot be told from it,
    // and is left out with it.
    topics.retain(|topic, _| emitted.get(topic).is_none_or(|emitted| *emitted > 0));
    topics
}

/// What nobody hears of the topics of each bus, by the order of buses.
pub(super) fn unheard(buses: &[BusNode], topics: &[Topics<'_>], work: &mut Work) -> Vec<Finding> {
    let net = Net::new(buses, topics);
    let all: BTreeSet<&Topic> = topics
        .iter()
        .flat_map(|topics| topics.keys().copied())
        .collect();
    let mut found: Vec<Vec<Finding>> = buses.iter().map(|_| Vec::new()).collect();
    for topic in all {
        for (place, reached) in net.sources(topic) {
            if let Some(finding) = net.nobody_hears(&reached, topic, work) {
                found[place].push(finding);
            }
        }
    }
    found.into_iter().flatten().collect()
}

/// The buses, and which leads to which.
struct Net<'a> {
    buses: &'a [BusNode],
    topics: &'a [Topics<'a>],
    /// Of each bus: its taps that lead to another of these, and to which.
    passes: Vec<Vec<(usize, usize)>>,
    /// Of each bus: it has topics that no bus has which leads to it.
    makes_topics: Vec<bool>,
    /// Of each bus: it has a dispatcher, which may have no handler for what it subscribes to.
    dispatches: Vec<bool>,
}

impl<'a> Net<'a> {
    fn new(buses: &'a [BusNode], topics: &'a [Topics<'a>]) -> Self {
        let place_of = |id| buses.iter().position(|bus| bus.id == id);
        let passes: Vec<Vec<(usize, usize)>> = buses
            .iter()
            .map(|bus| {
                let taps = bus.taps.iter().enumerate();
                let leads = taps.filter_map(|(tap, it)| Some((tap, place_of(it.target.bus()?)?)));
                leads.collect()
            })
            .collect();
        let makes_topics = (0..buses.len())
            .map(|place| {
                let leads_here = |it: &Vec<(usize, usize)>| it.iter().any(|(_, to)| *to == place);
                let feeders: Vec<_> = passes
                    .iter()
                    .zip(topics)
                    .filter(|(it, _)| leads_here(it))
                    .collect();
                let fed = |topic: &&&Topic| {
                    feeders
                        .iter()
                        .any(|(_, theirs)| theirs.contains_key(**topic))
                };
                !feeders.is_empty() && topics[place].keys().any(|topic| !fed(&topic))
            })
            .collect();
        Net {
            buses,
            topics,
            passes,
            makes_topics,
            dispatches: buses.iter().map(dispatches).collect(),
        }
    }

    /// The buses that a topic has come to without another of these passing it on, each with all that it comes to from
    /// there, itself first. Of buses in a circle, the first.
    fn sources(&self, topic: &Topic) -> Vec<(usize, Vec<usize>)> {
        let knowing = (0..self.buses.len()).filter(|place| self.topics[*place].contains_key(topic));
        let reaching: Vec<(usize, Vec<usize>)> = knowing
            .map(|place| (place, self.reach(place, topic)))
            .collect();
        let comes_from = |place: usize, reached: &[usize]| {
            reaching.iter().any(|(other, theirs)| {
                let back = reached.contains(other);
                *other != place && theirs.contains(&place) && (!back || *other < place)
            })
        };
        let first = reaching
            .iter()
            .filter(|(place, reached)| !comes_from(*place, reached));
        first.cloned().collect()
    }

    /// Where an event of the topic comes to from there, itself first.
    fn reach(&self, from: usize, topic: &Topic) -> Vec<usize> {
        let mut reached = vec![from];
        let mut seen = HashSet::from([from]);
        let mut next = 0;
        while let Some(&place) = reached.get(next) {
            next += 1;
            for (tap, to) in &self.passes[place] {
                let passed = matching(&self.buses[place].taps[*tap].patterns, topic).is_some();
                if passed && seen.insert(*to) {
                    reached.push(*to);
                }
            }
        }
        reached
    }

    /// `reached` is the bus in question, and where its events come to.
    fn nobody_hears(&self, reached: &[usize], topic: &Topic, work: &mut Work) -> Option<Finding> {
        let mut unhandled_by = None;
        for &place in reached {
            match self.hears(place, topic) {
                Hears::Yes => return None,
                Hears::No => {}
                Hears::WithoutHandler(dispatcher) => {
                    unhandled_by = unhandled_by.or(Some(dispatcher))
                }
            }
        }
        let bus = &self.buses[*reached.first()?];
        let asked = reached.iter().flat_map(|place| {
            let subs = self.buses[*place].stats.subscriptions.iter();
            subs.filter(|sub| !sub.closed).flat_map(|sub| {
                let consumers = sub.consumers.iter().flat_map(|it| &it.patterns);
                sub.patterns.iter().chain(consumers)
            })
        });
        let near = nearest(asked, |pattern| NearMiss::between(pattern, topic), work);
        Some(Finding::NobodyHears {
            bus: bus.id,
            called: bus_called(bus),
            topic: topic.clone(),
            unhandled_by,
            near,
        })
    }

    /// Whether somebody on that bus does, other than by passing it on.
    fn hears(&self, place: usize, topic: &Topic) -> Hears {
        let bus = &self.buses[place];
        match self.topics[place].get(topic) {
            None if self.makes_topics[place] => return Hears::Yes,
            Some(known) if known.retained => return Hears::Yes,
            // Without a look at each subscription, of which there may be many.
            Some(known) if known.subscribed && !self.dispatches[place] => return Hears::Yes,
            Some(known) if !known.routed => return Hears::No,
            _ => {}
        }
        let mut callbacks = bus.taps.iter().filter(|tap| tap.target.bus().is_none());
        if callbacks.any(|tap| matching(&tap.patterns, topic).is_some()) {
            return Hears::Yes;
        }
        let mut unhandled = Hears::No;
        for sub in bus.stats.subscriptions.iter().filter(|sub| !sub.closed) {
            if matching(&sub.patterns, topic).is_none() {
                continue;
            }
            let wants = |it: &Consumer| matching(&it.patterns, topic).is_some();
            if sub.role != Role::Dispatcher || sub.consumers.iter().any(wants) {
                return Hears::Yes;
            }
            unhandled = Hears::WithoutHandler(sub_called(sub));
        }
        unhandled
    }
}

fn dispatches(bus: &BusNode) -> bool {
    let mut subs = bus.stats.subscriptions.iter();
    subs.any(|sub| sub.role == Role::Dispatcher)
}

enum Hears {
    Yes,
    No,
    /// It comes to a dispatcher, called so, that has no handler for it.
    WithoutHandler(String),
}
