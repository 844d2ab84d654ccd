//! One registry for the whole process and each payload type.

use std::any::{Any, TypeId};
use std::collections::HashMap;

use super::Handlers;
use crate::sync::Mutex;

/// The process-wide registries by payload type. A lock, held for a look-up.
static REGISTRIES: Mutex<Option<HashMap<TypeId, Box<dyn Any + Send>>>> = Mutex::new(None);

/// The process-wide registry for this payload type, with the default settings; it is made when it is
/// first asked for, and stays. It goes with the [process-wide bus](crate::global_or_default).
///
/// ```
/// use chanbus::{Emitter, global_handlers};
///
/// struct Scan;
///
/// global_handlers::<Scan>().on("scan.*").call(|_| println!("scan"))?;
/// let emitter = Emitter::inline(&global_handlers::<Scan>());
/// assert_eq!(emitter.emit("scan.started", Scan)?.called, 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use]
pub fn global_handlers<T: Send + Sync + 'static>() -> Handlers<T> {
    let mut registries = REGISTRIES.lock();
    let registry = registries
        .get_or_insert_default()
        .entry(TypeId::of::<T>())
        .or_insert_with(|| Box::new(Handlers::<T>::new()))
        .downcast_ref::<Handlers<T>>()
        .cloned();
    // Each is stored under its own type, so there always is one.
    registry.unwrap_or_default()
}
