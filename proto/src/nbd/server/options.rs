//! What each option does (NBD, 'Option types').

use alloc::string::String;
use alloc::vec::Vec;

use super::config::TlsPolicy;
use super::error::HandshakeError;
use super::event::{HandshakeEvent, Wanted};
use super::handshake::{Handshake, Opening, State};
use crate::nbd::Headers;
use crate::nbd::context::{BASE_ALLOCATION, BASE_WILDCARD, ClientId, ContextQuery};
use crate::nbd::flags::ClientFlags;
use crate::nbd::info::InfoRequest;
use crate::nbd::option::{Opt, OptError};
use crate::nbd::text::text;

impl Handshake {
    /// An option with all of its data.
    pub(super) fn option(&mut self, option: Opt, data: &[u8]) -> Result<(), HandshakeError> {
        debug_assert!(
            option == Opt::ExportName || self.client.contains(ClientFlags::FIXED_NEWSTYLE),
            "the head was judged"
        );
        if option == Opt::ExportName {
            return self.export_name(data);
        }
        self.state = State::Option;
        if let Some((error, message)) = self.veto(option) {
            self.fail(option, error, message);
            return Ok(());
        }
        match option {
            Opt::Abort => {
                self.ack(option);
                self.ask(HandshakeEvent::Abort, State::Over);
            }
            Opt::List => self.bare(option, data, |this| {
                this.ask(HandshakeEvent::List, State::Listing);
            }),
            Opt::StartTls => self.bare(option, data, Handshake::start_tls),
            Opt::StructuredReply => self.bare(option, data, Handshake::structured_reply),
            Opt::ExtendedHeaders => self.bare(option, data, Handshake::extended_headers),
            Opt::Info => self.info(option, Wanted::Info, data),
            Opt::Go => self.info(option, Wanted::Go, data),
            Opt::ListMetaContext | Opt::SetMetaContext => self.contexts(option, data),
            Opt::ExportName | Opt::Unknown(_) => {
                self.fail(option, OptError::Unsupported, "this server does not know the option");
            }
        }
        Ok(())
    }

    /// An option that has no data.
    fn bare(&mut self, option: Opt, data: &[u8], then: impl FnOnce(&mut Handshake)) {
        if data.is_empty() {
            then(self);
        } else {
            self.fail(option, OptError::Invalid, "the option has no data");
        }
    }

    /// Nothing can be answered but yes, so that every other outcome ends the connection.
    fn export_name(&mut self, data: &[u8]) -> Result<(), HandshakeError> {
        match self.veto(Opt::ExportName) {
            Some((OptError::TlsRequired, _)) => return Err(HandshakeError::TlsRequired),
            Some(_) => return Err(HandshakeError::Shutdown),
            None => {}
        }
        let name = String::from(text(data)?);
        self.open(Opening {
            option: Opt::ExportName,
            name,
            wanted: Wanted::ExportName,
            kinds: Vec::new(),
            is_match: false,
            client: None,
        });
        Ok(())
    }

    fn start_tls(&mut self) {
        if self.is_tls {
            self.fail(Opt::StartTls, OptError::Invalid, "TLS is in use");
        } else if self.config.tls == TlsPolicy::Off {
            self.fail(Opt::StartTls, OptError::Policy, "this server has no TLS");
        } else {
            self.ack(Opt::StartTls);
            self.ask(HandshakeEvent::StartTls, State::Tls);
        }
    }

    fn structured_reply(&mut self) {
        let option = Opt::StructuredReply;
        match self.headers {
            _ if self.config.headers_max < Headers::Structured => {
                self.fail(option, OptError::Unsupported, "this server has simple replies only");
            }
            Headers::Simple => {
                self.headers = Headers::Structured;
                self.ack(option);
            }
            Headers::Structured => {
                self.fail(option, OptError::Invalid, "structured replies are in use");
            }
            Headers::Extended => {
                let error = OptError::ExtendedHeadersRequired;
                self.fail(option, error, "extended headers are in use, which include them");
            }
        }
    }

    fn extended_headers(&mut self) {
        let option = Opt::ExtendedHeaders;
        if self.config.headers_max < Headers::Extended {
            self.fail(option, OptError::Unsupported, "this server has no extended headers");
        } else if self.headers == Headers::Extended {
            self.fail(option, OptError::Invalid, "extended headers are in use");
        } else {
            self.headers = Headers::Extended;
            self.ack(option);
        }
    }

    fn info(&mut self, option: Opt, wanted: Wanted, data: &[u8]) {
        match InfoRequest::decode(data) {
            Ok(InfoRequest { export, kinds }) => {
                let name = String::from(export);
                let (is_match, client) = (false, None);
                self.open(Opening { option, name, wanted, kinds, is_match, client });
            }
            Err(_) => self.fail(option, OptError::Invalid, "the request cannot be read"),
        }
    }

    /// Lists or selects contexts. Whatever comes of it, what was selected before is not any more.
    fn contexts(&mut self, option: Opt, data: &[u8]) {
        let is_listing = option == Opt::ListMetaContext;
        if !is_listing {
            self.allocation_of = None;
        }
        if self.headers == Headers::Simple {
            self.fail(option, OptError::Invalid, "structured replies must be negotiated first");
            return;
        }
        let Ok(ContextQuery { export, queries }) = ContextQuery::decode(data) else {
            self.fail(option, OptError::Invalid, "the queries cannot be read");
            return;
        };
        let is_match = is_listing && queries.is_empty()
            || queries.iter().any(|query| is_match(query, is_listing));
        let client = queries.iter().find_map(|query| ClientId::of_query(query));
        let client = client.filter(|_| is_listing);
        let (name, wanted, kinds) = (String::from(export), Wanted::Contexts, Vec::new());
        self.open(Opening { option, name, wanted, kinds, is_match, client });
    }

    fn open(&mut self, opening: Opening) {
        let (name, wanted, client) = (opening.name.clone(), opening.wanted, opening.client);
        self.ask(HandshakeEvent::Open { name, wanted, client }, State::Opening(opening));
    }
}

/// True where a query is for `base:allocation`. Wildcards match in a listing only: a selection names
/// what it wants. Other namespaces have nothing here, which is no error.
fn is_match(query: &str, is_listing: bool) -> bool {
    query == BASE_ALLOCATION || is_listing && (query.is_empty() || query == BASE_WILDCARD)
}
