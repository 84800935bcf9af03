//! What is told of a payment whose details were forgotten, and that its order is never paid again: by `ingest`, and by
//! `reconcile`, which forgets them.

use ::reconcile::{Reconcile, Sweep, Watched};
use payments::id::{Nonce, PaymentId};
use payments::pass::Pass;
use payments::payment::{Payment, State};
use serde_json::json;
use simulator::memory::MemoryGate;
use simulator::memory::queue::Name;

use super::stage::{Stage, ask, cancel, charge, get, post};
use crate::contract::samples::{NOW, charged, in_state};

/// One sweep that goes through the whole table.
const ALL: Pass = Pass { sweeps: 1, parts_a_sweep: 3 };

async fn sweep(stage: &Stage, pass: Pass) -> Sweep {
    let reconcile = Reconcile::new(
        stage.wired(stage.store()),
        Watched { gates: MemoryGate::new(&stage.gates, &stage.environment), provider: "sandbox".to_owned() },
        10,
    );
    reconcile.with_pass(pass).handle(stage.now().plus_ms(60_000)).await
}

/// A payment of the stage's that ended so long ago that its details may be forgotten.
async fn old(stage: &Stage, order: &str) -> Payment {
    let ingest = stage.ingest();
    let answer = ask(&ingest, post(&charge(order))).await;
    let id = answer.text("id");
    assert_eq!(ask(&ingest, cancel(id, None)).await.text("state"), "canceled");
    let ended = stage.payment(&PaymentId::new(id.to_owned()).unwrap());
    let old = Payment { forget_at: Some(stage.now()), ..ended };
    stage.table.set(old.clone());
    stage.empty(Name::Standard);
    old
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_told_how_it_ended_and_nothing_is_sent() {
    let stage = Stage::calm();
    let old = old(&stage, "536365").await;
    assert_eq!(sweep(&stage, ALL).await.forgotten, 1);
    let short = stage.table.payment(&old.id).unwrap();
    assert!(short.is_forgotten());
    let ingest = stage.ingest();
    let again = ask(&ingest, post(&charge("536365"))).await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed"), again.text("state")),
        (200, Some("true"), "canceled")
    );
    assert_eq!(
        (again.text("id"), again.text("forgotten_at")),
        (old.id.as_str(), short.forgotten_at.unwrap().to_string().as_str())
    );
    assert_eq!((stage.queues.depth(Name::Standard), stage.table.payment(&old.id)), (0, Some(short.clone())));
    // Told and not shown: what was forgotten.
    let told = ask(&ingest, get(&format!("/v1/payments/{}", old.id))).await;
    for field in ["customer", "description", "metadata", "expires_at", "cancel_requested_at"] {
        assert_eq!(told.document.get(field), None, "{field}");
    }
    let story = ask(&ingest, get(&format!("/v1/payments/{}/history", old.id))).await;
    let reasons: Vec<&str> =
        story.document["lines"].as_array().unwrap().iter().map(|line| line["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["canceled_by_merchant", "forgotten"]);
}

#[tokio::test(start_paused = true)]
async fn another_body_is_refused_and_only_what_is_known_is_said_to_differ() {
    let stage = Stage::calm();
    old(&stage, "536365").await;
    sweep(&stage, ALL).await;
    let ingest = stage.ingest();
    let mut dearer = charge("536365");
    dearer["amount"] = json!(dearer["amount"].as_u64().unwrap() + 1);
    let answer = ask(&ingest, post(&dearer)).await;
    assert_eq!((answer.status, answer.problem()), (422, "different-request"));
    assert_eq!(answer.document["errors"].as_array().unwrap().len(), 1);
    assert_eq!(answer.document["errors"][0]["field"], "amount");
    let mut other = charge("536365");
    other["customer"] = json!("17851");
    let answer = ask(&ingest, post(&other)).await;
    assert_eq!((answer.status, answer.problem()), (422, "different-request"));
    assert!(answer.text("detail").contains("details were forgotten"), "{}", answer.text("detail"));
    assert_eq!(answer.document.get("errors"), None);
}

#[tokio::test(start_paused = true)]
async fn a_canceled_one_is_told_so_and_another_end_is_not_cancelable() {
    let stage = Stage::calm();
    let canceled = old(&stage, "536365").await;
    sweep(&stage, ALL).await;
    let ingest = stage.ingest();
    let again = ask(&ingest, cancel(canceled.id.as_str(), None)).await;
    assert_eq!((again.status, again.text("state")), (200, "canceled"));
    let paid = Payment { forget_at: Some(stage.now()), ..charged(100) };
    stage.table.set(paid.clone());
    assert_eq!(sweep(&stage, ALL).await.forgotten, 1);
    let answer = ask(&ingest, cancel(paid.id.as_str(), None)).await;
    assert_eq!((answer.status, answer.problem()), (409, "not-cancelable"));
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_charge_can_be_given_back() {
    let stage = Stage::calm();
    let paid = Payment { forget_at: Some(stage.now()), ..charged(100) };
    stage.table.set(paid.clone());
    sweep(&stage, ALL).await;
    let ingest = stage.ingest();
    let refund = |name: &str, amount: u64| {
        json!({ "order_id": name, "kind": "refund", "amount": amount, "currency": "GBP",
                "original_order_id": paid.order.order_id.as_str() })
    };
    assert_eq!(ask(&ingest, post(&refund("C1", 60))).await.status, 202);
    let too_much = ask(&ingest, post(&refund("C2", 60))).await;
    assert_eq!((too_much.status, too_much.problem()), (409, "charge-refused"));
    assert_eq!(stage.table.payment(&paid.id).unwrap().refundable, Some(40));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_forgets_what_is_old_and_leaves_everything_else() {
    let stage = Stage::calm();
    let mut untouched = Vec::new();
    for &state in State::ALL {
        let payment = in_state(state);
        // Somebody has written by hand that what is open may be forgotten.
        let marked = Payment { forget_at: (!state.is_terminal()).then_some(stage.now()), ..payment.clone() };
        untouched.push(if state.is_terminal() { payment } else { marked });
    }
    // Young enough that no sweep puts back a message.
    for payment in &mut untouched {
        (payment.created_at, payment.changed_at) = (stage.now(), stage.now());
        payment.forget_at = payment.forget_at.map(|at| at.max(stage.now().plus_ms(1)));
        stage.table.set(payment.clone());
    }
    let due: Vec<Payment> = (0..30)
        .map(|nonce| Payment {
            nonce: Nonce::from_bits(nonce),
            forget_at: Some(stage.now()),
            ..in_state(State::Succeeded)
        })
        .collect();
    for payment in &due {
        stage.table.set(payment.clone());
    }
    let found = sweep(&stage, ALL).await;
    assert_eq!((found.forgotten, found.doubted, found.failed), (30, 0, 0));
    for payment in &due {
        assert!(stage.payment(&payment.id).is_forgotten());
    }
    for payment in &untouched {
        assert_eq!(stage.table.payment(&payment.id).as_ref(), Some(payment), "{:?}", payment.state);
    }
    assert_eq!(sweep(&stage, ALL).await.forgotten, 0, "there is no more");
}

/// A history that was changed by hand is counted and stays, and keeps nobody else's.
#[tokio::test(start_paused = true)]
async fn a_doubted_history_stays_and_does_not_stop_the_others() {
    let stage = Stage::calm();
    let mut doubted = old(&stage, "536365").await;
    doubted.history[0].at = doubted.history[0].at.plus_ms(1);
    stage.table.set(doubted.clone());
    for _ in 0..5 {
        stage.table.set(Payment { forget_at: Some(stage.now()), ..in_state(State::Canceled) });
    }
    let found = sweep(&stage, ALL).await;
    assert_eq!((found.forgotten, found.doubted, found.failed), (5, 1, 0));
    assert_eq!(stage.table.payment(&doubted.id), Some(doubted));
}

/// So that payments never feel it: more is left for the next pass, which begins elsewhere.
#[tokio::test(start_paused = true)]
async fn a_sweep_forgets_no_more_than_it_may() {
    let stage = Stage::calm();
    for nonce in 0..2_100 {
        let ended = Payment { forget_at: Some(NOW), ..in_state(State::Canceled) };
        stage.table.set(Payment { nonce: Nonce::from_bits(nonce), ..ended });
    }
    assert_eq!(sweep(&stage, ALL).await.forgotten, 2_000);
    assert_eq!(sweep(&stage, ALL).await.forgotten, 100);
}

/// All of the table is looked at once in the pass, in as many sweeps as it has, and no part twice.
#[test]
fn the_deployed_pass_comes_to_each_part_once_in_four_weeks() {
    let Pass { sweeps, parts_a_sweep } = Pass::DEPLOYED;
    assert!(sweeps * parts_a_sweep <= 1_000_000, "\"Scan\": TotalSegments is 1,000,000 at most");
    let mut seen = vec![false; usize::try_from(sweeps * parts_a_sweep).unwrap()];
    for minute in 0..u64::from(sweeps) {
        // A sweep begins anywhere within its minute.
        let now = NOW.plus_ms(minute * 60_000 + minute % 60_000 / 2);
        for part in Pass::DEPLOYED.parts(now, payments::backoff::Dice(minute * 7)) {
            assert_eq!(part.of, sweeps * parts_a_sweep);
            let seen = &mut seen[usize::try_from(part.number).unwrap()];
            assert!(!*seen, "part {} twice", part.number);
            *seen = true;
        }
    }
    assert!(seen.iter().all(|seen| *seen));
    let first = |dice: u64| Pass::DEPLOYED.parts(NOW, payments::backoff::Dice(dice)).next().unwrap();
    assert_ne!(first(0), first(1), "one that is cut short does not leave out the same each time");
}
