//! Bad input to the contracts of providers that exist: each line of the list, for each of them. Whatever is not a right answer about our own
//! payment is unknown: it neither settles nor proves that nothing was done.

use ::http::StatusCode;
use bytes::Bytes;
use payments::answer::{Found, QueryAnswer, SendAnswer};
use payments::payment::Order;
use payments::provider::ProviderKind;
use ports::Trace;
use providers::alipay::answer::Call;
use providers::callback::{Distrust, Known, NotTaken, Received};
use providers::contract::{Body, Contract, Reply};
use serde_json::{Value, json};

use super::alipay::{self, NOW, reply};
use super::stripe;
use super::support::id_of;

/// A contract, a charge, and what Stripe or Alipay says of it when it is done: to a send, and to each form of query.
struct Case {
    contract: Contract,
    order: Order,
    sent: String,
    asked: Vec<(Trace, String)>,
    missing: Vec<(Trace, String)>,
}

fn cases() -> [Case; 2] {
    let of_alipay = |order: &Order, call: Call, code: &str, sub_code: &str| {
        let mut response = alipay::response(call, order, code, sub_code);
        response["trade_status"] = "TRADE_SUCCESS".into();
        alipay::body(call, &response.to_string())
    };
    let (of_code, of_card) = (alipay::charge("1"), stripe::charge("1"));
    let done = stripe::intent(&of_card, "succeeded");
    let lost = Trace::default();
    [
        Case {
            contract: alipay::contract(),
            sent: of_alipay(&of_code, Call::Pay, "10000", ""),
            asked: vec![(lost.clone(), of_alipay(&of_code, Call::Query, "10000", ""))],
            missing: vec![(lost.clone(), of_alipay(&of_code, Call::Query, "40004", "ACQ.TRADE_NOT_EXIST"))],
            order: of_code,
        },
        Case {
            contract: stripe::contract(),
            sent: done.to_string(),
            asked: vec![
                (lost.clone(), stripe::list(std::slice::from_ref(&done), false).to_string()),
                (stripe::known(stripe::INTENT), done.to_string()),
            ],
            missing: vec![(lost, stripe::list(&[], false).to_string())],
            order: of_card,
        },
    ]
}

impl Case {
    fn send(&self, reply: &Reply) -> SendAnswer {
        self.contract.send_answer(&id_of(&self.order), &self.order, reply)
    }

    fn query(&self, trace: &Trace, reply: &Reply) -> QueryAnswer {
        self.contract.query_answer(&id_of(&self.order), &self.order, trace, reply)
    }
}

/// What each of these answers is made into before it comes.
type Spoiled = (&'static str, fn(&str) -> Reply);

fn page(status: u16, text: impl Into<Vec<u8>>) -> Reply {
    reply(status, text)
}

const SPOILED: [Spoiled; 10] = [
    ("an empty body", |_| page(200, "")),
    ("a login page with 200", |_| page(200, "<!doctype html><title>Log in</title>")),
    ("a redirect", |right| page(302, right)),
    ("a redirect for good", |right| page(308, right)),
    ("a body in GBK", |right| {
        // "已支付" in GBK, where a text stands.
        let mut bytes = right.as_bytes().to_vec();
        let place = right.find("\":\"").expect("a text") + 3;
        bytes.splice(place..place, *b"\xd2\xd1\xd6\xa7\xb8\xb6");
        page(200, bytes)
    }),
    ("half of a body", |right| page(200, &right[..right.len() / 2])),
    ("a body and more", |right| page(200, format!("{right}{right}"))),
    ("a text in place of a document", |right| page(200, json!(right).to_string())),
    ("a body that is too large", |_| Reply { body: Body::Malformed, ..page(200, "") }),
    ("a connection that broke", |_| Reply { body: Body::Lost, ..page(200, "") }),
];

#[test]
fn a_spoiled_answer_settles_nothing_and_proves_nothing() {
    for case in cases() {
        assert!(matches!(case.send(&reply(200, case.sent.clone())), SendAnswer::Found(Found::Approved { .. })));
        for (what, spoil) in SPOILED {
            let answer = case.send(&spoil(&case.sent));
            assert!(matches!(answer, SendAnswer::Unclear(_)), "{what}: {answer:?}");
        }
        for (trace, right) in &case.asked {
            assert!(matches!(
                case.query(trace, &reply(200, right.clone())),
                QueryAnswer::Found(Found::Approved { .. })
            ));
            for (what, spoil) in SPOILED {
                let answer = case.query(trace, &spoil(right));
                assert!(matches!(answer, QueryAnswer::Unclear(_)), "{what}: {answer:?}");
            }
        }
        for (trace, right) in &case.missing {
            assert_eq!(case.query(trace, &reply(200, right.clone())), QueryAnswer::NotFound);
            for (what, spoil) in SPOILED {
                let answer = case.query(trace, &spoil(right));
                assert!(matches!(answer, QueryAnswer::Unclear(_)), "{what}: {answer:?}");
            }
        }
    }
}

/// A signed text cannot be changed at all; of what only TLS vouches for, each of these is not what the documents say.
#[test]
fn a_number_as_a_text_and_a_text_as_a_number_are_not_believed() {
    let [of_alipay, of_stripe] = cases();
    let id = id_of(&of_alipay.order);
    let as_number = json!({ "code": 10_000, "out_trade_no": id.as_str(), "trade_no": "1", "total_amount": "19.99" });
    let amount = json!({ "code": "10000", "out_trade_no": id.as_str(), "trade_no": "1", "total_amount": 19.99 });
    for response in [as_number, amount] {
        let signed = reply(200, alipay::body(Call::Pay, &response.to_string()));
        assert!(matches!(of_alipay.send(&signed), SendAnswer::Unclear(_)), "{response}");
    }
    for (name, value) in
        [("amount", json!("1999")), ("amount", json!(1_999.5)), ("amount", json!(-1)), ("id", json!(1))]
    {
        let mut wrong = stripe::intent(&of_stripe.order, "succeeded");
        wrong[name] = value;
        assert!(matches!(of_stripe.send(&reply(200, wrong.to_string())), SendAnswer::Unclear(_)), "{name}");
        let listed = stripe::list(&[wrong.clone()], false);
        let answer = of_stripe.query(&Trace::default(), &reply(200, listed.to_string()));
        assert!(matches!(answer, QueryAnswer::Unclear(_)), "{name}: {answer:?}");
    }
}

#[test]
fn a_member_that_stands_twice_is_not_believed() {
    for case in cases() {
        let twice = case.sent.replacen('{', r#"{"status":"succeeded","alipay_trade_pay_response":{},"#, 1);
        assert!(matches!(case.send(&reply(200, twice)), SendAnswer::Unclear(_)));
    }
}

#[test]
fn fields_in_another_order_are_the_same_answer() {
    let [of_alipay, of_stripe] = cases();
    let id = id_of(&of_alipay.order);
    let turned =
        format!(r#"{{"trade_no":"1","total_amount":"19.99","out_trade_no":"{id}","msg":"茶","code":"10000"}}"#);
    let signed = reply(200, alipay::body(Call::Pay, &turned));
    assert!(matches!(of_alipay.send(&signed), SendAnswer::Found(Found::Approved { .. })));
    let id = id_of(&of_stripe.order);
    let turned = format!(
        r#"{{"status":"succeeded","metadata":{{"z":"1","sluice_payment_id":"{id}"}},"currency":"eur","amount":1999,
            "news_of_2031":{{"a":[1]}},"object":"payment_intent","id":"pi_1"}}"#
    );
    assert!(matches!(of_stripe.send(&reply(200, turned)), SendAnswer::Found(Found::Approved { .. })));
}

#[test]
fn no_status_but_the_documents_own_settles_anything() {
    for case in cases() {
        for status in (200..600).filter(|status| *status != 200) {
            let answer = case.send(&reply(status, case.sent.clone()));
            let is_believed = matches!(answer, SendAnswer::Found(_));
            assert!(!is_believed, "{status}: {answer:?}");
            for (trace, right) in case.asked.iter().chain(&case.missing) {
                let answer = case.query(trace, &reply(status, right.clone()));
                let is_believed = matches!(answer, QueryAnswer::Found(_) | QueryAnswer::NotFound);
                assert!(!is_believed, "{status}: {answer:?}");
            }
        }
    }
}

#[test]
fn an_id_that_is_too_long_is_nobodys() {
    let long = format!("pay_{}", "a".repeat(4_000));
    let mut intent = stripe::intent(&stripe::charge("1"), "succeeded");
    intent["metadata"]["sluice_payment_id"] = json!(long);
    let event =
        json!({ "object": "event", "type": "payment_intent.succeeded", "data": { "object": intent } }).to_string();
    let signature = providers::open::callback::sign(&stripe::KEYS.signing_secret, NOW, event.as_bytes());
    let known = Known::new(ProviderKind::Stripe, &stripe::KEYS.callback, None).expect("keys");
    let read = known.read(&Received { signature: Some(&signature), body: event.as_bytes(), at: NOW });
    assert_eq!(read.map(drop), Err(NotTaken::Unreadable));
    let answer = stripe::contract().send_answer(
        &id_of(&stripe::charge("1")),
        &stripe::charge("1"),
        &reply(200, intent.to_string()),
    );
    assert!(matches!(answer, SendAnswer::Unclear(_)));
    // A reference that is longer than what is kept is cut where it is kept, and names no intent.
    let traced = Trace {
        provider_text: Some(payments::answer::ProviderText::new(&format!("pi_{}", "é".repeat(99)))),
        ..Trace::default()
    };
    let path = stripe::contract()
        .query(&id_of(&stripe::charge("1")), &stripe::charge("1"), &traced, NOW)
        .expect("a query")
        .path;
    assert!(path.is_ascii() && path.len() < 120, "{path}");
}

/// Ours is wrong, or theirs: a request is dated by our clock, and Alipay says so; an event of Stripe's is too old.
#[test]
fn a_clock_that_is_off_by_ten_minutes_is_no_answer_about_a_payment() {
    let [of_alipay, _] = cases();
    let refused = alipay::response(Call::Pay, &of_alipay.order, "40002", "isv.invalid-timestamp").to_string();
    let answer = of_alipay.send(&reply(200, alipay::body(Call::Pay, &refused)));
    assert!(matches!(answer, SendAnswer::NotTaken(payments::answer::NotTaken::CredentialsRefused)));
    let known = Known::new(ProviderKind::Stripe, &stripe::KEYS.callback, None).expect("keys");
    let event = json!({ "object": "event", "data": { "object": stripe::intent(&stripe::charge("1"), "succeeded") } })
        .to_string();
    for at in [NOW.plus_ms(600_000), NOW.minus_ms(600_000)] {
        let signature = providers::open::callback::sign(&stripe::KEYS.signing_secret, at, event.as_bytes());
        let read = known.read(&Received { signature: Some(&signature), body: event.as_bytes(), at: NOW });
        assert_eq!(read.map(drop), Err(NotTaken::Untrusted(Distrust::OutOfTime)));
    }
    // A list begins early enough for a clock that is ten minutes ahead.
    let traced = Trace { first_sent_at: Some(NOW.plus_ms(600_000)), provider_text: None };
    let order = stripe::charge("1");
    let path = stripe::contract().query(&id_of(&order), &order, &traced, NOW).expect("a query").path;
    let since: u64 =
        path.split("gte%5D=").nth(1).and_then(|rest| rest.split('&').next()?.parse().ok()).expect("a time");
    assert!(since < NOW.seconds(), "{path}");
}

#[test]
fn a_key_that_cannot_be_parsed_stops_the_start() {
    for kind in [ProviderKind::Alipay, ProviderKind::Stripe] {
        for secret in ["", "{", "null", "[]", "{}", "sk_live_1", "\u{feff}{}"] {
            assert!(Contract::new(kind, "/", secret).is_err(), "{kind:?} {secret:?}");
            assert!(Known::new(kind, secret, None).is_err(), "{kind:?} {secret:?}");
        }
    }
}

/// Every byte of what comes may be wrong.
#[test]
fn no_byte_of_a_signed_answer_can_be_changed() {
    let [of_alipay, _] = cases();
    let right = of_alipay.sent.as_bytes();
    let spoiled = (0..right.len()).step_by(7).map(|place| {
        let mut bytes = right.to_vec();
        bytes[place] ^= 1;
        Reply { status: StatusCode::OK, body: Body::Whole(Bytes::from(bytes)), ..reply(200, "") }
    });
    for reply in spoiled {
        // The member `msg` outside of what is signed does not exist; a changed signature is none.
        let answer = of_alipay.send(&reply);
        assert!(!matches!(answer, SendAnswer::Found(_)), "{answer:?}");
    }
    let _: Value = serde_json::from_slice(right).expect("the right one is JSON");
}
