//! Who may come in, and what is told about the wait: I11's half that is ingest's.

use http::Method;
use pacing::admission::{Depth, Gathered};
use pacing::breaker::{Breaker, Mode};
use pacing::gate::GateState;
use payments::limit::Limit;
use payments::payment::{Payment, State};
use payments::transition::Recovery;
use serde_json::json;
use simulator::Faults;
use simulator::memory::queue::Name;

use super::stage::{FRANCE, PROVIDER, Stage, UK, ask, charge, get, merchant, post, request, seconds};
use crate::contract::samples::{backlog, in_state};

const DEEP: u64 = 1_000_000;

fn plenty() -> Limit {
    Limit::usual(1_000)
}

/// A header field's parameter, as a structured field has it.
fn parameter(field: &str, name: &str) -> u32 {
    let found = field.split(';').find_map(|part| part.strip_prefix(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("no {name} in {field}")).parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_ordinary_payment_adds_no_call() {
    let stage = Stage::calm();
    let ingest = stage.admitting(plenty(), DEEP);
    // The merchant's record, a lease, and the first look at gate and lanes.
    assert_eq!(ask(&ingest, post(&charge("1"))).await.status, 202);
    for order in 2..=20 {
        let before = stage.world.ios();
        assert_eq!(ask(&ingest, post(&charge(&order.to_string()))).await.status, 202);
        assert_eq!(stage.world.ios() - before, 2, "payment {order}");
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_its_rate_a_merchant_is_told_when_to_come_again_and_nobody_else_notices() {
    let stage = Stage::calm();
    let ingest = stage.admitting(Limit::new(5, 10), DEEP);
    let mut refused = Vec::new();
    for order in 0..40 {
        let answer = ask(&ingest, post(&charge(&order.to_string()))).await;
        let (policy, left) = (answer.header("ratelimit-policy").unwrap(), answer.header("ratelimit").unwrap());
        assert_eq!(policy, "\"merchant\";q=10;w=2");
        assert!(left.starts_with("\"merchant\";r="), "{left}");
        match answer.status {
            202 => assert_eq!(answer.header("retry-after"), None),
            429 => {
                assert_eq!(answer.problem(), "rate-limited");
                assert_eq!(answer.text("title"), "This merchant sends payments faster than it may");
                assert_eq!(
                    answer.text("detail"),
                    "At most 10 payments in 2 s. This request wrote nothing and was not compared with earlier ones; repeat \
                     it after the time in Retry-After."
                );
                let retry_after: u32 = answer.header("retry-after").unwrap().parse().unwrap();
                assert!((1..=2).contains(&retry_after));
                assert_eq!((parameter(left, "r"), parameter(left, "t")), (0, retry_after));
                refused.push(order);
            }
            other => panic!("{other}"),
        }
    }
    assert!((25..=31).contains(&refused.len()), "{refused:?}");
    assert_eq!(stage.table.payments().len(), 40 - refused.len());
    // Another merchant goes by its own rate.
    let theirs = request(Method::POST, "/v1/payments", FRANCE, Some(charge("1").to_string()));
    assert_eq!(ask(&ingest, theirs).await.status, 202);
    // Whoever waits as told comes in.
    seconds(2).await;
    let again = ask(&ingest, post(&charge(&refused[0].to_string()))).await;
    assert_eq!(again.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_merchants_own_record_comes_before_the_default() {
    let stage = Stage::calm();
    let mut whale = merchant(UK);
    whale.limit = Some(Limit::new(50, 50));
    stage.table.add_merchant(whale);
    let ingest = stage.admitting(Limit::new(1, 1), DEEP);
    for order in 0..30 {
        let answer = ask(&ingest, post(&charge(&order.to_string()))).await;
        assert_eq!((answer.status, answer.header("ratelimit-policy")), (202, Some("\"merchant\";q=50;w=1")));
    }
    // Faulty requests are not counted: they bring no payment.
    let ingest = stage.admitting(Limit::new(1, 1), DEEP);
    let of_france = |body: String| request(Method::POST, "/v1/payments", FRANCE, Some(body));
    for _ in 0..5 {
        assert_eq!(ask(&ingest, of_france("{}".to_owned())).await.status, 400);
    }
    assert_eq!(ask(&ingest, of_france(charge("1").to_string())).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_cannot_be_read_refuses_nobody() {
    let stage = Stage::new(Faults { throttle: 1.0, ..Faults::none() });
    let ingest = stage.admitting(plenty(), DEEP);
    // The table of payments is throttled too: what is told is that, and not 429.
    let answer = ask(&ingest, post(&charge("1"))).await;
    assert_eq!((answer.status, answer.problem()), (503, "not-written"));
    stage.world.calm();
    let answer = ask(&ingest, post(&charge("1"))).await;
    assert_eq!(
        (answer.status, &answer.document["estimated_wait_seconds"]),
        (202, &json!(null)),
        "nothing was seen yet"
    );
    seconds(8).await;
    assert_eq!(ask(&ingest, post(&charge("1"))).await.document["estimated_wait_seconds"], 1);
}

#[tokio::test(start_paused = true)]
async fn the_wait_is_told_with_each_answer_while_a_payment_waits() {
    let stage = Stage::calm();
    let ingest = stage.admitting(plenty(), DEEP);
    // The gate sends 99 a second.
    stage.buckets.set_backlog(backlog(stage.now(), 0, 9_900));
    let paid = ask(&ingest, post(&charge("1"))).await;
    assert_eq!((paid.status, &paid.document["estimated_wait_seconds"]), (202, &json!(101)));
    assert_eq!(paid.text("reason"), "accepted");
    let path = format!("/v1/payments/{}", paid.text("id"));
    assert_eq!(ask(&ingest, get(&path)).await.document["estimated_wait_seconds"], 101);
    assert_eq!(ask(&ingest, post(&charge("1"))).await.document["estimated_wait_seconds"], 101, "a repeat too");
    // What waits for its own moment is told that, where it is later than its turn.
    for (due_in_ms, told) in [(240_000, 240), (3_000, 101)] {
        let due_at = Some(stage.now().plus_ms(due_in_ms));
        stage.table.set(Payment { due_at, ..stage.table.payments().remove(0) });
        assert_eq!(ask(&ingest, get(&path)).await.document["estimated_wait_seconds"], told, "{due_in_ms} ms");
    }
    // What is not queued does not wait for its turn.
    let stands = stage.table.payments().remove(0);
    for &state in State::ALL {
        let Payment { id, fingerprint, order, .. } = stands.clone();
        stage.table.set(Payment { id, fingerprint, order, due_at: None, ..in_state(state) });
        let told = ask(&ingest, get(&path)).await;
        assert_eq!(told.document["estimated_wait_seconds"].is_u64(), state == State::Queued, "{state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_paused_or_down_is_the_reason() {
    let stage = Stage::calm();
    let mut gate = stage.gates.state(PROVIDER).unwrap();
    gate.paused = true;
    stage.gates.set(gate.clone());
    let ingest = stage.admitting(plenty(), DEEP);
    let paid = ask(&ingest, post(&charge("1"))).await;
    assert_eq!((paid.status, paid.text("reason")), (202, "provider_paused"));
    assert_eq!(paid.document["estimated_wait_seconds"], json!(null), "nobody knows when it goes on");
    assert_eq!(stage.table.payments()[0].reason.as_str(), "accepted", "the item says what became of the payment");

    let probe_at_us = Some(stage.now().us() + 30_000_000);
    let breaker = Breaker { mode: Mode::Open { probe_at_us }, ..Breaker::default() };
    stage.gates.set(GateState { paused: false, breaker, ..gate });
    seconds(8).await;
    let told = ask(&ingest, get(&format!("/v1/payments/{}", paid.text("id")))).await;
    assert_eq!(told.text("reason"), "provider_down");
    assert_eq!(told.document["estimated_wait_seconds"], 23, "22 s to the probe, and the payments of a second");
}

#[tokio::test(start_paused = true)]
async fn what_would_expire_in_the_lane_is_refused_at_once_and_a_repeat_is_not() {
    let stage = Stage::calm();
    let ingest = stage.admitting(plenty(), DEEP);
    let mut body = charge("1");
    body["expires_at"] = json!(stage.now().plus_ms(60_000).to_string());
    assert_eq!(ask(&ingest, post(&body)).await.status, 202);
    // So many that it is known whose they are.
    for number in 100..119 {
        assert_eq!(ask(&ingest, post(&charge(&number.to_string()))).await.status, 202);
    }
    seconds(10).await;
    let known = Gathered { before: stage.buckets.backlog(), ..Gathered::default() };
    let depth = Depth { waiting: 9_900, in_flight: 0 };
    stage.buckets.set_backlog(known.measured(stage.now(), Depth::default(), depth));
    let mut late = body.clone();
    late["order_id"] = json!("2");
    let answer = ask(&ingest, post(&late)).await;
    assert_eq!((answer.status, answer.problem()), (503, "too-late"));
    assert_eq!(answer.text("title"), "The payment would expire before its turn");
    assert_eq!(
        answer.text("detail"),
        "A payment that comes now waits about 101 s, longer than until its expires_at. This request wrote nothing, and the \
         order has no payment yet. Send it with a later expires_at, or with a new one after the time in Retry-After."
    );
    // A wait of 101 s, of which some ms less than 50 s are left.
    assert_eq!(answer.header("retry-after"), Some("52"));
    assert_eq!((stage.table.payments().len(), stage.queues.depth(Name::Standard)), (20, 20));
    let again = ask(&ingest, post(&body)).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
    // What may wait is taken.
    let mut waits = late.clone();
    (waits["order_id"], waits["expires_at"]) = (json!("3"), json!(stage.now().plus_ms(120_000).to_string()));
    assert_eq!(ask(&ingest, post(&waits)).await.status, 202);
    // After a restore it may have been paid in its time: it is taken, to be asked about.
    let recovery = Recovery { point: stage.now().minus_ms(3_600_000), at: stage.now() };
    let answer = ask(&ingest.with_recovery(Some(recovery)), post(&late)).await;
    assert_eq!((answer.status, answer.text("state")), (202, "unknown"));
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_is_full_takes_no_more_and_the_other_does() {
    let stage = Stage::calm();
    let ingest = stage.admitting(plenty(), 10);
    for order in 0..10 {
        assert_eq!(ask(&ingest, post(&charge(&order.to_string()))).await.status, 202, "{order}");
    }
    let full = ask(&ingest, post(&charge("10"))).await;
    assert_eq!((full.status, full.problem(), full.header("retry-after")), (503, "lane-full", Some("1")));
    assert_eq!(full.text("title"), "Too much is waiting in this lane");
    assert_eq!(
        full.text("detail"),
        "This request wrote nothing, and the order has no payment yet. Repeat the request after the time in Retry-After."
    );
    assert_eq!(ask(&ingest, post(&charge("3"))).await.status, 202, "a repeat");
    let mut high = charge("11");
    high["priority"] = json!("high");
    assert_eq!(ask(&ingest, post(&high)).await.status, 202);
    // They leave, and it is measured again.
    stage.empty(Name::Standard);
    seconds(8).await;
    assert_eq!(ask(&ingest, post(&charge("10"))).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn the_high_lane_is_for_merchants_with_the_permission() {
    let stage = Stage::calm();
    let ingest = stage.admitting(plenty(), DEEP);
    let mut body = charge("1");
    body["priority"] = json!("high");
    let answer = ask(&ingest, request(Method::POST, "/v1/payments", FRANCE, Some(body.to_string()))).await;
    assert_eq!((answer.status, answer.problem(), answer.fields()), (403, "not-permitted", vec!["priority"]));
    assert_eq!(stage.table.payments(), []);
    assert_eq!(ask(&ingest, post(&body)).await.text("priority"), "high");
    body["priority"] = json!("urgent");
    assert_eq!(ask(&ingest, post(&body)).await.status, 400);
}
