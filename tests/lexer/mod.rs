//! Reads Rust as far as `tidy.rs` needs: what is code, what is comment, what is text.

/// A source file with comments and the insides of texts blanked out; lines stay where they were.
pub struct Code {
    code: Vec<char>,
    /// Which characters are inside a text.
    text: Vec<bool>,
    /// Where the tests at the end begin, in characters.
    tests_at: usize,
    /// Lines in all.
    lines: usize,
}

/// A path that begins at the crate's root.
pub struct Import {
    /// The line of its first word.
    pub line: usize,
    /// Its words; a list in braces gives one path each.
    pub path: Vec<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Code,
    Line,
    Block(usize),
    Text,
    /// With so many `#`.
    Raw(usize),
}

impl Code {
    pub fn of(source: &str) -> Self {
        let chars: Vec<char> = source.chars().collect();
        let mut code = Vec::with_capacity(chars.len());
        let mut text = Vec::with_capacity(chars.len());
        let mut state = State::Code;
        let mut at = 0;
        while at < chars.len() {
            let (next, len) = step(state, &chars, at);
            for c in &chars[at..at + len] {
                let shown = state == State::Code && next == State::Code;
                code.push(if shown || *c == '\n' { *c } else { ' ' });
                let inside = |state| matches!(state, State::Text | State::Raw(_));
                text.push(inside(state) || inside(next));
            }
            state = next;
            at += len;
        }
        let tests_at = find(&code, "#[cfg(test)]\nmod tests {");
        Self {
            tests_at: tests_at.first().copied().unwrap_or(code.len()),
            lines: source.lines().count(),
            code,
            text,
        }
    }

    pub fn lines_without_tests(&self) -> usize {
        if self.tests_at == self.code.len() {
            return self.lines;
        }
        self.line(self.tests_at)
    }

    /// Each line's number and its width without the insides of texts.
    pub fn widths(&self) -> Vec<(usize, usize)> {
        let mut widths = vec![(1, 0)];
        for (c, text) in self.code.iter().zip(&self.text) {
            let (nth, width) = widths.last_mut().expect("there is a first line");
            if *c == '\n' {
                let next = *nth + 1;
                widths.push((next, 0));
            } else if !text {
                *width += 1;
            }
        }
        widths
    }

    /// The lines where `what` stands in code.
    pub fn find(&self, what: &str) -> Vec<usize> {
        let places = find(&self.code, what).into_iter();
        places.map(|at| self.line(at)).collect()
    }

    /// The lines where `what` stands as a word of its own, outside the tests at the end.
    pub fn find_outside_tests(&self, what: &str) -> Vec<usize> {
        let places = find(&self.code, what).into_iter();
        let places =
            places.filter(|at| *at < self.tests_at && !self.is_word_at(at.wrapping_sub(1)));
        places.map(|at| self.line(at)).collect()
    }

    /// The lines outside the tests where the foreign crate is named: at the head of a path, or
    /// alone after `use`.
    pub fn find_crate(&self, name: &str) -> Vec<usize> {
        let places = self.find_heads(name).into_iter().filter(|at| {
            let after: String = self.code.iter().skip(at + name.len()).take(2).collect();
            let used = self.before(*at).ends_with("use");
            *at < self.tests_at && (after == "::" || (used && after.starts_with([';', ' '])))
        });
        places.map(|at| self.line(at)).collect()
    }

    /// The paths that begin at the crate's root, in a file so many folders deep.
    pub fn crate_paths(&self, depth: usize, is_mod: bool) -> Vec<Import> {
        let mut paths = Vec::new();
        for head in ["crate", "mlango"] {
            for at in self.find_heads(head) {
                self.follow(at + head.len(), &[], &mut paths);
            }
        }
        // In the module `a::b`, `super::super` is the root; inside its `mod tests` one more.
        let to_root = if is_mod { depth - 1 } else { depth };
        for at in self.find_heads("super") {
            let mut at = at + "super".len();
            let mut supers = 1;
            while self.starts(at, "::super") {
                at += "::super".len();
                supers += 1;
            }
            if supers >= to_root {
                self.follow(at, &[], &mut paths);
            }
        }
        paths
    }

    /// Reads on from a `::`, into braces.
    fn follow(&self, at: usize, so_far: &[String], into: &mut Vec<Import>) -> usize {
        if !self.starts(at, "::") {
            return at;
        }
        let mut at = self.skip_blank(at + 2);
        if self.starts(at, "{") {
            at = self.skip_blank(at + 1);
            while at < self.code.len() && !self.starts(at, "}") {
                let before = at;
                at = self.word_and_on(at, so_far, into);
                at = self.skip_blank(at);
                if self.starts(at, ",") {
                    at = self.skip_blank(at + 1);
                }
                if at == before {
                    break;
                }
            }
            return at + 1;
        }
        self.word_and_on(at, so_far, into)
    }

    fn word_and_on(&self, at: usize, so_far: &[String], into: &mut Vec<Import>) -> usize {
        let mut end = at;
        while self.is_word_at(end) {
            end += 1;
        }
        let mut path = so_far.to_vec();
        path.push(self.code[at..end].iter().collect());
        let known = into.len();
        let after = self.follow(end, &path, into);
        if into.len() == known {
            let line = self.line(at);
            into.push(Import { line, path });
        }
        after
    }

    /// Where `name` stands as the first word of a path.
    fn find_heads(&self, name: &str) -> Vec<usize> {
        let places = find(&self.code, name).into_iter().filter(|at| {
            let before = self.before(*at);
            let global = before.ends_with("use ::") || before.ends_with("use::");
            let inner = before.ends_with("::") && !global;
            let word = self.is_word_at(at.wrapping_sub(1)) || self.is_word_at(at + name.len());
            !word && !inner
        });
        places.collect()
    }

    /// A little of what stands before, without blanks at its end.
    fn before(&self, at: usize) -> String {
        let before: String = self.code[at.saturating_sub(20)..at].iter().collect();
        before.trim_end().to_owned()
    }

    fn starts(&self, at: usize, what: &str) -> bool {
        let mut here = self.code.iter().skip(at);
        what.chars().all(|c| here.next() == Some(&c))
    }

    fn skip_blank(&self, mut at: usize) -> usize {
        while self.code.get(at).is_some_and(|c| c.is_whitespace()) {
            at += 1;
        }
        at
    }

    fn is_word_at(&self, at: usize) -> bool {
        let word = |c: &char| c.is_alphanumeric() || *c == '_';
        self.code.get(at).is_some_and(word)
    }

    fn line(&self, at: usize) -> usize {
        1 + self.code[..at].iter().filter(|c| **c == '\n').count()
    }
}

/// What comes after the character at `at`, and how many characters belong together.
fn step(state: State, chars: &[char], at: usize) -> (State, usize) {
    let next = chars.get(at + 1).copied().unwrap_or(' ');
    match (state, chars[at]) {
        (State::Code, '/') if next == '/' => (State::Line, 2),
        (State::Code, '/') if next == '*' => (State::Block(1), 2),
        (State::Code, '"') => (State::Text, 1),
        (State::Code, 'r') if next == '#' || next == '"' => raw(chars, at),
        (State::Code, '\'') => (State::Code, char_len(chars, at)),
        (State::Line, '\n') => (State::Code, 1),
        (State::Block(depth), '/') if next == '*' => (State::Block(depth + 1), 2),
        (State::Block(1), '*') if next == '/' => (State::Code, 2),
        (State::Block(depth), '*') if next == '/' => (State::Block(depth - 1), 2),
        (State::Text, '\\') => (State::Text, 2.min(chars.len() - at)),
        (State::Text, '"') => (State::Code, 1),
        (State::Raw(hashes), '"') => {
            let closing = chars.iter().skip(at + 1).take_while(|c| **c == '#').count();
            if closing >= hashes { (State::Code, 1 + hashes) } else { (state, 1) }
        }
        _ => (state, 1),
    }
}

/// At an `r` before `#` or `"`: the head of a raw text, unless it ends a name (`for"`) or begins
/// one (`r#type`).
fn raw(chars: &[char], at: usize) -> (State, usize) {
    let hashes = chars.iter().skip(at + 1).take_while(|c| **c == '#').count();
    let before = at.checked_sub(1).map_or(' ', |at| chars[at]);
    let in_name = (before.is_alphanumeric() && before != 'b') || before == '_';
    if in_name || chars.get(at + 1 + hashes) != Some(&'"') {
        return (State::Code, 1);
    }
    (State::Raw(hashes), hashes + 2)
}

/// At a `'`: the length of the character it begins, or 1 if it begins a lifetime.
fn char_len(chars: &[char], at: usize) -> usize {
    let rest = &chars[at + 1..];
    match rest.first() {
        Some('\\') => {
            // The character after the backslash may itself be a quote.
            let end = rest.iter().skip(2).position(|c| *c == '\'');
            end.map_or(1, |end| end + 4)
        }
        Some(_) if rest.get(1) == Some(&'\'') => 3,
        Some(_) | None => 1,
    }
}

/// All places where `what` stands.
fn find(code: &[char], what: &str) -> Vec<usize> {
    let what: Vec<char> = what.chars().collect();
    let places = code.windows(what.len()).enumerate();
    let places = places.filter(|(_, here)| *here == what.as_slice());
    places.map(|(at, _)| at).collect()
}
