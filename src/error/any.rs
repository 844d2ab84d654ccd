//! All of the crate's errors in one, for `?` in applications.

use std::error::Error as StdError;
use std::fmt;

use super::{
    BatchError, BuildError, EmitError, PatternError, PatternsError, RecvError, RecvTimeoutError,
    SubscribeError, TopicError, TryRecvError, WaitError,
};
#[cfg(feature = "nats")]
use crate::bridge::{BridgeError, BridgeStopTimeout};
use crate::cause::Cause;
use crate::deferred::{ApplyError, CommitError, ContextInUse, PUBLISH_TEXT, PublishError};
use crate::event::HeldAll;
use crate::handlers::{HandlerErrors, MissingService, StartError, StopTimeout};
#[cfg(feature = "json")]
use crate::observe::{PlayError, RecordError, RecordIncomplete};
use crate::sync::Arc;

/// Any error of this crate, for `?` in applications.
///
/// What an [`EmitError`], a [`CommitError`], a [`PublishError`] or an [`ApplyError`] hands back is dropped on the
/// way into it; match on the operation's own error where that matters.
///
/// ```
/// fn run() -> Result<(), chanbus::Error> {
///     let bus = chanbus::Bus::builder().capacity(8).build()?;
///     let sub = bus.subscribe("greeting.*")?;
///     bus.emit("greeting.casual", "hello")?;
///     assert_eq!(*sub.recv()?.payload(), "hello");
///     Ok(())
/// }
/// # run().unwrap();
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// A text is no topic.
    Topic(TopicError),
    /// A text is no pattern.
    Pattern(PatternError),
    /// A bus was not built.
    Build(BuildError),
    /// A subscription or a tap was not made.
    Subscribe(SubscribeError),
    /// An emit on a closed bus.
    Closed,
    /// An emit at the end of too long a chain of events.
    ChainTooDeep {
        /// The chain.
        cause: Cause,
        /// The bus's limit.
        limit: usize,
    },
    /// A batch was given up by its closure, with what that said.
    Batch(Box<str>),
    /// A commit of an [outbox](crate::Outbox) that a hook refused, with what that said.
    Refused(Box<str>),
    /// A receive on a subscription that is closed and empty.
    Recv(RecvError),
    /// No event at once.
    TryRecv(TryRecvError),
    /// No event in time.
    RecvTimeout(RecvTimeoutError),
    /// A wait without its event.
    Wait(WaitError),
    /// An emit that would have waited for ever.
    WouldBlock {
        /// The emitter's executor.
        executor: Arc<str>,
    },
    /// Handlers that failed, with what that said.
    Handlers(Box<str>),
    /// A service that nobody has provided.
    Service(MissingService),
    /// A dispatcher that did not start.
    Start(StartError),
    /// A dispatcher whose stop gave up.
    Stop(StopTimeout),
    /// A deferred bus whose apply stopped, with what that said.
    Apply(Box<str>),
    /// Something was published that nobody would apply.
    Publish,
    /// The context of side effects is held by the very thread that asks for it.
    Context(ContextInUse),
    /// A bridge that did not start.
    #[cfg(feature = "nats")]
    Bridge(Box<BridgeError>),
    /// A bridge whose stop gave up.
    #[cfg(feature = "nats")]
    BridgeStop(BridgeStopTimeout),
    /// A recorder that did not start.
    #[cfg(feature = "json")]
    Record(RecordError),
    /// A recorder that did not write all that it took.
    #[cfg(feature = "json")]
    RecordIncomplete(RecordIncomplete),
    /// A recording that was not played to its end.
    #[cfg(feature = "json")]
    Play(PlayError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Topic(error) => error.fmt(f),
            Error::Pattern(error) => error.fmt(f),
            Error::Build(error) => error.fmt(f),
            Error::Subscribe(error) => error.fmt(f),
            Error::Closed => EmitError::Closed(()).fmt(f),
            Error::ChainTooDeep { cause, limit } => EmitError::ChainTooDeep {
                cause: cause.clone(),
                limit: *limit,
                payload: (),
            }
            .fmt(f),
            Error::Batch(reason) => write!(f, "the batch was given up: {reason}"),
            Error::Refused(what) => f.write_str(what),
            Error::Recv(error) => error.fmt(f),
            Error::TryRecv(error) => error.fmt(f),
            Error::RecvTimeout(error) => error.fmt(f),
            Error::Wait(error) => error.fmt(f),
            Error::WouldBlock { executor } => EmitError::WouldBlock {
                executor: Arc::clone(executor),
                payload: (),
            }
            .fmt(f),
            Error::Handlers(what) => f.write_str(what),
            Error::Service(error) => error.fmt(f),
            Error::Start(error) => error.fmt(f),
            Error::Stop(error) => error.fmt(f),
            Error::Apply(what) => f.write_str(what),
            Error::Publish => f.write_str(PUBLISH_TEXT),
            Error::Context(error) => error.fmt(f),
            #[cfg(feature = "nats")]
            Error::Bridge(error) => error.fmt(f),
            #[cfg(feature = "nats")]
            Error::BridgeStop(error) => error.fmt(f),
            #[cfg(feature = "json")]
            Error::Record(error) => error.fmt(f),
            #[cfg(feature = "json")]
            Error::RecordIncomplete(error) => error.fmt(f),
            #[cfg(feature = "json")]
            Error::Play(error) => error.fmt(f),
        }
    }
}

// Said here, as errors of the system, which some features bring, would take it away: a feature only adds. What an
// error holds is never changed, so no panic leaves it half done.
impl std::panic::UnwindSafe for Error {}
impl std::panic::RefUnwindSafe for Error {}

/// Transparent: it says what the operation's own error says, and has the source of that.
impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::Topic(error) => error.source(),
            Error::Pattern(error) => error.source(),
            Error::Build(error) => error.source(),
            Error::Subscribe(error) => error.source(),
            Error::Closed
            | Error::ChainTooDeep { .. }
            | Error::WouldBlock { .. }
            | Error::Batch(_)
            | Error::Refused(_)
            | Error::Handlers(_)
            | Error::Apply(_)
            | Error::Publish => None,
            Error::Recv(error) => error.source(),
            Error::TryRecv(error) => error.source(),
            Error::RecvTimeout(error) => error.source(),
            Error::Wait(error) => error.source(),
            Error::Service(error) => error.source(),
            Error::Start(error) => error.source(),
            Error::Stop(error) => error.source(),
            Error::Context(error) => error.source(),
            #[cfg(feature = "nats")]
            Error::Bridge(error) => error.source(),
            #[cfg(feature = "nats")]
            Error::BridgeStop(error) => error.source(),
            #[cfg(feature = "json")]
            Error::Record(error) => error.source(),
            #[cfg(feature = "json")]
            Error::RecordIncomplete(error) => error.source(),
            #[cfg(feature = "json")]
            Error::Play(error) => error.source(),
        }
    }
}

impl<T> From<EmitError<T>> for Error {
    fn from(error: EmitError<T>) -> Self {
        match error {
            EmitError::BadTopic { error, .. } => Error::Topic(error),
            EmitError::Closed(_) => Error::Closed,
            EmitError::ChainTooDeep { cause, limit, .. } => Error::ChainTooDeep { cause, limit },
            EmitError::WouldBlock { executor, .. } => Error::WouldBlock { executor },
        }
    }
}

impl<T, E: fmt::Display> From<BatchError<T, E>> for Error {
    fn from(error: BatchError<T, E>) -> Self {
        match error {
            BatchError::Refused(reason) => Error::Batch(reason.to_string().into()),
            BatchError::Event(error) => error.into(),
            BatchError::Emit(error) => error.into(),
        }
    }
}

/// After-rollback hooks that failed are named only where a hook refused; match on [`CommitError`] where they
/// matter.
impl<T> From<CommitError<T>> for Error {
    fn from(error: CommitError<T>) -> Self {
        let text = error.is_refused().then(|| error.to_string());
        let (whole, events) = match error {
            CommitError::Emit { error, .. } => {
                let mut events = Vec::new();
                let error = error.map(|all| events = all);
                (error.into(), events)
            }
            CommitError::Refused { events, .. } => {
                (Error::Refused(text.unwrap_or_default().into()), events)
            }
        };
        // Many payloads at once: two destructors that panic must not end the process.
        drop(HeldAll::new(events.into_iter()));
        whole
    }
}

impl<T> From<HandlerErrors<T>> for Error {
    fn from(errors: HandlerErrors<T>) -> Self {
        Error::Handlers(errors.to_string().into())
    }
}

impl<E, X: fmt::Display, A> From<ApplyError<E, X, A>> for Error {
    fn from(error: ApplyError<E, X, A>) -> Self {
        Error::Apply(error.to_string().into())
    }
}

impl<E> From<PublishError<E>> for Error {
    fn from(_: PublishError<E>) -> Self {
        Error::Publish
    }
}

impl From<PatternsError> for Error {
    fn from(error: PatternsError) -> Self {
        Error::Subscribe(error.into())
    }
}

#[cfg(feature = "nats")]
impl From<BridgeError> for Error {
    fn from(error: BridgeError) -> Self {
        Error::Bridge(Box::new(error))
    }
}

#[cfg(feature = "nats")]
impl From<BridgeStopTimeout> for Error {
    fn from(error: BridgeStopTimeout) -> Self {
        Error::BridgeStop(error)
    }
}

macro_rules! error_from {
    ($($variant:ident($error:ty)),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Error::$variant(error)
            }
        })*
    };
}

error_from!(
    Topic(TopicError),
    Pattern(PatternError),
    Build(BuildError),
    Subscribe(SubscribeError),
    Recv(RecvError),
    TryRecv(TryRecvError),
    RecvTimeout(RecvTimeoutError),
    Wait(WaitError),
    Service(MissingService),
    Start(StartError),
    Stop(StopTimeout),
    Context(ContextInUse),
);

#[cfg(feature = "json")]
error_from!(
    Record(RecordError),
    RecordIncomplete(RecordIncomplete),
    Play(PlayError),
);
