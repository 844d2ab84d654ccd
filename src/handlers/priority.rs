//! In which order handlers are called.

use std::fmt;

/// When a handler is called, relative to others of the same event (H1).
///
/// An integer, *lower first*; equal ones are called in the order in which they were registered.
/// Any integer will do, between and beyond the named ones. [`MONITOR`](Priority::MONITOR) is no number
/// but a phase after all of them.
///
/// | | |
/// |---|---|
/// | [`HIGHEST`](Priority::HIGHEST) | 1 |
/// | [`HIGH`](Priority::HIGH) | 3 |
/// | [`NORMAL`](Priority::NORMAL), the default | 5 |
/// | [`LOW`](Priority::LOW) | 7 |
/// | [`LOWEST`](Priority::LOWEST) | 9 |
/// | [`MONITOR`](Priority::MONITOR) | after all numbers |
///
/// ```
/// use chanbus::Priority;
///
/// assert!(Priority::HIGHEST < Priority::LOWEST);
/// assert_eq!(Priority::from(5), Priority::NORMAL);
/// assert_eq!(Priority::default(), Priority::NORMAL);
/// assert!(Priority::from(i32::MAX) < Priority::MONITOR);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(Rank);

/// In this order: all numbers, then monitors.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Rank {
    Number(i32),
    Monitor,
}

impl Priority {
    /// Before almost everything: 1.
    ///
    /// ```
    /// assert_eq!(chanbus::Priority::HIGHEST.number(), Some(1));
    /// ```
    pub const HIGHEST: Priority = Priority(Rank::Number(1));
    /// Before the usual: 3.
    ///
    /// ```
    /// assert_eq!(chanbus::Priority::HIGH.number(), Some(3));
    /// ```
    pub const HIGH: Priority = Priority(Rank::Number(3));
    /// The default: 5.
    ///
    /// ```
    /// assert_eq!(chanbus::Priority::NORMAL.number(), Some(5));
    /// ```
    pub const NORMAL: Priority = Priority(Rank::Number(5));
    /// After the usual: 7.
    ///
    /// ```
    /// assert_eq!(chanbus::Priority::LOW.number(), Some(7));
    /// ```
    pub const LOW: Priority = Priority(Rank::Number(7));
    /// After almost everything: 9.
    ///
    /// ```
    /// assert_eq!(chanbus::Priority::LOWEST.number(), Some(9));
    /// ```
    pub const LOWEST: Priority = Priority(Rank::Number(9));
    /// A phase after all numbers, for those who only watch: such a handler sees every event that
    /// middleware let pass, also where propagation was stopped, and can stop nothing itself.
    ///
    /// ```
    /// assert_eq!(chanbus::Priority::MONITOR.number(), None);
    /// ```
    pub const MONITOR: Priority = Priority(Rank::Monitor);

    /// The number; `None` for [`MONITOR`](Priority::MONITOR).
    ///
    /// ```
    /// assert_eq!(chanbus::Priority::from(-4).number(), Some(-4));
    /// ```
    #[must_use]
    pub fn number(self) -> Option<i32> {
        match self.0 {
            Rank::Number(number) => Some(number),
            Rank::Monitor => None,
        }
    }

    /// Whether it is [`MONITOR`](Priority::MONITOR).
    ///
    /// ```
    /// assert!(chanbus::Priority::MONITOR.is_monitor());
    /// ```
    #[must_use]
    pub fn is_monitor(self) -> bool {
        self.0 == Rank::Monitor
    }
}

impl Default for Priority {
    fn default() -> Self {
        Priority::NORMAL
    }
}

impl From<i32> for Priority {
    fn from(number: i32) -> Self {
        Priority(Rank::Number(number))
    }
}

impl fmt::Debug for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Rank::Number(number) => write!(f, "Priority({number})"),
            Rank::Monitor => f.write_str("Priority(MONITOR)"),
        }
    }
}

/// The number, or `monitor`.
impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Rank::Number(number) => number.fmt(f),
            Rank::Monitor => f.pad("monitor"),
        }
    }
}
