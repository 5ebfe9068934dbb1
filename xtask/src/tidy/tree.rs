//! Reading the tree: Rust sources, manifests and every other text file, in order of path.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::source::Source;
use crate::exec::Outcome;

/// Folders that hold what programs have written, from the root.
const SKIPPED_FOLDERS: [&str; 3] = [".git", "fuzz/artifacts", "fuzz/corpus"];
/// The file by which cargo marks a build folder.
const BUILD_FOLDER_MARK: &str = "CACHEDIR.TAG";
/// Endings of the text files that people write, beside Rust.
const TEXT_ENDINGS: [&str; 7] = ["md", "toml", "sh", "json", "yml", "yaml", "txt"];

/// A text file that is not Rust.
pub(super) struct Text {
    pub(super) path: String,
    pub(super) text: String,
}

pub(super) struct Tree {
    pub(super) sources: Vec<Source>,
    pub(super) texts: Vec<Text>,
    /// Every path, files and folders, for links.
    pub(super) paths: BTreeSet<String>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> Outcome<Tree> {
        let mut tree = Tree { sources: Vec::new(), texts: Vec::new(), paths: BTreeSet::new() };
        tree.walk(root, root).map_err(|e| format!("reading {}: {e}", root.display()))?;
        tree.mark_tests();
        Ok(tree)
    }

    /// A tree made of samples: path and content.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree { sources: Vec::new(), texts: Vec::new(), paths: BTreeSet::new() };
        for (path, text) in files {
            tree.add((*path).to_owned(), (*text).to_owned());
        }
        tree.mark_tests();
        tree
    }

    /// The text file with this path.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.texts.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    fn walk(&mut self, root: &Path, folder: &Path) -> std::io::Result<()> {
        let entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let shown = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            if path.is_dir() {
                let is_skipped = SKIPPED_FOLDERS.contains(&shown.as_str());
                self.paths.insert(shown);
                if !is_skipped && !path.is_symlink() && !path.join(BUILD_FOLDER_MARK).exists() {
                    self.walk(root, &path)?;
                }
            } else if is_text(&path) {
                self.add(shown, std::fs::read_to_string(&path)?);
            } else {
                self.paths.insert(shown);
            }
        }
        Ok(())
    }

    fn add(&mut self, path: String, text: String) {
        self.paths.insert(path.clone());
        match path.ends_with(".rs") {
            true => self.sources.push(Source::new(path, text)),
            false => self.texts.push(Text { path, text }),
        }
    }

    /// A file that another declares under `#[cfg(test)]` is test code from its first line on.
    fn mark_tests(&mut self) {
        let modules: Vec<String> =
            self.sources.iter().flat_map(Source::test_module_paths).collect();
        for source in &mut self.sources {
            let in_module = |module: &String| {
                source.path == format!("{module}.rs")
                    || source.path.starts_with(&format!("{module}/"))
            };
            if modules.iter().any(in_module) {
                source.is_test = true;
            }
        }
    }
}

fn is_text(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    let in_ci = path.parent().is_some_and(|folder| folder.file_name() == Some(".ci".as_ref()));
    ending == "rs" || in_ci || TEXT_ENDINGS.contains(&ending.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_declared_for_tests_is_test_code() {
        let tree = Tree::of(&[
            ("fs/src/lib.rs", "mod a;\n#[cfg(test)]\nmod checks;\n"),
            ("fs/src/a.rs", "#[cfg(all(test, not(loom)))]\nmod deep;\n"),
            ("fs/src/checks.rs", ""),
            ("fs/src/a/deep.rs", ""),
            ("fs/src/other.rs", ""),
            ("fs/tests/whole.rs", ""),
        ]);
        let tests: Vec<_> =
            tree.sources.iter().filter(|s| s.is_test).map(|s| s.path.as_str()).collect();
        assert_eq!(tests, ["fs/src/checks.rs", "fs/src/a/deep.rs", "fs/tests/whole.rs"]);
    }
}
