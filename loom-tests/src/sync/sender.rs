//! The sending end of a channel; the other is the queue itself.

use std::sync::Arc;

use super::Queue;

pub(crate) struct Sender<M>(Arc<Queue<M>>);

impl<M> Sender<M> {
    pub(crate) fn to(queue: &Arc<Queue<M>>) -> Self {
        Sender(Arc::clone(queue))
    }

    pub(crate) fn try_send(&self, message: M) -> Result<(), M> {
        self.0.try_push(message)
    }
}

impl<M> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Sender(Arc::clone(&self.0))
    }
}
