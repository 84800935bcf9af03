//! Stripe's contract: what is written, what answers and events mean, and the sandbox that speaks it.

mod answers;
mod events;
mod order;
mod sandbox;
mod sdk;
mod secret;

use std::sync::LazyLock;

use cloud::sandbox::stripe::{Drawn, draw};
use payments::answer::ProviderText;
use payments::money::{Currency, Money};
use payments::payment::{Kind, Order, RefundOf};
use payments::provider::ProviderKind;
use payments::time::Timestamp;
use ports::Trace;
use providers::contract::{Contract, Written};
use serde_json::{Value, json};

use super::support::{self, id_of};

/// 2026-01-31, 12:00 in UTC.
pub(super) const NOW: Timestamp = Timestamp::from_ms(1_769_860_800_000);
/// The intent that a refund of these tests gives back.
pub(super) const INTENT: &str = "pi_3MtwBwLkdIwHu7ix28a3tqPa";

pub(crate) static KEYS: LazyLock<Drawn> = LazyLock::new(draw);

pub(crate) fn contract() -> Contract {
    Contract::new(ProviderKind::Stripe, "/", &KEYS.provider).expect("a contract")
}

pub(crate) fn charge(number: &str) -> Order {
    Order {
        payment_method: Some("pm_1MtwBwLkdIwHu7ix28a3tqPa".to_owned()),
        customer: Some("cus_NffrFeUfNV2Hib".to_owned()),
        ..support::order(number)
    }
}

pub(crate) fn refund(number: &str) -> Order {
    refund_of(number, Some(INTENT))
}

pub(crate) fn refund_of(number: &str, reference: Option<&str>) -> Order {
    let charge = charge(number);
    Order {
        kind: Kind::Refund,
        money: money(500, "EUR"),
        payment_method: None,
        customer: None,
        refund_of: Some(RefundOf::Charge {
            payment_id: id_of(&charge),
            order_id: charge.order_id.clone(),
            reference: reference.map(ProviderText::new),
        }),
        ..charge
    }
}

fn money(amount: u64, currency: &str) -> Money {
    Money::new(amount, Currency::new(currency).expect("a currency")).expect("money")
}

/// An intent about an order, as Stripe shows it.
pub(crate) fn intent(order: &Order, status: &str) -> Value {
    json!({
        "id": INTENT,
        "object": "payment_intent",
        "amount": order.money.amount(),
        "amount_received": if status == "succeeded" { order.money.amount() } else { 0 },
        "currency": order.money.currency().code().to_lowercase(),
        "customer": order.customer,
        "last_payment_error": null,
        "livemode": false,
        "metadata": { "sluice_payment_id": id_of(order).as_str(), "basket": "b-17" },
        "status": status,
    })
}

/// A refund about an order, as Stripe shows it.
pub(crate) fn given_back(order: &Order, status: &str) -> Value {
    json!({
        "id": "re_1Nispe2eZvKYlo2Cd31jOCgZ",
        "object": "refund",
        "amount": order.money.amount(),
        "charge": "ch_1NirD82eZvKYlo2CIvbtLWuY",
        "currency": order.money.currency().code().to_lowercase(),
        "metadata": { "sluice_payment_id": id_of(order).as_str() },
        "payment_intent": INTENT,
        "status": status,
    })
}

pub(crate) fn list(objects: &[Value], has_more: bool) -> Value {
    json!({ "object": "list", "url": "/v1/payment_intents", "has_more": has_more, "data": objects })
}

pub(crate) fn error(kind: &str, code: Option<&str>) -> Value {
    json!({ "error": { "type": kind, "code": code, "message": "told", "param": "told" } })
}

/// The error of a card that was declined, with the intent that was made.
pub(crate) fn declined(order: &Order, decline_code: Option<&str>) -> Value {
    let mut failed = intent(order, "requires_payment_method");
    failed["last_payment_error"] = json!({ "type": "card_error", "code": "card_declined" });
    let mut error = error("card_error", Some("card_declined"));
    error["error"]["decline_code"] = json!(decline_code);
    error["error"]["payment_intent"] = failed;
    error
}

/// What is known of a payment that Stripe has named.
pub(crate) fn known(id: &str) -> Trace {
    Trace { first_sent_at: Some(NOW), provider_text: Some(ProviderText::new(id)) }
}

/// What is known of a payment whose answer was lost.
pub(crate) fn lost() -> Trace {
    Trace { first_sent_at: Some(NOW), provider_text: None }
}

/// A form's pairs.
fn pairs(form: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(form).into_owned().collect()
}

fn header<'a>(written: &'a Written, name: &str) -> Option<&'a str> {
    written.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_str().expect("text"))
}
