//! The three modes of a server (NBD, 'Server-side requirements').

use super::*;
use crate::nbd::option::OptError;

impl Client {
    fn start_tls(&mut self) {
        self.send(Opt::StartTls, &[]).unwrap();
        assert_eq!(self.event(), HandshakeEvent::StartTls);
        assert_eq!(kinds(&self.replies(Opt::StartTls)), [OptReply::Ack]);
        assert_eq!(self.server.handle_bytes(b"IHAVEOPT in the clear"), Ok(0));
        self.server.tls_started();
    }
}

#[test]
fn a_server_without_tls_says_so_and_never_asks_for_it() {
    let mut client = Client::greeted(TlsPolicy::Off);
    assert_eq!(client.ask_one(Opt::StartTls, &[]), OptReply::Err(OptError::Policy));
    client.open(Opt::Go, &info_request("disk", &[]));
    assert!(!client.begun().is_tls);
}

#[test]
fn a_server_that_requires_tls_answers_nothing_before_it() {
    let mut client = Client::greeted(TlsPolicy::Required);
    let required = OptReply::Err(OptError::TlsRequired);
    let others = [
        Opt::List,
        Opt::Info,
        Opt::Go,
        Opt::StructuredReply,
        Opt::SetMetaContext,
        Opt::ExtendedHeaders,
        Opt::Unknown(1000),
    ];
    for option in others {
        assert_eq!(client.ask_one(option, &[]), required);
    }
    assert_eq!(client.ask_one(Opt::Go, &long(40_000)), required);
    let mut hasty = Client { server: client.server.clone() };
    assert_eq!(hasty.send(Opt::ExportName, b"disk"), Err(HandshakeError::TlsRequired));
    assert_eq!(client.ask_one(Opt::StartTls, b"x"), OptReply::Err(OptError::Invalid));
    client.start_tls();
    client.open(Opt::Go, &info_request("disk", &[]));
    assert!(client.begun().is_tls);
}

#[test]
fn a_client_may_leave_before_tls() {
    let mut client = Client::greeted(TlsPolicy::Required);
    client.send(Opt::Abort, &[]).unwrap();
    assert_eq!(client.event(), HandshakeEvent::Abort);
}

#[test]
fn tls_starts_once() {
    let mut client = Client::greeted(TlsPolicy::Allowed);
    client.start_tls();
    assert_eq!(client.ask_one(Opt::StartTls, &[]), OptReply::Err(OptError::Invalid));
}

#[test]
fn what_was_negotiated_in_the_clear_is_forgotten() {
    let mut client = Client::greeted(TlsPolicy::Allowed);
    client.ask_one(Opt::ExtendedHeaders, &[]);
    client.open(Opt::SetMetaContext, &context_query("disk", &["base:allocation"]));
    client.start_tls();
    client.open(Opt::Go, &info_request("disk", &[]));
    let negotiated = client.begun();
    assert_eq!(negotiated.headers, Headers::Simple);
    assert!(!negotiated.has_allocation && negotiated.is_tls);
}

#[test]
fn an_export_may_be_for_tls_only() {
    let mut client = Client::greeted(TlsPolicy::Allowed);
    client.send(Opt::Go, &info_request("secret", &[])).unwrap();
    client.event();
    client.server.refused(Refusal::TlsRequired);
    let required = OptReply::Err(OptError::TlsRequired);
    assert_eq!(kinds(&client.replies(Opt::Go)), [required]);
    client.start_tls();
    client.open(Opt::Go, &info_request("secret", &[]));
    client.begun();
}
