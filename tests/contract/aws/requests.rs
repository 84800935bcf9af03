//! What AWS is asked, to the letter: the embedded one answers every read from what stands, so that a read which must
//! be consistent and is not, a page that begins in the wrong place or a message in the wrong group shows only here.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aws::admission::DynamoAdmission;
use aws::clients::Clients;
use aws::gates::DynamoGates;
use aws::merchants::DynamoMerchants;
use aws::queue::{QueueUrls, SqsQueue};
use aws::store::DynamoStore;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use cloud::embedded::{ADMISSION_TABLE, GATES_TABLE, MERCHANTS_TABLE, PAYMENTS_TABLE};
use payments::index::{OpenKey, Shard};
use payments::merchant::ApiKeyHash;
use payments::pass::Part;
use payments::payment::Lane;
use ports::{Admission, Depths, EndedPayments, GateStore, Merchants, OpenPayments, PageEnd, Queue, Source, Store};
use serde_json::{Value, json};

use super::Aws;
use crate::contract::samples::{NOW, accepted, message, order};

/// Keeps each request's operation and body.
#[derive(Clone, Debug, Default)]
struct Recorder(Arc<Mutex<Vec<(String, Value)>>>);

impl Recorder {
    fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn only(&self, operation: &str) -> Value {
        let mut requests = self.take();
        assert_eq!(requests.len(), 1, "{requests:?}");
        let (name, body) = requests.remove(0);
        assert_eq!(name, operation);
        body
    }
}

impl Intercept for Recorder {
    fn name(&self) -> &'static str {
        "Recorder"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default())?;
        self.0.lock().unwrap().push((operation, body));
        Ok(())
    }
}

async fn recorded() -> (Aws, aws_sdk_dynamodb::Client, aws_sdk_sqs::Client, Recorder) {
    let aws = Aws::start().await;
    let recorder = Recorder::default();
    let dynamodb = aws.clients.dynamodb.config().to_builder().interceptor(recorder.clone()).build();
    let sqs = aws.clients.sqs.config().to_builder().interceptor(recorder.clone()).build();
    let (dynamodb, sqs) = (aws_sdk_dynamodb::Client::from_conf(dynamodb), aws_sdk_sqs::Client::from_conf(sqs));
    (aws, dynamodb, sqs, recorder)
}

/// "DynamoDB read consistency": without it a payment that was just settled may be read as it was before.
#[tokio::test(start_paused = true)]
async fn what_decisions_are_made_on_is_read_consistently() {
    let (_aws, dynamodb, _, recorder) = recorded().await;
    let payment = accepted(order());
    DynamoStore::new(dynamodb.clone(), PAYMENTS_TABLE).get(&payment.id).await.unwrap();
    let expected = json!({
        "TableName": PAYMENTS_TABLE,
        "Key": { "id": { "S": payment.id.as_str() } },
        "ConsistentRead": true,
    });
    assert_eq!(recorder.only("GetItem"), expected);

    let key = ApiKeyHash::of("sandbox_key_united_kingdom_0001").unwrap();
    DynamoMerchants::new(dynamodb.clone(), MERCHANTS_TABLE).find(&key).await.unwrap();
    let expected = json!({
        "TableName": MERCHANTS_TABLE,
        "Key": { "key_hash": { "S": key.as_str() } },
        "ConsistentRead": true,
    });
    assert_eq!(recorder.only("GetItem"), expected);

    DynamoGates::new(dynamodb, GATES_TABLE).read("acme").await.unwrap();
    let expected = json!({ "TableName": GATES_TABLE, "Key": { "provider": { "S": "acme" } }, "ConsistentRead": true });
    assert_eq!(recorder.only("GetItem"), expected);
}

/// `ingest` tells a wait by it and sends nothing: half of a consistent read's cost to the partition that reservations live on.
#[tokio::test(start_paused = true)]
async fn what_only_tells_a_wait_is_read_as_it_stood_a_moment_ago() {
    let (_aws, dynamodb, sqs, recorder) = recorded().await;
    let urls = QueueUrls { high: "high".to_owned(), standard: "standard".to_owned(), dead_letter: None };
    let clients = Clients { dynamodb, sqs };
    DynamoAdmission::new(&clients, ADMISSION_TABLE, GATES_TABLE, "acme", urls).look().await.unwrap();
    let requests = recorder.take();
    let tables: BTreeSet<&str> = requests.iter().filter_map(|(_, body)| body["TableName"].as_str()).collect();
    assert_eq!(tables, BTreeSet::from([ADMISSION_TABLE, GATES_TABLE]), "{requests:?}");
    for (operation, body) in &requests {
        assert_eq!(
            (operation.as_str(), body["ConsistentRead"].as_bool().unwrap_or(false)),
            ("GetItem", false),
            "{body}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_a_shard_is_asked_for_after_its_place_and_before_its_time() {
    let (_aws, dynamodb, _, recorder) = recorded().await;
    let store = DynamoStore::new(dynamodb, PAYMENTS_TABLE);
    let after = OpenKey { created_at: NOW.minus_ms(7), payment_id: accepted(order()).id };
    store.open(Shard::Open(17), Some(&after), NOW, 23).await.unwrap();
    let expected = json!({
        "TableName": PAYMENTS_TABLE,
        "IndexName": "open",
        "KeyConditionExpression": "open_shard = :shard AND created_at < :before",
        "ExpressionAttributeValues": { ":shard": { "S": "17" }, ":before": { "N": "1764000000000" } },
        "ExclusiveStartKey": {
            "open_shard": { "S": "17" },
            "created_at": { "N": "1763999999993" },
            "id": { "S": after.payment_id.as_str() },
        },
        "Limit": 23,
    });
    assert_eq!(recorder.only("Query"), expected);
    for (shard, key) in [
        (Shard::Parked(Some(3)), "parked-3"),
        (Shard::Case(Some(15)), "case-15"),
        (Shard::Parked(None), "parked"),
        (Shard::Case(None), "case"),
        (Shard::Open(0), "0"),
    ] {
        store.open(shard, None, NOW, 100).await.unwrap();
        let request = recorder.only("Query");
        assert_eq!(request["ExpressionAttributeValues"][":shard"], json!({ "S": key }));
        assert_eq!(request.get("ExclusiveStartKey"), None);
    }
}

/// A parallel scan, eventually consistent, which costs half ("Scan").
#[tokio::test(start_paused = true)]
async fn a_page_of_the_table_is_a_scan_of_one_segment_after_its_place() {
    let (_aws, dynamodb, _, recorder) = recorded().await;
    let store = DynamoStore::new(dynamodb, PAYMENTS_TABLE);
    let part = Part { number: 17, of: 322_560 };
    store.to_forget(part, None, NOW, 100).await.unwrap();
    let mut expected = json!({
        "TableName": PAYMENTS_TABLE,
        "FilterExpression": "forget_at <= :now",
        "ExpressionAttributeValues": { ":now": { "N": "1764000000000" } },
        "Segment": 17,
        "TotalSegments": 322_560,
        "Limit": 100,
    });
    assert_eq!(recorder.only("Scan"), expected);
    // From elsewhere in the table: the embedded one refuses that, as AWS does.
    let elsewhere = PageEnd(accepted(order()).id.as_str().to_owned());
    assert!(store.to_forget(part, Some(&elsewhere), NOW, 100).await.is_err());
    expected["ExclusiveStartKey"] = json!({ "id": { "S": elsewhere.0 } });
    assert_eq!(recorder.only("Scan"), expected);
}

#[tokio::test(start_paused = true)]
async fn a_write_asks_for_the_item_that_made_its_condition_fail() {
    let (_aws, dynamodb, _, recorder) = recorded().await;
    let store = DynamoStore::new(dynamodb, PAYMENTS_TABLE);
    let payment = accepted(order());
    store.put(&payment).await.unwrap();
    let put = recorder.only("PutItem");
    assert_eq!(put["ConditionExpression"], "attribute_not_exists(id)");
    assert_eq!(put["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
    assert_eq!(put["Item"]["id"], json!({ "S": payment.id.as_str() }));
    let claim = crate::contract::samples::claim_of(&payment);
    store.claim(&claim).await.unwrap();
    let update = recorder.only("UpdateItem");
    assert_eq!(update["ReturnValues"], "ALL_NEW");
    assert_eq!(update["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
    assert_eq!(update["Key"], json!({ "id": { "S": payment.id.as_str() } }));
}

fn urls() -> QueueUrls {
    let url = |name: &str| format!("https://sqs.eu-central-1.amazonaws.com/123456789012/{name}");
    QueueUrls { high: url("high"), standard: url("standard"), dead_letter: Some(url("dead-letter")) }
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_to_its_lane_in_its_merchants_group() {
    let (_aws, _, sqs, recorder) = recorded().await;
    let queue = SqsQueue::new(sqs, urls());
    let message = message();
    for (lane, name, delay) in [(Lane::High, "high", 0), (Lane::Standard, "standard", 900)] {
        // There is no such queue; what is asked is all that counts here.
        let _ = queue.send(lane, &message, delay).await;
        let request = recorder.take().remove(0);
        let expected = json!({
            "QueueUrl": format!("https://sqs.eu-central-1.amazonaws.com/123456789012/{name}"),
            "MessageBody": format!(
                r#"{{"version":1,"payment_id":"{}","merchant":"united-kingdom","sent_at":1764000000000}}"#,
                message.payment_id
            ),
            "DelaySeconds": delay,
            "MessageGroupId": "united-kingdom",
        });
        assert_eq!(request, ("SendMessage".to_owned(), expected));
    }
    assert!(queue.send(Lane::High, &message, 901).await.is_err(), "SQS delays 900 s at most");
    assert_eq!(recorder.take(), []);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_hidden_in_the_queue_that_it_came_from() {
    let (_aws, _, sqs, recorder) = recorded().await;
    let queue = SqsQueue::new(sqs, urls());
    for (source, name, seconds) in [
        (Source::Lane(Lane::High), "high", 0),
        (Source::Lane(Lane::Standard), "standard", 1),
        (Source::DeadLetter, "dead-letter", 17),
    ] {
        let _ = queue.hide(source, "the-handle", seconds).await;
        let expected = json!({
            "QueueUrl": format!("https://sqs.eu-central-1.amazonaws.com/123456789012/{name}"),
            "ReceiptHandle": "the-handle",
            "VisibilityTimeout": seconds,
        });
        assert_eq!(recorder.take().remove(0), ("ChangeMessageVisibility".to_owned(), expected));
        assert_eq!(queue.source_of(&format!("arn:aws:sqs:eu-central-1:123456789012:{name}")), Some(source));
    }
    for other in ["arn:aws:sqs:eu-central-1:123456789012:high-2", "arn:aws:sqs:eu-central-1:123456789012:", "", "x"] {
        assert_eq!(queue.source_of(other), None, "{other}");
    }
    let _ = queue.depth(Lane::High).await;
    let (operation, mut request) = recorder.take().remove(0);
    assert_eq!(operation, "GetQueueAttributes");
    request["AttributeNames"].as_array_mut().unwrap().sort_by_key(ToString::to_string);
    let expected = json!({
        "QueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/high",
        "AttributeNames": [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        ],
    });
    assert_eq!(request, expected);
}

/// What SQS would refuse is refused here, before it costs a call; what it takes at the most is asked for.
#[tokio::test(start_paused = true)]
async fn a_message_is_hidden_for_as_long_as_sqs_takes_and_not_a_second_longer() {
    let (_aws, _, sqs, recorder) = recorded().await;
    let queue = SqsQueue::new(sqs, urls());
    let _ = queue.hide(Source::DeadLetter, "the-handle", 43_200).await;
    assert_eq!(recorder.take().remove(0).1["VisibilityTimeout"], 43_200);
    let refused = queue.hide(Source::DeadLetter, "the-handle", 43_201).await.unwrap_err();
    assert!(refused.to_string().contains("at most 43200 s; 43201 s were asked for"), "{refused}");
    assert_eq!(recorder.take(), []);
}
