//! The buses themselves, with events that report what becomes of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chanbus::{
    AnyEvent, ApplyError, AsDeferred, BasicBus, BoxError, Collected, Commit, Deferred, DeferredBus,
    DelayedBus, Effect, EffectError, FromFn, MultiBus, Orchestrator, Publish, Wrapped,
};
use parking_lot::Mutex;

use crate::acts::{Act, Fate, Ran, Said, Script};
use crate::lists::{DEEPEST, commit};

type Apply = Box<dyn Fn(&Ticket, Commit) -> Result<(), BoxError> + Send + Sync>;
type Numbers = Deferred<FromFn<Ticket, Apply>>;

/// An event's number; tells the world when it goes.
pub(crate) struct Ticket {
    id: u32,
    world: Arc<dyn Hears>,
}

/// The world as its events see it, so that their type does not go round in a circle.
pub(crate) trait Hears: Send + Sync {
    fn run(self: Arc<Self>, id: u32, commit: Commit) -> Result<(), BoxError>;
    fn gone(&self, id: u32);
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.world.gone(self.id);
    }
}

/// What is published to either kind of bus.
pub(crate) trait Numbered: Sized {
    fn of(ticket: Ticket) -> Self;
    fn id(&self) -> u32;
}

impl Numbered for Ticket {
    fn of(ticket: Ticket) -> Self {
        ticket
    }

    fn id(&self) -> u32 {
        self.id
    }
}

impl Numbered for Effect {
    fn of(ticket: Ticket) -> Self {
        Effect::new(ticket.id.to_string(), move |commit| {
            Arc::clone(&ticket.world).run(ticket.id, commit)
        })
    }

    fn id(&self) -> u32 {
        self.label().parse().unwrap()
    }
}

fn id_of(event: &AnyEvent) -> u32 {
    match event.downcast_ref::<Effect>() {
        Some(effect) => effect.id(),
        None => event.downcast_ref::<Ticket>().unwrap().id,
    }
}

/// What publishes: a bus, a handle of it, or a view.
pub(crate) fn publish<E: Numbered + Send + Sync + 'static>(
    to: &impl Publish<Event = E>,
    tickets: Vec<Ticket>,
    at_once: bool,
) -> Vec<u32> {
    let events = tickets.into_iter().map(E::of);
    let ids = |events: &[E]| events.iter().map(E::id).collect();
    match at_once {
        true => match to.publish_all(events) {
            Ok(()) => Vec::new(),
            Err(error) => ids(&error.into_inner()),
        },
        false => events
            .filter_map(|event| to.publish(event).err())
            .map(|error| error.into_inner().id())
            .collect(),
    }
}

/// A bus by its two kinds.
macro_rules! either {
    ($bus:expr, $name:ident => $act:expr) => {
        match $bus {
            Either::Effects($name) => $act,
            Either::Numbers($name) => $act,
        }
    };
}

#[derive(Clone)]
pub(crate) enum Either<E, N> {
    Effects(E),
    Numbers(N),
}

pub(crate) type Handle = Either<Wrapped<BasicBus>, Wrapped<Numbers>>;

type Delayed = Either<DelayedBus<BasicBus>, DelayedBus<Numbers>>;
type View = Either<Wrapped<AsDeferred<BasicBus>>, Wrapped<AsDeferred<Numbers>>>;

pub(crate) struct Leaf {
    pub(crate) handle: Option<Handle>,
    bus: Option<Either<BasicBus, Numbers>>,
}

#[derive(Default)]
struct State {
    leaves: Vec<Arc<Mutex<Leaf>>>,
    scripts: Vec<Script>,
    runs: HashMap<u32, usize>,
    alive: BTreeSet<u32>,
    log: Vec<(u32, Commit)>,
}

#[derive(Default)]
pub(crate) struct World {
    state: Mutex<State>,
}

impl World {
    pub(crate) fn ticket(self: &Arc<Self>, script: &Script) -> Ticket {
        let mut state = self.state.lock();
        let id = state.scripts.len() as u32;
        state.scripts.push(script.clone());
        state.alive.insert(id);
        Ticket {
            id,
            world: Arc::<World>::clone(self),
        }
    }

    /// A new bus in a `MultiBus`; its number.
    pub(crate) fn wrap(self: &Arc<Self>, to: &Orchestrator, numbers: bool, keep: bool) -> usize {
        let (bus, handle) = match numbers {
            false => {
                let bus = BasicBus::new();
                let handle = to.wrap(bus.clone());
                (Either::Effects(bus), Either::Effects(handle))
            }
            true => {
                let apply: Apply =
                    Box::new(|ticket, commit| Arc::clone(&ticket.world).run(ticket.id, commit));
                let bus = Deferred::from_fn(apply);
                let handle = to.wrap(bus.clone());
                (Either::Numbers(bus), Either::Numbers(handle))
            }
        };
        let leaf = Leaf {
            handle: Some(handle),
            bus: keep.then_some(bus),
        };
        let mut state = self.state.lock();
        state.leaves.push(Arc::new(Mutex::new(leaf)));
        state.leaves.len() - 1
    }

    pub(crate) fn leaf(&self, leaf: usize) -> Arc<Mutex<Leaf>> {
        let state = self.state.lock();
        Arc::clone(&state.leaves[leaf % state.leaves.len()])
    }

    pub(crate) fn handle(&self, leaf: usize) -> Option<Handle> {
        self.leaf(leaf).lock().handle.clone()
    }
}

impl Hears for World {
    fn gone(&self, id: u32) {
        assert!(self.state.lock().alive.remove(&id), "once");
    }

    fn run(self: Arc<Self>, id: u32, commit: Commit) -> Result<(), BoxError> {
        let script = {
            let mut state = self.state.lock();
            state.log.push((id, commit));
            state.scripts[id as usize].clone()
        };
        for (leaf, script) in &script.publishes {
            let leaf = {
                let state = self.state.lock();
                Arc::clone(&state.leaves[leaf % state.leaves.len()])
            };
            let tickets = vec![self.ticket(script)];
            let (handle, bus) = {
                let leaf = leaf.lock();
                (leaf.handle.clone(), leaf.bus.clone())
            };
            match (handle, bus) {
                (Some(handle), _) => either!(handle, handle => publish(&handle, tickets, false)),
                (None, Some(bus)) => either!(bus, bus => publish(&bus, tickets, false)),
                (None, None) => Vec::new(),
            };
        }
        let runs = {
            let mut state = self.state.lock();
            let runs = state.runs.entry(id).or_default();
            *runs += 1;
            *runs
        };
        match (runs <= script.failures, script.panics) {
            // Without the message of a panic, of which there are many.
            (true, true) => std::panic::resume_unwind(Box::new("told to")),
            (true, false) => Err("told to".into()),
            _ => Ok(()),
        }
    }
}

fn fate<X>(error: &EffectError<X>) -> Fate {
    if error.is_panic() {
        Fate::Panicked
    } else {
        Fate::Failed
    }
}

/// An apply in numbers.
fn ran_of<E, X, A>(
    result: &Result<A, ApplyError<E, X, A>>,
    applied: impl Fn(&A) -> Vec<u32>,
    id: impl Fn(&E) -> u32,
) -> Ran {
    match result {
        Ok(all) => Ran {
            applied: applied(all),
            ..Ran::default()
        },
        Err(error) => Ran {
            applied: applied(&error.applied),
            failed: Some((id(&error.failed.event), fate(&error.failed.error))),
            remaining: error.remaining.iter().map(id).collect(),
        },
    }
}

pub(crate) fn ran_of_multi(
    result: &Result<chanbus::Applied, chanbus::ApplyErrorOf<MultiBus>>,
) -> Ran {
    ran_of(result, |all| all.iter().map(id_of).collect(), id_of)
}

/// Applies, and publishes again what came of it.
fn apply_list<E: Numbered + Send + Sync + 'static, X>(
    to: &impl Publish<Event = E>,
    result: Result<Vec<E>, ApplyError<E, X>>,
    again: bool,
) -> Said {
    let ran = ran_of(&result, |all| all.iter().map(E::id).collect(), E::id);
    if again {
        let events = result.unwrap_or_else(ApplyError::into_unapplied);
        to.publish_all(events).unwrap();
    }
    Said::Ran(ran)
}

pub(crate) struct Real {
    pub(crate) world: Arc<World>,
    pub(crate) multis: Vec<(Option<MultiBus>, Option<Wrapped<MultiBus>>)>,
    depths: Vec<usize>,
    delayed: Vec<Delayed>,
    views: Vec<View>,
    hand: Vec<AnyEvent>,
}

impl Real {
    pub(crate) fn new() -> Self {
        let world = Arc::new(World::default());
        let multi = MultiBus::new();
        world.wrap(&multi.orchestrator(), false, true);
        world.wrap(&multi.orchestrator(), true, true);
        Real {
            world,
            multis: vec![(Some(multi), None)],
            depths: vec![0],
            delayed: Vec::new(),
            views: Vec::new(),
            hand: Vec::new(),
        }
    }

    pub(crate) fn log(&self) -> Vec<(u32, Commit)> {
        self.world.state.lock().log.clone()
    }

    pub(crate) fn alive(&self) -> BTreeSet<u32> {
        self.world.state.lock().alive.clone()
    }

    /// Lets go of all handles, in the order in which they come.
    pub(crate) fn end(&mut self) {
        self.hand.clear();
        self.views.clear();
        self.delayed.clear();
        self.multis.clear();
        let leaves = std::mem::take(&mut self.world.state.lock().leaves);
        drop(leaves);
    }

    pub(crate) fn add_call(&mut self) {
        self.multis.push((None, None));
        self.depths.push(0);
    }

    pub(crate) fn multi(&self, multi: usize) -> Option<MultiBus> {
        self.multis[multi % self.multis.len()].0.clone()
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
                at_once,
            } => {
                let leaf = self.world.leaf(*leaf);
                let leaf = leaf.lock();
                let tickets = || {
                    scripts
                        .iter()
                        .map(|script| self.world.ticket(script))
                        .collect()
                };
                Said::Back(match direct {
                    true => either!(leaf.bus.as_ref()?, bus => publish(bus, tickets(), *at_once)),
                    false => either!(leaf.handle.as_ref()?, to => publish(to, tickets(), *at_once)),
                })
            }
            Act::Wrap { multi, numbers } => {
                let multi = self.multi(*multi)?;
                self.world.wrap(&multi.orchestrator(), *numbers, true);
                Said::Done
            }
            Act::Nest { multi } => {
                let to = self.multi(*multi)?;
                let depth = self.depths[multi % self.depths.len()] + 1;
                (depth < DEEPEST).then_some(())?;
                let inner = MultiBus::new();
                let wrapped = to.wrap(inner.clone());
                self.multis.push((Some(inner), Some(wrapped)));
                self.depths.push(depth);
                Said::Done
            }
            Act::Delay { leaf } => {
                let bus = self.world.leaf(*leaf).lock().bus.clone()?;
                self.delayed.push(match bus {
                    Either::Effects(bus) => Either::Effects(DelayedBus::new(bus)),
                    Either::Numbers(bus) => Either::Numbers(DelayedBus::new(bus)),
                });
                Said::Done
            }
            Act::WrapView { multi, delayed } => {
                let multi = self.multi(*multi)?;
                let delayed = delayed.checked_rem(self.delayed.len())?;
                self.views.push(match &self.delayed[delayed] {
                    Either::Effects(bus) => Either::Effects(multi.wrap(bus.as_deferred())),
                    Either::Numbers(bus) => Either::Numbers(multi.wrap(bus.as_deferred())),
                });
                Said::Done
            }
            Act::Apply { multi, real, keep } => {
                let result = self.multi(*multi)?.apply(commit(*real));
                let ran = ran_of_multi(&result);
                if *keep {
                    match result {
                        Ok(applied) => self.hand.extend(applied),
                        Err(error) => self.hand.extend(error.into_unapplied()),
                    }
                }
                Said::Ran(ran)
            }
            Act::Again { multi } => {
                let multi = self.multi(*multi)?;
                if let Err(error) = multi.publish_all(std::mem::take(&mut self.hand)) {
                    self.hand = error.into_inner();
                }
                Said::Back(self.hand.iter().map(id_of).collect())
            }
            Act::Collect {
                multi,
                run,
                real,
                keep,
            } => {
                let mut now = self.multi(*multi)?.collect();
                let later = now.split_off((*run).min(now.len()));
                let run = |item: &mut Collected<AnyEvent>| {
                    let fate = match item.run(commit(*real)) {
                        Ok(()) => Fate::Fine,
                        Err(error) => fate(&error),
                    };
                    (id_of(item.event()), fate)
                };
                let each = now.iter_mut().map(run).collect();
                let left = later.iter().map(|item| id_of(item.event())).collect();
                if *keep {
                    self.hand
                        .extend(later.into_iter().map(Collected::into_event));
                }
                Said::Each(each, left)
            }
            Act::ApplyLeaf { leaf, real, again } => {
                let bus = self.world.leaf(*leaf).lock().bus.clone()?;
                either!(bus, bus => apply_list(&bus, bus.apply(commit(*real)), *again))
            }
            Act::View { leaf } => {
                let handle = self.world.handle(*leaf)?;
                Said::Count(either!(handle, to => to.as_deferred().apply(Commit::Real).unwrap()))
            }
            Act::ViewOf { multi } => {
                let wrapped = self.multis[multi % self.multis.len()].1.as_ref()?;
                Said::Count(wrapped.as_deferred().apply(Commit::Real).unwrap())
            }
            Act::ViewDelayed { delayed } => {
                let delayed = delayed.checked_rem(self.delayed.len())?;
                let count = either!(&self.delayed[delayed], bus => bus.as_deferred().apply(Commit::Real).unwrap());
                Said::Count(count)
            }
            Act::ApplyDelayed {
                delayed,
                real,
                again,
            } => {
                let delayed = delayed.checked_rem(self.delayed.len())?;
                either!(&self.delayed[delayed], bus => apply_list(bus, bus.apply_without_delay(commit(*real)), *again))
            }
            Act::Discard { multi } => Said::Count(self.multi(*multi)?.discard()),
            Act::DropMulti { multi } => {
                let multi = multi % self.multis.len();
                self.multis[multi].0.take()?;
                Said::Done
            }
            Act::DropWrapped { multi } => {
                let multi = multi % self.multis.len();
                self.multis[multi].1 = None;
                Said::Done
            }
            Act::DropLeaf { leaf, direct } => {
                let leaf = self.world.leaf(*leaf);
                let gone = match direct {
                    true => (leaf.lock().bus.take(), None),
                    false => (None, leaf.lock().handle.take()),
                };
                drop(gone);
                Said::Done
            }
            Act::Call(call) => self.call(call)?,
        })
    }
}
