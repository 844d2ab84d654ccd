//! One bus for the whole process and each payload type, for programs that want no set-up.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Bus;
use crate::sync::Mutex;

/// The process-wide buses by payload type.
///
/// A lock, held for a look-up: who emits often keeps the handle.
static BUSES: Mutex<Option<HashMap<TypeId, Box<dyn Any + Send>>>> = Mutex::new(None);

/// Makes this the process-wide bus for its payload type, and returns the one before.
///
/// The process keeps a handle, so this bus does not close until it is replaced, [taken
/// back](take_global) or closed by hand.
///
/// ```
/// use chanbus::{Bus, global, set_global, take_global};
///
/// struct Scan;
///
/// assert!(global::<Scan>().is_none());
/// let bus: Bus<Scan> = Bus::new();
/// assert!(set_global(bus.clone()).is_none());
/// assert!(global::<Scan>().unwrap().same_bus(&bus));
/// assert!(take_global::<Scan>().unwrap().same_bus(&bus));
/// ```
pub fn set_global<T: Send + Sync + 'static>(bus: Bus<T>) -> Option<Bus<T>> {
    let before = BUSES
        .lock()
        .get_or_insert_default()
        .insert(TypeId::of::<T>(), Box::new(bus));
    // Outside of the lock: the caller may drop the last handle of that bus.
    unbox(before?)
}

/// The process-wide bus for this payload type, if one was set.
///
/// ```
/// struct Nobody;
/// assert!(chanbus::global::<Nobody>().is_none());
/// ```
#[must_use]
pub fn global<T: Send + Sync + 'static>() -> Option<Bus<T>> {
    let buses = BUSES.lock();
    buses
        .as_ref()?
        .get(&TypeId::of::<T>())?
        .downcast_ref::<Bus<T>>()
        .cloned()
}

/// The process-wide bus for this payload type; one with the default settings is set if there is
/// none.
///
/// ```
/// struct Scan;
/// let bus = chanbus::global_or_default::<Scan>();
/// assert!(chanbus::global_or_default::<Scan>().same_bus(&bus));
/// ```
#[must_use]
#[track_caller]
pub fn global_or_default<T: Send + Sync + 'static>() -> Bus<T> {
    let mut buses = BUSES.lock();
    // No closure: in one the caller's place would be lost.
    let bus = match buses.get_or_insert_default().entry(TypeId::of::<T>()) {
        Entry::Occupied(there) => there.into_mut(),
        Entry::Vacant(place) => place.insert(Box::new(Bus::<T>::new())),
    }
    .downcast_ref::<Bus<T>>()
    .cloned();
    // Each is stored under its own type, so there always is one.
    bus.unwrap_or_default()
}

/// Takes the process-wide bus for this payload type back: for tests, and for orderly ends.
///
/// ```
/// struct Scan;
/// let bus = chanbus::global_or_default::<Scan>();
/// assert!(chanbus::take_global::<Scan>().is_some());
/// assert!(chanbus::global::<Scan>().is_none());
/// ```
pub fn take_global<T: Send + Sync + 'static>() -> Option<Bus<T>> {
    let taken = BUSES.lock().as_mut()?.remove(&TypeId::of::<T>());
    unbox(taken?)
}

fn unbox<T: Send + Sync + 'static>(bus: Box<dyn Any + Send>) -> Option<Bus<T>> {
    bus.downcast::<Bus<T>>().ok().map(|bus| *bus)
}
