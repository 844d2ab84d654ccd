use std::mem::offset_of;

use super::Mailbox;
use crate::event::Event;

/// An emit touches one line of each mailbox, and consumers write to another.
#[test]
#[cfg(target_pointer_width = "64")]
fn what_a_push_reads_is_one_cache_line_and_what_a_take_writes_another() {
    assert_eq!(align_of::<Mailbox<Event<u64>>>(), 64);
    assert_eq!(offset_of!(Mailbox<Event<u64>>, queue), 0);
    assert_eq!(offset_of!(Mailbox<Event<u64>>, taken_first), 64);
    // And no third line, which every idle subscription would pay for.
    assert_eq!(size_of::<Mailbox<Event<u64>>>(), 128);
}
