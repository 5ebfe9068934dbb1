//! Running the binary in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder that goes away with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty folder named after the test.
    pub(crate) fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("byway-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file of `len` bytes.
    pub(crate) fn file(&self, name: &str, len: u64) -> PathBuf {
        let path = self.path(name);
        std::fs::File::create(&path).unwrap().set_len(len).unwrap();
        path
    }

    /// The names in the folder, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind is no failure of the test.
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}

/// The binary with arguments.
pub(crate) fn byway(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_byway"));
    command.args(args).env_remove("RUST_LOG");
    command
}

/// The `file:` URI of a path.
pub(crate) fn file_uri(path: &Path) -> String {
    format!("file:{}", path.display())
}

/// The only line of the error output, and the exit code.
pub(crate) fn failure(output: &Output) -> (String, i32) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "one line on the error output: {text}");
    assert!(text.starts_with("byway: "), "{text}");
    (text.trim_end().to_owned(), output.status.code().unwrap())
}
