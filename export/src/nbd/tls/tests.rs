//! A server and a client in one core, with certificates that are made for the test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use byway_engine::block::Payload;
use byway_engine::core::{Core, CoreConfig};
use byway_engine::exec::Class;
use byway_engine::net::{Address, ListenOptions, Listener, NetError, NetErrorKind, Stream};
use byway_engine::reactor::Reactor;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::*;

/// An authority, and the files of a server and of a client that it vouches for.
struct Lab {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Lab {
    fn new(name: &str) -> Lab {
        let folder = std::env::temp_dir().join(format!("byway-tls-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.join("ca.pem"), certificate.pem()).unwrap();
        let lab = Lab { folder, issuer: Issuer::new(params, key) };
        lab.certificate("server", "localhost");
        lab.certificate("client", "a client");
        lab
    }

    fn certificate(&self, file: &str, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.replace(' ', "-")]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path(&format!("{file}.pem")), certificate.pem()).unwrap();
        let path = self.path(&format!("{file}.key"));
        fs::write(&path, key.serialize_pem()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn files(&self, client_certificates: ClientCertificates) -> TlsFiles {
        TlsFiles {
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            client_ca: Some(self.path("ca.pem")),
            client_certificates,
        }
    }

    fn server(&self) -> TlsConfig {
        TlsConfig::from_files(&self.files(ClientCertificates::Required)).unwrap()
    }

    fn client(&self, own: bool) -> TlsClientConfig {
        let own = own.then(|| (self.path("client.pem"), self.path("client.key")));
        let files = TlsClientFiles { ca: self.path("ca.pem"), own };
        TlsClientConfig::from_files(&files, "localhost").unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

async fn streams(core: &Rc<Core>) -> (Rc<Stream>, Rc<Stream>) {
    let any: Address = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(core, &any, ListenOptions::default()).unwrap();
    let near = Stream::connect(core, listener.local_address()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    (Rc::new(near), Rc::new(far))
}

/// What client and server say of their handshake.
async fn shake(
    core: &Rc<Core>,
    server: &TlsConfig,
    client: &TlsClientConfig,
) -> (Result<TlsStream, NetError>, Result<TlsStream, NetError>) {
    let (near, far) = streams(core).await;
    let (config, answering) = (server.clone(), Rc::clone(core));
    let accepting = core.spawn(Class::Foreground, "accept", async move {
        TlsStream::accept(&answering, far, &config).await
    });
    let near = TlsStream::connect(core, near, client).await;
    (near, accepting.await.unwrap())
}

fn on_core<F: Future<Output = ()> + 'static>(story: impl FnOnce(Rc<Core>) -> F + 'static) {
    Reactor::new(&CoreConfig::default()).unwrap().run(story);
}

fn pattern(at: usize, len: usize) -> Vec<u8> {
    (at..at + len).map(|n| (n * 7 + n / 251) as u8).collect()
}

fn payload(core: &Rc<Core>, bytes: &[u8]) -> Payload {
    let mut lease = core.lease(bytes.len() as u32).unwrap();
    lease.copy_from_slice(bytes);
    lease.into()
}

async fn receive_all(core: &Rc<Core>, stream: &TlsStream, len: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < len {
        let room = core.lease(100_000).unwrap();
        let (got, payload) = stream.receive(room.into()).await;
        let got = got.unwrap();
        assert!(got > 0, "the stream ends after {} bytes", all.len());
        let mut bytes = vec![0; got];
        payload.copy_to(0, &mut bytes);
        all.extend(bytes);
    }
    all
}

#[test]
fn bytes_go_both_ways_at_once_and_the_end_is_an_end() {
    const LEN: usize = 3 << 20;
    on_core(|core| async move {
        let lab = Lab::new("both");
        let (near, far) = shake(&core, &lab.server(), &lab.client(true)).await;
        let (near, far) = (Rc::new(near.unwrap()), Rc::new(far.unwrap()));
        let send = |stream: &Rc<TlsStream>| {
            let (stream, memory) = (Rc::clone(stream), Rc::clone(&core));
            core.spawn(Class::Foreground, "send", async move {
                for at in (0..LEN).step_by(LEN / 8) {
                    let bytes = payload(&memory, &pattern(at, LEN / 8));
                    stream.send(bytes).await.0.unwrap();
                }
                stream.close().await;
            })
        };
        let sending = [send(&near), send(&far)];
        let reading = {
            let (stream, memory) = (Rc::clone(&near), Rc::clone(&core));
            core.spawn(Class::Foreground, "receive", async move {
                receive_all(&memory, &stream, LEN).await
            })
        };
        assert!(receive_all(&core, &far, LEN).await == pattern(0, LEN));
        assert!(reading.await.unwrap() == pattern(0, LEN));
        for task in sending {
            task.await.unwrap();
        }
        let (end, _) = far.receive(core.lease(4096).unwrap().into()).await;
        assert_eq!(end, Ok(0), "a goodbye is an end");
    });
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    on_core(|core| async move {
        let lab = Lab::new("none");
        let (near, far) = shake(&core, &lab.server(), &lab.client(false)).await;
        let error = far.err().expect("no certificate, no connection").to_string();
        assert!(error.contains("certificate"), "{error}");
        // With TLS 1.3 a client is done before the server has looked at it.
        let near = near.unwrap();
        let (got, _) = near.receive(core.lease(512).unwrap().into()).await;
        assert_eq!(got.unwrap_err().kind, NetErrorKind::Other, "the alert");

        let optional = lab.files(ClientCertificates::Optional);
        let server = TlsConfig::from_files(&optional).unwrap();
        assert!(!server.requires_client() && lab.server().requires_client());
        let (near, far) = shake(&core, &server, &lab.client(false)).await;
        assert!(near.is_ok() && far.is_ok());
    });
}

#[test]
fn strangers_are_refused_on_both_sides() {
    on_core(|core| async move {
        let (lab, other) = (Lab::new("ours"), Lab::new("theirs"));
        let (near, far) = shake(&core, &lab.server(), &other.client(true)).await;
        assert!(near.is_err() && far.is_err(), "an authority that the client does not know");
        let stranger = TlsClientFiles {
            ca: lab.path("ca.pem"),
            own: Some((other.path("client.pem"), other.path("client.key"))),
        };
        let stranger = TlsClientConfig::from_files(&stranger, "localhost").unwrap();
        let (_, far) = shake(&core, &lab.server(), &stranger).await;
        assert!(far.is_err(), "an authority that the server does not know");
        let named = TlsClientFiles { ca: lab.path("ca.pem"), own: None };
        let named = TlsClientConfig::from_files(&named, "elsewhere.example").unwrap();
        let (near, _) = shake(&core, &lab.server(), &named).await;
        assert!(near.is_err(), "another server's certificate");
    });
}

#[test]
fn silence_noise_and_a_cut_end_with_an_error() {
    on_core(|core| async move {
        let lab = Lab::new("noise");
        let mut quick = lab.server();
        quick.handshake_ns = 20_000_000;
        let (_silent, far) = streams(&core).await;
        let error = TlsStream::accept(&core, far, &quick).await.err().unwrap();
        assert_eq!(error.kind, NetErrorKind::TimedOut);

        let (near, far) = streams(&core).await;
        near.send(payload(&core, b"NBDMAGIC and no TLS, which is no record at all"))
            .await
            .0
            .unwrap();
        let error = TlsStream::accept(&core, far, &lab.server()).await.err().unwrap();
        assert!(error.to_string().contains("TLS"), "{error}");

        let (near, far) = shake(&core, &lab.server(), &lab.client(true)).await;
        drop(near);
        let (got, _) = far.unwrap().receive(core.lease(512).unwrap().into()).await;
        assert_eq!(got.unwrap_err().kind, NetErrorKind::Closed, "no goodbye, no end");

        let (near, far) = shake(&core, &lab.server(), &lab.client(true)).await;
        let (near, far) = (near.unwrap(), far.unwrap());
        let record = [0x17, 3, 3, 0, 32].into_iter().chain(0..32).collect::<Vec<u8>>();
        near.stream().send(payload(&core, &record)).await.0.unwrap();
        let (got, _) = far.receive(core.lease(512).unwrap().into()).await;
        assert!(got.unwrap_err().to_string().contains("decrypt"), "a forged record");
        let (sent, _) = far.send(payload(&core, b"after that")).await;
        assert!(sent.is_err(), "nothing is sent after a failure");
    });
}

#[test]
fn wrong_files_are_named_with_the_remedy() {
    let lab = Lab::new("files");
    let right = lab.files(ClientCertificates::Required);
    let says = |files: &TlsFiles, parts: &[&str]| {
        let error = TlsConfig::from_files(files).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    let open = lab.path("open.key");
    fs::copy(&right.key, &open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o640)).unwrap();
    says(&TlsFiles { key: open, ..right.clone() }, &["open.key", "mode 0640", "chmod 0600"]);
    let key = lab.path("client.key");
    says(&TlsFiles { key, ..right.clone() }, &["client.key", "certificate was made for"]);
    let certificate = right.key.clone();
    says(&TlsFiles { certificate, ..right.clone() }, &["server.key", "no certificate"]);
    let client_ca = Some(Path::new("/nowhere/ca.pem").to_owned());
    says(&TlsFiles { client_ca, ..right }, &["/nowhere/ca.pem", "may read"]);
}
