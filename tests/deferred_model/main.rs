//! Arbitrary trees of deferred buses and arbitrary programs for them, against plain lists: after each step the two
//! agree on what ran, in which order, what is applied, failed, remaining and handed back, and which events live.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod acts;
mod calls;
mod lists;
mod world;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use acts::{Act, act};
use lists::Lists;
use world::Real;

/// Plays the program to both, and then empties all that there is.
fn play(acts: Vec<Act>) -> Result<(), TestCaseError> {
    let (mut real, mut lists) = (Real::new(), Lists::new());
    let ends = (0..lists.multis.len() + acts.len()).map(|multi| Act::Apply {
        multi,
        real: true,
        keep: false,
    });
    for (number, act) in acts.iter().cloned().chain(ends).enumerate() {
        let (said, expected) = (real.step(&act), lists.step(&act));
        prop_assert_eq!(said, expected, "step {}, {:?}", number, act);
        prop_assert_eq!(
            &real.log(),
            &lists.log,
            "step {}, {:?}: what ran",
            number,
            act
        );
        prop_assert_eq!(
            real.alive(),
            lists.alive(),
            "step {}, {:?}: who lives",
            number,
            act
        );
    }
    real.end();
    prop_assert!(real.alive().is_empty(), "all have gone at the end");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::with_cases(400) })]

    #[test]
    fn d1_to_d6_trees_of_buses_do_what_plain_lists_do(acts in prop::collection::vec(act(), 1..60)) {
        play(acts)?;
    }
}
