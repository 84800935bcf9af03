//! One payment from POST to settled, a repeat, a foreign message and a sweep, through the real binaries.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::MessageSystemAttributeName;
use cloud::embedded::QueueNumbers;
use payments::pass::Pass;
use payments::payment::{OPEN_SHARDS, State, WAITING_SHARDS};
use plan::cost::LOG_BYTES_PER_PAYMENT;
use ports::{Clock, Store};
use serde_json::{Value, json};

use super::deployment::{Deployment, Wiring, until};
use super::variables::DEPLOYMENT;
use crate::contract::samples::{accepted, order};

fn calls(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(operation, count)| ((*operation).to_owned(), *count)).collect()
}

/// Of what a sweep counts, that of which there was any.
fn above_zero(sweep: &Value) -> Value {
    let counts = sweep.as_object().expect("a sweep answers with its counts");
    counts.iter().filter(|(_, count)| **count != 0).map(|(name, count)| (name.clone(), count.clone())).collect()
}

/// Without the looks of admission, which fall due by the clock and not by the payment; at most one of each kind since the
/// last count.
fn payments_own(mut counted: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    for (operation, most) in [("GetItem", 2), ("GetQueueAttributes", 2), ("UpdateItem", 3)] {
        let looks = counted.remove(operation).unwrap_or_default();
        assert!(looks <= most, "{looks} calls of {operation}");
    }
    counted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_payment_goes_from_its_request_to_its_end() {
    let mut deployment = Deployment::start(&Wiring::default()).await;
    let body = json!({ "order_id": "536365", "kind": "charge", "amount": 13_912, "currency": "GBP",
                       "payment_method": "tok_secret" });
    let lane = deployment.lane();

    // From POST to settled.
    let answer = deployment.post(&body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(document["state"], "queued");
    let id = document["id"].as_str().unwrap();
    until("it has ended", async || deployment.payment(id).await.state == State::Succeeded).await;
    until("its message is gone", async || deployment.depth(&deployment.queues.standard).await == 0).await;
    let ledger = deployment.provider.books().ledger().await.unwrap();
    let effects: Vec<_> = ledger.iter().map(|effect| (effect.payment_id.as_str(), effect.amount)).collect();
    assert_eq!(effects, [(id, 13_912)]);
    // The merchant's record, the item, the message. The first of all environments also finds no figure of gate and lanes
    // (two reads), takes the right to measure, measures both lanes, writes the figure, and leases tokens.
    let first = [("GetItem", 1 + 2), ("GetQueueAttributes", 2), ("PutItem", 1), ("SendMessage", 1), ("UpdateItem", 3)];
    assert_eq!(deployment.calls_of("ingest"), calls(&first));
    // The gate is asked for, made and asked for again; then the claim and the end.
    assert_eq!(deployment.calls_of("consumer"), calls(&[("PutItem", 1), ("UpdateItem", 4)]));

    // Again.
    deployment.embedded.forget_calls();
    let repeat = deployment.post(&body).await;
    assert_eq!(repeat.status, 200);
    assert_eq!(repeat.headers["idempotent-replayed"], "true");
    let repeated: serde_json::Value = serde_json::from_slice(&repeat.body).unwrap();
    assert_eq!((repeated["id"].as_str(), repeated["state"].as_str()), (Some(id), Some("succeeded")));
    assert_eq!(payments_own(deployment.calls_of("ingest")), calls(&[("PutItem", 1)]));

    // Another, now that everything is warm: the merchant is known and the gate is there.
    deployment.embedded.forget_calls();
    let second = json!({ "order_id": "536366", "kind": "charge", "amount": 2_220, "currency": "GBP" });
    let answer = deployment.post(&second).await;
    let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let second = document["id"].as_str().unwrap();
    until("it has ended", async || deployment.payment(second).await.state == State::Succeeded).await;
    assert_eq!(payments_own(deployment.calls_of("ingest")), calls(&[("PutItem", 1), ("SendMessage", 1)]));
    assert_eq!(deployment.calls_of("consumer"), calls(&[("UpdateItem", 3)]));

    assert_eq!(deployment.provider.books().ledger().await.unwrap().len(), 2);
    assert_eq!(deployment.ingest.process_ids().len(), 1, "one process answers one after the other");
    assert_eq!(lane.counts().failed_batches.load(std::sync::atomic::Ordering::Relaxed), 0);
    lane.stop().await;
    assert!(deployment.ingest.log().iter().any(|line| line.contains("payment_accepted")));
    assert!(deployment.consumer.log().iter().any(|line| line.contains("payment_settled")));
    // One line for each cold start, before anything else.
    for (name, function) in deployment.functions() {
        let log = function.log();
        let mut started = log.iter().filter(|line| line.contains("environment_started"));
        assert!(
            started.clone().all(|line| line.contains(&format!("\"deployment\":\"{DEPLOYMENT}\""))),
            "{name}: {log:?}"
        );
        assert_eq!(started.by_ref().count(), function.process_ids().len(), "{name}");
    }
    deployment.assert_permitted();
    deployment.assert_clean_logs(&["tok_secret"]);
    // What `cargo dev plan` counts a payment's logs as, besides the API's own line.
    let lines = [deployment.ingest.log(), deployment.consumer.log()].concat();
    let bytes: usize = lines.iter().filter(|line| line.contains(second)).map(|line| line.len() + 1).sum();
    let counted = usize::try_from(LOG_BYTES_PER_PAYMENT).unwrap();
    assert!((counted * 9 / 10..=counted).contains(&bytes), "{bytes} bytes, counted as {counted}: {lines:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_message_ends_in_front_of_people_and_touches_nothing() {
    let queues = QueueNumbers {
        visibility_seconds: 121,
        max_receive_count: 2,
        dead_letter_visibility_seconds: 121,
        // The count goes on from the lane's.
        dead_letter_max_receive_count: 4,
    };
    let deployment = Deployment::start(&Wiring { queues, ..Wiring::default() }).await;
    let foreign = deployment.watcher.sqs.send_message().queue_url(&deployment.queues.standard);
    let sent = foreign.message_body("{\"hello\":\"world\"}").send().await.unwrap();
    let (lane, triage) = (deployment.lane(), deployment.triage());
    let parked = deployment.queues.parked.clone();
    until("it is parked", async || deployment.depth(&parked).await == 1).await;
    lane.stop().await;
    triage.stop().await;

    let received = deployment
        .watcher
        .sqs
        .receive_message()
        .queue_url(&parked)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .unwrap();
    let message = &received.messages()[0];
    assert_eq!((message.body(), message.message_id()), (Some("{\"hello\":\"world\"}"), sent.message_id()));
    // Each receive hides it once; no table is asked.
    assert_eq!(deployment.calls_of("consumer"), calls(&[("ChangeMessageVisibility", 2)]));
    assert_eq!(deployment.calls_of("dead_letter"), calls(&[("ChangeMessageVisibility", 2)]));
    assert!(deployment.consumer.log().iter().any(|line| line.contains("message_foreign")));
    assert!(deployment.dead_letter.log().iter().any(|line| line.contains("message_parked")));
    deployment.assert_permitted();
    deployment.assert_clean_logs(&["world"]);
    // Trouble says in which invocation; Lambda's own lines and X-Ray know it by that.
    for line in [deployment.consumer.log(), deployment.dead_letter.log()].concat() {
        let event: Value = serde_json::from_str(&line).unwrap();
        let is_trouble = event["level"] == "WARN" || event["level"] == "ERROR";
        let invocation = event["span"]["requestId"].as_str();
        assert_eq!(invocation.is_some_and(|id| id.len() == 36), is_trouble, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_finds_what_has_lost_its_message() {
    let mut deployment = Deployment::start(&Wiring::default()).await;
    let now = aws::system::SystemClock.now();
    // As a crash between put and send leaves it, ten minutes ago.
    let mut lost = accepted(order());
    lost.created_at = now.minus_ms(600_000);
    lost.changed_at = lost.created_at;
    deployment.store.put(&lost).await.unwrap();
    let schedule = json!({ "source": "aws.events", "detail-type": "Scheduled Event" });
    let sweep = deployment.reconcile.invoke(&schedule).await.unwrap();
    assert_eq!(above_zero(&sweep), json!({ "looked_at": 1, "healed": 1 }));
    // One query a shard, one for each of the cases', that of before they were spread too, and one more for the page after the
    // one that was not empty; the gate; both lanes' depths; for the payment a look, its heal and its message; and this
    // minute's parts of the table.
    assert_eq!(
        deployment.calls_of("reconcile"),
        calls(&[
            ("GetItem", 2),
            ("GetQueueAttributes", 2),
            ("Query", u64::from(OPEN_SHARDS + WAITING_SHARDS) + 2),
            ("Scan", u64::from(Pass::DEPLOYED.parts_a_sweep)),
            ("SendMessage", 1),
            ("UpdateItem", 1),
        ])
    );
    let lane = deployment.lane();
    until("it has ended", async || deployment.payment(lost.id.as_str()).await.state == State::Succeeded).await;
    lane.stop().await;
    assert_eq!(deployment.provider.books().ledger().await.unwrap().len(), 1);
    let again = deployment.reconcile.invoke(&schedule).await.unwrap();
    assert_eq!(above_zero(&again), json!({}));
    assert_eq!(deployment.reconcile.process_ids().len(), 1);
    deployment.assert_permitted();
    deployment.assert_clean_logs(&[]);
}
