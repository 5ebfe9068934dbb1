//! One Rust file as the rules see it.
//!
//! `code` is the text with comments and literals blanked out, byte for byte and line for line, so
//! that a rule can search for words and match braces without a parser.

/// A Rust file; lines are counted from 1.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) code: String,
    /// The whole file is test code.
    pub(super) is_test: bool,
    /// For each line, whether it lies in an item under `#[cfg(test)]`.
    test_lines: Vec<bool>,
}

/// A function with a body.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) first_line: usize,
    pub(super) lines: usize,
}

impl Source {
    pub(super) fn new(path: String, text: String) -> Self {
        let code = blank(&text);
        let test_lines = test_lines(&code);
        let is_test = is_test_path(&path);
        Source { path, text, code, is_test, test_lines }
    }

    /// The room: the first folder, and `bench/ceilings` apart from `bench`.
    pub(super) fn room(&self) -> &str {
        super::arrows::room_of(&self.path)
    }

    pub(super) fn is_example(&self) -> bool {
        self.path.contains("/examples/")
    }

    pub(super) fn is_test_line(&self, line: usize) -> bool {
        self.is_test || self.test_lines.get(line - 1).copied().unwrap_or(false)
    }

    /// The number of lines that are not test code.
    pub(super) fn lines_without_tests(&self) -> usize {
        (1..=self.text.lines().count()).filter(|line| !self.is_test_line(*line)).count()
    }

    /// The lines on which a word or path occurs in code; `unsafe` does not find `unsafe_code`.
    pub(super) fn lines_with(&self, needle: &str) -> Vec<usize> {
        let offsets = words_in(&self.code, needle);
        offsets.map(|offset| line_of(&self.code, offset)).collect()
    }

    /// The functions outside test code.
    pub(super) fn functions(&self) -> Vec<Function> {
        let all = words_in(&self.code, "fn").filter_map(|at| function_at(&self.code, at));
        all.filter(|function| !self.is_test_line(function.first_line)).collect()
    }

    /// The paths, without ending, of the modules declared here under `#[cfg(test)]`.
    pub(super) fn test_module_paths(&self) -> Vec<String> {
        let (folder, file) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let stem = file.trim_end_matches(".rs");
        let base = match stem {
            "lib" | "main" | "mod" => folder.to_owned(),
            _ => format!("{folder}/{stem}"),
        };
        let items = test_items(&self.code).into_iter().map(|(from, to)| &self.code[from..to]);
        let modules = items.filter_map(|item| item.strip_suffix(';')?.rsplit_once("mod "));
        modules.map(|(_, name)| format!("{base}/{}", name.trim())).collect()
    }
}

fn is_test_path(path: &str) -> bool {
    path.contains("/tests/") || path.contains("/benches/") || path.ends_with("/tests.rs")
}

/// The number of the line that holds this offset.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].bytes().filter(|byte| *byte == b'\n').count() + 1
}

/// Offsets at which `needle` stands as a word of its own.
pub(super) fn words_in<'a>(text: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let bytes = text.as_bytes();
    let starts_open = !is_word(needle.as_bytes().first());
    let ends_open = !is_word(needle.as_bytes().last());
    text.match_indices(needle).map(|(at, _)| at).filter(move |at| {
        let before = at.checked_sub(1).and_then(|i| bytes.get(i));
        let after = bytes.get(at + needle.len());
        (starts_open || !is_word(before)) && (ends_open || !is_word(after))
    })
}

fn function_at(code: &str, at: usize) -> Option<Function> {
    let rest = code[at + 2..].trim_start();
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    if end == 0 {
        return None;
    }
    let close = item_end(code, at)?;
    if code.as_bytes()[close - 1] != b'}' {
        return None;
    }
    let first_line = line_of(code, at);
    let lines = line_of(code, close) - first_line + 1;
    Some(Function { name: rest[..end].to_owned(), first_line, lines })
}

/// The offset behind the item that starts here: its closing brace, or its semicolon.
fn item_end(code: &str, from: usize) -> Option<usize> {
    let (mut round, mut curly) = (0_usize, 0_usize);
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => round += 1,
            b')' | b']' => round = round.saturating_sub(1),
            b'{' => curly += 1,
            b'}' if curly <= 1 => return Some(at + 1),
            b'}' => curly -= 1,
            b';' if round == 0 && curly == 0 => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Start and end of every item under a `cfg` that asks for `test`.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    let attribute = |at: usize| {
        let inside = &code[at..at + code[at..].find(']')?];
        let asks = words_in(inside, "test").next().is_some() && !inside.contains("not(test)");
        let end = item_end(code, at + inside.len() + 1)?;
        asks.then_some((at, end))
    };
    code.match_indices("#[cfg(").filter_map(|(at, _)| attribute(at)).collect()
}

fn test_lines(code: &str) -> Vec<bool> {
    let mut lines = vec![false; code.lines().count()];
    for (from, to) in test_items(code) {
        for line in line_of(code, from)..=line_of(code, to - 1) {
            lines[line - 1] = true;
        }
    }
    lines
}

/// Replaces what is inside comments, strings and character literals by blanks.
fn blank(text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    let mut at = 0;
    while at < out.len() {
        let end = literal_end(text, at);
        if end == at {
            at += 1;
            continue;
        }
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(out).expect("whole characters are replaced by blanks")
}

/// The end of the comment or literal that starts here, or `at` when none does.
fn literal_end(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    let ends_word = at > 0 && (text.as_bytes()[at - 1].is_ascii_alphanumeric());
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => at + block_comment_length(rest),
        [b'"', ..] => at + string_length(rest),
        [b'r', b'"' | b'#', ..] if !ends_word => at + raw_string_length(rest),
        [b'b', b'r', b'"' | b'#', ..] if !ends_word => at + 1 + raw_string_length(&rest[1..]),
        [b'\'', ..] => at + character_length(&text[at..]),
        _ => at,
    }
}

fn block_comment_length(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at + 1 < rest.len() {
        match &rest[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn string_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of `r"…"` or `r#"…"#`, or 0 for a raw identifier.
fn raw_string_length(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let body = 2 + hashes;
    let found = rest[body..].windows(close.len()).position(|window| window == close);
    found.map_or(rest.len(), |at| body + at + close.len())
}

/// The length of a character literal, or 0 for a lifetime.
fn character_length(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(rest.len(), |at| 3 + at + 1),
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("fs/src/a.rs".into(), text.into())
    }

    #[test]
    fn comments_and_literals_are_blank_and_lines_stay() {
        let text = "let a = \"un{safe\"; // unsafe }\n/* { /* nested */ } */ let b = 'x';\n";
        let code = blank(text);
        assert_eq!(code.len(), text.len());
        assert_eq!(code.lines().count(), 2);
        assert!(!code.contains("safe") && !code.contains('{') && !code.contains('x'));
        assert!(code.contains("let a =") && code.contains("let b ="));
    }

    #[test]
    fn raw_strings_escapes_and_lifetimes_are_told_apart() {
        assert!(!blank("r#\"a \" { b\"# ;").contains('{'));
        assert!(!blank("\"a\\\"{\" ;").contains('{'));
        assert!(!blank("br\"{\" '{' '\\'' b'{' '\\u{7f}'").contains('{'));
        assert!(blank("fn f<'a>(x: &'a str) { 'é'; }").contains("fn f<'a>(x: &'a str) {"));
        assert!(blank("r#type {").contains("r#type {"));
    }

    #[test]
    fn a_word_is_found_only_as_a_whole() {
        let s = source("#![forbid(unsafe_code)]\nunsafe { x() }\nnot_unsafe();\n");
        assert_eq!(s.lines_with("unsafe"), [2]);
        assert_eq!(source("println!();\neprintln!();\n").lines_with("println!"), [1]);
    }

    #[test]
    fn test_items_are_not_counted() {
        let s = source("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
        assert_eq!(s.lines_without_tests(), 2);
        let names: Vec<_> = s.functions().into_iter().map(|f| f.name).collect();
        assert_eq!(names, ["a", "c"]);
    }

    #[test]
    fn function_lengths_include_the_signature_and_the_closing_brace() {
        let s = source("fn a(\n    x: [u8; 4],\n) -> u8 {\n    x[0]\n}\ntrait T { fn b(); }\n");
        let functions = s.functions();
        assert_eq!(functions.len(), 1);
        assert_eq!((functions[0].first_line, functions[0].lines), (1, 5));
    }

    #[test]
    fn function_pointers_are_not_functions() {
        assert!(source("type F = fn(u8) -> u8;\n").functions().is_empty());
    }
}
