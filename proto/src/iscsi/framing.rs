//! Where one PDU ends and the next begins in a stream (RFC 7143 sections 11.1 and 11.2).
//!
//! ```text
//! Head ──head()──▶ Data ──data()──▶ Tail ──tail()──▶ Head
//!   └──────────── no data segment ───────────────────┘
//! ```
//!
//! Pure: the shell hands in heads and tails, which are short, moves the data itself, and computes
//! the digests.

use super::pdu::{BHS_LEN, Bhs, ahs_len, data_segment_len, padding};

/// Bytes of a digest.
pub const DIGEST_LEN: usize = 4;
/// The longest head: the longest additional header and a digest.
pub const HEAD_LEN_MAX: usize = BHS_LEN + 255 * 4 + DIGEST_LEN;

/// The digest of a head does not fit it: what follows cannot be trusted (section 7.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeadDigestError {
    /// What the bytes give.
    pub computed: u32,
    /// What came.
    pub found: u32,
}

/// What comes next in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    /// A head; ask [`Framer::head_len`] how long it is.
    Head,
    /// So many bytes of a data segment.
    Data(u32),
    /// So many bytes of padding and digest.
    Tail(u32),
}

/// The framing of one direction of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Framer {
    header_digest: bool,
    data_digest: bool,
    next: Next,
    padding: u32,
}

impl Framer {
    /// A stream that begins with a head; digests as they were negotiated.
    #[must_use]
    pub fn new(header_digest: bool, data_digest: bool) -> Framer {
        Framer { header_digest, data_digest, next: Next::Head, padding: 0 }
    }

    /// What comes next.
    #[must_use]
    #[inline]
    pub fn next(&self) -> Next {
        self.next
    }

    /// Bytes of the head that starts with `bytes`; as many as are needed to tell, where they do not
    /// tell yet.
    #[must_use]
    #[inline]
    pub fn head_len(&self, bytes: &[u8]) -> usize {
        let additional = bytes.get(4).map_or(0, |words| usize::from(*words) * 4);
        BHS_LEN + additional + if self.header_digest { DIGEST_LEN } else { 0 }
    }

    /// A whole head has arrived; `crc` computes its CRC32C.
    ///
    /// # Errors
    /// Where its digest is wrong.
    ///
    /// # Panics
    /// When the bytes are not the whole head, or no head was due: bugs of the caller.
    #[inline]
    pub fn head(
        &mut self,
        bytes: &[u8],
        crc: impl FnOnce(&[u8]) -> u32,
    ) -> Result<Bhs, HeadDigestError> {
        assert!(self.next == Next::Head && bytes.len() == self.head_len(bytes), "a whole head");
        if self.header_digest {
            check(bytes, crc)?;
        }
        let mut bhs = [0; BHS_LEN];
        bhs.copy_from_slice(&bytes[..BHS_LEN]);
        debug_assert_eq!(ahs_len(&bhs) as usize % 4, 0);
        let len = data_segment_len(&bhs);
        self.padding = padding(len);
        self.next = if len == 0 { Next::Head } else { Next::Data(len) };
        Ok(bhs)
    }

    /// `n` bytes of the data segment have arrived.
    ///
    /// # Panics
    /// When there are not so many due: a bug of the caller.
    #[inline]
    pub fn data(&mut self, n: u32) {
        let Next::Data(left) = self.next else { panic!("no data are due") };
        assert!(n <= left, "more data than are due");
        self.next = match left - n {
            0 => self.after_data(),
            left => Next::Data(left),
        };
    }

    fn after_data(&self) -> Next {
        match self.padding + if self.data_digest { DIGEST_LEN as u32 } else { 0 } {
            0 => Next::Head,
            len => Next::Tail(len),
        }
    }

    /// Padding and digest have arrived. `crc` is given the padding and computes the CRC32C of data
    /// and padding; answers whether the digest is right, and true where there is none.
    ///
    /// # Panics
    /// When the bytes are not the whole tail, or no tail was due: bugs of the caller.
    #[inline]
    pub fn tail(&mut self, bytes: &[u8], crc: impl FnOnce(&[u8]) -> u32) -> bool {
        assert!(self.next == Next::Tail(bytes.len() as u32), "a whole tail");
        self.next = Next::Head;
        let (padding, digest) = bytes.split_at(self.padding as usize);
        !self.data_digest || crc(padding).to_le_bytes() == digest
    }
}

/// The digest of a head is the CRC32C of all before it, least significant byte first (section 13.1).
fn check(bytes: &[u8], crc: impl FnOnce(&[u8]) -> u32) -> Result<(), HeadDigestError> {
    let (head, digest) = bytes.split_at(bytes.len() - DIGEST_LEN);
    let mut found = [0; DIGEST_LEN];
    found.copy_from_slice(digest);
    let (computed, found) = (crc(head), u32::from_le_bytes(found));
    if computed == found { Ok(()) } else { Err(HeadDigestError { computed, found }) }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn sum(bytes: &[u8]) -> u32 {
        bytes.iter().map(|byte| u32::from(*byte)).sum()
    }

    /// A PDU of `ahs` words of additional header and `len` bytes of data, all bytes `fill`.
    fn pdu(ahs: u8, len: u32, fill: u8, digests: (bool, bool)) -> Vec<u8> {
        let mut bytes = vec![fill; BHS_LEN + usize::from(ahs) * 4];
        bytes[4] = ahs;
        bytes[5..8].copy_from_slice(&len.to_be_bytes()[1..]);
        if digests.0 {
            let digest = sum(&bytes);
            bytes.extend(digest.to_le_bytes());
        }
        let start = bytes.len();
        bytes.extend(vec![fill; len as usize]);
        bytes.extend(vec![0; padding(len) as usize]);
        if digests.1 && len > 0 {
            let digest = sum(&bytes[start..]);
            bytes.extend(digest.to_le_bytes());
        }
        bytes
    }

    /// Reads PDUs of a stream; answers their data lengths and whether the digests were right.
    fn read(mut framer: Framer, mut bytes: &[u8], chunk: usize) -> Vec<(u32, bool)> {
        let (mut found, mut crc) = (Vec::new(), 0);
        while !bytes.is_empty() {
            let used = match framer.next() {
                Next::Head => {
                    let len = framer.head_len(bytes);
                    let bhs = framer.head(&bytes[..len], sum).unwrap();
                    found.push((data_segment_len(&bhs), true));
                    crc = 0;
                    len
                }
                Next::Data(left) => {
                    let n = chunk.min(left as usize);
                    crc += sum(&bytes[..n]);
                    framer.data(n as u32);
                    n
                }
                Next::Tail(len) => {
                    let tail = &bytes[..len as usize];
                    found.last_mut().unwrap().1 = framer.tail(tail, |padding| crc + sum(padding));
                    len as usize
                }
            };
            bytes = &bytes[used..];
        }
        found
    }

    proptest! {
        #[test]
        fn pdus_follow_each_other(
            pdus in prop::collection::vec((0u8..4, 0u32..70, any::<u8>()), 1..8),
            digests: (bool, bool),
            chunk in 1usize..80,
        ) {
            let stream: Vec<u8> =
                pdus.iter().flat_map(|&(ahs, len, fill)| pdu(ahs, len, fill, digests)).collect();
            let expected: Vec<_> = pdus.iter().map(|&(_, len, _)| (len, true)).collect();
            prop_assert_eq!(read(Framer::new(digests.0, digests.1), &stream, chunk), expected);
        }
    }

    #[test]
    fn a_wrong_digest_of_data_is_told_and_the_stream_goes_on() {
        let mut stream = pdu(0, 5, 7, (false, true));
        let last = stream.len() - 1;
        stream[last] ^= 1;
        stream.extend(pdu(0, 4, 7, (false, true)));
        assert_eq!(read(Framer::new(false, true), &stream, 3), [(5, false), (4, true)]);
    }

    #[test]
    fn a_wrong_digest_of_a_head_is_an_error() {
        let mut head = pdu(1, 0, 3, (true, false));
        head[20] ^= 1;
        let mut framer = Framer::new(true, false);
        assert_eq!(framer.head_len(&head[..3]), BHS_LEN + DIGEST_LEN);
        assert_eq!(framer.head_len(&head), head.len());
        assert!(framer.head(&head, sum).is_err());
    }
}
