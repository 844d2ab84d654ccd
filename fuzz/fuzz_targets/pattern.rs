//! Any text as a pattern and as a topic: no panic, errors that point into the text, and one
//! canonical form.
#![no_main]

use chanbus::{Pattern, Syntax, Topic};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Topic::new(text) {
        Ok(topic) => {
            assert_eq!(topic.as_str(), text);
            assert_eq!(Topic::new(topic.to_string()).as_ref(), Ok(&topic));
            assert_eq!(topic.segments().collect::<Vec<_>>().join("."), text);
            // A topic is a pattern, of itself alone.
            for syntax in [Syntax::Segmented, Syntax::Flat] {
                let pattern = Pattern::with_syntax(text, syntax).expect("a topic is a pattern");
                assert!(pattern.is_exact() && pattern.matches(text));
            }
            assert_eq!(Ok(Pattern::exact(&topic)), Pattern::new(text));
            assert!(Pattern::everything().matches(text));
        }
        Err(error) => {
            assert!(text.is_char_boundary(error.offset()), "{error:?}");
            assert!(!error.to_string().is_empty());
            assert!(!Pattern::everything().matches(text));
        }
    }
    for syntax in [Syntax::Segmented, Syntax::Flat] {
        match Pattern::with_syntax(text, syntax) {
            Ok(pattern) => {
                assert_eq!(pattern.syntax(), syntax);
                assert!(pattern.as_str().len() <= text.len());
                let again = Pattern::with_syntax(pattern.to_string(), syntax);
                let again = again.expect("what it prints is a pattern");
                assert_eq!(again, pattern);
                assert_eq!(again.as_str(), pattern.as_str());
                assert_eq!(pattern.is_exact(), !text.contains(['*', '?']));
                assert!(pattern.includes(&pattern) && pattern.overlaps(&pattern));
            }
            Err(error) => {
                assert!(text.is_char_boundary(error.offset()), "{error:?}");
                assert!(!error.to_string().is_empty());
            }
        }
    }
});
