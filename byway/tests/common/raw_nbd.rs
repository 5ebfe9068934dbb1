//! The smallest NBD client (NBD, 'Transmission phase'): one request after another on one connection.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const READ: u16 = 0;
const WRITE: u16 = 1;
const FLUSH: u16 = 3;
const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;
/// Of the handshake: the server and the client know fixed newstyle, and no zeroes are sent.
const CLIENT_FLAGS: u32 = 3;
const EXPORT_NAME: u32 = 1;

/// A client in its transmission phase.
pub(crate) struct RawClient {
    stream: UnixStream,
    cookie: u64,
}

impl RawClient {
    /// A client of an export; nothing where the server closes the connection at once, or does not
    /// have the export.
    pub(crate) fn connect(socket: &Path, export: &str) -> Option<RawClient> {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut client = RawClient { stream, cookie: 0 };
        let mut greeting = [0; 18];
        if client.is_over(&mut greeting) {
            return None;
        }
        assert_eq!(&greeting[..16], b"NBDMAGICIHAVEOPT");
        let mut hello = CLIENT_FLAGS.to_be_bytes().to_vec();
        hello.extend(b"IHAVEOPT");
        hello.extend(EXPORT_NAME.to_be_bytes());
        hello.extend((export.len() as u32).to_be_bytes());
        hello.extend(export.as_bytes());
        client.stream.write_all(&hello).unwrap();
        (!client.is_over(&mut [0; 10])).then_some(client)
    }

    /// Reads that many bytes; true where the connection has ended instead.
    fn is_over(&mut self, bytes: &mut [u8]) -> bool {
        match self.stream.read_exact(bytes) {
            Ok(()) => false,
            Err(error) => {
                let kinds = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
                assert!(kinds.contains(&error.kind()), "{error}");
                true
            }
        }
    }

    /// One request; its error number, 0 for none.
    fn ask(&mut self, command: u16, offset: u64, len: u32, data: &[u8]) -> u32 {
        self.cookie += 1;
        let mut request = REQUEST.to_be_bytes().to_vec();
        request.extend([0, 0]);
        request.extend(command.to_be_bytes());
        request.extend(self.cookie.to_be_bytes());
        request.extend(offset.to_be_bytes());
        request.extend(len.to_be_bytes());
        request.extend(data);
        self.stream.write_all(&request).unwrap();
        let mut reply = [0; 16];
        self.stream.read_exact(&mut reply).unwrap();
        assert_eq!(reply[..4], REPLY.to_be_bytes());
        assert_eq!(reply[8..], self.cookie.to_be_bytes());
        u32::from_be_bytes(reply[4..8].try_into().unwrap())
    }

    /// Writes; the error number, 0 for none.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> u32 {
        self.ask(WRITE, offset, data.len() as u32, data)
    }

    pub(crate) fn flush(&mut self) -> u32 {
        self.ask(FLUSH, 0, 0, &[])
    }

    pub(crate) fn read(&mut self, offset: u64, len: u32) -> Vec<u8> {
        assert_eq!(self.ask(READ, offset, len, &[]), 0);
        let mut data = vec![0; len as usize];
        self.stream.read_exact(&mut data).unwrap();
        data
    }

    /// Waits for the server to end the connection.
    pub(crate) fn ends(&mut self) {
        assert!(self.is_over(&mut [0]), "the server says something instead");
    }
}
