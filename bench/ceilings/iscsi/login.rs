//! What comes before the loop: login without a password, the unit's size, a reader that sleeps well.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use super::{Header, Iscsi, Session, fail, word};
use crate::sockopt;

/// A target that is silent for so long has failed.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Login requests, and commands that a unit attention may use up.
const TRIES: u32 = 8;
const BUFFER_LEN: usize = 1 << 18;
const KEYS: &str = "SessionType=Normal\0HeaderDigest=None\0DataDigest=None\0InitialR2T=Yes\0\
    ImmediateData=Yes\0MaxRecvDataSegmentLength=262144\0MaxBurstLength=1048576\0\
    FirstBurstLength=262144\0MaxConnections=1\0ErrorRecoveryLevel=0\0MaxOutstandingR2T=1\0\
    DataPDUInOrder=Yes\0DataSequenceInOrder=Yes\0DefaultTime2Wait=0\0DefaultTime2Retain=0\0\
    IFMarker=No\0OFMarker=No\0";

impl Session {
    /// A session that can send its first command.
    pub(super) fn open(ceiling: &Iscsi) -> io::Result<Session> {
        let mut session = Session::connect(ceiling)?;
        session.login(&ceiling.target)?;
        let (bytes, block) = session.capacity()?;
        let (bs, window) = (ceiling.bs, session.max_cmd_sn.wrapping_sub(session.cmd_sn) + 1);
        if ceiling.qd == 0 || window == 0 || bs < block || bs % block != 0 || bytes < bs.into() {
            return fail("a command is not some whole blocks of the unit, or none may be sent");
        }
        (session.places, session.blocks) = (bytes / u64::from(bs), bs / block);
        session.wake_by(ceiling.batch.clamp(1, window.min(ceiling.qd).div_ceil(2)))?;
        session.socket.set_nonblocking(ceiling.spin)?;
        Ok(session)
    }

    fn connect(ceiling: &Iscsi) -> io::Result<Session> {
        let socket = TcpStream::connect(&ceiling.portal)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(SILENCE_MAX))?;
        Ok(Session {
            socket,
            lun: ceiling.lun,
            write: ceiling.write,
            spinning: ceiling.spin,
            buffer: vec![0; BUFFER_LEN],
            filled: 0,
            skip: 0,
            out: Vec::new(),
            payload: vec![0x5a; ceiling.bs as usize],
            segment: 8192,
            immediate: 0,
            cmd_sn: 1,
            max_cmd_sn: 1,
            exp_stat_sn: 0,
            in_flight: 0,
            done: 0,
            syscalls: 0,
            random: 0x9e37_79b9_7f4a_7c15,
            places: 1,
            blocks: 1,
        })
    }

    /// Straight to the operational stage (RFC 7143, 6.3): who asks for names of users is refused.
    fn login(&mut self, target: &str) -> io::Result<()> {
        let pid = std::process::id();
        let names = format!("InitiatorName=iqn.2026-01.org.byway:ceiling-{pid}\0");
        let mut text = format!("{names}TargetName={target}\0{KEYS}").into_bytes();
        for _ in 0..TRIES {
            self.write_pdu(&self.login_header(text.len(), pid), &text)?;
            let (answer, keys) = self.read_pdu()?;
            if answer[0] != 0x23 || answer[36] != 0 {
                return fail(format!("login refused, status {:02x}{:02x}", answer[36], answer[37]));
            }
            (self.cmd_sn, self.max_cmd_sn) = (word(&answer, 28), word(&answer, 32));
            self.exp_stat_sn = word(&answer, 24).wrapping_add(1);
            self.accept(&String::from_utf8_lossy(&keys));
            if answer[1] & 0x83 == 0x83 {
                return Ok(());
            }
            text.clear();
        }
        fail("login does not come to an end")
    }

    /// A session of its own for each process: the qualifier of its identifier is the process's.
    fn login_header(&self, len: usize, pid: u32) -> Header {
        let mut header = self.header(0x43, 0x87, len, 0);
        header[8..10].copy_from_slice(&[0x80, 0]);
        header[10..14].copy_from_slice(&pid.to_be_bytes());
        header
    }

    fn accept(&mut self, keys: &str) {
        let value = |key| keys.split('\0').find_map(|pair| pair.strip_prefix(key));
        let size = |key| value(key).and_then(|word| word.parse::<usize>().ok());
        self.segment = size("MaxRecvDataSegmentLength=").unwrap_or(self.segment);
        let burst = size("FirstBurstLength=").unwrap_or(65536);
        if self.write && value("ImmediateData=") != Some("No") {
            self.immediate = self.payload.len().min(burst).min(self.segment);
        }
    }

    /// Bytes of the unit and of its blocks: READ CAPACITY (16), SBC-3 5.16.
    fn capacity(&mut self) -> io::Result<(u64, u32)> {
        for _ in 0..TRIES {
            let mut header = self.header(0x01, 0xc1, 0, self.cmd_sn);
            (header[23], header[32], header[33], header[45]) = (32, 0x9e, 0x10, 32);
            self.write_pdu(&header, &[])?;
            self.cmd_sn = self.cmd_sn.wrapping_add(1);
            // tgt sends data also with a unit attention: it counts only with a good status.
            if let (0, data) = self.answer()?
                && let Some((last, rest)) = data.split_first_chunk()
                && let Some(&block) = rest.first_chunk()
            {
                let block = u32::from_be_bytes(block);
                let blocks = u64::from_be_bytes(*last).saturating_add(1);
                return Ok((blocks.saturating_mul(block.into()), block.max(1)));
            }
        }
        fail("the unit does not tell its size")
    }

    /// Lets `read` return when most of what `batch` commands bring has come.
    fn wake_by(&mut self, batch: u32) -> io::Result<()> {
        let data = if self.write { 0 } else { self.payload.len() };
        sockopt::wake_by(&self.socket, (batch as usize - 1).saturating_mul(48 + data) + 1)
    }
}
