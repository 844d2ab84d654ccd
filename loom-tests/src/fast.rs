//! Hashes for models, under the path that the library expects: a text is its own hash, so that a model
//! chooses which topics meet at one place.

use std::hash::{BuildHasherDefault, Hasher};

pub(crate) type RandomState = BuildHasherDefault<Itself>;

#[derive(Default)]
pub(crate) struct Itself(u64);

impl Hasher for Itself {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
