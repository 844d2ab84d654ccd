//! Who of a route is passed by.

use smallvec::SmallVec;

/// The places of a route that do not have the event. Nothing to keep while everybody gets it.
pub(super) enum Skipped {
    Nobody,
    /// One bit a place.
    Some(SmallVec<[u64; 8]>),
}

impl Skipped {
    #[inline]
    pub(super) fn contains(&self, place: usize) -> bool {
        match self {
            Skipped::Nobody => false,
            Skipped::Some(bits) => bits[place / 64] & (1 << (place % 64)) != 0,
        }
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Skipped::Nobody => 0,
            Skipped::Some(bits) => bits.iter().map(|bits| bits.count_ones() as usize).sum(),
        }
    }

    #[cold]
    pub(super) fn insert(&mut self, place: usize, places: usize) {
        if let Skipped::Nobody = self {
            *self = Skipped::Some(SmallVec::from_elem(0, places.div_ceil(64)));
        }
        if let Skipped::Some(bits) = self {
            bits[place / 64] |= 1 << (place % 64);
        }
    }
}
