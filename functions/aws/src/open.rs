//! The index of open payments and the lanes' depths, which the sweep asks.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use pacing::admission::Depth;
use payments::id::PaymentId;
use payments::index::{OpenKey, Shard};
use payments::payment::Lane;
use payments::time::Timestamp;
use ports::{Depths, OpenPayments, PortError, StoreError};

use crate::item::{Item, number};
use crate::queue::SqsQueue;
use crate::store::DynamoStore;
use crate::verdict::{Attempts, port_error, store_error};

/// The sparse index on (`open_shard`, `created_at`), keys only: an ended payment is not in it.
pub const OPEN_INDEX: &str = "open";

impl OpenPayments for DynamoStore {
    async fn open(
        &self,
        shard: Shard,
        after: Option<&OpenKey>,
        created_before: Timestamp,
        most: u32,
    ) -> Result<Vec<OpenKey>, StoreError> {
        let attempts = Attempts::default();
        // An index is read eventually consistent ("Global secondary indexes"): what is a moment old is found next time.
        let output = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(OPEN_INDEX)
            .key_condition_expression("open_shard = :shard AND created_at < :before")
            .expression_attribute_values(":shard", AttributeValue::S(shard.key()))
            .expression_attribute_values(":before", number(created_before.ms()))
            .set_exclusive_start_key(after.map(|after| place(shard, after)))
            .limit(i32::try_from(most).unwrap_or(i32::MAX))
            .customize()
            .interceptor(attempts.clone())
            .send()
            .await
            .map_err(|error| store_error("Query", &error, &attempts))?;
        output.items.unwrap_or_default().iter().map(open_key).collect()
    }
}

/// A place as a query begins after it: the index's key and the table's ("Paginating table query results").
fn place(shard: Shard, after: &OpenKey) -> Item {
    Item::from([
        ("open_shard".to_owned(), AttributeValue::S(shard.key())),
        ("created_at".to_owned(), number(after.created_at.ms())),
        ("id".to_owned(), AttributeValue::S(after.payment_id.as_str().to_owned())),
    ])
}

fn open_key(item: &Item) -> Result<OpenKey, StoreError> {
    let id = item.get("id").and_then(|id| id.as_s().ok()).cloned().unwrap_or_default();
    let created_at = item.get("created_at").and_then(|at| at.as_n().ok()).and_then(|at| at.parse().ok());
    match (PaymentId::new(id), created_at) {
        (Ok(payment_id), Some(ms)) => Ok(OpenKey { created_at: Timestamp::from_ms(ms), payment_id }),
        (Ok(_), None) => Err(StoreError::Corrupt("the index's created_at is no number".to_owned())),
        (Err(error), _) => Err(StoreError::Corrupt(format!("the index's id {error}"))),
    }
}

impl Depths for SqsQueue {
    /// The three approximate counts; SQS says itself that they settle within a minute ("GetQueueAttributes").
    async fn depth(&self, lane: Lane) -> Result<Depth, PortError> {
        const VISIBLE: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessages;
        const DELAYED: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessagesDelayed;
        const IN_FLIGHT: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
        let output = self
            .client
            .get_queue_attributes()
            .queue_url(self.lane_url(lane))
            .set_attribute_names(Some(vec![VISIBLE, DELAYED, IN_FLIGHT]))
            .send()
            .await
            .map_err(|error| port_error("GetQueueAttributes", &error))?;
        let attributes = output.attributes.unwrap_or_default();
        let count = |name: &QueueAttributeName| {
            let count = attributes.get(name).and_then(|text| text.parse::<u64>().ok());
            count.ok_or_else(|| PortError::lost(format!("GetQueueAttributes: no {}", name.as_str())))
        };
        Ok(Depth { waiting: count(&VISIBLE)?.saturating_add(count(&DELAYED)?), in_flight: count(&IN_FLIGHT)? })
    }
}
