//! From lines and columns to bytes.

pub(crate) struct Lines<'a> {
    text: &'a str,
    /// At which byte each line begins.
    begins: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Lines {
            text,
            begins: std::iter::once(0).chain(ends).collect(),
        }
    }

    /// The byte of a line, counted from one, and a column, counted in characters from zero.
    pub(crate) fn at(&self, line: usize, column: usize) -> usize {
        let begin = self.begins[line - 1];
        let rest = &self.text[begin..];
        begin
            + rest
                .char_indices()
                .nth(column)
                .map_or(rest.len(), |(at, _)| at)
    }
}
