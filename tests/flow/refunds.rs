//! Refunds of our own charges: never more than was paid, never of what was not.

use http::Method;
use payments::id::PaymentId;
use payments::payment::State;
use serde_json::{Value, json};
use simulator::memory::queue::Name;

use super::callback::{about, call_back};
use super::stage::{FRANCE, Stage, TheIngest, ask, cancel, charge, get, post, request};
use crate::contract::samples::{accepted, charged, order};

fn refund(order_id: &str, amount: u64, original: &str) -> Value {
    json!({ "order_id": order_id, "kind": "refund", "amount": amount, "currency": "GBP", "original_order_id": original })
}

#[tokio::test(start_paused = true)]
async fn two_refunds_of_60_on_100_cannot_both_pass() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let id = stage.stands(charged(100));
    let original = stage.payment(&id).order.order_id.as_str().to_owned();
    let (one, two) = (post(&refund("C1", 60, &original)), post(&refund("C2", 60, &original)));
    let (one, two) = tokio::join!(ask(&ingest, one), ask(&ingest, two));
    let (taken, other) = if one.status == 202 { (one, two) } else { (two, one) };
    assert_eq!((taken.status, other.status), (202, 409));
    assert_eq!((other.problem(), other.fields()), ("charge-refused", vec!["amount"]));
    assert_eq!(stage.payment(&id).refundable, Some(40));
    assert_eq!((stage.table.payments().len(), stage.queues.depth(Name::Standard)), (2, 1));

    // What is left can be given back, and not a penny more.
    assert_eq!(ask(&ingest, post(&refund("C3", 40, &original))).await.status, 202);
    assert_eq!(ask(&ingest, post(&refund("C4", 1, &original))).await.status, 409);

    // A refund that is taken back gives its amount back too.
    assert_eq!(ask(&ingest, cancel(taken.text("id"), None)).await.text("state"), "canceled");
    assert_eq!(stage.payment(&id).refundable, Some(60));
}

#[tokio::test(start_paused = true)]
async fn a_refund_repeated_reserves_once() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let id = stage.stands(charged(100));
    let original = stage.payment(&id).order.order_id.as_str().to_owned();
    for _ in 0..3 {
        assert_eq!(ask(&ingest, post(&refund("C1", 60, &original))).await.status, 202);
    }
    assert_eq!(stage.payment(&id).refundable, Some(40));
}

#[tokio::test(start_paused = true)]
async fn only_a_charge_that_succeeded_and_is_ones_own_can_be_refunded() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let queued = accepted(order());
    stage.stands(queued.clone());
    let done = charged(100);
    stage.stands(done.clone());
    let mut declined = charged(100);
    declined.state = State::Declined;
    stage.stands(declined.clone());
    let before = stage.table.payments();

    for original in [queued.order.order_id.as_str(), declined.order.order_id.as_str(), "nowhere"] {
        let answer = ask(&ingest, post(&refund("C1", 60, original))).await;
        assert_eq!(
            (answer.status, answer.problem(), answer.fields()),
            (409, "charge-refused", vec!["original_order_id"]),
            "{original}"
        );
    }
    let body = refund("C1", 60, done.order.order_id.as_str()).to_string();
    assert_eq!(ask(&ingest, request(Method::POST, "/v1/payments", FRANCE, Some(body))).await.status, 409, "not theirs");
    let mut dollars = refund("C1", 60, done.order.order_id.as_str());
    dollars["currency"] = json!("USD");
    let answer = ask(&ingest, post(&dollars)).await;
    assert_eq!((answer.status, answer.fields()), (409, vec!["currency"]), "another currency");
    assert_eq!(stage.table.payments(), before);
    assert_eq!(stage.queues.depth(Name::Standard), 0);
}

/// What the API says is left of a charge.
async fn shown(ingest: &TheIngest, id: &PaymentId) -> u64 {
    let answer = ask(ingest, get(&format!("/v1/payments/{id}"))).await;
    answer.document["refundable_amount"].as_u64().unwrap()
}

/// Charge 100; refund 60 declined, and approved by the provider's late callback; then 100 are asked for.
#[tokio::test(start_paused = true)]
async fn a_refund_that_was_done_after_all_leaves_the_rest_to_others() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let id = stage.stands(charged(100));
    let original = stage.payment(&id).order.order_id.as_str().to_owned();
    let first = ask(&ingest, post(&refund("C1", 60, &original))).await;
    let first = PaymentId::new(first.text("id")).unwrap();
    for (status, left) in [("declined", 100), ("approved", 40)] {
        assert_eq!(call_back(&stage, &about(&stage.payment(&first), status)).await.status, 200);
        assert_eq!(shown(&ingest, &id).await, left, "{status}");
    }
    assert!(stage.payment(&first).state == State::Declined && stage.payment(&first).has_open_case());

    let refused = ask(&ingest, post(&refund("C2", 100, &original))).await;
    assert_eq!((refused.status, refused.problem()), (409, "charge-refused"), "160 would go back on 100");
    assert_eq!(ask(&ingest, post(&refund("C3", 40, &original))).await.status, 202);
    assert_eq!(shown(&ingest, &id).await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_unlinked_refund_needs_no_charge() {
    let stage = Stage::calm();
    let mut body = charge("C536379");
    body["kind"] = json!("refund");
    body["unlinked"] = json!(true);
    assert_eq!(ask(&stage.ingest(), post(&body)).await.status, 202);
}
