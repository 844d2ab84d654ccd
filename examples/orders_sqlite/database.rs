//! The two databases: the shop's, with its outbox, and the mailer's own.
//!
//! Killing a process loses nothing that it has committed: the kernel has it. A loss of power does, unless
//! a commit waits for the disk. So the shop and the mailer wait (`synchronous = FULL`), as no mail may go
//! out for an order that is gone, and nothing may be acknowledged that is not on the disk. The relay
//! need not (`NORMAL`): a mark that is lost costs a repetition. In a write-ahead log neither damages a file.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Result};

/// How long a connection waits for others that write. SQLite lets one write at a time.
const BUSY: Duration = Duration::from_secs(20);

/// Rows of the outbox are numbered in the order in which their transactions commit, as only one writes at
/// a time, and a number is never given twice. (Databases that let many write at once number rows in
/// another order than they commit them; there the outbox needs a lock, or another order.)
const SHOP: &str = "
CREATE TABLE IF NOT EXISTS stock (
    item  TEXT PRIMARY KEY,
    begun INTEGER NOT NULL,
    count INTEGER NOT NULL CHECK (count >= 0)
);
CREATE TABLE IF NOT EXISTS orders (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    customer TEXT NOT NULL,
    item     TEXT NOT NULL,
    count    INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS outbox (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    topic   TEXT NOT NULL,
    payload TEXT NOT NULL,
    relayed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS open ON outbox (id) WHERE NOT relayed;
";

/// `mails` is what the mailer did, once for each event. `receptions` is all that came, in order, repetitions
/// too; a mailer would do without, but it is what the audit stands on.
const LEDGER: &str = "
CREATE TABLE IF NOT EXISTS mails (
    event INTEGER PRIMARY KEY,
    text  TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS receptions (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    event   INTEGER NOT NULL,
    topic   TEXT NOT NULL,
    payload TEXT NOT NULL
);
";

/// Whether a commit waits until it is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It survives a loss of power.
    Full,
    /// It survives the end of the process, however that ends.
    Normal,
}

pub(crate) fn shop(dir: &Path, durability: Durability) -> Result<Connection> {
    open(&dir.join("shop.db"), durability, SHOP)
}

pub(crate) fn ledger(dir: &Path) -> Result<Connection> {
    open(&dir.join("mailer.db"), Durability::Full, LEDGER)
}

fn open(path: &Path, durability: Durability, tables: &str) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    // Readers and the one writer do not wait for each other.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute_batch(tables)?;
    Ok(connection)
}
