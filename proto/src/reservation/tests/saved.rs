//! Power loss.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn name(nexus: &u8) -> Vec<u8> {
    vec![*nexus]
}

fn nexus(name: &[u8]) -> Option<u8> {
    name.first().copied()
}

fn after_power_loss(machine: &Machine) -> Machine {
    let bytes = machine.export(name).encode();
    Machine::import(&Saved::decode(&bytes).unwrap(), nexus).unwrap()
}

#[test]
fn without_aptpl_nothing_survives() {
    let mut machine = three_reserved(Kind::ExclusiveAccess);
    assert_eq!(after_power_loss(&machine), Machine::new());
    machine.power_loss();
    assert_eq!(machine, Machine::new());
}

#[test]
fn with_aptpl_all_survives_but_the_generation() {
    for kind in Kind::ALL {
        let mut machine = three_reserved(kind);
        machine.apply(&C, Request::RegisterIgnore { new_key: 31, keep: true }).unwrap();
        let mut restarted = after_power_loss(&machine);
        assert_eq!((restarted.generation(), restarted.kind()), (0, Some(kind)));
        assert!(restarted.is_holder(&A) && restarted.key_of(&C) == Some(31));
        machine.power_loss();
        assert_eq!(restarted, machine);
        restarted.power_loss();
        assert_eq!(restarted, machine);
    }
}

#[test]
fn contradictions_are_refused() {
    let sound = Saved { registrants: vec![(vec![1], 10)], held: None };
    let wrong = [
        Saved { registrants: vec![(vec![1], 0)], ..sound.clone() },
        Saved { registrants: vec![(vec![1], 10), (vec![1], 10)], ..sound.clone() },
        Saved { held: Some((Kind::WriteExclusive, None)), ..sound.clone() },
        Saved { held: Some((Kind::WriteExclusive, Some(1))), ..sound.clone() },
        Saved { held: Some((Kind::ExclusiveAccessAllRegistrants, Some(0))), ..sound.clone() },
        Saved { registrants: vec![], held: Some((Kind::ExclusiveAccessAllRegistrants, None)) },
    ];
    for saved in wrong {
        assert_eq!(Saved::decode(&saved.encode()), Err(SavedError::Content), "{saved:?}");
        assert_eq!(Machine::import(&saved, nexus), Err(SavedError::Content));
    }
    assert_eq!(Saved::decode(&[2, 0, 0, 0, 0, 0]), Err(SavedError::Version(2)));
    let bytes = sound.encode();
    assert_eq!(Saved::decode(&bytes[..bytes.len() - 1]), Err(SavedError::Length));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(mut bytes: Vec<u8>) {
        let _ = Saved::decode(&bytes);
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        if let Ok(saved) = Saved::decode(&bytes) {
            prop_assert_eq!(saved.encode(), bytes);
            let _ = Machine::import(&saved, nexus);
        }
    }
}
