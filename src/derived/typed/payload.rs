//! A payload of any type, behind one type.

use std::any::{Any, type_name};
use std::fmt;

/// A payload whose type was erased, so that events of all types can be on one bus; it still knows what it
/// is.
///
/// What [`TypedBus`](crate::TypedBus) emits. Any `Bus<AnyPayload>` does for events of several types. The
/// object is in a box of its own: one allocation more than for a payload of a known type (none for a type of
/// size zero).
///
/// ```
/// use chanbus::{AnyPayload, Bus};
///
/// let bus = Bus::new();
/// let sub = bus.subscribe_all()?;
/// bus.emit("count", AnyPayload::new(7))?;
/// bus.emit("name", AnyPayload::new("ann"))?;
///
/// let event = sub.recv()?;
/// assert_eq!(event.payload().downcast_ref::<i32>(), Some(&7));
/// assert!(event.payload().downcast_ref::<&str>().is_none());
/// assert_eq!(sub.recv()?.payload().type_name(), "&str");
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct AnyPayload {
    object: Box<dyn Any + Send + Sync>,
    /// Asked for by people only, so not kept as a text, which is a word longer.
    name: fn() -> &'static str,
}

impl AnyPayload {
    /// Erases the type of an object.
    ///
    /// ```
    /// # use chanbus::AnyPayload;
    /// assert!(AnyPayload::new(7_u8).is::<u8>());
    /// ```
    #[must_use]
    pub fn new<E: Send + Sync + 'static>(object: E) -> Self {
        AnyPayload {
            object: Box::new(object),
            name: type_name::<E>,
        }
    }

    /// Whether the object is of that type.
    ///
    /// ```
    /// # use chanbus::AnyPayload;
    /// assert!(!AnyPayload::new(7_u8).is::<i8>());
    /// ```
    #[must_use]
    pub fn is<E: 'static>(&self) -> bool {
        self.object.is::<E>()
    }

    /// The object, if it is of that type.
    ///
    /// ```
    /// # use chanbus::AnyPayload;
    /// let payload = AnyPayload::new(String::from("ann"));
    /// assert_eq!(payload.downcast_ref::<String>().unwrap(), "ann");
    /// assert!(payload.downcast_ref::<&str>().is_none());
    /// ```
    #[must_use]
    pub fn downcast_ref<E: 'static>(&self) -> Option<&E> {
        self.object.downcast_ref()
    }

    /// Takes the object out, if it is of that type.
    ///
    /// # Errors
    ///
    /// It is of another type, and comes back.
    ///
    /// ```
    /// # use chanbus::AnyPayload;
    /// let payload = AnyPayload::new(7).downcast::<String>().unwrap_err();
    /// assert_eq!(payload.downcast::<i32>().unwrap(), 7);
    /// ```
    pub fn downcast<E: 'static>(self) -> Result<E, Self> {
        match self.object.downcast::<E>() {
            Ok(object) => Ok(*object),
            Err(object) => Err(AnyPayload {
                object,
                name: self.name,
            }),
        }
    }

    /// The name of its type, for people: as [`std::any::type_name`] has it.
    ///
    /// ```
    /// # use chanbus::AnyPayload;
    /// assert_eq!(AnyPayload::new(7).type_name(), "i32");
    /// ```
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        (self.name)()
    }

    /// The object that the caller itself put in, or looked at before.
    pub(super) fn into_own<E: 'static>(self) -> E {
        match self.downcast() {
            Ok(object) => object,
            Err(other) => unreachable!("it was made of another type than {}", other.type_name()),
        }
    }
}

impl fmt::Debug for AnyPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyPayload({})", self.type_name())
    }
}
