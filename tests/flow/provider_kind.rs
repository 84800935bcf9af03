//! A provider of another kind than our own: what it cannot make is refused before anything is written down, and what it calls
//! back is taken in its own form.

use http::{HeaderValue, Method};
use ingest::Callbacks;
use payments::answer::{Found, ProviderText};
use payments::history;
use payments::id::PaymentId;
use payments::payment::{Payment, Reason, RefundOf, State};
use payments::provider::ProviderKind;
use payments::transition::Event;
use providers::alipay::rsa::SigningKey;
use providers::alipay::signed::content;
use providers::callback::Known;
use providers::open::callback::sign;
use serde_json::{Value, json};

use super::stage::{Answer, PROVIDER, Stage, TheIngest, UK, ask, merchant, request};
use crate::contract::samples::{in_state_of, step};
use crate::provider::{ALIPAY_KEYS, STRIPE_KEYS, alipay_charge, stripe_charge, stripe_intent};

fn ingest(stage: &Stage) -> TheIngest {
    let known = Known::new(ProviderKind::Alipay, &ALIPAY_KEYS.callback, None).unwrap();
    let callbacks = Callbacks { provider: PROVIDER.to_owned(), known };
    stage.ingest().with_callbacks(Some(callbacks)).with_provider_kind(ProviderKind::Alipay)
}

async fn create(stage: &Stage, body: &Value) -> Answer {
    ask(&ingest(stage), request(Method::POST, "/v1/payments", UK, Some(body.to_string()))).await
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_cannot_make_is_a_400_and_nothing_is_written() {
    let order = json!({
        "order_id": "A-1", "kind": "charge", "amount": 1_999, "currency": "CNY",
        "payment_method": "auth_code:28763443825664394",
    });
    for (field, value) in
        [("payment_method", json!("pm_card_visa")), ("currency", json!("GBP")), ("amount", json!(10_000_000_001_u64))]
    {
        let stage = Stage::calm();
        let mut changed = order.clone();
        changed[field] = value;
        let answer = create(&stage, &changed).await;
        assert_eq!(answer.status, 400, "{field}");
        assert_eq!(answer.document["errors"][0]["field"], field, "{}", answer.document);
        assert!(stage.table.payments().is_empty(), "{field}");
    }
    let stage = Stage::calm();
    assert_eq!(create(&stage, &order).await.status, 202);
    // What stands is told, whatever kind is deployed.
    let tokens =
        json!({ "order_id": "A-2", "kind": "charge", "amount": 1, "currency": "GBP", "payment_method": "tok_1" });
    let before = ask(&stage.ingest(), request(Method::POST, "/v1/payments", UK, Some(tokens.to_string()))).await;
    assert_eq!((before.status, create(&stage, &tokens).await.status), (202, 202));
}

fn notice(payment: &Payment, amount: &str) -> String {
    let secret: Value = serde_json::from_str(&ALIPAY_KEYS.sandbox).unwrap();
    let key = SigningKey::parse(secret["alipay_private_key"].as_str().unwrap()).unwrap();
    let form = [
        ("app_id", secret["app_id"].as_str().unwrap()),
        ("out_trade_no", payment.id.as_str()),
        ("seller_id", secret["seller_id"].as_str().unwrap()),
        ("total_amount", amount),
        ("trade_no", "2026013122001"),
        ("trade_status", "TRADE_SUCCESS"),
    ];
    let sign = key.sign(&content(form.into_iter())).unwrap();
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .extend_pairs([("sign", sign.as_str()), ("sign_type", "RSA2")])
        .finish()
}

async fn deliver(stage: &Stage, form: String, content_type: &'static str) -> (u16, String) {
    let mut request = request(Method::POST, &format!("/v1/providers/{PROVIDER}/events"), "", Some(form));
    request.headers.remove("authorization");
    request.headers.insert("content-type", HeaderValue::from_static(content_type));
    let answer = Box::pin(ingest(stage).handle(request)).await;
    let body = match answer.body {
        Some(aws_lambda_events::encodings::Body::Text(text)) => text,
        _ => String::new(),
    };
    (u16::try_from(answer.status_code).unwrap(), body)
}

const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";

#[tokio::test(start_paused = true)]
async fn a_notice_settles_and_is_answered_with_the_text_that_ends_it() {
    for state in [State::Queued, State::Sending, State::Pending, State::Unknown, State::Parked] {
        let stage = Stage::calm();
        let id = stage.stands(in_state_of(state, &alipay_charge("A-1")));
        for _ in 0..2 {
            let told = deliver(&stage, notice(&stage.payment(&id), "19.99"), FORM).await;
            assert_eq!(told, (200, "success".to_owned()), "{state:?}");
            assert_eq!((stage.payment(&id).state, stage.payment(&id).reason), (State::Succeeded, Reason::CalledBack));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_believed_changes_nothing_and_is_not_answered_with_that_text() {
    let stage = Stage::calm();
    let id = stage.stands(in_state_of(State::Unknown, &alipay_charge("A-1")));
    let right = notice(&stage.payment(&id), "19.99");
    for (form, content_type, status) in [
        (right.replace("19.99", "0.01"), FORM, 401),
        (right.replace("sign_type=RSA2", "sign_type=RSA"), FORM, 401),
        (notice(&stage.payment(&id), "0.01"), FORM, 422),
        (right.clone(), "application/json", 415),
        (right, "application/x-www-form-urlencoded; charset=GBK", 415),
    ] {
        let told = deliver(&stage, form, content_type).await;
        assert_eq!(told.0, status, "{told:?}");
        assert_ne!(told.1, "success");
        assert_eq!(stage.payment(&id).state, State::Unknown);
    }
}

fn stripes_ingest(stage: &Stage) -> TheIngest {
    let known = Known::new(ProviderKind::Stripe, &STRIPE_KEYS.callback, None).unwrap();
    let callbacks = Callbacks { provider: PROVIDER.to_owned(), known };
    stage.ingest().with_callbacks(Some(callbacks)).with_provider_kind(ProviderKind::Stripe)
}

/// A charge of Stripe's that has succeeded with this number.
fn charged(stage: &Stage, number: &str, reference: &str) -> Payment {
    let order = payments::payment::Order { merchant: merchant(UK).merchant, ..stripe_charge(number) };
    let waits = in_state_of(State::Unknown, &order);
    let found = Found::Approved { reference: ProviderText::new(reference) };
    let id = stage.stands(step(&waits, &Event::CalledBack(&found), waits.changed_at.plus_ms(1)));
    stage.payment(&id)
}

async fn give_back(stage: &Stage, number: &str) -> Answer {
    let body = json!({
        "order_id": format!("{number}-back"), "kind": "refund", "amount": 500, "currency": "EUR",
        "original_order_id": number,
    });
    ask(&stripes_ingest(stage), request(Method::POST, "/v1/payments", UK, Some(body.to_string()))).await
}

#[tokio::test(start_paused = true)]
async fn a_refund_at_stripe_bears_its_charges_intent_for_ever() {
    let stage = Stage::calm();
    charged(&stage, "A-1", "pi_3MtwBw");
    let answer = give_back(&stage, "A-1").await;
    assert_eq!(answer.status, 202, "{}", answer.document);
    // A repeat is the same order, and is told so.
    assert_eq!(give_back(&stage, "A-1").await.status, 202);
    let refund = stage.payment(&PaymentId::new(answer.text("id").to_owned()).unwrap());
    let Some(RefundOf::Charge { reference: Some(reference), .. }) = &refund.order.refund_of else {
        panic!("no reference: {:?}", refund.order.refund_of);
    };
    assert_eq!(reference.as_str(), "pi_3MtwBw");
    // Whoever changes it by hand is found.
    let keys = simulator::run::policy().history_keys;
    assert!(history::verify(&refund, &keys).holds());
    for other in [Some(ProviderText::new("pi_another")), None] {
        let mut changed = refund.clone();
        if let Some(RefundOf::Charge { reference, .. }) = &mut changed.order.refund_of {
            *reference = other;
        }
        assert!(!history::verify(&changed, &keys).holds());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refund_whose_charge_has_no_intent_is_refused_before_anything_is_written() {
    let stage = Stage::calm();
    let missing = give_back(&stage, "A-1").await;
    assert_eq!((missing.status, missing.document["errors"][0]["field"].as_str()), (409, Some("original_order_id")));
    let order = payments::payment::Order { merchant: merchant(UK).merchant, ..stripe_charge("A-1") };
    stage.stands(in_state_of(State::Pending, &order));
    let pending = give_back(&stage, "A-1").await;
    assert_eq!(pending.status, 409, "{}", pending.document);
    // Settled by a person, who named what Stripe does not know.
    charged(&stage, "A-2", "seen_in_the_dashboard");
    let by_hand = give_back(&stage, "A-2").await;
    assert_eq!((by_hand.status, by_hand.document["errors"][0]["field"].as_str()), (400, Some("original_order_id")));
    assert_eq!(stage.table.payments().len(), 2, "the charges alone");
}

async fn tell(stage: &Stage, object: &Value, secret: &str) -> (u16, Value) {
    let event =
        json!({ "id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "data": { "object": object } });
    let mut request = request(Method::POST, &format!("/v1/providers/{PROVIDER}/events"), "", Some(event.to_string()));
    request.headers.remove("authorization");
    let signature = sign(secret, stage.now(), event.to_string().as_bytes());
    request.headers.insert("stripe-signature", HeaderValue::from_str(&signature).unwrap());
    // Another contract's header says nothing here.
    request.headers.insert("sluice-signature", HeaderValue::from_static("t=1,v1=00"));
    let answer = stripes_ingest(stage).handle(request).await;
    let body = match answer.body {
        Some(aws_lambda_events::encodings::Body::Text(text)) => serde_json::from_str(&text).unwrap(),
        _ => Value::Null,
    };
    (u16::try_from(answer.status_code).unwrap(), body)
}

#[tokio::test(start_paused = true)]
async fn an_event_of_stripes_settles_and_what_is_not_ours_is_answered_all_the_same() {
    for state in [State::Queued, State::Sending, State::Pending, State::Unknown, State::Parked] {
        let stage = Stage::calm();
        let order = stripe_charge("A-1");
        let id = stage.stands(in_state_of(state, &order));
        let done = stripe_intent(&order, "succeeded");
        let mut of_others = done.clone();
        of_others["metadata"] = json!({});
        let mut dearer = done.clone();
        dearer["amount"] = json!(1);
        dearer["amount_received"] = json!(1);
        assert_eq!(tell(&stage, &of_others, &STRIPE_KEYS.signing_secret).await, (200, json!({ "payment_id": null })));
        assert_eq!(tell(&stage, &dearer, &STRIPE_KEYS.signing_secret).await.0, 422);
        assert_eq!(tell(&stage, &done, "whsec_ofsomebodyelse").await.0, 401);
        assert_eq!(stage.payment(&id).state, state);
        for _ in 0..2 {
            let told = tell(&stage, &done, &STRIPE_KEYS.signing_secret).await;
            assert_eq!(told, (200, json!({ "payment_id": id.as_str() })), "{state:?}");
            assert_eq!((stage.payment(&id).state, stage.payment(&id).reason), (State::Succeeded, Reason::CalledBack));
        }
    }
}
