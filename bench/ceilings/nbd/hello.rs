//! What comes before the loop: the fixed newstyle handshake, from both sides, with one option.
//! Source: NBD, "Handshake phase".

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use super::fail;

const MAGIC: u64 = u64::from_be_bytes(*b"NBDMAGIC");
const OPTION_MAGIC: u64 = u64::from_be_bytes(*b"IHAVEOPT");
const REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
/// `NBD_FLAG_FIXED_NEWSTYLE` and `NBD_FLAG_NO_ZEROES`, of the server and of the client.
const FIXED_NO_ZEROES: u16 = 3;
/// `NBD_FLAG_HAS_FLAGS`, `NBD_FLAG_SEND_FLUSH` and `NBD_FLAG_CAN_MULTI_CONN`.
const TRANSMISSION: u16 = 1 | 4 | 256;
/// The options of which the null server knows two: the last ends the handshake.
const ABORT: u32 = 2;
const INFO: u32 = 6;
const GO: u32 = 7;
const REP_ACK: u32 = 1;
const REP_INFO: u32 = 3;
const REP_ERR_UNSUP: u32 = 0x8000_0001;
/// Longer options and replies than this are no part of a handshake with sense.
const PAYLOAD_LEN_MAX: u32 = 64 << 10;

/// Asks for an export; answers its size in bytes.
pub(super) fn connect(socket: &UnixStream, export: &str) -> io::Result<u64> {
    let greeting = take::<18>(socket)?;
    let (magic, option) = (number(&greeting[..8]), number(&greeting[8..16]));
    let flags = number(&greeting[16..]);
    if (magic, option, flags & 1) != (MAGIC, OPTION_MAGIC, 1) {
        return fail("the server does not speak fixed newstyle NBD");
    }
    let mut hello = (flags as u32 & u32::from(FIXED_NO_ZEROES)).to_be_bytes().to_vec();
    let mut name = (export.len() as u32).to_be_bytes().to_vec();
    name.extend(export.as_bytes());
    name.extend([0; 2]);
    hello.extend(OPTION_MAGIC.to_be_bytes());
    hello.extend(GO.to_be_bytes());
    hello.extend((name.len() as u32).to_be_bytes());
    hello.extend(name);
    (&*socket).write_all(&hello)?;
    let mut size = None;
    loop {
        let (kind, payload) = option_reply(socket)?;
        match (kind, payload.get(..2), payload.get(2..10)) {
            (REP_ACK, ..) => return size.map_or_else(|| fail("the server told no size"), Ok),
            (REP_INFO, Some([0, 0]), Some(bytes)) => size = Some(number(bytes)),
            (REP_INFO, ..) => {}
            _ => return fail(format!("'{export}': {}", String::from_utf8_lossy(&payload))),
        }
    }
}

fn option_reply(socket: &UnixStream) -> io::Result<(u32, Vec<u8>)> {
    let head = take::<20>(socket)?;
    if number(&head[..8]) != REPLY_MAGIC {
        return fail("an answer to an option has the wrong magic");
    }
    let payload = take_long(socket, number(&head[16..]) as u32)?;
    Ok((number(&head[12..16]) as u32, payload))
}

/// Greets a client and answers its options until it opens an export; false where it has gone.
pub(super) fn greet(mut socket: &UnixStream, size: u64) -> io::Result<bool> {
    let mut greeting = [MAGIC, OPTION_MAGIC].map(u64::to_be_bytes).concat();
    greeting.extend(FIXED_NO_ZEROES.to_be_bytes());
    socket.write_all(&greeting)?;
    take::<4>(socket)?;
    loop {
        let head = take::<16>(socket)?;
        if number(&head[..8]) != OPTION_MAGIC {
            return fail("an option has the wrong magic");
        }
        let option = number(&head[8..12]) as u32;
        take_long(socket, number(&head[12..]) as u32)?;
        let mut reply = |kind: u32, payload: &[u8]| {
            let mut bytes = REPLY_MAGIC.to_be_bytes().to_vec();
            let words = [option, kind, payload.len() as u32];
            words.iter().for_each(|word| bytes.extend(word.to_be_bytes()));
            bytes.extend(payload);
            socket.write_all(&bytes)
        };
        match option {
            INFO | GO => {
                let mut info = vec![0; 2];
                info.extend(size.to_be_bytes());
                info.extend(TRANSMISSION.to_be_bytes());
                reply(REP_INFO, &info)?;
                reply(REP_ACK, &[])?;
            }
            ABORT => reply(REP_ACK, &[])?,
            _ => reply(REP_ERR_UNSUP, &[])?,
        }
        if let ABORT | GO = option {
            return Ok(option == GO);
        }
    }
}

fn take<const N: usize>(mut socket: &UnixStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    socket.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn take_long(mut socket: &UnixStream, len: u32) -> io::Result<Vec<u8>> {
    if len > PAYLOAD_LEN_MAX {
        return fail(format!("{len} bytes are too many for a handshake"));
    }
    let mut bytes = vec![0; len as usize];
    socket.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Up to eight bytes as a number.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
