//! Every state and every option: what the client reads, and where the machine is then.

use std::fmt::Write;

use super::*;

const OPTIONS: [Opt; 11] = [
    Opt::ExportName,
    Opt::Abort,
    Opt::List,
    Opt::StartTls,
    Opt::Info,
    Opt::Go,
    Opt::StructuredReply,
    Opt::ListMetaContext,
    Opt::SetMetaContext,
    Opt::ExtendedHeaders,
    Opt::Unknown(4),
];

/// One word for what an option leads to.
fn outcome(mut client: Client, option: Opt) -> String {
    let data = match option {
        Opt::ExportName => b"disk".to_vec(),
        Opt::Info | Opt::Go => info_request("disk", &[]),
        Opt::ListMetaContext | Opt::SetMetaContext => context_query("disk", &["base:allocation"]),
        _ => Vec::new(),
    };
    if client.send(option, &data).is_err() {
        assert!(client.server.is_over());
        return "drop".to_string();
    }
    match client.server.poll_event() {
        Some(HandshakeEvent::Open { wanted: Wanted::Contexts, .. }) => "contexts".to_string(),
        Some(HandshakeEvent::Open { wanted, .. }) => std::format!("{wanted:?}"),
        Some(event) => std::format!("{event:?}"),
        None => match client.replies(option).as_slice() {
            [] => "-".to_string(),
            [(OptReply::Err(error), _)] => std::format!("!{error:?}"),
            replies => std::format!("{:?}", replies[0].0),
        },
    }
}

fn states() -> Vec<(&'static str, Client)> {
    let extended = |mut client: Client| {
        client.ask_one(Opt::ExtendedHeaders, &[]);
        client
    };
    let under_tls = |mut client: Client| {
        client.send(Opt::StartTls, &[]).unwrap();
        client.event();
        client.server.output();
        client.server.tls_started();
        client
    };
    let waiting = |mut client: Client| {
        client.send(Opt::List, &[]).unwrap();
        client.event();
        client
    };
    let mut going = Client::greeted(TlsPolicy::Allowed);
    going.server.shut_down();
    let old = Client::with_flags(config(TlsPolicy::Allowed), ClientFlags::NONE);
    vec![
        ("no TLS", Client::greeted(TlsPolicy::Off)),
        ("TLS allowed", Client::greeted(TlsPolicy::Allowed)),
        ("TLS required", Client::greeted(TlsPolicy::Required)),
        ("under TLS", under_tls(Client::greeted(TlsPolicy::Required))),
        ("extended", extended(Client::greeted(TlsPolicy::Off))),
        ("not fixed", old),
        ("shutting down", going),
        ("answer owed", waiting(Client::greeted(TlsPolicy::Off))),
    ]
}

#[test]
fn the_table_of_states_and_options() {
    let mut table = String::new();
    for (name, client) in states() {
        write!(table, "{name}:").unwrap();
        for option in OPTIONS {
            let client = Client { server: client.server.clone() };
            write!(table, " {}", outcome(client, option)).unwrap();
        }
        table.push('\n');
    }
    assert_eq!(table, TABLE, "\n{table}");
}

const TABLE: &str = "\
no TLS: ExportName Abort List !Policy Info Go Ack !Invalid !Invalid Ack !Unsupported
TLS allowed: ExportName Abort List StartTls Info Go Ack !Invalid !Invalid Ack !Unsupported
TLS required: drop Abort !TlsRequired StartTls !TlsRequired !TlsRequired !TlsRequired \
!TlsRequired !TlsRequired !TlsRequired !TlsRequired
under TLS: ExportName Abort List !Invalid Info Go Ack !Invalid !Invalid Ack !Unsupported
extended: ExportName Abort List !Policy Info Go !ExtendedHeadersRequired contexts contexts \
!Invalid !Unsupported
not fixed: ExportName drop drop drop drop drop drop drop drop drop drop
shutting down: drop Abort !Shutdown !Shutdown !Shutdown !Shutdown !Shutdown !Shutdown !Shutdown \
!Shutdown !Shutdown
answer owed: - - - - - - - - - - -
";
