//! What a TLS server or client is made of: its own certificate and key, and whom it believes.

use std::path::PathBuf;
use std::sync::Arc;

use byway_engine::error::SetupError;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, ServerConfig};

use super::files;

/// How long a handshake may take, in nanoseconds, where nothing else is said.
const HANDSHAKE_NS: u64 = 10_000_000_000;

/// Whether clients prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Every client shows a certificate of the authorities.
    #[default]
    Required,
    /// A client may show one, which is then checked, or none.
    Optional,
}

/// Where a server's certificate, key and authorities are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the server's certificate, then those between it and its authority.
    pub certificate: PathBuf,
    /// PEM: the key of that certificate, in a file of mode 0600.
    pub key: PathBuf,
    /// PEM: the authorities of clients' certificates; without, no client is asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whether clients must have one.
    pub client_certificates: ClientCertificates,
}

/// A TLS server. Clones share it.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    pub(super) server: Arc<ServerConfig>,
    /// How long a handshake may take, in nanoseconds.
    pub handshake_ns: u64,
    requires_client: bool,
}

impl TlsConfig {
    /// Reads the files, and checks that key and certificate belong together.
    ///
    /// # Errors
    /// Where a file cannot be read or used, or a key file is open to others.
    pub fn from_files(given: &TlsFiles) -> Result<TlsConfig, SetupError> {
        let chain = files::chain(&given.certificate)?;
        let key = files::key(&given.key)?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|cause| files::error(&given.key, "private key", cause.to_string(), BUILD))?;
        let builder = match &given.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => builder.with_client_cert_verifier(verifier(given, path)?),
        };
        let mut server = builder.with_single_cert(chain, key).map_err(|cause| {
            let remedy = "name the key that the certificate was made for";
            files::error(&given.key, "private key", cause.to_string(), remedy)
        })?;
        // A connection lives for as long as a virtual machine: resuming saves nothing.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        let is_required = given.client_certificates == ClientCertificates::Required;
        let requires_client = given.client_ca.is_some() && is_required;
        Ok(TlsConfig { server: Arc::new(server), handshake_ns: HANDSHAKE_NS, requires_client })
    }

    /// True where no client without a certificate comes in.
    #[must_use]
    pub fn requires_client(&self) -> bool {
        self.requires_client
    }
}

/// Where what a client believes and shows is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsClientFiles {
    /// PEM: the authorities of the server's certificate.
    pub ca: PathBuf,
    /// PEM: the client's certificate, and its key in a file of mode 0600.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// A TLS client of one server. Clones share it.
#[derive(Clone, Debug)]
pub struct TlsClientConfig {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server_name: ServerName<'static>,
    /// How long a handshake may take, in nanoseconds.
    pub handshake_ns: u64,
}

impl TlsClientConfig {
    /// Reads the files. `server_name` is the name or IP address in the server's certificate.
    ///
    /// # Errors
    /// As [`TlsConfig::from_files`], and for a name that no certificate can have.
    pub fn from_files(
        given: &TlsClientFiles,
        server_name: &str,
    ) -> Result<TlsClientConfig, SetupError> {
        let roots = files::authorities(&given.ca)?;
        let name = ServerName::try_from(server_name.to_owned()).map_err(|cause| {
            let remedy = "use the host's name or IP address";
            SetupError::new(format!("server name '{server_name}'"), cause.to_string(), remedy)
        })?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|cause| files::error(&given.ca, "certificate", cause.to_string(), BUILD))?
            .with_root_certificates(roots);
        let client = match &given.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let (chain, secret) = (files::chain(certificate)?, files::key(key)?);
                builder.with_client_auth_cert(chain, secret).map_err(|cause| {
                    let remedy = "name the key that the certificate was made for";
                    files::error(key, "private key", cause.to_string(), remedy)
                })?
            }
        };
        let client = Arc::new(client);
        Ok(TlsClientConfig { client, server_name: name, handshake_ns: HANDSHAKE_NS })
    }
}

const BUILD: &str = "report this: the build lacks a protocol version";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn verifier(
    given: &TlsFiles,
    path: &std::path::Path,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, SetupError> {
    let roots = Arc::new(files::authorities(path)?);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
    let builder = match given.client_certificates {
        ClientCertificates::Required => builder,
        ClientCertificates::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|cause| {
        let remedy = "name the authority that signs the clients' certificates";
        files::error(path, "certificate", cause.to_string(), remedy)
    })
}
