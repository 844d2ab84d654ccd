//! The sums, from what is on the disk and nothing else.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Result};

use crate::database::{self, Durability};
use crate::notice::Notice;

/// What the databases hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) orders: Vec<Order>,
    pub(crate) rows: Vec<Row>,
    /// What the mailer received, repetitions too, in order.
    pub(crate) receptions: Vec<Received>,
    /// The events that the mailer has done its work for.
    pub(crate) mails: Vec<i64>,
    /// Items, with what there was of each, and what is left.
    pub(crate) stock: Vec<(String, i64, i64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) customer: String,
    pub(crate) item: String,
    pub(crate) count: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) event: Received,
    pub(crate) relayed: bool,
}

/// An event, by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) id: i64,
    pub(crate) topic: String,
    pub(crate) payload: String,
}

impl Books {
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let shop = look(database::shop(dir, Durability::Normal)?)?;
        let ledger = look(database::ledger(dir)?)?;
        let all = "SELECT id, customer, item, count FROM orders ORDER BY id";
        let orders = list(&shop, all, |row| {
            Ok(Order {
                id: row.get(0)?,
                customer: row.get(1)?,
                item: row.get(2)?,
                count: row.get(3)?,
            })
        })?;
        let all = "SELECT id, topic, payload, relayed FROM outbox ORDER BY id";
        let rows = list(&shop, all, |row| {
            Ok(Row {
                event: received(row)?,
                relayed: row.get(3)?,
            })
        })?;
        let all = "SELECT event, topic, payload FROM receptions ORDER BY number";
        let receptions = list(&ledger, all, received)?;
        let mails = "SELECT event FROM mails ORDER BY event";
        let mails = list(&ledger, mails, |row| row.get(0))?;
        let stock = "SELECT item, begun, count FROM stock ORDER BY item";
        let stock = list(&shop, stock, |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        Ok(Books {
            orders,
            rows,
            receptions,
            mails,
            stock,
        })
    }

    /// Rows that are committed and not marked as relayed.
    pub(crate) fn unrelayed(&self) -> usize {
        self.rows.iter().filter(|row| !row.relayed).count()
    }

    /// Rows that are committed and that the mailer has not got.
    pub(crate) fn unreceived(&self) -> usize {
        self.rows.len().saturating_sub(self.firsts().len())
    }

    /// Receptions of what had been received before.
    pub(crate) fn repetitions(&self) -> usize {
        self.receptions.len() - self.firsts().len()
    }

    /// The first reception of each event, in order.
    fn firsts(&self) -> Vec<&Received> {
        let mut seen = HashSet::new();
        let all = self.receptions.iter();
        all.filter(|event| seen.insert(event.id)).collect()
    }

    /// What must hold at any moment, wherever the process was killed; a sentence for each thing that does not.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();

        // Orders and events: all or nothing.
        let told: Result<Vec<Notice>, _> = self
            .rows
            .iter()
            .map(|row| serde_json::from_str(&row.event.payload))
            .collect();
        match told {
            Ok(told) => self.hold_against_orders(&told, &mut complaints),
            Err(error) => complaints.push(format!("a row is no notice: {error}")),
        }
        for (item, begun, left) in &self.stock {
            let of_it = self.orders.iter().filter(|order| order.item == *item);
            let sold: i64 = of_it.map(|order| i64::from(order.count)).sum();
            if begun - sold != *left {
                complaints.push(format!("{item}: {begun} less {sold} sold is not {left}"));
            }
        }

        // Receptions: the rows in their order, and so none that is not a row, and none left out between.
        let firsts = self.firsts();
        for (place, first) in firsts.iter().enumerate() {
            let row = self.rows.get(place).map(|row| &row.event);
            if row != Some(first) {
                complaints.push(format!("received {first:?} in the place of {row:?}"));
                break;
            }
        }
        for (place, row) in self.rows.iter().enumerate() {
            let id = row.event.id;
            if row.relayed && place >= firsts.len() {
                complaints.push(format!("row {id} is marked, and was not received"));
            }
            if row.relayed && place > 0 && !self.rows[place - 1].relayed {
                complaints.push(format!("row {id} is marked, and the one before is not"));
            }
        }
        // The work: once for each event that was received.
        if self.mails != firsts.iter().map(|first| first.id).collect::<Vec<_>>() {
            complaints.push("the mails are not those of the events received".to_owned());
        }
        complaints
    }

    /// What must hold besides when everything is relayed.
    pub(crate) fn complaints_at_the_end(&self) -> Vec<String> {
        let mut complaints = self.complaints();
        let (unrelayed, unreceived) = (self.unrelayed(), self.unreceived());
        if unrelayed > 0 {
            complaints.push(format!("{unrelayed} rows are not marked as relayed"));
        }
        if unreceived > 0 {
            complaints.push(format!("{unreceived} events were never received"));
        }
        complaints
    }

    /// Two events for each order, in the order of orders, and no others.
    fn hold_against_orders(&self, told: &[Notice], complaints: &mut Vec<String>) {
        if told.len() != self.orders.len() * 2 {
            let (orders, events) = (self.orders.len(), told.len());
            complaints.push(format!("{orders} orders, and {events} events"));
        }
        for (order, told) in self.orders.iter().zip(told.chunks(2)) {
            let right = match told {
                [
                    Notice::Placed { order: a, customer },
                    Notice::Reserved {
                        order: b,
                        item,
                        count,
                        ..
                    },
                ] => {
                    (*a, *b) == (order.id, order.id)
                        && *customer == order.customer
                        && *item == order.item
                        && *count == order.count
                }
                _ => false,
            };
            if !right {
                complaints.push(format!("of {order:?} is told {told:?}"));
                break;
            }
        }
    }
}

/// To look must not tidy up: the next process is to find the files as the killed one left them.
fn look(connection: Connection) -> Result<Connection> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

fn received(row: &rusqlite::Row<'_>) -> Result<Received> {
    Ok(Received {
        id: row.get(0)?,
        topic: row.get(1)?,
        payload: row.get(2)?,
    })
}

fn list<R>(
    connection: &Connection,
    select: &str,
    read: impl FnMut(&rusqlite::Row<'_>) -> Result<R>,
) -> Result<Vec<R>> {
    let mut select = connection.prepare(select)?;
    select.query_map((), read)?.collect()
}
