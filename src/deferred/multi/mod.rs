//! Many deferred buses, applied as one (D5).
//!
//! A [`MultiBus`] has its parts in a list: each a bus that was wrapped, of any type. To apply it takes what was
//! published off all parts first, and then runs it, part by part; so what an effect publishes meanwhile, to whichever
//! part, belongs to the next apply, and nothing runs twice. The list's lock is held to add a part and to copy the
//! list, never while a part is asked for anything.

mod any_event;
mod applied;
mod orchestrator;
mod part;
mod wrapped;

use std::cell::RefCell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::resume_unwind;

use self::part::{Part, Taken};
use super::collected::Collected;
use super::commit::Commit;
use super::error::{ApplyErrorOf, PublishError};
use super::publish::{Crate, DeferredBus, Publish};
use super::queue::{drop_all, each};
use crate::BoxError;
use crate::shield::{caught, drop_shielded};
use crate::sync::{Arc, Mutex};

pub use self::any_event::AnyEvent;
pub use self::applied::Applied;
pub use self::orchestrator::Orchestrator;
pub use self::wrapped::Wrapped;

/// Coordinates many buses: what is published to any of them is applied as one, by the owner.
///
/// [`wrap`](MultiBus::wrap) adds a bus and returns a handle that can only publish.
/// [`apply`](DeferredBus::apply) runs the buses in the order in which they were wrapped, and in each the events in the
/// order in which they were published. Buses nest: a `MultiBus` can be wrapped like any other.
///
/// A cheap handle: clones are the same. When the last is dropped, what was not applied is discarded, and those
/// who still publish are told.
///
/// Each level of nesting takes some stack where it is applied and where it is dropped: hundreds of levels are fine,
/// thousands are not.
///
/// ```
/// use chanbus::{BasicBus, Commit, Deferred, DeferredBus, Effect, MultiBus, Publish};
///
/// let multi = MultiBus::new();
/// let mails = multi.wrap(BasicBus::new());
/// let stock = multi.wrap(Deferred::from_fn(|piece: &&str, _| match *piece {
///     "piano" => Err("there is no piano".into()),
///     _ => Ok(()),
/// }));
///
/// stock.publish("violin")?;
/// mails.publish(Effect::new("mail ann", |_| Ok(())))?;
/// let applied = multi.apply(Commit::Real)?;
/// assert_eq!(applied.events_of(&mails)[0].label(), "mail ann");
/// assert_eq!(applied.events_of(&stock), [&"violin"]);
///
/// stock.publish_all(["flute", "piano", "harp"])?;
/// let error = multi.apply(Commit::Real).unwrap_err();
/// assert_eq!(error.applied.events_of(&stock), [&"flute"]);
/// assert_eq!(error.failed.event.downcast_ref(), Some(&"piano"));
///
/// // What remains finds its way to its own bus.
/// multi.publish_all(error.remaining)?;
/// assert_eq!(multi.apply(Commit::Real)?.events_of(&stock), [&"harp"]);
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// As a [`DeferredBus`] it has events of any type: [`AnyEvent`] is what it has applied or hands back, and one can be
/// published only where it came from. To publish something new, wrap a bus.
#[derive(Clone)]
pub struct MultiBus {
    shared: Arc<Shared>,
}

struct Shared {
    list: Mutex<List>,
}

struct List {
    parts: Vec<Arc<dyn Part>>,
    /// How long it may grow before those that are spent are looked for.
    room: usize,
}

impl MultiBus {
    /// One without parts.
    ///
    /// ```
    /// use chanbus::{Commit, DeferredBus, MultiBus};
    ///
    /// assert!(MultiBus::new().apply(Commit::Real)?.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let list = List {
            parts: Vec::new(),
            room: FIRST_ROOM,
        };
        MultiBus {
            shared: Arc::new(Shared {
                list: Mutex::new(list),
            }),
        }
    }

    /// Adds a bus, after those that are there. The handle publishes to it; what runs it is this.
    ///
    /// What the handle publishes is kept [apart](DeferredBus::apart): so clones of one bus may be wrapped by several, and
    /// each applies or discards its own. What is on the bus itself runs before that, with the first that is
    /// applied.
    ///
    /// Wrapping a clone once more adds it at the end. So where several functions wrap their own, their buses run function by
    /// function; to have all of one kind before all of another, wrap each once, and pass the handles on.
    ///
    /// Wrapping a `MultiBus` in itself, in one step or in several, runs nothing twice, but keeps it alive for ever.
    ///
    /// ```
    /// use chanbus::{BasicBus, Commit, DeferredBus, Effect, MultiBus, Publish};
    ///
    /// let outer = MultiBus::new();
    /// let inner = MultiBus::new();
    /// outer.wrap(inner.clone());
    /// let effects = inner.wrap(BasicBus::new());
    /// effects.publish(Effect::new("deep inside", |_| Ok(())))?;
    /// assert_eq!(outer.apply(Commit::Real)?.len(), 1);
    /// assert_eq!(inner.apply(Commit::Real)?.len(), 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn wrap<B: DeferredBus + Send + Sync + 'static>(&self, bus: B) -> Wrapped<B> {
        self.orchestrator().wrap(bus)
    }

    /// A handle for those who may wrap buses and publish to them, and nothing else.
    ///
    /// ```
    /// use chanbus::{BasicBus, Commit, DeferredBus, Effect, MultiBus, Orchestrator, Publish, PublishError};
    ///
    /// fn callee(orchestrator: &Orchestrator) -> Result<(), PublishError<Effect>> {
    ///     let effects = orchestrator.wrap(BasicBus::new());
    ///     effects.publish(Effect::new("mine", |_| Ok(())))
    /// }
    ///
    /// let multi = MultiBus::new();
    /// callee(&multi.orchestrator())?;
    /// assert_eq!(multi.apply(Commit::Real)?.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn orchestrator(&self) -> Orchestrator {
        Orchestrator::new(Arc::downgrade(&self.shared))
    }

    /// Drops all that an apply would run now, and says how much that was.
    ///
    /// # Panics
    ///
    /// With the first of the events' destructors that panics, when all have gone.
    ///
    /// ```
    /// use chanbus::{BasicBus, Commit, DeferredBus, Effect, MultiBus, Publish};
    ///
    /// let multi = MultiBus::new();
    /// multi.wrap(BasicBus::new()).publish(Effect::new("never", |_| Ok(())))?;
    /// assert_eq!(multi.discard(), 1);
    /// assert!(multi.apply(Commit::Real)?.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn discard(&self) -> usize {
        let all = self.shared.take();
        let count = all.len();
        drop_all(all);
        count
    }
}

impl Default for MultiBus {
    fn default() -> Self {
        MultiBus::new()
    }
}

impl Publish for MultiBus {
    type Event = AnyEvent;

    /// Publishes an event again, to the bus that it came from.
    fn publish(&self, event: AnyEvent) -> Result<(), PublishError<AnyEvent>> {
        match self.shared.part(event.number()) {
            Some(part) => event.publish_to(&*part),
            None => Err(PublishError::new(event)),
        }
    }
}

impl DeferredBus for MultiBus {
    type Error = BoxError;
    type Applied = Applied;

    fn apply(&self, commit: Commit) -> Result<Applied, ApplyErrorOf<MultiBus>> {
        Collected::run_all(self.collect(), commit)
            .map(Applied::new)
            .map_err(|error| error.map_applied(Applied::new))
    }

    fn collect(&self) -> Vec<Collected<AnyEvent, BoxError>> {
        self.shared.take()
    }

    fn let_go(&self, _: Crate) {
        // What was published to its parts is theirs; when it goes itself, they end.
    }

    fn is_spent(&mut self, _: Crate) -> bool {
        // Unique, so that nobody wraps or publishes between the two questions.
        Arc::get_mut(&mut self.shared)
            .is_some_and(|shared| shared.list.get_mut().parts.iter_mut().all(is_spent))
    }
}

impl fmt::Debug for MultiBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiBus")
            .field("parts", &self.shared.list.lock().parts.len())
            .finish()
    }
}

/// Parts that are kept without looking whether they are spent.
const FIRST_ROOM: usize = 8;

/// Whether nobody can publish to it any more, and it has nothing to run.
fn is_spent(part: &mut Arc<dyn Part>) -> bool {
    // Unique, so that nobody publishes meanwhile.
    Arc::get_mut(part).is_some_and(|part| part.is_spent())
}

impl List {
    /// Takes out those that are spent, to be dropped where no lock is held.
    #[must_use]
    fn take_spent(&mut self) -> Vec<Arc<dyn Part>> {
        let spent = self.parts.extract_if(.., is_spent).collect();
        self.room = FIRST_ROOM.max(self.parts.len() * 2);
        spent
    }
}

impl Shared {
    fn part(&self, number: u64) -> Option<Arc<dyn Part>> {
        let list = self.list.lock();
        let part = list.parts.iter().find(|part| part.number() == number);
        part.cloned()
    }

    /// All that was published, in order.
    fn take(&self) -> Vec<Collected<AnyEvent, BoxError>> {
        let (parts, spent) = {
            let mut list = self.list.lock();
            let spent = list.take_spent();
            (list.parts.clone(), spent)
        };
        forget(spent);
        // A bus that is wrapped in itself is asked while it asks.
        let Some(_visit) = Visit::begin(self) else {
            return Vec::new();
        };
        let mut all: Vec<Box<dyn Taken>> = Vec::new();
        for part in parts {
            match caught(|| part.take()) {
                Ok(taken) => all.push(taken),
                // A bus of the user's own: its panic takes nothing along.
                Err(thrown) => {
                    all.into_iter().for_each(Taken::put_back);
                    resume_unwind(thrown)
                }
            }
        }
        all.into_iter().flat_map(Taken::into_any).collect()
    }

    fn add(&self, part: Arc<dyn Part>) {
        let spent = {
            let mut list = self.list.lock();
            let full = list.parts.len() >= list.room;
            let spent = if full { list.take_spent() } else { Vec::new() };
            list.parts.push(part);
            spent
        };
        forget(spent);
    }
}

/// Drops buses that are spent. Who happens to be there when that is found has nothing to do with them, nor with
/// the panics of their destructors.
fn forget(spent: Vec<Arc<dyn Part>>) {
    for part in spent {
        drop_shielded(part);
    }
}

/// What was not applied goes now, also where others still have handles.
impl Drop for Shared {
    fn drop(&mut self) {
        let parts = std::mem::take(&mut self.list.get_mut().parts);
        let events = parts.clone().into_iter().map(|part| (part, true));
        let buses = parts.into_iter().map(|part| (part, false));
        each(
            events.chain(buses),
            |(part, only_events)| match only_events {
                true => part.end(),
                false => drop(part),
            },
        );
    }
}

thread_local! {
    /// The buses that this thread is asking for their events at this moment, by their address. Without a
    /// destructor, so that it is there until the thread has ended: buses may go with other thread-locals.
    static ASKED: RefCell<ManuallyDrop<Vec<usize>>> =
        const { RefCell::new(ManuallyDrop::new(Vec::new())) };
}

/// A thread asks a bus; the outermost that does the same is in the list of those asked.
struct Visit;

impl Visit {
    fn begin(shared: &Shared) -> Option<Visit> {
        let address = std::ptr::from_ref(shared).addr();
        ASKED.with_borrow_mut(|asked| {
            (!asked.contains(&address)).then(|| {
                asked.push(address);
                Visit
            })
        })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        ASKED.with_borrow_mut(|asked| {
            asked.pop();
            if asked.is_empty() {
                // Nobody else gives its memory back.
                drop(std::mem::take(&mut **asked));
            }
        });
    }
}
