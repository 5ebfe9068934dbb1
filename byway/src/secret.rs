//! Secrets in files: read only where nobody else can read them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use byway_engine::SetupError;
use byway_proto::iscsi::chap::Secret;

/// The longest file that may hold a secret, in bytes.
const FILE_LEN_MAX: u64 = 4096;

/// The secret in a file: its first line.
///
/// # Errors
/// Where the file is not there, is readable by others, or its secret is too short or long.
pub fn read(path: &Path) -> Result<Secret, SetupError> {
    let wrong = |problem: String, remedy: &str| {
        SetupError::new(format!("the secret file {}", path.display()), problem, remedy)
    };
    let cannot = |error: std::io::Error| wrong(error.to_string(), "create it, with mode 0600");
    let mut file = File::open(path).map_err(cannot)?;
    let meta = file.metadata().map_err(cannot)?;
    if !meta.is_file() || meta.len() > FILE_LEN_MAX {
        return Err(wrong("not a small file".into(), "put the secret alone into a file"));
    }
    if meta.mode() & 0o077 != 0 {
        let problem = format!("others may read it (mode {:04o})", meta.mode() & 0o7777);
        return Err(wrong(problem, "chmod 0600 it"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(cannot)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let secret = Secret::new(line);
    bytes.fill(0);
    secret.map_err(|error| wrong(error.to_string(), "use 12 to 256 characters"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(name: &str, content: &str, mode: u32) -> std::path::PathBuf {
        let name = format!("byway-secret-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn the_first_line_of_a_private_file_is_a_secret() {
        let path = file("right", "long enough secret\n", 0o600);
        assert_eq!(read(&path).unwrap(), Secret::new(b"long enough secret").unwrap());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn open_files_and_short_secrets_are_refused() {
        for (name, content, mode, part) in [
            ("open", "long enough secret", 0o640, "mode 0640"),
            ("short", "too small", 0o600, "12 to 256"),
        ] {
            let path = file(name, content, mode);
            let message = read(&path).unwrap_err().to_string();
            assert!(message.contains(part) && !message.contains(content), "{message}");
            std::fs::remove_file(path).unwrap();
        }
        let message = read(Path::new("/nowhere/secret")).unwrap_err().to_string();
        assert!(message.contains("/nowhere/secret") && message.contains("0600"), "{message}");
    }
}
