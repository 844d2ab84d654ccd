use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::Index;
use crate::pattern::Pattern;

thread_local! {
    static VISITS: Cell<usize> = const { Cell::new(0) };
}

/// Called for each node that a segment is tried on, and for each glob that a text is tried on.
/// Ends what would never end.
pub(super) fn count_visit() {
    VISITS.set(VISITS.get() + 1);
    assert!(VISITS.get() < 10_000_000, "this look-up is exponential");
}

fn segmented(text: &str) -> Pattern {
    Pattern::new(text).unwrap()
}

fn flat(text: &str) -> Pattern {
    Pattern::flat(text).unwrap()
}

/// Every entry found, each as often as it was found.
fn found<V: Clone + Ord>(index: &Index<V>, topic: &str) -> Vec<(u64, V)> {
    let mut found = Vec::new();
    index.lookup(topic, |id, value| found.push((id, value.clone())));
    found.sort();
    found
}

fn ids(index: &Index<u32>, topic: &str) -> Vec<u64> {
    found(index, topic).into_iter().map(|(id, _)| id).collect()
}

fn index_of(patterns: &[Pattern]) -> Index<u32> {
    let mut index = Index::new();
    for (id, pattern) in (0..).zip(patterns) {
        index.insert(pattern, id, 0);
    }
    index
}

/// Runs on a stack far smaller than the 2 MB of a usual thread.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(64 * 1024);
    thread.spawn(run).unwrap().join().unwrap();
}

mod model {
    use super::*;

    /// What the index should be: a list, searched with `Pattern::matches`.
    #[derive(Clone, Default)]
    struct Model(BTreeMap<(Pattern, u64), u32>);

    impl Model {
        fn found(&self, topic: &str) -> Vec<(u64, u32)> {
            let matching = self.0.iter().filter(|((it, _), _)| it.matches(topic));
            let mut found: Vec<_> = matching.map(|((_, id), value)| (*id, *value)).collect();
            found.sort();
            found
        }
    }

    #[derive(Clone, Debug)]
    enum Change {
        Insert(Pattern, u64, u32),
        Remove(Pattern, u64),
        /// Removes one of those that are there, chosen by number.
        RemoveAny(usize),
        /// Keeps this version, to be compared in the end.
        Keep,
    }

    /// Few letters, one of them of two bytes, so that patterns collide and cuts go astray.
    fn pattern() -> impl Strategy<Value = Pattern> {
        let segment = "[abé]{1,2}|\\*|\\*\\*|[abé?]{1,3}|[abé]?\\*[abé]?|\\*[abé]\\*|a?\\?b?\\*é?";
        let segments = prop::collection::vec(segment, 1..5);
        let valid = |text: String| Pattern::flat(text).ok();
        prop_oneof![
            3 => segments.prop_map(|it| segmented(&it.join("."))),
            1 => "[abé]{0,2}[*?][abé.]?[*?]?[abé]{0,2}".prop_filter_map("a bad dot", valid),
            1 => "[abé](\\.[abé?*]){0,3}".prop_map(|it| flat(&it)),
        ]
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            8 => (pattern(), 0..4_u64, 0..100_u32)
                .prop_map(|(pattern, id, value)| Change::Insert(pattern, id, value)),
            1 => (pattern(), 0..4_u64).prop_map(|(pattern, id)| Change::Remove(pattern, id)),
            4 => any::<usize>().prop_map(Change::RemoveAny),
            1 => Just(Change::Keep),
        ]
    }

    fn topic() -> impl Strategy<Value = String> {
        prop::collection::vec("[abé]{1,3}", 1..6).prop_map(|it| it.join("."))
    }

    fn apply(change: Change, index: &mut Index<u32>, model: &mut Model) {
        let key = match change {
            Change::Insert(pattern, id, value) => {
                index.insert(&pattern, id, value);
                model.0.insert((pattern, id), value);
                return;
            }
            Change::Remove(pattern, id) => (pattern, id),
            Change::RemoveAny(_) if model.0.is_empty() => return,
            Change::RemoveAny(at) => {
                let at = at % model.0.len();
                model.0.keys().nth(at).unwrap().clone()
            }
            Change::Keep => return,
        };
        assert_eq!(index.remove(&key.0, key.1), model.0.remove(&key));
    }

    /// The same entries, put into an empty index that hashes alike.
    fn rebuilt(index: &Index<u32>, model: &Model) -> Index<u32> {
        let mut new = Index {
            hasher: index.hasher.clone(),
            ..Index::new()
        };
        for ((pattern, id), value) in &model.0 {
            new.insert(pattern, *id, *value);
        }
        new
    }

    proptest! {
        #[test]
        fn a_lookup_finds_what_a_scan_finds_in_every_version(
            changes in prop::collection::vec(change(), 1..80),
            topics in prop::collection::vec(topic(), 1..12),
        ) {
            let (mut index, mut model) = (Index::new(), Model::default());
            let mut versions = Vec::new();
            for change in changes {
                if let Change::Keep = change {
                    versions.push((index.clone(), model.clone()));
                }
                apply(change, &mut index, &mut model);
                prop_assert_eq!(index.len(), model.0.len());
            }
            versions.push((index, model));
            for (index, model) in &versions {
                for topic in &topics {
                    prop_assert_eq!(found(index, topic), model.found(topic), "{}", topic);
                }
            }
        }

        #[test]
        fn what_is_removed_leaves_no_structure_behind(
            changes in prop::collection::vec(change(), 1..80),
        ) {
            let (mut index, mut model) = (Index::new(), Model::default());
            for change in changes {
                apply(change, &mut index, &mut model);
                prop_assert_eq!(index.is_empty(), model.0.is_empty());
            }
            prop_assert_eq!(index.weight(), rebuilt(&index, &model).weight());
        }

        #[test]
        fn removing_everything_leaves_it_empty(
            patterns in prop::collection::vec(pattern(), 1..40),
            order in any::<prop::sample::Index>(),
        ) {
            let mut index = index_of(&patterns);
            let mut left: Vec<_> = (0..).zip(&patterns).collect();
            while !left.is_empty() {
                let (id, pattern) = left.swap_remove(order.index(left.len()));
                prop_assert_eq!(index.remove(pattern, id), Some(0));
            }
            prop_assert!(index.is_empty());
            prop_assert_eq!(index.weight(), 0);
        }
    }
}

#[test]
fn trap_44_exact_and_wildcard_patterns_are_both_found() {
    let index = index_of(&[segmented("a.b"), segmented("a.*"), flat("a.*"), flat("a.b")]);
    assert_eq!(ids(&index, "a.b"), [0, 1, 2, 3]);
}

#[test]
fn a_flat_pattern_without_wildcards_is_not_the_segmented_one() {
    let mut index = Index::new();
    index.insert(&segmented("a.b"), 1, "segmented");
    index.insert(&flat("a.b"), 1, "flat");
    assert_eq!(index.remove(&flat("a.b"), 1), Some("flat"));
    assert_eq!(found(&index, "a.b"), [(1, "segmented")]);
}

#[test]
fn an_id_comes_once_for_each_of_its_patterns_that_match() {
    let mut index = Index::new();
    for pattern in ["a.b", "a.*", "**", "x"] {
        index.insert(&segmented(pattern), 7, 0);
    }
    assert_eq!(ids(&index, "a.b"), [7, 7, 7]);
}

#[test]
fn a_pattern_that_matches_in_many_ways_is_found_once() {
    let index = index_of(&[segmented("**.a.**"), segmented("**.a*.**.*a.**")]);
    assert_eq!(ids(&index, "a.a.a.a.a.a"), [0, 1]);
}

#[test]
fn the_same_pattern_and_id_again_replaces() {
    for pattern in [segmented("a.b"), segmented("a.*"), flat("a*")] {
        let mut index = Index::new();
        index.insert(&pattern, 1, "old");
        index.insert(&pattern, 1, "new");
        assert_eq!(index.len(), 1);
        assert_eq!(found(&index, "a.b"), [(1, "new")]);
    }
}

#[test]
fn removing_what_is_not_there_changes_nothing() {
    let mut index = index_of(&[segmented("a.b"), segmented("a.*.c"), flat("a*")]);
    for pattern in [
        segmented("a.b"),
        segmented("a.*"),
        segmented("a.*.c"),
        segmented("a.*.c.d"),
        flat("a*"),
        flat("a?"),
        flat("b*"),
    ] {
        assert_eq!(index.remove(&pattern, 99), None);
    }
    assert_eq!(index.len(), 3);
    assert_eq!(ids(&index, "a.b"), [0, 2]);
}

#[test]
fn a_removal_keeps_the_patterns_that_share_its_way() {
    let mut index = index_of(&[
        segmented("a.*.c.d"),
        segmented("a.*"),
        segmented("a.*.c.x.y"),
    ]);
    assert_eq!(index.remove(&segmented("a.*.c.d"), 0), Some(0));
    assert_eq!(ids(&index, "a.b.c.d"), [0_u64; 0]);
    assert_eq!(ids(&index, "a.b"), [1]);
    assert_eq!(ids(&index, "a.b.c.x.y"), [2]);
}

#[test]
fn prefixes_and_suffixes_are_cut_between_characters() {
    let index = index_of(&[
        flat("aé*"),
        flat("*éa"),
        flat("a*"),
        flat("aé?éa"),
        flat("é*é"),
    ]);
    assert_eq!(ids(&index, "aéxéa"), [0, 1, 2, 3]);
    assert_eq!(ids(&index, "aé"), [0, 2]);
    assert_eq!(ids(&index, "a語"), [2]);
    assert_eq!(ids(&index, "é"), [0_u64; 0]);
    assert_eq!(ids(&index, "éé"), [4]);
}

#[test]
fn many_values_stand_on_one_pattern() {
    for pattern in [segmented("a.b"), segmented("a.*"), flat("a*")] {
        let mut index = Index::new();
        (0..5_000).for_each(|id| index.insert(&pattern, id, 0));
        let before = index.clone();
        for id in (0..5_000).filter(|id| id % 10 != 3) {
            assert_eq!(index.remove(&pattern, id), Some(0));
        }
        assert_eq!(
            ids(&index, "a.b"),
            (3..5_000).step_by(10).collect::<Vec<_>>()
        );
        assert_eq!(ids(&before, "a.b"), (0..5_000).collect::<Vec<_>>());
    }
}

#[test]
fn no_set_of_patterns_makes_a_lookup_visit_more_than_segments_times_nodes() {
    let way = |stars: usize, end: &str| format!("{}{end}", "**.a.".repeat(stars));
    let patterns = (1..=200).map(|id| segmented(&way(id, ["**", "b", "a*.**.b"][id % 3])));
    let patterns: Vec<_> = patterns.collect();
    let nodes: usize = patterns
        .iter()
        .map(|it| it.as_str().split('.').count())
        .sum();
    let index = index_of(&patterns);
    let topic = vec!["a"; 512].join(".");
    VISITS.set(0);
    let found = ids(&index, &topic);
    assert_eq!(
        found,
        (0..200).filter(|id| (id + 1) % 3 == 0).collect::<Vec<_>>()
    );
    // Those patterns share their ways, so that there are far fewer nodes than segments in them.
    let shared = 2 * 200 + 5 * 200;
    assert!(shared < nodes);
    assert!(VISITS.get() <= 512 * shared, "{} visits", VISITS.get());
}

#[test]
fn patterns_that_do_not_match_are_not_visited() {
    fn visits(pattern: impl Fn(u32) -> Pattern, topic: &str) -> usize {
        let patterns: Vec<_> = (1_000..3_000).map(pattern).collect();
        let index = index_of(&patterns);
        VISITS.set(0);
        assert_eq!(ids(&index, topic), [7], "{}", patterns[7]);
        VISITS.get()
    }
    assert!(
        visits(
            |n| segmented(&format!("user.{n}.*.**.x")),
            "user.1007.name.x"
        ) < 10
    );
    assert!(visits(|n| segmented(&format!("user.a*-{n}.x")), "user.abc-1007.x") < 10);
    assert!(visits(|n| flat(&format!("user-{n}-*")), "user-1007-x") < 10);
    assert!(visits(|n| flat(&format!("*-{n}")), "user-1007") < 10);
    assert!(visits(|n| flat(&format!("user*-{n}")), "user.x-1007") < 10);
}

#[test]
fn the_longest_pattern_needs_no_deep_stack() {
    let literal = segmented(&format!("{}*", "a.".repeat(511)));
    let wild = segmented(&format!("{}b", "a*.**.".repeat(170)));
    let topic = vec!["a"; 512].join(".");
    on_a_small_stack(move || {
        let mut index = index_of(&[literal.clone(), wild.clone()]);
        assert_eq!(ids(&index, &topic), [0]);
        let old = index.clone();
        index.remove(&wild, 1);
        index.insert(&wild, 2, 0);
        drop(old);
        assert_eq!(index.remove(&wild, 2), Some(0));
        assert_eq!(index.remove(&literal, 0), Some(0));
        drop(index_of(&[literal, wild]));
    });
}

#[test]
fn dropping_one_version_keeps_what_the_others_share() {
    let patterns = (0..300).map(|n| segmented(&format!("a{}.*.b{}.**.c*", n % 7, n)));
    let patterns: Vec<_> = patterns.collect();
    let mut index = index_of(&patterns);
    for (id, pattern) in (0..).zip(&patterns[..200]) {
        let old = index.clone();
        index.remove(pattern, id);
        drop(old);
    }
    for (id, topic) in (200..300).map(|n| (n, format!("a{}.x.b{n}.y.z.cc", n % 7))) {
        assert_eq!(ids(&index, &topic), [id]);
    }
}

#[test]
fn an_index_goes_to_other_threads_with_its_values() {
    fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Index<std::sync::Arc<str>>>();
}
