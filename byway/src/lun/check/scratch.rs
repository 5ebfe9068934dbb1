//! The range of blocks that a check writes to. Its content is saved before and restored after.

/// Bytes of the range, where the LUN is large enough.
const LEN: u64 = 4 << 20;
/// Bytes of one piece of it, and of what a single command writes.
const PIECE_LEN: u32 = 64 << 10;
const SPOT_LEN: u32 = 4 << 10;
/// Blocks that ten-byte commands reach.
const TEN_BLOCKS: u64 = 1 << 32;

/// The range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scratch {
    /// Its first block.
    pub first: u64,
    /// How many there are.
    pub blocks: u32,
    /// Bytes of a block.
    pub block_len: u32,
    /// Blocks of one piece.
    piece_blocks: u32,
}

impl Scratch {
    /// The last blocks of a LUN of `blocks` blocks that every command reaches, or those from
    /// `wanted` on. Nothing where the LUN has no room for them.
    #[must_use]
    pub fn of(
        blocks: u64,
        block_len: u32,
        transfer_max: u32,
        wanted: Option<u64>,
    ) -> Option<Scratch> {
        let reached = blocks.min(TEN_BLOCKS);
        let room = reached.checked_sub(wanted.unwrap_or(0))?;
        let len = (LEN / u64::from(block_len)).min(room);
        let most = if transfer_max == 0 { u32::MAX } else { transfer_max };
        let scratch = Scratch {
            first: wanted.unwrap_or(reached - len),
            blocks: len as u32,
            block_len,
            piece_blocks: (PIECE_LEN / block_len).clamp(1, most),
        };
        (len >= u64::from(scratch.spot_blocks())).then_some(scratch)
    }

    /// Blocks that a single command writes.
    #[must_use]
    pub(crate) fn spot_blocks(&self) -> u32 {
        (SPOT_LEN / self.block_len).clamp(1, self.piece_blocks)
    }

    /// Bytes of so many blocks.
    #[must_use]
    pub(crate) fn bytes(&self, blocks: u32) -> usize {
        blocks as usize * self.block_len as usize
    }

    /// First block and length of every piece.
    pub(crate) fn pieces(self) -> impl Iterator<Item = (u64, u32)> {
        let starts = (0..self.blocks).step_by(self.piece_blocks as usize);
        starts.map(move |at| (self.first + u64::from(at), self.piece_blocks.min(self.blocks - at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lies_at_the_end_where_ten_byte_commands_reach() {
        let scratch = Scratch::of(131_072, 512, 0, None).unwrap();
        assert_eq!((scratch.first, scratch.blocks), (131_072 - 8192, 8192));
        let scratch = Scratch::of(1 << 40, 512, 0, None).unwrap();
        assert_eq!(scratch.first + u64::from(scratch.blocks), TEN_BLOCKS);
    }

    #[test]
    fn it_lies_where_it_is_wanted_and_nowhere_without_room() {
        let scratch = Scratch::of(1000, 512, 0, Some(900)).unwrap();
        assert_eq!((scratch.first, scratch.blocks), (900, 100));
        assert_eq!(Scratch::of(1000, 512, 0, Some(1000)), None);
        assert_eq!(Scratch::of(4, 512, 0, None), None);
    }

    #[test]
    fn pieces_cover_it_and_fit_the_target() {
        let scratch = Scratch::of(100, 4096, 3, None).unwrap();
        let pieces: Vec<_> = scratch.pieces().collect();
        assert_eq!(pieces.iter().map(|(_, blocks)| blocks).sum::<u32>(), 100);
        assert_eq!((pieces[0], pieces[33]), ((0, 3), (99, 1)));
        assert_eq!(scratch.spot_blocks(), 1);
    }
}
