//! Routes that several topics have in common.

use crate::sync::{Arc, OnceBox};

/// How many different routes are kept to be shared.
const PLACES: usize = 64;

/// A few of the routes of one version: a topic whose listeners are those of another shares its route,
/// which spares the list and a count for each on it.
///
/// One place for each remainder of a key, taken by the first and kept; a route that finds its place
/// taken by another is made anew for each of its topics.
pub(crate) struct Known<R>(OnceBox<[OnceBox<Arc<R>>; PLACES]>);

impl<R> Known<R> {
    pub(crate) fn new() -> Self {
        Known(OnceBox::new())
    }

    /// The known route of that key that `is_it`, or a new one.
    pub(crate) fn shared(
        &self,
        key: u64,
        is_it: impl Fn(&R) -> bool,
        make: impl FnOnce() -> R,
    ) -> Arc<R> {
        let places = self
            .0
            .get_or_init(|| Box::new(std::array::from_fn(|_| OnceBox::new())));
        let place = &places[key as usize % PLACES];
        match place.get() {
            Some(route) if is_it(route) => Arc::clone(route),
            Some(_) => Arc::new(make()),
            None => {
                let route = Arc::new(make());
                // Another emit may have been quicker; then this one is not shared.
                let _ = place.set(Box::new(Arc::clone(&route)));
                route
            }
        }
    }
}
