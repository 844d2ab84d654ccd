//! A process that works until it is killed, and the one that kills it.
//!
//! The victim says on its standard output what it has just done, a [`Step`] on each line, so that it is
//! killed at a moment of its work, not of a clock. It can be told to stop at a certain step: the thread
//! that took it is held there, and every other at its next step, until the process is killed.

use std::io::{self, BufRead, BufReader, Lines, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::{fmt, process, thread};

use chanbus::Commit;

use crate::Failure;
use crate::shop::{Order, Refusal};
use crate::step::{Step, Watch};
use crate::works::Works;

/// What is sold.
pub(crate) const ITEMS: [&str; 3] = ["apple", "bread", "cheese"];
pub(crate) const CUSTOMERS: [&str; 4] = ["ada", "brian", "chloe", "dev"];

/// Where the victim stops: at the n-th step of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) step: String,
    pub(crate) nth: u32,
}

impl Hold {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (step, nth) = text.split_once(':')?;
        Some(Hold {
            step: step.to_owned(),
            nth: nth.parse().ok()?,
        })
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.step, self.nth)
    }
}

// ---- the victim ----

/// Places orders without end, some of them refused and some dry, while relay and mailer work. Now and then
/// it waits until all is relayed, so that there are quiet moments, too.
pub(crate) fn work(dir: &Path, capacity: usize, hold: Option<Hold>) -> Result<(), Failure> {
    // Whoever watches has the other end, and never writes: its end is the end of this.
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(1);
    });
    let (marks, marked) = channel();
    let mut works = Works::start(dir, capacity, &saying(hold, marks))?;
    for number in 0_usize.. {
        let order = Order {
            customer: CUSTOMERS[number % CUSTOMERS.len()],
            item: ITEMS[number % ITEMS.len()],
            // Now and then more than there is.
            count: if number % 5 == 4 { 2_000_000_000 } else { 1 },
        };
        let commit = match number % 7 {
            6 => Commit::DryRun,
            _ => Commit::Real,
        };
        match works.shop.place(&order, commit) {
            Ok(receipt) if commit.is_real() && number % 8 == 3 => {
                while marked.recv()? < receipt.last {}
            }
            Ok(_) | Err(Refusal::OutOfStock(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Says each step, and stops at one; which rows are marked it says inside, too.
fn saying(hold: Option<Hold>, marks: Sender<i64>) -> Watch {
    let (seen, held) = (AtomicU32::new(0), AtomicBool::new(false));
    Arc::new(move |step| {
        // Sequentially consistent, as nothing here is in a hurry.
        if held.load(Ordering::SeqCst) {
            sleep_for_ever();
        }
        let here = hold.as_ref().is_some_and(|hold| {
            hold.step == step.name() && seen.fetch_add(1, Ordering::SeqCst) + 1 == hold.nth
        });
        if here {
            held.store(true, Ordering::SeqCst);
        }
        // With the other end gone there is nobody to tell.
        let _ = match here {
            true => writeln!(io::stdout(), "held {step}"),
            false => writeln!(io::stdout(), "{step}"),
        };
        if here {
            sleep_for_ever();
        }
        if let Step::Marked(id) = step {
            let _ = marks.send(id);
        }
    })
}

fn sleep_for_ever() -> ! {
    loop {
        thread::park();
    }
}

// ---- the one that kills it ----

/// What a victim says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Did(Step),
    /// It did that, and stands still.
    Held(Step),
}

/// A process that is killed at the latest when this is dropped.
pub(crate) struct Victim {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    _watched: Option<ChildStdin>,
}

impl Victim {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let said = child.stdout.take().ok_or("a child without an output")?;
        Ok(Victim {
            said: BufReader::new(said).lines(),
            _watched: child.stdin.take(),
            child,
        })
    }

    /// The next thing that it says; nothing once it has ended.
    pub(crate) fn listen(&mut self) -> Result<Option<Said>, Failure> {
        for line in &mut self.said {
            let line = line?;
            let said = match line.strip_prefix("held ") {
                Some(step) => Step::parse(step).map(Said::Held),
                None => Step::parse(&line).map(Said::Did),
            };
            // Others talk there as well, as the harness of tests does.
            if said.is_some() {
                return Ok(said);
            }
        }
        Ok(None)
    }

    /// By SIGKILL, where there is such a thing: it cannot tidy up.
    pub(crate) fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
