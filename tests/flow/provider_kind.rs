//! A provider of another kind than our own: what it cannot make is refused before anything is written down, and what it calls
//! back is taken in its own form.

use http::{HeaderValue, Method};
use ingest::Callbacks;
use payments::payment::{Payment, Reason, State};
use payments::provider::ProviderKind;
use providers::alipay::rsa::SigningKey;
use providers::alipay::signed::content;
use providers::callback::Known;
use serde_json::{Value, json};

use super::stage::{Answer, PROVIDER, Stage, TheIngest, UK, ask, request};
use crate::contract::samples::in_state_of;
use crate::provider::{ALIPAY_KEYS, alipay_charge};

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
