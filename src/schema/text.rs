//! Texts that know the lines of the file they stand in, also where they stand in it as CDATA or
//! escaped.

use crate::soap::escape::resolve;
use crate::soap::xml;

/// A text, and for each of its lines the line of the file that it comes from.
///
/// Mending a text may shift its letters, but never its line ends: so lines are counted, not bytes.
#[derive(Clone)]
pub(super) struct Text {
    text: String,
    /// Where each line begins, in bytes.
    starts: Vec<usize>,
    /// The line of the file that each line comes from.
    lines: Vec<usize>,
}

impl Text {
    /// A file's text, which begins in this line of it.
    pub fn of_file(text: &str, line: usize) -> Self {
        let lines = text.matches('\n').enumerate().map(|(nth, _)| nth.saturating_add(1));
        let lines = std::iter::once(0).chain(lines).map(|nth| nth.saturating_add(line)).collect();
        Self::new(text.to_owned(), lines)
    }

    fn new(text: String, lines: Vec<usize>) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        let starts = std::iter::once(0).chain(breaks).collect();
        Self { text, starts, lines }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The line of the file in which the letter at this byte stands.
    pub fn line_at(&self, at: usize) -> usize {
        let nth = self.starts.partition_point(|start| *start <= at).saturating_sub(1);
        self.lines.get(nth).or_else(|| self.lines.last()).copied().unwrap_or(1)
    }

    /// The same lines, written otherwise.
    pub fn mended(&self, text: String) -> Self {
        Self::new(text, self.lines.clone())
    }

    /// What stands behind this many bytes.
    fn behind(&self, len: usize) -> Self {
        let nth = self.starts.partition_point(|start| *start <= len).saturating_sub(1);
        let text = self.text.get(len..).unwrap_or_default().to_owned();
        Self::new(text, self.lines.get(nth..).unwrap_or_default().to_vec())
    }

    /// Without blanks round it.
    pub fn trimmed(&self) -> Self {
        let inside = xml::trim(&self.text);
        let blanks = self.text.find(inside).unwrap_or_default();
        let text = self.behind(blanks);
        text.mended(xml::trim(&text.text).to_owned())
    }

    /// Without its prolog; itself must be trimmed.
    pub fn without_prolog(&self) -> Self {
        let rest = xml::without_prolog(&self.text).len();
        self.behind(self.text.len().saturating_sub(rest))
    }

    /// Character references and CDATA resolved: what the element between these bytes says, as far
    /// as it is text.
    pub fn inside(&self, (from, to): (usize, usize)) -> Self {
        let element = self.text.get(from..to).unwrap_or_default();
        let begins = tag_len(element);
        let ends = element.rfind("</").unwrap_or(begins).max(begins);
        self.unfolded(from.saturating_add(begins), from.saturating_add(ends))
    }

    /// All of it, unescaped once more.
    pub fn unescaped(&self) -> Self {
        self.unfolded(0, self.text.len())
    }

    fn unfolded(&self, from: usize, to: usize) -> Self {
        let mut out = Unfolding { text: String::new(), lines: vec![self.line_at(from)] };
        let mut at = from;
        while let Some(rest) = self.text.get(at..to).filter(|rest| !rest.is_empty()) {
            let Some((says, len)) = next_piece(rest) else { break };
            match says {
                Piece::Text(text, begins) => out.push(text, |offset| {
                    self.line_at(at.saturating_add(begins).saturating_add(offset))
                }),
                Piece::Char(c) => out.push(c.encode_utf8(&mut [0; 4]), |_| self.line_at(at)),
                Piece::Nothing => {}
            }
            at = at.saturating_add(len);
        }
        Self::new(out.text, out.lines)
    }
}

/// A text while it is put together.
struct Unfolding {
    text: String,
    lines: Vec<usize>,
}

impl Unfolding {
    /// `line_at` is the line of the file in which the piece's letter at an offset stands.
    fn push(&mut self, text: &str, line_at: impl Fn(usize) -> usize) {
        self.text.push_str(text);
        let breaks = text.match_indices('\n').map(|(at, _)| line_at(at.saturating_add(1)));
        self.lines.extend(breaks);
    }
}

enum Piece<'a> {
    /// Text, and where in the piece it begins.
    Text(&'a str, usize),
    Char(char),
    Nothing,
}

const CDATA: &str = "<![CDATA[";
const CDATA_END: &str = "]]>";

/// The next piece of an element's text, and how many bytes it takes; `None` where an element
/// begins.
fn next_piece(rest: &str) -> Option<(Piece<'_>, usize)> {
    if let Some(inside) = rest.strip_prefix(CDATA) {
        let text = inside.split_once(CDATA_END).map_or(inside, |(text, _)| text);
        let all = CDATA.len().saturating_add(text.len()).saturating_add(CDATA_END.len());
        return Some((Piece::Text(text, CDATA.len()), all.min(rest.len())));
    }
    if rest.starts_with("<!--") {
        let len = rest.find("-->").map_or(rest.len(), |at| at.saturating_add(3));
        return Some((Piece::Nothing, len));
    }
    if let Some(behind) = rest.strip_prefix('&') {
        let name = behind.split_once(';').map(|(name, _)| name);
        return Some(match name.and_then(|name| Some((resolve(name)?, name.len()))) {
            Some((c, len)) => (Piece::Char(c), len.saturating_add(2)),
            None => (Piece::Char('&'), 1),
        });
    }
    if rest.starts_with('<') {
        return None;
    }
    let len = rest.find(['<', '&']).unwrap_or(rest.len());
    rest.get(..len).map(|text| (Piece::Text(text, 0), len))
}

/// How long the tag is with which an element begins.
fn tag_len(element: &str) -> usize {
    let mut quote = None;
    for (at, c) in element.char_indices() {
        match (quote, c) {
            (None, '>') => return at.saturating_add(1),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None | Some(_), _) => {}
        }
    }
    element.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line of the text inside `<a>…</a>`, with its line in the file.
    fn inside(file: &str) -> Vec<(usize, String)> {
        let from = file.find("<a").expect("an element");
        let to = file.rfind("</a>").expect("its end").saturating_add(4);
        let text = Text::of_file(file, 1).inside((from, to)).trimmed();
        let mut at = 0;
        let lines = text.as_str().split('\n').map(|line| {
            let shown = (text.line_at(at), line.to_owned());
            at = at.saturating_add(line.len()).saturating_add(1);
            shown
        });
        lines.collect()
    }

    #[test]
    fn lines_of_the_text_inside_are_those_of_the_file() {
        let table: [(&str, &[(usize, &str)]); 7] = [
            ("<x>\n<a><![CDATA[one\ntwo]]></a>", &[(2, "one"), (3, "two")]),
            ("<a b='>'\n c=\"\">\n\n<![CDATA[\none]]>\n</a>", &[(5, "one")]),
            ("<a>&lt;b&gt;\n&lt;/b&gt;</a>", &[(1, "<b>"), (2, "</b>")]),
            ("<a>one&#10;two\nthree</a>", &[(1, "one"), (1, "two"), (2, "three")]),
            ("<a><![CDATA[x]]]]><![CDATA[>\ny]]></a>", &[(1, "x]]>"), (2, "y")]),
            ("\n<a>\r\n<![CDATA[one\r\ntwo]]></a>", &[(3, "one\r"), (4, "two")]),
            ("<a>one\n<b>no\n</b></a>", &[(1, "one")]),
        ];
        for (file, wanted) in table {
            let wanted: Vec<_> = wanted.iter().map(|(n, text)| (*n, (*text).to_owned())).collect();
            assert_eq!(inside(file), wanted, "{file}");
        }
    }
}
