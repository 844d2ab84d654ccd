//! What can go wrong with setting up: a bus, a subscription.

use std::error::Error;
use std::fmt;

use super::{PatternError, PatternsError, TopicError};

/// A subscription, a tap or a [`Retained`](crate::Retained) that was not made.
///
/// ```
/// use chanbus::{Bus, SubscribeError};
///
/// let bus: Bus<u32> = Bus::builder().max_subscribers(1).build()?;
/// let first = bus.subscribe("a")?;
/// let error = bus.subscribe("b").unwrap_err();
/// assert_eq!(error, SubscribeError::LimitReached { limit: 1 });
/// assert!(error.to_string().contains("BusBuilder::max_subscribers"));
///
/// assert!(matches!(bus.subscribe("a..b"), Err(SubscribeError::BadPattern(_))));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The list of patterns is empty.
    NoPatterns,
    /// A text is no pattern: [`PatternError`] says where and why.
    BadPattern(PatternError),
    /// The topic of a [`Typed`](crate::Typed) event is none: [`TopicError`] names the type, too.
    BadTopic(TopicError),
    /// The bus has as many subscriptions as it may.
    LimitReached {
        /// How many it may have.
        limit: usize,
    },
    /// A queue of no slots was asked for; it could never deliver.
    ZeroCapacity,
    /// A queue larger than [`MAX_CAPACITY`](crate::MAX_CAPACITY) was asked for.
    CapacityTooLarge {
        /// What was asked for.
        capacity: usize,
    },
    /// Room to retain the latest of no topic was asked for; it could never keep anything.
    ZeroRetained,
    /// A [high-water mark](crate::SubscriptionBuilder::high_water) of zero events, or of more than the queue holds.
    BadHighWater {
        /// What was asked for.
        high: usize,
        /// How many the queue holds.
        capacity: usize,
    },
    /// A [low-water mark](crate::SubscriptionBuilder::low_water) that is not below the high one.
    BadLowWater {
        /// What was asked for.
        low: usize,
        /// The high one; zero where none was asked for.
        high: usize,
    },
    /// The bus is closed, and stays so.
    Closed,
    /// The subscription itself is closed: its patterns can no longer be changed.
    Ended,
}

impl SubscribeError {
    /// Whether the bus had as many subscriptions as it may.
    ///
    /// ```
    /// # use chanbus::SubscribeError;
    /// assert!(SubscribeError::LimitReached { limit: 64 }.is_limit_reached());
    /// ```
    #[must_use]
    pub fn is_limit_reached(&self) -> bool {
        matches!(self, SubscribeError::LimitReached { .. })
    }

    /// Whether the bus was closed.
    ///
    /// ```
    /// # use chanbus::SubscribeError;
    /// assert!(SubscribeError::Closed.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, SubscribeError::Closed)
    }

    /// Whether the subscription itself was closed.
    ///
    /// ```
    /// # use chanbus::SubscribeError;
    /// assert!(SubscribeError::Ended.is_ended());
    /// ```
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self, SubscribeError::Ended)
    }

    /// Whether a capacity was at fault: zero, or more than a queue can have.
    ///
    /// ```
    /// # use chanbus::SubscribeError;
    /// assert!(SubscribeError::ZeroCapacity.is_bad_capacity());
    /// ```
    #[must_use]
    pub fn is_bad_capacity(&self) -> bool {
        matches!(
            self,
            SubscribeError::ZeroCapacity
                | SubscribeError::ZeroRetained
                | SubscribeError::CapacityTooLarge { .. }
        )
    }

    /// Whether the topic of a typed event was at fault.
    ///
    /// ```
    /// # use chanbus::SubscribeError;
    /// assert!(!SubscribeError::Closed.is_bad_topic());
    /// ```
    #[must_use]
    pub fn is_bad_topic(&self) -> bool {
        matches!(self, SubscribeError::BadTopic(_))
    }

    /// Whether the patterns were at fault: one is none, or there are none.
    ///
    /// ```
    /// # use chanbus::SubscribeError;
    /// assert!(SubscribeError::NoPatterns.is_bad_patterns());
    /// ```
    #[must_use]
    pub fn is_bad_patterns(&self) -> bool {
        matches!(
            self,
            SubscribeError::NoPatterns | SubscribeError::BadPattern(_)
        )
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubscribeError::NoPatterns => PatternsError::Empty.fmt(f),
            SubscribeError::BadPattern(error) => error.fmt(f),
            SubscribeError::BadTopic(error) => error.fmt(f),
            SubscribeError::LimitReached { limit } => write!(
                f,
                "the bus has its limit of {limit} subscriptions: drop one, or raise the limit \
                 with `BusBuilder::max_subscribers`"
            ),
            SubscribeError::ZeroCapacity => BuildError::ZeroCapacity.fmt(f),
            &SubscribeError::CapacityTooLarge { capacity } => {
                BuildError::CapacityTooLarge { capacity }.fmt(f)
            }
            SubscribeError::ZeroRetained => f.write_str(
                "room for 0 topics could never retain anything: give `RetainedBuilder::capacity` \
                 at least 1",
            ),
            SubscribeError::BadHighWater { high, capacity } => write!(
                f,
                "a high-water mark of {high} in a queue of {capacity} events: give \
                 `SubscriptionBuilder::high_water` 1 to {capacity}, or more room with \
                 `SubscriptionBuilder::capacity`"
            ),
            SubscribeError::BadLowWater { low, high: 0 } => write!(
                f,
                "a low-water mark of {low} without a high one: give one with \
                 `SubscriptionBuilder::high_water`"
            ),
            SubscribeError::BadLowWater { low, high } => write!(
                f,
                "a low-water mark of {low} is not below the high one of {high}: give \
                 `SubscriptionBuilder::low_water` less than that"
            ),
            SubscribeError::Closed => {
                f.write_str("the bus is closed, and stays so: subscribe to a new one")
            }
            SubscribeError::Ended => f.write_str(
                "the subscription is closed, and stays so: subscribe anew to ask for other patterns",
            ),
        }
    }
}

impl Error for SubscribeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The text is already the inner error's, so its source is too.
            SubscribeError::BadPattern(error) => error.source(),
            SubscribeError::BadTopic(error) => error.source(),
            _ => None,
        }
    }
}

impl From<PatternError> for SubscribeError {
    fn from(error: PatternError) -> Self {
        SubscribeError::BadPattern(error)
    }
}

impl From<TopicError> for SubscribeError {
    fn from(error: TopicError) -> Self {
        SubscribeError::BadTopic(error)
    }
}

impl From<PatternsError> for SubscribeError {
    fn from(error: PatternsError) -> Self {
        match error {
            PatternsError::Empty => SubscribeError::NoPatterns,
            PatternsError::Pattern(error) => SubscribeError::BadPattern(error),
        }
    }
}

/// A queue that cannot be made.
pub(crate) enum BadCapacity {
    Zero,
    TooLarge { capacity: usize },
}

impl From<BadCapacity> for SubscribeError {
    fn from(error: BadCapacity) -> Self {
        match error {
            BadCapacity::Zero => SubscribeError::ZeroCapacity,
            BadCapacity::TooLarge { capacity } => SubscribeError::CapacityTooLarge { capacity },
        }
    }
}

impl From<BadCapacity> for BuildError {
    fn from(error: BadCapacity) -> Self {
        match error {
            BadCapacity::Zero => BuildError::ZeroCapacity,
            BadCapacity::TooLarge { capacity } => BuildError::CapacityTooLarge { capacity },
        }
    }
}

/// A bus that was not built.
///
/// ```
/// use chanbus::{BuildError, Bus};
///
/// let error = Bus::<u32>::builder().capacity(0).build().unwrap_err();
/// assert_eq!(error, BuildError::ZeroCapacity);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// Queues of no slots were asked for; they could never deliver.
    ZeroCapacity,
    /// Queues larger than [`MAX_CAPACITY`](crate::MAX_CAPACITY) were asked for.
    CapacityTooLarge {
        /// What was asked for.
        capacity: usize,
    },
    /// The thread for [`WakeUps::Handed`](crate::WakeUps::Handed) could not be started.
    NoThread {
        /// What the system said.
        kind: std::io::ErrorKind,
    },
}

impl BuildError {
    /// Whether a thread could not be started.
    ///
    /// ```
    /// # use chanbus::BuildError;
    /// assert!(!BuildError::ZeroCapacity.is_no_thread());
    /// ```
    #[must_use]
    pub fn is_no_thread(self) -> bool {
        matches!(self, BuildError::NoThread { .. })
    }

    /// Whether queues of no slots were asked for.
    ///
    /// ```
    /// # use chanbus::BuildError;
    /// assert!(BuildError::ZeroCapacity.is_zero_capacity());
    /// ```
    #[must_use]
    pub fn is_zero_capacity(self) -> bool {
        self == BuildError::ZeroCapacity
    }

    /// Whether larger queues were asked for than there can be.
    ///
    /// ```
    /// # use chanbus::BuildError;
    /// assert!(!BuildError::ZeroCapacity.is_capacity_too_large());
    /// ```
    #[must_use]
    pub fn is_capacity_too_large(self) -> bool {
        matches!(self, BuildError::CapacityTooLarge { .. })
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::ZeroCapacity => {
                f.write_str("a queue of capacity 0 could never deliver: give `capacity` at least 1")
            }
            BuildError::CapacityTooLarge { capacity } => write!(
                f,
                "a capacity of {capacity} is above the most that a queue can have: \
                 give `capacity` at most {}",
                crate::MAX_CAPACITY
            ),
            BuildError::NoThread { kind } => write!(
                f,
                "the thread that wakes consumers could not be started ({kind}): \
                 free some threads, or leave `wake_ups` as it is"
            ),
        }
    }
}

impl Error for BuildError {}
