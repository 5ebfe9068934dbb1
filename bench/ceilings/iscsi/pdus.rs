//! PDUs on their way: headers that are written, one gathered write for all that is to be sent, one
//! read for all that has come, and what a target asks for in between.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use super::{Header, Session, has_status, word};

impl Session {
    pub(super) fn header(&self, opcode: u8, flags: u8, data: usize, tag: u32) -> Header {
        let mut header = [0; 48];
        header[4..8].copy_from_slice(&(data as u32).to_be_bytes());
        (header[0], header[1], header[9]) = (opcode, flags, self.lun);
        header[16..20].copy_from_slice(&tag.to_be_bytes());
        header[24..28].copy_from_slice(&self.cmd_sn.to_be_bytes());
        header[28..32].copy_from_slice(&self.exp_stat_sn.to_be_bytes());
        header
    }

    pub(super) fn send(&mut self) -> io::Result<()> {
        for part in self.out.chunks(512) {
            let payload = &self.payload;
            let slices = part.iter().flat_map(|(header, len)| [&header[..], &payload[..*len]]);
            let mut slices: Vec<_> = slices.filter(|s| !s.is_empty()).map(IoSlice::new).collect();
            let mut slices = &mut slices[..];
            while !slices.is_empty() {
                self.syscalls += 1;
                match (&self.socket).write_vectored(slices) {
                    Ok(sent) => IoSlice::advance_slices(&mut slices, sent),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
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
        while let Some(header) = self.buffer[at..self.filled].first_chunk::<48>().copied() {
            let behind = word(&header, 4) as usize;
            // Additional headers count words; a segment is filled up to words.
            let len = 48 + (behind >> 24) * 4 + (behind & 0xff_ffff).next_multiple_of(4);
            self.skip = (at + len).saturating_sub(self.filled);
            at = (at + len).min(self.filled);
            self.handle(&header)?;
        }
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(())
    }

    pub(super) fn answer_ping(&mut self, ping: &Header) {
        let mut header = self.header(0x40, 0x80, 0, u32::MAX);
        header[8..16].copy_from_slice(&ping[8..16]);
        header[20..24].copy_from_slice(&ping[20..24]);
        self.out.push((header, 0));
    }

    pub(super) fn answer_r2t(&mut self, r2t: &Header) {
        let (offset, wanted) = (word(r2t, 40) as usize, word(r2t, 44) as usize);
        for (number, at) in (0..wanted).step_by(self.segment).enumerate() {
            let len = self.segment.min(wanted - at);
            let last = if at + len == wanted { 0x80 } else { 0 };
            let mut header = self.header(0x05, last, len, word(r2t, 16));
            header[20..24].copy_from_slice(&r2t[20..24]);
            header[24..28].fill(0);
            header[36..40].copy_from_slice(&(number as u32).to_be_bytes());
            header[40..44].copy_from_slice(&((offset + at) as u32).to_be_bytes());
            self.out.push((header, len));
        }
    }

    /// One PDU of the login, at once.
    pub(super) fn write_pdu(&mut self, header: &Header, data: &[u8]) -> io::Result<()> {
        let mut bytes = header.to_vec();
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        self.socket.write_all(&bytes)
    }

    /// The next PDU, before the loop starts.
    pub(super) fn read_pdu(&mut self) -> io::Result<(Header, Vec<u8>)> {
        let mut header = [0; 48];
        self.socket.read_exact(&mut header)?;
        let len = (word(&header, 4) & 0xff_ffff) as usize;
        let mut data = vec![0; len.next_multiple_of(4)];
        self.socket.read_exact(&mut data)?;
        data.truncate(len);
        Ok((header, data))
    }

    /// Status and data of the only command in flight.
    pub(super) fn answer(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut data = Vec::new();
        loop {
            let (answer, segment) = self.read_pdu()?;
            self.max_cmd_sn = word(&answer, 32);
            if answer[0] == 0x25 {
                data = segment;
            }
            if has_status(&answer) {
                self.exp_stat_sn = word(&answer, 24).wrapping_add(1);
                return Ok((answer[3], data));
            }
        }
    }
}
