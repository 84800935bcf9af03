//! What an ordinary payment's item and a gate's weigh, by `DynamoDB`'s own rules: a write of up to 1 KB is one write unit.

use payments::answer::{Found, SendAnswer};
use payments::brake::Brake;
use payments::breaker::{Breaker, Cause, Mode};
use payments::gate::{GateState, Note, WHO_MAX, WHY_MAX};
use payments::id::OrderId;
use payments::payment::{Order, Payment};
use payments::transition::Event;
use serde_json::Value;

use super::samples::{NOW, accepted, claim_of, held, order, policy, reference, step};

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
fn item_bytes(item: serde_json::Result<Value>) -> usize {
    let Ok(Value::Object(attributes)) = item else {
        panic!("an item is an object");
    };
    attributes.iter().map(|(name, value)| name.len() + bytes(value)).sum()
}

/// The gate's item with every text at its longest and every number at its largest.
#[test]
fn the_gates_item_is_one_write_unit_whatever_people_write_into_it() {
    let note = Note::new(NOW, &"w".repeat(WHO_MAX), &"y".repeat(WHY_MAX)).unwrap();
    let most = 999_999_999_999_999_999;
    let gate = GateState {
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
        brake: Brake { permille: 1_000, hold_until_us: most, version: most },
        calls: most,
        failures: most,
        in_a_row: most,
        ..GateState::new(&"p".repeat(255), u32::MAX, 900)
    };
    let bytes = item_bytes(serde_json::to_value(&gate));
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
    [queued, sending, succeeded]
}

#[test]
fn an_ordinary_payment_is_one_write_unit_at_each_step() {
    for payment in ordinary_way() {
        let bytes = item_bytes(serde_json::to_value(&payment));
        println!("an ordinary item, {}: {bytes} bytes", payment.state.as_str());
        assert!(bytes < WRITE_UNIT_BYTES, "{} has {bytes} bytes", payment.state.as_str());
    }
}
