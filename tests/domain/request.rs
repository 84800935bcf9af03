//! What a merchant sends is read whole: every fault is named by its field, never by its value, and the fingerprint is
//! that of what was said, not of how it was written down.

use std::fmt::Write as _;

use payments::id::MerchantId;
use payments::merchant::{ApiKeyHash, Merchant};
use payments::payment::{Kind, Lane, RefundOf};
use payments::request::{Fault, Request, read};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::cases;

fn merchant(name: &str) -> Merchant {
    Merchant {
        key_hash: ApiKeyHash::of("sandbox_key_united_kingdom_0001").unwrap(),
        merchant: MerchantId::new(name).unwrap(),
        unlinked_refunds: true,
        high_priority: true,
        limit: None,
    }
}

fn good() -> Value {
    json!({
        "order_id": "536365", "kind": "charge", "amount": 13_912, "currency": "GBP",
        "payment_method": "pm_1OqR3k2eZvKYlo2C", "customer": "17850", "description": "Weiße Laterne",
        "metadata": { "basket": "b-17", "channel": "web" }, "priority": "high",
        "expires_at": "2031-01-31T12:00:00Z",
    })
}

fn read_value(value: &Value) -> Result<Request, Fault> {
    read(value.to_string().as_bytes(), &merchant("united-kingdom"), None)
}

/// The fields that are named, once each.
fn named(value: &Value) -> Vec<String> {
    match read_value(value) {
        Err(Fault::Fields(errors)) => errors.into_iter().map(|error| error.field).collect(),
        other => panic!("{value} is taken: {other:?}"),
    }
}

/// Values that are wrong in the field of this name.
fn wrong(field: &str) -> Vec<Value> {
    let long = |length: usize| json!("x".repeat(length));
    let not_a_text = [json!(1), json!(true), json!([]), json!({})];
    let card = json!("4111 1111 1111 1111");
    let mut values = match field {
        "amount" => {
            return vec![
                Value::Null,
                json!(0),
                json!(-1),
                json!(1.5),
                json!(1e30),
                json!("100"),
                json!(100_000_000_001_u64),
                json!([1]),
            ];
        }
        "metadata" => {
            return vec![
                json!("text"),
                json!([]),
                json!({ "a": 1 }),
                json!({ "a": null }),
                json!({ "": "a" }),
                json!({ "x".repeat(33): "a" }),
                json!({ "a": "x".repeat(65) }),
                json!({ "a": "\n" }),
                json!({ "a": card }),
                json!({ "4111111111111111": "a" }),
                (0..9).map(|number| (number.to_string(), json!("a"))).collect::<serde_json::Map<_, _>>().into(),
            ];
        }
        "order_id" => vec![Value::Null, long(65), json!("a b"), json!("ü")],
        "kind" => vec![Value::Null, json!("Charge"), json!("gift")],
        "currency" => vec![Value::Null, json!("gbp"), json!("XAU"), json!("ABC")],
        "priority" => vec![json!("urgent")],
        "expires_at" => {
            vec![json!("tomorrow"), json!("2031-01-31"), json!("2031-01-31T12:00:00"), json!("1969-01-01T00:00:00Z")]
        }
        "description" => vec![long(201)],
        "original_order_id" => vec![json!("536364"), long(129)],
        "unlinked" => return vec![json!("true"), json!(1), json!(true)],
        _ => vec![long(129)],
    };
    values.extend(not_a_text);
    values.extend([json!(""), json!("a\u{7}b"), json!("a\u{0}"), card]);
    values
}

const FIELDS: [&str; 12] = [
    "order_id",
    "kind",
    "amount",
    "currency",
    "payment_method",
    "customer",
    "description",
    "metadata",
    "priority",
    "expires_at",
    "original_order_id",
    "unlinked",
];

#[test]
fn every_bad_field_is_named_and_nothing_else_is() {
    for field in FIELDS {
        for value in wrong(field) {
            let mut body = good();
            body[field] = value.clone();
            assert_eq!(named(&body), [field], "{field}: {value}");
        }
    }
}

#[test]
fn an_unknown_field_and_a_field_given_twice_are_refused() {
    let mut body = good();
    body["amout"] = json!(1);
    assert_eq!(named(&body), ["amout"]);
    for body in ["{\"amount\":1,\"amount\":100}", "[]", "3", "\"a\"", "null", "{", "", "{\"a\":1}}", "\u{feff}{}"] {
        let fault = read(body.as_bytes(), &merchant("united-kingdom"), None).unwrap_err();
        assert!(
            matches!(&fault, Fault::Fields(errors) if errors.len() == 1 && errors[0].field == "body"),
            "{body}: {fault:?}"
        );
    }
}

#[test]
fn a_card_number_is_refused_wherever_it_stands_and_never_repeated() {
    let card = "5555555555554444";
    let mut bodies = vec![json!({ card: "a" }), json!({ "metadata": { card: card } })];
    for field in FIELDS {
        bodies.push(json!({ field: card }));
        bodies.push(json!({ field: format!("card={card};cvv=123") }));
    }
    for body in bodies {
        let fault = read_value(&body).unwrap_err();
        assert!(!format!("{fault:?}").contains(card), "{fault:?}");
    }
    let fault = read(good().to_string().as_bytes(), &merchant("united-kingdom"), Some(card)).unwrap_err();
    assert!(matches!(&fault, Fault::Fields(errors) if errors[0].field == "Idempotency-Key"), "{fault:?}");
}

#[test]
fn a_refund_names_its_charge_or_says_that_it_has_none() {
    let refund = |more: Value| {
        let mut body = json!({ "order_id": "C536379", "kind": "refund", "amount": 60, "currency": "GBP" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let of = |more: Value| read_value(&refund(more)).unwrap().order.refund_of;
    assert_eq!(of(json!({ "unlinked": true })), Some(RefundOf::Unlinked));
    let linked = of(json!({ "original_order_id": "536365" }));
    let charge = read_value(&good()).unwrap().order;
    assert!(matches!(linked, Some(RefundOf::Charge { order_id, .. }) if order_id == charge.order_id));
    assert_eq!(named(&refund(json!({}))), ["original_order_id"]);
    assert_eq!(named(&refund(json!({ "unlinked": false }))), ["original_order_id"]);
    assert_eq!(named(&refund(json!({ "unlinked": true, "original_order_id": "536365" }))), ["unlinked"]);
}

#[test]
fn what_the_merchant_may_not_do_is_refused_by_name() {
    let poor = Merchant { unlinked_refunds: false, high_priority: false, ..merchant("united-kingdom") };
    let ask = |body: &Value| read(body.to_string().as_bytes(), &poor, None);
    assert!(matches!(ask(&good()), Err(Fault::NotPermitted(error)) if error.field == "priority"));
    let refund = json!({ "order_id": "C1", "kind": "refund", "amount": 60, "currency": "GBP", "unlinked": true });
    assert!(matches!(ask(&refund), Err(Fault::NotPermitted(error)) if error.field == "unlinked"));
}

#[test]
fn an_absent_field_and_null_say_the_same_and_defaults_are_filled_in() {
    let least = json!({ "order_id": "1", "kind": "payout", "amount": 1, "currency": "JPY" });
    let mut nulls = least.clone();
    for field in FIELDS.iter().filter(|field| least.get(*field).is_none()) {
        nulls[*field] = Value::Null;
    }
    let (least, mut spelt) = (read_value(&least).unwrap(), nulls.clone());
    spelt["priority"] = json!("standard");
    spelt["metadata"] = json!({});
    spelt["unlinked"] = json!(false);
    assert_eq!(read_value(&nulls).unwrap(), least);
    assert_eq!(read_value(&spelt).unwrap(), least);
    assert_eq!((least.order.kind, least.order.lane), (Kind::Payout, Lane::Standard));
}

/// Two different good values of each field.
fn others() -> Vec<(&'static str, Value)> {
    vec![
        ("order_id", json!("536366")),
        ("kind", json!("payout")),
        ("amount", json!(13_913)),
        ("currency", json!("EUR")),
        ("payment_method", json!("pm_2")),
        ("payment_method", Value::Null),
        ("customer", json!("17851")),
        ("customer", Value::Null),
        ("description", json!("Rote Laterne")),
        ("description", Value::Null),
        ("metadata", json!({ "basket": "b-18", "channel": "web" })),
        ("metadata", json!({ "basket": "b-17" })),
        ("metadata", json!({ "basket": "web", "channel": "b-17" })),
        ("metadata", Value::Null),
        ("priority", json!("standard")),
        ("expires_at", json!("2031-01-31T12:00:00.001Z")),
        ("expires_at", Value::Null),
    ]
}

#[test]
fn two_requests_that_differ_in_any_field_have_two_fingerprints() {
    let mut bodies = vec![good()];
    for (field, value) in others() {
        let mut body = good();
        body[field] = value;
        bodies.push(body);
    }
    // What moves from one field to another is not the same either.
    for (field, value) in [("payment_method", "17850"), ("customer", "pm_1OqR3k2eZvKYlo2C")] {
        let mut body = good();
        body["customer"] = Value::Null;
        body["payment_method"] = Value::Null;
        body[field] = json!(value);
        bodies.push(body);
    }
    let mut body = good();
    body["customer"] = Value::Null;
    body["metadata"] = json!({ "basket": "b-17", "channel": "web", "customer": "17850" });
    bodies.push(body);
    let mut fingerprints: Vec<_> = bodies.iter().map(|body| read_value(body).unwrap().fingerprint).collect();
    fingerprints.push(read(good().to_string().as_bytes(), &merchant("france"), None).unwrap().fingerprint);
    let different: std::collections::HashSet<_> = fingerprints.iter().collect();
    assert_eq!(different.len(), fingerprints.len());
}

#[test]
fn a_header_that_only_names_the_request_is_not_part_of_what_it_says() {
    let body = good().to_string();
    let one = read(body.as_bytes(), &merchant("united-kingdom"), Some("a-1")).unwrap();
    let two = read(body.as_bytes(), &merchant("united-kingdom"), None).unwrap();
    assert_eq!(one.fingerprint, two.fingerprint);
    assert_eq!((one.order.idempotency_key.as_deref(), two.order.idempotency_key), (Some("a-1"), None));
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn how_it_is_written_down_does_not_matter(
        order in Just((0_usize..10).collect::<Vec<_>>()).prop_shuffle(),
        spaces in proptest::collection::vec("[ \t\r\n]{0,3}", 40),
        escaped in any::<bool>(),
    ) {
        let good = good();
        let fields: Vec<(&String, &Value)> = good.as_object().unwrap().iter().collect();
        let mut spaces = spaces.iter().cycle();
        let mut space = move || spaces.next().unwrap().as_str();
        let mut body = format!("{}{{", space());
        for (place, index) in order.iter().enumerate() {
            let (name, value) = fields[*index];
            let comma = if place == 0 { "" } else { "," };
            write!(body, "{comma}{}\"{name}\"{}:{}{value}{}", space(), space(), space(), space()).unwrap();
        }
        body += "}";
        if escaped {
            body = body.replace('ß', "\\u00df").replace("\"web\"", "\"\\u0077eb\"");
        }
        let read = read(body.as_bytes(), &merchant("united-kingdom"), None).unwrap();
        prop_assert_eq!(read, read_value(&good).unwrap());
    }

    #[test]
    fn whatever_comes_it_is_read_or_refused_with_a_field(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Err(Fault::Fields(errors)) = read(&body, &merchant("united-kingdom"), None) {
            prop_assert!(!errors.is_empty() && errors.iter().all(|error| !error.field.is_empty() && !error.reason.is_empty()));
        }
    }

    #[test]
    fn the_time_is_the_same_in_any_zone(minutes in -12 * 60_i32..12 * 60) {
        let noon_in_utc = 12 * 60 + minutes;
        let (day, of_day) = (31 + noon_in_utc.div_euclid(24 * 60), noon_in_utc.rem_euclid(24 * 60));
        prop_assume!(day <= 31);
        let sign = if minutes < 0 { '-' } else { '+' };
        let mut body = good();
        let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
        body["expires_at"] = json!(format!("2031-01-{day:02}T{:02}:{:02}:00{sign}{hours:02}:{rest:02}", of_day / 60, of_day % 60));
        prop_assert_eq!(read_value(&body).unwrap().fingerprint, read_value(&good()).unwrap().fingerprint);
    }
}
