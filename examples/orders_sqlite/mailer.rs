//! A consumer that loses nothing: it keeps books in a database of its own, and acknowledges what they hold.
//!
//! Its work and the number of the event are committed together. An event that is in its books was
//! received before: it is acknowledged again, and not done again.

use chanbus::{Bus, Event, Overflow, Publisher, Subscription};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::Failure;
use crate::notice::Notice;
use crate::relay::{AFTER, DONE, ID, Signal};
use crate::step::{Step, Watch};

/// At most so many events are booked in one transaction, which is what costs time: each waits for the disk.
const TOGETHER: usize = 64;

/// What became of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Booked {
    /// Received for the first time.
    pub(crate) new: u64,
    /// Known already.
    pub(crate) again: u64,
    /// Left alone, since one before is missing.
    pub(crate) early: u64,
}

pub(crate) struct Mailer {
    ledger: Connection,
    events: Subscription<Notice>,
    done: Publisher<Signal>,
    watch: Watch,
    booked: Booked,
}

impl Mailer {
    /// It asks for all topics: a row whose event nobody wants would be in the way of the others. And it
    /// refuses what it has no room for, so that the relay knows: a queue that made room for the new by
    /// dropping the old would hide the loss.
    pub(crate) fn new(
        ledger: Connection,
        bus: &Bus<Notice>,
        signals: &Bus<Signal>,
        capacity: usize,
        watch: Watch,
    ) -> Result<Self, Failure> {
        let all = bus.subscription("**").name("mailer").capacity(capacity);
        Ok(Mailer {
            ledger,
            events: all.overflow(Overflow::DropNewest).subscribe()?,
            done: signals.publisher(DONE)?,
            watch,
            booked: Booked::default(),
        })
    }

    /// Books events until the bus is closed.
    pub(crate) fn run(mut self) -> Result<Booked, Failure> {
        let mut events = Vec::new();
        while self.events.recv_batch(&mut events, TOGETHER).is_ok() {
            self.book(&events)?;
            events.clear();
        }
        Ok(self.booked)
    }

    fn book(&mut self, events: &[Event<Notice>]) -> Result<(), Failure> {
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.ledger.transaction_with_behavior(immediate)?;
        let select = "SELECT coalesce(max(event), 0) FROM mails";
        let before: i64 = transaction.query_row(select, (), |row| row.get(0))?;
        let mut last = before;
        for event in events {
            let (id, after) = (number(event, ID)?, number(event, AFTER)?);
            if after > last {
                self.booked.early += 1;
                continue;
            }
            let payload = serde_json::to_string(event.payload())?;
            let insert = "INSERT INTO receptions (event, topic, payload) VALUES (?, ?, ?)";
            transaction.execute(insert, params![id, event.topic().as_str(), payload])?;
            if id <= last {
                self.booked.again += 1;
                continue;
            }
            let insert = "INSERT INTO mails (event, text) VALUES (?, ?)";
            transaction.execute(insert, params![id, letter(event.payload())])?;
            last = id;
            self.booked.new += 1;
        }
        transaction.commit()?;
        if last > before {
            (self.watch)(Step::Booked(last));
        }
        // Also of what is booked since long, as it came again. If nobody hears of it, it will once more.
        let _ = self.done.emit(Signal::Done(last));
        Ok(())
    }
}

fn number(event: &Event<Notice>, name: &str) -> Result<i64, Failure> {
    let number = event.metadata(name).and_then(|value| value.as_i64());
    Ok(number.ok_or_else(|| format!("an event on {} has no {name}", event.topic()))?)
}

fn letter(notice: &Notice) -> String {
    match notice {
        Notice::Placed { order, customer } => {
            format!("Dear {customer}, thank you for your order no. {order}.")
        }
        Notice::Reserved {
            order,
            item,
            count,
            left,
        } => {
            format!("To the store: keep {count} of {item} for order no. {order}; {left} are left.")
        }
    }
}
