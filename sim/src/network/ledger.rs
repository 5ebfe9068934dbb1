//! What was sent, received and acknowledged, outside of every host: it survives their crashes.

use std::collections::BTreeMap;

/// The checker's book.
#[derive(Default)]
pub(super) struct Ledger {
    /// The check of each message that the server received, by client and number.
    received: BTreeMap<(u64, u64), u32>,
    pub(super) acknowledged: u64,
    pub(super) reconnects: u64,
    pub(super) failure: Option<String>,
}

impl Ledger {
    pub(super) fn fail(&mut self, reason: String) {
        self.failure.get_or_insert(reason);
    }

    /// The server received a message; `expected` is what a connection's last number asks for.
    pub(super) fn received(&mut self, client: u64, number: u64, expected: Option<u64>, crc: u32) {
        if expected.is_some_and(|expected| expected != number) {
            let reason = format!("client {client}: message {number} is not in order");
            self.fail(format!("{reason}, expected {expected:?}"));
        }
        match self.received.insert((client, number), crc) {
            Some(before) if before != crc => {
                self.fail(format!(
                    "client {client}: message {number} came with other bytes before"
                ));
            }
            _ => {}
        }
    }

    /// A client got the answer to a message with the check `crc`, where it expected `sent_crc`.
    pub(super) fn answered(&mut self, client: u64, number: u64, crc: u32, sent_crc: u32) {
        let received = self.received.get(&(client, number)).copied();
        if received != Some(sent_crc) || crc != sent_crc {
            self.fail(format!(
                "client {client}: message {number} with check {sent_crc:08x} is answered with \
                 {crc:08x}, received was {received:08x?}"
            ));
        }
        self.acknowledged += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_what_was_never_received_is_a_finding() {
        let mut ledger = Ledger::default();
        ledger.received(1, 5, None, 7);
        ledger.answered(1, 5, 7, 7);
        assert_eq!((ledger.acknowledged, &ledger.failure), (1, &None));
        ledger.answered(1, 6, 7, 7);
        assert!(ledger.failure.unwrap().contains("message 6"));
    }

    #[test]
    fn a_gap_within_a_connection_is_a_finding() {
        let mut ledger = Ledger::default();
        ledger.received(1, 5, Some(4), 7);
        assert!(ledger.failure.unwrap().contains("not in order"));
    }
}
