//! The shell's answers to events, and the replies that they become.

use alloc::boxed::Box;
use alloc::string::String;

use super::ALLOCATION_ID;
use super::config::ExportInfo;
use super::event::{HandshakeEvent, Negotiated, Refusal, Wanted};
use super::handshake::{Handshake, Opening, State};
use crate::nbd::Headers;
use crate::nbd::context::{BASE_ALLOCATION, CLIENT, ContextReply};
use crate::nbd::flags::{ClientFlags, TransmissionFlags};
use crate::nbd::greeting::{CHOSEN_ZEROES_LEN, Chosen};
use crate::nbd::info::{Info, InfoKind};
use crate::nbd::listing::Listed;
use crate::nbd::option::{Opt, OptReply};

impl Handshake {
    /// Answers [`HandshakeEvent::List`] with the exports that the client may know of.
    pub fn list<'a>(&mut self, exports: impl IntoIterator<Item = Listed<'a>>) {
        assert_eq!(self.state, State::Listing, "the client asked for the names");
        for export in exports {
            self.reply(Opt::List, OptReply::Server, |out| export.push(out));
        }
        self.ack(Opt::List);
        self.state = State::Option;
    }

    /// Answers [`HandshakeEvent::List`] with a refusal.
    pub fn list_refused(&mut self, refusal: Refusal) {
        assert_eq!(self.state, State::Listing, "the client asked for the names");
        self.fail(Opt::List, refusal.error(), "this server does not tell its exports");
        self.state = State::Option;
    }

    /// Answers [`HandshakeEvent::Open`] with the export.
    pub fn opened(&mut self, mut info: ExportInfo) {
        info.check();
        let opening = self.take_opening();
        info.flags = self.told_flags(info.flags);
        match opening.wanted {
            Wanted::Contexts => self.tell_contexts(opening, &info),
            Wanted::Info | Wanted::Go => {
                let asks = opening.kinds.contains(&InfoKind::BlockSize);
                if info.insists_on_block_sizes && !asks {
                    self.refuse(opening.option, Refusal::BlockSizeRequired);
                    return;
                }
                self.tell_info(&opening, &info);
                if opening.wanted == Wanted::Go {
                    self.begin(opening.name, info);
                }
            }
            Wanted::ExportName => {
                self.push(&Chosen { size: info.size, flags: info.flags }.encode());
                if !self.client.contains(ClientFlags::NO_ZEROES) {
                    self.push(&[0; CHOSEN_ZEROES_LEN]);
                }
                self.begin(opening.name, info);
            }
        }
    }

    /// Answers [`HandshakeEvent::Open`] with a refusal.
    pub fn refused(&mut self, refusal: Refusal) {
        let opening = self.take_opening();
        assert!(refusal != Refusal::TlsRequired || !self.is_tls, "the client is under TLS");
        match opening.wanted {
            Wanted::ExportName => self.ask(HandshakeEvent::HangUp, State::Over),
            Wanted::Info | Wanted::Go | Wanted::Contexts => self.refuse(opening.option, refusal),
        }
    }

    fn take_opening(&mut self) -> Opening {
        match core::mem::replace(&mut self.state, State::Option) {
            State::Opening(opening) => opening,
            state => panic!("nobody asked for an export in {state:?}"),
        }
    }

    fn refuse(&mut self, option: Opt, refusal: Refusal) {
        self.fail(option, refusal.error(), refusal.message());
    }

    /// Flags of the export, and those that depend on what was negotiated.
    fn told_flags(&self, flags: TransmissionFlags) -> TransmissionFlags {
        let df = TransmissionFlags::SEND_DF;
        let flags = flags.without(df).with(TransmissionFlags::HAS_FLAGS);
        flags.with(df.only_if(self.headers != Headers::Simple))
    }

    fn tell_info(&mut self, opening: &Opening, info: &ExportInfo) {
        let Opening { option, kinds, .. } = opening;
        let ExportInfo { size, flags, .. } = *info;
        self.tell(*option, Info::Export { size, flags });
        if kinds.contains(&InfoKind::Name) {
            self.tell(*option, Info::Name(&info.name));
        }
        if kinds.contains(&InfoKind::Description) && !info.description.is_empty() {
            self.tell(*option, Info::Description(&info.description));
        }
        if kinds.contains(&InfoKind::BlockSize) {
            self.tell(*option, Info::BlockSize(info.block_sizes));
        }
        self.ack(*option);
    }

    fn tell(&mut self, option: Opt, info: Info<'_>) {
        self.reply(option, OptReply::Info, |out| info.push(out));
    }

    /// Names the context if there is one; a listing numbers nothing.
    fn tell_contexts(&mut self, opening: Opening, info: &ExportInfo) {
        let Opening { option, name, is_match, client, .. } = opening;
        let is_selection = option == Opt::SetMetaContext;
        if is_match && info.has_allocation {
            let id = if is_selection { ALLOCATION_ID } else { 0 };
            let context = ContextReply { id, name: BASE_ALLOCATION };
            self.reply(option, OptReply::MetaContext, |out| context.push(out));
            if is_selection {
                self.allocation_of = Some(name);
            }
        }
        if client.is_some() {
            let context = ContextReply { id: 0, name: CLIENT };
            self.reply(option, OptReply::MetaContext, |out| context.push(out));
        }
        self.ack(option);
    }

    /// A selection of contexts counts for the export that it named, and for no other.
    fn begin(&mut self, export: String, info: ExportInfo) {
        let has_allocation = self.allocation_of.as_ref() == Some(&export);
        let (headers, is_tls) = (self.headers, self.is_tls);
        let negotiated = Negotiated { export, info, headers, has_allocation, is_tls };
        self.ask(HandshakeEvent::Begin(Box::new(negotiated)), State::Over);
    }
}
