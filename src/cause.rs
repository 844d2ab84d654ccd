//! Which events led to the one being emitted.

use std::cell::Cell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use crate::topic::Topic;

/// Why an event was emitted: the topic of the event whose consumer emitted it, and that one's cause.
///
/// A chain holds topics, never events, and is as long as it is deep; a bus refuses chains deeper
/// than its limit ([`BusBuilder::max_chain`](crate::BusBuilder::max_chain), 32 by default), so two
/// consumers that answer each other for ever end with an error that names the chain.
///
/// # The current cause
///
/// Each thread has a current cause, carried by every event that is emitted on it. It is set while
/// filters, taps, and the destructors of what an emit lets go of run; code of your own that acts on
/// an event sets it with [`Cause::scope`]. It does not cross an `.await` and is not passed to other
/// threads: take [`Cause::of`] the event along, and [`enter`](Cause::enter) it there.
///
/// ```
/// use chanbus::{Bus, Cause};
///
/// let bus: Bus<&str> = Bus::new();
/// let orders = bus.subscribe("order.placed")?;
/// let mails = bus.subscribe("mail.sent")?;
///
/// bus.emit("order.placed", "book")?;
/// let order = orders.recv()?;
/// Cause::scope(&order, || bus.emit("mail.sent", "confirmation"))?;
///
/// let mail = mails.recv()?;
/// let cause = mail.cause().expect("it was emitted because of an order");
/// assert_eq!(cause.topic(), "order.placed");
/// assert_eq!(cause.depth(), 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Clone)]
pub struct Cause(Arc<Link>);

#[derive(Clone)]
struct Link {
    topic: Topic,
    depth: usize,
    parent: Option<Cause>,
}

thread_local! {
    // Held unboxed, so that entering a scope allocates nothing; a cause is made when it is asked for.
    // Without a destructor, so that it is there to the very end of the thread, where destructors of
    // other thread-locals may emit. Nothing leaks: each scope puts back what it found, at last nothing.
    static CURRENT: ManuallyDrop<Cell<Option<Link>>> =
        const { ManuallyDrop::new(Cell::new(None)) };
    // Whether there is one. Every emit asks, and a flag without a destructor is one load.
    static CAUSED: Cell<bool> = const { Cell::new(false) };
}

impl Cause {
    /// The cause that an event would be for others.
    ///
    /// ```
    /// use chanbus::{Cause, Event};
    ///
    /// let event = Event::new("a.b", ())?;
    /// assert_eq!(Cause::of(&event).topic(), "a.b");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn of<T>(event: &crate::Event<T>) -> Cause {
        Cause(Arc::new(Link::of(event)))
    }

    /// The cause that a chain of such events would be, oldest first; nothing if there are none.
    ///
    /// It is for those who got the topics from elsewhere, such as from another process.
    ///
    /// ```
    /// use chanbus::{Cause, Topic};
    ///
    /// let cause = Cause::of_topics([Topic::new("order.placed")?, Topic::new("mail.sent")?]);
    /// assert_eq!(cause.unwrap().to_string(), "order.placed > mail.sent");
    /// assert!(Cause::of_topics([]).is_none());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn of_topics(topics: impl IntoIterator<Item = Topic>) -> Option<Cause> {
        topics.into_iter().fold(None, |cause, topic| {
            Some(Cause(Arc::new(Link::new(topic, cause))))
        })
    }

    /// Runs `act` with this event as the thread's current cause, then restores the one before, also
    /// when `act` panics.
    ///
    /// Inside of another such scope the chain goes on from there, if that is longer than the event's own:
    /// so an event that is passed on as it is, again and again, comes to the limit, too.
    ///
    /// ```
    /// use chanbus::{Cause, Event};
    ///
    /// let event = Event::new("a.b", ())?;
    /// let inside = Cause::scope(&event, || Cause::current().map(|cause| cause.to_string()));
    /// assert_eq!(inside.as_deref(), Some("a.b"));
    /// assert!(Cause::current().is_none());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn scope<T, R>(event: &crate::Event<T>, act: impl FnOnce() -> R) -> R {
        let _restore = Restore::enter_below(Link::of(event));
        act()
    }

    /// [`scope`](Cause::scope) up to the end of what comes back, for those to whom a closure is in the way.
    pub(crate) fn scoped<T>(event: &crate::Event<T>) -> Restore {
        Restore::enter_below(Link::of(event))
    }

    /// [`scope`](Cause::scope) for an event that may be dropped inside: its topic and its cause.
    pub(crate) fn scope_of<R>(topic: &Topic, cause: Option<Cause>, act: impl FnOnce() -> R) -> R {
        let _restore = Restore::enter_below(Link::new(topic.clone(), cause));
        act()
    }

    /// Runs `act` with this cause as the thread's current one: for code that was handed a cause
    /// from another thread, or kept it across an `.await`.
    ///
    /// ```
    /// use chanbus::{Cause, Event};
    ///
    /// let cause = Cause::of(&Event::new("a.b", ())?);
    /// let depth = std::thread::spawn(move || cause.enter(|| Cause::current().unwrap().depth()));
    /// assert_eq!(depth.join().unwrap(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn enter<R>(&self, act: impl FnOnce() -> R) -> R {
        let _restore = Restore::enter((*self.0).clone());
        act()
    }

    /// The thread's current cause: what an event emitted now would carry.
    ///
    /// ```
    /// assert!(chanbus::Cause::current().is_none());
    /// ```
    #[must_use]
    #[inline]
    pub fn current() -> Option<Cause> {
        if Self::is_set() { Self::read() } else { None }
    }

    /// Whether this thread has a current cause.
    #[inline]
    pub(crate) fn is_set() -> bool {
        CAUSED.get()
    }

    #[cold]
    fn read() -> Option<Cause> {
        let link = CURRENT.with(|current| {
            // Taken out for the look: nothing runs meanwhile that could miss it.
            let link = current.take();
            current.set(link.clone());
            link
        });
        link.map(|link| Cause(Arc::new(link)))
    }

    /// The topic of the event that is the immediate cause.
    ///
    /// ```
    /// # use chanbus::{Cause, Event};
    /// assert_eq!(Cause::of(&Event::new("a", 1)?).topic(), "a");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.0.topic
    }

    /// How many events long the chain is: 1 for an event that had no cause itself.
    ///
    /// ```
    /// # use chanbus::{Cause, Event};
    /// assert_eq!(Cause::of(&Event::new("a", 1)?).depth(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.depth
    }

    /// What caused the immediate cause.
    ///
    /// ```
    /// # use chanbus::{Cause, Event};
    /// assert!(Cause::of(&Event::new("a", 1)?).parent().is_none());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn parent(&self) -> Option<&Cause> {
        self.0.parent.as_ref()
    }

    /// The topics from the immediate cause back to the first.
    ///
    /// ```
    /// # use chanbus::{Cause, Event};
    /// let cause = Cause::of(&Event::new("a", 1)?);
    /// assert_eq!(cause.chain().count(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn chain(&self) -> impl Iterator<Item = &Topic> {
        std::iter::successors(Some(self), |cause| cause.parent()).map(Cause::topic)
    }
}

/// The chain, first cause first: `order.placed > stock.reserved > mail.sent`.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut topics: Vec<&Topic> = self.chain().collect();
        topics.reverse();
        for (place, topic) in topics.iter().enumerate() {
            if place > 0 {
                f.write_str(" > ")?;
            }
            f.write_str(topic)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cause({self})")
    }
}

impl Link {
    fn of<T>(event: &crate::Event<T>) -> Self {
        Link::new(event.topic().clone(), event.cause().cloned())
    }

    fn new(topic: Topic, parent: Option<Cause>) -> Self {
        Link {
            topic,
            depth: parent.as_ref().map_or(0, Cause::depth) + 1,
            parent,
        }
    }
}

/// A chain that no bus bounds may be long, too long for a destructor that calls itself.
impl Drop for Link {
    #[inline]
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(Cause(link)) = next {
            // Where somebody else holds the rest, it stays.
            next = Arc::into_inner(link).and_then(|mut link| link.parent.take());
        }
    }
}

/// Puts the current cause back as it was, whichever way the scope is left.
#[must_use = "the scope ends where this is dropped"]
pub(crate) struct Restore(Option<Link>);

impl Restore {
    #[inline]
    fn enter(link: Link) -> Self {
        Restore(Self::replace(Some(link)))
    }

    /// Whoever recurses gets deeper with every scope, whatever causes the events have themselves.
    #[inline]
    fn enter_below(link: Link) -> Self {
        if CAUSED.get() {
            Self::enter_inside(link)
        } else {
            Self::enter(link)
        }
    }

    #[cold]
    fn enter_inside(mut link: Link) -> Self {
        let before = Self::replace(None);
        if let Some(current) = &before
            && current.depth >= link.depth
        {
            link.depth = current.depth + 1;
            link.parent = Some(Cause(Arc::new(current.clone())));
        }
        Self::replace(Some(link));
        Restore(before)
    }

    fn replace(link: Option<Link>) -> Option<Link> {
        CAUSED.set(link.is_some());
        CURRENT.with(|current| current.replace(link))
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        // What is replaced holds topics only, so nothing of the user's runs here.
        Self::replace(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Event;

    #[test]
    fn h10_a_scope_inside_of_another_is_deeper_whatever_the_event_says() {
        let (old, new) = (
            Event::new("old", ()).unwrap(),
            Event::new("new", ()).unwrap(),
        );
        let inside = Cause::scope(&new, || Cause::scope(&old, Cause::current)).unwrap();
        assert_eq!(inside.to_string(), "new > old");
        assert_eq!(inside.depth(), inside.chain().count());
        let again = Cause::scope(&old, || Cause::scope(&old, Cause::current)).unwrap();
        assert_eq!(again.depth(), 2);
        assert!(Cause::current().is_none());
    }

    #[test]
    fn p13_a_long_chain_that_no_bus_bounds_is_dropped_on_a_small_stack() {
        let thread = std::thread::Builder::new().stack_size(64 << 10);
        let chained = thread.spawn(|| {
            let mut event = Event::new("a", ()).unwrap();
            for _ in 0..100_000 {
                let draft = Event::draft("a", ()).cause(Cause::of(&event));
                event = draft.build().unwrap();
            }
            event.cause().unwrap().depth()
        });
        assert_eq!(chained.unwrap().join().unwrap(), 100_000);
    }
}
