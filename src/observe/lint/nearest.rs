//! The nearest of many, with bounded work.

use crate::observe::near::NearMiss;

/// How many near ones are told with each finding.
const NEAR: usize = 3;
/// How many pairs of a pattern and a topic are compared, over all.
const WORK: usize = 50_000;

/// What may still be compared.
pub(super) struct Work {
    left: usize,
    pub(super) cut: bool,
}

impl Work {
    pub(super) fn new() -> Self {
        Work {
            left: WORK,
            cut: false,
        }
    }

    fn take(&mut self, pairs: usize) -> bool {
        match self.left.checked_sub(pairs) {
            Some(left) => self.left = left,
            None => self.cut = true,
        }
        !self.cut
    }
}

/// The nearest misses among these, each text once.
pub(super) fn nearest<I>(
    all: impl IntoIterator<Item = I>,
    miss: impl Fn(I) -> Option<NearMiss>,
    work: &mut Work,
) -> Vec<NearMiss> {
    let mut found: Vec<NearMiss> = Vec::new();
    for one in all {
        if !work.take(1) {
            break;
        }
        if let Some(miss) = miss(one)
            && !found.contains(&miss)
        {
            found.push(miss);
        }
    }
    found.sort_by_key(|miss| miss.reason.rank());
    // One that is really near says more than many that share all but a segment.
    if found.first().is_some_and(|miss| !miss.reason.is_other()) {
        found.retain(|miss| !miss.reason.is_other());
    }
    found.truncate(NEAR);
    found
}
