//! A lock with the library's signatures: no poison.

use std::ops::DerefMut;

#[derive(Debug)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> impl DerefMut<Target = T> {
        self.0.lock().expect("loom's locks are never poisoned")
    }

    pub(crate) fn try_lock(&self) -> Option<impl DerefMut<Target = T>> {
        self.0.try_lock().ok()
    }
}
