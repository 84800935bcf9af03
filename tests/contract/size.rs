//! What an ordinary payment's item and a gate's weigh, by `DynamoDB`'s own rules: a write of up to 1 KB is one write unit.

use pacing::brake::Brake;
use pacing::breaker::{Breaker, Cause, Mode};
use pacing::gate::{self, GateState, Note};
use payments::answer::{Found, SendAnswer, Unclear};
use payments::case::CaseResolution;
use payments::evidence::{Evidence, OPERATOR_MAX, Operator, WHY_MAX};
use payments::history::verify;
use payments::id::OrderId;
use payments::payment::{Order, Payment};
use payments::transition::{Event, Resolution};
use serde::Serialize;
use serde_json::Value;

use super::samples::{NOW, accepted, claim_of, held, history_keys, order, policy, reference, step};

/// Bytes in one write unit ("`DynamoDB` item sizes and formats").
const WRITE_UNIT_BYTES: usize = 1_024;

/// Bytes of a value: UTF-8 for text, a byte for two significant digits and one more for a number, one for a truth
/// value, three for a list or map and one more for each element ("`DynamoDB` item sizes and formats").
fn bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Number(number) => {
            let digits = number.to_string();
            digits.trim_start_matches('-').trim_matches('0').len().max(1).div_ceil(2)
                + 1
                + usize::from(digits.starts_with('-'))
        }
        Value::String(text) => text.len(),
        Value::Array(elements) => 3 + elements.iter().map(|element| 1 + bytes(element)).sum::<usize>(),
        Value::Object(fields) => 3 + fields.iter().map(|(name, field)| 1 + name.len() + bytes(field)).sum::<usize>(),
    }
}

/// Bytes of an item. The item's own attributes carry no map's overhead.
fn item_bytes(item: &impl Serialize) -> usize {
    let Ok(Value::Object(attributes)) = serde_json::to_value(item) else {
        panic!("an item is an object");
    };
    attributes.iter().map(|(name, value)| name.len() + bytes(value)).sum()
}

/// The gate's item with every text at its longest and every number at its largest.
#[test]
fn the_gates_item_is_one_write_unit_whatever_people_write_into_it() {
    let note = Note::new(NOW, &"w".repeat(gate::WHO_MAX), &"y".repeat(gate::WHY_MAX)).unwrap();
    let most = 999_999_999_999_999_999;
    let largest = GateState {
        next_us: most,
        rate_before: u32::MAX,
        paused: true,
        pause_note: Some(note.clone()),
        rate_note: Some(note),
        breaker: Breaker {
            mode: Mode::Probing { lease_until_us: most },
            cause: Cause::ConsecutiveFailures,
            since_us: most,
            version: most,
            reopened: u32::MAX,
        },
        brake: Brake {
            permille: 1_000,
            hold_until_us: most,
            version: most,
            seen_permille: 1_000,
            stray_permille: 1_000,
            found_permille: 1_000,
        },
        calls: most,
        failures: most,
        in_a_row: most,
        paced: most,
        limited: most,
        ..GateState::new(&"p".repeat(255), u32::MAX, 900)
    };
    let bytes = item_bytes(&largest);
    println!("the largest gate: {bytes} bytes");
    assert!(bytes < WRITE_UNIT_BYTES, "{bytes} bytes");
}

/// The first payment of the sample file on its ordinary way, as it stands after each of its three writes.
pub fn ordinary_way() -> [Payment; 3] {
    let order = Order { order_id: OrderId::new("536365").unwrap(), ..order() };
    let queued = accepted(order);
    let sending = claim_of(&queued).apply(&queued, &policy()).unwrap();
    let answer = SendAnswer::Found(Found::Approved { reference: reference() });
    let event = Event::SendAnswered { claim: &held(&sending), answer: &answer };
    let succeeded = step(&sending, &event, NOW.plus_ms(734));
    assert_eq!(succeeded.history.len(), 3);
    assert!(succeeded.history.iter().all(|entry| entry.tag.is_some()), "each line is linked");
    [queued, sending, succeeded]
}

/// What the chain of a history weighs, and how many hashes it takes, on the ordinary way.
#[test]
fn the_chain_of_a_history_costs_little() {
    for payment in ordinary_way() {
        let mut without = payment.clone();
        without.chain = None;
        without.history.iter_mut().for_each(|entry| entry.tag = None);
        let bytes = item_bytes(&payment) - item_bytes(&without);
        println!("the chain, {}: {bytes} bytes", payment.state.as_str());
        assert!(bytes < 100, "{} more in {}", bytes, payment.state.as_str());
    }
    // One for the order, and one for each time that a line came.
    let [_, _, succeeded] = ordinary_way();
    let hashes = 1 + verify(&succeeded, &history_keys()).passed.len();
    assert_eq!(hashes, 4);
}

#[test]
fn an_ordinary_payment_is_one_write_unit_at_each_step() {
    for payment in ordinary_way() {
        let bytes = item_bytes(&payment);
        println!("an ordinary item, {}: {bytes} bytes", payment.state.as_str());
        assert!(bytes < WRITE_UNIT_BYTES, "{} has {bytes} bytes", payment.state.as_str());
    }
}

/// What stands for ever: it is written in one unit, and read in half of one.
#[test]
fn what_is_kept_of_a_forgotten_payment_is_some_hundred_bytes() {
    let [_, _, succeeded] = ordinary_way();
    let short = step(&succeeded, &Event::Forget, succeeded.forget_at.unwrap());
    let bytes = item_bytes(&short);
    println!("an ordinary item, forgotten: {bytes} bytes");
    assert!(bytes < 600, "{bytes} bytes");
    assert_eq!(bytes, usize::try_from(plan::cost::FORGOTTEN_BYTES).unwrap(), "as the bill counts it");
}

#[test]
fn what_a_person_says_fits_into_an_ordinary_items_write_unit() {
    let evidence = Evidence::new(&"r".repeat(48), &"b".repeat(OPERATOR_MAX), &"w".repeat(WHY_MAX)).unwrap();
    let [queued, sending, _] = ordinary_way();
    let unknown = SendAnswer::Unclear(Unclear::TimedOut);
    let unknown = step(&sending, &Event::SendAnswered { claim: &held(&sending), answer: &unknown }, NOW);
    let parked = step(&unknown, &Event::Overdue, NOW.plus_ms(policy().park_overdue_ms()));
    let resolved = Event::Resolve { end: Resolution::Succeeded, evidence: &evidence };
    let resolved = step(&parked, &resolved, NOW.plus_ms(259_200_000));
    let canceled = step(&queued, &Event::Cancel, NOW);
    let case = step(&canceled, &Event::CalledBack(&Found::Approved { reference: reference() }), NOW);
    let owner = Operator::new(&"b".repeat(OPERATOR_MAX)).unwrap();
    let taken = step(&case, &Event::TakeCase { owner: &owner }, NOW);
    let close = Event::CloseCase { resolution: CaseResolution::Refund, evidence: &evidence };
    let closed = step(&taken, &close, NOW.plus_ms(259_200_000));
    // A case that is closed with the longest words there may be is the one write that may cost two units.
    for (name, payment, units) in [("resolved", resolved, 1), ("an open case", taken, 1), ("a closed case", closed, 2)]
    {
        let bytes = item_bytes(&payment);
        println!("an ordinary item, {name}: {bytes} bytes");
        assert!(bytes < WRITE_UNIT_BYTES * units, "{name} has {bytes} bytes");
    }
}
