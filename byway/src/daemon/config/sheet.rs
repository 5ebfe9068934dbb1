//! Tables of TOML with their lines. What is asked for and is not there, is of another type or means
//! nothing becomes a finding, and so does what nobody asked for.

use std::cell::RefCell;
use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::{At, Finding, SECTIONS_MAX};

/// A configuration's text, and what is wrong with it so far.
pub(super) struct Sheet<'t> {
    text: &'t str,
    findings: RefCell<Vec<Finding>>,
}

impl<'t> Sheet<'t> {
    pub(super) fn new(text: &'t str) -> Sheet<'t> {
        Sheet { text, findings: RefCell::default() }
    }

    /// The whole text as a table; what is no TOML is found and left out.
    pub(super) fn table(&self) -> DeTable<'t> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let line = self.line(error.span().map_or(0, |span| span.start));
            let problem = error.message().lines().collect::<Vec<_>>().join(", ");
            self.find(Finding::new(
                line,
                "not TOML",
                problem,
                "write lines such as name = \"disk\"",
            ));
        }
        table.into_inner()
    }

    pub(super) fn find(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings.into_inner()
    }

    fn line(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

/// One table.
pub(super) struct Section<'s, 't> {
    sheet: &'s Sheet<'t>,
    table: &'s DeTable<'t>,
    /// What messages call it.
    name: String,
    /// Where it begins.
    pub(super) line: usize,
    known: RefCell<BTreeSet<&'static str>>,
}

impl<'s, 't> Section<'s, 't> {
    /// The whole text.
    pub(super) fn whole(sheet: &'s Sheet<'t>, table: &'s DeTable<'t>) -> Section<'s, 't> {
        Section { sheet, table, name: String::new(), line: 1, known: RefCell::default() }
    }

    fn value(&self, key: &'static str) -> Option<(&'s DeValue<'t>, usize)> {
        self.known.borrow_mut().insert(key);
        self.table.get(key).map(|value| (value.get_ref(), self.line_of(value)))
    }

    fn line_of<T>(&self, value: &Spanned<T>) -> usize {
        self.sheet.line(value.span().start)
    }

    /// What messages call `key` of this table.
    pub(super) fn place(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}: {key}", self.name) }
    }

    /// Something is wrong with `key`.
    pub(super) fn wrong(&self, line: usize, key: &str, problem: impl Into<String>, remedy: &str) {
        self.sheet.find(Finding::new(line, self.place(key), problem, remedy));
    }

    /// Gives the section a name for messages that come later.
    pub(super) fn named(&mut self, name: String) {
        self.name = name;
    }

    fn mistyped(&self, line: usize, key: &str, value: &DeValue<'t>, wanted: &str) {
        let problem = format!("of type {} where {wanted} is wanted", value.type_str());
        self.wrong(line, key, problem, &format!("write {wanted}"));
    }

    /// `[key]`, once.
    pub(super) fn section(&self, key: &'static str) -> Option<Section<'s, 't>> {
        let (value, line) = self.value(key)?;
        let Some(table) = value.as_table() else {
            self.mistyped(line, key, value, &format!("a table [{key}]"));
            return None;
        };
        let (sheet, name) = (self.sheet, key.to_owned());
        Some(Section { sheet, table, name, line, known: RefCell::default() })
    }

    /// `[[key]]`, any number of times.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'s, 't>> {
        let Some((value, line)) = self.value(key) else { return Vec::new() };
        let Some(list) = value.as_array() else {
            let problem = format!("of type {} where several can be", value.type_str());
            self.wrong(line, key, problem, &format!("write [[{key}]]"));
            return Vec::new();
        };
        if list.len() > SECTIONS_MAX {
            let problem = format!("more than {SECTIONS_MAX} of them");
            self.wrong(line, key, problem, "spread them over several daemons");
        }
        let of_list = |(index, value): (usize, &'s Spanned<DeValue<'t>>)| {
            let line = self.line_of(value);
            let Some(table) = value.get_ref().as_table() else {
                self.mistyped(line, key, value.get_ref(), &format!("a table [[{key}]]"));
                return None;
            };
            let (sheet, name) = (self.sheet, format!("{key} {}", index + 1));
            Some(Section { sheet, table, name, line, known: RefCell::default() })
        };
        list.iter().take(SECTIONS_MAX).enumerate().filter_map(of_list).collect()
    }

    /// A string.
    pub(super) fn text(&self, key: &'static str) -> Option<At<String>> {
        let (value, line) = self.value(key)?;
        match value.as_str() {
            Some(text) => Some(At { value: text.to_owned(), line }),
            None => {
                self.mistyped(line, key, value, "a string in quotes");
                None
            }
        }
    }

    /// A string that has to be there.
    pub(super) fn required(&self, key: &'static str, example: &str) -> Option<At<String>> {
        if !self.table.contains_key(key) {
            self.known.borrow_mut().insert(key);
            self.wrong(self.line, key, "is missing", &format!("add {key} = \"{example}\""));
            return None;
        }
        self.text(key)
    }

    /// A string that means something, or why it does not: the problem and the remedy.
    pub(super) fn word<T>(
        &self,
        key: &'static str,
        meaning: impl Fn(&str) -> Result<T, (String, String)>,
    ) -> Option<At<T>> {
        let At { value, line } = self.text(key)?;
        self.understood(key, line, &value, meaning)
    }

    /// As `word`, of a value that was read before.
    pub(super) fn understood<T>(
        &self,
        key: &str,
        line: usize,
        word: &str,
        meaning: impl Fn(&str) -> Result<T, (String, String)>,
    ) -> Option<At<T>> {
        match meaning(word) {
            Ok(value) => Some(At { value, line }),
            Err((problem, remedy)) => {
                self.wrong(line, key, problem, &remedy);
                None
            }
        }
    }

    /// A string or a list of strings.
    pub(super) fn texts(&self, key: &'static str) -> Vec<At<String>> {
        let Some((value, line)) = self.value(key) else { return Vec::new() };
        if let Some(text) = value.as_str() {
            return vec![At { value: text.to_owned(), line }];
        }
        let empty = DeArray::new();
        let list = value.as_array().unwrap_or_else(|| {
            self.mistyped(line, key, value, "a list of strings");
            &empty
        });
        let mut texts = Vec::new();
        for value in list.iter().take(SECTIONS_MAX) {
            let line = self.line_of(value);
            match value.get_ref().as_str() {
                Some(text) => texts.push(At { value: text.to_owned(), line }),
                None => self.mistyped(line, key, value.get_ref(), "a string in quotes"),
            }
        }
        texts
    }

    /// True or false; `otherwise` where nothing is said.
    pub(super) fn truth(&self, key: &'static str, otherwise: bool) -> bool {
        let Some((value, line)) = self.value(key) else { return otherwise };
        value.as_bool().unwrap_or_else(|| {
            self.mistyped(line, key, value, "true or false");
            otherwise
        })
    }

    /// A number from `least` to `most`.
    pub(super) fn number(&self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        let (value, line) = self.value(key)?;
        let Some(number) = value.as_integer() else {
            self.mistyped(line, key, value, "a number");
            return None;
        };
        let number = u64::from_str_radix(number.as_str(), number.radix()).ok();
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong(line, key, "out of range", &format!("use a number from {least} to {most}"));
        }
        number
    }

    /// A list of numbers, with their line.
    pub(super) fn numbers(&self, key: &'static str) -> Option<At<Vec<u64>>> {
        let (value, line) = self.value(key)?;
        let number = |value: &Spanned<DeValue<'t>>| {
            let number = value.get_ref().as_integer()?;
            u64::from_str_radix(number.as_str(), number.radix()).ok()
        };
        let list = value.as_array().map(|list| list.iter().map(number).collect::<Option<Vec<_>>>());
        match list.flatten() {
            Some(value) => Some(At { value, line }),
            None => {
                self.mistyped(line, key, value, "a list of numbers such as [0]");
                None
            }
        }
    }

    /// Finds the keys that nobody has asked for.
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        let remedy = format!("use {}", known.iter().copied().collect::<Vec<_>>().join(", "));
        for key in self.table.keys().filter(|key| !known.contains(key.get_ref().as_ref())) {
            let name: String =
                key.get_ref().chars().take(64).flat_map(char::escape_debug).collect();
            let line = self.line_of(key);
            self.wrong(line, &format!("'{name}'"), "not a key", &remedy);
        }
    }
}
