//! Certificates and keys in PEM files (RFC 7468).
//!
//! A private key is read only where nobody but its owner may read it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use byway_engine::error::SetupError;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The longest file that is read, in bytes: bundles of authorities are long.
const FILE_LEN_MAX: u64 = 4 << 20;
/// Permission bits of others than the owner.
const OTHERS: u32 = 0o077;

/// The certificates of a file, the server's or client's own first.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let bytes = read(path, "certificate", false)?;
    let wrong = |problem: String| error(path, "certificate", problem, "write PEM certificates");
    let all = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|cause| wrong(format!("no PEM: {cause}")))?;
    if all.is_empty() {
        return Err(wrong("it has no certificate".into()));
    }
    Ok(all)
}

/// The private key of a file of mode 0600.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, SetupError> {
    let mut bytes = read(path, "private key", true)?;
    let found = PrivateKeyDer::from_pem_slice(&bytes);
    bytes.fill(0);
    let remedy = "write a PEM key without a password";
    found.map_err(|cause| error(path, "private key", format!("no key in it: {cause}"), remedy))
}

/// The authorities that a peer's certificate must lead to.
pub(super) fn authorities(path: &Path) -> Result<RootCertStore, SetupError> {
    let mut store = RootCertStore::empty();
    for certificate in chain(path)? {
        store.add(certificate).map_err(|cause| {
            let problem = format!("not the certificate of an authority: {cause}");
            error(path, "certificate", problem, "name the authority's certificate")
        })?;
    }
    Ok(store)
}

/// An error about one of the files.
pub(super) fn error(path: &Path, what: &str, problem: String, remedy: &str) -> SetupError {
    SetupError::new(format!("the {what} file {}", path.display()), problem, remedy)
}

fn read(path: &Path, what: &str, is_private: bool) -> Result<Vec<u8>, SetupError> {
    let cannot = |cause: std::io::Error| {
        let remedy = "name a file that this user may read";
        error(path, what, cause.to_string(), remedy)
    };
    let mut file = File::open(path).map_err(cannot)?;
    let meta = file.metadata().map_err(cannot)?;
    if !meta.is_file() || meta.len() > FILE_LEN_MAX {
        return Err(error(path, what, "not a small file".into(), "name a PEM file"));
    }
    if is_private && meta.mode() & OTHERS != 0 {
        let problem = format!("others may read it (mode {:04o})", meta.mode() & 0o7777);
        return Err(error(path, what, problem, "chmod 0600 it"));
    }
    let mut bytes = Vec::with_capacity(meta.len() as usize);
    file.read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}
