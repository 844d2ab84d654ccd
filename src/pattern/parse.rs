//! Reading patterns: check the text, bring it into canonical form, compile it.

use super::{Glob, Segment, Shape, Syntax, canonical};
use crate::error::{Fault, PatternError, TextErrorKind};
use crate::topic::{Wildcards, check_text};

/// The canonical text of a pattern and what it compiles to.
pub(super) fn parse(text: &str, syntax: Syntax) -> Result<(Box<str>, Shape), PatternError> {
    let fault = |fault| PatternError::new(text, fault);
    check_text(text, Wildcards::Allowed).map_err(fault)?;
    let canonical = match syntax {
        Syntax::Segmented => {
            check_stars(text).map_err(fault)?;
            canonical::segmented(text)
        }
        Syntax::Flat => canonical::flat(text),
    };
    let shape = compile(&canonical, syntax);
    Ok((canonical.into(), shape))
}

/// In segmented patterns, two stars or more stand for something only as a whole `**` segment.
fn check_stars(text: &str) -> Result<(), Fault> {
    let mut start = 0;
    for segment in text.split('.') {
        if segment != "**"
            && let Some(at) = segment.find("**")
        {
            return Err(Fault {
                kind: TextErrorKind::StarRun,
                offset: start + at,
            });
        }
        start += segment.len() + 1;
    }
    Ok(())
}

fn compile(text: &str, syntax: Syntax) -> Shape {
    if !has_wildcard(text) {
        return Shape::Exact;
    }
    match syntax {
        Syntax::Segmented => Shape::Segments(text.split('.').map(segment).collect()),
        Syntax::Flat => Shape::Flat(Glob::new(text)),
    }
}

fn segment(text: &str) -> Segment {
    match text {
        "*" => Segment::Star,
        "**" => Segment::DoubleStar,
        _ if has_wildcard(text) => Segment::Glob(Glob::new(text)),
        _ => Segment::Literal(text.into()),
    }
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::super::Pattern;
    use super::*;

    fn kind(text: &str, syntax: Syntax) -> (TextErrorKind, usize) {
        let error = Pattern::with_syntax(text, syntax).unwrap_err();
        (error.kind(), error.offset())
    }

    #[test]
    fn trap_47_empty_segments_are_refused_in_both_syntaxes() {
        for syntax in [Syntax::Segmented, Syntax::Flat] {
            assert_eq!(kind("", syntax), (TextErrorKind::Empty, 0));
            for (text, offset) in [(".a", 0), ("a.", 2), ("a..b", 2), ("*.", 2), ("**..*", 3)] {
                assert_eq!(
                    kind(text, syntax),
                    (TextErrorKind::EmptySegment, offset),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn reserved_characters_are_refused_in_both_syntaxes() {
        for syntax in [Syntax::Segmented, Syntax::Flat] {
            assert_eq!(kind("a.[bc]", syntax), (TextErrorKind::Reserved('['), 2));
            assert_eq!(kind("{a,b}", syntax), (TextErrorKind::Reserved('{'), 0));
        }
    }

    #[test]
    fn star_runs_that_are_no_token_are_refused_in_segmented_patterns_only() {
        for (text, offset) in [("a**b", 1), ("***", 0), ("é.**b", 3), ("**.x?**.c", 5)] {
            assert_eq!(
                kind(text, Syntax::Segmented),
                (TextErrorKind::StarRun, offset),
                "{text}"
            );
            assert!(Pattern::flat(text).is_ok(), "{text}");
        }
        assert!(Pattern::new("a*?*b").is_ok());
    }

    #[test]
    fn patterns_compile_to_the_simplest_shape() {
        let shape = |text| parse(text, Syntax::Segmented).unwrap().1;
        assert!(matches!(shape("a.b"), Shape::Exact));
        assert!(matches!(
            parse("a.b", Syntax::Flat).unwrap().1,
            Shape::Exact
        ));
        let Shape::Segments(segments) = shape("a.*.b?.**") else {
            panic!("no wildcard seen")
        };
        let [
            Segment::Literal(a),
            Segment::Star,
            Segment::Glob(b),
            Segment::DoubleStar,
        ] = &*segments
        else {
            panic!("{segments:?}")
        };
        assert_eq!((&**a, b.text()), ("a", "b?"));
    }
}
