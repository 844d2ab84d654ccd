//! What is told at the end.

use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::path::Path;
use std::time::Duration;

use chanbus::BusStats;

use crate::event::shown;
use crate::subscribers::{Errors, Extension, Largest, Slow, Totals};

/// How many extensions are listed one by one.
const EXTENSIONS: usize = 10;

pub(crate) struct Report<'a> {
    pub(crate) totals: &'a Totals,
    pub(crate) largest: &'a Largest,
    pub(crate) errors: &'a Errors,
    pub(crate) slow: &'a Slow,
    pub(crate) stats: &'a BusStats,
    pub(crate) complaints: &'a [String],
    pub(crate) elapsed: Duration,
    pub(crate) interrupted: bool,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.totals(f)?;
        self.largest(f)?;
        self.extensions(f)?;
        self.slow(f)?;
        writeln!(f, "\n{}\n", self.stats)?;
        self.audit(f)
    }
}

impl Report<'_> {
    fn totals(&self, f: &mut impl Write) -> fmt::Result {
        let totals = self.totals;
        let partial = if self.interrupted {
            " so far (interrupted: partial)"
        } else {
            ""
        };
        writeln!(f, "\ntotals{partial}")?;
        writeln!(f, "  files        {}", totals.files)?;
        writeln!(f, "  directories  {}", totals.dirs)?;
        writeln!(f, "  links        {}", totals.links)?;
        writeln!(f, "  others       {}", totals.others)?;
        writeln!(f, "  bytes        {}", totals.bytes)?;
        writeln!(f, "  errors       {}", self.errors.count)?;
        writeln!(f, "  seconds      {:.3}", self.elapsed.as_secs_f64())
    }

    fn largest(&self, f: &mut impl Write) -> fmt::Result {
        if self.largest.files.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{:>15}  largest files", "bytes")?;
        for (bytes, path) in &self.largest.files {
            writeln!(f, "{bytes:>15}  {}", shown(path))?;
        }
        Ok(())
    }

    fn extensions(&self, f: &mut impl Write) -> fmt::Result {
        let mut extensions: Vec<_> = self.totals.by_extension.iter().collect();
        if extensions.is_empty() {
            return Ok(());
        }
        // The most bytes first, equal ones by name.
        extensions.sort_unstable_by(|(name, sum), (other_name, other)| {
            (other.bytes, name).cmp(&(sum.bytes, other_name))
        });
        writeln!(f, "\n{:>15} {:>9}  extension", "bytes", "files")?;
        let (listed, rest) = extensions.split_at(extensions.len().min(EXTENSIONS));
        for (name, sum) in listed {
            let name = match name {
                Some(name) => format!(".{}", shown(Path::new::<OsStr>(name))),
                None => "(none)".to_owned(),
            };
            writeln!(f, "{:>15} {:>9}  {name}", sum.bytes, sum.files)?;
        }
        if !rest.is_empty() {
            let mut sum = Extension::default();
            for (_, other) in rest {
                sum.files += other.files;
                sum.bytes += other.bytes;
            }
            let name = format!("({} others)", rest.len());
            writeln!(f, "{:>15} {:>9}  {name}", sum.bytes, sum.files)?;
        }
        Ok(())
    }

    fn slow(&self, f: &mut impl Write) -> fmt::Result {
        let Slow {
            taken,
            missed,
            gaps,
        } = self.slow;
        writeln!(
            f,
            "\nthe slow subscriber took {taken} events and missed {missed} (gaps: {gaps})"
        )
    }

    fn audit(&self, f: &mut impl Write) -> fmt::Result {
        if self.complaints.is_empty() {
            return writeln!(
                f,
                "every event is accounted for: matched = received + dropped + filtered + conflated"
            );
        }
        writeln!(f, "NOT every event is accounted for:")?;
        for complaint in self.complaints {
            writeln!(f, "  {complaint}")?;
        }
        Ok(())
    }
}
