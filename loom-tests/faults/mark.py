"""Faults for src/bus/subscriber/mark.rs, as in block.py."""

MARK, TAKE, PUSH = (f"src/bus/subscriber/{name}.rs" for name in ("mark", "take", "push"))

FENCE = "            // After the push or the take that this follows, or after the lock was given back below.\n            fence_full();\n"
AGAIN = "            if let Some(turns) = self.due(waiting) {\n"
LOOK = "            if self.due(depth()).is_none() {\n                return;\n            }\n"

FAULTS = [
    # No fence at all; and only before the first turn, not before the looks that follow. (That who sees no turn due reads
    # `turns` as SeqCst cannot be seen here: loom takes the queue's own update for a fence.)
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
    ("two_pushes_cross_the_mark_once", PUSH, " && !self.is_turn_due()", ""),
    # Who comes second makes the turn again.
    ("two_pushes_cross_the_mark_once", MARK, AGAIN,
     "            {\n                let turns = self.turns.load(Relaxed) + 1;\n"),
    ("two_takes_come_back_once", MARK, AGAIN,
     "            {\n                let turns = self.turns.load(Relaxed) + 1;\n"),
    ("two_takes_come_back_once", MARK, "depth <= self.low", "depth < self.low"),
]
