//! One spelling for each meaning. The rules stand in the docs of [`Pattern`](super::Pattern).

/// The canonical form of a segmented pattern whose text was checked.
pub(super) fn segmented(text: &str) -> String {
    let mut segments: Vec<String> = Vec::new();
    let mut run = Run::default();
    for segment in text.split('.').map(piece_or_double_star) {
        match &*segment {
            "*" => run.stars += 1,
            "**" => run.open = true,
            _ => {
                run.end(&mut segments);
                segments.push(segment);
            }
        }
    }
    // No topic is empty, so one segment or more is the same as any number of them.
    if segments.is_empty() && run.open && run.stars == 1 {
        run.stars = 0;
    }
    run.end(&mut segments);
    segments.join(".")
}

/// The canonical form of a flat pattern whose text was checked.
pub(super) fn flat(text: &str) -> String {
    text.split('.').map(piece).collect::<Vec<_>>().join(".")
}

/// Neighbouring segments that are `*` or `**`.
#[derive(Default)]
struct Run {
    stars: usize,
    open: bool,
}

impl Run {
    fn end(&mut self, segments: &mut Vec<String>) {
        segments.extend(std::iter::repeat_n("*".to_owned(), self.stars));
        if self.open {
            segments.push("**".to_owned());
        }
        *self = Self::default();
    }
}

fn piece_or_double_star(segment: &str) -> String {
    if segment == "**" {
        segment.to_owned()
    } else {
        piece(segment)
    }
}

/// The canonical form of what stands between two dots: in each run of wildcards the `?` come first
/// and one `*` last. A piece that is only `?*` is `*`, because no segment is empty.
fn piece(text: &str) -> String {
    let mut canonical = String::with_capacity(text.len());
    let mut star = false;
    for character in text.chars() {
        if character == '*' {
            star = true;
            continue;
        }
        if character != '?' && star {
            canonical.push('*');
            star = false;
        }
        canonical.push(character);
    }
    if star {
        canonical.push('*');
    }
    if canonical == "?*" {
        canonical.remove(0);
    }
    canonical
}

#[cfg(test)]
mod tests {
    use super::super::Pattern;

    #[test]
    fn segmented_spellings_of_one_meaning_become_one_text() {
        for (text, canonical) in [
            ("**.**", "**"),
            ("*.**", "**"),
            ("**.*", "**"),
            ("**.*.**", "**"),
            ("*.*.**", "*.*.**"),
            ("**.*.*", "*.*.**"),
            ("a.**.**", "a.**"),
            ("a.**.*", "a.*.**"),
            ("a.**.*.**.b", "a.*.**.b"),
            ("**.*.a", "*.**.a"),
            ("a.*?", "a.*"),
            ("*?*", "*"),
            ("?*.**", "**"),
            ("a*?b", "a?*b"),
            ("a*?*?", "a??*"),
            ("*??", "??*"),
            ("a.?.*", "a.?.*"),
        ] {
            assert_eq!(Pattern::new(text).unwrap().as_str(), canonical, "{text}");
        }
    }

    #[test]
    fn flat_spellings_of_one_meaning_become_one_text() {
        for (text, canonical) in [
            ("**", "*"),
            ("a.**.b", "a.*.b"),
            ("a***b", "a*b"),
            ("*?", "*"),
            ("a.*?", "a.*"),
            ("*?.a", "*.a"),
            ("a*?b", "a?*b"),
            ("*.*", "*.*"),
        ] {
            assert_eq!(Pattern::flat(text).unwrap().as_str(), canonical, "{text}");
        }
    }
}
