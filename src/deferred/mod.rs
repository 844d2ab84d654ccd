//! Events that are collected now and emitted, or discarded, later; on the public side of the core only.

mod outbox;

pub use outbox::{CommitError, Committed, HookFailure, HookPlace, Outbox, RolledBack, Savepoint};
