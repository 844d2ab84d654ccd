//! Events at hand, sent.

use std::time::Duration;

use async_nats::client::PublishErrorKind;
use tokio::time::Instant;

use super::Outbound;
use crate::bridge::encode::{Encoded, Outgoing};
use crate::bridge::state::BridgeEvent;

/// After so many messages the server is asked whether it has them,
const ASKED_AFTER: u64 = 512;
/// or after so long, if fewer come.
const ASKED_WITHIN: Duration = Duration::from_millis(5);

impl<T: Send + Sync + 'static> Outbound<T> {
    pub(super) async fn send_all(&mut self) {
        loop {
            let state = &mut self.state;
            let Some(event) = state.hand.front() else {
                break;
            };
            let encoded = self.shared.encode(event, &state.numbers, &mut state.desk);
            match encoded {
                Encoded::Message(message) => {
                    if !self.send(message).await {
                        break;
                    }
                }
                Encoded::NotOurs => self.state.skipped += 1,
                Encoded::Refused(reason) => self.refuse(reason),
            }
            self.state.hand.pop_front();
            if self.state.flight.room() == 0 {
                break;
            }
        }
        if self.state.durable.is_some() {
            // The stream acknowledges each message without being asked.
            return;
        }
        let unasked = self.state.flight.unasked();
        if unasked >= ASKED_AFTER || self.state.flight.room() == 0 {
            self.ask().await;
        } else if unasked > 0 {
            let soon = Instant::now() + ASKED_WITHIN;
            self.state.due = Some(self.state.due.map_or(soon, |due| due.min(soon)));
        }
    }

    /// Whether that was settled, one way or the other; if not, the event stays at hand.
    pub(super) async fn send(&mut self, message: Outgoing) -> bool {
        let stream = message.stream;
        let client = &self.client;
        let publish = async {
            match &mut self.state.durable {
                Some(durable) => durable.send(client, message).await,
                None => {
                    let Outgoing {
                        subject,
                        headers,
                        payload,
                        ..
                    } = message;
                    client.publish_with_headers(subject, headers, payload).await
                }
            }
        };
        let published = tokio::select! {
            biased;
            published = publish => published,
            _ = self.wire.changed() => {
                self.wire.mark_changed();
                return false;
            }
            _ = self.orders.changed() => {
                self.orders.mark_changed();
                return false;
            }
        };
        match published {
            Ok(()) => {
                self.state.flight.send();
                self.state.numbers.count(stream);
                true
            }
            // The client has ended; whoever hears that first says so, by `dead`.
            Err(error) if error.kind() == PublishErrorKind::Send => {
                self.changes(None).await;
                false
            }
            Err(error) => {
                self.refuse(error.to_string());
                true
            }
        }
    }

    /// The event at hand cannot be sent.
    pub(super) fn refuse(&mut self, reason: String) {
        self.state.refused += 1;
        if let Some(event) = self.state.hand.front() {
            self.shared.link.tell(BridgeEvent::Refused {
                topic: event.topic().clone(),
                reason: reason.into(),
            });
        }
    }
}
