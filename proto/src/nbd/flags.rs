//! The four fields of flags (NBD, 'Flag fields').

/// A set of flags in a word of the wire: unknown bits are kept.
macro_rules! flags {
    ($(#[$doc:meta])* $name:ident: $word:ty { $($(#[$flag_doc:meta])* $flag:ident = $bit:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $word);

        impl $name {
            /// No flag.
            pub const NONE: $name = $name(0);
            $($(#[$flag_doc])* pub const $flag: $name = $name(1 << $bit);)*
            /// Every flag with a name.
            pub const KNOWN: $name = $name(0 $(| 1 << $bit)*);

            /// True where all of `flags` are set.
            #[must_use]
            #[inline]
            pub const fn contains(self, flags: $name) -> bool {
                self.0 & flags.0 == flags.0
            }

            /// These flags and those.
            #[must_use]
            #[inline]
            pub const fn with(self, flags: $name) -> $name {
                $name(self.0 | flags.0)
            }

            /// These flags but not those.
            #[must_use]
            #[inline]
            pub const fn without(self, flags: $name) -> $name {
                $name(self.0 & !flags.0)
            }

            /// These flags if `condition` holds, otherwise none.
            #[must_use]
            #[inline]
            pub const fn only_if(self, condition: bool) -> $name {
                if condition { self } else { $name::NONE }
            }

            /// True where no flag is set.
            #[must_use]
            #[inline]
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }
        }
    };
}

flags! {
    /// What the server can, in its greeting (NBD, 'Handshake flags').
    HandshakeFlags: u16 {
        /// Every option gets a reply.
        FIXED_NEWSTYLE = 0,
        /// The 124 zeroes after `EXPORT_NAME` can be left out.
        NO_ZEROES = 1,
    }
}

flags! {
    /// What the client takes up of the server's flags (NBD, 'Client flags').
    ClientFlags: u32 {
        /// The client understands replies to options.
        FIXED_NEWSTYLE = 0,
        /// The 124 zeroes after `EXPORT_NAME` are left out.
        NO_ZEROES = 1,
    }
}

flags! {
    /// What an export can (NBD, 'Transmission flags').
    TransmissionFlags: u16 {
        /// Set in every field of flags.
        HAS_FLAGS = 0,
        /// Writes are refused.
        READ_ONLY = 1,
        /// `FLUSH` is known.
        SEND_FLUSH = 2,
        /// The flag `FUA` is known, on every command.
        SEND_FUA = 3,
        /// The medium rotates.
        ROTATIONAL = 4,
        /// `TRIM` is known.
        SEND_TRIM = 5,
        /// `WRITE_ZEROES` is known, and the flag `NO_HOLE`.
        SEND_WRITE_ZEROES = 6,
        /// The flag `DF` is known; never without structured replies.
        SEND_DF = 7,
        /// A flush on one connection covers what was written on all.
        CAN_MULTI_CONN = 8,
        /// `RESIZE` is known (an extension that nobody completed).
        SEND_RESIZE = 9,
        /// `CACHE` is known.
        SEND_CACHE = 10,
        /// The flag `FAST_ZERO` is known.
        SEND_FAST_ZERO = 11,
        /// `BLOCK_STATUS` takes a payload that selects contexts.
        BLOCK_STATUS_PAYLOAD = 12,
    }
}

flags! {
    /// How a command is to be done (NBD, 'Command flags').
    CommandFlags: u16 {
        /// The reply comes when the data is on the medium.
        FUA = 0,
        /// `WRITE_ZEROES`: keep the blocks allocated.
        NO_HOLE = 1,
        /// `READ`: at most one chunk of content.
        DF = 2,
        /// `BLOCK_STATUS`: one extent for each context.
        REQ_ONE = 3,
        /// `WRITE_ZEROES`: fail at once where it would be as slow as writing.
        FAST_ZERO = 4,
        /// Extended headers: the length is that of a payload that follows.
        PAYLOAD_LEN = 5,
    }
}

flags! {
    /// About one chunk of a reply (NBD, 'Structured reply flags').
    ReplyFlags: u16 {
        /// The last chunk of its reply.
        DONE = 0,
    }
}

flags! {
    /// The status of an extent in the context `base:allocation` (NBD, 'Metadata contexts').
    ExtentFlags: u32 {
        /// Not allocated: a write may find no space.
        HOLE = 0,
        /// Reads as zeroes.
        ZERO = 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_told_apart_and_joined() {
        let flags = TransmissionFlags::HAS_FLAGS.with(TransmissionFlags::SEND_DF);
        assert_eq!(flags, TransmissionFlags(0x81));
        assert!(flags.contains(TransmissionFlags::SEND_DF));
        assert!(!flags.contains(TransmissionFlags(0x82)));
        assert_eq!(flags.without(TransmissionFlags::SEND_DF), TransmissionFlags::HAS_FLAGS);
        assert!(CommandFlags::FUA.only_if(false).is_empty());
        assert_eq!(CommandFlags::FUA.only_if(true), CommandFlags(1));
    }

    #[test]
    fn known_bits_are_those_of_the_document() {
        assert_eq!(HandshakeFlags::KNOWN.0, 3);
        assert_eq!(ClientFlags::KNOWN.0, 3);
        assert_eq!(TransmissionFlags::KNOWN.0, 0x1fff);
        assert_eq!(CommandFlags::KNOWN.0, 0x3f);
        assert_eq!(ReplyFlags::KNOWN.0, 1);
        assert_eq!(ExtentFlags::KNOWN.0, 3);
    }
}
