//! Operation codes and service actions (SPC-4 annex E, SBC-3 section 5.1), and the table of what the
//! logical unit supports, with which bits (REPORT SUPPORTED OPERATION CODES, SPC-4 section 6.35).

macro_rules! opcodes {
    ($($name:ident = $value:literal),* $(,)?) => {
        $(#[allow(missing_docs, reason = "the name is the standard's")] pub const $name: u8 = $value;)*
    };
}

opcodes! {
    TEST_UNIT_READY = 0x00,
    REQUEST_SENSE = 0x03,
    READ_6 = 0x08,
    WRITE_6 = 0x0a,
    INQUIRY = 0x12,
    MODE_SELECT_6 = 0x15,
    RESERVE_6 = 0x16,
    RELEASE_6 = 0x17,
    MODE_SENSE_6 = 0x1a,
    START_STOP_UNIT = 0x1b,
    PREVENT_ALLOW = 0x1e,
    READ_CAPACITY_10 = 0x25,
    READ_10 = 0x28,
    WRITE_10 = 0x2a,
    WRITE_VERIFY_10 = 0x2e,
    VERIFY_10 = 0x2f,
    PREFETCH_10 = 0x34,
    SYNCHRONIZE_CACHE_10 = 0x35,
    WRITE_SAME_10 = 0x41,
    UNMAP = 0x42,
    MODE_SELECT_10 = 0x55,
    MODE_SENSE_10 = 0x5a,
    PERSISTENT_RESERVE_IN = 0x5e,
    PERSISTENT_RESERVE_OUT = 0x5f,
    READ_16 = 0x88,
    COMPARE_AND_WRITE = 0x89,
    WRITE_16 = 0x8a,
    ORWRITE_16 = 0x8b,
    WRITE_VERIFY_16 = 0x8e,
    VERIFY_16 = 0x8f,
    PREFETCH_16 = 0x90,
    SYNCHRONIZE_CACHE_16 = 0x91,
    WRITE_SAME_16 = 0x93,
    SERVICE_ACTION_IN_16 = 0x9e,
    REPORT_LUNS = 0xa0,
    MAINTENANCE_IN = 0xa3,
    READ_12 = 0xa8,
    WRITE_12 = 0xaa,
    WRITE_VERIFY_12 = 0xae,
    VERIFY_12 = 0xaf,
}

/// Service action of SERVICE ACTION IN (16): READ CAPACITY (16).
pub const SA_READ_CAPACITY_16: u8 = 0x10;
/// Service action of SERVICE ACTION IN (16): GET LBA STATUS.
pub const SA_GET_LBA_STATUS: u8 = 0x12;
/// Service action of MAINTENANCE IN: REPORT TARGET PORT GROUPS.
pub const SA_REPORT_TARGET_PORT_GROUPS: u8 = 0x0a;
/// Service action of MAINTENANCE IN: REPORT SUPPORTED OPERATION CODES.
pub const SA_REPORT_OPCODES: u8 = 0x0c;
/// Service action of MAINTENANCE IN: REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS.
pub const SA_REPORT_TASK_FUNCTIONS: u8 = 0x0d;

/// One command of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Supported {
    /// The operation code.
    pub opcode: u8,
    /// The service action, where the operation code has several.
    pub service_action: Option<u8>,
    /// Bytes of the command.
    pub len: u8,
    /// Byte 1: the bits that mean something, the service action left out.
    pub flags: u8,
    /// Bytes 2 and later that mean something, one bit for each byte, byte 0 in the lowest bit.
    bytes: u16,
    /// Bytes that mean something only in part: index and mask.
    partial: Option<(u8, u8)>,
}

impl Supported {
    /// The usage data of the command: a one for every bit that it evaluates, the operation code and
    /// service action themselves in place (SPC-4 section 6.35.3). Bytes behind `len` are zero.
    #[must_use]
    pub fn usage(&self) -> [u8; 16] {
        let mut usage = [0; 16];
        for (index, byte) in usage.iter_mut().enumerate().skip(2) {
            *byte = if self.bytes & (1 << index) != 0 { 0xff } else { 0 };
        }
        usage[0] = self.opcode;
        usage[1] = self.flags | self.service_action.unwrap_or(0);
        if let Some((index, mask)) = self.partial {
            usage[usize::from(index)] = mask;
        }
        usage
    }
}

const fn plain(opcode: u8, len: u8, flags: u8, bytes: u16) -> Supported {
    Supported { opcode, service_action: None, len, flags, bytes, partial: None }
}

const fn action(opcode: u8, service_action: u8, len: u8, bytes: u16) -> Supported {
    Supported { service_action: Some(service_action), ..plain(opcode, len, 0, bytes) }
}

const fn partly(mut of: Supported, index: u8, mask: u8) -> Supported {
    of.partial = Some((index, mask));
    of
}

/// Bytes 2 to 5 and 7 to 8: address and length of ten-byte commands.
const TEN: u16 = 0x1bc;
/// Bytes 2 to 9.
const TWELVE: u16 = 0x3fc;
/// Bytes 2 to 13.
const SIXTEEN: u16 = 0x3ffc;
/// Bytes 6 to 9: the allocation length of twelve-byte reports.
const REPORT: u16 = 0x3c0;
/// Bytes 7 and 8: the length of ten-byte commands with parameters.
const LIST: u16 = 0x180;
/// DPO and FUA.
const DPO_FUA: u8 = 0x18;
/// DPO and BYTCHK.
const DPO_CHECK: u8 = 0x16;

/// Every command that [`Command::parse`](super::cdb::Command::parse) understands.
pub const SUPPORTED: &[Supported] = &[
    plain(TEST_UNIT_READY, 6, 0, 0),
    plain(REQUEST_SENSE, 6, 1, 0x10),
    plain(READ_6, 6, 0x1f, 0x1c),
    plain(WRITE_6, 6, 0x1f, 0x1c),
    plain(INQUIRY, 6, 1, 0x1c),
    plain(MODE_SELECT_6, 6, 0x11, 0x10),
    plain(RESERVE_6, 6, 0, 0),
    plain(RELEASE_6, 6, 0, 0),
    plain(MODE_SENSE_6, 6, 0x08, 0x1c),
    partly(plain(START_STOP_UNIT, 6, 1, 0x10), 4, 0xf7),
    partly(plain(PREVENT_ALLOW, 6, 0, 0x10), 4, 0x03),
    plain(READ_CAPACITY_10, 10, 0, 0x3c),
    plain(READ_10, 10, DPO_FUA, TEN),
    plain(WRITE_10, 10, DPO_FUA, TEN),
    plain(WRITE_VERIFY_10, 10, DPO_CHECK, TEN),
    plain(VERIFY_10, 10, DPO_CHECK, TEN),
    plain(PREFETCH_10, 10, 2, TEN),
    plain(SYNCHRONIZE_CACHE_10, 10, 2, TEN),
    plain(WRITE_SAME_10, 10, 0x08, TEN),
    plain(UNMAP, 10, 0, LIST),
    plain(MODE_SELECT_10, 10, 0x11, LIST),
    plain(MODE_SENSE_10, 10, 0x18, LIST | 0x0c),
    action(PERSISTENT_RESERVE_IN, 0, 10, LIST),
    action(PERSISTENT_RESERVE_IN, 1, 10, LIST),
    action(PERSISTENT_RESERVE_IN, 2, 10, LIST),
    action(PERSISTENT_RESERVE_IN, 3, 10, LIST),
    action(PERSISTENT_RESERVE_OUT, 0, 10, 0x1e4),
    action(PERSISTENT_RESERVE_OUT, 1, 10, 0x1e4),
    action(PERSISTENT_RESERVE_OUT, 2, 10, 0x1e4),
    action(PERSISTENT_RESERVE_OUT, 3, 10, 0x1e4),
    action(PERSISTENT_RESERVE_OUT, 4, 10, 0x1e4),
    action(PERSISTENT_RESERVE_OUT, 5, 10, 0x1e4),
    action(PERSISTENT_RESERVE_OUT, 6, 10, 0x1e4),
    action(PERSISTENT_RESERVE_OUT, 7, 10, 0x1e4),
    plain(READ_16, 16, DPO_FUA, SIXTEEN),
    plain(COMPARE_AND_WRITE, 16, DPO_FUA, 0x23fc),
    plain(WRITE_16, 16, DPO_FUA, SIXTEEN),
    plain(ORWRITE_16, 16, DPO_FUA, SIXTEEN),
    plain(WRITE_VERIFY_16, 16, DPO_CHECK, SIXTEEN),
    plain(VERIFY_16, 16, DPO_CHECK, SIXTEEN),
    plain(PREFETCH_16, 16, 2, SIXTEEN),
    plain(SYNCHRONIZE_CACHE_16, 16, 2, SIXTEEN),
    plain(WRITE_SAME_16, 16, 0x09, SIXTEEN),
    action(SERVICE_ACTION_IN_16, SA_READ_CAPACITY_16, 16, 0x3c00),
    action(SERVICE_ACTION_IN_16, SA_GET_LBA_STATUS, 16, SIXTEEN),
    plain(REPORT_LUNS, 12, 0, REPORT | 0x04),
    action(MAINTENANCE_IN, SA_REPORT_TARGET_PORT_GROUPS, 12, REPORT),
    partly(action(MAINTENANCE_IN, SA_REPORT_OPCODES, 12, REPORT | 0x3c), 2, 0x87),
    partly(action(MAINTENANCE_IN, SA_REPORT_TASK_FUNCTIONS, 12, REPORT | 0x04), 2, 0x80),
    plain(READ_12, 12, DPO_FUA, TWELVE),
    plain(WRITE_12, 12, DPO_FUA, TWELVE),
    plain(WRITE_VERIFY_12, 12, DPO_CHECK, TWELVE),
    plain(VERIFY_12, 12, DPO_CHECK, TWELVE),
];
