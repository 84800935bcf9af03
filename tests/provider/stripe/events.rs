//! Events: whose they are, and what they say.

use payments::answer::{Found, ProviderText};
use payments::payment::{Order, Payment};
use payments::provider::ProviderKind;
use payments::time::Timestamp;
use providers::callback::{Callback, Distrust, Known, NotTaken, Received};
use providers::open::callback::sign;
use serde_json::{Value, json};

use super::{INTENT, KEYS, NOW, charge, given_back, intent, refund};
use crate::contract::samples::in_state_of;

fn known() -> Known {
    Known::new(ProviderKind::Stripe, &KEYS.callback, None).expect("keys")
}

fn event(object: &Value) -> String {
    json!({
        "id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "api_version": "2020-08-27",
        "data": { "object": object }, "livemode": false,
    })
    .to_string()
}

fn read_at(at: Timestamp, signature: &str, body: &str) -> Result<Callback, NotTaken> {
    known().read(&Received { signature: Some(signature), body: body.as_bytes(), at })
}

fn read(body: &str) -> Result<Callback, NotTaken> {
    read_at(NOW, &sign(&KEYS.signing_secret, NOW, body.as_bytes()), body)
}

fn payment(order: &Order) -> Payment {
    in_state_of(payments::payment::State::Unknown, order)
}

#[test]
fn an_event_says_what_became_of_the_payment_whose_id_it_bears() {
    let (order, back) = (charge("1"), refund("1"));
    let failed = {
        let mut failed = intent(&order, "requires_payment_method");
        failed["last_payment_error"] = json!({ "code": "card_declined", "decline_code": "do_not_honor" });
        failed
    };
    let reference = || ProviderText::new(INTENT);
    for (order, object, found) in [
        (&order, intent(&order, "succeeded"), Found::Approved { reference: reference() }),
        (&order, intent(&order, "processing"), Found::Accepted { reference: Some(reference()) }),
        (&order, failed, Found::Declined { code: ProviderText::new("do_not_honor") }),
        (
            &back,
            given_back(&back, "succeeded"),
            Found::Approved { reference: ProviderText::new("re_1Nispe2eZvKYlo2Cd31jOCgZ") },
        ),
    ] {
        let callback = read(&event(&object)).expect("an event");
        let payment = payment(order);
        assert_eq!((callback.payment_id(), callback.found()), (&payment.id, &found));
        assert!(callback.is_about(&payment));
        let mut dearer = object.clone();
        dearer["amount"] = json!(2_000);
        dearer["amount_received"] = json!(2_000);
        assert!(!read(&event(&dearer)).expect("an event").is_about(&payment), "another amount");
    }
}

#[test]
fn what_the_account_does_besides_is_not_ours_and_is_no_fault() {
    let order = charge("1");
    let mut of_others = intent(&order, "succeeded");
    of_others["metadata"] = json!({ "payment_id": "of another system" });
    let mut of_a_charge = intent(&order, "succeeded");
    of_a_charge["object"] = json!("charge");
    for object in
        [of_others, of_a_charge, json!({ "object": "customer", "id": "cus_1" }), json!({ "object": "payout" })]
    {
        assert_eq!(read(&event(&object)), Err(NotTaken::Foreign));
    }
    let mut nobody = intent(&order, "succeeded");
    nobody["metadata"]["sluice_payment_id"] = json!("not an id of ours");
    let mut strange = intent(&order, "requires_news_of_2031");
    strange["amount"] = json!("1999");
    for body in [event(&nobody), event(&strange), "{}".to_owned(), "null".to_owned(), event(&intent(&order, "news"))] {
        assert_eq!(read(&body), Err(NotTaken::Unreadable), "{body}");
    }
}

#[test]
fn nothing_is_believed_that_the_secret_did_not_sign_within_five_minutes() {
    let body = event(&intent(&charge("1"), "succeeded"));
    let right = sign(&KEYS.signing_secret, NOW, body.as_bytes());
    assert!(read_at(NOW, &right, &body).is_ok());
    // As Stripe sends it: with a scheme that is not looked at.
    assert!(read_at(NOW, &format!("{right},v0={}", "0".repeat(64)), &body).is_ok());
    let forged = Err(NotTaken::Untrusted(Distrust::Forged));
    assert_eq!(read_at(NOW, &sign("whsec_another", NOW, body.as_bytes()), &body), forged);
    assert_eq!(read_at(NOW, &right, &body.replace("1999", "1")), forged);
    assert_eq!(read_at(NOW, &right.replace("v1", "v0"), &body), Err(NotTaken::Untrusted(Distrust::Unreadable)));
    // Ten minutes off, either way.
    for at in [NOW.plus_ms(600_000), NOW.minus_ms(600_000)] {
        assert_eq!(read_at(at, &right, &body), Err(NotTaken::Untrusted(Distrust::OutOfTime)));
    }
    let unsigned = known().read(&Received { signature: None, body: body.as_bytes(), at: NOW });
    assert_eq!(unsigned, Err(NotTaken::Untrusted(Distrust::Unsigned)));
    // Alipay's header, or our own, is none of Stripe's.
    assert_eq!(known().signature_header(), "stripe-signature");
}

#[test]
fn both_secrets_are_believed_while_one_is_being_changed() {
    let before = cloud::sandbox::stripe::draw();
    let both = Known::new(ProviderKind::Stripe, &KEYS.callback, Some(&before.callback)).expect("keys");
    let body = event(&intent(&charge("1"), "succeeded"));
    for secret in [&KEYS.signing_secret, &before.signing_secret] {
        let signature = sign(secret, NOW, body.as_bytes());
        assert!(both.read(&Received { signature: Some(&signature), body: body.as_bytes(), at: NOW }).is_ok());
    }
}
