//! The connection, as the way out sees it: when it is there, who has to be told so, and what the server has.

use std::time::Duration;

use async_nats::Message;
use tokio::time::{Instant, timeout};

use super::Outbound;
use crate::bridge::control::Sent;
use crate::bridge::jetstream::Answered;
use crate::bridge::wire::Wire;

/// How long after a stream that the server would not have the bridge tries again.
const PREPARED_AGAIN: Duration = Duration::from_millis(500);
/// A server that does not return the bridge's own first message for so long does not let it.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

impl<T: Send + Sync + 'static> Outbound<T> {
    /// Notices a connection that broke or that is another one.
    pub(super) fn follow_wire(&mut self) {
        let now = *self.wire.borrow_and_update();
        // The client's own count, too: its report may come after what came by the new connection.
        let connects = self.connects();
        let state = &self.state;
        if now.up == state.wire.up && connects == state.wire.connects {
            return;
        }
        self.lose(Wire {
            up: now.up,
            connects,
        });
    }

    /// The connection that there was is no more.
    pub(super) fn lose(&mut self, now: Wire) {
        let state = &mut self.state;
        if now.connects < state.wire.connects {
            state.connects += state.wire.connects;
        }
        state.wire = now;
        let in_doubt = match state.durable {
            None => state.flight.broke(),
            Some(_) => {
                state.flight.moved();
                0
            }
        };
        state.due = None;
        state.greeted = false;
        state.up = false;
        self.prepared.send_replace(false);
        let state = &self.state;
        // Not only where it is up: it may be seeing to its stream again. Who is lost already is not lost twice.
        if state.ups > 0 {
            self.note();
            self.shared.link.down(in_doubt);
        }
    }

    pub(super) fn connects(&self) -> u64 {
        // Relaxed: the client counts on this very thread.
        self.client
            .statistics()
            .connects
            .load(std::sync::atomic::Ordering::Relaxed)
    }

    pub(super) fn read_answer(&mut self) {
        let is_news = self.returned.has_changed().unwrap_or(false);
        let answer = self.returned.borrow_and_update();
        if let Some(sent) = &*answer {
            if self.state.durable.is_none() {
                let flight = &mut self.state.flight;
                flight.confirm(sent.epoch, sent.all);
                if is_news && flight.unconfirmed() == 0 {
                    self.state.due = None;
                }
            }
            self.state.greeted = sent.epoch == self.state.flight.epoch() && self.state.wire.up;
        }
    }

    /// The server is there and hears; sees to the stream, if there is to be one, and sends again what it did not
    /// acknowledge. Then the link is up.
    pub(super) async fn prepare(&mut self) {
        if let Some(durable) = &mut self.state.durable {
            let client = &self.client;
            let prepare = async {
                durable.prepare().await?;
                durable
                    .resend(client)
                    .await
                    .map_err(|error| error.to_string())
            };
            let prepared = tokio::select! {
                biased;
                prepared = prepare => prepared,
                _ = self.wire.changed() => return self.wire.mark_changed(),
                _ = self.orders.changed() => return self.orders.mark_changed(),
            };
            match prepared {
                Ok(answered) => self.settle(answered),
                Err(reason) => {
                    self.shared.link.trouble(reason);
                    return self.changes(Some(Instant::now() + PREPARED_AGAIN)).await;
                }
            }
        }
        self.rise();
    }

    /// The stream has answered a message.
    pub(super) fn answered(&mut self, message: &Message) {
        let Some(durable) = &mut self.state.durable else {
            return;
        };
        let answered = durable.answer(message);
        self.settle(answered);
    }

    /// So many messages are stored, or never will be.
    pub(super) fn settle(&mut self, answered: Answered) {
        self.state.flight.settle(answered.stored);
        self.state.flight.take_back(answered.refused);
        self.state.refused += answered.refused;
        if let Some(reason) = answered.trouble {
            self.shared.link.trouble(reason);
        }
    }

    pub(super) fn rise(&mut self) {
        let state = &mut self.state;
        state.up = true;
        state.ups += 1;
        let first = state.ups == 1;
        self.note();
        self.shared.link.up(first);
        self.prepared.send_replace(true);
    }

    /// Says hello to the others, and waits until the server has returned that: then it has the subscriptions,
    /// too, which went out before.
    pub(super) async fn greet(&mut self) {
        let epoch = self.state.flight.epoch();
        let until = match self.state.hello {
            Some((said_on, until)) if said_on == epoch => until,
            _ => {
                let subject = self.subjects.who.clone();
                let origin = self.shared.origin.as_str().to_owned();
                let hello = self.client.publish(subject, origin.into());
                // It waits only if the client is clogged, and then the connection is about to break.
                let _ = timeout(ANSWERED_WITHIN, hello).await;
                let until = Instant::now() + ANSWERED_WITHIN;
                self.state.hello = Some((epoch, until));
                until
            }
        };
        self.ask().await;
        self.changes(Some(until)).await;
        if Instant::now() >= until {
            self.state.hello = None;
            self.shared.link.trouble(format!(
                "the server is there, but does not return the bridge's own messages: the user wants permission \
                 to publish and to subscribe on {:?} and {:?}",
                self.subjects.sent, self.subjects.who
            ));
        }
    }

    /// Says how far it has come: to the others, and by the server's return of it to itself.
    pub(super) async fn ask(&mut self) {
        self.state.due = None;
        let sent = Sent {
            origin: self.shared.origin.as_str().into(),
            epoch: self.state.flight.epoch(),
            all: self.state.flight.sent(),
            streams: self.state.numbers.list(),
        };
        let parts = sent.to_payloads(self.client.max_payload());
        let publish = async {
            for part in parts {
                // A client that has ended, or a server that takes next to nothing: whoever waits for the answer says so.
                let _ = (self.client.publish(self.subjects.sent.clone(), part.into())).await;
            }
        };
        tokio::select! {
            biased;
            () = publish => {
                let state = &mut self.state;
                state.flight.ask();
                // The answer may get lost, where others say more than the client holds.
                state.due = (state.durable.is_none() && state.flight.unconfirmed() > 0)
                    .then(|| Instant::now() + ANSWERED_WITHIN);
                return;
            }
            _ = self.wire.changed() => self.wire.mark_changed(),
            _ = self.orders.changed() => self.orders.mark_changed(),
        }
        // The client is clogged, and did not take the question: it is still to be asked.
        self.state.due = Some(Instant::now());
    }
}
