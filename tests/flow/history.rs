//! The story that a merchant is told: `GET /v1/payments/{id}/history`.

use http::Method;
use payments::answer::{Found, SendAnswer, Unclear};
use payments::history::{Link, verify};
use payments::payment::{Reason, State};
use payments::transition::Event;
use serde_json::{Value, json};

use super::stage::{FRANCE, Stage, ask, charge, get, post, request};
use crate::contract::samples::{NOW, claim_of, full_order, held, history_keys, in_state, policy, reference, step};

#[tokio::test(start_paused = true)]
async fn a_merchant_is_told_every_line_with_its_time_and_reason_and_the_head() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let queued = crate::contract::samples::accepted(full_order());
    let sending = claim_of(&queued).apply(&queued, &policy()).unwrap();
    let silence = SendAnswer::Unclear(Unclear::TimedOut);
    let unknown =
        step(&sending, &Event::SendAnswered { claim: &held(&sending), answer: &silence }, NOW.plus_ms(10_000));
    let approved = Found::Approved { reference: reference() };
    let paid = step(&unknown, &Event::CalledBack(&approved), NOW.plus_ms(11_500));
    let id = stage.stands(paid.clone());
    let before = stage.world.ios();
    let answer = ask(&ingest, get(&format!("/v1/payments/{id}/history"))).await;
    assert_eq!(answer.status, 200);
    assert!(stage.world.ios() - before <= 2, "the merchant's record and the item");
    let line = |at: &str, state: &str, reason: Reason, attempt: u32| {
        json!({ "at": at, "state": state, "reason": reason.as_str(), "explanation": reason.sentence(),
                "attempt": attempt, "times": 1 })
    };
    let mut lines = [
        line("2025-11-24T16:00:00.000Z", "queued", Reason::Accepted, 0),
        line("2025-11-24T16:00:00.000Z", "sending", Reason::Claimed, 1),
        line("2025-11-24T16:00:10.000Z", "unknown", Reason::TimedOut, 1),
        line("2025-11-24T16:00:11.500Z", "succeeded", Reason::CalledBack, 1),
    ];
    lines[2]["call"] = json!("send");
    lines[3]["provider_text"] = json!(reference().as_str());
    let head = paid.history_head().unwrap().to_string();
    let expected =
        json!({ "id": id.as_str(), "state": "succeeded", "reason": "called_back", "head": head, "lines": lines });
    assert_eq!(answer.document, expected);
    // The same head is in the status, so that a merchant holds what the history can be checked against.
    let status = ask(&ingest, get(&format!("/v1/payments/{id}"))).await;
    assert_eq!(status.text("history_head"), head);
}

#[tokio::test(start_paused = true)]
async fn a_history_is_its_merchants_own_and_only_to_be_read() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let paid = ask(&ingest, post(&charge("536365"))).await;
    let path = format!("/v1/payments/{}/history", paid.text("id"));
    assert_eq!(ask(&ingest, request(Method::GET, &path, FRANCE, None)).await.problem(), "payment-not-found");
    assert_eq!(ask(&ingest, request(Method::GET, &path, "nobody's", None)).await.problem(), "unauthorized");
    assert_eq!(ask(&ingest, get("/v1/payments/pay_x/history")).await.problem(), "payment-not-found");
    let posted = ask(&ingest, request(Method::POST, &path, super::stage::UK, None)).await;
    assert_eq!((posted.problem(), posted.header("allow")), ("method-not-allowed", Some("GET")));
}

#[tokio::test(start_paused = true)]
async fn each_state_has_a_history_that_holds_and_an_older_item_has_one_without_a_head() {
    for &state in State::ALL {
        let stage = Stage::calm();
        let ingest = stage.ingest();
        let payment = in_state(state);
        if state != State::Parked {
            assert!(verify(&payment, &history_keys()).holds(), "{state:?}");
        }
        let id = stage.stands(payment.clone());
        let answer = ask(&ingest, get(&format!("/v1/payments/{id}/history"))).await;
        let lines = answer.document["lines"].as_array().unwrap();
        assert_eq!(lines.last().unwrap()["state"], state.as_str());
        assert!(Link::parse(answer.text("head")).is_some());

        let mut older = payment;
        older.chain = None;
        older.history.iter_mut().for_each(|entry| entry.tag = None);
        stage.table.set(older);
        let answer = ask(&ingest, get(&format!("/v1/payments/{id}/history"))).await;
        assert_eq!((answer.status, &answer.document["head"]), (200, &Value::Null));
    }
}
