//! From the outbox to the bus: at least once, in order.
//!
//! # Protocol
//!
//! A row is marked as relayed when the mailer has acknowledged it, and the mailer acknowledges when its own
//! work is committed. To be in a queue is not enough: queues are in memory, and what a killed process had in
//! its queues is gone. So wherever the process is killed, each committed row is either marked, and the
//! mailer has done its work, or is not, and is emitted again by the next relay.
//!
//! *At least once.* A row whose work was done and that was not yet marked comes again. The consumer knows
//! it by [`ID`], the row's number in the event's metadata, which its own books hold in the same transaction as
//! its work. What it does beyond its books, such as to talk to a mail server, may then happen twice.
//!
//! *In order.* Rows are emitted in the order of their numbers. One that does not get into every queue that
//! wants it, or that nobody wants, is a wall: those behind it wait, and it is tried again when there is
//! news, or after a moment. (Queues that did have room then get it again: one more reason why every
//! consumer must know repetitions.) When acknowledgements stay out for too long, as after a consumer that
//! fails, the relay begins again from the first row that is not marked.
//!
//! *Joining in the midst.* A consumer that subscribes anew may hear of a row before the relay has begun
//! again with those that its predecessor took to the grave. So each event says in [`AFTER`] which row came
//! before it, and a consumer leaves an event alone, not acknowledged, if it lacks that.
//!
//! Acknowledgements say "all up to this row". So the news is of a kind where the latest is enough, and the
//! relay's queue for it can never be full.

use std::time::{Duration, Instant};

use chanbus::{BuildError, Bus, Overflow, RecvTimeoutError, SubscribeError, Subscription};
use rusqlite::Connection;

use crate::Failure;
use crate::notice::Notice;
use crate::outbox::{self, Row};
use crate::step::{Step, Watch};

/// In an event's metadata: the number of its row, by which it is known when it comes again.
pub(crate) const ID: &str = "outbox_id";
/// In an event's metadata: the number of the row before; 0 if there is none.
pub(crate) const AFTER: &str = "outbox_after";

/// How long acknowledgements may stay out.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How long until a row that was refused is tried again, if there is no news.
const PAUSE: Duration = Duration::from_millis(10);
/// Rows that are read together.
const PAGE: u32 = 64;

/// News for the relay, on a bus of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// There are new rows.
    Committed,
    /// Somebody has durably done its work on all rows up to this one.
    Done(i64),
    /// There will be no more rows: relay what is there, and end.
    Stop,
}

pub(crate) const COMMITTED: &str = "relay.committed";
pub(crate) const DONE: &str = "relay.done";
pub(crate) const STOP: &str = "relay.stop";

pub(crate) fn signals() -> Result<Bus<Signal>, BuildError> {
    Bus::builder().name("signals").build()
}

/// How things stand after a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Every row is marked.
    Done,
    /// All rows are emitted, and some are not yet acknowledged.
    Waiting,
    /// A row did not get into every queue.
    Full,
    /// A row has nobody who takes it.
    Alone,
}

/// What a relay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Relayed {
    /// Rows that got where they should.
    pub(crate) emitted: u64,
    /// How often a row did not.
    pub(crate) refused: u64,
    /// How often it began again from the first row that was not marked.
    pub(crate) begun_again: u64,
}

pub(crate) struct Relay {
    database: Connection,
    bus: Bus<Notice>,
    signals: Subscription<Signal>,
    watch: Watch,
    patience: Duration,
    /// All rows up to this one are marked.
    marked: i64,
    /// All rows up to this one are emitted, since the relay began or began again.
    sent: i64,
    /// When there was an acknowledgement, or else when the first row was emitted that waits for one.
    moved: Instant,
    stopping: bool,
    relayed: Relayed,
}

impl Relay {
    pub(crate) fn new(
        database: Connection,
        bus: &Bus<Notice>,
        signals: &Bus<Signal>,
        patience: Duration,
        watch: Watch,
    ) -> Result<Self, Failure> {
        let marked = outbox::relayed_up_to(&database)?;
        Ok(Relay {
            database,
            bus: bus.clone(),
            signals: subscribe(signals)?,
            watch,
            patience,
            marked,
            sent: marked,
            moved: Instant::now(),
            stopping: false,
            relayed: Relayed::default(),
        })
    }

    /// Relays until it is told to stop and all is done.
    pub(crate) fn run(mut self) -> Result<Relayed, Failure> {
        loop {
            let state = self.round()?;
            if self.stopping {
                match state {
                    State::Done => return Ok(self.relayed),
                    State::Alone => return Err("rows are left, and nobody takes them".into()),
                    State::Waiting | State::Full => {}
                }
            }
            let pause = match state {
                State::Full | State::Alone => PAUSE,
                // Rows that another process committed are found without news, if late.
                State::Done | State::Waiting => self.patience,
            };
            match self.signals.recv_timeout(pause) {
                Ok(signal) => self.heed(*signal.payload())?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(_) => return Err("the bus of signals is closed".into()),
            }
        }
    }

    /// Marks what is acknowledged, and emits what can be; waits for nothing.
    pub(crate) fn round(&mut self) -> Result<State, Failure> {
        // All news first: what was committed before a stop is seen below.
        while let Ok(signal) = self.signals.try_recv() {
            self.heed(*signal.payload())?;
        }
        if self.sent > self.marked && self.moved.elapsed() >= self.patience {
            self.begin_again();
        }
        loop {
            let rows = outbox::open_after(&self.database, self.sent, PAGE)?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                (self.watch)(Step::Read(row.id));
                if let Some(wall) = self.emit(row)? {
                    self.relayed.refused += 1;
                    return Ok(wall);
                }
                if self.sent == self.marked {
                    self.moved = Instant::now();
                }
                self.sent = row.id;
                self.relayed.emitted += 1;
                (self.watch)(Step::Emitted(row.id));
            }
        }
        Ok(if self.sent > self.marked {
            State::Waiting
        } else {
            State::Done
        })
    }

    /// From the first row that is not marked.
    pub(crate) fn begin_again(&mut self) {
        self.sent = self.marked;
        self.relayed.begun_again += 1;
    }

    /// What is in the way, if somebody who wants the row has not got it.
    fn emit(&self, row: &Row) -> Result<Option<State>, Failure> {
        // A row that cannot be read is no reason to leave it out: order would be lost.
        let notice: Notice = serde_json::from_str(&row.payload)
            .map_err(|error| format!("row {} of the outbox: {error}", row.id))?;
        let draft = self.bus.event(&row.topic, notice).source("outbox");
        let draft = draft.metadata(ID, row.id).metadata(AFTER, self.sent);
        let emitted = draft.emit().map_err(|error| error.to_string())?;
        Ok(if !emitted.is_complete() {
            Some(State::Full)
        } else if emitted.delivered == 0 {
            Some(State::Alone)
        } else {
            None
        })
    }

    fn heed(&mut self, signal: Signal) -> Result<(), Failure> {
        match signal {
            // The rows themselves say so.
            Signal::Committed => {}
            Signal::Done(id) if id > self.marked => {
                outbox::mark_up_to(&self.database, id)?;
                self.marked = id;
                // It may acknowledge what was emitted before this began again.
                self.sent = self.sent.max(id);
                self.moved = Instant::now();
                (self.watch)(Step::Marked(id));
            }
            // Of a row that came again.
            Signal::Done(_) => {}
            Signal::Stop => self.stopping = true,
        }
        Ok(())
    }
}

/// Newer news of a kind stands for older.
fn subscribe(signals: &Bus<Signal>) -> Result<Subscription<Signal>, SubscribeError> {
    let news = signals.subscription([COMMITTED, DONE, STOP]).name("relay");
    news.capacity(3).overflow(Overflow::Latest).subscribe()
}
