//! A small client: one request after another, or bytes as they are.

use std::rc::Rc;

use byway_engine::core::Core;
use byway_engine::net::{Address, Stream};
use byway_proto::nbd::chunk::ChunkKind;
use byway_proto::nbd::command::Command;
use byway_proto::nbd::context::{ClientId, ContextQuery};
use byway_proto::nbd::errno::NbdErrno;
use byway_proto::nbd::extent::Extent;
use byway_proto::nbd::flags::CommandFlags;
use byway_proto::nbd::info::{Info, InfoRequest};
use byway_proto::nbd::option::{Opt, OptReply, OptionHead, OptionReplyHead};
use byway_proto::nbd::reply::{ChunkHead, STRUCTURED_LEN};
use byway_proto::nbd::request::Request;

/// What a request is told.
pub(super) type Told = Result<Vec<u8>, (NbdErrno, String)>;

/// A client in its transmission phase.
pub(super) struct Client {
    core: Rc<Core>,
    pub(super) stream: Rc<Stream>,
    pub(super) size: u64,
    cookie: u64,
}

/// A client that has taken the greeting.
pub(super) async fn greet(core: &Rc<Core>, to: &Address) -> Client {
    let stream = Rc::new(Stream::connect(core, to).await.unwrap());
    let client = Client { core: Rc::clone(core), stream, size: 0, cookie: 0 };
    assert_eq!(&client.take(18).await[..16], b"NBDMAGICIHAVEOPT");
    client.put(&3u32.to_be_bytes()).await;
    client
}

/// A client of an export, with structured replies and block status.
pub(super) async fn connect(core: &Rc<Core>, to: &Address, export: &str) -> Client {
    let mut client = greet(core, to).await;
    assert_eq!(client.option(Opt::StructuredReply, &[]).await.0, OptReply::Ack);
    let mut query = Vec::new();
    let queries = vec!["base:allocation"];
    ContextQuery { export, queries }.push(&mut query);
    client.option(Opt::SetMetaContext, &query).await;
    let reply = client.go(export).await;
    assert_eq!(reply, OptReply::Ack);
    client
}

/// The same of a client that has a name.
pub(super) async fn connect_as(
    core: &Rc<Core>,
    to: &Address,
    export: &str,
    name: ClientId,
) -> Client {
    let mut client = greet(core, to).await;
    assert_eq!(client.option(Opt::StructuredReply, &[]).await.0, OptReply::Ack);
    let (mut query, word) = (Vec::new(), name.query());
    ContextQuery { export, queries: vec![&word] }.push(&mut query);
    assert_eq!(client.option(Opt::ListMetaContext, &query).await.0, OptReply::Ack);
    assert_eq!(client.go(export).await, OptReply::Ack);
    client
}

impl Client {
    /// Opens an export.
    pub(super) async fn go(&mut self, export: &str) -> OptReply {
        let mut data = Vec::new();
        InfoRequest { export, kinds: Vec::new() }.push(&mut data);
        let (reply, infos) = self.option(Opt::Go, &data).await;
        for info in infos {
            if let Ok(Info::Export { size, .. }) = Info::decode(&info) {
                self.size = size;
            }
        }
        reply
    }

    /// Sends an option; the last reply, and the data of those before it.
    pub(super) async fn option(&self, option: Opt, data: &[u8]) -> (OptReply, Vec<Vec<u8>>) {
        let head = OptionHead { option, len: data.len() as u32 }.encode();
        self.put(&[&head[..], data].concat()).await;
        let mut before = Vec::new();
        loop {
            let head = self.take(20).await.try_into().unwrap();
            let head = OptionReplyHead::decode(&head).unwrap();
            let data = self.take(head.len).await;
            match head.reply {
                OptReply::Ack | OptReply::Err(_) => return (head.reply, before),
                _ => before.push(data),
            }
        }
    }

    /// Sends bytes.
    pub(super) async fn put(&self, bytes: &[u8]) {
        for part in bytes.chunks(1 << 20) {
            let mut lease = self.core.lease(part.len() as u32).unwrap();
            lease.copy_from_slice(part);
            self.stream.send(lease.into()).await.0.unwrap();
        }
    }

    /// Takes bytes.
    pub(super) async fn take(&self, len: u32) -> Vec<u8> {
        self.try_take(len).await.expect("the server goes on")
    }

    /// Takes bytes; nothing where the server ends the connection.
    pub(super) async fn try_take(&self, len: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < len as usize {
            let part = (len as usize - bytes.len()).min(1 << 20) as u32;
            let lease = self.core.lease(part).unwrap();
            let (result, payload) = self.stream.receive_exact(lease.into()).await;
            result.ok()?;
            bytes.extend_from_slice(&payload.into_lease().unwrap());
        }
        Some(bytes)
    }

    /// Sends a request, and tells its cookie.
    pub(super) async fn ask(
        &mut self,
        command: Command,
        flags: CommandFlags,
        range: (u64, u64),
        data: &[u8],
    ) -> u64 {
        self.cookie += 1;
        let (offset, len) = range;
        let request = Request { flags, command, cookie: self.cookie, offset, len };
        self.put(&[&request.encode_compact()[..], data].concat()).await;
        self.cookie
    }

    /// The whole reply to some request.
    pub(super) async fn reply(&self) -> (u64, Told) {
        self.try_reply().await.expect("the server goes on")
    }

    pub(super) async fn try_reply(&self) -> Option<(u64, Told)> {
        let head = self.try_take(STRUCTURED_LEN as u32).await?;
        let head = ChunkHead::decode_structured(&head.try_into().unwrap()).unwrap();
        let body = self.try_take(head.len as u32).await?;
        assert!(head.is_done(), "replies are one chunk");
        let told = match head.kind {
            ChunkKind::None => Ok(Vec::new()),
            ChunkKind::OffsetData => Ok(body[8..].to_vec()),
            ChunkKind::BlockStatus => Ok(body[4..].to_vec()),
            kind => {
                assert_eq!(kind, ChunkKind::Error);
                let errno = u32::from_be_bytes(body[..4].try_into().unwrap());
                let text = String::from_utf8(body[6..].to_vec()).unwrap();
                Err((NbdErrno::from_code(errno).unwrap(), text))
            }
        };
        Some((head.cookie, told))
    }

    /// One request and its reply.
    pub(super) async fn call(
        &mut self,
        command: Command,
        flags: CommandFlags,
        range: (u64, u64),
        data: &[u8],
    ) -> Told {
        let cookie = self.ask(command, flags, range, data).await;
        let (of, told) = self.reply().await;
        assert_eq!(of, cookie);
        told
    }

    pub(super) async fn read(&mut self, offset: u64, len: u64) -> Told {
        self.call(Command::Read, CommandFlags::NONE, (offset, len), &[]).await
    }

    pub(super) async fn write(&mut self, offset: u64, data: &[u8]) -> Told {
        let range = (offset, data.len() as u64);
        self.call(Command::Write, CommandFlags::NONE, range, data).await
    }

    /// What is known of a range: lengths, and the flags of `base:allocation`.
    pub(super) async fn status(&mut self, range: (u64, u64)) -> Vec<(u64, u32)> {
        let told = self.call(Command::BlockStatus, CommandFlags::NONE, range, &[]).await.unwrap();
        let extents = told.chunks_exact(8).map(|bytes| {
            let extent = Extent::decode_narrow(bytes.try_into().unwrap());
            (extent.len, extent.flags.0)
        });
        extents.collect()
    }
}
