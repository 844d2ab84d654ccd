//! The domain: orders and stock. An order and its events are written in one transaction.

use std::error::Error;
use std::fmt;

use chanbus::{Commit, Publisher};
use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params,
};

use crate::notice::Notice;
use crate::outbox;
use crate::relay::Signal;
use crate::step::{Step, Watch};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) customer: &'a str,
    pub(crate) item: &'a str,
    pub(crate) count: u32,
}

/// What an order did, or would have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) order: i64,
    pub(crate) notices: Vec<Notice>,
    /// The number of the last of them in the outbox.
    pub(crate) last: i64,
}

/// Why there is no order. Nothing of it is left, and nobody hears of it.
#[derive(Debug)]
pub(crate) enum Refusal {
    UnknownItem(String),
    OutOfStock(String),
    Database(rusqlite::Error),
}

pub(crate) struct Shop {
    database: Connection,
    committed: Publisher<Signal>,
    watch: Watch,
}

impl Shop {
    pub(crate) fn new(database: Connection, committed: Publisher<Signal>, watch: Watch) -> Self {
        Shop {
            database,
            committed,
            watch,
        }
    }

    /// Adds to the stock.
    pub(crate) fn deliver(&self, item: &str, count: u32) -> rusqlite::Result<()> {
        let insert = "INSERT INTO stock (item, begun, count) VALUES (?1, ?2, ?2)
             ON CONFLICT (item) DO UPDATE SET begun = begun + ?2, count = count + ?2";
        self.database.execute(insert, params![item, count])?;
        Ok(())
    }

    /// The order and its events, all or nothing. A dry run tries everything, and keeps nothing.
    pub(crate) fn place(&mut self, order: &Order<'_>, commit: Commit) -> Result<Receipt, Refusal> {
        // It will write; begun as a reader it might find that another has written meanwhile.
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.database.transaction_with_behavior(immediate)?;
        // An error drops the transaction, which rolls it back.
        let receipt = write(&transaction, order)?;
        (self.watch)(Step::Written(receipt.order));
        if !commit.is_real() {
            transaction.rollback()?;
            return Ok(receipt);
        }
        transaction.commit()?;
        (self.watch)(Step::Committed(receipt.order));
        // Only now, and only for speed: the relay would find the rows without. If it is gone, the order stands
        // nevertheless, and the next relay finds them.
        let _ = self.committed.emit(Signal::Committed);
        Ok(receipt)
    }
}

fn write(transaction: &Transaction<'_>, order: &Order<'_>) -> Result<Receipt, Refusal> {
    let Order {
        customer,
        item,
        count,
    } = *order;
    let insert = "INSERT INTO orders (customer, item, count) VALUES (?, ?, ?)";
    transaction.execute(insert, params![customer, item, count])?;
    let id = transaction.last_insert_rowid();
    let placed = Notice::Placed {
        order: id,
        customer: customer.to_owned(),
    };
    outbox::add(transaction, &placed)?;

    // The database itself refuses to go below zero.
    let update = "UPDATE stock SET count = count - ? WHERE item = ? RETURNING count";
    let left = transaction.query_row(update, params![count, item], |row| row.get(0));
    let left = left.optional();
    let left = match left {
        Ok(left) => left.ok_or_else(|| Refusal::UnknownItem(item.to_owned()))?,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            return Err(Refusal::OutOfStock(item.to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    let reserved = Notice::Reserved {
        order: id,
        item: item.to_owned(),
        count,
        left,
    };
    let last = outbox::add(transaction, &reserved)?;
    Ok(Receipt {
        order: id,
        notices: vec![placed, reserved],
        last,
    })
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Refusal::Database(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::UnknownItem(item) => write!(f, "there is no {item}"),
            Refusal::OutOfStock(item) => write!(f, "there is not enough of {item}"),
            Refusal::Database(error) => error.fmt(f),
        }
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Refusal::Database(error) => Some(error),
            Refusal::UnknownItem(_) | Refusal::OutOfStock(_) => None,
        }
    }
}
