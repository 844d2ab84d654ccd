//! What one consumer sees, checked as it comes.

use std::collections::HashMap;
use std::sync::Arc;

use chanbus::{Beat, Event, Overflow, Pattern};

use crate::parcel::Parcel;
use crate::world::{TOPICS, World};

/// What a consumer took.
pub(crate) struct Reader {
    pub(crate) world: Arc<World>,
    /// What all it takes must match; none where patterns change on the way.
    patterns: Option<Vec<Pattern>>,
    latest: bool,
    /// Takes so many at most.
    limit: usize,
    /// The last number of each lane; under `Latest`, of each lane and topic.
    last: HashMap<(u64, usize), u32>,
    pub(crate) ids: Vec<u64>,
    /// Of how many missing events it was told.
    pub(crate) told: u64,
}

impl Reader {
    pub(crate) fn new(
        world: &Arc<World>,
        overflow: Overflow,
        patterns: Option<Vec<Pattern>>,
        limit: usize,
    ) -> Self {
        Reader {
            world: Arc::clone(world),
            patterns,
            latest: overflow == Overflow::Latest,
            limit,
            last: HashMap::new(),
            ids: Vec::new(),
            told: 0,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.ids.len() >= self.limit
    }

    pub(crate) fn beat(&mut self, beat: Beat<Parcel>) {
        match beat {
            Beat::Event(event) => self.take(event),
            Beat::Missed(0) => self.world.fail("P7: told of a gap of nothing"),
            Beat::Missed(count) => self.told += count,
            Beat::Keepalive => {}
        }
    }

    pub(crate) fn take(&mut self, event: Event<Parcel>) {
        let (id, topic) = (event.payload().id, event.payload().topic);
        let world = &self.world;
        if event.topic() != TOPICS[topic] {
            world.fail(&format!(
                "an event of {} came on {}",
                TOPICS[topic],
                event.topic()
            ));
        }
        let wanted = |patterns: &Vec<Pattern>| {
            event.payload().broadcast || patterns.iter().any(|it| it.matches(TOPICS[topic]))
        };
        if !self.patterns.as_ref().is_none_or(wanted) {
            world.fail(&format!("{:?} got a {}", self.patterns, TOPICS[topic]));
        }
        let (lane, number) = (id >> 32, id as u32);
        let key = (lane, if self.latest { topic } else { 0 });
        let before = self.last.insert(key, number).unwrap_or(0);
        if before >= number {
            world.fail(&format!(
                "P3/P4: number {number} of lane {lane} came after {before}, topic {}",
                TOPICS[topic]
            ));
        }
        self.ids.push(id);
        // Now and then it is taken out of its event, if this is the last handle.
        if number % 7 == 3 {
            match event.try_into_payload() {
                Ok(parcel) => world.discard(parcel),
                Err(event) => world.discard(event),
            }
        } else {
            world.discard(event);
        }
    }
}
