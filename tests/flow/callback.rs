//! The provider's callback through `ingest`: it settles in any order with everybody else, and what is forged, old,
//! repeated or about nothing of ours changes nothing.

use http::{HeaderValue, Method};
use payments::payment::{Payment, Reason, State};
use payments::time::Timestamp;
use payments::transition::Recovery;
use providers::open::callback::{TOLERANCE_MS, sign};
use serde_json::{Value, json};
use simulator::Faults;
use simulator::memory::queue::Name;

use super::stage::{
    Answer, CALLBACK_KEY, CALLBACK_KEY_BEFORE, PROVIDER, Stage, TheIngest, ask, message_for, request, seconds,
};
use crate::contract::samples::in_state;

pub(super) fn about(payment: &Payment, status: &str) -> Value {
    json!({
        "status": status,
        "payment_id": payment.id.as_str(),
        "amount": payment.order.money.amount(),
        "currency": payment.order.money.currency().code(),
        "reference": "ref-called-back",
        "code": "insufficient_funds",
    })
}

async fn deliver(stage: &Stage, provider: &str, body: &str, signature: Option<String>) -> Answer {
    deliver_to(&stage.ingest(), provider, body, signature).await
}

async fn deliver_to(ingest: &TheIngest, provider: &str, body: &str, signature: Option<String>) -> Answer {
    let path = format!("/v1/providers/{provider}/events");
    let mut request = request(Method::POST, &path, "", Some(body.to_owned()));
    request.headers.remove("authorization");
    if let Some(signature) = signature {
        request.headers.insert("sluice-signature", HeaderValue::from_str(&signature).unwrap());
    }
    ask(ingest, request).await
}

pub(super) async fn call_back(stage: &Stage, body: &Value) -> Answer {
    let body = body.to_string();
    let signature = sign(CALLBACK_KEY, stage.now(), body.as_bytes());
    deliver(stage, PROVIDER, &body, Some(signature)).await
}

const OPEN: [State; 5] = [State::Queued, State::Sending, State::Pending, State::Unknown, State::Parked];

#[tokio::test(start_paused = true)]
async fn every_open_payment_takes_the_providers_success_and_its_decline() {
    for state in OPEN {
        for (status, end) in [("approved", State::Succeeded), ("declined", State::Declined)] {
            let stage = Stage::calm();
            let id = stage.stands(in_state(state));
            let ios = stage.world.ios();
            let answer = call_back(&stage, &about(&stage.payment(&id), status)).await;
            assert_eq!((answer.status, answer.text("payment_id")), (200, id.as_str()), "{state:?}");
            assert_eq!(stage.world.ios() - ios, 2, "one read, one write");
            let payment = stage.payment(&id);
            assert_eq!((payment.state, payment.reason), (end, Reason::CalledBack), "{state:?}");
            assert!(payment.provider_text.is_some() && payment.open_shard.is_none());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_one_is_pending_from_then_on() {
    for state in [State::Queued, State::Unknown] {
        let stage = Stage::calm();
        let id = stage.stands(in_state(state));
        assert_eq!(call_back(&stage, &about(&stage.payment(&id), "accepted")).await.status, 200);
        let payment = stage.payment(&id);
        assert!(payment.state == State::Pending && payment.acknowledged, "{payment:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_one_is_answered_alike_and_writes_nothing() {
    let stage = Stage::calm();
    let id = stage.stands(in_state(State::Unknown));
    let body = about(&stage.payment(&id), "approved");
    call_back(&stage, &body).await;
    let once = stage.payment(&id);
    let ios = stage.world.ios();
    for status in ["approved", "declined", "accepted"] {
        assert_eq!(call_back(&stage, &about(&once, status)).await.status, 200, "{status}");
    }
    assert_eq!(stage.world.ios() - ios, 3, "three reads");
    assert_eq!(stage.payment(&id), once);
}

#[tokio::test(start_paused = true)]
async fn what_ended_otherwise_becomes_a_case_once_and_keeps_its_end() {
    for end in [State::Declined, State::Canceled, State::Expired] {
        let stage = Stage::calm();
        let id = stage.stands(in_state(end));
        let body = about(&stage.payment(&id), "approved");
        assert_eq!(call_back(&stage, &body).await.status, 200);
        let case = stage.payment(&id);
        assert!(case.state == end && case.has_open_case() && case.forget_at.is_none(), "{case:?}");
        assert_eq!(call_back(&stage, &body).await.status, 200);
        assert_eq!(stage.payment(&id), case);
    }
}

#[tokio::test(start_paused = true)]
async fn forged_old_and_unsigned_ones_change_nothing_and_read_nothing() {
    let stage = Stage::calm();
    let id = stage.stands(in_state(State::Unknown));
    let before = stage.payment(&id);
    let body = about(&before, "approved").to_string();
    let signed = |key: &str, at: Timestamp, body: &str| Some(sign(key, at, body.as_bytes()));
    let now = stage.now();
    let ios = stage.world.ios();
    for signature in [
        None,
        Some("t=1,v1=00".to_owned()),
        signed("callback_key_of_somebody_else_000", now, &body),
        signed(CALLBACK_KEY, now, &about(&before, "declined").to_string()),
        signed(CALLBACK_KEY, now.minus_ms(TOLERANCE_MS + 1_000), &body),
        signed(CALLBACK_KEY, now.plus_ms(TOLERANCE_MS + 2_000), &body),
    ] {
        let answer = deliver(&stage, PROVIDER, &body, signature.clone()).await;
        assert_eq!((answer.status, answer.problem()), (401, "untrusted-callback"), "{signature:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Sluice-Signature"));
    }
    let elsewhere = deliver(&stage, "another", &body, signed(CALLBACK_KEY, now, &body)).await;
    assert_eq!((elsewhere.status, elsewhere.problem()), (401, "unauthorized"));
    assert_eq!((stage.world.ios(), stage.payment(&id)), (ios, before.clone()));
    // The key before is still good, and so is what is nearly too old.
    let answer =
        deliver(&stage, PROVIDER, &body, signed(CALLBACK_KEY_BEFORE, now.minus_ms(TOLERANCE_MS - 2_000), &body)).await;
    assert_eq!((answer.status, stage.payment(&id).state), (200, State::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn what_is_about_nothing_of_ours_is_a_problem_and_no_state() {
    let stage = Stage::calm();
    let unknown = in_state(State::Unknown);
    let answer = call_back(&stage, &about(&unknown, "approved")).await;
    assert_eq!((answer.status, answer.problem()), (404, "unknown-payment"));
    assert_eq!(answer.text("payment_id"), unknown.id.as_str());

    let id = stage.stands(unknown);
    let before = stage.payment(&id);
    for (field, value) in [("amount", json!(before.order.money.amount() + 1)), ("currency", json!("EUR"))] {
        let mut body = about(&before, "approved");
        body[field] = value;
        let answer = call_back(&stage, &body).await;
        assert_eq!((answer.status, answer.problem()), (422, "contradicting-callback"), "{field}");
    }
    let answer = call_back(&stage, &about(&before, "refunded")).await;
    assert_eq!((answer.status, answer.problem()), (400, "unreadable-callback"));
    assert_eq!(stage.payment(&id), before);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_down_asks_for_it_again() {
    for faults in [Faults { throttle: 1.0, ..Faults::none() }, Faults { unresolved: 1.0, ..Faults::none() }] {
        let stage = Stage::new(faults);
        let id = stage.stands(in_state(State::Unknown));
        let answer = call_back(&stage, &about(&stage.payment(&id), "approved")).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    }
}

#[tokio::test(start_paused = true)]
async fn the_message_of_what_was_called_back_is_done_without_a_call() {
    let stage = Stage::calm();
    let id = stage.stands(in_state(State::Unknown));
    let event = stage.batch(Name::High, &[message_for(&stage, &stage.payment(&id))]);
    call_back(&stage, &about(&stage.payment(&id), "approved")).await;
    seconds(1).await;
    let response = stage.consume(event).await;
    assert!(response.batch_item_failures.is_empty());
    assert_eq!(stage.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_key_there_is_no_such_path() {
    let stage = Stage::calm();
    let id = stage.stands(in_state(State::Unknown));
    let body = about(&stage.payment(&id), "approved").to_string();
    let signature = sign(CALLBACK_KEY, stage.now(), body.as_bytes());
    let mut request = request(Method::POST, &format!("/v1/providers/{PROVIDER}/events"), "", Some(body));
    request.headers.insert("sluice-signature", HeaderValue::from_str(&signature).unwrap());
    let ingest = stage.ingest().with_callbacks(None);
    let answer = ask(&ingest, request).await;
    assert_eq!((answer.status, answer.problem()), (401, "unauthorized"));
    assert_eq!(stage.payment(&id).state, State::Unknown);
}

/// A restore may have lost what a callback is about, and what it has not lost is settled as ever.
#[tokio::test(start_paused = true)]
async fn after_a_restore_a_callback_still_finds_what_is_here() {
    let stage = Stage::calm();
    let recovery = Recovery { point: stage.now().minus_ms(3_600_000), at: stage.now() };
    let ingest = stage.ingest().with_recovery(Some(recovery));
    let (here, gone) = (stage.stands(in_state(State::Unknown)), in_state(State::Unknown));
    for (payment, status) in [(stage.payment(&here), 200), (gone, 404)] {
        let body = about(&payment, "approved").to_string();
        let signature = sign(CALLBACK_KEY, stage.now(), body.as_bytes());
        assert_eq!(deliver_to(&ingest, PROVIDER, &body, Some(signature)).await.status, status);
    }
    assert_eq!(stage.payment(&here).state, State::Succeeded);
}
