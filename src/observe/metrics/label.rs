//! Names as values of labels: short, of printable characters, and never empty.

use crate::sync::Arc;

/// Without a name.
const UNNAMED: &str = "(unnamed)";
/// One name too many, or gone before it was read.
const OTHER: &str = "(other)";
/// So many characters of a name are shown.
const LONGEST: usize = 100;

/// What stands for all that have no label of their own.
pub(super) fn other() -> Arc<str> {
    OTHER.into()
}

/// Whether it takes no place among the names.
pub(super) fn is_reserved(shown: &str) -> bool {
    shown == UNNAMED || shown == OTHER
}

/// A name as it is shown. Names that are alike so far share their series.
pub(super) fn shown(name: Option<&str>) -> Arc<str> {
    let name = name.filter(|name| !name.is_empty()).unwrap_or(UNNAMED);
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut rest = name.chars();
    let mut shown: String = rest.by_ref().take(LONGEST).map(printable).collect();
    if rest.next().is_some() {
        shown.push('…');
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_short_printable_ones() {
        assert_eq!(&*shown(Some("panel")), "panel");
        assert_eq!(&*shown(None), UNNAMED);
        assert_eq!(&*shown(Some("")), UNNAMED);
        assert_eq!(
            &*shown(Some("a\n\0\u{1b}[31m")),
            "a\u{fffd}\u{fffd}\u{fffd}[31m"
        );
        let long = shown(Some(&"é".repeat(1_000_000)));
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert_eq!(&*shown(Some(&"é".repeat(LONGEST))), "é".repeat(LONGEST));
    }
}
