//! Buses that are fed from elsewhere: what keeps them open, and what ends them.

use std::any::Any;
use std::fmt;
use std::panic::Location;

use super::core::Core;
use super::listeners::There;
use super::nested::Nested;
use super::panics::{PanicPlace, shield};
use super::view::Visible;
use super::{Bus, Open, WeakBus};
use crate::sync::{Arc, AtomicU64, Ordering, Weak};
use crate::tally::Striped;

/// Keeps a derived bus open.
pub(super) type Keeper = Arc<dyn Any + Send + Sync>;

/// What a derived bus holds while it is open.
pub(super) type Held = Box<dyn Any + Send + Sync>;

/// A way into a bus, for those who [pass events on](Bus::pass_on) to it; a clone is the same way.
///
/// It does not keep the bus open. The one that [`Bus::derive`] hands out ends the bus: when the last
/// clone is dropped, nothing can come any more, and the bus closes.
///
/// ```
/// # use chanbus::{Bus, Inlet};
/// let (near, far) = (Bus::new(), Bus::new());
/// let sub = far.subscribe_all()?;
/// let guard = near.pass_on("**", &Inlet::to(&far), |_| true)?;
/// near.emit("a", 1)?;
/// assert_eq!(*sub.recv()?.payload(), 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct Inlet<T: Send + Sync + 'static>(Arc<Door<T>>);

struct Door<T: Send + Sync + 'static> {
    bus: WeakBus<T>,
    /// Not what keeps the bus open. That it is there spares every event a look whether it is.
    core: Arc<Core<T>>,
    /// The bus ends with it.
    only: bool,
}

impl<T: Send + Sync + 'static> Inlet<T> {
    /// A way into a bus that does not end with it.
    ///
    /// ```
    /// # use chanbus::{Bus, Inlet};
    /// let bus = Bus::<u32>::new();
    /// drop(Inlet::to(&bus));
    /// assert!(!bus.is_closed());
    /// ```
    #[must_use]
    pub fn to(bus: &Bus<T>) -> Self {
        Inlet::new(bus, false)
    }

    fn new(bus: &Bus<T>, only: bool) -> Self {
        Inlet(Arc::new(Door {
            bus: bus.downgrade(),
            core: Arc::clone(bus.core()),
            only,
        }))
    }

    pub(super) fn core(&self) -> &Core<T> {
        &self.0.core
    }

    /// Where it leads to, and the place to show for that: of a bus that ends with it, which was made of another,
    /// where it was made; else where it is passed on from, the `caller`.
    pub(super) fn there(
        &self,
        caller: &'static Location<'static>,
    ) -> (There, &'static Location<'static>) {
        let (core, derived) = (&self.0.core, self.0.only);
        let there = There {
            number: core.number(),
            derived,
            bus: weak_view(core),
        };
        let location = if derived {
            core.settings.location
        } else {
            caller
        };
        (there, location)
    }
}

impl<T: Send + Sync + 'static> Drop for Door<T> {
    fn drop(&mut self) {
        if self.only
            && let Some(bus) = self.bus.upgrade()
        {
            end(bus);
        }
    }
}

impl<T: Send + Sync + 'static> Clone for Inlet<T> {
    fn clone(&self) -> Self {
        Inlet(Arc::clone(&self.0))
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Inlet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inlet")
            .field("ends_bus", &self.0.only)
            .finish()
    }
}

fn weak_view<T: Send + Sync + 'static>(core: &Arc<Core<T>>) -> Weak<dyn Visible> {
    let weak: Weak<Core<T>> = Arc::downgrade(core);
    weak
}

/// Closes a bus that nothing can come to any more. Buses that are derived from it end inside of that.
fn end<T: Send + Sync + 'static>(bus: Bus<T>) {
    let nested = Nested::enter();
    if nested.is_too_deep() {
        nested.defer(move || {
            bus.close();
        });
    } else {
        // What it lets go of is behind shields.
        bus.close();
        drop(bus);
    }
}

/// Drops what a derived bus held, which may be the last that keeps the bus before it open.
pub(super) fn let_go(held: impl Any + Send + Sync) {
    let nested = Nested::enter();
    let drop_it = move || {
        shield(None, PanicPlace::Destructor, None, None, || drop(held));
    };
    if nested.is_too_deep() {
        nested.defer(drop_it);
    } else {
        drop_it();
    }
}

impl<T: Send + Sync + 'static> Bus<T> {
    /// Makes a bus that is fed by others, with this one's settings (but for its name and its history), and
    /// holds what `attach` returns, a guard or several, until it ends: for derived buses of your own
    /// kind.
    ///
    /// `attach` is given the [way into it](Inlet). A derived bus is open while a handle, a subscription, a
    /// [tap](Bus::tap), a [pipe](Bus::pipe_to) or a [`Retained`](crate::Retained) of it lives, and so while one that is derived from it does; then it ends at
    /// once, and so it does when the last clone of its inlet is dropped: when all buses
    /// that feed it have closed. It keeps none of those open. It has no thread of its own, and can be
    /// emitted on as any other: what is emitted there goes to its own subscribers, not to where it is fed from, and no
    /// predicate is asked about it.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use chanbus::Bus;
    ///
    /// /// Every third event.
    /// fn thinned(bus: &Bus<u32>) -> Bus<u32> {
    ///     bus.derive(|inlet| {
    ///         let seen = AtomicU32::new(0);
    ///         // An error says that `bus` is closed: then so is the new one.
    ///         bus.pass_on("**", inlet, move |_| seen.fetch_add(1, Ordering::Relaxed) % 3 == 0).ok()
    ///     })
    /// }
    ///
    /// let bus = Bus::new();
    /// let sub = thinned(&bus).subscribe("n")?;
    /// bus.publisher("n")?.emit_batch(0..7)?;
    /// drop(bus);
    /// let seen: Vec<u32> = sub.iter().map(|event| *event.payload()).collect();
    /// assert_eq!(seen, [0, 3, 6]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn derive<U, G>(&self, attach: impl FnOnce(&Inlet<U>) -> G) -> Bus<U>
    where
        U: Send + Sync + 'static,
        G: Send + Sync + 'static,
    {
        let core = self.core();
        let bus = Bus(Arc::new(Open {
            core: Arc::new(Core::new(core.settings.derived(), core.ringer())),
            derived: true,
            held: Default::default(),
        }));
        let inlet = Inlet::new(&bus, true);
        let held = attach(&inlet);
        *bus.0.held.lock() = Some(Box::new(held));
        drop(inlet);
        if bus.is_closed() {
            bus.0.let_go();
        }
        bus
    }

    /// What keeps this bus open beside its handles, if it is a derived one.
    pub(super) fn keeper(&self) -> Option<Keeper> {
        self.0.derived.then(|| Arc::clone(&self.0) as Keeper)
    }
}

/// What was passed on to a bus, or not.
#[derive(Default)]
pub(super) struct Fed {
    left_out: Count,
    panics: Count,
    repeated: Count,
    refused: Count,
}

/// What emitting threads count, which starts anew at a reset.
struct Count {
    ever: Striped,
    before: AtomicU64,
}

impl Default for Count {
    fn default() -> Self {
        Count {
            ever: Striped::new(),
            before: AtomicU64::new(0),
        }
    }
}

impl Count {
    fn add(&self, count: usize) {
        if count > 0 {
            self.ever.add(count as u64);
        }
    }

    fn get(&self) -> u64 {
        // Relaxed, here and below: a statistic.
        let before = self.before.load(Ordering::Relaxed);
        self.ever.sum().saturating_sub(before)
    }

    fn reset(&self) {
        self.before.store(self.ever.sum(), Ordering::Relaxed);
    }
}

/// The sums of a [`Fed`].
#[derive(Default)]
pub(super) struct FedSums {
    pub(super) left_out: u64,
    pub(super) panics: u64,
    pub(super) repeated: u64,
    pub(super) refused: u64,
}

impl Fed {
    pub(super) fn left_out(&self, events: usize, panics: usize) {
        self.left_out.add(events);
        self.panics.add(panics);
    }

    pub(super) fn repeated(&self, events: usize) {
        self.repeated.add(events);
    }

    pub(super) fn refused(&self, events: usize) {
        self.refused.add(events);
    }

    pub(super) fn sums(&self) -> FedSums {
        FedSums {
            left_out: self.left_out.get(),
            panics: self.panics.get(),
            repeated: self.repeated.get(),
            refused: self.refused.get(),
        }
    }

    /// The sums, resets or not.
    pub(super) fn sums_ever(&self) -> FedSums {
        FedSums {
            left_out: self.left_out.ever.sum(),
            panics: self.panics.ever.sum(),
            repeated: self.repeated.ever.sum(),
            refused: self.refused.ever.sum(),
        }
    }

    pub(super) fn reset(&self) {
        for count in [&self.left_out, &self.panics, &self.repeated, &self.refused] {
            count.reset();
        }
    }
}
