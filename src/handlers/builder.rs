//! A registry with other settings than the defaults.

use std::fmt;
use std::marker::PhantomData;

use super::Handlers;
use super::core::{Core, Settings};
use super::services::Services;
use crate::bus::DEFAULT_ROUTE_CACHE;
use crate::pattern::Syntax;
use crate::sync::Arc;

/// How many failures a registry keeps unless told otherwise.
const DEFAULT_KEPT_FAILURES: usize = 16;

/// A registry in the making; made by [`Handlers::builder`].
///
/// | Setting | Default |
/// |---|---|
/// | [`syntax`](HandlersBuilder::syntax) of text patterns | [`Syntax::Segmented`] |
/// | [`services`](HandlersBuilder::services) | none |
/// | [`kept_failures`](HandlersBuilder::kept_failures) | 16 |
/// | [`route_cache`](HandlersBuilder::route_cache) | [`DEFAULT_ROUTE_CACHE`], 16,384 topics |
///
/// ```
/// # use chanbus::{Handlers, Syntax};
/// let handlers = Handlers::<u32>::builder().syntax(Syntax::Flat).kept_failures(64).build();
/// # let _ = handlers;
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct HandlersBuilder<T> {
    settings: Settings,
    payload: PhantomData<fn() -> T>,
}

impl<T: Send + Sync + 'static> HandlersBuilder<T> {
    pub(super) fn new() -> Self {
        HandlersBuilder {
            settings: Settings {
                syntax: Syntax::default(),
                services: Services::new(),
                kept_failures: DEFAULT_KEPT_FAILURES,
                route_cache: DEFAULT_ROUTE_CACHE,
            },
            payload: PhantomData,
        }
    }

    /// How text patterns are read.
    ///
    /// ```
    /// # use chanbus::{Handlers, Syntax};
    /// let handlers = Handlers::<u32>::builder().syntax(Syntax::Flat).build();
    /// # let _ = handlers;
    /// ```
    pub fn syntax(mut self, syntax: Syntax) -> Self {
        self.settings.syntax = syntax;
        self
    }

    /// What handlers find by [`Context::service`](super::Context::service); shared, not copied.
    ///
    /// ```
    /// # use chanbus::{Handlers, Services};
    /// let services = Services::new().with("config");
    /// let handlers = Handlers::<u32>::builder().services(&services).build();
    /// # let _ = handlers;
    /// ```
    pub fn services(mut self, services: &Services) -> Self {
        self.settings.services = services.clone();
        self
    }

    /// How many failures [`last_failures`](Handlers::last_failures) keeps; 0 keeps none.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// let handlers = Handlers::<u32>::builder().kept_failures(0).build();
    /// # let _ = handlers;
    /// ```
    pub fn kept_failures(mut self, failures: usize) -> Self {
        self.settings.kept_failures = failures;
        self
    }

    /// For how many topics the way to their handlers is kept; others are looked up at each emit.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// let handlers = Handlers::<u32>::builder().route_cache(64).build();
    /// # let _ = handlers;
    /// ```
    pub fn route_cache(mut self, topics: usize) -> Self {
        self.settings.route_cache = topics;
        self
    }

    /// The registry.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// let handlers = Handlers::<u32>::builder().build();
    /// assert!(handlers.is_empty());
    /// ```
    #[must_use]
    pub fn build(self) -> Handlers<T> {
        Handlers::of(Arc::new(Core::new(self.settings)))
    }
}

impl<T> fmt::Debug for HandlersBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlersBuilder")
            .field("syntax", &self.settings.syntax)
            .field("services", &self.settings.services)
            .field("kept_failures", &self.settings.kept_failures)
            .field("route_cache", &self.settings.route_cache)
            .finish()
    }
}
