//! Whether to act, or only to try.

use std::fmt;

/// Whether effects are to act, or only to try. Each effect is told, and decides what that means for it.
///
/// Nothing acts unless told so: the default is a dry run.
///
/// ```
/// use chanbus::Commit;
///
/// assert_eq!(Commit::default(), Commit::DryRun);
/// assert!(Commit::from(true).is_real());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Commit {
    /// Check all that can be checked, and change nothing. Each effect is tried against the state as it is: it does not see
    /// what those before it would have done, and so may pass or fail where the real one does not.
    #[default]
    DryRun,
    /// Act.
    Real,
}

impl Commit {
    /// Whether to act.
    ///
    /// ```
    /// # use chanbus::Commit;
    /// assert!(Commit::Real.is_real());
    /// ```
    #[must_use]
    pub fn is_real(self) -> bool {
        self == Commit::Real
    }

    /// Whether to try only.
    ///
    /// ```
    /// # use chanbus::Commit;
    /// assert!(Commit::DryRun.is_dry_run());
    /// ```
    #[must_use]
    pub fn is_dry_run(self) -> bool {
        self == Commit::DryRun
    }
}

/// `true` is [`Real`](Commit::Real): for a `--commit` on a command line.
impl From<bool> for Commit {
    fn from(commit: bool) -> Self {
        match commit {
            true => Commit::Real,
            false => Commit::DryRun,
        }
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Commit::DryRun => "dry run",
            Commit::Real => "commit",
        })
    }
}
