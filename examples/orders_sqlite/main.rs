//! Orders in a database, and events that are neither lost nor made up, whenever the program dies: an
//! outbox table.
//!
//! ```text
//! cargo run --release --example orders_sqlite              # in a directory of its own, removed at the end
//! cargo run --release --example orders_sqlite -- shop      # in ./shop, which is kept, and can be gone on with
//! ```
//!
//! ```text
//! shop --one transaction--> orders, stock, outbox --relay--> bus --> mailer --> its own books
//!                                            ^                          |
//!                                            +------- "done up to" -----+
//! ```
//!
//! An emit from inside a transaction may tell of an order that is then rolled back; one after the commit is
//! lost if the process dies in between. So an order and its events are written in one transaction, the
//! events to the table `outbox`. A relay reads that table in order and emits its rows on a bus. A row is
//! marked as relayed when the mailer has acknowledged it, which it does when its own work is committed:
//! to be in a queue, in memory, is not enough. So each event arrives at least once and first arrivals are in
//! order; the mailer knows those that come again by their number (`relay.rs` has the protocol, `database.rs`
//! says what survives what).
//!
//! (`chanbus::Outbox` is the same in memory: all events or none, and none after a crash. It suits events that
//! mean nothing to the next process.)
//!
//! The program takes orders, tries one out, and has one refused. Then it starts itself again, twice, and
//! kills that process by SIGKILL: once when orders are committed and the relay stands still, once when the
//! mailer has done its work and has not said so. At the end it compares all that is on the disk.
//!
//! | Exit code | |
//! |---|---|
//! | 0 | every event of every order arrived, in order, and no other |
//! | 1 | not so, or something failed |
//! | 2 | the command line is wrong |

#![allow(
    clippy::print_stderr,
    reason = "an example talks to the person who runs it"
)]

mod audit;
mod crash;
mod database;
mod mailer;
mod notice;
mod outbox;
mod relay;
mod room;
mod shop;
mod step;
mod works;

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use chanbus::Commit;
use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::audit::Books;
use crate::crash::{CUSTOMERS, Hold, ITEMS, Said, Victim};
use crate::room::Room;
use crate::shop::{Order, Refusal};
use crate::step::{Step, Watch};
use crate::works::{Done, Works};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Orders that are taken before anything goes wrong.
const ORDERS: usize = 100;
/// The mailer's queue: so small that the relay finds it full, and has to try again.
const CAPACITY: usize = 16;
/// The first word of a command line that makes this process a victim.
const VICTIM: &str = "--victim";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let result = match arguments.as_slice() {
        [] => Room::new()
            .map_err(Failure::from)
            .and_then(|room| run(&room)),
        [word, dir, hold] if word == VICTIM => {
            let hold = hold.to_str().and_then(Hold::parse);
            crash::work(Path::new(dir), CAPACITY, hold)
        }
        [dir] if !dir.to_string_lossy().starts_with('-') => Room::at(PathBuf::from(dir))
            .map_err(Failure::from)
            .and_then(|room| run(&room)),
        _ => {
            eprintln!("usage: orders_sqlite [DIR]");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orders_sqlite: {error}");
            ExitCode::from(1)
        }
    }
}

fn run(room: &Room) -> Result<(), Failure> {
    let dir = room.path();
    let before = Books::read(dir)?;
    agreed(&before.complaints())?;
    if !before.orders.is_empty() {
        let (orders, open) = (before.orders.len(), before.unrelayed());
        print(&format!(
            "going on: {orders} orders, {open} events not yet relayed\n"
        ))?;
    }

    let done = take_orders(dir, &before)?;
    report("took orders", dir, &done)?;

    let lost = crash_at(dir, "read:8", "events are committed and not relayed")?;
    if lost.unreceived() == 0 {
        return Err("it was to be killed between commit and relay".into());
    }
    report("began again", dir, &go_on(dir)?)?;
    let done = crash_at(dir, "booked:2", "the mailer's work is done, and not marked")?;
    if done.unrelayed() <= done.unreceived() {
        return Err("it was to be killed between the work and its mark".into());
    }
    report("began again", dir, &go_on(dir)?)?;

    let books = Books::read(dir)?;
    agreed(&books.complaints_at_the_end())?;
    let (orders, events) = (books.orders.len(), books.rows.len());
    let (receptions, again) = (books.receptions.len(), books.repetitions());
    let mails = books.mails.len();
    print(&format!(
        "\n{orders:>9} orders\n{events:>9} events of theirs\n{receptions:>9} receptions by the mailer\n\
         {again:>9} of them repetitions\n{mails:>9} mails: one for each event, in order\n"
    ))
}

/// A life in which nothing goes wrong.
fn take_orders(dir: &Path, before: &Books) -> Result<Done, Failure> {
    // Rows that an earlier run has left are relayed, too.
    let length = (ORDERS * 2 + before.unrelayed()) as u64;
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(10));
    let marked = before.rows.iter().rfind(|row| row.relayed);
    let marked = marked.map_or(0, |row| row.event.id);
    let mut works = Works::start(dir, CAPACITY, &counting(&bar, marked))?;
    for item in ITEMS {
        works.shop.deliver(item, 1_000_000)?;
    }
    for number in 0..ORDERS {
        let order = Order {
            customer: CUSTOMERS[number % CUSTOMERS.len()],
            item: ITEMS[number % ITEMS.len()],
            count: 1 + number as u32 % 9,
        };
        works.shop.place(&order, Commit::Real)?;
    }

    let order = Order {
        customer: "ada",
        item: "bread",
        count: 12,
    };
    let receipt = works.shop.place(&order, Commit::DryRun)?;
    let would = receipt.notices.iter().map(|notice| notice.topic());
    let would = would.collect::<Vec<_>>().join(" and ");
    bar.suspend(|| print(&format!("tried out: {order:?} would emit {would}\n")))?;

    let much = Order {
        count: u32::MAX,
        ..order
    };
    match works.shop.place(&much, Commit::Real) {
        Err(refusal @ Refusal::OutOfStock(_)) => {
            bar.suspend(|| print(&format!("refused: {much:?}, as {refusal}\n")))?;
        }
        other => return Err(format!("{much:?} should be refused, and is {other:?}").into()),
    }
    let done = works.finish();
    bar.finish_and_clear();
    done
}

/// Shows how many rows are marked, after this one.
fn counting(bar: &ProgressBar, marked: i64) -> Watch {
    let bar = bar.clone();
    Arc::new(move |step| {
        if let Step::Marked(id) = step {
            bar.set_position(u64::try_from(id - marked).unwrap_or(0));
        }
    })
}

/// Starts this program as one that takes orders, and kills it where it is told to stand still; what is left.
fn crash_at(dir: &Path, hold: &str, so: &str) -> Result<Books, Failure> {
    let mut command = Command::new(env::current_exe()?);
    let mut victim = Victim::start(command.arg(VICTIM).arg(dir).arg(hold))?;
    let step = loop {
        match victim.listen()? {
            Some(Said::Held(step)) => break step,
            Some(Said::Did(_)) => {}
            None => return Err("it ended before it was killed".into()),
        }
    };
    victim.kill()?;

    let books = Books::read(dir)?;
    agreed(&books.complaints())?;
    let (open, unreceived) = (books.unrelayed(), books.unreceived());
    print(&format!(
        "killed a process at \"{step}\": {so}\n    \
         {open} events are not marked as relayed, {unreceived} of them never arrived\n"
    ))?;
    Ok(books)
}

/// A life in which only the outbox is relayed.
fn go_on(dir: &Path) -> Result<Done, Failure> {
    Works::start(dir, CAPACITY, &step::nobody())?.finish()
}

fn report(what: &str, dir: &Path, done: &Done) -> Result<(), Failure> {
    let books = Books::read(dir)?;
    agreed(&books.complaints_at_the_end())?;
    let (relayed, booked) = (done.relayed, done.booked);
    if relayed.refused != done.stats.dropped {
        let dropped = done.stats.dropped;
        return Err(format!("{} rows refused, {dropped} dropped", relayed.refused).into());
    }
    print(&format!(
        "{what}: relayed {} events; {} times the queue was full, and the row was tried again;\n    \
         {} were new to the mailer, {} it had already\n",
        relayed.emitted, relayed.refused, booked.new, booked.again
    ))
}

/// One line for each complaint, as an error.
fn agreed(complaints: &[String]) -> Result<(), Failure> {
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(complaints.join("\n").into())
    }
}

/// Prints, unless the reader has left, as `head` does. The sums go on.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
