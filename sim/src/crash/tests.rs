use super::cell::Value;
use super::model::Model;

fn one() -> Model {
    Model::new(1)
}

const A: Value = Value::Version(1);
const B: Value = Value::Version(2);

/// Values that a read begun now may bring.
fn readable(model: &mut Model) -> Vec<Value> {
    let now = model.now();
    [Value::Zero, A, B].into_iter().filter(|value| model.may_read(0, now, *value)).collect()
}

#[test]
fn an_acknowledged_write_hides_what_was_before() {
    let mut model = one();
    let a = model.begin(0, A);
    assert_eq!(readable(&mut model), [Value::Zero, A]);
    model.acknowledge(a, false);
    assert_eq!(readable(&mut model), [A]);
}

#[test]
fn a_read_that_overlaps_a_write_may_bring_either() {
    let mut model = one();
    let began = model.now();
    let a = model.begin(0, A);
    model.acknowledge(a, false);
    assert!(model.may_read(0, began, Value::Zero) && model.may_read(0, began, A));
}

#[test]
fn writes_that_overlap_are_not_ordered_until_one_is_read() {
    let mut model = one();
    let (a, b) = (model.begin(0, A), model.begin(0, B));
    model.acknowledge(a, false);
    model.acknowledge(b, false);
    assert_eq!(readable(&mut model), [A, B]);
    let began = model.now();
    model.read(0, began, A).unwrap();
    assert_eq!(readable(&mut model), [A]);
}

#[test]
fn a_power_loss_leaves_anything_since_the_last_durable_write() {
    let mut model = one();
    let a = model.begin(0, A);
    model.acknowledge(a, true);
    let b = model.begin(0, B);
    model.acknowledge(b, false);
    model.power_lost();
    assert_eq!(readable(&mut model), [A, B]);
    let began = model.now();
    model.read(0, began, B).unwrap();
    model.power_lost();
    assert_eq!(readable(&mut model), [B], "what was read after a loss is durable");
}

#[test]
fn a_flush_covers_what_was_acknowledged_before_it_was_submitted() {
    let mut model = one();
    let a = model.begin(0, A);
    model.acknowledge(a, false);
    let flush = model.now();
    let b = model.begin(0, B);
    model.acknowledge(b, false);
    model.flushed(flush);
    model.power_lost();
    assert_eq!(readable(&mut model), [A, B]);
}

#[test]
fn a_write_in_flight_at_a_crash_has_happened_or_not_and_reading_tells() {
    let mut model = one();
    model.begin(0, A);
    model.host_crashed();
    assert_eq!(readable(&mut model), [Value::Zero, A]);
    let began = model.now();
    model.read(0, began, Value::Zero).unwrap();
    assert_eq!(readable(&mut model), [Value::Zero], "it does not happen later");
    assert!(model.read(0, began + 9, A).unwrap_err().contains("allowed"));
}

#[test]
fn what_a_crash_left_in_the_cache_is_not_durable_for_being_read() {
    let mut model = one();
    let a = model.begin(0, A);
    model.acknowledge(a, false);
    model.host_crashed();
    let began = model.now();
    model.read(0, began, A).unwrap();
    model.power_lost();
    assert_eq!(readable(&mut model), [Value::Zero, A]);
}

#[test]
fn a_discarded_cell_reads_as_anything_that_it_ever_held() {
    let mut model = one();
    let a = model.begin(0, A);
    model.acknowledge(a, true);
    let discard = model.begin_discard(0);
    model.acknowledge(discard, false);
    assert_eq!(readable(&mut model), [Value::Zero, A]);
}

#[test]
fn a_late_acknowledgement_of_a_lost_write_promises_nothing() {
    let mut model = one();
    let a = model.begin(0, A);
    model.power_lost();
    model.acknowledge(a, true);
    model.power_lost();
    assert_eq!(readable(&mut model), [Value::Zero, A]);
}
