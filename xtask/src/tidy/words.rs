//! Words that appear nowhere in the repository, neither in code nor in comments or documents:
//! reminders, paths of one machine, hosts of registries, and how the work was organised.

use super::Finding;
use super::config::{Config, Words, covers};
use super::source::{line_of, words_in};
use super::tree::Tree;

pub(super) fn check(tree: &Tree, config: &Config) -> Vec<Finding> {
    let sources = tree.sources.iter().map(|source| (&source.path, &source.text));
    let texts = tree.texts.iter().map(|file| (&file.path, &file.text));
    let all = sources.chain(texts).filter(|(path, _)| !covers(&config.words.exempt, path));
    all.flat_map(|(path, text)| text_findings(path, text, &config.words)).collect()
}

fn text_findings(path: &str, text: &str, words: &Words) -> Vec<Finding> {
    let at = |word: &String| {
        let lines: Vec<_> = words_in(text, word).map(|offset| line_of(text, offset)).collect();
        let what = format!("`{word}` does not belong into the repository");
        lines.into_iter().map(move |line| Finding::at("word", path, line, what.as_str()))
    };
    words.banned.iter().flat_map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let banned = vec!["LATER".to_owned(), "/some/machine/".to_owned()];
        let words = Words { banned, exempt: vec!["xtask/tidy.toml".into()] };
        let config = Config { words, ..Config::default() };
        check(&Tree::of(&[(path, text)]), &config).into_iter().map(|f| f.line).collect()
    }

    #[test]
    fn words_are_found_in_comments_strings_and_documents() {
        assert_eq!(lines("fs/src/a.rs", "// fine\n// LATER: mend\n"), [2]);
        assert_eq!(lines("fs/src/a.rs", "const P: &str = \"/some/machine/x\";\n"), [1]);
        assert_eq!(lines("docs/a.md", "one\ntwo\nsee /some/machine/here\n"), [3]);
    }

    #[test]
    fn only_whole_words_count_and_exempt_files_may_spell_them() {
        assert!(lines("docs/a.md", "COLLATERAL LATERAL\n").is_empty());
        assert!(lines("xtask/tidy.toml", "LATER\n").is_empty());
    }
}
