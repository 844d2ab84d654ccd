//! Runs the code of the README and of the migration pages with the doc tests, so that it stays true; and code that must
//! not compile.

mod deferred;

#[doc = include_str!("../README.md")]
mod readme {}

macro_rules! pages {
    ($($(#[$condition:meta])* $name:ident $page:literal),* $(,)?) => {
        $($(#[$condition])* #[doc = include_str!(concat!("../docs/migration/", $page))] mod $name {})*
    };
}

pages! {
    #[cfg(feature = "json")] codechu_events "codechu-events.md",
    #[cfg(feature = "json")] starstreamer "starstreamer.md",
    mtaio "mtaio.md",
    pyventus "pyventus.md",
    shared_event_bus "shared-event-bus.md",
}
