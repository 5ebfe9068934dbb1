mod model;
mod saved;
mod stories;
mod table;

use super::*;

/// Three hosts are enough for every rule.
pub(super) type Machine = Reservations<u8>;

pub(super) const A: u8 = 1;
pub(super) const B: u8 = 2;
pub(super) const C: u8 = 3;

pub(super) fn register(machine: &mut Machine, nexus: u8, new_key: u64) {
    machine.apply(&nexus, Request::RegisterIgnore { new_key, keep: false }).unwrap();
}

/// A, B and C registered with the keys 10, 20 and 30.
pub(super) fn three() -> Machine {
    let mut machine = Machine::new();
    for (nexus, key) in [(A, 10), (B, 20), (C, 30)] {
        register(&mut machine, nexus, key);
    }
    machine
}

pub(super) fn three_reserved(kind: Kind) -> Machine {
    let mut machine = three();
    machine.apply(&A, Request::Reserve { key: 10, kind }).unwrap();
    machine
}
