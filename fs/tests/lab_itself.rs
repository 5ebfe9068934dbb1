//! The laboratory of the crash tests: its states are those that a device may leave.

mod lab;

use std::collections::BTreeSet;

use byway_engine::sim::Rng;
use lab::image::{Image, SECTOR};
use lab::log::{Event, Log, Request};
use lab::states::States;

fn write(offset: u64, value: u8, fua: bool) -> Request {
    Request::Write { offset, bytes: vec![value; 2 * SECTOR], fua }
}

fn seen(image: &Image) -> [u8; 4] {
    let mut bytes = vec![0; 4 * SECTOR];
    image.read(0, &mut bytes);
    [0, 1, 2, 3].map(|sector| bytes[sector * SECTOR])
}

#[test]
fn a_flush_keeps_what_completed_before_it_began() {
    let log = Log {
        requests: vec![write(0, 1, false), write(1024, 2, false), Request::Flush],
        events: vec![
            Event::Began(0),
            Event::Ended(0),
            Event::Began(1),
            Event::Began(2),
            Event::Ended(1),
            Event::Ended(2),
            Event::Promised(9),
        ],
    };
    let mut states = States::new(&log, Image::default());
    (0..5).for_each(|_| assert!(states.step()));
    assert_eq!(seen(&states.plain().image), [0; 4], "the flush has not completed");
    assert_eq!(seen(&states.full().image), [1, 1, 2, 2]);
    while states.step() {}
    assert_eq!(seen(&states.plain().image), [1, 1, 0, 0], "the second completed too late");
    assert_eq!(states.plain().promises, [9]);
    let mut rng = Rng::new(1);
    let random: BTreeSet<_> = (0..100).map(|_| seen(&states.random(&mut rng).image)).collect();
    let possible = [[1, 1, 0, 0], [1, 1, 2, 0], [1, 1, 0, 2], [1, 1, 2, 2]];
    assert_eq!(random, BTreeSet::from(possible), "any part of the second, and all of the first");
}

#[test]
fn fua_is_durable_when_it_completes() {
    let log =
        Log { requests: vec![write(0, 1, true)], events: vec![Event::Began(0), Event::Ended(0)] };
    let mut states = States::new(&log, Image::default());
    states.step();
    assert!(states.is_open());
    assert_eq!(seen(&states.plain().image), [0; 4]);
    states.step();
    assert!(!states.is_open());
    assert_eq!(seen(&states.plain().image), [1, 1, 0, 0]);
}
