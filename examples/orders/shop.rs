//! The shop: its stock, its mails, its announcements.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use chanbus::{
    ApplyEvent, BoxError, Bus, Commit, Deferred, Event, Orchestrator, Publish, PublishError,
    SideEffect, SideEffectsBus, Wrapped, with_orchestrator,
};

/// Pieces of one kind; negative to give them back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    item: &'static str,
    pieces: i64,
}

impl Line {
    pub(crate) fn undone(&self) -> Line {
        Line {
            item: self.item,
            pieces: -self.pieces,
        }
    }
}

pub(crate) struct Order {
    buyer: String,
    lines: Vec<Line>,
}

impl Order {
    pub(crate) fn new(buyer: &str, lines: impl IntoIterator<Item = (&'static str, i64)>) -> Self {
        let line = |(item, pieces)| Line { item, pieces };
        Order {
            buyer: buyer.to_owned(),
            lines: lines.into_iter().map(line).collect(),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order of {:?}", self.buyer)
    }
}

/// What is on the shelves; [`Line`]s are applied to it.
pub(crate) struct Stock(Mutex<BTreeMap<&'static str, i64>>);

impl ApplyEvent for Stock {
    type Event = Line;
    type Error = BoxError;

    fn apply_event(&self, line: &Line, commit: Commit) -> Result<(), BoxError> {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = shelves.get_mut(line.item).ok_or("no such item")?;
        if *there < line.pieces {
            return Err(format!("{} asked for, {there} there", line.pieces).into());
        }
        if commit.is_real() {
            *there -= line.pieces;
        }
        Ok(())
    }

    fn label(&self, line: &Line) -> Option<std::sync::Arc<str>> {
        Some(format!("reserve {} {}", line.pieces, line.item).into())
    }
}

/// One connection for all mails.
pub(crate) struct MailServer {
    up: bool,
    sent: usize,
}

impl MailServer {
    fn send(&mut self, _to: &str) -> Result<(), BoxError> {
        if !self.up {
            return Err("the mail server does not answer".into());
        }
        self.sent += 1;
        Ok(())
    }
}

type Announcements = dyn Publish<Event = Event<String>>;

/// What the shop publishes to while orders are placed.
pub(crate) struct Parts {
    pub(crate) stock: Wrapped<Deferred<Stock>>,
    mails: Wrapped<SideEffectsBus<MailServer>>,
    announcements: Box<Announcements>,
}

impl Parts {
    pub(crate) fn publish(&self, order: &Order) -> Result<usize, BoxError> {
        if order.buyer.is_empty() {
            return Err("an order needs a buyer".into());
        }
        self.stock.publish_all(order.lines.iter().cloned())?;
        self.mails.publish(confirmation(order.buyer.clone()))?;
        let placed = Event::new("order.placed", order.buyer.clone())?;
        self.announcements
            .publish(placed)
            .map_err(PublishError::into_inner)
            .map_err(|event| format!("nobody announces {}", event.topic()))?;
        Ok(order.lines.len() + 2)
    }
}

fn confirmation(to: String) -> SideEffect<MailServer> {
    SideEffect::new(
        format!("mail {to}"),
        move |server: &mut MailServer, commit| {
            if commit.is_dry_run() {
                return Ok(());
            }
            server.send(&to)
        },
    )
}

pub(crate) struct Shop {
    pub(crate) bus: Bus<String>,
    stock: Deferred<Stock>,
    mails: SideEffectsBus<MailServer>,
}

impl Shop {
    pub(crate) fn open(stock: impl IntoIterator<Item = (&'static str, i64)>) -> Self {
        Shop {
            bus: Bus::new(),
            stock: Deferred::by(Stock(Mutex::new(stock.into_iter().collect()))),
            mails: SideEffectsBus::new(MailServer { up: true, sent: 0 }),
        }
    }

    /// Its parts, in the order in which they act: what is most likely to fail comes first, what cannot be undone last.
    pub(crate) fn wrap(&self, orchestrator: &Orchestrator) -> Parts {
        let bus = self.bus.clone();
        let announce = Deferred::from_fn(move |event: &Event<String>, commit| {
            if commit.is_real() {
                bus.emit_event(event.clone())?;
            }
            Ok(())
        });
        Parts {
            stock: orchestrator.wrap(self.stock.clone()),
            mails: orchestrator.wrap(self.mails.clone()),
            announcements: Box::new(orchestrator.wrap(announce)),
        }
    }

    /// Places an order: at once, or as a part of what the owner applies. How many effects it has.
    pub(crate) fn place(
        &self,
        order: &Order,
        owner: Option<&Orchestrator>,
        commit: Commit,
    ) -> Result<usize, BoxError> {
        with_orchestrator(owner, commit, |buses, _| self.wrap(buses).publish(order))
    }

    pub(crate) fn mail_server(&self, up: bool) -> Result<(), BoxError> {
        self.mails.context()?.up = up;
        Ok(())
    }

    /// What is on the shelves (violins, bows, pianos), and how many mails went out.
    pub(crate) fn state(&self) -> ([i64; 3], usize) {
        let shelves = self.stock.applier().0.lock();
        let shelves = shelves.unwrap_or_else(PoisonError::into_inner);
        let there = ["violin", "bow", "piano"].map(|item| shelves.get(item).copied().unwrap_or(0));
        (there, self.mails.context().map_or(0, |server| server.sent))
    }
}

impl fmt::Display for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([violins, bows, pianos], sent) = self.state();
        write!(
            f,
            "violins: {violins}, bows: {bows}, pianos: {pianos}, mails sent: {sent}"
        )
    }
}
