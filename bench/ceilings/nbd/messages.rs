//! Messages on their way: requests that are written, one gathered write for all that is to be sent,
//! one read for all that has come.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::unix::net::UnixStream;

use super::{
    DISCONNECT, REPLY_LEN, REPLY_MAGIC, REQUEST_LEN, REQUEST_MAGIC, SLICES_MAX, Session, fail,
};
use crate::sockopt;

impl Session {
    pub(super) fn request(&mut self) {
        // A linear congruence (D. Knuth, MMIX); its high bits pick the place.
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let place = ((u128::from(self.random) * u128::from(self.places)) >> 64) as u64;
        self.out.push(request(self.command, place * u64::from(self.bs), self.bs));
        self.in_flight += 1;
    }

    pub(super) fn send(&mut self) -> io::Result<()> {
        for part in self.out.chunks(SLICES_MAX / 2) {
            let slices = part.iter().flat_map(|head| [&head[..], &self.payload]);
            self.syscalls += send_all(&self.socket, slices)?;
        }
        self.out.clear();
        Ok(())
    }

    pub(super) fn receive(&mut self) -> io::Result<()> {
        self.syscalls += 1;
        match (&self.socket).read(&mut self.buffer[self.filled..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(len) => self.filled += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock && self.spinning => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut at = self.skip.min(self.filled);
        self.skip -= at;
        while let Some(head) = self.buffer[at..self.filled].first_chunk::<REPLY_LEN>() {
            if (word(head, 0), word(head, 4)) != (REPLY_MAGIC, 0) {
                return fail(format!("magic {:#x}, error {}", word(head, 0), word(head, 4)));
            }
            (self.in_flight, self.done) = (self.in_flight - 1, self.done + 1);
            self.skip = (at + REPLY_LEN + self.answer).saturating_sub(self.filled);
            at = (at + REPLY_LEN + self.answer).min(self.filled);
        }
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(())
    }

    /// Takes what is in flight, and says goodbye.
    pub(super) fn close(mut self) -> io::Result<()> {
        sockopt::wake_by(&self.socket, 1)?;
        while self.in_flight > 0 {
            self.receive()?;
        }
        self.out.push(request(DISCONNECT, 0, 0));
        self.payload.clear();
        self.send()
    }
}

pub(super) fn request(command: u16, offset: u64, len: u32) -> [u8; REQUEST_LEN] {
    let mut head = [0; REQUEST_LEN];
    head[..4].copy_from_slice(&REQUEST_MAGIC.to_be_bytes());
    head[6..8].copy_from_slice(&command.to_be_bytes());
    head[16..24].copy_from_slice(&offset.to_be_bytes());
    head[24..].copy_from_slice(&len.to_be_bytes());
    head
}

/// Sends all of the slices, waiting or not as the socket does; answers the system calls.
pub(super) fn send_all<'a>(
    mut socket: &UnixStream,
    slices: impl Iterator<Item = &'a [u8]>,
) -> io::Result<u64> {
    let mut slices: Vec<_> = slices.filter(|s| !s.is_empty()).map(IoSlice::new).collect();
    let (mut slices, mut calls) = (&mut slices[..], 0);
    while !slices.is_empty() {
        calls += 1;
        match socket.write_vectored(slices) {
            Ok(sent) => IoSlice::advance_slices(&mut slices, sent),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(calls)
}

pub(super) fn word(head: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(*head[at..].first_chunk().expect("the offset lies in the message"))
}
