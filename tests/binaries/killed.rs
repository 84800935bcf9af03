//! SIGKILL to a process in the middle of its work: nothing is lost, and nothing happens twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use cloud::embedded::{Fault, QueueNumbers, When};
use cloud::runtime_api::Failure;
use http::StatusCode;
use payments::payment::State;
use payments::transition::REPEAT_HEAL_MS;
use serde_json::{Value, json};

use super::deployment::{Deployment, Wiring, until};

fn charge(order_id: &str) -> Value {
    json!({ "order_id": order_id, "kind": "charge", "amount": 100, "currency": "EUR" })
}

fn id_of(answer: &operator::client::Answer) -> String {
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    document["id"].as_str().expect("the answer has the payment's id").to_owned()
}

/// What a batch that fails as a whole is hidden for is shorter here than a deployment may have it, so that the test
/// waits for seconds. All that follows is that messages are delivered twice.
fn impatient() -> QueueNumbers {
    QueueNumbers { visibility_seconds: 4, ..Wiring::default().queues }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_killed_in_its_batch_charges_everybody_once() {
    const PAYMENTS: usize = 20;
    let wiring = Wiring { rate_per_second: 20, latency_ms: (150, 500), queues: impatient() };
    let mut deployment = Deployment::start(&wiring).await;
    let mut ids = BTreeSet::new();
    for number in 0..PAYMENTS {
        let answer = deployment.post(&charge(&format!("K-{number}"))).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        ids.insert(id_of(&answer));
    }
    let lane = deployment.lane();

    // Killed again and again, each time when the provider has just been called once more.
    for kills in 1..=3_u64 {
        let before = deployment.provider.books().calls().await.unwrap().len();
        let waiting = async {
            while deployment.provider.books().calls().await.unwrap().len() < before + 3 {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), waiting).await.expect("the provider is called");
        deployment.consumer.kill();
        until("its batch has failed", async || lane.counts().failed_batches.load(Ordering::Relaxed) >= kills).await;
        let mut states = BTreeMap::<State, usize>::new();
        for id in &ids {
            *states.entry(deployment.payment(id).await.state).or_default() += 1;
        }
        println!("after kill {kills}: {states:?}");
        if kills == 1 {
            assert!(states.get(&State::Sending).is_some_and(|sending| *sending > 0), "nobody was cut off: {states:?}");
        }
    }
    for id in &ids {
        until("it has ended", async || deployment.payment(id).await.state == State::Succeeded).await;
    }
    lane.stop().await;
    assert!(deployment.consumer.process_ids().len() > 3, "each was replaced");
    let ledger = deployment.provider.books().ledger().await.unwrap();
    let charged: BTreeSet<String> = ledger.iter().map(|effect| effect.payment_id.clone()).collect();
    assert_eq!((ledger.len(), charged), (PAYMENTS, ids), "each is charged once");
    deployment.assert_permitted();
    deployment.assert_clean_logs(&[]);
}

/// Its put is done and its message is not sent; the merchant has no answer, and asks again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ingest_killed_between_its_put_and_its_message_accepts_the_repeat() {
    let mut deployment = Deployment::start(&Wiring::default()).await;
    deployment.embedded.faults().inject(&["SendMessage"], Fault::Stall, When::Next(1));
    let body = charge("K-ingest");
    let (answer, ()) = tokio::join!(deployment.post(&body), async {
        until("its message is on its way", async || deployment.calls_of("ingest").contains_key("SendMessage")).await;
        deployment.ingest.kill();
    });
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{answer:?}");
    assert_eq!(deployment.depth(&deployment.queues.standard).await, 0);

    // A repeat puts a message back for what nobody has touched for so long.
    tokio::time::sleep(std::time::Duration::from_millis(REPEAT_HEAL_MS)).await;
    let repeat = deployment.post(&body).await;
    assert_eq!(
        (repeat.status, &repeat.headers["idempotent-replayed"]),
        (StatusCode::ACCEPTED, &"true".parse().unwrap())
    );
    assert_eq!(deployment.ingest.process_ids().len(), 2);
    let lane = deployment.lane();
    let id = id_of(&repeat);
    until("it has ended", async || deployment.payment(&id).await.state == State::Succeeded).await;
    lane.stop().await;
    assert_eq!(deployment.provider.books().ledger().await.unwrap().len(), 1);
    deployment.assert_permitted();
    deployment.assert_clean_logs(&[]);
}

/// The event source mapping of a real deployment is told by Lambda; whoever invokes by hand sees the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_is_told_apart_from_an_answer_and_replaced() {
    let deployment = Deployment::start(&Wiring::default()).await;
    let schedule = json!({ "source": "aws.scheduler" });
    deployment.embedded.faults().inject(&["Query"], Fault::Stall, When::Next(1));
    let (answer, ()) = tokio::join!(deployment.reconcile.invoke(&schedule), async {
        until("it sweeps", async || deployment.calls_of("reconcile").contains_key("Query")).await;
        deployment.reconcile.kill();
    });
    assert!(matches!(answer, Err(Failure::Died(status)) if !status.success()), "{answer:?}");
    deployment.reconcile.invoke(&schedule).await.expect("another process answers");
    assert_eq!(deployment.reconcile.process_ids().len(), 2);
}
