//! Numbers that look random and are the same for the same seed.

pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(mix(seed))
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0) % limit
    }

    pub(crate) fn one_in(&mut self, limit: u64) -> bool {
        self.below(limit) == 0
    }

    pub(crate) fn pick<V: Copy>(&mut self, from: &[V]) -> V {
        from[self.below(from.len() as u64) as usize]
    }

    /// Passes a moment of a length that differs from call to call.
    pub(crate) fn dawdle(&mut self) {
        match self.below(16) {
            0 => std::thread::yield_now(),
            1 => std::thread::sleep(std::time::Duration::from_micros(self.below(200))),
            _ => {
                for _ in 0..self.below(300) {
                    std::hint::spin_loop();
                }
            }
        }
    }
}

/// Whether one event in `limit` has this property, by its number; none for a limit of zero.
pub(crate) fn chance(id: u64, property: u64, limit: u64) -> bool {
    limit > 0 && mix(id ^ property << 56).is_multiple_of(limit)
}

/// Spreads neighbouring numbers over all numbers (splitmix64).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
