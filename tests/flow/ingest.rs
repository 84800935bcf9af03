//! One request to `ingest`: I6, and that nobody sees or pays anything but their own.

use http::Method;
use payments::payment::{Payment, State};
use serde_json::{Value, json};
use simulator::memory::queue::Name;

use super::stage::{FRANCE, Stage, UK, ask, cancel, charge, get, post, request, seconds};
use crate::contract::samples::in_state;

#[tokio::test(start_paused = true)]
async fn a_new_payment_is_one_write_and_one_message() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    // The merchant's record is read with the first request, and then believed for a minute.
    assert_eq!(ask(&ingest, post(&charge("536364"))).await.status, 202);
    let before = stage.world.ios();
    let answer = ask(&ingest, post(&charge("536365"))).await;
    assert_eq!((answer.status, stage.world.ios() - before), (202, 2));
    assert_eq!(
        (answer.text("state"), answer.text("reason"), answer.text("order_id")),
        ("queued", "accepted", "536365")
    );
    assert_eq!((&answer.document["amount"], answer.text("currency")), (&json!(13_912), "GBP"));
    assert_eq!(answer.header("location"), Some(format!("/v1/payments/{}", answer.text("id")).as_str()));
    assert_eq!(answer.header("idempotent-replayed"), None);
    assert_eq!((stage.table.payments().len(), stage.queues.depth(Name::Standard)), (2, 2));

    seconds(61).await;
    let before = stage.world.ios();
    ask(&ingest, post(&charge("536366"))).await;
    assert_eq!(stage.world.ios() - before, 3, "after a minute the merchant's record is read again");
}

#[tokio::test(start_paused = true)]
async fn the_same_request_twice_is_one_payment_one_id_and_one_message() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let (first, second) = tokio::join!(ask(&ingest, post(&charge("536365"))), ask(&ingest, post(&charge("536365"))));
    assert_eq!((first.status, second.status), (202, 202));
    let replayed = [&first, &second].map(|answer| answer.header("idempotent-replayed").is_some());
    assert!(replayed[0] != replayed[1], "one of the two was there before");
    let before = stage.world.ios();
    let third = ask(&ingest, post(&charge("536365"))).await;
    assert_eq!((third.status, third.header("idempotent-replayed")), (202, Some("true")));
    assert_eq!(stage.world.ios() - before, 1, "a replay is one call");
    assert!(first.text("id") == second.text("id") && first.text("id") == third.text("id"));
    assert_eq!((stage.table.payments().len(), stage.queues.depth(Name::Standard)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_same_order_with_another_body_is_refused_and_changes_nothing() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let first = ask(&ingest, post(&charge("536365"))).await;
    let before = stage.table.payments();
    for (field, value) in
        [("amount", json!(1)), ("currency", json!("EUR")), ("customer", json!("17850")), ("priority", json!("high"))]
    {
        let mut body = charge("536365");
        body[field] = value;
        let answer = ask(&ingest, post(&body)).await;
        assert_eq!((answer.status, answer.problem()), (422, "different-request"), "{field}");
        assert_eq!((answer.text("payment_id"), answer.text("state")), (first.text("id"), "queued"), "{field}");
        assert_eq!(answer.fields(), [field], "{answer:?}");
    }
    assert_eq!(stage.table.payments(), before);
    assert_eq!((stage.queues.depth(Name::Standard), stage.queues.depth(Name::High)), (1, 0));
    // Another kind of the same number is another payment.
    let mut payout = charge("536365");
    payout["kind"] = json!("payout");
    assert_eq!(ask(&ingest, post(&payout)).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_is_told_what_is_true_now() {
    for &state in State::ALL {
        let stage = Stage::calm();
        let ingest = stage.ingest();
        let first = ask(&ingest, post(&charge("536365"))).await;
        let stands = stage.table.payments().remove(0);
        stage.table.set(Payment {
            order: stands.order,
            id: stands.id,
            fingerprint: stands.fingerprint,
            ..in_state(state)
        });
        let answer = ask(&ingest, post(&charge("536365"))).await;
        assert_eq!(answer.status, if state.is_terminal() { 200 } else { 202 }, "{state:?}");
        assert_eq!((answer.text("state"), answer.text("id")), (state.as_str(), first.text("id")));
        assert_eq!(answer.header("idempotent-replayed"), Some("true"), "{state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_is_found_by_its_id_and_by_its_order() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let paid = ask(&ingest, post(&charge("536365"))).await;
    let by_id = ask(&ingest, get(&format!("/v1/payments/{}", paid.text("id")))).await;
    let search = |kind: &str, order_id: &str| {
        let mut request = get("/v1/payments");
        request.raw_query_string = Some(format!("kind={kind}&order_id={order_id}"));
        request
    };
    let by_order = ask(&ingest, search("charge", "536365")).await;
    assert_eq!((by_id.status, by_order.status), (200, 200));
    assert_eq!((&by_id.document, &by_order.document), (&paid.document, &paid.document));
    for (kind, order_id) in [("refund", "536365"), ("charge", "536366")] {
        assert_eq!(ask(&ingest, search(kind, order_id)).await.problem(), "payment-not-found");
    }
    // A named stage is part of the path.
    let mut staged = get(&format!("/live/v1/payments/{}", paid.text("id")));
    staged.request_context.stage = Some("live".to_owned());
    assert_eq!(ask(&ingest, staged).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn another_merchants_payment_is_not_there() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let paid = ask(&ingest, post(&charge("536365"))).await;
    let path = format!("/v1/payments/{}", paid.text("id"));
    let before = stage.table.payments();
    for (method, path, body) in [
        (Method::GET, path.clone(), None),
        (Method::POST, format!("{path}/cancel"), None),
        (Method::POST, format!("{path}/cancel"), Some(charge("536365").to_string())),
    ] {
        let answer = ask(&ingest, request(method, &path, FRANCE, body)).await;
        assert_eq!((answer.status, answer.problem()), (404, "payment-not-found"));
    }
    assert_eq!(stage.table.payments(), before);
    // The same order number of another merchant's is another payment.
    let theirs = ask(&ingest, request(Method::POST, "/v1/payments", FRANCE, Some(charge("536365").to_string()))).await;
    assert!(theirs.status == 202 && theirs.text("id") != paid.text("id"));
}

#[tokio::test(start_paused = true)]
async fn a_body_in_base64_says_the_same() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let mut encoded = post(&Value::Null);
    encoded.body = Some(data_encoding::BASE64.encode(charge("536365").to_string().as_bytes()));
    encoded.is_base64_encoded = true;
    let first = ask(&ingest, encoded).await;
    let second = ask(&ingest, post(&charge("536365"))).await;
    assert_eq!((first.status, second.status), (202, 202));
    assert_eq!(first.text("id"), second.text("id"));
}

#[tokio::test(start_paused = true)]
async fn the_high_lane_has_its_own_queue_and_the_header_is_kept() {
    let stage = Stage::calm();
    let mut body = charge("536365");
    body["priority"] = json!("high");
    let mut request = request(Method::POST, "/v1/payments", UK, Some(body.to_string()));
    request.headers.insert("idempotency-key", http::HeaderValue::from_static("click-17"));
    assert_eq!(ask(&stage.ingest(), request).await.text("priority"), "high");
    assert_eq!((stage.queues.depth(Name::High), stage.queues.depth(Name::Standard)), (1, 0));
    assert_eq!(stage.table.payments()[0].order.idempotency_key.as_deref(), Some("click-17"));
}

#[tokio::test(start_paused = true)]
async fn what_is_over_by_now_is_still_told_what_became_of_it() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let mut body = charge("536365");
    body["expires_at"] = json!(stage.now().plus_ms(5_000).to_string());
    assert_eq!(ask(&ingest, post(&body)).await.status, 202);
    seconds(6).await;
    let answer = ask(&ingest, post(&body)).await;
    assert_eq!((answer.status, answer.header("idempotent-replayed")), (202, Some("true")));
}

/// As everybody else who looks at it: at its very millisecond an order is over.
#[tokio::test(start_paused = true)]
async fn an_order_that_ends_at_this_very_millisecond_is_refused_and_one_that_ends_at_the_next_is_taken() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let ends = |order_id: &str, ms: u64| {
        let mut body = charge(order_id);
        body["expires_at"] = json!(stage.now().plus_ms(ms).to_string());
        body
    };
    // The merchant is known from here on, so that nothing takes time before an order's own is looked at.
    assert_eq!(ask(&ingest, post(&charge("536364"))).await.status, 202);
    let refused = ask(&ingest, post(&ends("536365", 0))).await;
    assert_eq!((refused.status, refused.problem(), refused.fields()), (400, "invalid-request", vec!["expires_at"]));
    assert_eq!((stage.table.payments().len(), stage.queues.depth(Name::Standard)), (1, 1));
    assert_eq!(ask(&ingest, post(&ends("536366", 1))).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_does_in_each_state_what_can_be_done() {
    for &state in State::ALL {
        let stage = Stage::calm();
        let ingest = stage.ingest();
        let id = stage.stands(in_state(state));
        let answer = ask(&ingest, cancel(id.as_str(), None)).await;
        let after = stage.payment(&id);
        match state {
            // It was parked before it was ever sent.
            State::Queued | State::Parked => {
                assert_eq!((answer.status, answer.text("state"), after.state), (200, "canceled", State::Canceled));
            }
            State::Sending | State::Pending | State::Unknown => {
                assert_eq!((answer.status, answer.text("state"), after.state), (202, state.as_str(), state));
                assert!(!answer.text("cancel_requested_at").is_empty() && after.cancel_requested_at.is_some());
            }
            State::Canceled => assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, Some("true"))),
            State::Succeeded | State::Declined | State::Expired => {
                assert_eq!(
                    (answer.status, answer.problem(), answer.text("state")),
                    (409, "not-cancelable", state.as_str())
                );
                assert_eq!(after.state, state);
            }
        }
        // Once more changes nothing more.
        let again = ask(&ingest, cancel(id.as_str(), None)).await;
        assert_eq!((again.status, stage.payment(&id)), (answer.status, after), "{state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_that_never_came_can_be_canceled_with_its_own_body() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    // The id follows from the order, so whoever got no answer can learn it from another stage.
    let id = ask(&Stage::calm().ingest(), post(&charge("536365"))).await.text("id").to_owned();
    for body in [None, Some(charge("536366"))] {
        let answer = ask(&ingest, cancel(&id, body.as_ref())).await;
        assert_eq!((answer.status, answer.problem()), (404, "payment-not-found"), "{body:?}");
    }
    let mut bad = charge("536365");
    bad["amount"] = json!(0);
    assert_eq!(ask(&ingest, cancel(&id, Some(&bad))).await.fields(), ["amount"]);
    assert_eq!(stage.table.payments(), []);

    let answer = ask(&ingest, cancel(&id, Some(&charge("536365")))).await;
    assert_eq!((answer.status, answer.text("state"), answer.text("id")), (200, "canceled", id.as_str()));
    // What comes late finds it so, and is never sent.
    let late = ask(&ingest, post(&charge("536365"))).await;
    assert_eq!((late.status, late.text("state")), (200, "canceled"));
    assert_eq!(stage.queues.depth(Name::Standard), 0);
}
