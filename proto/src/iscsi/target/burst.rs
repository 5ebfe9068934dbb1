//! Cutting: Data-In into PDUs and sequences, and the write data that remain into R2Ts.
//!
//! A PDU is at most the receiver's MaxRecvDataSegmentLength, a sequence at most MaxBurstLength, and
//! the last PDU of a sequence has its F bit set (RFC 7143 sections 11.7.1, 13.12 and 13.13).

/// A run of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Piece {
    pub(super) offset: u32,
    pub(super) len: u32,
    /// The piece ends its sequence.
    pub(super) ends_sequence: bool,
    /// Nothing follows.
    pub(super) is_last: bool,
}

/// The two lengths that cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Limits {
    /// Most bytes of one PDU.
    pub(super) segment: u32,
    /// Most bytes of one sequence.
    pub(super) burst: u32,
}

/// The piece at `offset` of `len` bytes in total.
///
/// # Panics
/// Where nothing is left.
#[inline]
pub(super) fn cut(limits: Limits, offset: u32, len: u32) -> Piece {
    assert!(offset < len, "there is something left to cut");
    let rest = len - offset;
    let rest_of_burst = limits.burst - offset % limits.burst;
    let piece = rest.min(limits.segment).min(rest_of_burst);
    let ends_sequence = piece == rest || piece == rest_of_burst;
    Piece { offset, len: piece, ends_sequence, is_last: piece == rest }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_that_is_no_multiple_of_the_segment_ends_with_a_short_piece() {
        let limits = Limits { segment: 512, burst: 1280 };
        let lens = [(0, 512), (512, 512), (1024, 256), (1280, 512), (1792, 208)];
        for (offset, len) in lens {
            let piece = cut(limits, offset, 2000);
            assert_eq!((piece.offset, piece.len), (offset, len));
            assert_eq!(piece.ends_sequence, offset == 1024 || offset == 1792);
            assert_eq!(piece.is_last, offset == 1792);
        }
    }

    proptest! {
        #[test]
        fn the_pieces_cover_all_and_respect_both_limits(
            segment in 512u32..5000, burst in 512u32..20_000, len in 1u32..100_000,
        ) {
            let limits = Limits { segment, burst };
            let (mut offset, mut in_burst) = (0, 0);
            loop {
                let piece = cut(limits, offset, len);
                prop_assert!(piece.len > 0 && piece.len <= segment);
                in_burst += piece.len;
                prop_assert!(in_burst <= burst);
                prop_assert_eq!(piece.ends_sequence, in_burst == burst || piece.is_last);
                if piece.ends_sequence {
                    in_burst = 0;
                }
                offset += piece.len;
                if piece.is_last {
                    break;
                }
            }
            prop_assert_eq!(offset, len);
        }
    }
}
