//! The contract over AWS's adapters and the embedded AWS, and what those adapters alone promise.

mod admission;
mod anchors;
mod failures;
mod keys;
mod requests;
mod strict;
mod verdicts;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::clients::Clients;
use aws::gates::DynamoGates;
use aws::merchants::DynamoMerchants;
use aws::queue::SqsQueue;
use aws::store::DynamoStore;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::MessageSystemAttributeName;
use cloud::embedded::{
    Embedded, Fault, GATES_TABLE, MERCHANTS_TABLE, OPEN_INDEX, PAYMENTS_TABLE, QueueNumbers, Queues, When, queue_arn,
};
use operator::merchants::keys::limit_attribute;
use pacing::breaker::{Breaker, Cause, Health};
use pacing::gate::{Counts, GateAnswer, GateState, GateUpdate, GateView};
use payments::merchant::Merchant;
use payments::payment::Lane;
use payments::time::Timestamp;
use payments::transition::Event;
use ports::gate::report;
use ports::{GateStore, Queue, Store, StoreError};
use simulator::run::gate_settings;

use super::ended::{ended_contract, parts_contract};
use super::gate::gate_contract;
use super::merchants::merchants_contract;
use super::open::{depth_contract, open_contract};
use super::queue::{
    DEAD_LETTER_RECEIVES_MAX, Inspect, Place, RECEIVES_MAX, Received, VISIBILITY_SECONDS, queue_contract,
};
use super::refunds::refund_contract;
use super::samples::{NOW, accepted, claim_of, full_order, message, order, step};
use super::size::ordinary_way;
use super::store::{Lossy, applied, lost_answer_contract, stands, store_contract};

struct Aws {
    embedded: Embedded,
    clients: Clients,
}

impl Aws {
    async fn start() -> Self {
        let embedded = Embedded::start();
        embedded.create_tables().await.unwrap();
        embedded.forget_calls();
        let clients = Clients::new(&embedded.config("suite"));
        Self { embedded, clients }
    }

    fn store(&self) -> DynamoStore {
        DynamoStore::new(self.clients.dynamodb.clone(), PAYMENTS_TABLE)
    }

    fn calls(&self) -> BTreeMap<String, u64> {
        let calls = self.embedded.calls();
        self.embedded.forget_calls();
        calls
            .into_iter()
            .map(|((label, operation), count)| {
                assert_eq!(label, "suite");
                (operation, count)
            })
            .collect()
    }
}

impl Lossy for Aws {
    fn lose_next_answer(&self) {
        self.embedded.faults().clear();
        let writes = ["PutItem", "UpdateItem", "TransactWriteItems"];
        self.embedded.faults().inject(&writes, Fault::LoseAnswer, When::Next(1));
    }
}

#[tokio::test]
async fn aws_keeps_the_contract_of_a_store() {
    let aws = Aws::start().await;
    store_contract(&aws.store()).await;
}

/// As the functions' own processes reach it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aws_keeps_the_contract_of_a_store_over_http() {
    let aws = Aws::start().await;
    let endpoint = aws.embedded.serve((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let clients = Clients::new(&endpoint.config("over-http"));
    store_contract(&DynamoStore::new(clients.dynamodb, PAYMENTS_TABLE)).await;
    let calls = aws.embedded.calls();
    assert!(calls.keys().all(|(label, _)| label == "over-http") && !calls.is_empty(), "{calls:?}");
}

#[tokio::test]
async fn aws_keeps_the_contract_of_what_has_ended() {
    ended_contract(&Aws::start().await.store()).await;
    parts_contract(&Aws::start().await.store()).await;
}

#[tokio::test]
async fn aws_keeps_the_contract_of_refunds() {
    let aws = Aws::start().await;
    refund_contract(&aws.store()).await;
}

#[tokio::test]
async fn aws_knows_its_own_writes_again() {
    let aws = Aws::start().await;
    lost_answer_contract(&aws.store(), &aws).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aws_keeps_the_contract_of_a_gate() {
    let aws = Aws::start().await;
    gate_contract(Arc::new(DynamoGates::new(aws.clients.dynamodb.clone(), GATES_TABLE))).await;
}

/// An item from before there were breaker, brake and counts.
#[tokio::test]
async fn a_gate_that_older_code_wrote_is_read_and_used() {
    let aws = Aws::start().await;
    let mut put = aws.clients.dynamodb.put_item().table_name(GATES_TABLE);
    put = put.item("provider", AttributeValue::S("acme".to_owned())).item("paused", AttributeValue::Bool(false));
    for (attribute, number) in [("next_us", "0"), ("rate_per_second", "50"), ("margin_ms", "10"), ("rate_version", "3")]
    {
        put = put.item(attribute, AttributeValue::N(number.to_owned()));
    }
    put.send().await.unwrap();
    aws.calls();
    let gates = DynamoGates::new(aws.clients.dynamodb.clone(), GATES_TABLE);
    let mut gate = gates.read("acme").await.unwrap().unwrap();
    assert_eq!((gate.rate_per_second, gate.breaker, gate.calls), (50, Breaker::default(), 0));
    let counts = Counts { calls: 5, failures: 5, in_a_row: 5, ..Counts::default() };
    let update = GateUpdate { counts, ..GateUpdate::of(&gate) };
    (gate.calls, gate.failures, gate.in_a_row) = (5, 5, 5);
    assert_eq!(gates.update(&update).await, Ok(GateAnswer::Done(Box::new(gate))));
    assert_eq!(aws.calls(), BTreeMap::from([("GetItem".to_owned(), 1), ("UpdateItem".to_owned(), 1)]));
}

/// Who opens the breaker logs it, also when the answer to that was lost: an alarm hangs on the line.
#[tokio::test]
async fn a_breakers_change_with_a_lost_answer_is_known_to_be_ours() {
    let aws = Aws::start().await;
    let gates = DynamoGates::new(aws.clients.dynamodb.clone(), GATES_TABLE);
    let gate = GateState::new("acme", 50, 10);
    gates.create(&gate).await.unwrap();
    let view = Mutex::new(GateView::new(gate, gate_settings()));
    view.lock().unwrap().tally(Health::RefusesCredentials, 1, false);
    aws.lose_next_answer();
    report(&gates, &view, NOW.us()).await.unwrap();
    let stands = gates.read("acme").await.unwrap().unwrap();
    assert_eq!((stands.breaker.cause, stands.rate_version), (Cause::CredentialsRefused, 2));
    assert_eq!(view.lock().unwrap().take_changes(), [stands.breaker]);
    assert_eq!(aws.calls().get("UpdateItem"), Some(&2), "the SDK tried again and was refused");
}

#[tokio::test]
async fn aws_keeps_the_contract_of_merchants() {
    let aws = Aws::start().await;
    let merchants = DynamoMerchants::new(aws.clients.dynamodb.clone(), MERCHANTS_TABLE);
    merchants_contract(&merchants, async |merchant| written(&aws.clients.dynamodb, merchant).await).await;
}

/// By hand, as an operator might write it.
pub(super) async fn written(dynamodb: &aws_sdk_dynamodb::Client, merchant: &Merchant) {
    let put = dynamodb
        .put_item()
        .table_name(MERCHANTS_TABLE)
        .item("key_hash", AttributeValue::S(merchant.key_hash.as_str().to_owned()))
        .item("merchant", AttributeValue::S(merchant.merchant.as_str().to_owned()))
        .item("unlinked_refunds", AttributeValue::Bool(merchant.unlinked_refunds))
        .item("high_priority", AttributeValue::Bool(merchant.high_priority));
    let put = match merchant.limit {
        Some(limit) => put.item("limit", limit_attribute(limit)),
        None => put,
    };
    put.send().await.unwrap();
}

struct SqsSide {
    embedded: Embedded,
    client: aws_sdk_sqs::Client,
    queues: Queues,
}

impl SqsSide {
    fn url(&self, place: Place) -> &str {
        match place {
            Place::Lane(Lane::Standard) => &self.queues.standard,
            Place::Lane(Lane::High) => &self.queues.high,
            Place::DeadLetter => &self.queues.dead_letter,
            Place::Parked => &self.queues.parked,
        }
    }
}

/// Receives up to ten messages without waiting.
pub(super) async fn received(client: &aws_sdk_sqs::Client, url: &str) -> Vec<Received> {
    let output = client
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .unwrap();
    let attribute = |message: &aws_sdk_sqs::types::Message, name: &MessageSystemAttributeName| {
        message.attributes().and_then(|attributes| attributes.get(name)).cloned()
    };
    output
        .messages
        .unwrap_or_default()
        .into_iter()
        .map(|message| Received {
            group: attribute(&message, &MessageSystemAttributeName::MessageGroupId),
            sent_timestamp: Timestamp::from_ms(
                attribute(&message, &MessageSystemAttributeName::SentTimestamp).unwrap().parse().unwrap(),
            ),
            receive_count: attribute(&message, &MessageSystemAttributeName::ApproximateReceiveCount)
                .unwrap()
                .parse()
                .unwrap(),
            message_id: message.message_id.unwrap(),
            receipt_handle: message.receipt_handle.unwrap(),
            body: message.body.unwrap(),
        })
        .collect()
}

impl Inspect for SqsSide {
    async fn receive(&self, place: Place) -> Vec<Received> {
        received(&self.client, self.url(place)).await
    }

    async fn delete(&self, place: Place, receipt_handle: &str) {
        let delete = self.client.delete_message().queue_url(self.url(place)).receipt_handle(receipt_handle);
        delete.send().await.unwrap();
    }

    async fn move_all(&self, from: Place, to: Option<Place>) -> usize {
        self.embedded.move_messages(self.url(from), to.map(|to| self.url(to))).unwrap()
    }

    async fn wait_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    fn arn(&self, place: Place) -> String {
        queue_arn(self.url(place))
    }
}

async fn sqs() -> (SqsQueue, SqsSide) {
    let embedded = Embedded::start();
    let numbers = QueueNumbers {
        visibility_seconds: VISIBILITY_SECONDS,
        max_receive_count: RECEIVES_MAX,
        dead_letter_visibility_seconds: VISIBILITY_SECONDS,
        dead_letter_max_receive_count: DEAD_LETTER_RECEIVES_MAX,
    };
    let queues = embedded.create_queues(numbers).await.unwrap();
    let client = Clients::new(&embedded.config("suite")).sqs;
    (SqsQueue::new(client.clone(), queues.urls()), SqsSide { embedded, client, queues })
}

#[tokio::test]
async fn aws_keeps_the_contract_of_queues() {
    let (queue, side) = sqs().await;
    queue_contract(&queue, &side).await;
}

#[tokio::test]
async fn aws_keeps_the_contract_of_queues_where_a_redrive_begins_the_count_anew() {
    let (queue, side) = sqs().await;
    side.embedded.begin_counts_anew();
    queue_contract(&queue, &side).await;
}

#[tokio::test]
async fn aws_keeps_the_contract_of_the_index_of_open_payments() {
    let aws = Aws::start().await;
    open_contract(&aws.store()).await;
}

#[tokio::test]
async fn aws_keeps_the_contract_of_depths() {
    let (queue, side) = sqs().await;
    depth_contract(&queue, &side).await;
}

#[tokio::test]
async fn a_queue_that_refuses_says_so_and_recovers() {
    let (queue, side) = sqs().await;
    side.embedded.faults().refuse_sends(&side.queues.standard);
    assert!(queue.send(Lane::Standard, &message(), 0).await.is_err());
    assert!(queue.send(Lane::High, &message(), 0).await.is_ok(), "the other queue goes on");
    side.embedded.faults().accept_sends(&side.queues.standard);
    assert!(queue.send(Lane::Standard, &message(), 0).await.is_ok());
}

#[tokio::test]
async fn a_message_that_came_back_is_counted_as_visible() {
    let (queue, side) = sqs().await;
    queue.send(Lane::Standard, &message(), 0).await.unwrap();
    let received = side.receive(Place::Lane(Lane::Standard)).await.remove(0);
    queue.hide(ports::Source::Lane(Lane::Standard), &received.receipt_handle, 0).await.unwrap();
    let attributes = side
        .client
        .get_queue_attributes()
        .queue_url(&side.queues.standard)
        .attribute_names(aws_sdk_sqs::types::QueueAttributeName::All)
        .send()
        .await
        .unwrap();
    let count =
        attributes.attributes().unwrap()[&aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessages].clone();
    assert_eq!(count, "1");
}

#[tokio::test]
async fn each_step_of_an_ordinary_payment_is_one_call() {
    let aws = Aws::start().await;
    let store = aws.store();
    let [queued, sending, succeeded] = ordinary_way();
    applied(store.put(&queued).await);
    assert_eq!(aws.calls(), BTreeMap::from([("PutItem".to_owned(), 1)]));
    applied(store.claim(&claim_of(&queued)).await);
    assert_eq!(aws.calls(), BTreeMap::from([("UpdateItem".to_owned(), 1)]));
    applied(store.replace(&sending, &succeeded).await);
    assert_eq!(aws.calls(), BTreeMap::from([("UpdateItem".to_owned(), 1)]));
}

#[tokio::test]
async fn attributes_of_newer_code_survive_a_replace() {
    let aws = Aws::start().await;
    let store = aws.store();
    let before = accepted(full_order());
    applied(store.put(&before).await);
    let key = AttributeValue::S(before.id.as_str().to_owned());
    aws.clients
        .dynamodb
        .update_item()
        .table_name(PAYMENTS_TABLE)
        .key("id", key.clone())
        .update_expression("SET newer = :newer")
        .expression_attribute_values(":newer", AttributeValue::S("kept".to_owned()))
        .send()
        .await
        .unwrap();
    applied(store.claim(&claim_of(&before)).await);
    let claimed = stands(&store, &before.id).await;
    let after = step(&claimed, &Event::Cancel, NOW);
    applied(store.replace(&claimed, &after).await);
    let item = aws.clients.dynamodb.get_item().table_name(PAYMENTS_TABLE).key("id", key).send().await.unwrap();
    assert_eq!(item.item().unwrap()["newer"], AttributeValue::S("kept".to_owned()));
}

#[tokio::test]
async fn an_item_that_cannot_be_read_is_corrupt_and_no_absence() {
    let aws = Aws::start().await;
    let payment = accepted(order());
    let item = [("id", payment.id.as_str()), ("state", "nonsense")]
        .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
    let put = aws.clients.dynamodb.put_item().table_name(PAYMENTS_TABLE).set_item(Some(item.into()));
    put.send().await.unwrap();
    let store = aws.store();
    assert!(matches!(store.get(&payment.id).await, Err(StoreError::Corrupt(_))));
    assert!(matches!(store.put(&payment).await, Err(StoreError::Corrupt(_))));
    assert!(matches!(store.claim(&claim_of(&payment)).await, Err(StoreError::Corrupt(_))));
}

/// The sparse index: what has something left to do, oldest first, page by page, and nothing but its keys.
#[tokio::test]
async fn the_open_index_holds_what_is_open() {
    let aws = Aws::start().await;
    let store = aws.store();
    let mut open = Vec::new();
    for minutes in [3, 1, 2] {
        let mut payment = accepted(order());
        payment.created_at = NOW.plus_ms(minutes * 60_000);
        payment.open_shard = Some("7".to_owned());
        applied(store.put(&payment).await);
        open.push((payment.created_at, payment.id.as_str().to_owned()));
    }
    open.sort();
    let mut ended = step(&accepted(order()), &Event::Cancel, NOW);
    ended.version = 1;
    applied(store.put(&ended).await);
    let mut found = Vec::new();
    let mut start = None;
    loop {
        let page = aws
            .clients
            .dynamodb
            .query()
            .table_name(PAYMENTS_TABLE)
            .index_name(OPEN_INDEX)
            .key_condition_expression("open_shard = :shard AND created_at > :after")
            .expression_attribute_values(":shard", AttributeValue::S("7".to_owned()))
            .expression_attribute_values(":after", AttributeValue::N(NOW.ms().to_string()))
            .limit(2)
            .set_exclusive_start_key(start)
            .send()
            .await
            .unwrap();
        for item in page.items() {
            assert_eq!(item.len(), 3, "the keys only");
            found.push(item["id"].as_s().unwrap().clone());
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    let expected: Vec<String> = open.into_iter().map(|(_, id)| id).collect();
    assert_eq!(found, expected);
}
