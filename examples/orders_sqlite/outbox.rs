//! The table `outbox`: events that are committed, and how far they are relayed.

use rusqlite::{Connection, Result, Transaction, params};

use crate::notice::Notice;

/// An event as the table holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) topic: String,
    pub(crate) payload: String,
}

/// Adds an event to a transaction: it will be there if, and only if, all else in it is. Its number.
pub(crate) fn add(transaction: &Transaction<'_>, notice: &Notice) -> Result<i64> {
    let payload = serde_json::to_string(notice)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let insert = "INSERT INTO outbox (topic, payload) VALUES (?, ?)";
    transaction.execute(insert, params![notice.topic(), payload])?;
    Ok(transaction.last_insert_rowid())
}

/// The first rows after this one that are not relayed, at most so many.
pub(crate) fn open_after(connection: &Connection, id: i64, limit: u32) -> Result<Vec<Row>> {
    let mut select = connection.prepare(
        "SELECT id, topic, payload FROM outbox WHERE NOT relayed AND id > ? ORDER BY id LIMIT ?",
    )?;
    let rows = select.query_map(params![id, limit], |row| {
        Ok(Row {
            id: row.get(0)?,
            topic: row.get(1)?,
            payload: row.get(2)?,
        })
    })?;
    rows.collect()
}

/// The last row that is relayed; 0 if none is. All before it are, too.
pub(crate) fn relayed_up_to(connection: &Connection) -> Result<i64> {
    let last = "SELECT coalesce(max(id), 0) FROM outbox WHERE relayed";
    connection.query_row(last, (), |row| row.get(0))
}

/// Marks all rows up to this one.
pub(crate) fn mark_up_to(connection: &Connection, id: i64) -> Result<()> {
    let update = "UPDATE outbox SET relayed = 1 WHERE NOT relayed AND id <= ?";
    connection.execute(update, [id])?;
    Ok(())
}
