//! The command line.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pico_args::Arguments;

use crate::rounds::Effort;

pub(crate) enum Task {
    Measure(Measure),
    /// Writes the generated parts of pages, and the pictures, from a report.
    Render {
        json: PathBuf,
        pages: Pages,
    },
    /// Fails if they differ from what the report gives.
    Check {
        json: PathBuf,
        pages: Pages,
    },
    Nothing(&'static str),
}

/// Pages with a generated part.
pub(crate) struct Pages {
    pub(crate) readme: PathBuf,
    pub(crate) comparison: PathBuf,
}

pub(crate) struct Measure {
    pub(crate) effort: Effort,
    /// Rows whose name contains this.
    pub(crate) rows: String,
    pub(crate) json: PathBuf,
    pub(crate) markdown: PathBuf,
}

const USAGE: &str = "\
cargo bench --bench compare -- [OPTIONS]

  --rows TEXT            only rows whose name contains TEXT
  --quick                fewer rounds: under a minute
  --full                 tails over 10 million emits instead of 1 million
  --json PATH            where the report goes (target/compare.json)
  --markdown PATH        and the same as Markdown (target/compare.md)
  --render JSON README COMPARISON
                         measure nothing: write the generated parts of both pages, and the
                         pictures beside JSON
  --check JSON README COMPARISON
                         measure nothing: fail if they are not what JSON gives
  --test                 every row once, very short, nothing written";

/// Whoever runs the program by hand gives one of these.
const OWN: [&str; 6] = [
    "--rows", "--quick", "--full", "--render", "--check", "--help",
];

/// Options of the other benchmarks, which come here too when all are run at once.
const CRITERIONS: [&str; 4] = ["--baseline", "--save-baseline", "--load-baseline", "--list"];

pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Task, Box<dyn Error>> {
    let mut args: Vec<OsString> = args.collect();
    if args
        .iter()
        .any(|arg| CRITERIONS.iter().any(|known| arg == known))
    {
        return Ok(Task::Nothing(
            "compare: has no baselines, so nothing was measured",
        ));
    }
    // Cargo's mark for `cargo bench`. Without it this is `cargo test`, whose filters and options are
    // for tests and none of which apply here.
    let bench = take_flag(&mut args, "--bench");
    let asked = args.iter().any(|arg| OWN.iter().any(|known| arg == known));
    if take_flag(&mut args, "--test") || !(bench || asked) {
        return Ok(Task::Measure(measure(
            Effort::Smoke,
            &mut Arguments::from_vec(args),
        )?));
    }

    let mut args = Arguments::from_vec(args);
    if args.contains(["-h", "--help"]) {
        return Ok(Task::Nothing(USAGE));
    }
    let task = if args.contains("--render") {
        let json = free_path(&mut args)?;
        let pages = pages(&mut args)?;
        Task::Render { json, pages }
    } else if args.contains("--check") {
        let json = free_path(&mut args)?;
        let pages = pages(&mut args)?;
        Task::Check { json, pages }
    } else {
        let effort = match (args.contains("--quick"), args.contains("--full")) {
            (true, true) => return Err("--quick and --full exclude each other".into()),
            (true, false) => Effort::Quick,
            (false, true) => Effort::Full,
            (false, false) => Effort::Normal,
        };
        Task::Measure(measure(effort, &mut args)?)
    };
    match args.finish().first() {
        None => Ok(task),
        Some(unknown) => Err(format!("not an option: {}\n\n{USAGE}", unknown.display()).into()),
    }
}

fn measure(effort: Effort, args: &mut Arguments) -> Result<Measure, Box<dyn Error>> {
    let mut path = |option, name| -> Result<PathBuf, Box<dyn Error>> {
        let given: Option<PathBuf> = args.opt_value_from_str(option)?;
        Ok(given.unwrap_or_else(|| target().join(name)))
    };
    Ok(Measure {
        effort,
        json: path("--json", "compare.json")?,
        markdown: path("--markdown", "compare.md")?,
        rows: args.opt_value_from_str("--rows")?.unwrap_or_default(),
    })
}

fn take_flag(args: &mut Vec<OsString>, flag: &str) -> bool {
    let before = args.len();
    args.retain(|arg| arg != flag);
    args.len() < before
}

fn pages(args: &mut Arguments) -> Result<Pages, Box<dyn Error>> {
    let readme = free_path(args)?;
    let comparison = free_path(args)?;
    Ok(Pages { readme, comparison })
}

fn free_path(args: &mut Arguments) -> Result<PathBuf, Box<dyn Error>> {
    args.free_from_str()
        .map_err(|error| format!("{error}\n\n{USAGE}").into())
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
        PathBuf::from,
    )
}
