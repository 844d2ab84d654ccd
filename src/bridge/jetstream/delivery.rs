//! How messages of a stream become events.

use std::time::{Duration, Instant};

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::Message;
use async_nats::{HeaderMap, Subject};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use super::recent::{Place, Recent};
use crate::bridge::decode::Verdict;
use crate::bridge::envelope::Envelope;
use crate::bridge::inbound::Outcome;
use crate::bridge::shared::Shared;
use crate::bridge::state::BridgeEvent;
use crate::bridge::stop::Order;
use crate::event::Held;
use crate::sync::{Arc, Mutex};

/// What says that a message was delivered,
const ACK: &str = "+ACK";
/// and that it never will be.
const TERM: &str = "+TERM";
/// After so long what was delivered is acknowledged, before the rest is.
const LONGEST: Duration = Duration::from_millis(100);

/// How messages of a consumer are emitted, and with what patience.
pub(super) struct Delivery<T: Send + Sync + 'static> {
    pub(super) shared: Arc<Shared<T>>,
    pub(super) recent: Arc<Mutex<Recent>>,
    pub(super) patience: Duration,
    pub(super) orders: watch::Receiver<Order>,
}

/// What became of some messages.
pub(super) struct Delivered {
    /// Of those that were delivered: where they are in the stream, and what is to be said of them to whom.
    pub(super) places: Vec<Place>,
    pub(super) answers: Vec<(Subject, &'static str)>,
    /// Not delivered yet, in order.
    pub(super) rest: Vec<Message>,
    /// There is no bus any more.
    pub(super) closed: bool,
}

impl<T: Send + Sync + 'static> Delivery<T> {
    /// So many messages are emitted, and then acknowledged, in one go.
    pub(super) const TOGETHER: usize = 64;

    /// Emits them on a thread that may wait for room: user code runs there.
    pub(super) fn begin(&self, messages: Vec<Message>) -> JoinHandle<Delivered> {
        let (shared, recent) = (Arc::clone(&self.shared), Arc::clone(&self.recent));
        let (patience, orders) = (self.patience, self.orders.clone());
        spawn_blocking(move || {
            let began = Instant::now();
            let mut done = Delivered {
                places: Vec::with_capacity(messages.len()),
                answers: Vec::with_capacity(messages.len()),
                rest: Vec::new(),
                closed: false,
            };
            let mut messages = messages.into_iter();
            for message in messages.by_ref() {
                let import = || shared.import(&message, &recent, patience);
                let fate = shared.ending.inside(import);
                let answer = match fate {
                    Fate::Acknowledge => ACK,
                    Fate::Never => TERM,
                    Fate::Leave => {
                        done.closed = true;
                        break;
                    }
                };
                done.places.extend(Place::of(&message));
                done.answers
                    .extend(message.message.reply.map(|reply| (reply, answer)));
                // After the bridge's end nobody waits for this thread: what it did would come after that.
                if began.elapsed() > LONGEST || *orders.borrow() == Order::Now {
                    break;
                }
            }
            done.rest = messages.collect();
            done
        })
    }
}

/// What the server is to do with a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Acknowledge,
    /// It would never be more than it is now.
    Never,
    /// It was not delivered.
    Leave,
}

/// The id by which a message is known again, though it is in the stream twice. Only a bridge's own: those never come
/// back with another message. A plain client's may, once the stream has forgotten them, and then it is another one.
pub(in crate::bridge) fn id_of(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(NATS_MESSAGE_ID)?.as_str();
    let origin = headers.get(Envelope::ORIGIN)?.as_str().split(' ').next()?;
    let number = id.strip_prefix(origin)?.strip_prefix(':')?;
    number
        .bytes()
        .all(|digit| digit.is_ascii_digit())
        .then_some(id)
}

impl<T: Send + Sync + 'static> Shared<T> {
    fn import(&self, message: &Message, recent: &Mutex<Recent>, patience: Duration) -> Fate {
        let (verdict, _) =
            self.decode(&message.subject, message.headers.as_ref(), &message.payload);
        let place = Place::of(message);
        let id = message.headers.as_ref().and_then(id_of);
        let outcome = match verdict {
            Verdict::Event(event) => {
                if recent.lock().claim(place, id) {
                    let outcome = self.emit_within(event, patience);
                    if !matches!(outcome, Outcome::Imported { .. }) {
                        recent.lock().give_back(place, id);
                    }
                    outcome
                } else {
                    drop(Held::new(event));
                    Outcome::Duplicate
                }
            }
            Verdict::Own => Outcome::Own,
            Verdict::Unwanted => Outcome::Unwanted,
            Verdict::Undecodable(reason) => {
                self.link.tell(BridgeEvent::Undecodable {
                    subject: Arc::from(message.subject.as_str()),
                    reason: reason.into(),
                });
                Outcome::Undecodable
            }
        };
        let fate = match outcome {
            Outcome::Closed => Fate::Leave,
            Outcome::Undecodable | Outcome::Refused => Fate::Never,
            _ => Fate::Acknowledge,
        };
        self.count(outcome, 0);
        fate
    }
}
