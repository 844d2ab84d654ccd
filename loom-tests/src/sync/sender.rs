//! Where bells are handed to the thread that rings them. It orders nothing in memory: what the ringer
//! must see comes with the bell's own words.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) struct Sender<M>(Option<Arc<Mutex<VecDeque<M>>>>);

impl<M> Sender<M> {
    /// The ringer has gone.
    pub(crate) fn refusing() -> Self {
        Sender(None)
    }

    pub(crate) fn open() -> Self {
        Sender(Some(Arc::default()))
    }

    pub(crate) fn other_end(&self) -> Self {
        Sender(self.0.clone())
    }

    pub(crate) fn try_send(&self, message: M) -> Result<(), M> {
        let Some(queue) = &self.0 else {
            return Err(message);
        };
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(message);
        Ok(())
    }

    pub(crate) fn try_receive(&self) -> Option<M> {
        let queue = self.0.as_ref()?;
        queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }
}
