//! The models: each claim that one of them shows stands in README.md.

mod block;
mod mailbox;
mod mark;
mod registry;
mod tally;
mod wakers;

pub(crate) struct Model {
    pub(crate) name: &'static str,
    pub(crate) run: fn(),
    /// How many preemptions fewer it is explored with than was asked for.
    pub(crate) fewer: usize,
}

/// The list of a file's models.
macro_rules! models {
    [$($name:ident $(: $fewer:literal)?,)*] => {
        pub(super) const ALL: &[super::Model] = &[$(super::Model {
            name: stringify!($name),
            run: $name,
            fewer: 0 $(+ $fewer)?,
        }),*];
    };
}
use models;

pub(crate) fn all() -> impl Iterator<Item = &'static Model> {
    [
        block::ALL,
        mailbox::ALL,
        mark::ALL,
        wakers::ALL,
        tally::ALL,
        registry::ALL,
    ]
    .into_iter()
    .flatten()
}
