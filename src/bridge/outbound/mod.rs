//! The way out: from the export queue to the client.
//!
//! A loop, of which each round does one thing: follow the connection, take events, send them, ask the server
//! whether it has them. It is the only one who publishes, and the only one who says whether the link is up.
//! Every wait of it ends when the connection changes or the order to end comes.

mod line;
mod send;

use std::collections::VecDeque;
use std::future::pending;

use async_nats::{Client, Message, SubscribeError};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use crate::bridge::control::{ControlSubjects, Sent};
use crate::bridge::encode::{Desk, Numbers};
use crate::bridge::flight::Flight;
use crate::bridge::jetstream::Durable;
use crate::bridge::shared::Shared;
use crate::bridge::stop::Order;
use crate::bridge::wire::Wire;
use crate::error::RecvError;
use crate::event::{Event, Held};
use crate::sync::Arc;

/// So many events are taken at once.
const TAKEN: usize = 256;

pub(super) struct Outbound<T: Send + Sync + 'static> {
    pub(super) shared: Arc<Shared<T>>,
    pub(super) client: Client,
    pub(super) subjects: ControlSubjects,
    pub(super) wire: watch::Receiver<Wire>,
    /// One's own control message that came back last.
    pub(super) returned: watch::Receiver<Option<Sent>>,
    /// Somebody asks how far this bridge has come.
    pub(super) asked: Arc<Notify>,
    pub(super) orders: watch::Receiver<Order>,
    /// Set while the stream and its consumers are seen to.
    pub(super) prepared: watch::Sender<bool>,
    /// Set when the client has ended, which it never should.
    pub(super) dead: watch::Receiver<bool>,
    pub(super) state: State<T>,
}

/// How the way out came to its end.
pub(super) enum Left<T: Send + Sync + 'static> {
    /// All is sent, or there was no more time for that.
    Ended,
    /// The client has ended, and another one is to go on with this.
    Dead(Box<State<T>>),
}

/// What outlives a client.
pub(super) struct State<T: Send + Sync + 'static> {
    flight: Flight,
    numbers: Numbers,
    desk: Desk,
    /// Taken and not sent yet, in order.
    hand: VecDeque<Held<T>>,
    /// The connection that `flight` counts on.
    wire: Wire,
    /// Connections of clients that have ended.
    connects: u64,
    /// The server has returned the bridge's first message on this connection.
    greeted: bool,
    /// The connection on which it has said hello, and until when that is to be returned. Once for each: two who
    /// wait would keep answering each other's hellos by their own.
    hello: Option<(u64, Instant)>,
    up: bool,
    ups: u64,
    due: Option<Instant>,
    /// The queue is closed and empty.
    finished: bool,
    skipped: u64,
    refused: u64,
    /// What the stream has not acknowledged; for a bridge that has one.
    durable: Option<Durable>,
}

impl<T: Send + Sync + 'static> State<T> {
    pub(super) fn new(shared: &Shared<T>, in_flight: usize, durable: Option<Durable>) -> Self {
        State {
            flight: Flight::new(in_flight),
            numbers: Numbers::new(shared),
            desk: Desk::new(shared),
            hand: VecDeque::new(),
            wire: Wire::default(),
            connects: 0,
            greeted: false,
            hello: None,
            up: false,
            ups: 0,
            due: None,
            finished: shared.queue.is_none(),
            skipped: 0,
            refused: 0,
            durable,
        }
    }

    /// Subscribes to what that client is to hear of.
    pub(super) async fn join(&mut self, client: &Client) -> Result<(), SubscribeError> {
        match &mut self.durable {
            Some(durable) => durable.join(client).await,
            None => Ok(()),
        }
    }
}

/// What ended a wait.
enum Woken {
    Changed,
    Due,
    Taken(Result<usize, RecvError>),
}

impl<T: Send + Sync + 'static> Outbound<T> {
    /// Sends until the end; returns when all is sent and confirmed, or when there is no more time for that.
    pub(super) async fn run(mut self) -> Left<T> {
        let mut buffer = Vec::new();
        loop {
            if *self.dead.borrow_and_update() {
                self.lose(Wire::default());
                self.note();
                return Left::Dead(Box::new(self.state));
            }
            let order = *self.orders.borrow_and_update();
            if order == Order::Now {
                break;
            }
            if order == Order::Drain
                && let Some(queue) = &self.shared.queue
            {
                // Nothing new comes in, what is in stays in, and the slot on the bus is free.
                queue.close();
                self.state.finished |= queue.is_empty();
            }
            self.follow_wire();
            self.read_answer();
            self.note();
            if order == Order::Drain && self.is_done() {
                break;
            }
            if !self.state.up {
                if !self.state.wire.up {
                    self.changes(None).await;
                } else if !self.state.greeted {
                    self.greet().await;
                } else {
                    self.prepare().await;
                }
                continue;
            }
            if self.state.finished && self.state.hand.is_empty() && order == Order::Drain {
                let due = self.state.due.is_some_and(|due| due <= Instant::now());
                if self.state.durable.is_none() && (due || self.state.flight.unasked() > 0) {
                    self.ask().await;
                }
                self.changes(self.state.due).await;
                continue;
            }
            if self.state.hand.is_empty() || self.state.flight.room() == 0 {
                match self.take(&mut buffer).await {
                    Woken::Changed => continue,
                    Woken::Due => {
                        self.ask().await;
                        continue;
                    }
                    Woken::Taken(Ok(_)) => {
                        self.state.hand.extend(buffer.drain(..).map(Held::new));
                        // A client that is clogged may hold up what follows for long, and the sums hold meanwhile.
                        self.note();
                    }
                    Woken::Taken(Err(RecvError)) => {
                        self.state.finished = true;
                        // The bus was closed: there is nothing to import into either.
                        self.shared.ending.order(Order::Drain);
                        continue;
                    }
                }
            }
            self.send_all().await;
        }
        self.finish();
        Left::Ended
    }

    /// Whether all is sent, and known to be there or in doubt for ever.
    fn is_done(&self) -> bool {
        let state = &self.state;
        state.finished && state.hand.is_empty() && state.flight.unconfirmed() == 0
    }

    /// Waits for events, for whatever else may happen, and for the time to ask.
    async fn take(&mut self, buffer: &mut Vec<Event<T>>) -> Woken {
        let room = self.state.flight.room().min(TAKEN);
        let shared = Arc::clone(&self.shared);
        let due = self.state.due;
        let finished = self.state.finished;
        let taken = async {
            match &shared.queue {
                Some(queue) if room > 0 && !finished => queue.recv_batch_async(buffer, room).await,
                _ => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.changes(due) => {
                if due.is_some_and(|due| due <= Instant::now()) { Woken::Due } else { Woken::Changed }
            }
            taken = taken => Woken::Taken(taken),
        }
    }

    /// Waits until the connection, the order, or what is known of what was sent has changed, or somebody asks.
    pub(super) async fn changes(&mut self, until: Option<Instant>) {
        let mut asked = false;
        let mut answer = None;
        let again = self.state.durable.as_ref().and_then(Durable::due);
        let again = again.filter(|_| self.state.up);
        let answers = self.state.durable.as_mut();
        tokio::select! {
            biased;
            _ = self.orders.changed() => {}
            _ = self.wire.changed() => {}
            _ = self.returned.changed() => {}
            _ = self.dead.changed() => self.dead.mark_changed(),
            () = self.asked.notified() => asked = true,
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
            message = next_answer(answers) => answer = message,
            // The stream is looked after, and what it did not acknowledge is sent again.
            () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => self.state.up = false,
        }
        if let Some(message) = answer {
            self.answered(&message);
        }
        if asked && self.state.up {
            self.ask().await;
        }
    }

    pub(super) fn note(&self) {
        let mut books = self.shared.books.lock();
        let state = &self.state;
        state.flight.write_to(&mut books.export);
        books.export.skipped = state.skipped;
        books.export.refused = state.refused;
        books.export.resent = state.durable.as_ref().map_or(0, |durable| durable.resent);
        books.connects = state.connects + state.wire.connects;
    }

    /// What is in flight now will not be heard of.
    fn finish(&mut self) {
        self.state.flight.broke();
        self.note();
    }
}

/// The next answer of the stream; none ever, where there is no stream.
async fn next_answer(durable: Option<&mut Durable>) -> Option<Message> {
    if let Some(durable) = durable
        && let Some(message) = durable.next_answer().await
    {
        return Some(message);
    }
    pending().await
}

#[cfg(test)]
mod tests;
