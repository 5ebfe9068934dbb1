//! Whatever a target sends, the session answers with an error at most, and no task ends twice.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const OPCODES: [u8; 12] = [0x25, 0x25, 0x21, 0x21, 0x31, 0x31, 0x20, 0x22, 0x24, 0x26, 0x32, 0x3f];

/// A header that is nearly one: a real opcode, often a real tag and the number that is due.
#[derive(Clone, Debug)]
struct Nearly {
    bytes: [u8; BHS_LEN],
    opcode: usize,
    task: usize,
    is_close: bool,
    data_len: u16,
    is_lost: bool,
}

fn nearly() -> impl Strategy<Value = Nearly> {
    let bytes = proptest::collection::vec(prop_oneof![3 => Just(0u8), 1 => any::<u8>()], BHS_LEN);
    (bytes, 0..OPCODES.len(), 0..8usize, any::<bool>(), 0u16..600, any::<bool>()).prop_map(
        |(bytes, opcode, task, is_close, data_len, is_lost)| Nearly {
            bytes: bytes.try_into().unwrap(),
            opcode,
            task,
            is_close,
            data_len,
            is_lost,
        },
    )
}

impl Nearly {
    fn header(&self, lab: &Lab, tasks: &[Itt]) -> Bhs {
        let mut bhs = self.bytes;
        if !self.is_close {
            return bhs;
        }
        bhs[0] = OPCODES[self.opcode];
        bhs[1] &= 0x87;
        bhs[4..8].copy_from_slice(&u32::from(self.data_len).to_be_bytes());
        bhs[8..16].copy_from_slice(&LUN.to_bytes());
        let itt = tasks.get(self.task).copied().unwrap_or(Itt::NONE);
        bhs[16..20].copy_from_slice(&itt.0.to_be_bytes());
        bhs[24..28].copy_from_slice(&lab.session.status.exp_stat_sn().0.to_be_bytes());
        bhs[28..32].copy_from_slice(&lab.exp_cmd_sn.0.to_be_bytes());
        bhs[32..36].copy_from_slice(&lab.max_cmd_sn.0.to_be_bytes());
        bhs
    }
}

fn run(script: &[Nearly], data: &[u8]) {
    let mut lab = lab();
    let mut tags = Vec::new();
    let mut open = BTreeSet::new();
    for len in [0u32, 512, 65536, 512] {
        open.extend([lab.read(len), lab.write(len)]);
    }
    lab.session.ping();
    lab.session.text(Vec::new()).unwrap();
    lab.session.task_management(Tmf::LunReset(LUN)).unwrap();
    for step in script {
        while let Some(sent) = lab.session.poll_transmit(lab.now) {
            let itt =
                Itt(u32::from_be_bytes([sent.bhs[16], sent.bhs[17], sent.bhs[18], sent.bhs[19]]));
            tags.retain(|tag| *tag != itt);
            tags.insert(0, itt);
        }
        lab.now += 40 * MS;
        lab.session.handle_timeout(lab.now);
        let bhs = step.header(&lab, &tags);
        if let Ok(Receive::Task { len, .. } | Receive::Inline { len }) =
            lab.session.handle_header(&bhs, lab.now)
        {
            let mut inline = data.to_vec();
            inline.resize(len as usize, 0);
            let outcome =
                if step.is_lost { DataOutcome::DigestError } else { DataOutcome::Arrived };
            let _ = lab.session.handle_data(outcome, &inline, lab.now);
        }
        for event in lab.events() {
            if let Event::Completed { task, .. } = event {
                assert!(open.remove(&task), "{task:?} ended twice");
            }
        }
    }
    lab.session.fail(Failure::ConnectionLost);
    lab.events();
    for left in lab.session.into_unfinished() {
        assert!(open.remove(&left.task));
    }
    assert!(open.is_empty(), "{open:?} never ended");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_are_an_error_at_most(
        script in proptest::collection::vec(nearly(), 1..40),
        data in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        run(&script, &data);
    }
}
