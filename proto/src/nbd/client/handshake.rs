//! The handshake of a client: from the server's greeting to the transmission phase, asking for the
//! most and taking what there is.
//!
//! ```text
//! Greeting ─fixed─▶ ExtendedHeaders ─no─▶ StructuredReply ─no──▶ Go ─unknown─▶ ExportName ─▶ Done
//!     │                  └──yes──▶ MetaContext ◀──yes──┘         ▲└──────ack───────────────▶ Done
//!     └─not fixed─▶ ExportName       └───────any answer──────────┘
//! ```
//! A client with a name asks between contexts and GO that its earlier connections end (`Client`).
//! One option at a time, so that a server that answers out of turn is found out. Sections of NBD:
//! 'Fixed newstyle negotiation', 'Option types'.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::error::HandshakeFailure;
use crate::nbd::Headers;
use crate::nbd::context::{BASE_ALLOCATION, CLIENT, ClientId, ContextQuery, ContextReply};
use crate::nbd::flags::{ClientFlags, HandshakeFlags, TransmissionFlags};
use crate::nbd::greeting::{
    CHOSEN_LEN, CHOSEN_ZEROES_LEN, Chosen, GREETING_LEN, decode_greeting, encode_client_flags,
};
use crate::nbd::info::{BlockSizes, Info, InfoKind, InfoRequest};
use crate::nbd::limits::TEXT_LEN_MAX;
use crate::nbd::magic;
use crate::nbd::option::{
    OPTION_REPLY_HEAD_LEN, Opt, OptError, OptReply, OptionHead, OptionReplyHead,
};

/// The longest reply to an option: a name and some numbers.
const REPLY_LEN_MAX: usize = 16 << 10;
/// The most replies to one option.
const REPLIES_MAX: u32 = 1024;
/// The greatest least length of a request (NBD, 'Block size constraints').
const BLOCK_LEN_MAX: u32 = 64 << 10;

/// What the handshake has agreed upon.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Opened {
    /// Size in bytes.
    pub size: u64,
    /// What the export can do.
    pub flags: TransmissionFlags,
    /// What requests are made of, where the server told.
    pub blocks: Option<BlockSizes>,
    /// The form of requests and replies.
    pub headers: Headers,
    /// The identifier of `base:allocation`, where block status can be asked for.
    pub context: Option<u32>,
    /// Nothing that earlier connections of this client asked for is executed any more: the server
    /// said so.
    pub is_alone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Greeting,
    ExtendedHeaders,
    StructuredReply,
    MetaContext,
    Client,
    Go,
    ExportName,
    Done,
    Failed,
}

/// A client's handshake.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Handshake {
    export: String,
    client: Option<ClientId>,
    state: State,
    output: Vec<u8>,
    /// The server leaves the zeroes out that follow the answer to `NBD_OPT_EXPORT_NAME`.
    no_zeroes: bool,
    replies: u32,
    /// The export was described by the replies to this option.
    is_described: bool,
    /// Ask for nothing but simple replies.
    is_simple: bool,
    opened: Opened,
}

impl Handshake {
    /// Will ask for `export`; the empty name is the server's default.
    ///
    /// # Errors
    /// Where no export can have such a name: it is longer than [`TEXT_LEN_MAX`] or holds a NUL.
    pub fn new(export: &str) -> Result<Handshake, HandshakeFailure> {
        if export.len() > TEXT_LEN_MAX || export.contains('\0') {
            return Err(HandshakeFailure::UnknownExport);
        }
        let (flags, headers) = (TransmissionFlags::NONE, Headers::Simple);
        Ok(Handshake {
            export: export.to_string(),
            client: None,
            state: State::Greeting,
            output: Vec::new(),
            no_zeroes: false,
            replies: 0,
            is_described: false,
            is_simple: false,
            opened: Opened {
                size: 0,
                flags,
                blocks: None,
                headers,
                context: None,
                is_alone: false,
            },
        })
    }

    /// The same for who understands simple replies alone, as the kernel's driver does.
    ///
    /// # Errors
    /// Those of [`Handshake::new`].
    pub fn simple(export: &str) -> Result<Handshake, HandshakeFailure> {
        Ok(Handshake { is_simple: true, ..Handshake::new(export)? })
    }

    /// Tells the server who it is, and asks that nothing of its earlier connections goes on.
    #[must_use]
    pub fn with_client(mut self, client: ClientId) -> Handshake {
        self.client = Some(client);
        self
    }

    /// Takes what is to be sent.
    pub fn output(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.output)
    }

    /// What was agreed upon, once the transmission phase has begun.
    pub fn opened(&self) -> Option<&Opened> {
        (self.state == State::Done).then_some(&self.opened)
    }

    /// Looks at what the server sent, and answers how much of it is used up: nothing where it is not
    /// yet a whole. What comes behind the end of the handshake is not touched.
    ///
    /// # Errors
    /// Where the server refuses or breaks the protocol: the connection is to be closed.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<usize, HandshakeFailure> {
        let mut used = 0;
        while self.state != State::Done {
            let step = self.step(&bytes[used..]);
            match step.inspect_err(|_| self.state = State::Failed)? {
                None => break,
                Some(n) => used += n,
            }
        }
        Ok(used)
    }

    fn step(&mut self, bytes: &[u8]) -> Result<Option<usize>, HandshakeFailure> {
        match self.state {
            State::Greeting => self.greeting(bytes),
            State::ExportName => Ok(self.export_name(bytes)),
            State::Done => Ok(None),
            State::Failed => Err(HandshakeFailure::Broken("it has failed before")),
            _ => self.reply(bytes),
        }
    }

    fn greeting(&mut self, bytes: &[u8]) -> Result<Option<usize>, HandshakeFailure> {
        let Some(wire) = bytes.first_chunk::<GREETING_LEN>() else { return Ok(None) };
        let Ok(flags) = decode_greeting(wire) else {
            let is_old = wire[8..16] == magic::OLDSTYLE.to_be_bytes();
            let is_nbd = wire[..8] == magic::GREETING.to_be_bytes();
            return Err(match (is_nbd, is_old) {
                (true, true) => HandshakeFailure::OldStyle,
                _ => HandshakeFailure::NotNbd,
            });
        };
        let is_fixed = flags.contains(HandshakeFlags::FIXED_NEWSTYLE);
        self.no_zeroes = flags.contains(HandshakeFlags::NO_ZEROES);
        let own = ClientFlags::FIXED_NEWSTYLE.only_if(is_fixed);
        let own = own.with(ClientFlags::NO_ZEROES.only_if(self.no_zeroes));
        self.output.extend(encode_client_flags(own));
        self.ask(match (is_fixed, self.is_simple) {
            (false, _) => State::ExportName,
            (true, true) => State::Go,
            (true, false) => State::ExtendedHeaders,
        });
        Ok(Some(GREETING_LEN))
    }

    /// Sends the option of the next state.
    fn ask(&mut self, next: State) {
        (self.state, self.replies, self.is_described) = (next, 0, false);
        let (export, mut data) = (self.export.as_str(), Vec::new());
        match next {
            State::MetaContext => {
                ContextQuery { export, queries: vec![BASE_ALLOCATION] }.push(&mut data);
            }
            State::Client => {
                let query = self.client.expect("a client that has a name gives it").query();
                ContextQuery { export, queries: vec![&query] }.push(&mut data);
            }
            State::Go => {
                InfoRequest { export, kinds: vec![InfoKind::BlockSize] }.push(&mut data);
            }
            State::ExportName => data.extend(export.as_bytes()),
            _ => {}
        }
        let len = u32::try_from(data.len()).expect("names have a limit");
        self.output.extend(OptionHead { option: self.option(), len }.encode());
        self.output.extend(data);
    }

    /// The option that is being asked.
    fn option(&self) -> Opt {
        match self.state {
            State::ExtendedHeaders => Opt::ExtendedHeaders,
            State::StructuredReply => Opt::StructuredReply,
            State::MetaContext => Opt::SetMetaContext,
            State::Client => Opt::ListMetaContext,
            State::Go => Opt::Go,
            State::ExportName => Opt::ExportName,
            State::Greeting | State::Done | State::Failed => unreachable!("nothing is asked"),
        }
    }

    fn reply(&mut self, bytes: &[u8]) -> Result<Option<usize>, HandshakeFailure> {
        let Some((wire, rest)) = bytes.split_first_chunk::<OPTION_REPLY_HEAD_LEN>() else {
            return Ok(None);
        };
        let head = OptionReplyHead::decode(wire);
        let Some(head) = head.ok().filter(|head| head.option == self.option()) else {
            return Err(HandshakeFailure::Broken("it replied to an option that was not sent"));
        };
        let len = usize::try_from(head.len).unwrap_or(usize::MAX);
        if len > REPLY_LEN_MAX || self.replies == REPLIES_MAX {
            return Err(HandshakeFailure::Broken("its replies to an option do not end"));
        }
        let Some(data) = rest.get(..len) else { return Ok(None) };
        self.replies += 1;
        match head.reply {
            OptReply::Err(why) => self.refused(why, data)?,
            OptReply::Ack => self.granted()?,
            OptReply::MetaContext if self.state == State::MetaContext => self.context(data)?,
            OptReply::MetaContext if self.state == State::Client => self.listed(data)?,
            OptReply::Info if self.state == State::Go => self.info(data)?,
            _ => return Err(HandshakeFailure::Broken("an unexpected reply to an option")),
        }
        Ok(Some(OPTION_REPLY_HEAD_LEN + len))
    }

    /// The server does not want an option: it goes on with less.
    fn refused(&mut self, why: OptError, data: &[u8]) -> Result<(), HandshakeFailure> {
        match (self.state, why) {
            (_, OptError::TlsRequired) => return Err(HandshakeFailure::TlsRequired),
            (State::ExtendedHeaders, _) => self.ask(State::StructuredReply),
            (State::StructuredReply, _) => self.ask(State::Go),
            (State::MetaContext, _) => {
                self.opened.context = None;
                self.ask_client();
            }
            (State::Client, _) => {
                self.opened.is_alone = false;
                self.ask(State::Go);
            }
            (_, OptError::Unsupported) => {
                self.opened.blocks = None;
                self.ask(State::ExportName);
            }
            (_, OptError::UnknownExport) => return Err(HandshakeFailure::UnknownExport),
            (_, why) => return Err(HandshakeFailure::Refused { why, text: printable(data) }),
        }
        Ok(())
    }

    fn granted(&mut self) -> Result<(), HandshakeFailure> {
        match self.state {
            State::ExtendedHeaders => self.agreed(Headers::Extended),
            State::StructuredReply => self.agreed(Headers::Structured),
            State::MetaContext => self.ask_client(),
            State::Client => self.ask(State::Go),
            _ if self.is_described => self.state = State::Done,
            _ => return Err(HandshakeFailure::Broken("an export without a size")),
        }
        Ok(())
    }

    fn ask_client(&mut self) {
        self.ask(if self.client.is_some() { State::Client } else { State::Go });
    }

    fn agreed(&mut self, headers: Headers) {
        self.opened.headers = headers;
        self.ask(State::MetaContext);
    }

    fn context(&mut self, data: &[u8]) -> Result<(), HandshakeFailure> {
        let Ok(context) = ContextReply::decode(data) else {
            return Err(HandshakeFailure::Broken("a metadata context that is none"));
        };
        if context.name == BASE_ALLOCATION {
            self.opened.context = Some(context.id);
        }
        Ok(())
    }

    fn listed(&mut self, data: &[u8]) -> Result<(), HandshakeFailure> {
        let Ok(context) = ContextReply::decode(data) else {
            return Err(HandshakeFailure::Broken("a metadata context that is none"));
        };
        self.opened.is_alone |= context.name == CLIENT;
        Ok(())
    }

    fn info(&mut self, data: &[u8]) -> Result<(), HandshakeFailure> {
        match Info::decode(data) {
            Ok(Info::Export { size, flags }) => {
                (self.opened.size, self.opened.flags) = (size, flags);
                self.is_described = true;
            }
            Ok(Info::BlockSize(sizes)) if is_sane(sizes) => self.opened.blocks = Some(sizes),
            Ok(Info::BlockSize(_)) => {
                return Err(HandshakeFailure::Broken("block sizes that cannot be"));
            }
            Ok(_) => {}
            Err(_) => return Err(HandshakeFailure::Broken("information that is none")),
        }
        Ok(())
    }

    fn export_name(&mut self, bytes: &[u8]) -> Option<usize> {
        let (wire, rest) = bytes.split_first_chunk::<CHOSEN_LEN>()?;
        let zeroes = if self.no_zeroes { 0 } else { CHOSEN_ZEROES_LEN };
        rest.get(..zeroes)?;
        let Chosen { size, flags } = Chosen::decode(wire);
        (self.opened.size, self.opened.flags) = (size, flags);
        self.state = State::Done;
        Some(CHOSEN_LEN + zeroes)
    }
}

/// Sizes that requests can be made of.
fn is_sane(sizes: BlockSizes) -> bool {
    let BlockSizes { min, preferred, max } = sizes;
    min.is_power_of_two() && min <= BLOCK_LEN_MAX && preferred >= min && max >= min
}

fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().take(TEXT_LEN_MAX).flat_map(char::escape_debug).collect()
}
