//! The subscriptions of all kinds.

use std::future::Future;
use std::pin::Pin;

use chanbus::{Event, Subscription, TypedEvent, TypedSubscription};

use crate::kind::{Counts, Receive, Receiver, Seen, Tried};
use crate::sinks::Carries;
use crate::sources::Of;

fn seen<T: Carries>(event: &Event<T>) -> Seen {
    let topic = event.topic().rsplit('.').next().unwrap().parse();
    Seen {
        topic: topic.unwrap(),
        load: event.payload().load().clone(),
    }
}

fn counts<T: Send + Sync + 'static>(sub: &Subscription<T>) -> Counts {
    Counts {
        matched: sub.matched(),
        received: sub.received(),
        dropped: sub.dropped(),
        filtered: sub.filtered(),
        conflated: sub.conflated(),
    }
}

/// Both kinds of subscription have the same methods.
macro_rules! receive {
    ([$($generics:tt)*] $sub:ty, $seen:expr, $plain:expr) => {
        impl<$($generics)*> Receive for $sub {
            fn recv(&self) -> Option<Seen> {
                self.recv().ok().map($seen)
            }

            fn try_recv(&self) -> Result<Seen, Tried> {
                match self.try_recv() {
                    Ok(event) => Ok($seen(event)),
                    Err(error) if error.is_closed() => Err(Tried::Closed),
                    Err(_) => Err(Tried::Empty),
                }
            }

            fn recv_batch(&self, max: usize) -> Option<Vec<Seen>> {
                let mut buffer = Vec::new();
                let count = self.recv_batch(&mut buffer, max).ok()?;
                assert_eq!(buffer.len(), count);
                Some(buffer.into_iter().map($seen).collect())
            }

            fn recv_async(&self) -> Pin<Box<dyn Future<Output = Option<Seen>> + Send + '_>> {
                Box::pin(async { self.recv_async().await.ok().map($seen) })
            }

            fn len(&self) -> usize {
                self.len()
            }

            fn counts(&self) -> Counts {
                counts($plain(self))
            }

            fn filter_panics(&self) -> u64 {
                $plain(self).filter_panics()
            }

            fn missed(&self) -> u64 {
                self.missed()
            }

            fn close(&self) -> bool {
                self.close()
            }

            fn is_closed(&self) -> bool {
                self.is_closed()
            }

            fn share(&self) -> Receiver {
                Box::new(self.share())
            }
        }
    };
}
receive!([T: Carries] Subscription<T>, |event: Event<T>| seen(&event), |sub| sub);
receive!(
    [] TypedSubscription<Of<0>>,
    |event: TypedEvent<Of<0>>| seen(event.as_event()),
    TypedSubscription::as_subscription
);
