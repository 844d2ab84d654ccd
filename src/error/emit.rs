//! What can go wrong with an emit; the payload always comes back.

use std::error::Error;
use std::fmt;

use super::TopicError;
use crate::cause::Cause;
use crate::sync::Arc;

/// An emit that reached nobody, with its payload.
///
/// A full queue is no error: [`Emitted`](crate::Emitted) counts it.
///
/// ```
/// use chanbus::{Bus, EmitError};
///
/// let bus = Bus::new();
/// let error = bus.emit("scan..started", 7).unwrap_err();
/// assert!(error.is_bad_topic());
/// assert_eq!(error.into_payload(), 7);
///
/// bus.close();
/// assert!(matches!(bus.emit("scan.started", 8), Err(EmitError::Closed(8))));
/// ```
#[non_exhaustive]
pub enum EmitError<T> {
    /// The topic is none: [`TopicError`] says where and why.
    BadTopic {
        /// What is wrong with it.
        error: TopicError,
        /// What was to be emitted.
        payload: T,
    },
    /// The bus is closed, and stays so; what was to be emitted comes back.
    Closed(T),
    /// The chain of events that led to this emit is longer than the bus allows: most likely
    /// consumers that answer each other for ever.
    ChainTooDeep {
        /// The chain.
        cause: Cause,
        /// The limit, set by [`BusBuilder::max_chain`](crate::BusBuilder::max_chain) or
        /// [`Emitter::max_chain`](crate::Emitter::max_chain).
        limit: usize,
        /// What was to be emitted.
        payload: T,
    },
    /// The emit would wait for handlers that need this very thread to go on, for ever: emit with
    /// [`Emitter::emit_async`](crate::Emitter::emit_async) or
    /// [`emit_detached`](crate::Emitter::emit_detached). A bus never says this.
    WouldBlock {
        /// The emitter's executor.
        executor: Arc<str>,
        /// What was to be emitted.
        payload: T,
    },
}

impl<T> EmitError<T> {
    /// Whether the bus was closed.
    ///
    /// ```
    /// # use chanbus::EmitError;
    /// assert!(EmitError::Closed(()).is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, EmitError::Closed(_))
    }

    /// Whether the topic was none.
    ///
    /// ```
    /// # use chanbus::EmitError;
    /// assert!(!EmitError::Closed(()).is_bad_topic());
    /// ```
    #[must_use]
    pub fn is_bad_topic(&self) -> bool {
        matches!(self, EmitError::BadTopic { .. })
    }

    /// Whether the chain of causes was too long.
    ///
    /// ```
    /// # use chanbus::EmitError;
    /// assert!(!EmitError::Closed(()).is_chain_too_deep());
    /// ```
    #[must_use]
    pub fn is_chain_too_deep(&self) -> bool {
        matches!(self, EmitError::ChainTooDeep { .. })
    }

    /// Whether it would have waited for ever.
    ///
    /// ```
    /// # use chanbus::EmitError;
    /// assert!(!EmitError::Closed(()).is_would_block());
    /// ```
    #[must_use]
    pub fn is_would_block(&self) -> bool {
        matches!(self, EmitError::WouldBlock { .. })
    }

    /// What was to be emitted.
    ///
    /// ```
    /// # use chanbus::EmitError;
    /// assert_eq!(*EmitError::Closed(7).payload(), 7);
    /// ```
    #[must_use]
    pub fn payload(&self) -> &T {
        match self {
            EmitError::Closed(payload)
            | EmitError::BadTopic { payload, .. }
            | EmitError::ChainTooDeep { payload, .. }
            | EmitError::WouldBlock { payload, .. } => payload,
        }
    }

    /// Takes back what was to be emitted.
    ///
    /// ```
    /// # use chanbus::EmitError;
    /// assert_eq!(EmitError::Closed(7).into_payload(), 7);
    /// ```
    #[must_use]
    pub fn into_payload(self) -> T {
        match self {
            EmitError::Closed(payload)
            | EmitError::BadTopic { payload, .. }
            | EmitError::ChainTooDeep { payload, .. }
            | EmitError::WouldBlock { payload, .. } => payload,
        }
    }

    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> EmitError<U> {
        match self {
            EmitError::Closed(payload) => EmitError::Closed(map(payload)),
            EmitError::BadTopic { error, payload } => EmitError::BadTopic {
                error,
                payload: map(payload),
            },
            EmitError::ChainTooDeep {
                cause,
                limit,
                payload,
            } => EmitError::ChainTooDeep {
                cause,
                limit,
                payload: map(payload),
            },
            EmitError::WouldBlock { executor, payload } => EmitError::WouldBlock {
                executor,
                payload: map(payload),
            },
        }
    }
}

impl<T> fmt::Display for EmitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EmitError::BadTopic { error, .. } => error.fmt(f),
            EmitError::Closed(_) => f.write_str(
                "the bus is closed, and stays so: keep a `Bus` handle while there is something to \
                 emit, or emit on a new one",
            ),
            EmitError::ChainTooDeep { cause, limit, .. } => write!(
                f,
                "events led to one another more than {limit} deep ({cause}): break the circle, \
                 or raise the limit with `BusBuilder::max_chain` or `Emitter::max_chain`"
            ),
            EmitError::WouldBlock { executor, .. } => write!(
                f,
                "the emit would wait on a thread that the handlers of `{executor}` need: \
                 use `emit_async` or `emit_detached` here"
            ),
        }
    }
}

// By hand, so that the payload need not be `Debug`.
impl<T> fmt::Debug for EmitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EmitError::BadTopic { error, .. } => f.debug_tuple("BadTopic").field(error).finish(),
            EmitError::Closed(_) => f.write_str("Closed(..)"),
            EmitError::ChainTooDeep { cause, limit, .. } => f
                .debug_struct("ChainTooDeep")
                .field("cause", cause)
                .field("limit", limit)
                .finish_non_exhaustive(),
            EmitError::WouldBlock { executor, .. } => f
                .debug_struct("WouldBlock")
                .field("executor", executor)
                .finish_non_exhaustive(),
        }
    }
}

impl<T> Error for EmitError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The text is already the inner error's, so its source is too.
            EmitError::BadTopic { error, .. } => error.source(),
            _ => None,
        }
    }
}

/// A batch of which nothing was emitted: the closure's own error, or the bus's.
///
/// ```
/// use chanbus::{BatchError, Bus, Event};
///
/// let bus: Bus<u32> = Bus::new();
/// let refused = bus.batch(|batch| {
///     batch.emit("row.added", 1)?;
///     Err::<(), _>(BatchError::Refused("no"))
/// });
/// assert!(matches!(refused, Err(BatchError::Refused("no"))));
/// assert_eq!(bus.stats().emitted, 0);
/// ```
#[non_exhaustive]
pub enum BatchError<T, E> {
    /// The closure said no.
    Refused(E),
    /// A topic was none, or a chain too deep, while the batch was collected.
    Event(EmitError<T>),
    /// The bus refused the whole: it was closed.
    Emit(EmitError<Vec<crate::Event<T>>>),
}

impl<T, E> BatchError<T, E> {
    /// Whether the closure said no.
    ///
    /// ```
    /// # use chanbus::BatchError;
    /// assert!(BatchError::<u32, _>::Refused("no").is_refused());
    /// ```
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self, BatchError::Refused(_))
    }

    /// Whether the bus was closed.
    ///
    /// ```
    /// # use chanbus::{BatchError, EmitError};
    /// assert!(BatchError::<u32, ()>::Emit(EmitError::Closed(Vec::new())).is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, BatchError::Emit(error) if error.is_closed())
    }
}

impl<T, E> From<EmitError<T>> for BatchError<T, E> {
    fn from(error: EmitError<T>) -> Self {
        BatchError::Event(error)
    }
}

impl<T, E: fmt::Display> fmt::Display for BatchError<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchError::Refused(error) => write!(f, "the batch was given up: {error}"),
            BatchError::Event(error) => write!(f, "the batch was given up: {error}"),
            BatchError::Emit(error) => write!(
                f,
                "none of the batch's {} events was emitted: {error}",
                error.payload().len()
            ),
        }
    }
}

impl<T, E: fmt::Debug> fmt::Debug for BatchError<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchError::Refused(error) => f.debug_tuple("Refused").field(error).finish(),
            BatchError::Event(error) => f.debug_tuple("Event").field(error).finish(),
            BatchError::Emit(error) => f.debug_tuple("Emit").field(error).finish(),
        }
    }
}

impl<T: 'static, E: Error + 'static> Error for BatchError<T, E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The text tells the inner error's, so the source is that one's, too.
        match self {
            BatchError::Refused(error) => error.source(),
            BatchError::Event(error) => error.source(),
            BatchError::Emit(error) => error.source(),
        }
    }
}
