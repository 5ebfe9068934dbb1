//! Options and their replies, one story each.

use super::*;
use crate::nbd::WireError;
use crate::nbd::context::ContextReply;
use crate::nbd::greeting::Chosen;
use crate::nbd::info::Info;
use crate::nbd::limits::{OPTION_LEN_MAX, OPTION_SKIP_MAX, OPTIONS_MAX, TEXT_LEN_MAX};
use crate::nbd::listing::Listed;
use crate::nbd::option::OptError;

#[test]
fn a_modern_client_gets_everything_in_extended_headers() {
    let mut client = Client::greeted(TlsPolicy::Off);
    assert_eq!(client.ask_one(Opt::ExtendedHeaders, &[]), OptReply::Ack);
    let replies = client.open(Opt::SetMetaContext, &context_query("disk", &["base:allocation"]));
    assert_eq!(kinds(&replies), [OptReply::MetaContext, OptReply::Ack]);
    let context = ContextReply { id: ALLOCATION_ID, name: "base:allocation" };
    assert_eq!(ContextReply::decode(&replies[0].1), Ok(context));
    client.open(Opt::Go, &info_request("disk", &[InfoKind::BlockSize]));
    let negotiated = client.begun();
    assert!(negotiated.has_allocation && !negotiated.is_tls);
    assert_eq!(negotiated.headers, Headers::Extended);
    assert!(client.server.is_over());
    assert_eq!(client.server.handle_bytes(&[1, 2, 3]), Ok(0), "the rest is requests");
}

#[test]
fn go_tells_what_was_asked_for_and_always_the_size() {
    let mut client = Client::greeted(TlsPolicy::Off);
    let wanted = [InfoKind::Name, InfoKind::Description, InfoKind::Unknown(9), InfoKind::BlockSize];
    let replies = client.open(Opt::Info, &info_request("", &wanted));
    let told: Vec<_> = replies[..4].iter().map(|(_, data)| Info::decode(data).unwrap()).collect();
    let flags = info().flags.without(TransmissionFlags::SEND_DF);
    let export = Info::Export { size: MIB, flags };
    let sizes = Info::BlockSize(info().block_sizes);
    assert_eq!(told, [export, Info::Name("disk"), Info::Description("a disk"), sizes]);
    assert_eq!(replies[4].0, OptReply::Ack);
    assert_eq!(client.server.poll_event(), None, "information begins nothing");
    assert_eq!(client.open(Opt::Info, &info_request("", &[])).len(), 2);
}

#[test]
fn an_old_client_names_an_export_and_gets_zeroes_unless_it_declines() {
    for (flags, len) in [(ClientFlags::NONE, 134), (ClientFlags::KNOWN, 10)] {
        let mut client = Client::with_flags(config(TlsPolicy::Off), flags);
        client.send(Opt::ExportName, b"disk").unwrap();
        let (name, wanted) = ("disk".to_string(), Wanted::ExportName);
        assert_eq!(client.event(), HandshakeEvent::Open { name, wanted, client: None });
        client.server.opened(info());
        let out = client.server.output();
        assert_eq!(out.len(), len);
        let chosen = Chosen::decode(out.first_chunk().unwrap());
        assert_eq!(chosen.size, MIB);
        assert!(!chosen.flags.contains(TransmissionFlags::SEND_DF));
        let negotiated = client.begun();
        assert_eq!(negotiated.headers, Headers::Simple);
        assert!(!negotiated.has_allocation);
    }
}

#[test]
fn an_export_that_is_not_there_is_an_error_for_go_and_the_end_for_export_name() {
    let mut client = Client::greeted(TlsPolicy::Off);
    client.send(Opt::Go, &info_request("nothing", &[])).unwrap();
    client.event();
    client.server.refused(Refusal::Unknown);
    let replies = client.replies(Opt::Go);
    assert_eq!(kinds(&replies), [OptReply::Err(OptError::UnknownExport)]);
    assert!(message(&replies).contains("no such export"));
    client.send(Opt::ExportName, b"nothing").unwrap();
    client.event();
    client.server.refused(Refusal::Unknown);
    assert_eq!(client.event(), HandshakeEvent::HangUp);
    assert!(client.server.is_over() && client.server.output().is_empty());
}

#[test]
fn an_export_of_large_blocks_may_insist_that_they_are_asked_for() {
    let mut client = Client::greeted(TlsPolicy::Off);
    client.send(Opt::Go, &info_request("disk", &[InfoKind::Name])).unwrap();
    client.event();
    client.server.opened(ExportInfo { insists_on_block_sizes: true, ..info() });
    let replies = client.replies(Opt::Go);
    assert_eq!(kinds(&replies), [OptReply::Err(OptError::BlockSizeRequired)]);
    client.send(Opt::Go, &info_request("disk", &[InfoKind::BlockSize])).unwrap();
    client.event();
    client.server.opened(ExportInfo { insists_on_block_sizes: true, ..info() });
    client.begun();
}

#[test]
fn the_list_names_every_export_and_ends() {
    let mut client = Client::greeted(TlsPolicy::Off);
    client.send(Opt::List, &[]).unwrap();
    assert_eq!(client.event(), HandshakeEvent::List);
    assert_eq!(client.server.handle_bytes(b"IHAVEOPT"), Ok(0), "an answer is owed");
    let entry = |name| Listed { name, description: "" };
    client.server.list([entry("one"), entry("two")]);
    let replies = client.replies(Opt::List);
    assert_eq!(kinds(&replies), [OptReply::Server, OptReply::Server, OptReply::Ack]);
    assert_eq!(Listed::decode(&replies[1].1), Ok(entry("two")));
    assert_eq!(client.ask_one(Opt::List, b"x"), OptReply::Err(OptError::Invalid));
    client.send(Opt::List, &[]).unwrap();
    client.event();
    client.server.list_refused(Refusal::Policy);
    assert_eq!(kinds(&client.replies(Opt::List)), [OptReply::Err(OptError::Policy)]);
}

#[test]
fn a_client_that_leaves_is_told_that_it_may() {
    let mut client = Client::greeted(TlsPolicy::Off);
    client.send(Opt::Abort, b"bye").unwrap();
    assert_eq!(client.event(), HandshakeEvent::Abort);
    assert_eq!(kinds(&client.replies(Opt::Abort)), [OptReply::Ack]);
    assert!(client.server.is_over());
}

#[test]
fn contexts_need_chunks_and_wildcards_list_but_do_not_select() {
    let mut client = Client::greeted(TlsPolicy::Off);
    let query = context_query("disk", &[]);
    let invalid = OptReply::Err(OptError::Invalid);
    assert_eq!(client.ask_one(Opt::ListMetaContext, &query), invalid);
    client.ask_one(Opt::StructuredReply, &[]);
    let both = [OptReply::MetaContext, OptReply::Ack].as_slice();
    let none = [OptReply::Ack].as_slice();
    let (list, set) = (Opt::ListMetaContext, Opt::SetMetaContext);
    let table: [(Opt, &[&str], &[OptReply]); 10] = [
        (list, &[], both),
        (list, &[""], both),
        (list, &["base:"], both),
        (list, &["x-own:", "base:allocation"], both),
        (list, &["qemu:"], none),
        (set, &[], none),
        (set, &[""], none),
        (set, &["base:"], none),
        (set, &["base:allocations"], none),
        (set, &["base:allocation", "base:allocation", "qemu:dirty-bitmap:x"], both),
    ];
    for (option, queries, expected) in table {
        let replies = client.open(option, &context_query("disk", queries));
        assert_eq!(kinds(&replies), expected, "{option:?} {queries:?}");
    }
}

#[test]
fn a_selection_counts_for_its_export_and_until_the_next_one() {
    let select = context_query("disk", &["base:allocation"]);
    let go = |export: &str, then: Option<&[u8]>| {
        let mut client = Client::greeted(TlsPolicy::Off);
        client.ask_one(Opt::StructuredReply, &[]);
        client.open(Opt::SetMetaContext, &select);
        if let Some(data) = then {
            client.send(Opt::SetMetaContext, data).unwrap();
            if client.server.poll_event().is_some() {
                client.server.refused(Refusal::Unknown);
            }
        }
        client.open_begin(export).has_allocation
    };
    assert!(go("disk", None));
    assert!(!go("other", None));
    assert!(!go("disk", Some(&context_query("nothing", &["base:allocation"]))));
    assert!(!go("disk", Some(b"garbage")), "an error selects nothing");
}

impl Client {
    fn open_begin(mut self, export: &str) -> Negotiated {
        self.server.output();
        self.open(Opt::Go, &info_request(export, &[]));
        self.begun()
    }
}

#[test]
fn kinds_of_replies_are_negotiated_once_and_upwards() {
    let mut client = Client::greeted(TlsPolicy::Off);
    let invalid = OptReply::Err(OptError::Invalid);
    assert_eq!(client.ask_one(Opt::StructuredReply, b"x"), invalid);
    assert_eq!(client.ask_one(Opt::StructuredReply, &[]), OptReply::Ack);
    assert_eq!(client.ask_one(Opt::StructuredReply, &[]), invalid);
    assert_eq!(client.ask_one(Opt::ExtendedHeaders, &[]), OptReply::Ack);
    assert_eq!(client.ask_one(Opt::ExtendedHeaders, &[]), invalid);
    let required = OptReply::Err(OptError::ExtendedHeadersRequired);
    assert_eq!(client.ask_one(Opt::StructuredReply, &[]), required);
}

#[test]
fn a_server_can_be_told_to_offer_less() {
    let config = HandshakeConfig { tls: TlsPolicy::Off, headers_max: Headers::Simple };
    let mut client = Client::with_flags(config, ClientFlags::KNOWN);
    let unsupported = OptReply::Err(OptError::Unsupported);
    assert_eq!(client.ask_one(Opt::StructuredReply, &[]), unsupported);
    assert_eq!(client.ask_one(Opt::ExtendedHeaders, &[]), unsupported);
}

#[test]
fn an_option_that_nobody_knows_is_answered() {
    let mut client = Client::greeted(TlsPolicy::Off);
    let unsupported = OptReply::Err(OptError::Unsupported);
    assert_eq!(client.ask_one(Opt::Unknown(4), b"peek"), unsupported);
    assert_eq!(client.ask_one(Opt::Unknown(u32::MAX), &[]), unsupported);
}

#[test]
fn a_request_that_cannot_be_read_is_invalid_and_the_session_goes_on() {
    let mut client = Client::greeted(TlsPolicy::Off);
    let invalid = OptReply::Err(OptError::Invalid);
    assert_eq!(client.ask_one(Opt::Go, b"x"), invalid);
    let mut data = info_request("disk", &[]);
    data.push(0);
    assert_eq!(client.ask_one(Opt::Info, &data), invalid);
    assert_eq!(client.ask_one(Opt::Go, &info_request_of(TEXT_LEN_MAX + 1)), invalid);
    client.open(Opt::Go, &info_request_of(TEXT_LEN_MAX));
    client.begun();
}

fn info_request_of(len: usize) -> Vec<u8> {
    let mut data = u32::try_from(len).unwrap().to_be_bytes().to_vec();
    data.extend(long(len));
    data.extend([0, 0]);
    data
}

#[test]
fn a_long_option_is_skipped_and_a_longer_one_ends_the_session() {
    let mut client = Client::greeted(TlsPolicy::Off);
    let len = usize::try_from(OPTION_LEN_MAX).unwrap();
    assert_eq!(client.ask_one(Opt::Go, &long(len)), OptReply::Err(OptError::Invalid));
    assert_eq!(client.ask_one(Opt::Go, &long(len + 1)), OptReply::Err(OptError::TooBig));
    assert_eq!(client.ask_one(Opt::Unknown(99), &long(len + 1)), OptReply::Err(OptError::TooBig));
    let len = OPTION_SKIP_MAX + 1;
    let head = OptionHead { option: Opt::Go, len }.encode();
    assert_eq!(client.server.handle_bytes(&head), Err(HandshakeError::OptionLength { len }));
    assert!(client.server.is_over());
}

#[test]
fn a_long_name_of_an_export_that_cannot_be_refused_ends_the_session() {
    let mut client = Client::greeted(TlsPolicy::Off);
    let error = client.send(Opt::ExportName, &long(TEXT_LEN_MAX + 1));
    assert!(matches!(error, Err(HandshakeError::OptionLength { .. })));
    let mut client = Client::greeted(TlsPolicy::Off);
    let error = client.send(Opt::ExportName, b"a\0b");
    assert_eq!(error, Err(HandshakeError::Wire(WireError::Text)));
}

#[test]
fn nobody_needs_that_many_options() {
    let mut client = Client::greeted(TlsPolicy::Off);
    for _ in 0..OPTIONS_MAX {
        client.ask_one(Opt::Unknown(4), &[]);
    }
    assert_eq!(client.send(Opt::Abort, &[]), Err(HandshakeError::TooManyOptions));
}

#[test]
fn garbage_ends_the_session() {
    let mut client = Client::greeted(TlsPolicy::Off);
    let error = client.server.handle_bytes(b"GET / HTTP/1.1\r\n");
    assert!(matches!(error, Err(HandshakeError::Wire(WireError::Magic { .. }))));
    assert!(client.server.is_over());
    let mut server = Handshake::new(config(TlsPolicy::Off));
    let error = server.handle_bytes(&[0, 0, 0, 4]);
    assert_eq!(error, Err(HandshakeError::ClientFlags { flags: 4 }));
}

#[test]
fn a_client_that_reads_no_replies_can_only_name_an_export() {
    for option in [Opt::List, Opt::Abort, Opt::StartTls, Opt::Go, Opt::Unknown(77)] {
        let mut client = Client::with_flags(config(TlsPolicy::Allowed), ClientFlags::NO_ZEROES);
        let error = client.send(option, &[]);
        assert_eq!(error, Err(HandshakeError::NotFixed { option: option.code() }));
    }
}

#[test]
fn bytes_may_come_one_by_one_or_all_at_once() {
    let mut bytes = OptionHead { option: Opt::StructuredReply, len: 0 }.encode().to_vec();
    let data = info_request("disk", &[InfoKind::BlockSize]);
    let len = data.len().try_into().unwrap();
    bytes.extend(OptionHead { option: Opt::Go, len }.encode());
    bytes.extend(data);
    let mut slow = Client::greeted(TlsPolicy::Off);
    let mut fast = Client::greeted(TlsPolicy::Off);
    assert!(bytes.iter().all(|byte| slow.server.handle_bytes(&[*byte]) == Ok(1)));
    bytes.extend(b"what follows is not read");
    assert_eq!(fast.server.handle_bytes(&bytes), Ok(bytes.len() - 24));
    assert_eq!(slow.server, fast.server);
}

#[test]
fn a_server_that_goes_away_refuses_all_but_the_farewell() {
    let mut client = Client::greeted(TlsPolicy::Allowed);
    client.server.shut_down();
    let shutdown = OptReply::Err(OptError::Shutdown);
    for option in [Opt::List, Opt::StartTls, Opt::Go, Opt::StructuredReply] {
        assert_eq!(client.ask_one(option, &[]), shutdown);
    }
    let mut other = Client { server: client.server.clone() };
    assert_eq!(other.send(Opt::ExportName, b"disk"), Err(HandshakeError::Shutdown));
    client.send(Opt::Abort, &[]).unwrap();
    assert_eq!(client.event(), HandshakeEvent::Abort);
}
