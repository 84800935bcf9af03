//! What the embedded AWS refuses because AWS does: a fake that takes more than the real one hides whatever sends more.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use aws_sdk_sqs::types::QueueAttributeName;
use cloud::embedded::{PAYMENTS_TABLE, queue_arn};
use payments::id::{OrderId, PaymentId};
use payments::payment::{Kind, Order};
use ports::Store;

use super::Aws;
use crate::contract::samples::{accepted, merchant, order};
use crate::contract::store::applied;

fn item(id: &str, text_bytes: usize) -> HashMap<String, AttributeValue> {
    [("id", id.to_owned()), ("text", "x".repeat(text_bytes))]
        .map(|(name, text)| (name.to_owned(), AttributeValue::S(text)))
        .into()
}

fn put(item: HashMap<String, AttributeValue>) -> TransactWriteItem {
    let put = Put::builder().table_name(PAYMENTS_TABLE).set_item(Some(item)).build().unwrap();
    TransactWriteItem::builder().put(put).build()
}

/// "Quotas in Amazon DynamoDB".
#[tokio::test]
async fn items_keys_expressions_and_transactions_have_their_largest_size() {
    let aws = Aws::start().await;
    let dynamodb = &aws.clients.dynamodb;
    // `id`, `1`, `text`: seven bytes beside the text's own.
    for (bytes, fits) in [(400 * 1_024 - 7, true), (400 * 1_024 - 6, false)] {
        let answer = dynamodb.put_item().table_name(PAYMENTS_TABLE).set_item(Some(item("1", bytes))).send().await;
        assert_eq!(answer.is_ok(), fits, "{bytes}");
        assert!(fits || answer.unwrap_err().code() == Some("ValidationException"));
    }
    for (key, fits) in [("k".repeat(2_048), true), ("k".repeat(2_049), false), (String::new(), false)] {
        let answer = dynamodb.put_item().table_name(PAYMENTS_TABLE).set_item(Some(item(&key, 1))).send().await;
        assert_eq!(answer.is_ok(), fits, "a key of {}", key.len());
    }
    for (count, fits) in [(100, true), (101, false)] {
        let items = (0..count).map(|number| put(item(&format!("{count}-{number}"), 1))).collect();
        let answer = dynamodb.transact_write_items().set_transact_items(Some(items)).send().await;
        assert_eq!(answer.is_ok(), fits, "{count}");
    }
    for (bytes, fits) in [(4_096, true), (4_097, false)] {
        let condition = format!("{:<bytes$}", "attribute_not_exists(id)");
        let new = item(&format!("expression-{bytes}"), 1);
        let answer = dynamodb.put_item().table_name(PAYMENTS_TABLE).set_item(Some(new));
        assert_eq!(answer.condition_expression(condition).send().await.is_ok(), fits, "{bytes}");
    }
    let answer = dynamodb.update_item().table_name(PAYMENTS_TABLE).key("id", AttributeValue::S("1".to_owned()));
    let answer = answer.update_expression("SET id = :id");
    let answer = answer.expression_attribute_values(":id", AttributeValue::S("2".to_owned())).send().await;
    assert_eq!(answer.unwrap_err().code(), Some("ValidationException"), "a key is never changed");
}

/// "Amazon SQS message quotas" and "SendMessage".
#[tokio::test]
async fn a_message_has_its_largest_size_and_its_groups_letters() {
    let aws = Aws::start().await;
    let sqs = &aws.clients.sqs;
    let url = sqs.create_queue().queue_name("strict").send().await.unwrap().queue_url.unwrap();
    for (bytes, fits) in [(0, false), (1, true), (1_048_576, true), (1_048_577, false)] {
        let answer = sqs.send_message().queue_url(&url).message_body("x".repeat(bytes)).send().await;
        assert_eq!(answer.is_ok(), fits, "{bytes}");
    }
    for (group, fits) in [("g".repeat(128), true), ("g".repeat(129), false), ("two words".to_owned(), false)] {
        let answer = sqs.send_message().queue_url(&url).message_body("x").message_group_id(&group).send().await;
        assert_eq!(answer.is_ok(), fits, "{group}");
    }
}

/// "SetQueueAttributes": what is received too often has to have somewhere to go.
#[tokio::test]
async fn a_queue_leads_to_a_queue_that_is_there() {
    let aws = Aws::start().await;
    let sqs = &aws.clients.sqs;
    sqs.create_queue().queue_name("the-end").send().await.unwrap();
    let cases = [("the-end", 1, true), ("the-end", 1_000, true), ("the-end", 1_001, false), ("nowhere", 1, false)];
    for (number, (target, count, fits)) in cases.into_iter().enumerate() {
        let policy = serde_json::json!({ "deadLetterTargetArn": queue_arn(target), "maxReceiveCount": count });
        let create = sqs.create_queue().queue_name(format!("from-{number}"));
        let answer = create.attributes(QueueAttributeName::RedrivePolicy, policy.to_string()).send().await;
        assert_eq!(answer.is_ok(), fits, "{target}, {count}");
    }
}

/// The largest order that a merchant can send fits, with room to spare for what becomes of it.
#[tokio::test]
async fn the_largest_order_is_an_item_and_its_message_is_one() {
    let aws = Aws::start().await;
    let order_id = OrderId::new("x".repeat(payments::id::ORDER_ID_MAX)).unwrap();
    let largest = Order {
        order_id: order_id.clone(),
        description: Some("ü".repeat(payments::request::BODY_BYTES_MAX / 2)),
        ..order()
    };
    applied(aws.store().put(&accepted(largest)).await);
    let id = PaymentId::derive(&merchant(), Kind::Charge, &order_id);
    assert!(aws.store().get(&id).await.unwrap().is_some());
}
