//! The `Idempotency-Key` header: one key, one order; without one nothing changes.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use http::{HeaderValue, Method};
use payments::limit::Limit;
use payments::payment::{Payment, State};
use serde_json::{Value, json};

use super::failing::{Call, Failing, Fate};
use super::stage::{FRANCE, Stage, UK, ask, cancel, charge, post, request};
use crate::contract::samples::in_state;

fn keyed(body: &Value, key: &str) -> ApiGatewayV2httpRequest {
    with_key(post(body), key)
}

fn with_key(mut request: ApiGatewayV2httpRequest, key: &str) -> ApiGatewayV2httpRequest {
    request.headers.insert("idempotency-key", HeaderValue::from_bytes(key.as_bytes()).unwrap());
    request
}

#[tokio::test(start_paused = true)]
async fn a_client_that_makes_up_a_new_order_for_each_try_under_one_key_pays_once() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let first = ask(&ingest, keyed(&charge("try-1"), "checkout-17")).await;
    assert_eq!(first.status, 202);
    for (order, key) in [("try-2", "checkout-17"), ("try-3", "\"checkout-17\"")] {
        let again = ask(&ingest, keyed(&charge(order), key)).await;
        assert_eq!((again.status, again.problem()), (422, "idempotency-key-reused"), "{order}");
        assert_eq!((again.text("payment_id"), again.text("state")), (first.text("id"), "queued"));
        assert!(again.text("detail").contains("is queued") && !again.text("detail").contains("another key"));
    }
    assert_eq!(stage.table.payments().len(), 1);
    // The same order is a repeat, whatever key it comes with.
    for key in ["checkout-17", "checkout-18"] {
        let repeat = ask(&ingest, keyed(&charge("try-1"), key)).await;
        assert_eq!((repeat.status, repeat.header("idempotent-replayed")), (202, Some("true")), "{key}");
    }
    // Both keys are that order's by then, and the same order with another body says which fields differ.
    assert_eq!(ask(&ingest, keyed(&charge("try-4"), "checkout-18")).await.problem(), "idempotency-key-reused");
    let mut other = charge("try-1");
    other["amount"] = json!(1);
    assert_eq!(ask(&ingest, keyed(&other, "checkout-17")).await.problem(), "different-request");
}

#[tokio::test(start_paused = true)]
async fn it_costs_one_call_and_nothing_without_one() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    ask(&ingest, post(&charge("0"))).await;
    for (request, calls) in [
        (post(&charge("1")), 2),
        (post(&charge("1")), 1),
        (keyed(&charge("2"), "k"), 3),
        (keyed(&charge("2"), "k"), 2),
        (keyed(&charge("3"), "k"), 2),
    ] {
        let before = stage.world.ios();
        ask(&ingest, request).await;
        assert_eq!(stage.world.ios() - before, calls);
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_orders_with_one_key_at_once_one_is_taken() {
    for _ in 0..20 {
        let stage = Stage::calm();
        let ingest = stage.ingest();
        let (one, other) = (keyed(&charge("1"), "k"), keyed(&charge("2"), "k"));
        let (one, other) = tokio::join!(ask(&ingest, one), ask(&ingest, other));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!((statuses, stage.table.payments().len()), ([202, 422], 1));
    }
}

#[tokio::test(start_paused = true)]
async fn another_merchants_same_key_is_another_key() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let theirs = request(Method::POST, "/v1/payments", FRANCE, Some(charge("2").to_string()));
    assert_eq!(ask(&ingest, keyed(&charge("1"), "k")).await.status, 202);
    assert_eq!(ask(&ingest, with_key(theirs, "k")).await.status, 202);
}

/// What was refused has not used its key up, and a write that failed leaves it to the same order.
#[tokio::test(start_paused = true)]
async fn a_key_is_used_up_only_where_its_order_may_have_been_written() {
    let stage = Stage::calm();
    let ingest = stage.admitting(Limit::usual(1_000), 1);
    let mut faulty = charge("0");
    faulty["amount"] = json!(0);
    assert_eq!(ask(&ingest, keyed(&faulty, "k")).await.status, 400);
    assert_eq!(ask(&ingest, post(&charge("first"))).await.status, 202);
    assert_eq!(ask(&ingest, keyed(&charge("1"), "k")).await.problem(), "lane-full");
    let ingest = stage.ingest();
    assert_eq!(ask(&ingest, keyed(&charge("2"), "k")).await.status, 202);

    for (fate, problem) in [(Fate::Refused, "not-written"), (Fate::AnswerLost, "may-be-accepted")] {
        let stage = Stage::calm();
        let failing = stage.ingest_over(Failing::new(stage.store(), &[(Call::Put, fate)]));
        assert_eq!(ask(&failing, keyed(&charge("1"), "k")).await.problem(), problem);
        let other = ask(&stage.ingest(), keyed(&charge("2"), "k")).await;
        assert_eq!((other.status, other.problem()), (422, "idempotency-key-reused"), "{fate:?}");
        assert_eq!(other.document.get("state").is_some(), fate == Fate::AnswerLost, "{fate:?}");
        assert_eq!(ask(&stage.ingest(), keyed(&charge("1"), "k")).await.status, 202, "{fate:?}");
    }
    for fate in [Fate::Refused, Fate::AnswerLost, Fate::Hangs] {
        let stage = Stage::calm();
        let failing = stage.ingest_over(Failing::new(stage.store(), &[(Call::Bind, fate)]));
        let answer = ask(&failing, keyed(&charge("1"), "k")).await;
        assert_eq!((answer.status, answer.problem()), (503, "not-written"), "{fate:?}");
        assert_eq!(stage.table.payments(), []);
        assert_eq!(ask(&stage.ingest(), keyed(&charge("1"), "k")).await.status, 202, "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reused_key_says_where_the_first_order_stands() {
    for &state in State::ALL {
        let stage = Stage::calm();
        let ingest = stage.ingest();
        ask(&ingest, keyed(&charge("1"), "k")).await;
        let Payment { id, order, fingerprint, .. } = stage.table.payments().remove(0);
        stage.table.set(Payment { id, order, fingerprint, ..in_state(state) });
        let answer = ask(&ingest, keyed(&charge("2"), "k")).await;
        assert_eq!((answer.problem(), answer.text("state")), ("idempotency-key-reused", state.as_str()));
    }
}

/// To cancel is safe to repeat by itself, so a key means nothing there and is not used up.
#[tokio::test(start_paused = true)]
async fn a_cancelation_needs_no_key() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let id = ask(&Stage::calm().ingest(), post(&charge("1"))).await.text("id").to_owned();
    let canceled = ask(&ingest, with_key(cancel(&id, Some(&charge("1"))), "k")).await;
    assert_eq!((canceled.status, canceled.text("state")), (200, "canceled"));
    assert_eq!(ask(&ingest, keyed(&charge("2"), "k")).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_key_in_any_other_form_is_refused_by_name() {
    for key in ["", "\"\"", "a,a", "\"a\",\"a\"", "\"a", "a\"b", "\"a\\n\"", "\"a\";q=1", "a b", "ü", "\"ü\""] {
        let answer = ask(&Stage::calm().ingest(), keyed(&charge("1"), key)).await;
        assert_eq!((answer.status, answer.fields()), (400, vec!["Idempotency-Key"]), "{key}");
    }
    let long = "k".repeat(129);
    let twice = ask(&Stage::calm().ingest(), keyed(&charge("1"), "a,a")).await;
    assert!(twice.text("detail").contains("twice"), "{twice:?}");
    assert_eq!(ask(&Stage::calm().ingest(), keyed(&charge("1"), &long)).await.fields(), ["Idempotency-Key"]);
    for key in ["k", "\"k\"", "8e03978e-40d5-43e8-bc93-6894a57f9324", "\"a, b\\\\c\\\"\"", &long[1..]] {
        assert_eq!(ask(&Stage::calm().ingest(), keyed(&charge("1"), key)).await.status, 202, "{key}");
    }
    let mut without_a_body = request(Method::GET, "/v1/payments/pay_1", UK, None);
    without_a_body.headers.insert("idempotency-key", HeaderValue::from_static("a,a"));
    assert_eq!(ask(&Stage::calm().ingest(), without_a_body).await.status, 404, "it means nothing to a look");
}
