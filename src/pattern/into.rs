//! What a subscriber may hand in where patterns are asked for.

use std::collections::HashSet;

use super::{Pattern, Syntax};
use crate::error::{PatternError, PatternsError};
use crate::topic::Topic;

/// Whatever can be read as one pattern or a list of them.
///
/// | Given | Meaning |
/// |---|---|
/// | `&str`, `String`, `&String` | a pattern in the syntax of the bus |
/// | [`Pattern`], `&Pattern` | itself, in its own syntax |
/// | [`Topic`], `&Topic` | this one topic |
/// | `[P; N]`, `Vec<P>`, `&[P; N]`, `&[P]`, `&Vec<P>` | any of them |
///
/// Patterns that are the same in canonical form are kept once, in their first place. An empty list is
/// an error. The trait is sealed, so that it can grow.
///
/// ```
/// use chanbus::{IntoPatterns, Pattern, Syntax};
///
/// let patterns = ["scan.**", "ui.click", "scan.**.**"].into_patterns(Syntax::Segmented)?;
/// assert_eq!(patterns, [Pattern::new("scan.**")?, Pattern::new("ui.click")?]);
///
/// // Text takes the syntax that is given, a pattern keeps its own.
/// assert!("a*".into_patterns(Syntax::Flat)?[0].matches("a.b"));
/// assert!(!Pattern::new("a*")?.into_patterns(Syntax::Flat)?[0].matches("a.b"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a pattern nor a list of patterns",
    note = "give text, a `Pattern` or a `Topic`, or an array, slice or `Vec` of one of them"
)]
pub trait IntoPatterns: sealed::Sealed {
    /// Reads the patterns.
    ///
    /// # Errors
    ///
    /// [`PatternsError::Empty`] for a list without patterns, [`PatternsError::Pattern`] for the first
    /// text that is no pattern.
    fn into_patterns(self, syntax: Syntax) -> Result<Vec<Pattern>, PatternsError>;
}

mod sealed {
    use super::{Pattern, PatternError, Syntax};

    pub trait Sealed {}

    /// Whatever can be read as one pattern.
    pub trait AsPattern {
        fn as_pattern(&self, syntax: Syntax) -> Result<Pattern, PatternError>;
    }
}

use sealed::{AsPattern, Sealed};

impl AsPattern for str {
    fn as_pattern(&self, syntax: Syntax) -> Result<Pattern, PatternError> {
        Pattern::with_syntax(self, syntax)
    }
}

impl AsPattern for String {
    fn as_pattern(&self, syntax: Syntax) -> Result<Pattern, PatternError> {
        Pattern::with_syntax(self, syntax)
    }
}

impl AsPattern for Pattern {
    fn as_pattern(&self, _: Syntax) -> Result<Pattern, PatternError> {
        Ok(self.clone())
    }
}

impl AsPattern for Topic {
    fn as_pattern(&self, _: Syntax) -> Result<Pattern, PatternError> {
        Ok(Pattern::exact(self))
    }
}

impl<P: AsPattern + ?Sized> AsPattern for &P {
    fn as_pattern(&self, syntax: Syntax) -> Result<Pattern, PatternError> {
        (**self).as_pattern(syntax)
    }
}

impl<P: AsPattern> Sealed for P {}
impl<P: AsPattern> IntoPatterns for P {
    fn into_patterns(self, syntax: Syntax) -> Result<Vec<Pattern>, PatternsError> {
        Ok(vec![self.as_pattern(syntax)?])
    }
}

impl<P: AsPattern> Sealed for &[P] {}
impl<P: AsPattern> IntoPatterns for &[P] {
    fn into_patterns(self, syntax: Syntax) -> Result<Vec<Pattern>, PatternsError> {
        if self.is_empty() {
            return Err(PatternsError::Empty);
        }
        let mut patterns = Vec::with_capacity(self.len());
        let mut seen = HashSet::with_capacity(self.len());
        for pattern in self {
            let pattern = pattern.as_pattern(syntax)?;
            if seen.insert(pattern.clone()) {
                patterns.push(pattern);
            }
        }
        Ok(patterns)
    }
}

/// The other lists, read as slices.
macro_rules! lists {
    ($([$($generics:tt)*] $list:ty;)*) => {$(
        impl<P: AsPattern, $($generics)*> Sealed for $list {}
        impl<P: AsPattern, $($generics)*> IntoPatterns for $list {
            fn into_patterns(self, syntax: Syntax) -> Result<Vec<Pattern>, PatternsError> {
                self.as_slice().into_patterns(syntax)
            }
        }
    )*};
}

lists! {
    [const N: usize] [P; N];
    [const N: usize] &[P; N];
    [] Vec<P>;
    [] &Vec<P>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(patterns: impl IntoPatterns) -> Vec<String> {
        let patterns = patterns.into_patterns(Syntax::Segmented).unwrap();
        patterns
            .iter()
            .map(|pattern| pattern.as_str().to_owned())
            .collect()
    }

    #[test]
    fn one_of_each_kind_is_taken() {
        let string = "a.*".to_owned();
        let pattern = Pattern::new("a.*").unwrap();
        assert_eq!(texts("a.*"), ["a.*"]);
        assert_eq!(texts(&string), ["a.*"]);
        assert_eq!(texts(string), ["a.*"]);
        assert_eq!(texts(&pattern), ["a.*"]);
        assert_eq!(texts(pattern), ["a.*"]);
        let topic = Topic::new("a.b").unwrap();
        assert_eq!(texts(&topic), ["a.b"]);
        assert_eq!(texts(topic), ["a.b"]);
    }

    #[test]
    fn lists_of_each_kind_are_taken() {
        let strings = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(texts(["a", "b"]), ["a", "b"]);
        let borrowed = &["a", "b"];
        assert_eq!(texts(borrowed), ["a", "b"]);
        assert_eq!(texts(&["a", "b"][..]), ["a", "b"]);
        assert_eq!(texts(vec!["a", "b"]), ["a", "b"]);
        assert_eq!(texts(&strings), ["a", "b"]);
        assert_eq!(texts(&strings[..1]), ["a"]);
        assert_eq!(texts(strings), ["a", "b"]);
        assert_eq!(texts([Pattern::new("a").unwrap()]), ["a"]);
        assert_eq!(texts([&Pattern::new("a").unwrap()]), ["a"]);
    }

    #[test]
    fn duplicates_go_and_the_order_stays() {
        assert_eq!(
            texts(["b", "a.**.*", "b", "a.*.**", "a"]),
            ["b", "a.*.**", "a"]
        );
    }

    #[test]
    fn an_empty_list_is_an_error() {
        let none: Vec<String> = Vec::new();
        assert_eq!(none.into_patterns(Syntax::Flat), Err(PatternsError::Empty));
    }

    #[test]
    fn the_first_bad_pattern_is_named() {
        let error = ["a", "b..c", "["]
            .into_patterns(Syntax::Segmented)
            .unwrap_err();
        let PatternsError::Pattern(error) = error else {
            panic!("{error}")
        };
        assert_eq!((error.pattern(), error.offset()), ("b..c", 2));
    }
}
