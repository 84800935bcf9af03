//! Which orders can be made, and what is written for them.

use std::collections::BTreeMap;

use payments::money::{Currency, Money};
use payments::payment::{Kind, Order, RefundOf};
use payments::provider::ProviderKind;
use payments::time::Timestamp;
use ports::Trace;
use proptest::prelude::*;
use providers::alipay::text::{fen, timestamp, yuan};
use providers::contract::{Written, check};
use serde_json::{Value, json};

use super::{NOW, charge, contract, id_of, refund};

fn cny(amount: u64) -> Money {
    Money::new(amount, Currency::new("CNY").unwrap()).unwrap()
}

fn refused(order: &Order) -> Option<String> {
    check(ProviderKind::Alipay, order).err().map(|error| error.field)
}

#[test]
fn what_alipay_cannot_make_is_refused_by_its_field() {
    for order in [charge("1"), refund("1")] {
        assert_eq!(refused(&order), None);
        assert!(contract().send(&id_of(&order), &order, NOW).is_some());
    }
    let pounds = Money::new(1_999, Currency::new("GBP").unwrap()).unwrap();
    let with_method = |text: &str| Order { payment_method: Some(text.to_owned()), ..charge("1") };
    let unlinked = Order { refund_of: Some(RefundOf::Unlinked), ..refund("1") };
    let mut cases = vec![
        ("currency", Order { money: pounds, ..charge("1") }),
        ("amount", Order { money: cny(10_000_000_001), ..charge("1") }),
        ("payment_method", Order { payment_method: None, ..charge("1") }),
        ("payment_method", Order { payment_method: Some("agreement:1".to_owned()), ..refund("1") }),
        ("unlinked", unlinked),
        ("kind", Order { kind: Kind::Payout, ..charge("1") }),
    ];
    for text in [
        "",
        "tok_1",
        "pm_card_visa",
        "auth_code:",
        "auth_code:123",
        "auth_code:2876344382566439x",
        "auth_code:1076344382566439",
        "auth_code:3176344382566439",
        "auth_code:2876344382566439482763443",
        "agreement:",
        "agreement:a b",
        "Agreement:1",
    ] {
        cases.push(("payment_method", with_method(text)));
    }
    cases.push(("payment_method", with_method(&format!("agreement:{}", "1".repeat(65)))));
    for (field, order) in cases {
        assert_eq!(refused(&order).as_deref(), Some(field), "{:?}", order.payment_method);
        // Whatever gets here all the same is not written.
        assert!(contract().send(&id_of(&order), &order, NOW).is_none(), "{field}");
        assert!(contract().query(&id_of(&order), &order, &Trace::default(), NOW).is_none(), "{field}");
    }
    assert_eq!(refused(&Order { money: cny(10_000_000_000), ..charge("1") }), None);
    // Another kind takes what it has agreed on.
    assert_eq!(check(ProviderKind::Open, &with_method("tok_1")), Ok(()));
}

fn read(written: &Written) -> (BTreeMap<String, String>, Value) {
    let (path, query) = written.path.split_once('?').unwrap();
    assert_eq!((written.method.as_str(), path), ("POST", "/gateway.do"));
    let form = |text: &[u8]| -> BTreeMap<String, String> {
        form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    };
    let body = form(&written.body);
    assert_eq!(body.keys().collect::<Vec<_>>(), ["biz_content"]);
    (form(query.as_bytes()), serde_json::from_str(&body["biz_content"]).unwrap())
}

#[test]
fn each_call_says_what_its_page_asks_for_and_no_more() {
    let by_code = Order { description: Some("Tee & Gebäck / 茶=1".to_owned()), ..charge("1") };
    let by_agreement = Order { payment_method: Some("agreement:20170322450983769228".to_owned()), ..charge("1") };
    let refund = refund("1");
    let (id, refund_id) = (id_of(&by_code), id_of(&refund));
    let contract = contract();
    let written = |written: Option<Written>| read(&written.unwrap());
    let (parameters, content) = written(contract.send(&id, &by_code, NOW));
    assert_eq!(
        content,
        json!({
            "out_trade_no": id.as_str(),
            "total_amount": "19.99",
            "subject": "Tee   Gebäck   茶 1",
            "product_code": "FACE_TO_FACE_PAYMENT",
            "timeout_express": "5m",
            "scene": "bar_code",
            "auth_code": "28763443825664394",
        })
    );
    let expected = [
        ("app_id", "2021000000000000"),
        ("charset", "utf-8"),
        ("format", "JSON"),
        ("method", "alipay.trade.pay"),
        ("sign_type", "RSA2"),
        ("timestamp", "2026-01-31 20:00:00"),
        ("version", "1.0"),
    ];
    for (name, value) in expected {
        assert_eq!(parameters[name], value);
    }
    assert_eq!(parameters.len(), expected.len() + 1, "and the signature: {parameters:?}");
    let (_, content) = written(contract.send(&id, &by_agreement, NOW));
    assert_eq!(content["agreement_params"], json!({ "agreement_no": "20170322450983769228" }));
    assert_eq!((&content["product_code"], content.get("scene")), (&json!("GENERAL_WITHHOLDING"), None));
    assert_eq!(content["subject"], "Order 1");
    let (parameters, content) = written(contract.query(&id, &by_code, &Trace::default(), NOW));
    assert_eq!(
        (parameters["method"].as_str(), content),
        ("alipay.trade.query", json!({ "out_trade_no": id.as_str() }))
    );
    let (parameters, content) = written(contract.send(&refund_id, &refund, NOW));
    let named = json!({ "out_trade_no": id.as_str(), "out_request_no": refund_id.as_str() });
    let mut with_amount = named.clone();
    with_amount["refund_amount"] = "5.00".into();
    assert_eq!((parameters["method"].as_str(), content), ("alipay.trade.refund", with_amount));
    let (parameters, content) = written(contract.query(&refund_id, &refund, &Trace::default(), NOW));
    assert_eq!((parameters["method"].as_str(), content), ("alipay.trade.fastpay.refund.query", named));
}

#[test]
fn an_order_says_the_same_whenever_it_is_sent() {
    let order = charge("1");
    let at = |now| read(&contract().send(&id_of(&order), &order, now).unwrap()).1;
    assert_eq!(at(NOW), at(NOW.plus_ms(86_400_000)));
}

#[test]
fn times_are_those_of_peking() {
    for (at, text) in [
        (0, "1970-01-01 08:00:00"),
        (1_769_875_199_999, "2026-01-31 23:59:59"),
        (1_769_875_200_000, "2026-02-01 00:00:00"),
    ] {
        assert_eq!(timestamp(Timestamp::from_ms(at)), text);
    }
}

#[test]
fn yuan_are_fen_with_a_point() {
    for (amount, text) in
        [(1, "0.01"), (10, "0.10"), (99, "0.99"), (100, "1.00"), (1_999, "19.99"), (10_000_000_000, "100000000.00")]
    {
        assert_eq!(yuan(cny(amount)), text);
    }
    for (text, amount) in [("88", Some(8_800)), ("88.8", Some(8_880)), ("0.01", Some(1)), ("00.10", Some(10))] {
        assert_eq!(fen(text), amount);
    }
    for text in
        ["", ".", "1.", ".1", "1.234", "-1.00", "1,00", "1e2", "１.00", " 1.00", "1.0.0", "184467440737095517.00"]
    {
        assert_eq!(fen(text), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn an_amount_comes_back_as_it_went(amount in 1_u64..=10_000_000_000) {
        prop_assert_eq!(fen(&yuan(cny(amount))), Some(amount));
    }
}
