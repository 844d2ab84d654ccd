//! What a program may do; numbers of buses are taken modulo how many there are.

use proptest::prelude::*;

/// What an event does when it runs: publishes others, and fails the first few times.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    pub(crate) publishes: Vec<(usize, Script)>,
    pub(crate) failures: usize,
    pub(crate) panics: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Fine,
    Error,
    Panic,
}

/// A call of `with_orchestrator`.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) given: Option<usize>,
    pub(crate) real: bool,
    /// What the buses that it wraps are: of numbers, or of effects.
    pub(crate) wraps: Vec<bool>,
    pub(crate) first: Vec<(usize, Script)>,
    pub(crate) finish: bool,
    pub(crate) second: Vec<(usize, Script)>,
    pub(crate) end: End,
    /// Whether the handles live on.
    pub(crate) escape: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Act {
    Publish {
        leaf: usize,
        direct: bool,
        scripts: Vec<Script>,
        at_once: bool,
    },
    Wrap {
        multi: usize,
        numbers: bool,
    },
    Nest {
        multi: usize,
    },
    Delay {
        leaf: usize,
    },
    WrapView {
        multi: usize,
        delayed: usize,
    },
    Apply {
        multi: usize,
        real: bool,
        keep: bool,
    },
    Again {
        multi: usize,
    },
    Collect {
        multi: usize,
        run: usize,
        real: bool,
        keep: bool,
    },
    ApplyLeaf {
        leaf: usize,
        real: bool,
        again: bool,
    },
    View {
        leaf: usize,
    },
    ViewOf {
        multi: usize,
    },
    ViewDelayed {
        delayed: usize,
    },
    ApplyDelayed {
        delayed: usize,
        real: bool,
        again: bool,
    },
    Discard {
        multi: usize,
    },
    DropMulti {
        multi: usize,
    },
    DropWrapped {
        multi: usize,
    },
    DropLeaf {
        leaf: usize,
        direct: bool,
    },
    Call(Call),
}

fn script() -> impl Strategy<Value = Script> {
    let leaf = (prop_oneof![4 => Just(0), 1 => 1_usize..3], any::<bool>());
    let leaf = leaf.prop_map(|(failures, panics)| Script {
        publishes: Vec::new(),
        failures,
        panics,
    });
    leaf.prop_recursive(2, 6, 2, |inner| {
        let publishes = prop::collection::vec((0_usize..30, inner), 0..3);
        (
            publishes,
            prop_oneof![4 => Just(0), 1 => 1_usize..3],
            any::<bool>(),
        )
            .prop_map(|(publishes, failures, panics)| Script {
                publishes,
                failures,
                panics,
            })
    })
}

fn call() -> impl Strategy<Value = Act> {
    let scripts = || prop::collection::vec((0_usize..3, script()), 0..3);
    let end = prop_oneof![4 => Just(End::Fine), 1 => Just(End::Error), 1 => Just(End::Panic)];
    let given = prop::option::of(0_usize..20);
    let wraps = prop::collection::vec(any::<bool>(), 1..3);
    (
        given,
        any::<bool>(),
        wraps,
        scripts(),
        any::<bool>(),
        scripts(),
        end,
        any::<bool>(),
    )
        .prop_map(|(given, real, wraps, first, finish, second, end, escape)| {
            Act::Call(Call {
                given,
                real,
                wraps,
                first,
                finish,
                second,
                end,
                escape,
            })
        })
}

pub(crate) fn act() -> impl Strategy<Value = Act> {
    let n = || 0_usize..30;
    let b = any::<bool>;
    let scripts = prop::collection::vec(script(), 1..4);
    prop_oneof![
        12 => (n(), b(), scripts, b()).prop_map(|(leaf, direct, scripts, at_once)| Act::Publish { leaf, direct, scripts, at_once }),
        3 => (n(), b()).prop_map(|(multi, numbers)| Act::Wrap { multi, numbers }),
        2 => n().prop_map(|multi| Act::Nest { multi }),
        1 => n().prop_map(|leaf| Act::Delay { leaf }),
        1 => (n(), n()).prop_map(|(multi, delayed)| Act::WrapView { multi, delayed }),
        5 => (n(), b(), b()).prop_map(|(multi, real, keep)| Act::Apply { multi, real, keep }),
        4 => n().prop_map(|multi| Act::Again { multi }),
        2 => (n(), 0_usize..4, b(), b()).prop_map(|(multi, run, real, keep)| Act::Collect { multi, run, real, keep }),
        2 => (n(), b(), b()).prop_map(|(leaf, real, again)| Act::ApplyLeaf { leaf, real, again }),
        3 => n().prop_map(|leaf| Act::View { leaf }),
        2 => n().prop_map(|multi| Act::ViewOf { multi }),
        2 => n().prop_map(|delayed| Act::ViewDelayed { delayed }),
        2 => (n(), b(), b()).prop_map(|(delayed, real, again)| Act::ApplyDelayed { delayed, real, again }),
        1 => n().prop_map(|multi| Act::Discard { multi }),
        1 => n().prop_map(|multi| Act::DropMulti { multi }),
        1 => n().prop_map(|multi| Act::DropWrapped { multi }),
        2 => (n(), b()).prop_map(|(leaf, direct)| Act::DropLeaf { leaf, direct }),
        3 => call(),
    ]
}

/// What an act came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// There was nobody to do it.
    Nobody,
    Done,
    Count(usize),
    Ran(Ran),
    /// Each that ran by itself, and what was left.
    Each(Vec<(u32, Fate)>, Vec<u32>),
    /// What was handed back.
    Back(Vec<u32>),
    /// What `finish` applied, and how the call ended.
    Call(Option<Vec<u32>>, Result<(), Option<Ran>>),
    /// The call panicked.
    Panicked(Option<Vec<u32>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Fine,
    Failed,
    Panicked,
}

/// An apply: what it said of each event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ran {
    pub(crate) applied: Vec<u32>,
    pub(crate) failed: Option<(u32, Fate)>,
    pub(crate) remaining: Vec<u32>,
}
