use std::collections::BTreeMap;

use proptest::prelude::*;

use super::Trie;

/// Hashes that agree in many bits, or in all: at the top, in the middle, at the bottom.
fn hash(key: u8) -> u64 {
    const HASHES: [u64; 8] = [0, 1, 16, 17, 1 << 32, 1 << 60, 1 << 63, u64::MAX];
    HASHES[usize::from(key) % HASHES.len()]
}

fn insert(trie: &mut Trie<u8, u32>, key: u8, value: u32) {
    *trie.entry(hash(key), &key, || (key, 0)) = value;
}

fn entries(trie: &Trie<u8, u32>) -> BTreeMap<u8, u32> {
    let mut entries = BTreeMap::new();
    trie.each(&mut |at, key, value| {
        assert_eq!(at, hash(*key));
        assert_eq!(entries.insert(*key, *value), None);
    });
    entries
}

proptest! {
    #[test]
    fn it_is_a_map_whatever_the_hashes(
        changes in prop::collection::vec((0..32_u8, prop::option::weighted(0.6, any::<u32>())), 1..120),
    ) {
        let (mut trie, mut model) = (Trie::default(), BTreeMap::new());
        let mut versions = Vec::new();
        for (key, value) in changes {
            versions.push((trie.clone(), model.clone()));
            prop_assert_eq!(trie.get(hash(key), &key), model.get(&key));
            prop_assert_eq!(trie.get_mut(hash(key), &key), model.get_mut(&key));
            match value {
                Some(value) => {
                    insert(&mut trie, key, value);
                    model.insert(key, value);
                }
                None => {
                    let was_there = model.remove(&key).is_some();
                    prop_assert_eq!(trie.remove(hash(key), &key), was_there);
                }
            }
            prop_assert_eq!(trie.is_empty(), model.is_empty());
            prop_assert_eq!(trie.is_single(), model.len() == 1);
        }
        versions.push((trie, model));
        for (trie, model) in &versions {
            prop_assert_eq!(&entries(trie), model);
        }
    }

    #[test]
    fn its_shape_does_not_depend_on_its_history(
        kept in prop::collection::btree_set(0..64_u8, 0..24),
        removed in prop::collection::vec(0..64_u8, 0..48),
    ) {
        let (mut trie, mut fresh) = (Trie::default(), Trie::default());
        let removed: Vec<_> = removed.into_iter().filter(|key| !kept.contains(key)).collect();
        for key in removed.iter().chain(&kept) {
            insert(&mut trie, *key, 0);
        }
        for key in &removed {
            trie.remove(hash(*key), key);
        }
        for key in &kept {
            insert(&mut fresh, *key, 0);
        }
        prop_assert_eq!(trie.weight(|_| 0), fresh.weight(|_| 0));
    }
}

#[test]
fn what_a_clone_shares_is_not_among_what_dies() {
    let mut trie = Trie::default();
    (0..200).for_each(|key| *trie.entry(u64::from(key), &key, || (key, 0)) = 1);
    let clone = trie.clone();
    let count = |trie: &mut Trie<u8, u32>| {
        let mut count = 0;
        trie.each_unshared(&mut |_| count += 1);
        count
    };
    assert_eq!(count(&mut trie), 0);
    trie.entry(7, &7, || (7, 0));
    // The root is a slot, the node below it is its own now, and so is the one that holds 7.
    assert!((1..=16).contains(&count(&mut trie)));
    drop(clone);
    assert_eq!(count(&mut trie), 200);
}

#[test]
fn each_level_tells_keys_apart_by_bits_of_its_own() {
    for level in 0..16 {
        let mut trie = Trie::default();
        for digit in 0..16_u8 {
            let hash = u64::from(digit) << (4 * level);
            *trie.entry(hash, &digit, || (digit, 0)) = 1;
        }
        // A branch for each level down to that one, which alone has many slots.
        assert_eq!(trie.weight(|_| 0), level + 1 + 16);
    }
}
