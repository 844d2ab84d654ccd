//! chanbus: an event bus inside one process.
