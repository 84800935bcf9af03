//! Alipay's contract: what is written, what answers and notices mean, and the sandbox that speaks it.

mod answers;
mod notice;
mod order;
mod sandbox;
mod sdk;
mod secret;

use std::sync::LazyLock;

use ::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use cloud::sandbox::alipay::{Drawn, draw};
use payments::id::{OrderId, PaymentId};
use payments::money::{Currency, Money};
use payments::payment::{Kind, Order, RefundOf};
use payments::provider::ProviderKind;
use payments::time::Timestamp;
use providers::alipay::answer::Call;
use providers::alipay::rsa::SigningKey;
use providers::contract::{Body, Contract, Reply};
use serde_json::{Value, json};

use super::support::{self, id_of};

/// 2026-01-31, 12:00 in UTC.
pub(super) const NOW: Timestamp = Timestamp::from_ms(1_769_860_800_000);

/// Both sides' keys, one pair each for all of these tests.
pub(crate) static KEYS: LazyLock<Drawn> = LazyLock::new(|| draw().expect("keys"));

fn of_sandbox(member: &str) -> String {
    let secret: Value = serde_json::from_str(&KEYS.sandbox).expect("JSON");
    secret[member].as_str().expect("a text").to_owned()
}

/// A signature of Alipay's.
fn sign(text: &str) -> String {
    SigningKey::parse(&of_sandbox("alipay_private_key")).expect("a key").sign(text).expect("a signature")
}

pub(crate) fn contract() -> Contract {
    Contract::new(ProviderKind::Alipay, "/gateway.do", &KEYS.provider).expect("a contract")
}

pub(crate) fn charge(number: &str) -> Order {
    Order {
        money: Money::new(1_999, Currency::new("CNY").expect("a currency")).expect("money"),
        payment_method: Some("auth_code:28763443825664394".to_owned()),
        ..support::order(number)
    }
}

pub(crate) fn refund(number: &str) -> Order {
    let charge = charge(number);
    Order {
        kind: Kind::Refund,
        money: Money::new(500, charge.money.currency()).expect("money"),
        payment_method: None,
        refund_of: Some(RefundOf::Charge {
            payment_id: id_of(&charge),
            order_id: OrderId::new(number).expect("an order"),
            reference: None,
        }),
        ..charge
    }
}

/// An answer with this body and status.
pub(crate) fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    Reply {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: HeaderMap::new(),
        body: Body::Whole(Bytes::from(body.into())),
    }
}

/// The body that says this, rightly signed.
pub(crate) fn body(call: Call, response: &str) -> String {
    format!(r#"{{"{}":{response},"sign":"{}"}}"#, call.response(), sign(response))
}

/// What says this of an order, with the members that bind it to that.
pub(crate) fn response(call: Call, order: &Order, code: &str, sub_code: &str) -> Value {
    let id = id_of(order);
    let charge: PaymentId = providers::alipay::order::charge_of(order).cloned().unwrap_or_else(|| id.clone());
    let mut response =
        json!({ "code": code, "msg": "told", "out_trade_no": charge.as_str(), "trade_no": "2026013122001" });
    if !sub_code.is_empty() {
        response["sub_code"] = sub_code.into();
    }
    match call {
        Call::Pay | Call::Query => response["total_amount"] = "19.99".into(),
        Call::Refund => response["refund_fee"] = "5.00".into(),
        Call::RefundQuery => {}
    }
    response
}
