//! The model: plain lists of numbers.

use std::collections::{BTreeSet, HashMap};

use chanbus::Commit;

use crate::acts::{Act, Call, End, Fate, Ran, Said, Script};

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Holds {
    Leaf(usize),
    Multi(usize),
    View(usize),
}

/// A bus in a `MultiBus`, with what is kept apart for it there.
pub(crate) struct Part {
    holds: Holds,
    aside: Vec<u32>,
    published: Vec<u32>,
}

impl Part {
    fn of(holds: Holds) -> Self {
        Part {
            holds,
            aside: Vec::new(),
            published: Vec::new(),
        }
    }
}

#[derive(Default)]
pub(crate) struct Leaf {
    /// On the bus itself, by nobody's handle.
    published: Vec<u32>,
    /// The bus that it is in, if any.
    multi: usize,
    handle: bool,
    bus: bool,
    delayed: bool,
}

#[derive(Default)]
pub(crate) struct Multi {
    parts: Vec<Part>,
    parent: Option<usize>,
    depth: usize,
    handle: bool,
    wrapped: bool,
    dead: bool,
}

struct Delayed {
    leaf: usize,
    aside: Vec<u32>,
    published: Vec<u32>,
}

#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) multis: Vec<Multi>,
    leaves: Vec<Leaf>,
    delayed: Vec<Delayed>,
    scripts: Vec<Script>,
    home: Vec<usize>,
    /// Events with the bus that handed them out.
    hand: Vec<(usize, u32)>,
    runs: HashMap<u32, usize>,
    pub(crate) log: Vec<(u32, Commit)>,
}

pub(crate) const DEEPEST: usize = 4;

pub(crate) fn commit(real: bool) -> Commit {
    Commit::from(real)
}

impl Lists {
    pub(crate) fn new() -> Self {
        let mut lists = Lists::default();
        lists.multis.push(Multi {
            handle: true,
            ..Multi::default()
        });
        lists.wrap(0);
        lists.wrap(0);
        lists
    }

    fn wrap(&mut self, multi: usize) {
        let leaf = self.leaves.len();
        self.leaves.push(Leaf {
            multi,
            handle: true,
            bus: true,
            ..Leaf::default()
        });
        self.multis[multi].parts.push(Part::of(Holds::Leaf(leaf)));
    }

    /// Publishes a new event, if there is a way.
    fn publish(&mut self, leaf: usize, direct: bool, script: &Script) -> Option<u32> {
        let id = self.scripts.len() as u32;
        self.scripts.push(script.clone());
        self.home.push(leaf);
        let there = &mut self.leaves[leaf];
        let open = match direct {
            true => there.bus,
            false => there.handle && !self.multis[there.multi].dead,
        };
        match (open, direct) {
            (true, true) => there.published.push(id),
            (true, false) => {
                let multi = there.multi;
                self.part(multi, Holds::Leaf(leaf)).published.push(id);
            }
            (false, _) => {}
        }
        (!open).then_some(id)
    }

    fn part(&mut self, multi: usize, holds: Holds) -> &mut Part {
        let mut parts = self.multis[multi].parts.iter_mut();
        parts.find(|part| part.holds == holds).unwrap()
    }

    fn take(&mut self, multi: usize) -> Vec<u32> {
        let mut all = Vec::new();
        for part in 0..self.multis[multi].parts.len() {
            all.extend(std::mem::take(&mut self.multis[multi].parts[part].aside));
            all.extend(self.ask(self.multis[multi].parts[part].holds));
            all.extend(std::mem::take(
                &mut self.multis[multi].parts[part].published,
            ));
        }
        all
    }

    fn ask(&mut self, bus: Holds) -> Vec<u32> {
        match bus {
            Holds::Leaf(leaf) => std::mem::take(&mut self.leaves[leaf].published),
            Holds::Multi(multi) => self.take(multi),
            Holds::View(delayed) => {
                self.aside_delayed(delayed);
                Vec::new()
            }
        }
    }

    /// What is on the bus itself stays there, but of a `MultiBus`, which cannot be had apart.
    fn aside_delayed(&mut self, delayed: usize) -> usize {
        let delayed = &mut self.delayed[delayed];
        let count = delayed.published.len();
        delayed.aside.append(&mut delayed.published);
        count
    }

    fn aside(&mut self, multi: usize, holds: Holds) -> usize {
        if self.multis[multi].dead {
            return 0;
        }
        let mut events = match holds {
            Holds::Multi(inner) => self.take(inner),
            Holds::Leaf(_) | Holds::View(_) => Vec::new(),
        };
        let part = self.part(multi, holds);
        events.append(&mut part.published);
        let count = events.len();
        part.aside.extend(events);
        count
    }

    fn run(&mut self, id: u32, real: bool) -> Fate {
        self.log.push((id, commit(real)));
        let script = self.scripts[id as usize].clone();
        for (leaf, script) in &script.publishes {
            let leaf = leaf % self.leaves.len();
            let direct = !self.leaves[leaf].handle;
            self.publish(leaf, direct, script);
        }
        let runs = self.runs.entry(id).or_default();
        *runs += 1;
        match (*runs <= script.failures, script.panics) {
            (true, true) => Fate::Panicked,
            (true, false) => Fate::Failed,
            _ => Fate::Fine,
        }
    }

    fn run_all(&mut self, ids: Vec<u32>, real: bool) -> Ran {
        let mut ran = Ran::default();
        let mut ids = ids.into_iter();
        while let Some(id) = ids.next() {
            match self.run(id, real) {
                Fate::Fine => ran.applied.push(id),
                fate => {
                    ran.failed = Some((id, fate));
                    ran.remaining = ids.collect();
                    break;
                }
            }
        }
        ran
    }

    /// Those die whom nobody holds; with them goes what they had.
    fn bury(&mut self) {
        let lost = |lists: &Self, multi: &Multi| {
            !multi.dead
                && !multi.handle
                && multi.parent.is_none_or(|parent| lists.multis[parent].dead)
        };
        while let Some(multi) = self.multis.iter().position(|multi| lost(self, multi)) {
            for part in &mut self.multis[multi].parts {
                part.aside.clear();
                part.published.clear();
            }
            self.multis[multi].dead = true;
        }
        for leaf in &mut self.leaves {
            if !leaf.bus && !leaf.delayed && self.multis[leaf.multi].dead {
                leaf.published.clear();
            }
        }
    }

    pub(crate) fn alive(&self) -> BTreeSet<u32> {
        let parts = self.multis.iter().flat_map(|multi| &multi.parts);
        let places = (parts.flat_map(|part| [&part.aside, &part.published]))
            .chain(self.leaves.iter().map(|leaf| &leaf.published))
            .chain(self.delayed.iter().map(|delayed| &delayed.aside))
            .chain(self.delayed.iter().map(|delayed| &delayed.published));
        let ids: Vec<u32> = places
            .flatten()
            .copied()
            .chain(self.hand.iter().map(|(_, id)| *id))
            .collect();
        let alive: BTreeSet<u32> = ids.iter().copied().collect();
        assert_eq!(alive.len(), ids.len(), "each is in one place");
        alive
    }

    fn multi(&self, multi: usize) -> Option<usize> {
        let multi = multi % self.multis.len();
        self.multis[multi].handle.then_some(multi)
    }

    pub(crate) fn step(&mut self, act: &Act) -> Said {
        self.acted(act).unwrap_or(Said::Nobody)
    }

    fn acted(&mut self, act: &Act) -> Option<Said> {
        Some(match act {
            Act::Publish {
                leaf,
                direct,
                scripts,
                ..
            } => {
                let leaf = leaf % self.leaves.len();
                let way = if *direct {
                    self.leaves[leaf].bus
                } else {
                    self.leaves[leaf].handle
                };
                way.then_some(())?;
                let publish = |script| self.publish(leaf, *direct, script);
                Said::Back(scripts.iter().filter_map(publish).collect())
            }
            Act::Wrap { multi, .. } => {
                let multi = self.multi(*multi)?;
                self.wrap(multi);
                Said::Done
            }
            Act::Nest { multi } => {
                let multi = self.multi(*multi)?;
                let depth = self.multis[multi].depth + 1;
                (depth < DEEPEST).then_some(())?;
                let inner = self.multis.len();
                let parent = Some(multi);
                self.multis.push(Multi {
                    parent,
                    depth,
                    handle: true,
                    wrapped: true,
                    ..Multi::default()
                });
                self.multis[multi].parts.push(Part::of(Holds::Multi(inner)));
                Said::Done
            }
            Act::Delay { leaf } => {
                let leaf = leaf % self.leaves.len();
                self.leaves[leaf].bus.then_some(())?;
                self.leaves[leaf].delayed = true;
                self.delayed.push(Delayed {
                    leaf,
                    aside: Vec::new(),
                    published: Vec::new(),
                });
                Said::Done
            }
            Act::WrapView { multi, delayed } => {
                let multi = self.multi(*multi)?;
                let delayed = delayed.checked_rem(self.delayed.len())?;
                let holds = Holds::View(delayed);
                self.multis[multi].parts.push(Part::of(holds));
                Said::Done
            }
            Act::Apply { multi, real, keep } => {
                let multi = self.multi(*multi)?;
                let ids = self.take(multi);
                let ran = self.run_all(ids, *real);
                if *keep {
                    self.hand
                        .extend(unapplied(&ran).into_iter().map(|id| (multi, id)));
                }
                Said::Ran(ran)
            }
            Act::Again { multi } => {
                let multi = self.multi(*multi)?;
                let hand = std::mem::take(&mut self.hand);
                let foreign = hand.iter().position(|(from, _)| *from != multi);
                let (ours, back) = hand.split_at(foreign.unwrap_or(hand.len()));
                for (_, id) in ours {
                    let home = self.home[*id as usize];
                    let multi = self.leaves[home].multi;
                    self.part(multi, Holds::Leaf(home)).published.push(*id);
                }
                self.hand = back.to_vec();
                Said::Back(back.iter().map(|(_, id)| *id).collect())
            }
            Act::Collect {
                multi,
                run,
                real,
                keep,
            } => {
                let multi = self.multi(*multi)?;
                let ids = self.take(multi);
                let (now, later) = ids.split_at((*run).min(ids.len()));
                let each = now.iter().map(|id| (*id, self.run(*id, *real))).collect();
                if *keep {
                    self.hand.extend(later.iter().map(|id| (multi, *id)));
                }
                Said::Each(each, later.to_vec())
            }
            Act::ApplyLeaf { leaf, real, again } => {
                let leaf = leaf % self.leaves.len();
                self.leaves[leaf].bus.then_some(())?;
                let ids = self.ask(Holds::Leaf(leaf));
                let ran = self.run_all(ids, *real);
                if *again {
                    self.leaves[leaf].published.extend(unapplied(&ran));
                }
                Said::Ran(ran)
            }
            Act::View { leaf } => {
                let leaf = leaf % self.leaves.len();
                self.leaves[leaf].handle.then_some(())?;
                Said::Count(self.aside(self.leaves[leaf].multi, Holds::Leaf(leaf)))
            }
            Act::ViewOf { multi } => {
                let multi = multi % self.multis.len();
                self.multis[multi].wrapped.then_some(())?;
                Said::Count(self.aside(self.multis[multi].parent?, Holds::Multi(multi)))
            }
            Act::ViewDelayed { delayed } => {
                let delayed = delayed.checked_rem(self.delayed.len())?;
                Said::Count(self.aside_delayed(delayed))
            }
            Act::ApplyDelayed {
                delayed,
                real,
                again,
            } => {
                let delayed = delayed.checked_rem(self.delayed.len())?;
                let leaf = self.delayed[delayed].leaf;
                let mut ids = std::mem::take(&mut self.delayed[delayed].aside);
                ids.append(&mut self.leaves[leaf].published);
                ids.append(&mut self.delayed[delayed].published);
                let ran = self.run_all(ids, *real);
                if *again {
                    self.delayed[delayed].published.extend(unapplied(&ran));
                }
                Said::Ran(ran)
            }
            Act::Discard { multi } => {
                let multi = self.multi(*multi)?;
                Said::Count(self.take(multi).len())
            }
            Act::DropMulti { multi } => {
                let multi = self.multi(*multi)?;
                self.multis[multi].handle = false;
                self.bury();
                Said::Done
            }
            Act::DropWrapped { multi } => {
                let multi = multi % self.multis.len();
                self.multis[multi].wrapped = false;
                self.bury();
                Said::Done
            }
            Act::DropLeaf { leaf, direct } => {
                let leaf = leaf % self.leaves.len();
                match direct {
                    true => self.leaves[leaf].bus = false,
                    false => self.leaves[leaf].handle = false,
                }
                self.bury();
                Said::Done
            }
            Act::Call(call) => self.call(call)?,
        })
    }

    fn call(&mut self, call: &Call) -> Option<Said> {
        let given = match call.given {
            Some(given) => Some(self.multi(given)?),
            None => None,
        };
        let (own, first) = (self.multis.len(), self.leaves.len());
        self.multis.push(Multi {
            handle: true,
            ..Multi::default()
        });
        call.wraps.iter().for_each(|_| self.wrap(own));
        // Only its own have the handles of its buses.
        self.leaves[first..]
            .iter_mut()
            .for_each(|leaf| leaf.bus = false);
        let mut finished = None;
        let result = self.work(call, own, first, given.is_none(), &mut finished);
        if !call.escape {
            self.leaves[first..]
                .iter_mut()
                .for_each(|leaf| leaf.handle = false);
        }
        let said = match (result, given) {
            (Ok(()), Some(given)) => {
                self.multis[own].parent = Some(given);
                let holds = Holds::Multi(own);
                self.multis[given].parts.push(Part::of(holds));
                Said::Call(finished, Ok(()))
            }
            (Ok(()), None) => {
                // Also what its effects publish.
                let result = loop {
                    let ids = self.take(own);
                    if ids.is_empty() {
                        break Ok(());
                    }
                    let ran = self.run_all(ids, call.real);
                    if ran.failed.is_some() {
                        break Err(Some(ran));
                    }
                };
                Said::Call(finished, result)
            }
            (Err(None), _) if call.end == End::Panic => Said::Panicked(finished),
            (Err(error), _) => Said::Call(finished, Err(error)),
        };
        self.multis[own].handle = false;
        self.bury();
        Some(said)
    }

    fn work(
        &mut self,
        call: &Call,
        own: usize,
        first: usize,
        mine: bool,
        finished: &mut Option<Vec<u32>>,
    ) -> Result<(), Option<Ran>> {
        for (leaf, script) in &call.first {
            self.publish(first + leaf % call.wraps.len(), false, script);
        }
        if call.finish {
            *finished = Some(Vec::new());
            if mine {
                let ids = self.take(own);
                let ran = self.run_all(ids, call.real);
                if ran.failed.is_some() {
                    return Err(Some(ran));
                }
                *finished = Some(ran.applied);
            }
        }
        for (leaf, script) in &call.second {
            self.publish(first + leaf % call.wraps.len(), false, script);
        }
        match call.end {
            End::Fine => Ok(()),
            _ => Err(None),
        }
    }
}

/// What there is to publish again: what failed and what remains, or, where nothing failed, all.
fn unapplied(ran: &Ran) -> Vec<u32> {
    match ran.failed {
        Some((id, _)) => [id]
            .into_iter()
            .chain(ran.remaining.iter().copied())
            .collect(),
        None => ran.applied.clone(),
    }
}
