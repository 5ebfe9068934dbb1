//! The commands of the transmission phase (NBD, 'Request types').

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// 0: data of a range.
    Read,
    /// 1: data into a range; its payload follows the request.
    Write,
    /// 2: the end of the session; it has no reply.
    Disconnect,
    /// 3: what was written and answered becomes durable.
    Flush,
    /// 4: the data of a range is not needed any more.
    Trim,
    /// 5: a range will be read soon.
    Cache,
    /// 6: a range reads as zeroes from then on.
    WriteZeroes,
    /// 7: what is known about a range, in the selected contexts.
    BlockStatus,
    /// A code that has no meaning here.
    Unknown(u16),
}

impl Command {
    /// The code on the wire.
    #[must_use]
    #[inline]
    pub fn code(self) -> u16 {
        match self {
            Command::Read => 0,
            Command::Write => 1,
            Command::Disconnect => 2,
            Command::Flush => 3,
            Command::Trim => 4,
            Command::Cache => 5,
            Command::WriteZeroes => 6,
            Command::BlockStatus => 7,
            Command::Unknown(code) => code,
        }
    }

    /// The command of that code.
    #[must_use]
    #[inline]
    pub fn from_code(code: u16) -> Command {
        match code {
            0 => Command::Read,
            1 => Command::Write,
            2 => Command::Disconnect,
            3 => Command::Flush,
            4 => Command::Trim,
            5 => Command::Cache,
            6 => Command::WriteZeroes,
            7 => Command::BlockStatus,
            other => Command::Unknown(other),
        }
    }

    /// True for what changes the export, and so is refused where that is read-only.
    #[must_use]
    #[inline]
    pub fn writes(self) -> bool {
        matches!(self, Command::Write | Command::Trim | Command::WriteZeroes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_a_command_that_has_it() {
        assert!((0..=u16::MAX).all(|code| Command::from_code(code).code() == code));
        let writing = (0..=u16::MAX).filter(|code| Command::from_code(*code).writes());
        assert!(writing.eq([1, 4, 6]));
    }
}
