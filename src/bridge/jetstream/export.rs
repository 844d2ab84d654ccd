//! Messages that the stream has not acknowledged yet.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use async_nats::client::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, HeaderMap, Message, StatusCode, SubscribeError, Subscriber};
use bytes::Bytes;
use futures_core::Stream;
use serde::Deserialize;
use tokio::time::Instant;

use super::stream::StreamPlan;
use crate::bridge::encode::Outgoing;

/// A message that was not acknowledged for so long, by a server that is there, is sent again.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(5);
/// The first wait after a server that would not have a message; it doubles up to the other.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Everything that was sent and not acknowledged, in order, to be sent again by the same id: the stream
/// knows what it has.
///
/// Each message asks for its acknowledgement on a subject of its own, below one inbox: `inbox.number`.
pub(in crate::bridge) struct Durable {
    plan: StreamPlan,
    /// Of the client that there is.
    line: Option<Line>,
    id: String,
    /// Of the oldest that is kept.
    first: u64,
    kept: VecDeque<Kept>,
    /// When they are to be sent again.
    again: Option<Instant>,
    /// Since they were sent last the server has said that it would not have one: told, and waited for, once.
    unwanted: bool,
    failures: u32,
    pub(in crate::bridge) resent: u64,
}

/// Where acknowledgements come.
struct Line {
    context: Context,
    inbox: String,
    acks: Subscriber,
}

struct Kept {
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unknown,
    Stored,
    /// The stream will never have it.
    Refused,
}

/// What an acknowledgement came to.
#[derive(Default)]
pub(in crate::bridge) struct Answered {
    /// So many of the oldest are stored now,
    pub(in crate::bridge) stored: u64,
    /// or never will be.
    pub(in crate::bridge) refused: u64,
    pub(in crate::bridge) trouble: Option<String>,
}

impl Durable {
    pub(in crate::bridge) fn new(plan: StreamPlan, id: &str) -> Self {
        Durable {
            plan,
            line: None,
            id: id.to_owned(),
            first: 1,
            kept: VecDeque::new(),
            again: None,
            unwanted: false,
            failures: 0,
            resent: 0,
        }
    }

    /// Goes on by that client.
    pub(in crate::bridge) async fn join(&mut self, client: &Client) -> Result<(), SubscribeError> {
        let inbox = client.new_inbox();
        let acks = client.subscribe(format!("{inbox}.*")).await?;
        self.line = Some(Line {
            context: jetstream::new(client.clone()),
            inbox,
            acks,
        });
        Ok(())
    }

    /// The next acknowledgement; `None` when the client has ended.
    pub(in crate::bridge) async fn next_answer(&mut self) -> Option<Message> {
        let acks = &mut self.line.as_mut()?.acks;
        poll_fn(|context| Pin::new(&mut *acks).poll_next(context)).await
    }

    fn reply(&self, number: u64) -> String {
        let inbox = self.line.as_ref().map_or("", |line| &line.inbox);
        format!("{inbox}.{number}")
    }

    /// Sees to the stream.
    pub(in crate::bridge) async fn prepare(&self) -> Result<(), String> {
        match &self.line {
            Some(line) => self.plan.ensure(&line.context).await,
            None => Err("there is no client".to_owned()),
        }
    }

    /// Publishes a message, and keeps it.
    pub(in crate::bridge) async fn send(
        &mut self,
        client: &Client,
        message: Outgoing,
    ) -> Result<(), PublishError> {
        let number = self.first + self.kept.len() as u64;
        let mut headers = message.headers;
        headers.insert("Nats-Msg-Id", format!("{}:{number}", self.id));
        let published = client.publish_with_reply_and_headers(
            message.subject.clone(),
            self.reply(number),
            headers.clone(),
            message.payload.clone(),
        );
        published.await?;
        self.kept.push_back(Kept {
            subject: message.subject,
            headers,
            payload: message.payload,
            fate: Fate::Unknown,
        });
        self.again
            .get_or_insert_with(|| Instant::now() + ACKNOWLEDGED_WITHIN);
        Ok(())
    }

    /// When something is to be sent again, unless it is acknowledged before.
    pub(in crate::bridge) fn due(&self) -> Option<Instant> {
        self.again
    }

    /// Publishes again what was not acknowledged, in order. If it is broken off, all is still kept.
    pub(in crate::bridge) async fn resend(
        &mut self,
        client: &Client,
    ) -> Result<Answered, PublishError> {
        self.unwanted = false;
        let mut trouble = None;
        let mut unsendable = Vec::new();
        for (number, kept) in (self.first..).zip(&self.kept) {
            if kept.fate != Fate::Unknown {
                continue;
            }
            let published = client.publish_with_reply_and_headers(
                kept.subject.clone(),
                self.reply(number),
                kept.headers.clone(),
                kept.payload.clone(),
            );
            match published.await {
                Err(error) if error.kind() == PublishErrorKind::Send => return Err(error),
                // Another server may take less than the one before.
                Err(error) => {
                    trouble = Some(format!(
                        "{:?} cannot be sent any more: {error}",
                        kept.subject
                    ));
                    unsendable.push(number - self.first);
                }
                Ok(()) => self.resent += 1,
            }
        }
        for at in unsendable {
            let kept = usize::try_from(at)
                .ok()
                .and_then(|at| self.kept.get_mut(at));
            if let Some(kept) = kept {
                kept.fate = Fate::Refused;
            }
        }
        let mut answered = self.settle();
        answered.trouble = trouble;
        self.again = (!self.kept.is_empty()).then(|| Instant::now() + ACKNOWLEDGED_WITHIN);
        Ok(answered)
    }

    /// Lets go of the oldest, up to the first whose fate is not known.
    fn settle(&mut self) -> Answered {
        let mut answered = Answered::default();
        while let Some(oldest) = self.kept.front() {
            match oldest.fate {
                Fate::Unknown => break,
                Fate::Stored => answered.stored += 1,
                Fate::Refused => answered.refused += 1,
            }
            self.kept.pop_front();
            self.first += 1;
        }
        answered
    }

    /// The server has answered one of them.
    pub(in crate::bridge) fn answer(&mut self, message: &Message) -> Answered {
        let mut answered = Answered::default();
        let number = message
            .subject
            .rsplit('.')
            .next()
            .and_then(|text| text.parse().ok());
        let Some(at) = number.and_then(|number: u64| number.checked_sub(self.first)) else {
            // Of one that was settled before, when it had been sent twice.
            return answered;
        };
        let Some(kept) = usize::try_from(at)
            .ok()
            .and_then(|at| self.kept.get_mut(at))
        else {
            return answered;
        };
        match acknowledged(message) {
            Ok(()) => kept.fate = Fate::Stored,
            Err(no) if no.for_ever => {
                kept.fate = Fate::Refused;
                answered.trouble = Some(format!(
                    "the stream refuses a message on {:?}: {}",
                    kept.subject, no.reason
                ));
            }
            // It has as many reasons as messages are in flight.
            Err(_) if self.unwanted => return answered,
            Err(no) => {
                let reason = no.reason;
                answered.trouble = Some(format!(
                    "the server does not take what is on {:?}: {reason}",
                    kept.subject
                ));
                self.unwanted = true;
                let wait = FIRST_WAIT * 2_u32.saturating_pow(self.failures.min(8));
                self.failures += 1;
                self.again = Some(Instant::now() + wait.min(LONGEST_WAIT));
                return answered;
            }
        }
        let trouble = answered.trouble.take();
        answered = self.settle();
        answered.trouble = trouble;
        if answered.stored + answered.refused > 0 {
            self.failures = 0;
            self.again = (!self.kept.is_empty()).then(|| Instant::now() + ACKNOWLEDGED_WITHIN);
        }
        answered
    }
}

/// Why a message was not stored.
struct No {
    reason: String,
    /// It is the message's own fault, and would be so again.
    for_ever: bool,
}

impl No {
    fn now(reason: impl Into<String>) -> Self {
        No {
            reason: reason.into(),
            for_ever: false,
        }
    }
}

/// Whether that message acknowledges one that was published, and what the server says if not.
fn acknowledged(message: &Message) -> Result<(), No> {
    /// Larger than the stream's messages may be; headers that are larger than any stream's may be.
    const TOO_LARGE: [u64; 2] = [10_054, 10_097];

    #[derive(Deserialize)]
    struct Answer {
        error: Option<Fault>,
        seq: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Fault {
        #[serde(default)]
        description: String,
        #[serde(default)]
        err_code: u64,
    }

    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Err(No::now("no stream does, or JetStream is not enabled"));
    }
    match serde_json::from_slice(&message.payload) {
        Ok(Answer {
            error: Some(fault), ..
        }) => Err(No {
            reason: fault.description,
            for_ever: TOO_LARGE.contains(&fault.err_code),
        }),
        Ok(Answer { seq: Some(_), .. }) => Ok(()),
        Ok(_) => Err(No::now("its answer is none")),
        Err(error) => Err(No::now(format!("its answer is none: {error}"))),
    }
}
