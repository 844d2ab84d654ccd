//! What handlers share, by type (H13).

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::error::Error;
use std::fmt;

use crate::shield::drop_shielded;
use crate::sync::{Arc, Mutex, Snapshot};

/// Objects that handlers ask for by their type: a database, a client, a configuration.
///
/// A cheap handle: clones share their content, so several registries can have the same services. One
/// object of each type; wrap it in a type of its own where there are two. Looking up takes no lock.
///
/// ```
/// use chanbus::{Emitter, Flow, Handlers, Services};
///
/// struct Greeting(&'static str);
///
/// let services = Services::new().with(Greeting("hello"));
/// let handlers = Handlers::with_services(&services);
/// handlers.on("user.joined").handle(|event, ctx| {
///     let greeting = ctx.service::<Greeting>()?;
///     println!("{} {}", greeting.0, event.payload());
///     Ok(Flow::Continue)
/// })?;
/// let report = Emitter::inline(&handlers).emit("user.joined", "Ada")?;
/// assert!(report.is_ok());
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Clone)]
pub struct Services(Arc<Shelf>);

struct Shelf {
    objects: Snapshot<Objects>,
    /// Held by who changes them.
    writer: Mutex<()>,
}

type Objects = HashMap<TypeId, Service>;

#[derive(Clone)]
struct Service {
    name: &'static str,
    object: Arc<dyn Any + Send + Sync>,
}

impl Services {
    /// None yet.
    ///
    /// ```
    /// assert!(chanbus::Services::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Services(Arc::new(Shelf {
            objects: Snapshot::new(Objects::new()),
            writer: Mutex::new(()),
        }))
    }

    /// [`insert`](Services::insert), for a chain. It takes the object itself: handlers get an `Arc` of it.
    ///
    /// ```
    /// let services = chanbus::Services::new().with(7_u32).with("text");
    /// assert_eq!(services.len(), 2);
    /// ```
    #[must_use]
    pub fn with<S: Any + Send + Sync>(self, service: S) -> Self {
        self.insert(Arc::new(service));
        self
    }

    /// Adds an object, or replaces the one of the same type, which comes back. Handlers that run have
    /// what they asked for; those that ask from now on get the new one.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let services = chanbus::Services::new();
    /// assert!(services.insert(Arc::new(7_u32)).is_none());
    /// assert_eq!(*services.insert(Arc::new(8_u32)).unwrap(), 7);
    /// ```
    pub fn insert<S: Any + Send + Sync>(&self, service: Arc<S>) -> Option<Arc<S>> {
        let service = Service {
            name: type_name::<S>(),
            object: service,
        };
        let before = self.change(|objects| objects.insert(TypeId::of::<S>(), service));
        before.and_then(|service| service.object.downcast().ok())
    }

    /// Takes an object out.
    ///
    /// ```
    /// let services = chanbus::Services::new().with(7_u32);
    /// assert_eq!(*services.remove::<u32>().unwrap(), 7);
    /// assert!(services.remove::<u32>().is_none());
    /// ```
    pub fn remove<S: Any + Send + Sync>(&self) -> Option<Arc<S>> {
        let removed = self.change(|objects| objects.remove(&TypeId::of::<S>()));
        removed.and_then(|service| service.object.downcast().ok())
    }

    /// The object of that type.
    ///
    /// # Errors
    ///
    /// There is none; the error names the type. In a handler, `?` makes it a failure of that handler.
    ///
    /// ```
    /// let services = chanbus::Services::new().with(7_u32);
    /// assert_eq!(*services.get::<u32>()?, 7);
    /// let error = services.get::<String>().unwrap_err();
    /// assert!(error.to_string().contains("String"));
    /// # Ok::<(), chanbus::MissingService>(())
    /// ```
    pub fn get<S: Any + Send + Sync>(&self) -> Result<Arc<S>, MissingService> {
        let objects = self.0.objects.load();
        let found = objects.get(&TypeId::of::<S>());
        found
            .and_then(|service| Arc::clone(&service.object).downcast().ok())
            .ok_or(MissingService {
                name: type_name::<S>(),
            })
    }

    /// The types of which there is an object, by name.
    ///
    /// ```
    /// assert_eq!(chanbus::Services::new().with(7_u32).names(), ["u32"]);
    /// ```
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let objects = self.0.objects.load();
        let mut names: Vec<_> = objects.values().map(|service| service.name).collect();
        names.sort_unstable();
        names
    }

    /// How many there are.
    ///
    /// ```
    /// assert_eq!(chanbus::Services::new().with(7_u32).len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.objects.load().len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// assert!(!chanbus::Services::new().with(7_u32).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The objects' destructors are the user's, so what is replaced is dropped outside the lock.
    fn change<R>(&self, change: impl FnOnce(&mut Objects) -> R) -> R {
        let writer = self.0.writer.lock();
        let mut objects = Objects::clone(&self.0.objects.load());
        let result = change(&mut objects);
        let before = self.0.objects.swap(Arc::new(objects));
        drop(writer);
        drop_shielded(before);
        result
    }
}

impl Default for Services {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Services").field(&self.names()).finish()
    }
}

/// A service that nobody has provided.
///
/// ```
/// struct Db;
///
/// let error = chanbus::Services::new().get::<Db>().map(drop).unwrap_err();
/// assert!(error.to_string().contains("Services::insert"));
/// assert!(error.name().ends_with("Db"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingService {
    name: &'static str,
}

impl MissingService {
    /// The type that was asked for.
    ///
    /// ```
    /// let error = chanbus::Services::new().get::<u32>().unwrap_err();
    /// assert_eq!(error.name(), "u32");
    /// ```
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Display for MissingService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there is no service of type `{}`: add one with `Services::with` or `Services::insert`, \
             and give the registry these services with `Handlers::with_services`",
            self.name
        )
    }
}

impl Error for MissingService {}
