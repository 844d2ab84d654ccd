//! The crash test: a process that takes orders is killed fifty times, and goes on with the same databases.
//!
//! Half of the kills are aimed: the victim stands still at a certain step, the n-th of its kind in this
//! life. The other half come a moment after the victim has said so many things. What the databases hold right
//! after a kill says where it fell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use crate::audit::Books;
use crate::common::{Dice, guarded, soaked};
use crate::crash::{self, Hold, ITEMS, Said, Victim};
use crate::room::Room;
use crate::step::{self, Step};
use crate::works::{Done, Works};

const KILLS: usize = 50;
/// Kills that are aimed, by the step at which the victim stands still. At `read` a row is committed and not
/// emitted; at `booked` it is done and not marked.
const AIMED: [(&str, usize); 5] = [
    ("written", 3),
    ("committed", 4),
    ("read", 12),
    ("emitted", 2),
    ("booked", 4),
];
/// At least so many must find rows that are committed, and that the consumer has not got.
const BETWEEN: usize = 10;
const SEED: u64 = 20;
/// The mailer's queue: so small that it is full at times.
const CAPACITY: usize = 4;

const DIR: &str = "CHANBUS_ORDERS_DIR";
const HOLD: &str = "CHANBUS_ORDERS_HOLD";

/// Where a kill fell, by what was on the disk afterwards.
#[derive(Debug, Default)]
struct Fell {
    /// Rows were committed, and had not arrived.
    between: usize,
    /// Besides, or instead: rows had arrived, and were not marked.
    unmarked: usize,
    /// All was relayed.
    quiet: usize,
    /// By the last step that the victim took, aimed or not.
    last_words: BTreeMap<&'static str, usize>,
}

/// Not a test: the process that the crash test kills.
#[test]
#[ignore = "the crash test starts it"]
fn victim() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let hold = std::env::var(HOLD).ok();
    let hold = hold.map(|hold| Hold::parse(&hold).unwrap());
    crash::work(Path::new(&dir), CAPACITY, hold).unwrap();
}

#[test]
fn fifty_kills_lose_nothing_and_keep_the_order() {
    for round in 0..soaked(1) {
        fifty_kills(SEED + round);
    }
}

fn fifty_kills(seed: u64) {
    let begun = Instant::now();
    let room = Room::new().unwrap();
    live(room.path(), |works| {
        for item in ITEMS {
            works.shop.deliver(item, 1_000_000).unwrap();
        }
    });

    let mut dice = Dice::new(seed);
    let (mut said, mut fell) = (BTreeSet::new(), Fell::default());
    for aim in plan(&mut dice) {
        let kill = Kill::new(aim, &mut dice);
        let told = kill.to_string();
        let dir = room.path().to_owned();
        let Life {
            held,
            last,
            committed,
        } = guarded(move || kill.run(&dir));
        said.extend(committed);
        *fell.last_words.entry(last).or_default() += 1;
        let books = Books::read(room.path()).unwrap();
        assert_eq!(books.complaints(), [""; 0], "after {told}");
        // What a victim said is committed is there in every later life.
        let there: BTreeSet<i64> = books.orders.iter().map(|order| order.id).collect();
        assert!(said.is_subset(&there), "after {told}");
        if let Some(step) = held {
            check(step, &books);
        }
        fell.count(&books);
    }

    // A last life, in which nothing goes wrong.
    let done = live(room.path(), |_| {});
    let books = Books::read(room.path()).unwrap();
    assert_eq!(books.complaints_at_the_end(), [""; 0]);
    assert_eq!(done.stats.dropped, done.relayed.refused);
    // Those that were done and not marked came again.
    assert!(books.repetitions() > 0);
    println!(
        "seed {seed}: {fell:?}; {} orders, {} events, {} of them came again; {:?}",
        books.orders.len(),
        books.rows.len(),
        books.repetitions(),
        begun.elapsed()
    );
    assert!(fell.between >= BETWEEN, "{fell:?}");
}

/// A life that comes to its end.
fn live(dir: &Path, act: fn(&Works)) -> Done {
    let dir = dir.to_owned();
    guarded(move || {
        let works = Works::start(&dir, CAPACITY, &step::nobody()).unwrap();
        act(&works);
        works.finish().unwrap()
    })
}

/// The aims of all kills, in an order of chance.
fn plan(dice: &mut Dice) -> Vec<Option<&'static str>> {
    let mut aims = Vec::new();
    for (step, count) in AIMED {
        aims.extend(std::iter::repeat_n(Some(step), count));
    }
    aims.resize(KILLS, None);
    for place in (1..aims.len()).rev() {
        aims.swap(place, dice.below(place as u64 + 1) as usize);
    }
    aims
}

/// One life, and its end.
struct Kill {
    hold: Option<Hold>,
    /// Without a hold: the kill comes after so many words,
    words: u64,
    /// and then a moment.
    moment: Duration,
}

impl Kill {
    fn new(aim: Option<&str>, dice: &mut Dice) -> Self {
        Kill {
            hold: aim.map(|step| Hold {
                step: step.to_owned(),
                nth: 1 + dice.below(10) as u32,
            }),
            words: dice.below(300),
            moment: Duration::from_micros(dice.below(2_000)),
        }
    }

    fn run(self, dir: &Path) -> Life {
        let mut command = this_test(dir.to_owned());
        if let Some(hold) = &self.hold {
            command.env(HOLD, hold.to_string());
        }
        let mut victim = Victim::start(&mut command).unwrap();
        let mut life = Life {
            held: None,
            last: "nothing",
            committed: Vec::new(),
        };
        let mut words = 0;
        while words < self.words || self.hold.is_some() {
            let said = victim
                .listen()
                .unwrap()
                .expect("it works until it is killed");
            life.note(said);
            words += 1;
            if life.held.is_some() {
                break;
            }
        }
        thread::sleep(self.moment);
        killed(victim.kill().unwrap());
        // What it had said when it was killed.
        while let Some(said) = victim.listen().unwrap() {
            life.note(said);
        }
        life
    }
}

/// What a victim said of itself.
struct Life {
    /// Where it stood still.
    held: Option<Step>,
    last: &'static str,
    /// The orders that it committed.
    committed: Vec<i64>,
}

impl Life {
    fn note(&mut self, said: Said) {
        let (Said::Did(step) | Said::Held(step)) = said;
        self.last = step.name();
        if let Step::Committed(id) = step {
            self.committed.push(id);
        }
        if let Said::Held(_) = said {
            self.held = Some(step);
        }
    }
}

impl std::fmt::Display for Kill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.hold {
            Some(hold) => write!(f, "a kill at {hold}"),
            None => write!(f, "a kill after {} words and {:?}", self.words, self.moment),
        }
    }
}

/// This executable, as a victim.
fn this_test(dir: PathBuf) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["kills::victim", "--exact", "--ignored", "--nocapture"]);
    command.env(DIR, dir).env_remove(HOLD);
    command
}

/// By the kill, and by nothing before it.
#[cfg(unix)]
fn killed(status: ExitStatus) {
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(status.signal(), Some(9), "{status}");
}

#[cfg(not(unix))]
fn killed(status: ExitStatus) {
    assert!(!status.success(), "{status}");
}

/// The victim stood still there, so this is certain.
fn check(step: Step, books: &Books) {
    let ordered = |id| books.orders.iter().any(|order| order.id == id);
    let marked = |id| {
        let row = books.rows.iter().find(|row| row.event.id == id);
        row.expect("a row that was relayed").relayed
    };
    match step {
        Step::Written(order) => assert!(!ordered(order), "{step}"),
        Step::Committed(order) => assert!(ordered(order), "{step}"),
        Step::Read(row) | Step::Emitted(row) => assert!(!marked(row), "{step}"),
        Step::Booked(row) => {
            assert!(books.mails.contains(&row), "{step}");
            assert!(!marked(row), "{step}");
        }
        Step::Marked(row) => assert!(marked(row), "{step}"),
    }
}

impl Fell {
    fn count(&mut self, books: &Books) {
        let (unrelayed, unreceived) = (books.unrelayed(), books.unreceived());
        self.between += usize::from(unreceived > 0);
        self.unmarked += usize::from(unrelayed > unreceived);
        self.quiet += usize::from(unrelayed == 0);
    }
}
