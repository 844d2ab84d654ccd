//! What a full queue does.

/// What a subscription's full queue does with one event more.
///
/// None of them makes the publisher wait, and every event that is lost is counted. To wait for room
/// there is [`Bus::emit_within`](crate::Bus::emit_within), which waits for queues that refuse the new
/// event: those that drop their newest, and those of `Latest` that have no room for one more topic.
///
/// | | The new event | What waits | Counts as |
/// |---|---|---|---|
/// | `DropNewest` | is refused | stays | dropped |
/// | `DropOldest` | is accepted | loses its oldest | the oldest as dropped |
/// | `Latest` | replaces the one of its topic that waits | stays | the replaced one as conflated |
///
/// Under `Latest`, capacity counts distinct pending topics; an event of one more is refused and
/// counted as dropped. An event that replaces another takes over its place in the order.
///
/// ```
/// use chanbus::{Bus, Overflow};
///
/// let bus = Bus::new();
/// let newest = bus.subscription("n").capacity(2).overflow(Overflow::DropOldest).subscribe()?;
/// for n in 0..5 {
///     bus.emit("n", n)?;
/// }
/// let kept: Vec<i32> = newest.try_iter().map(|event| *event.payload()).collect();
/// assert_eq!(kept, [3, 4]);
/// assert_eq!(newest.dropped(), 3);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// Refuse the new event. The default: what waits is never lost.
    #[default]
    DropNewest,
    /// Let go of the event that has waited longest, for consumers that want what is recent.
    ///
    /// When other publishers take the room just made, a publisher gives up after some rounds, and
    /// then the new event is dropped.
    DropOldest,
    /// Keep the newest event of each topic, for consumers that want the state, not its history.
    Latest,
}
