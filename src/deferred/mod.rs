//! Events collected now, and applied or discarded later; on the public side of the core only.

mod apply_event;
mod collected;
mod commit;
mod context;
mod delayed;
mod effect;
mod emits;
mod error;
mod from_fn;
mod kept;
mod multi;
mod outbox;
mod publish;
mod queue;
mod queued;
mod side_effects;
mod view;
mod with;

pub use apply_event::ApplyEvent;
pub use collected::{Collected, Later};
pub use commit::Commit;
pub use context::{ContextGuard, ContextInUse};
pub use delayed::DelayedBus;
pub use effect::{BasicBus, Effect, RunEffect};
pub use emits::EmitOn;
pub use error::{ApplyError, ApplyErrorOf, EffectError, Failed, PublishError};
pub use from_fn::FromFn;
pub use multi::{AnyEvent, Applied, MultiBus, Orchestrator, Wrapped};
pub use outbox::{CommitError, Committed, HookFailure, HookPlace, Outbox, RolledBack, Savepoint};
pub use publish::{DeferredBus, Publish};
pub use queued::Deferred;
pub use side_effects::{RunSideEffect, SideEffect, SideEffectsBus};
pub use view::AsDeferred;
pub use with::{Finish, with_orchestrator};

pub(crate) use error::PUBLISH_TEXT;
