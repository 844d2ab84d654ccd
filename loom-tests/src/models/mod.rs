//! The models: each claim that one of them shows stands in README.md.

mod block;

/// The list of a file's models, by name.
macro_rules! models {
    [$($name:ident,)*] => {
        pub(crate) const ALL: &[(&str, fn())] = &[$((stringify!($name), $name)),*];
    };
}
use models;

/// Every model by name.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, fn())> {
    [block::ALL].into_iter().flatten().copied()
}
