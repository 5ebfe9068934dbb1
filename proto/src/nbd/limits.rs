//! How long things may be: what the protocol document says, and what we grant where it is silent.

/// Longest export name, description, query or message, in bytes (NBD, 'Conventions').
pub const TEXT_LEN_MAX: usize = 4096;
/// Longest data of an option that is read; longer ones get an error.
pub const OPTION_LEN_MAX: u32 = 32 * 1024;
/// Longest data of an option that is skipped for the sake of the error; longer ones end the session.
pub const OPTION_SKIP_MAX: u32 = 1024 * 1024;
/// Options in one handshake. A client that wants to know of every export asks for each of them.
pub const OPTIONS_MAX: u32 = 4096;
/// Longest data of a reply to an option that a client reads.
pub const OPTION_REPLY_LEN_MAX: u32 = 64 * 1024;
/// Kinds of information in one `INFO` or `GO`.
pub const INFOS_MAX: u16 = 64;
/// Queries in one option about metadata contexts.
pub const QUERIES_MAX: u32 = 64;
/// Payload of a write and length of a read that a server must take if it says nothing else, and what
/// clients expect at most (NBD, 'Block size constraints').
pub const PAYLOAD_LEN_MAX: u32 = 32 * 1024 * 1024;
/// Longest payload that is read and dropped to refuse its request; longer ones end the session.
pub const PAYLOAD_SKIP_MAX: u64 = 64 * 1024 * 1024;
/// The smallest block that a client assumes where it was told nothing.
pub const BLOCK_LEN_ASSUMED: u32 = 512;
/// The preferred block that a client assumes where it was told nothing.
pub const BLOCK_LEN_PREFERRED: u32 = 4096;
/// Largest minimum block that the document allows.
pub const BLOCK_LEN_MIN_MAX: u32 = 64 * 1024;
/// A read of up to this length must be served in one chunk if that is asked for.
pub const UNFRAGMENTED_LEN_MIN: u32 = 64 * 1024;
