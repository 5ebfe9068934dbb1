//! Who may do what under which kind: the whole table.

use alloc::string::String;
use core::fmt::Write;

use super::*;

/// Columns: kind; then read and write of the holder, of a registrant and of a stranger.
const TABLE: &str = "\
1 rw r- r-
3 rw -- --
5 rw rw r-
6 rw rw --
7 rw rw r-
8 rw rw --
";

#[test]
fn access_is_what_the_standard_says() {
    let mut table = String::new();
    for kind in Kind::ALL {
        let machine = three_reserved(kind);
        write!(table, "{}", kind.to_type()).unwrap();
        for nexus in [A, B, 9] {
            let may = |access| machine.check(&nexus, access) == Verdict::Allow;
            let read = if may(AccessKind::Read) { 'r' } else { '-' };
            let write = if may(AccessKind::Write) { 'w' } else { '-' };
            write!(table, " {read}{write}").unwrap();
            assert!(may(AccessKind::Free));
        }
        table.push('\n');
    }
    assert_eq!(table, TABLE);
}

#[test]
fn without_a_reservation_everything_is_allowed() {
    let machine = three();
    for access in [AccessKind::Free, AccessKind::Read, AccessKind::Write] {
        assert_eq!(machine.check(&9, access), Verdict::Allow);
    }
}

/// State × event: what A (holder), B (registrant) and a stranger get, and whether the reservation
/// (`H` of A, `h` of another, `.` none) and the generation (`+`) change.
const TRANSITIONS: &str = "\
1 reserve  A:ok H  B:conflict H  S:conflict H 
1 release  A:ok .  B:ok H  S:conflict H 
1 clear    A:ok .+  B:ok .+  S:conflict H 
1 preempt  A:ok H+  B:ok h+  S:conflict H 
1 leave    A:ok .+  B:ok H+  S:ok H 
5 reserve  A:ok H  B:conflict H  S:conflict H 
5 release  A:ok .  B:ok H  S:conflict H 
5 clear    A:ok .+  B:ok .+  S:conflict H 
5 preempt  A:ok H+  B:ok h+  S:conflict H 
5 leave    A:ok .+  B:ok H+  S:ok H 
7 reserve  A:ok H  B:ok H  S:conflict H 
7 release  A:ok .  B:ok .  S:conflict H 
7 clear    A:ok .+  B:ok .+  S:conflict H 
7 preempt  A:ok h+  B:ok h+  S:conflict H 
7 leave    A:ok h+  B:ok H+  S:ok H 
";

fn event(name: &str, key: u64, kind: Kind) -> Request<u8> {
    match name {
        "reserve" => Request::Reserve { key, kind },
        "release" => Request::Release { key, kind },
        "clear" => Request::Clear { key },
        "preempt" => Request::Preempt { key, victim: 10, kind, abort: false },
        _ => Request::RegisterIgnore { new_key: 0, keep: false },
    }
}

fn cell(kind: Kind, name: &str, nexus: u8, key: u64) -> String {
    let mut machine = three_reserved(kind);
    let before = machine.generation();
    let word = match machine.apply(&nexus, event(name, key, kind)) {
        Ok(_) => "ok",
        Err(Refusal::Conflict) => "conflict",
        Err(_) => "error",
    };
    let held = match machine.kind() {
        None => '.',
        Some(_) if machine.is_holder(&A) => 'H',
        Some(_) => 'h',
    };
    let moved = if machine.generation() == before { "" } else { "+" };
    std::format!("{word} {held}{moved}")
}

#[test]
fn transitions_are_what_the_table_says() {
    let mut table = String::new();
    for kind in [1, 5, 7].map(|number| Kind::from_type(number).unwrap()) {
        for name in ["reserve", "release", "clear", "preempt", "leave"] {
            let [a, b, s] = [(A, 10), (B, 20), (9, 0)].map(|(n, key)| cell(kind, name, n, key));
            writeln!(table, "{} {name:8} A:{a}  B:{b}  S:{s} ", kind.to_type()).unwrap();
        }
    }
    assert_eq!(table, TRANSITIONS);
}
