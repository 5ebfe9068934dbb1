//! What the network between simulated hosts is like.

use std::ops::Range;

use super::super::PPM;

/// What the network between simulated hosts is like. A host reaches itself faster and for sure.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// One way between two hosts in nanoseconds, drawn evenly.
    pub latency_ns: Range<u64>,
    /// Bytes per second of each direction between two hosts.
    pub bytes_per_second: u64,
    /// How often a packet is lost and sent again, which delays everything behind it.
    pub loss_ppm: u32,
    /// How long a lost packet waits until it is sent again, in nanoseconds.
    pub retransmit_ns: u64,
    /// How often a packet meets a connection's sudden end.
    pub reset_ppm: u32,
    /// How often a send or a receive takes only a part of what it could.
    pub partial_ppm: u32,
    /// Bytes on the way and unread, per direction of a connection.
    pub window: u64,
    /// How long sent bytes stay unacknowledged until the sender gives up, in nanoseconds; also how
    /// long a connect waits.
    pub timeout_ns: u64,
}

impl Default for NetConfig {
    fn default() -> Self {
        NetConfig {
            latency_ns: 20_000..200_000,
            bytes_per_second: 1_250_000_000,
            loss_ppm: 0,
            retransmit_ns: 200_000_000,
            reset_ppm: 0,
            partial_ppm: PPM / 2,
            window: 256 << 10,
            timeout_ns: 5_000_000_000,
        }
    }
}
