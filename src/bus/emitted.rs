//! What an emit did.

use std::iter::Sum;
use std::ops::AddAssign;

/// What an emit did, in numbers of subscriptions; of a batch, the sums over its events.
///
/// `matched = delivered + dropped + filtered`, always. A subscription that ended during the emit
/// counts as not matched; taps are not counted.
///
/// ```
/// use chanbus::Bus;
///
/// let bus = Bus::new();
/// let _all = bus.subscription("**").capacity(1).subscribe()?;
/// let _even = bus.subscription("n").filter(|event| event.payload() % 2 == 0).subscribe()?;
/// bus.emit("n", 1)?;
/// let emitted = bus.emit("n", 3)?;
/// assert_eq!((emitted.matched, emitted.dropped, emitted.filtered), (2, 1, 1));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Emitted {
    /// Subscriptions with a pattern that matches the topic; all, for a
    /// [`broadcast`](crate::Bus::broadcast).
    pub matched: usize,
    /// Those that have the event in their queue.
    pub delivered: usize,
    /// Those whose queue was full and refused it.
    pub dropped: usize,
    /// Those whose filter said no, or panicked.
    pub filtered: usize,
    /// Older events that this one pushed out (`Overflow::DropOldest`) or replaced
    /// (`Overflow::Latest`); they had been delivered by emits before.
    pub evicted: usize,
}

impl Emitted {
    /// As many as matched have it.
    #[inline]
    pub(super) fn to_all(matched: usize) -> Self {
        Emitted {
            matched,
            delivered: matched,
            ..Emitted::default()
        }
    }

    /// Whether every subscription that wanted the event has it.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let _sub = bus.subscription("n").capacity(1).subscribe()?;
    /// assert!(bus.emit("n", 1)?.is_complete());
    /// assert!(!bus.emit("n", 2)?.is_complete());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.dropped == 0
    }
}

impl AddAssign for Emitted {
    fn add_assign(&mut self, other: Self) {
        self.matched += other.matched;
        self.delivered += other.delivered;
        self.dropped += other.dropped;
        self.filtered += other.filtered;
        self.evicted += other.evicted;
    }
}

impl Sum for Emitted {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Emitted::default(), |mut sum, emitted| {
            sum += emitted;
            sum
        })
    }
}
