//! The magic numbers, by which a stream that lost its place is noticed (NBD, 'Values').

/// First in the server's greeting, "NBDMAGIC".
pub const GREETING: u64 = 0x4e42_444d_4147_4943;
/// Second in a newstyle greeting, and first in every option: "IHAVEOPT".
pub const OPTION: u64 = 0x4948_4156_454f_5054;
/// Second in the greeting of an oldstyle server, which is refused.
pub const OLDSTYLE: u64 = 0x0000_4202_8186_1253;
/// First in every reply to an option.
pub const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
/// First in a compact request.
pub const REQUEST: u32 = 0x2560_9513;
/// First in an extended request.
pub const EXTENDED_REQUEST: u32 = 0x21e4_1c71;
/// First in a simple reply.
pub const SIMPLE_REPLY: u32 = 0x6744_6698;
/// First in a chunk of a structured reply.
pub const STRUCTURED_REPLY: u32 = 0x668e_33ef;
/// First in a chunk with an extended header.
pub const EXTENDED_REPLY: u32 = 0x6e8a_278c;
