//! The way in: from the client to the bus.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_nats::{Client, Message, Subscriber};
use futures_core::Stream;
use tokio::sync::{Notify, watch};
use tokio::task::{consume_budget, unconstrained};

use super::arrivals::in_order;
use super::control::{ControlSubjects, Sent};
use super::decode::Verdict;
use super::jetstream::{Recent, id_of};
use super::losses::Losses;
use super::shared::Shared;
use super::state::BridgeEvent;
use super::stop::Order;
use super::subject::SubjectFilter;
use super::wire::Wire;
use crate::bus::Emitted;
use crate::error::EmitError;
use crate::event::{Event, Held};
use crate::sync::{Arc, Mutex};

/// After so many events control messages have their turn, though more events wait.
const CONTROL_AFTER: u32 = 256;

pub(super) struct Inbound<T: Send + Sync + 'static> {
    pub(super) shared: Arc<Shared<T>>,
    pub(super) wire: watch::Receiver<Wire>,
    pub(super) orders: watch::Receiver<Order>,
    /// Where one's own control messages go.
    pub(super) returned: watch::Sender<Option<Sent>>,
    pub(super) asked: Arc<Notify>,
    /// Set when nothing more will be imported.
    pub(super) drained: watch::Sender<bool>,
    pub(super) streams: Streams,
    pub(super) losses: Option<Losses>,
    /// What came by way of a stream, and may come again: who exports by one sends until it has heard.
    pub(super) recent: Arc<Mutex<Recent>>,
}

/// All that the bridge is subscribed to.
pub(super) struct Streams {
    filters: Vec<SubjectFilter>,
    imports: Vec<Option<Subscriber>>,
    sent: Subscriber,
    who: Subscriber,
    /// Taken from several subscriptions, and in order.
    ready: VecDeque<Message>,
    /// Events in a row.
    row: u32,
}

enum Next {
    Message(Message),
    Sent(Message),
    Who(Message),
    /// No more will come of the imports.
    Drained,
    /// The client has ended.
    Ended,
}

impl Streams {
    pub(super) async fn subscribe(
        client: &Client,
        filters: &[SubjectFilter],
        group: Option<&str>,
        control: &ControlSubjects,
    ) -> Result<Self, async_nats::SubscribeError> {
        let mut imports = Vec::with_capacity(filters.len());
        for filter in filters {
            let subject = filter.as_str().to_owned();
            imports.push(Some(match group {
                Some(group) => client.queue_subscribe(subject, group.to_owned()).await?,
                None => client.subscribe(subject).await?,
            }));
        }
        Ok(Streams {
            filters: filters.to_vec(),
            imports,
            sent: client.subscribe(control.sent.clone()).await?,
            who: client.subscribe(control.who.clone()).await?,
            ready: VecDeque::new(),
            row: 0,
        })
    }

    /// The next message. Events come before control messages, so that what another bridge says it has sent is
    /// heard after what came of that.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        if self.row < CONTROL_AFTER
            && let Poll::Ready(next) = self.poll_imports(context)
        {
            self.row += 1;
            return Poll::Ready(next);
        }
        self.row = 0;
        if let Poll::Ready(next) = self.poll_control(context) {
            return Poll::Ready(next);
        }
        self.poll_imports(context)
    }

    /// What is there already, without the cost of waiting for whatever else may happen. Nothing when there is nothing, or
    /// when the runtime wants its turn: then the wait that follows finds that out again, and is woken.
    fn at_once(&mut self) -> Option<Next> {
        match self.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        }
    }

    fn poll_imports(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        if self.imports.is_empty() {
            return Poll::Pending;
        }
        if self.ready.is_empty()
            && let [Some(only)] = self.imports.as_mut_slice()
        {
            return match Pin::new(only).poll_next(context) {
                Poll::Ready(Some(message)) => Poll::Ready(Next::Message(message)),
                Poll::Ready(None) => self.drained(),
                Poll::Pending => Poll::Pending,
            };
        }
        if self.ready.is_empty() {
            self.take_all(context);
        }
        match self.ready.pop_front() {
            Some(message) => Poll::Ready(Next::Message(message)),
            None if self.imports.iter().all(Option::is_none) => self.drained(),
            None => Poll::Pending,
        }
    }

    /// Whether a message is there; if so, it is ready.
    async fn is_ready(&mut self) -> bool {
        poll_fn(|context| {
            if self.ready.is_empty() {
                self.take_all(context);
            }
            Poll::Ready(!self.ready.is_empty())
        })
        .await
    }

    /// That is said once.
    fn drained(&mut self) -> Poll<Next> {
        self.imports.clear();
        Poll::Ready(Next::Drained)
    }

    /// Takes all that has come, each message once, and puts it in order.
    fn take_all(&mut self, context: &mut Context<'_>) {
        let mut taken = Vec::new();
        for (at, import) in self.imports.iter_mut().enumerate() {
            while let Some(stream) = import {
                // A stream also seems to be empty when the task has done its share; here that would cost the order.
                let next = poll_fn(|context| Pin::new(&mut *stream).poll_next(context));
                match pin!(unconstrained(next)).poll(context) {
                    Poll::Ready(Some(message)) => {
                        let is_there = |filter: &SubjectFilter| filter.matches(&message.subject);
                        // Several subscriptions may have it.
                        if !self.filters[..at].iter().any(is_there) {
                            taken.push(message);
                        }
                    }
                    Poll::Ready(None) => *import = None,
                    Poll::Pending => break,
                }
            }
        }
        self.ready = in_order(taken);
    }

    fn poll_control(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        if let Poll::Ready(message) = Pin::new(&mut self.sent).poll_next(context) {
            return Poll::Ready(message.map_or(Next::Ended, Next::Sent));
        }
        if let Poll::Ready(message) = Pin::new(&mut self.who).poll_next(context) {
            return Poll::Ready(message.map_or(Next::Ended, Next::Who));
        }
        Poll::Pending
    }

    /// Unsubscribes; what is on its way still comes, and then the end.
    async fn drain(&mut self) {
        for stream in self.imports.iter_mut().flatten() {
            // A client that has ended has nothing on its way.
            let _ = stream.drain().await;
        }
    }
}

impl<T: Send + Sync + 'static> Inbound<T> {
    /// Imports until it is aborted, or the client ends; then it says what it has counted.
    pub(super) async fn run(mut self) -> Option<Losses> {
        let mut draining = false;
        loop {
            if *self.orders.borrow_and_update() >= Order::Drain && !draining {
                draining = true;
                if self.streams.imports.is_empty() {
                    self.drained.send_replace(true);
                }
                tokio::select! {
                    () = self.streams.drain() => {}
                    _ = self.orders.changed() => self.orders.mark_changed(),
                }
            }
            // Without a connection nothing is on its way. What has come is imported.
            if draining && !self.wire.borrow_and_update().up && !self.streams.is_ready().await {
                self.drained.send_replace(true);
            }
            let next = match self.streams.at_once() {
                Some(next) => next,
                None => tokio::select! {
                    biased;
                    _ = self.orders.changed(), if !draining => continue,
                    next = poll_fn(|context| self.streams.poll(context)) => next,
                    // Nobody is left who would say of the connection: the client has ended.
                    changed = self.wire.changed(), if draining => match changed {
                        Ok(()) => continue,
                        Err(_) => return self.losses,
                    },
                },
            };
            match next {
                Next::Message(message) => {
                    if !self.take(&message) {
                        // The bus is closed.
                        self.shared.ending.order(Order::Drain);
                    }
                    // However much has come, the way out has its turns.
                    consume_budget().await;
                }
                Next::Sent(message) => self.hear(&message),
                Next::Who(message) => {
                    if *message.payload != *self.shared.origin.as_str().as_bytes() {
                        self.asked.notify_one();
                    }
                }
                Next::Drained => {
                    self.drained.send_replace(true);
                }
                Next::Ended => return self.losses,
            }
        }
    }

    /// Imports a message; `false` if there is no bus any more.
    fn take(&mut self, message: &Message) -> bool {
        let (verdict, numbered) =
            self.shared
                .decode(&message.subject, message.headers.as_ref(), &message.payload);
        let id = message.headers.as_ref().and_then(id_of);
        let again = id.is_some_and(|id| !self.recent.lock().claim(None, Some(id)));
        if let (Some(losses), Some(it), false) = (&mut self.losses, &numbered, again) {
            losses.came(&it.origin, &it.stream, it.number);
        }
        let shared = &*self.shared;
        let missed = self.losses.as_ref().map_or(0, Losses::missed);
        let outcome = match verdict {
            Verdict::Event(event) if again => {
                drop(Held::new(event));
                Outcome::Duplicate
            }
            Verdict::Event(event) => shared.emit(event),
            Verdict::Own => Outcome::Own,
            Verdict::Unwanted => Outcome::Unwanted,
            Verdict::Undecodable(reason) => {
                shared.link.tell(BridgeEvent::Undecodable {
                    subject: Arc::from(message.subject.as_str()),
                    reason: reason.into(),
                });
                Outcome::Undecodable
            }
        };
        shared.count(outcome, missed)
    }

    /// Another bridge, or this one, says how far it has come.
    fn hear(&mut self, message: &Message) {
        let sent = match Sent::from_bytes(&message.payload) {
            Ok(sent) => sent,
            Err(error) => {
                self.shared.link.tell(BridgeEvent::Undecodable {
                    subject: Arc::from(message.subject.as_str()),
                    reason: error.to_string().into(),
                });
                return;
            }
        };
        if sent.is_of(&self.shared.origin) {
            self.returned.send_replace(Some(sent));
        } else if let Some(losses) = &mut self.losses {
            for (stream, count) in &sent.streams {
                losses.told(&sent.origin, stream, *count);
            }
            self.shared.books.lock().import.missed = losses.missed();
        }
    }
}

/// What became of a message.
pub(super) enum Outcome {
    Imported {
        dropped: usize,
    },
    Own,
    Unwanted,
    Undecodable,
    Refused,
    Duplicate,
    /// The bus is closed, or gone.
    Closed,
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// Emits what came. Filters, taps and destructors of the bus run here, on the bridge's thread.
    pub(super) fn emit(&self, event: Event<T>) -> Outcome {
        let Some(bus) = self.bus.upgrade() else {
            return Outcome::Closed;
        };
        self.emitted(bus.emit_event(event))
    }

    /// The same, where it may wait for room.
    pub(super) fn emit_within(&self, event: Event<T>, patience: Duration) -> Outcome {
        let Some(bus) = self.bus.upgrade() else {
            return Outcome::Closed;
        };
        self.emitted(bus.emit_event_within(event, patience))
    }

    fn emitted(&self, result: Result<Emitted, EmitError<Event<T>>>) -> Outcome {
        match result {
            Ok(emitted) => Outcome::Imported {
                dropped: emitted.dropped,
            },
            // What comes back is let go of here, and its destructor may panic.
            Err(EmitError::Closed(event)) => {
                drop(Held::new(event));
                Outcome::Closed
            }
            Err(error) => {
                let reason = error.to_string().into();
                let topic = Held::new(error.into_payload()).topic().clone();
                self.link.tell(BridgeEvent::Refused { topic, reason });
                Outcome::Refused
            }
        }
    }

    /// Counts a message; `false` if there is no bus any more.
    pub(super) fn count(&self, outcome: Outcome, missed: u64) -> bool {
        let mut books = self.books.lock();
        let import = &mut books.import;
        import.missed = missed;
        match outcome {
            Outcome::Closed => return false,
            Outcome::Imported { dropped } => {
                import.imported += 1;
                import.dropped += dropped as u64;
            }
            Outcome::Own => import.own += 1,
            Outcome::Unwanted => import.unwanted += 1,
            Outcome::Undecodable => import.undecodable += 1,
            Outcome::Refused => import.refused += 1,
            Outcome::Duplicate => import.duplicates += 1,
        }
        import.received += 1;
        true
    }
}
