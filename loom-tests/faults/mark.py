"""Faults for src/bus/subscriber/mark.rs, as in block.py."""

MARK, TAKE = "src/bus/subscriber/mark.rs", "src/bus/subscriber/take.rs"

FENCE = "            // After the push or the take that this follows, or after the lock was given back below.\n            fence_full();\n"
AGAIN = "            if let Some(turns) = self.due(waiting) {\n"
LOOK = "            if self.due(depth()).is_none() {\n                return;\n            }\n"

FAULTS = [
    # No fence at all; and only that of who pushes or takes, not that of who looks again. (The other way round it cannot be
    # seen here: the modelled queue orders more than the real one promises.)
    ("a_push_beside_a_take_leaves_the_mark_right", MARK, FENCE, ""),
    ("a_push_beside_a_take_leaves_the_mark_right", MARK,
     "        for _ in 0..MOST {\n" + FENCE,
     "        fence_full();\n        for _ in 0..MOST {\n"),
    # Nobody looks again.
    ("a_push_beside_a_take_leaves_the_mark_right", MARK,
     "            drop(telling);\n", "            drop(telling);\n            return;\n"),
    ("a_latest_push_beside_a_take_leaves_the_mark_right", MARK,
     "            drop(telling);\n", "            drop(telling);\n            return;\n"),
    # The holder looks again before the lock is free for others.
    ("a_push_beside_a_take_leaves_the_mark_right", MARK,
     "            drop(telling);\n", "            fence_full();\n" + LOOK + "            drop(telling);\n"),
    ("a_push_beside_a_take_leaves_the_mark_right", TAKE, "        self.see_taken();\n", ""),
    # Who comes second makes the turn again.
    ("two_pushes_cross_the_mark_once", MARK, AGAIN,
     "            {\n                let turns = self.turns.load(Relaxed) + 1;\n"),
    ("two_takes_come_back_once", MARK, AGAIN,
     "            {\n                let turns = self.turns.load(Relaxed) + 1;\n"),
    ("two_takes_come_back_once", MARK, "depth <= self.low", "depth < self.low"),
]
