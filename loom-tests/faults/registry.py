"""Faults for src/registry: model that must fail, file, what is there, what is put there."""

REGISTRY, CACHE = "src/registry.rs", "src/registry/cache.rs"
RETIRED = "src/registry/retired.rs"

RAISE = "            self.generation.store(generation, Release);\n"
PUBLISH = """            publish(&mut || {
                if let Some(version) = version.take() {
                    old = Some(self.current.swap(version));
                }
            });
"""

FAULTS = [
    # Changes.
    ("two_changes_at_once_are_both_kept", REGISTRY,
     "            let mut writer = self.writer.lock();\n"
     "            let mut content = self.current.load().content.clone();\n",
     "            let mut content = self.current.load().content.clone();\n"
     "            let mut writer = self.writer.lock();\n"),
    ("who_knows_of_a_change_sees_it", REGISTRY, RAISE, ""),
    ("who_has_seen_a_change_finds_older_routes_stale", REGISTRY,
     RAISE + PUBLISH, PUBLISH + RAISE),
    ("a_publisher_between_generation_and_version_resolves_again", REGISTRY, RAISE, ""),
    # The number comes with the old content, and then the new one under the same number.
    ("a_publisher_between_generation_and_version_resolves_again", REGISTRY,
     RAISE,
     RAISE +
     "            let before = self.current.load().content.clone();\n"
     "            drop(self.current.swap(Arc::new(Version::new(generation, before))));\n"),
    # The cache.
    ("a_route_is_never_older_than_its_version", REGISTRY,
     "        let found = match version.cache.insert(hash, resolved, self.cache_limit) {",
     "        let (current, again) =\n"
     "            (self.current.load(), version.content.resolve(topic, &version.known)?);\n"
     "        let _ = current.cache.insert(hash, again, self.cache_limit);\n"
     "        drop(current);\n"
     "        let found = match version.cache.insert(hash, resolved, self.cache_limit) {"),
    ("two_emits_that_add_one_topic_share_an_entry_or_use_their_own", CACHE,
     "let word = self.words[place].load(Acquire);",
     "let word = self.words[place].load(Relaxed);"),
    ("two_emits_that_add_one_topic_share_an_entry_or_use_their_own", CACHE,
     "compare_exchange(0, word, Release, Relaxed)",
     "compare_exchange(0, word, Relaxed, Relaxed)"),
    ("two_emits_that_add_one_topic_share_an_entry_or_use_their_own", CACHE,
     "Ok(theirs) => return theirs,",
     "Ok(_) => return mine,"),
    ("two_emits_that_meet_at_one_word_are_both_found", CACHE,
     "let put = self.words[free].compare_exchange(0, word, Release, Relaxed);",
     "let put = Ok::<_, ()>(self.words[free].store(word, Release));"),
    ("two_emits_that_meet_at_one_word_are_both_found", CACHE,
     "if put.is_ok() {",
     "if put.is_ok() || true {"),
    ("two_emits_that_meet_at_one_word_are_both_found", CACHE,
     "Some(claimed.fetch_add(1, Relaxed))",
     "Some({ let n = claimed.load(Relaxed); claimed.store(n + 1, Relaxed); n })"),
    ("the_last_entry_is_given_to_one", CACHE,
     ".filter(|index| *index < share)",
     ""),
    ("two_emits_that_make_a_level_are_both_found", CACHE,
     "self.depth.fetch_max(below + 1, Relaxed);",
     "self.depth.fetch_max(below, Relaxed);"),
    # What is freed, and by whom.
    ("an_emit_is_never_the_last_to_hold_what_a_change_replaced", REGISTRY,
     "if Arc::get_mut(&mut old).is_none() {",
     "if false {"),
    ("an_emit_is_never_the_last_to_hold_what_a_change_replaced", RETIRED,
     "versions: self.versions.extract_if(.., is_unheld).collect(),",
     "versions: std::mem::take(&mut self.versions),"),
    ("an_emit_does_not_free_the_full_cache_that_another_replaced", REGISTRY,
     "retired.add_version(self.current.swap(Arc::new(renewed)));",
     "drop(self.current.swap(Arc::new(renewed)));"),
    ("an_emit_does_not_free_the_full_cache_that_another_replaced", RETIRED,
     "version.generation == generation && is_unheld(version)",
     "version.generation == generation"),
    ("who_frees_a_full_cache_leaves_what_a_change_replaced", RETIRED,
     "version.generation == generation && is_unheld(version)",
     "is_unheld(version)"),
    ("an_emit_frees_no_full_cache_of_a_change_that_came_after_it", REGISTRY,
     "if generation != version.generation {",
     "if false {"),
    ("an_emit_frees_no_rest_of_a_full_cache_that_a_change_replaced", RETIRED,
     "if dying.generation != generation {",
     "if false {"),
    ("renewing_the_cache_beside_a_change_keeps_the_change", REGISTRY,
     "        let Some(_writer) = self.writer.try_lock() else {\n            return;\n        };\n",
     ""),
]
