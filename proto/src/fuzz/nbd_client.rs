//! Servers that say anything to an NBD client: while shaking hands, and in reply to requests.

use alloc::vec;

use super::Input;
use crate::nbd::Headers;
use crate::nbd::client::{Event, Handshake, Transmission};
use crate::nbd::command::Command;
use crate::nbd::flags::CommandFlags;

/// Requests that are out at once.
const DEPTH: u16 = 4;

/// A handshake ends or asks for more, whatever comes, and never takes more than there is.
pub fn nbd_client_handshake(data: &[u8]) {
    let Ok(mut client) = Handshake::new("disk") else { return };
    let (mut rest, mut seen) = (data, 0);
    while let Ok(used) = client.handle_bytes(&rest[..seen]) {
        rest = &rest[used..];
        seen -= used;
        client.output();
        if client.opened().is_some() || seen == rest.len() {
            return;
        }
        seen += 1;
    }
    assert!(client.opened().is_none(), "what failed has not opened");
}

/// A request ends at most once, and payload is only for bytes that were asked for and not yet sent.
pub fn nbd_client_replies(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.byte();
    let headers = match choice % 3 {
        0 => Headers::Simple,
        1 => Headers::Structured,
        _ => Headers::Extended,
    };
    let mut machine = Transmission::new(headers, Some(1), DEPTH);
    let commands = [Command::Read, Command::Write, Command::BlockStatus, Command::Read];
    for command in commands {
        let begun = machine.begin(command, CommandFlags::NONE, 4096, 64);
        assert!(begun.is_some(), "there is room");
    }
    let mut is_out = vec![true; usize::from(DEPTH)];
    let mut arrived = vec![0u64; usize::from(DEPTH)];
    let mut rest = input.all();
    while !rest.is_empty() {
        let ended = if let Some(data) = machine.data() {
            assert!(is_out[usize::from(data.slot)] && data.at + data.len <= 64);
            let len = data.len.min(rest.len() as u64);
            arrived[usize::from(data.slot)] += len;
            rest = &rest[len as usize..];
            let Ok(ended) = machine.arrived(len) else { return };
            ended
        } else {
            let Ok(step) = machine.take(rest) else { return };
            if step.used == 0 {
                return;
            }
            rest = &rest[step.used..];
            match step.event {
                Event::Ended(ended) => Some(ended),
                Event::Zeroes(data, ended) => {
                    assert!(data.at + data.len <= 64);
                    arrived[usize::from(data.slot)] += data.len;
                    ended
                }
                Event::Nothing | Event::Data(_) => None,
            }
        };
        let Some(ended) = ended else { continue };
        let slot = usize::from(ended.slot);
        assert!(core::mem::replace(&mut is_out[slot], false), "a request ends once");
        let is_read = commands[slot] == Command::Read;
        assert!(ended.error.is_some() || !is_read || arrived[slot] == 64, "all of it has come");
        machine.release(ended.slot);
    }
}
