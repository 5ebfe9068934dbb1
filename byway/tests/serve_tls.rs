//! NBD under TLS, with libnbd's tools as the clients and certificates that are made for the test.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![forbid(unsafe_code)]

#[allow(dead_code, reason = "each test file needs a part of these helpers")]
mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use common::{Folder, byway};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// An authority with a server's certificate, and clients' as libnbd looks for them in a folder.
fn certificates(folder: &Folder) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    fs::write(folder.path("ca-cert.pem"), ca.pem()).unwrap();
    for (file, name) in [("server", "localhost"), ("client", "a-client")] {
        let key = KeyPair::generate().unwrap();
        let names = vec![name.to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        fs::write(folder.path(&format!("{file}-cert.pem")), certificate.pem()).unwrap();
        let path = folder.path(&format!("{file}-key.pem"));
        fs::write(&path, key.serialize_pem()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

struct Served {
    child: Child,
    port: String,
}

impl Served {
    /// A memory of 32 MiB on a loopback port with this word about TLS.
    fn start(folder: &Folder, tls: &str) -> Served {
        let path = |name: &str| folder.path(name).display().to_string();
        let config = format!(
            "[tls]\ncertificate = \"{}\"\nkey = \"{}\"\nclient_ca = \"{}\"\n\
             [[listen]]\naddress = \"127.0.0.1:0\"\ntls = \"{tls}\"\n\
             [[export]]\nname = \"disk\"\nuri = \"mem:32m\"\n",
            path("server-cert.pem"),
            path("server-key.pem"),
            path("ca-cert.pem")
        );
        fs::write(folder.path("byway.toml"), config).unwrap();
        let mut command = byway(&["serve", "--with-parent", "--config"]);
        let command = command.arg(folder.path("byway.toml")).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let rest = line.split_once("://127.0.0.1:").expect("the URI of the export").1;
        let port = rest.split('/').next().unwrap().to_owned();
        Served { child, port }
    }

    fn uri(&self, scheme: &str, certificates: Option<&Path>) -> String {
        let query = certificates.map(|folder| format!("?tls-certificates={}", folder.display()));
        format!("{scheme}://127.0.0.1:{}/disk{}", self.port, query.unwrap_or_default())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn nbdinfo(uri: &str) -> Output {
    Command::new("nbdinfo").args(["--size", uri]).output().unwrap()
}

fn has_tools() -> bool {
    let found = Command::new("nbdinfo").arg("--version").output().is_ok();
    if !found {
        println!("nbdinfo is not here: skipped");
    }
    found
}

#[test]
fn libnbd_reads_and_writes_under_tls() {
    if !has_tools() {
        return;
    }
    let folder = Folder::new("nbds");
    certificates(&folder);
    let served = Served::start(&folder, "required");
    let uri = served.uri("nbds", Some(&folder.path("")));
    let output = nbdinfo(&uri);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), (32 << 20).to_string());

    let content: Vec<u8> = (0..32u32 << 20).map(|n| (n ^ n >> 9) as u8).collect();
    fs::write(folder.path("content"), &content).unwrap();
    let copy = |from: &str, to: &str| {
        let output = Command::new("nbdcopy").args([from, to]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    copy(folder.path("content").to_str().unwrap(), &uri);
    copy(&uri, folder.path("back").to_str().unwrap());
    assert!(fs::read(folder.path("back")).unwrap() == content, "what was written is read");
}

#[test]
fn who_has_no_certificate_or_no_tls_stays_outside() {
    if !has_tools() {
        return;
    }
    let folder = Folder::new("outside");
    certificates(&folder);
    let served = Served::start(&folder, "required");
    assert!(!nbdinfo(&served.uri("nbd", None)).status.success(), "no TLS");
    let bare = folder.path("bare");
    fs::create_dir(&bare).unwrap();
    fs::copy(folder.path("ca-cert.pem"), bare.join("ca-cert.pem")).unwrap();
    assert!(!nbdinfo(&served.uri("nbds", Some(&bare))).status.success(), "no certificate");
    assert!(nbdinfo(&served.uri("nbds", Some(&folder.path("")))).status.success());

    let served = Served::start(&folder, "allowed");
    assert!(nbdinfo(&served.uri("nbd", None)).status.success(), "TLS is a choice here");
    assert!(nbdinfo(&served.uri("nbds", Some(&folder.path("")))).status.success());
}
