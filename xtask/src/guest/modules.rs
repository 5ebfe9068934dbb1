//! Kernel modules with what they depend on, in the order in which they can be loaded.
//!
//! Each module names its dependencies itself (`depends=` among its `.modinfo` strings), so neither
//! `depmod` nor its tables are needed, and the guest loads them by `insmod`, one after the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::exec::Outcome;

use super::sysroot::Sysroot;

/// The modules of a kernel by name, and the names of what is built in.
pub(super) struct Modules {
    files: BTreeMap<String, PathBuf>,
    built_in: Vec<String>,
}

impl Modules {
    pub(super) fn of(sysroot: &Sysroot) -> Outcome<Modules> {
        let folder = sysroot.path.join("lib/modules").join(&sysroot.kernel);
        let mut files = BTreeMap::new();
        collect(&folder, &mut files).map_err(|e| format!("{}: {e}", folder.display()))?;
        let list = std::fs::read_to_string(folder.join("modules.builtin")).unwrap_or_default();
        let built_in = list.lines().filter_map(|line| name_of(Path::new(line))).collect();
        Ok(Modules { files, built_in })
    }

    /// The files of the named modules and of all they need, dependencies first.
    pub(super) fn load_order(&self, names: &[&str]) -> Outcome<Vec<(String, Vec<u8>)>> {
        let mut order = Vec::new();
        names.iter().try_for_each(|name| self.add(&name.replace('-', "_"), &mut order))?;
        Ok(order)
    }

    fn add(&self, name: &str, order: &mut Vec<(String, Vec<u8>)>) -> Outcome {
        if order.iter().any(|(there, _)| there == name) {
            return Ok(());
        }
        let Some(path) = self.files.get(name) else {
            let is_built_in = self.built_in.iter().any(|there| there == name);
            return if is_built_in { Ok(()) } else { Err(format!("the kernel has no {name}")) };
        };
        let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        for needed in depends(&bytes) {
            self.add(&needed.replace('-', "_"), order)?;
        }
        order.push((name.to_owned(), bytes));
        Ok(())
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if let Some(name) = name_of(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

/// `crc32c_generic` of `kernel/crypto/crc32c_generic.ko`.
fn name_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".ko")?;
    Some(name.replace('-', "_"))
}

/// The names in `depends=a,b`.
fn depends(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let rest = &module[at + KEY.len()..];
    let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    let names = String::from_utf8_lossy(&rest[..end]);
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_names_what_it_needs() {
        assert_eq!(depends(b"ELF\0license=GPL\0depends=a,b-c\0name=x\0"), ["a", "b-c"]);
        assert!(depends(b"ELF\0depends=\0name=x\0").is_empty());
    }

    #[test]
    fn names_have_no_dashes() {
        assert_eq!(name_of(Path::new("kernel/a/sd-mod.ko")).as_deref(), Some("sd_mod"));
        assert_eq!(name_of(Path::new("modules.order")), None);
    }
}
