"""Faults for src/bus/subscriber/mark.rs, as in block.py."""

MARK, TAKE = "src/bus/subscriber/mark.rs", "src/bus/subscriber/take.rs"

FAULTS = [
    ("a_push_beside_a_take_leaves_the_mark_right", MARK,
     "            // After the push or the take that this follows, or the turn below.\n            fence_full();",
     ""),
    ("a_push_beside_a_take_leaves_the_mark_right", MARK,
     "                turned = true;",
     "                return true;"),
    ("a_push_beside_a_take_leaves_the_mark_right", MARK,
     "            // Either this sees a turn of one who was turned away, or that one found the lock free.\n            fence_full();",
     ""),
    ("a_push_beside_a_take_leaves_the_mark_right", MARK,
     "            if self.turns.load(Relaxed) == all {",
     "            if true {"),
    ("a_push_beside_a_take_leaves_the_mark_right", TAKE, "        self.see_mark();\n", ""),
    ("a_latest_push_beside_a_take_leaves_the_mark_right", MARK,
     "                turned = true;",
     "                return true;"),
    ("two_pushes_cross_the_mark_once", MARK,
     ".compare_exchange(turns, next, Relaxed, Relaxed)",
     ".fetch_update(Relaxed, Relaxed, |turns| Some(turns + 1))"),
    ("two_takes_come_back_once", MARK,
     ".compare_exchange(turns, next, Relaxed, Relaxed)",
     ".fetch_update(Relaxed, Relaxed, |turns| Some(turns + 1))"),
    ("two_takes_come_back_once", MARK, "depth <= self.low", "depth < self.low"),
]
