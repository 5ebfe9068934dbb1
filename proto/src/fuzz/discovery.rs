//! SendTargets of both sides, against peers that send anything.

use alloc::vec::Vec;

use super::Input;
use super::login::directory;
use super::negotiate::{check, name};
use crate::iscsi::login::discovery::{
    Discovery, DiscoveryConfig, ResponseNumbers, SendTargets, TextResponder,
};
use crate::iscsi::negotiate::SessionParams;
use crate::iscsi::pdu::{InitiatorPdu, Itt, TargetPdu, TextRequest, Ttt, data_segment_len};
use crate::scsi::Lun;
use crate::serial::Serial;

/// The list of a fuzzed target is read, and a fuzzed initiator is told the list.
pub fn discovery(data: &[u8]) {
    let mut input = Input::new(data);
    if input.flag() { ask(&mut input) } else { answer(&mut input) }
}

fn ask(input: &mut Input<'_>) {
    let config = DiscoveryConfig {
        what: SendTargets::All,
        itt: Itt(7),
        cmd_sn: Serial(1),
        exp_stat_sn: Serial(u32::MAX),
        part_len: u32::from(input.byte()) + 1,
    };
    let mut discovery = Discovery::new(config);
    let mut stat_sn = Serial(u32::MAX);
    while let Some((request, segment)) = discovery.poll_transmit() {
        assert_eq!(data_segment_len(&request) as usize, segment.len());
        assert!(InitiatorPdu::decode(&request).is_ok(), "we speak the language");
        let Some(flags) = input.step() else { return };
        let mut bhs = [0; 48];
        (bhs[0], bhs[1]) = (0x24, flags & 0xc0);
        bhs[19] = 7;
        bhs[20..24].copy_from_slice(&if flags & 0x80 == 0 { [1; 4] } else { [0xff; 4] });
        bhs[24..28].copy_from_slice(&stat_sn.take().0.to_be_bytes());
        if flags & 1 != 0 {
            let at = usize::from(input.byte()) % bhs.len();
            bhs[at] = input.byte();
        }
        let text = if flags & 2 == 0 { input.chunk() } else { &[] };
        bhs[7] = text.len() as u8;
        if discovery.handle(&bhs, text).is_err() {
            assert!(discovery.targets().is_none(), "a discovery that failed has no list");
            return;
        }
    }
    assert!(discovery.targets().is_some(), "what sends no more is done");
}

fn answer(input: &mut Input<'_>) {
    let is_discovery = input.flag();
    let directory = directory(false, input.byte());
    let mut params = SessionParams {
        initiator_name: Some(name("iqn.2026-11.net.byway:host")),
        target_name: (!is_discovery).then(|| name("iqn.2026-11.net.byway:disk")),
        ..SessionParams::default()
    };
    let part_len = u32::from(input.byte()) + 1;
    let mut responder = TextResponder::new(Itt(7), Ttt(9), part_len);
    let mut ttt = Ttt::NONE;
    while let Some(flags) = input.step() {
        let text = if flags & 2 == 0 { input.chunk() } else { &[] };
        let request = TextRequest {
            immediate: false,
            is_final: flags & 0x80 != 0,
            is_continued: flags & 0xc0 == 0x40,
            data_len: text.len() as u32,
            lun: Lun::ZERO,
            itt: if flags & 4 == 0 { Itt(7) } else { Itt(8) },
            ttt: if flags & 8 == 0 { ttt } else { Ttt(input.u32()) },
            cmd_sn: Serial(1),
            exp_stat_sn: Serial(1),
        };
        let heard = responder.handle(&request, text, &mut params, &directory);
        check(&params);
        if heard.is_err() {
            return;
        }
        ttt = Ttt(9);
        respond(&mut responder, part_len);
    }
}

fn respond(responder: &mut TextResponder, part_len: u32) {
    let one = Serial(1);
    let numbers = ResponseNumbers { stat_sn: one, exp_cmd_sn: one, max_cmd_sn: one };
    let response = responder.poll_transmit(numbers).map(|(bhs, text)| (bhs, Vec::from(text)));
    let Some((bhs, text)) = response else { panic!("every request is answered") };
    assert!(text.len() <= part_len as usize && data_segment_len(&bhs) as usize == text.len());
    assert!(TargetPdu::decode(&bhs).is_ok(), "we speak the language");
}
