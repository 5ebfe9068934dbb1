//! The handshake of a server (NBD, 'Fixed newstyle negotiation').
//!
//! ```text
//! ClientFlags ─► Option ─► Data ─► Option      answered at once
//!                  ▲  └──► Skip ─► Option      too long: answered with TOO_BIG
//!                  │       Listing, Opening ─► Option, Over   the shell answers
//!                  └────── Tls                 what was negotiated is forgotten
//! ```
//!
//! Invariants: every option but `EXPORT_NAME` gets one final reply, before the next option is read;
//! nothing is read while the shell owes an answer; an error ends the machine.

use alloc::string::String;
use alloc::vec::Vec;

use super::config::{HandshakeConfig, TlsPolicy};
use super::error::HandshakeError;
use super::event::{HandshakeEvent, Wanted};
use crate::nbd::Headers;
use crate::nbd::context::ClientId;
use crate::nbd::flags::{ClientFlags, HandshakeFlags};
use crate::nbd::greeting::{CLIENT_FLAGS_LEN, decode_client_flags, encode_greeting};
use crate::nbd::info::InfoKind;
use crate::nbd::limits::{OPTION_LEN_MAX, OPTION_SKIP_MAX, OPTIONS_MAX, TEXT_LEN_MAX};
use crate::nbd::option::{
    OPTION_HEAD_LEN, OPTION_REPLY_HEAD_LEN, Opt, OptError, OptReply, OptionHead, OptionReplyHead,
};

/// Where the handshake is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// The greeting is out; the client's flags come.
    ClientFlags,
    /// The head of an option comes.
    Option,
    /// The data of an option comes.
    Data(OptionHead),
    /// The data of an option that is too long comes.
    Skip {
        /// The option.
        option: Opt,
        /// Bytes that are still to come.
        left: u32,
    },
    /// The shell finds out the names.
    Listing,
    /// The shell looks for an export.
    Opening(Opening),
    /// The shell runs the handshake of TLS.
    Tls,
    /// The transmission has begun, or there will be none.
    Over,
}

/// An option that waits for an export.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Opening {
    pub(super) option: Opt,
    pub(super) name: String,
    pub(super) wanted: Wanted,
    /// For `INFO` and `GO`: what the client would like to know.
    pub(super) kinds: Vec<InfoKind>,
    /// For contexts: true where the queries match `base:allocation`.
    pub(super) is_match: bool,
    /// For contexts: the client that named itself.
    pub(super) client: Option<ClientId>,
}

/// The machine for one connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Handshake {
    pub(super) config: HandshakeConfig,
    pub(super) state: State,
    pub(super) client: ClientFlags,
    pub(super) headers: Headers,
    /// The export for which `base:allocation` is selected.
    pub(super) allocation_of: Option<String>,
    pub(super) is_tls: bool,
    is_shutting_down: bool,
    options: u32,
    /// The bytes of what comes, as far as they are here.
    held: Vec<u8>,
    out: Vec<u8>,
    event: Option<HandshakeEvent>,
}

impl Handshake {
    /// A handshake whose greeting is in the output.
    #[must_use]
    pub fn new(config: HandshakeConfig) -> Handshake {
        Handshake {
            config,
            state: State::ClientFlags,
            client: ClientFlags::NONE,
            headers: Headers::Simple,
            allocation_of: None,
            is_tls: false,
            is_shutting_down: false,
            options: 0,
            held: Vec::new(),
            out: encode_greeting(HandshakeFlags::KNOWN).to_vec(),
            event: None,
        }
    }

    /// Takes the bytes that are to be sent.
    pub fn output(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.out)
    }

    /// Takes what the shell is to do.
    pub fn poll_event(&mut self) -> Option<HandshakeEvent> {
        self.event.take()
    }

    /// Takes bytes from the client, as many as it wants: none while the shell owes an answer, and none
    /// of the transmission. Returns how many it took.
    ///
    /// # Errors
    /// The client broke a rule: close the connection.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<usize, HandshakeError> {
        let mut taken = 0;
        while taken < bytes.len() {
            let wanted = self.wanted();
            if wanted == 0 {
                break;
            }
            let (now, _) = bytes[taken..].split_at(wanted.min(bytes.len() - taken));
            taken += now.len();
            let result = self.take(now);
            if result.is_err() {
                self.state = State::Over;
            }
            result?;
        }
        Ok(taken)
    }

    /// TLS runs. All that was negotiated before is forgotten, as it came in the clear.
    pub fn tls_started(&mut self) {
        assert_eq!(self.state, State::Tls, "TLS starts when it was asked for");
        self.is_tls = true;
        self.headers = Headers::Simple;
        self.allocation_of = None;
        self.state = State::Option;
    }

    /// From here on options fail, since the server goes away.
    pub fn shut_down(&mut self) {
        self.is_shutting_down = true;
    }

    /// True where the transmission has begun, or none will.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Bytes that are missing of what comes; 0 where nothing is read.
    fn wanted(&self) -> usize {
        let len = match &self.state {
            State::ClientFlags => CLIENT_FLAGS_LEN,
            State::Option => OPTION_HEAD_LEN,
            State::Data(head) => head.len.try_into().expect("a short option fits"),
            State::Skip { left, .. } => (*left).try_into().expect("a skipped option fits"),
            State::Listing | State::Opening(_) | State::Tls | State::Over => return 0,
        };
        len - self.held.len()
    }

    /// Takes bytes of what comes, at most all that are missing.
    fn take(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        if let State::Skip { option, left } = &mut self.state {
            *left -= u32::try_from(bytes.len()).expect("no more than are left");
            let (option, is_over) = (*option, *left == 0);
            return if is_over { self.skipped(option) } else { Ok(()) };
        }
        self.held.extend(bytes);
        if self.wanted() > 0 {
            return Ok(());
        }
        let held = core::mem::take(&mut self.held);
        match self.state {
            State::ClientFlags => self.client_flags(&held),
            State::Option => self.option_head(&held),
            State::Data(head) => {
                self.state = State::Option;
                self.option(head.option, &held)
            }
            _ => unreachable!("nothing else is read"),
        }
    }

    fn client_flags(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        let flags = decode_client_flags(bytes.try_into().expect("all four are here"));
        if !ClientFlags::KNOWN.contains(flags) {
            return Err(HandshakeError::ClientFlags { flags: flags.0 });
        }
        self.client = flags;
        self.state = State::Option;
        Ok(())
    }

    fn option_head(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        let head = OptionHead::decode(bytes.try_into().expect("all sixteen are here"))?;
        let OptionHead { option, len } = head;
        self.options += 1;
        if self.options > OPTIONS_MAX {
            return Err(HandshakeError::TooManyOptions);
        }
        let is_fixed = self.client.contains(ClientFlags::FIXED_NEWSTYLE);
        if !is_fixed && option != Opt::ExportName {
            return Err(HandshakeError::NotFixed { option: option.code() });
        }
        let is_name_too_long = option == Opt::ExportName && len > TEXT_LEN_MAX as u32;
        if len > OPTION_SKIP_MAX || is_name_too_long {
            return Err(HandshakeError::OptionLength { len });
        }
        if len == 0 {
            return self.option(option, &[]);
        }
        self.state = match len {
            0..=OPTION_LEN_MAX => State::Data(head),
            _ => State::Skip { option, left: len },
        };
        Ok(())
    }

    fn skipped(&mut self, option: Opt) -> Result<(), HandshakeError> {
        self.state = State::Option;
        match self.veto(option) {
            Some((error, message)) => self.fail(option, error, message),
            None => self.fail(option, OptError::TooBig, "the option is too long"),
        }
        Ok(())
    }

    /// Why the option cannot have an answer, whatever its data.
    pub(super) fn veto(&self, option: Opt) -> Option<(OptError, &'static str)> {
        let needs_tls = self.config.tls == TlsPolicy::Required && !self.is_tls;
        match option {
            Opt::Abort => None,
            _ if self.is_shutting_down => Some((OptError::Shutdown, "the server is shutting down")),
            Opt::StartTls => None,
            _ if needs_tls => Some((OptError::TlsRequired, "this server is used under TLS only")),
            _ => None,
        }
    }

    /// Hands the shell something to do; `state` says what is owed.
    pub(super) fn ask(&mut self, event: HandshakeEvent, state: State) {
        assert!(self.event.is_none(), "one thing at a time");
        self.event = Some(event);
        self.state = state;
    }

    /// A reply whose data is written by `data`.
    pub(super) fn reply(&mut self, option: Opt, reply: OptReply, data: impl FnOnce(&mut Vec<u8>)) {
        let start = self.out.len();
        self.out.extend([0; OPTION_REPLY_HEAD_LEN]);
        let data_start = self.out.len();
        data(&mut self.out);
        let len = u32::try_from(self.out.len() - data_start).expect("replies are short");
        let head = OptionReplyHead { option, reply, len };
        self.out[start..data_start].copy_from_slice(&head.encode());
    }

    pub(super) fn ack(&mut self, option: Opt) {
        self.reply(option, OptReply::Ack, |_| ());
    }

    pub(super) fn fail(&mut self, option: Opt, error: OptError, message: &str) {
        self.reply(option, OptReply::Err(error), |out| out.extend(message.as_bytes()));
    }

    /// Bytes that belong to no option.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
    }
}
